/** Pods as kube-manager writes them, and as a kubelet calls CNI for them: on the compute appliance of a lab. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import type { Operation } from '../../../proto/config.ts';
import type { Draft } from '../../../proto/load.ts';
import type { Lab } from '../../lab/lab.ts';
import type { Namespaces } from '../../lab/netns.ts';

/** The pod network is shared with it. */
export const PROJECT = 'default-domain:k8s-ns-user-1';
export const POD_NETWORK = 'default-domain:k8s-default:k8s-default-pod-network';
const ROUTER = 'default-global-system-config:compute-1';
export const PLUGINS = fileURLToPath(new URL('../../../build/cni', import.meta.url));

export interface PodInterfaceSpec { readonly name: string; readonly network: string; readonly port: string; readonly annotations?: Readonly<Record<string, string>> }
export interface PodSpec { readonly name: string; readonly uid: string; readonly interfaces: readonly PodInterfaceSpec[] }

/** A pod with one interface in the pod network, the `number`-th of its test. */
export function podSpec(number: number): PodSpec {
  const digits = number.toString(16).padStart(4, '0');
  return { name: `web-${number}`, uid: `5c1e4a3e-${digits}-4000-8000-000000000000`, interfaces: [{ name: 'eth0', network: POD_NETWORK, port: `tap${digits}0` }] };
}

const interfaceName = ({ name, uid }: PodSpec, at: number): string => `${name}__${uid}${at === 0 ? '' : `__${at + 1}`}`;

/** Virtual machine, interfaces, addresses. */
export function podObjects(pod: PodSpec): Draft<Operation>[] {
  const { name, uid, interfaces } = pod;
  return [
    { put: { name: uid, annotations: { kind: 'Pod', namespace: 'default', name, uid }, virtualMachine: { project: PROJECT } } },
    ...interfaces.flatMap((each, at) => [
      { put: {
        name: `${PROJECT}:${interfaceName(pod, at)}`, annotations: { interface: each.name, index: `${at + 1}/${interfaces.length}`, ...each.annotations },
        virtualMachineInterface: { virtualNetwork: each.network, virtualRouter: ROUTER, port: each.port, virtualMachine: uid },
      } },
      { put: { name: interfaceName(pod, at), instanceIp: { virtualNetwork: each.network, virtualMachineInterfaces: [`${PROJECT}:${interfaceName(pod, at)}`] } } },
    ]),
  ];
}

export function podDeletions(pod: PodSpec): Draft<Operation>[] {
  return [
    ...pod.interfaces.flatMap((_, at) => [{ delete: { kind: 'instance-ip', name: interfaceName(pod, at) } }, { delete: { kind: 'virtual-machine-interface', name: `${PROJECT}:${interfaceName(pod, at)}` } }]),
    { delete: { kind: 'virtual-machine', name: pod.uid } },
  ];
}

/** CNI's result and error, as far as tests look. */
export interface Answer {
  code: number;
  output: string;
  /** Of standard output, {} when there was none. */
  json: {
    cniVersion?: string; code?: number; msg?: string; details?: string; supportedVersions?: string[];
    interfaces?: { name: string; mac?: string; mtu?: number; sandbox?: string }[];
    ips?: { version?: string; address: string; gateway?: string; interface?: number }[];
    routes?: { dst: string; gw?: string }[];
    dns?: object;
  };
}

export interface Call {
  command: 'ADD' | 'DEL' | 'CHECK' | 'GC' | 'STATUS' | 'VERSION';
  pod?: PodSpec;
  /** The pod's own unless said otherwise. */
  containerId?: string;
  ifname?: string;
  configuration?: Record<string, unknown>;
  plugin?: string;
}

/** Calls plugins as a kubelet on the compute appliance does. */
export class Kubelet {
  readonly #lab: Lab;
  readonly #namespaces: Namespaces;

  constructor(lab: Lab, namespaces: Namespaces) {
    this.#lab = lab;
    this.#namespaces = namespaces;
  }

  /** Short name of a pod's namespace. */
  static place({ name }: PodSpec): string { return `pod-${name}`; }

  netns(pod: PodSpec): string { return `/run/netns/${this.#namespaces.full(Kubelet.place(pod))}`; }

  async call({ command, pod, containerId, ifname = 'eth0', configuration = {}, plugin = 'wrouter' }: Call): Promise<Answer> {
    const [program, args] = this.#namespaces.command('compute', plugin.startsWith('/') ? plugin : `${PLUGINS}/${plugin}`, []);
    const child = spawn(program, args, { stdio: ['pipe', 'pipe', 'inherit'], env: {
      PATH: process.env['PATH'], WROUTER_CNI_SOCKET: this.#lab.cniSocket, CNI_COMMAND: command, CNI_PATH: `${PLUGINS}:/usr/lib/cni`,
      ...(pod && {
        CNI_CONTAINERID: containerId ?? `c-${pod.uid}`, CNI_NETNS: this.netns(pod), CNI_IFNAME: ifname,
        CNI_ARGS: `IgnoreUnknown=1;K8S_POD_NAMESPACE=default;K8S_POD_NAME=${pod.name};K8S_POD_INFRA_CONTAINER_ID=c-${pod.uid};K8S_POD_UID=${pod.uid}`,
      }),
    } });
    child.stdin.on('error', () => {});
    child.stdin.end(JSON.stringify({ cniVersion: '1.1.0', name: 'wrouter', type: 'wrouter', ...configuration }));
    const [output, [code]] = await Promise.all([text(child.stdout), once(child, 'close') as Promise<[number | null]>]);
    return { code: code ?? -1, output, json: output.trim() === '' ? {} : JSON.parse(output) as Answer['json'] };
  }

  /** ADD that must succeed. */
  async add(pod: PodSpec, more: Partial<Call> = {}): Promise<Answer> {
    const answer = await this.call({ command: 'ADD', pod, ...more });
    if (answer.code !== 0) throw new Error(`ADD of ${pod.name}: ${answer.output}`);
    return answer;
  }

  async delete(pod: PodSpec, more: Partial<Call> = {}): Promise<Answer> {
    const answer = await this.call({ command: 'DEL', pod, ...more });
    if (answer.code !== 0) throw new Error(`DEL of ${pod.name}: ${answer.output}`);
    return answer;
  }
}
