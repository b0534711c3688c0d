/** The kinds of objects: Contrail's names, their place in proto/config.proto, and the shape of their fully qualified names. */
import type * as wire from '../../../proto/config.ts';

export interface Specs {
  'project': wire.Project;
  'virtual-network': wire.VirtualNetwork;
  'floating-ip-pool': wire.FloatingIpPool;
  'floating-ip': wire.FloatingIp;
  'virtual-machine-interface': wire.VirtualMachineInterface;
  'instance-ip': wire.InstanceIp;
  'virtual-router': wire.VirtualRouter;
  'route-table': wire.RouteTable;
  'network-policy': wire.NetworkPolicy;
  'domain': wire.Domain;
  'network-ipam': wire.NetworkIpam;
  'virtual-machine': wire.VirtualMachine;
  'route-target': wire.RouteTarget;
  'bgp-router': wire.BgpRouter;
  'access-token': wire.AccessToken;
  'global-system-config': wire.GlobalSystemConfig;
  'global-vrouter-config': wire.GlobalVrouterConfig;
}
export type Kind = keyof Specs;
export type Field = NonNullable<wire.Object['spec']>;

/** What a program that makes objects says of them, and the controller only keeps. */
export type Annotations = Readonly<Record<string, string>>;

/** An object as the controller keeps it; `annotations` is there when it has any. Never changed in place: a change is another object under the same name. */
export type Stored<K extends Kind = Kind> = { [Each in K]: { readonly kind: Each; readonly name: string; readonly uuid: string; readonly version: number; readonly annotations?: Annotations; readonly spec: Specs[Each] } }[K];

interface KindInfo {
  /** Member of wire.Object that holds the spec. */
  readonly field: Field;
  /** The same as it is written in field paths. */
  readonly path: string;
  /** What the parts of the name are: <any>, or that very word. */
  readonly parts: readonly string[];
  /** Kind of the object that is named by all parts but the last. */
  readonly parent?: Kind;
}

export const DOMAIN = 'default-domain';
/** The one global-system-config, parent of appliances. */
export const SYSTEM = 'default-global-system-config';
/** Where BGP speakers are: Contrail's routing instance of the underlay. */
export const BGP_ROUTERS = `${DOMAIN}:default-project:ip-fabric:__default__`;

export const KINDS: { readonly [K in Kind]: KindInfo } = {
  'domain': { field: 'domain', path: 'domain', parts: ['<domain>'] },
  'project': { field: 'project', path: 'project', parts: ['<domain>', '<project>'], parent: 'domain' },
  'network-ipam': { field: 'networkIpam', path: 'network_ipam', parts: ['<domain>', '<project>', '<ipam>'], parent: 'project' },
  'virtual-network': { field: 'virtualNetwork', path: 'virtual_network', parts: ['<domain>', '<project>', '<network>'], parent: 'project' },
  'floating-ip-pool': { field: 'floatingIpPool', path: 'floating_ip_pool', parts: ['<domain>', '<project>', '<network>', '<pool>'], parent: 'virtual-network' },
  'floating-ip': { field: 'floatingIp', path: 'floating_ip', parts: ['<domain>', '<project>', '<network>', '<pool>', '<floating-ip>'], parent: 'floating-ip-pool' },
  'virtual-machine': { field: 'virtualMachine', path: 'virtual_machine', parts: ['<virtual-machine>'] },
  'virtual-machine-interface': { field: 'virtualMachineInterface', path: 'virtual_machine_interface', parts: ['<domain>', '<project>', '<interface>'], parent: 'project' },
  'instance-ip': { field: 'instanceIp', path: 'instance_ip', parts: ['<instance-ip>'] },
  'virtual-router': { field: 'virtualRouter', path: 'virtual_router', parts: [SYSTEM, '<appliance>'], parent: 'global-system-config' },
  'route-table': { field: 'routeTable', path: 'route_table', parts: ['<domain>', '<project>', '<table>'], parent: 'project' },
  'network-policy': { field: 'networkPolicy', path: 'network_policy', parts: ['<domain>', '<project>', '<policy>'], parent: 'project' },
  'route-target': { field: 'routeTarget', path: 'route_target', parts: ['target', '<asn>', '<number>'] },
  'bgp-router': { field: 'bgpRouter', path: 'bgp_router', parts: [...BGP_ROUTERS.split(':'), '<router>'] },
  'access-token': { field: 'accessToken', path: 'access_token', parts: ['<token>'] },
  'global-system-config': { field: 'globalSystemConfig', path: 'global_system_config', parts: [SYSTEM] },
  'global-vrouter-config': { field: 'globalVrouterConfig', path: 'global_vrouter_config', parts: [SYSTEM, 'default-global-vrouter-config'], parent: 'global-system-config' },
};
/** The one object of a kind that has but one. */
export const VROUTER_CONFIG = KINDS['global-vrouter-config'].parts.join(':');

export const isKind = (text: string): text is Kind => Object.hasOwn(KINDS, text);
export const kindOfField = new Map<Field, Kind>((Object.keys(KINDS) as Kind[]).map((kind) => [KINDS[kind].field, kind]));

/** "virtual-network default-domain:…": one string that identifies an object, for sets and for people. */
export const idOf = (kind: Kind, name: string): string => `${kind} ${name}`;
export const splitId = (id: string): [Kind, string] => [id.slice(0, id.indexOf(' ')) as Kind, id.slice(id.indexOf(' ') + 1)];

/** A route table is a project's or, under an appliance's name, the appliance's own. */
export const parentKind = (kind: Kind, name: string): Kind | undefined => (kind === 'route-table' && name.startsWith(`${SYSTEM}:`) ? 'virtual-router' : KINDS[kind].parent);
export const parentName = (name: string): string => name.slice(0, name.lastIndexOf(':'));
export const lastName = (name: string): string => name.slice(name.lastIndexOf(':') + 1);
export const applianceName = (virtualRouter: string): string => lastName(virtualRouter);
export const virtualRouterName = (appliance: string): string => `${SYSTEM}:${appliance}`;
export const projectOf = (name: string): string => name.split(':').slice(0, 2).join(':');

/** An object out of a message. Undefined: no spec is set, so its kind is unknown. */
export function fromWire(message: wire.Object): Stored | undefined {
  const kind = message.spec && kindOfField.get(message.spec);
  if (!kind) return undefined;
  const { name, uuid, version, annotations } = message;
  return { kind, name, uuid, version, ...annotated(annotations), spec: message[KINDS[kind].field] } as Stored;
}

export function toWire(object: Stored): wire.Object {
  const { field } = KINDS[object.kind];
  return { name: object.name, uuid: object.uuid, version: object.version, annotations: object.annotations ?? {}, [field]: object.spec, spec: field };
}

/** The member that holds annotations, in the order of their keys; none when there are none. */
function annotated(annotations: Annotations): { annotations?: Annotations } {
  const keys = Object.keys(annotations);
  return keys.length === 0 ? {} : { annotations: Object.fromEntries(keys.sort().map((key) => [key, annotations[key]!])) };
}
