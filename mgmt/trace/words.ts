/** What people call the things that a trace speaks of, and the objects behind them. */
import type { Mention } from '../../firmware/host/trace.ts';
import type { Object as ConfigObject } from '../../proto/config.ts';
import type { Replica } from './replica.ts';
import { kubernetesWord, lastOf, parentOf, type Source } from './source.ts';

/** "virtual-network default-domain:…", as the controller itself writes it. */
export type ObjectId = string;

export interface Named { readonly word: string; readonly objects: readonly ObjectId[] }

/** Paths of a route whose sources are told. */
const MOST_SOURCES = 3;

/** A key for maps: equal mentions are one. */
export const mentionKey = (mention: Mention): string => (mention.of === 'floatingIp' ? `floatingIp ${mention.address}` : mention.of === 'route' ? `route ${mention.vrf} ${mention.prefix}` : `${mention.of} ${mention.id}`);

/** Words for what is at an appliance. A route has no word, but objects that it was made from. */
export async function named(source: Source, replica: Replica, mention: Mention): Promise<Named> {
  switch (mention.of) {
    case 'interface': return interfaceNamed(source, replica.names.name('INTERFACE', mention.id));
    case 'vrf': return vrfNamed(source, replica.names.name('VRF', mention.id));
    case 'floatingIp': return floatingIpNamed(source, replica.names.maps().floatingIps?.get(mention.address) ?? '');
    case 'nexthop': return tunnelEndNamed(source, replica.tunnelEnd(mention.id));
    case 'route': return routeNamed(source, replica, mention.vrf, mention.prefix);
  }
}

/** "pod/ns/name", "pod/ns/name net1", else its own name; an appliance's own interfaces have their short name. */
export async function interfaceNamed(source: Source, name: string): Promise<Named> {
  const vmi = name.includes(':') ? await source.get('virtual-machine-interface', name) : undefined;
  if (!vmi) return { word: name, objects: [] };
  const machine = vmi.virtualMachineInterface?.virtualMachine ?? '';
  return { word: interfaceWord(vmi), objects: [`virtual-machine-interface ${name}`, ...(machine === '' ? [] : [`virtual-machine ${machine}`])] };
}

export function interfaceWord(vmi: ConfigObject): string {
  const word = kubernetesWord(vmi);
  const { interface: device = '', index = '1' } = vmi.annotations;
  if (word === '') return vmi.name;
  return index.startsWith('1') && (device === '' || device === 'eth0') ? word : `${word} ${device || `interface ${index}`}`;
}

/** The network of a VRF, which is called <network>:<its last part>; undefined: it is an appliance's own. */
export async function networkOfVrf(source: Source, vrf: string): Promise<ConfigObject | undefined> {
  const network = parentOf(vrf);
  return lastOf(network) === lastOf(vrf) ? source.get('virtual-network', network) : undefined;
}

/** "k8s-ns-isolated-pod-network (namespace ns-isolated, isolated)". */
export function networkWord(network: ConfigObject): string {
  const { annotations: { kind, name, isolation } } = network;
  return `${lastOf(network.name)}${kind === 'Namespace' && isolation === 'true' ? ` (namespace ${name}, isolated)` : ''}`;
}

async function vrfNamed(source: Source, vrf: string): Promise<Named> {
  const network = await networkOfVrf(source, vrf);
  if (network) return { word: networkWord(network), objects: [`virtual-network ${network.name}`] };
  const router = parentOf(vrf);
  const isInstance = await source.get('virtual-router', router) !== undefined;
  return { word: isInstance ? lastOf(vrf) : vrf.endsWith(':ip-fabric:__default__') ? 'ip-fabric' : vrf, objects: isInstance ? [`virtual-router ${router}`] : [] };
}

async function floatingIpNamed(source: Source, name: string): Promise<Named> {
  if (name === '') return { word: '', objects: [] };
  const fip = await source.get('floating-ip', name);
  return { word: fip && kubernetesWord(fip) || name.split(':').slice(-2).join(':'), objects: [`floating-ip ${name}`] };
}

async function tunnelEndNamed(source: Source, address: string): Promise<Named> {
  const owner = address === '' ? undefined : await ownerOfTunnel(source, address);
  return owner ?? { word: '', objects: [] };
}

/** Who has a tunnel address: one of our appliances, or a router that we speak BGP with. */
export async function ownerOfTunnel(source: Source, address: string): Promise<Named & { readonly appliance: string } | undefined> {
  const router = (await source.list('virtual-router')).find(({ virtualRouter }) => virtualRouter?.fabric?.address.split('/')[0] === address);
  if (router) return { word: lastOf(router.name), objects: [`virtual-router ${router.name}`], appliance: lastOf(router.name) };
  const speaker = (await source.list('bgp-router')).find(({ bgpRouter }) => bgpRouter?.address === address);
  return speaker && { word: `router ${lastOf(speaker.name)}`, objects: [`bgp-router ${speaker.name}`], appliance: '' };
}

async function routeNamed(source: Source, replica: Replica, vrf: number, prefix: string): Promise<Named> {
  const route = await source.route(replica.appliance, replica.names.name('VRF', vrf), prefix);
  const sources = [...new Set(route?.paths.map(({ source: id }) => id).filter((id) => id !== '') ?? [])];
  return { word: '', objects: sources.slice(0, MOST_SOURCES) };
}
