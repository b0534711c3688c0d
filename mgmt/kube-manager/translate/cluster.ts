/** What there is before any namespace: projects, IPAMs, the two networks of all namespaces that are not isolated, and the policies between networks. */
import type { NetworkPolicyRule, Subnet } from '../../../proto/config.ts';
import { isIsolated } from './annotations.ts';
import { NETWORK, type Desired, type Output } from './desired.ts';
import type { View } from './view.ts';

const DEFAULT = 'default';
/** Annotation of the project of namespace default: which Kubernetes cluster this is, by the UID of its namespace kube-system. */
export const CLUSTER_UID = 'cluster-uid';
/** What stands for every network that a policy is attached to. */
const LOCAL = 'local';

export function translateCluster(view: View): Output {
  const { names, settings } = view;
  const annotations = { ...ownerOf(view), kind: 'Namespace', namespace: DEFAULT, name: DEFAULT };
  const make = <K extends Desired['kind']>(kind: K, name: string, spec: Extract<Desired, { kind: K }>['spec']): Desired => ({ kind, name, uuid: '', annotations, spec }) as Desired;
  const subnets = (prefixes: readonly string[]): Subnet[] => prefixes.map((prefix) => ({ prefix, gateway: '', addrFromStart: false }));
  const [pods, services] = [names.podNetwork(DEFAULT), names.serviceNetwork(DEFAULT)];
  const [fabricPolicy, servicePolicy, bothPolicy] = [names.policy('default-ip-fabric-np'), names.policy('default-service-np'), names.policy('default-pod-service-np')];
  const flat = { ...NETWORK, addressAllocationMode: 'FLAT_SUBNET_ONLY' as const };
  const between = (source: string, destination: string): NetworkPolicyRule[] => [{ source, destination }];
  // Services of these namespaces have backends in the namespaces' own projects.
  const projects = view.namespaces().filter((each) => each.name !== DEFAULT && !isIsolated(each)).map(({ name }) => names.project(name));
  return {
    problems: [],
    objects: [
      { kind: 'project', name: names.project(DEFAULT), uuid: '', annotations: { ...annotations, [CLUSTER_UID]: view.get('namespace', 'kube-system')?.uid ?? '' }, spec: {} },
      make('project', 'default-domain:default-project', {}),
      make('network-ipam', names.ipam('pod'), { subnets: subnets(settings.podSubnets) }),
      make('network-ipam', names.ipam('service'), { subnets: subnets(settings.serviceSubnets) }),
      make('network-ipam', names.ipam('ip-fabric'), { subnets: subnets(settings.fabricSubnets) }),
      make('network-policy', fabricPolicy, { rules: between(LOCAL, names.fabricNetwork) }),
      make('network-policy', servicePolicy, { rules: between(LOCAL, services) }),
      make('network-policy', bothPolicy, { rules: between(pods, services) }),
      make('virtual-network', names.fabricNetwork, { ...flat, networkIpams: [names.ipam('ip-fabric')], networkPolicies: [fabricPolicy] }),
      make('virtual-network', pods, { ...flat, networkIpams: [names.ipam('pod')], shared: true, networkPolicies: [fabricPolicy, bothPolicy] }),
      make('virtual-network', services, { ...flat, networkIpams: [names.ipam('service')], shared: true, networkPolicies: [fabricPolicy, bothPolicy, servicePolicy] }),
      make('floating-ip-pool', names.servicePool(DEFAULT), { subnets: [], projects }),
    ],
  };
}

/** Annotations that say whose an object is: without them it is not ours, and left alone. */
export const ownerOf = ({ settings }: Pick<View, 'settings'>): { cluster: string; owner: string } => ({ cluster: settings.clusterName, owner: 'k8s' });
