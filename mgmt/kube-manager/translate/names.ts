/** Contrail's names of what stands for Kubernetes objects. */
import { createHash } from 'node:crypto';
import type { ClusterSettings } from '../config/settings.ts';

/** Room for a part of a name. */
const MAX_PART = 127;
const UID_LENGTH = 36;

export class Names {
  readonly domain: string;
  readonly cluster: string;

  constructor({ domain, clusterName }: Pick<ClusterSettings, 'domain' | 'clusterName'>) {
    this.domain = domain;
    this.cluster = clusterName;
  }

  /** default-domain:k8s-ns-user-1 */
  project(namespace: string): string { return `${this.domain}:${this.cluster}-${namespace}`; }

  /** Of a namespace: its own when it is isolated, that of `default` for all others. */
  podNetwork(namespace: string): string { return `${this.project(namespace)}:${this.cluster}-${namespace}-pod-network`; }
  serviceNetwork(namespace: string): string { return `${this.project(namespace)}:${this.cluster}-${namespace}-service-network`; }
  /** What ClusterIPs are taken from. */
  servicePool(namespace: string): string { return `${this.serviceNetwork(namespace)}:${this.cluster}-${namespace}-service-pool`; }

  ipam(what: 'pod' | 'service' | 'ip-fabric'): string { return `${this.project('default')}:${this.cluster}-${what}-ipam`; }
  /** The underlay's network; nodes are in it. */
  get fabricNetwork(): string { return 'default-domain:default-project:ip-fabric'; }

  /** Of a NetworkAttachmentDefinition or a VirtualNetwork: default-domain:k8s-ns-user-1:k8s-vn-ns-default-pod-network */
  userNetwork(namespace: string, name: string): string { return `${this.project(namespace)}:${this.cluster}-${name}-pod-network`; }

  policy(name: 'default-ip-fabric-np' | 'default-service-np' | 'default-pod-service-np'): string { return `${this.project('default')}:${this.cluster}-${name}`; }
  namespacePolicy(namespace: string): string { return `${this.project(namespace)}:${this.cluster}-${namespace}-pod-service-np`; }

  /** Of the `index`-th interface of a pod, from 1. */
  interface(namespace: string, pod: string, uid: string, index: number): string { return `${this.project(namespace)}:${this.instanceIp(pod, uid, index)}`; }
  instanceIp(pod: string, uid: string, index: number): string { return index === 1 ? joined(pod, uid) : `${joined(pod, uid)}__${index}`; }

  floatingIp(pool: string, name: string, uid: string, more = ''): string { return `${pool}:${joined(name, uid, more.length)}${more}`; }
}

/** `<name>__<uid>`; a long name is cut, the UID makes it unique. */
const joined = (name: string, uid: string, more = 0): string => `${name.slice(0, MAX_PART - UID_LENGTH - 2 - Math.max(more, 5))}__${uid}`;

/** The device on the node's side of an interface: what Linux has room for, the same on every start. */
export function deviceName(interfaceName: string): string {
  return `tap${createHash('sha256').update(interfaceName.slice(interfaceName.lastIndexOf(':') + 1)).digest('hex').slice(0, 11)}`;
}
