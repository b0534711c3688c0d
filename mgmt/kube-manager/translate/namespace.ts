/** A namespace: its project and, when it is isolated, networks for its pods and services, with a policy between the two. */
import { ANNOTATIONS, type Namespace } from '../kubernetes/objects.ts';
import { annotationField, chosenNetwork, chosenPool, isIsolated, problems, reportUnderlay } from './annotations.ts';
import { ownerOf } from './cluster.ts';
import { NETWORK, type Desired, type Output } from './desired.ts';
import type { View } from './view.ts';

export function translateNamespace(view: View, key: string): Output {
  const namespace = view.get('namespace', key);
  if (!namespace) return { objects: [], problems: [] };
  const { found, report } = problems();
  const { names } = view;
  const { name } = namespace;
  const isolated = isIsolated(namespace, report);
  reportUnderlay(namespace, report);
  // They are of the pods and services in it; what is wrong is told here, once.
  chosenNetwork(namespace, report);
  chosenPool(namespace, report);
  if (name === 'default') {
    if (isolated) report(annotationField(ANNOTATIONS.isolation), 'CannotIsolate', 'the networks of namespace default are those of all namespaces that are not isolated; isolate another one');
    return { objects: [], problems: found };
  }
  const annotations = { ...ownerOf(view), kind: 'Namespace', namespace: name, name, uid: namespace.uid, ...(isolated ? { isolation: 'true' } : {}) };
  const objects: Desired[] = [{ kind: 'project', name: names.project(name), uuid: '', annotations, spec: {} }];
  if (isolated) objects.push(...isolatedNetworks(view, name, annotations));
  return { objects, problems: found };
}

function isolatedNetworks({ names }: View, namespace: string, annotations: Desired['annotations']): Desired[] {
  const [pods, services, policy] = [names.podNetwork(namespace), names.serviceNetwork(namespace), names.namespacePolicy(namespace)];
  const flat = { ...NETWORK, addressAllocationMode: 'FLAT_SUBNET_ONLY' as const };
  const fabric = names.policy('default-ip-fabric-np');
  return [
    { kind: 'network-policy', name: policy, uuid: '', annotations, spec: { rules: [{ source: pods, destination: services }] } },
    // The same addresses for all, in VRFs of their own: nodes and the services of the default network are in reach, nothing else.
    { kind: 'virtual-network', name: pods, uuid: '', annotations, spec: { ...flat, networkIpams: [names.ipam('pod')], networkPolicies: [fabric, names.policy('default-service-np'), policy] } },
    { kind: 'virtual-network', name: services, uuid: '', annotations, spec: { ...flat, networkIpams: [names.ipam('service')], networkPolicies: [fabric, policy] } },
    { kind: 'floating-ip-pool', name: names.servicePool(namespace), uuid: '', annotations, spec: { subnets: [], projects: [] } },
  ];
}

/** Whether a namespace has networks of its own. */
export const hasOwnNetworks = (namespace: Namespace | undefined): boolean => namespace !== undefined && namespace.name !== 'default' && isIsolated(namespace);
