/** What the translation makes: objects as they should be, and what of a Kubernetes object it refuses. */
import { idOf, type Kind, type Specs } from '../../controller/model/kinds.ts';

/** An object as it should be. Fields that the controller allocates are empty, and then whatever they are. */
export type Desired<K extends Kind = Kind> = { [Each in K]: { readonly kind: Each; readonly name: string; readonly uuid: string; readonly annotations: Readonly<Record<string, string>>; readonly spec: Specs[Each] } }[K];

/** Why something that an object says is not done: told in an Event and a condition. */
export interface Problem {
  /** Where it stands: metadata.annotations[opencontrail.org/cidr], spec.loadBalancerIP. */
  readonly field: string;
  /** CamelCase, the reason of the Event: PoolNotShared. */
  readonly rule: string;
  /** What is wrong and what would be right. */
  readonly message: string;
}

/** An object that has nothing but problems is an Output without objects. */
export interface Output { readonly objects: readonly Desired[]; readonly problems: readonly Problem[] }

export const desiredId = ({ kind, name }: Desired): string => idOf(kind, name);

// Whole specs, of which callers say what differs.
export const NETWORK: Specs['virtual-network'] = {
  subnets: [], routeTargets: [], importRouteTargets: [], exportRouteTargets: [], external: false, mssClamp: 0, vrfKind: 'VRF_KIND_AUTO', mtu: 0, advertiseStaticRoutes: false,
  addressAllocationMode: 'USER_DEFINED_SUBNET_ONLY', networkIpams: [], forwardingMode: 'L3', shared: false, projects: [], networkPolicies: [], staticRoutes: [],
};
export const INTERFACE: Specs['virtual-machine-interface'] = { mac: '', virtualNetwork: '', virtualRouter: '', port: '', virtualMachine: '', order: 0 };
export const INSTANCE_IP: Specs['instance-ip'] = { address: '', virtualNetwork: '', virtualMachineInterfaces: [], networkIpam: '' };
export const FLOATING_IP: Specs['floating-ip'] = {
  address: '', direction: 'DIRECTION_BOTH', virtualMachineInterfaces: [], fixedAddress: '', networkIpam: '', portMappingsEnable: false, portMappings: [], sessionAffinity: 'SESSION_AFFINITY_NONE',
};
