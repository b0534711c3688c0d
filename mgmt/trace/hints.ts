/** What would change it: for each reason of a drop, what the objects say about it. */
import type { Object as ConfigObject, RoutingInstance } from '../../proto/config.ts';
import type { TraceEvent } from '../../firmware/host/trace-events.ts';
import { ownersOf } from './ends.ts';
import type { Passed, Replica } from './replica.ts';
import { addressesOf, floatingIpsOf, lastOf, parentOf, routerName, type Source } from './source.ts';
import { interfaceNamed, networkOfVrf, networkWord } from './words.ts';

export interface Death { readonly source: Source; readonly replica: Replica; readonly passed: Passed; readonly event: TraceEvent }
type Hint = (death: Death) => Promise<string[]>;

const vrfOf = ({ replica, event }: Death): string => replica.names.name('VRF', event.vrf);
/** Names that a sentence has room for. */
const MOST = 5;
const listed = (names: readonly string[], none: string): string => (names.length === 0 ? none : names.slice(0, MOST).join(', ') + (names.length > MOST ? ` and ${names.length - MOST} more` : ''));
const sender = (death: Death): string => death.passed.interface.name;
const isWorkload = (name: string): boolean => name.includes(':');

const HINTS: Readonly<Record<string, Hint>> = {
  no_route: unreachable,
  // The route of a whole subnet: whoever has the address is not known in this VRF.
  route_discard: unreachable,
  source_not_translated: async (death) => [
    ...await floatingIpHints(death),
    ...await ifNetwork(death, (network) => [`with \`external: true\`, addresses of virtual-network ${network.name} may leave as they are`]),
  ],
  source_mismatch: async (death) => {
    const addresses = isWorkload(sender(death)) ? await addressesOf(death.source, sender(death)) : [];
    return [`${(await interfaceNamed(death.source, sender(death))).word} may send from ${listed(addresses, 'no address')}; an instance-ip with ${death.event.source} for ${sender(death)} would permit it`];
  },
  rpf_failed: async (death) => [`the route back to ${death.event.source} in VRF ${lastOf(vrfOf(death))} must lead where the packet came from: that VRF must import the sender's network (or import nothing that says otherwise)`],
  ttl_exceeded: async () => ['a packet that is sent with a greater TTL (--ttl) comes through'],
  fragmentation_needed: async ({ source, replica, event }) => {
    const mtu = (await source.get('virtual-router', routerName(replica.appliance)))?.virtualRouter?.fabric?.mtu || 1500;
    return [`without Don't Fragment it would be cut; a packet whole needs a fabric MTU of ${event.length + 28} or more: virtual-router ${routerName(replica.appliance)} says ${mtu}`];
  },
  label_unknown: async ({ replica, event }) => [`label ${event.label} means nothing to ${replica.appliance}: the sender has a state of another moment. Trace again; if it stays so, \`wrouter resync\` the sender`],
  ecmp_empty: async () => ['no member of the group is left: none of the interfaces behind it is placed at an appliance'],
  interface_down: async ({ replica, event }) => [`interface ${replica.names.name('INTERFACE', event.txInterface || event.rxInterface)} is down`],
  tx_no_queue: async ({ replica, event }) => [`interface ${replica.names.name('INTERFACE', event.txInterface)} has no port: its \`port\` is empty`],
  neighbour_unresolved: async () => ['nobody answers for the next hop\'s address'],
  local_port_unreachable: ownAddress, local_protocol_unreachable: ownAddress, local_icmp: ownAddress,
};

/** For a packet that died; none where the reason says it all. */
export async function hintsFor(death: Death, reason: string): Promise<string[]> {
  return await HINTS[reason]?.(death) ?? [];
}

async function ownAddress({ replica, event }: Death): Promise<string[]> {
  return [`${event.destination} is an address of ${replica.appliance} itself (a subnet's gateway, or its own): it answers ICMP echo requests, and nothing else`];
}

async function ifNetwork(death: Death, say: (network: ConfigObject) => string[]): Promise<string[]> {
  const network = await networkOfVrf(death.source, vrfOf(death));
  return network ? say(network) : [];
}

/** No route leads to the destination: who has it, what this VRF imports, and what would bring the two together. */
async function unreachable(death: Death): Promise<string[]> {
  const { source, event } = death;
  const { destination } = event;
  const owners = await ownersOf(source, destination);
  const network = await networkOfVrf(source, vrfOf(death));
  if (!network) return gatewayHints(death, owners);
  const imports = await importsText(source, network);
  if (owners.length === 0) {
    if (await isOfSubnet(source, network, destination)) return [`nobody has ${destination} in ${network.name}: an instance-ip would`, imports];
    return [imports, ...await floatingIpHints(death)];
  }
  const here = owners.find((owner) => owner.network === network.name);
  if (here) return [await unplaced(source, here)];
  const hints = [imports];
  for (const owner of owners.slice(0, MOST)) {
    const other = await source.get('virtual-network', owner.network);
    if (!other) continue;
    hints.push(`${destination} is ${owner.word}, in virtual-network ${other.name}`);
    for (const each of [network, other]) if (each.annotations['isolation'] === 'true') hints.push(`namespace ${each.annotations['name']} is isolated (opencontrail.org/isolation): its pods and those of other namespaces do not reach each other; removing the annotation ends that`);
    hints.push(`a network-policy with a rule between ${lastOf(network.name)} and ${lastOf(other.name)}, attached to both, would connect them; or a route target that each exports and the other imports`);
  }
  return hints;
}

async function unplaced(source: Source, { word, interfaces }: { readonly word: string; readonly interfaces: readonly string[] }): Promise<string> {
  if (interfaces.length === 0) return `${word} has the address, and no interface: virtual_machine_interfaces would name one`;
  const vmi = await source.get('virtual-machine-interface', interfaces[0]!);
  return vmi?.virtualMachineInterface?.virtualRouter === '' ? `${word} is at no appliance yet: virtual-machine-interface ${vmi.name} has no virtual_router` : `${word} has the address in this network, and this state knows no way there: it is of another moment, trace again`;
}

/** "k8s-a imports k8s-b (network-policy p) and target:64512:101; no other network". */
async function importsText(source: Source, network: ConfigObject): Promise<string> {
  const { routeTargets = [], importRouteTargets = [], networkPolicies = [] } = network.virtualNetwork ?? {};
  const partners = await partnersOf(source, network);
  const targets = [...routeTargets, ...importRouteTargets];
  const parts = [...partners.map((name) => lastOf(name)), ...targets];
  const unanswered = networkPolicies.length > 0 && partners.length === 0 ? ' (its network policies are answered by no other network)' : '';
  return `${networkWord(network)} imports the routes of ${listed(parts, 'no other network, and no route target')}${unanswered}`;
}

/** Networks that it exchanges routes with: rules of policies that both have attached. */
async function partnersOf(source: Source, network: ConfigObject): Promise<string[]> {
  const [policies, networks] = await Promise.all([source.list('network-policy'), source.list('virtual-network')]);
  const attached = (each: ConfigObject): readonly string[] => each.virtualNetwork?.networkPolicies ?? [];
  const allowed = (one: ConfigObject, other: ConfigObject): boolean => policies.some(({ name, networkPolicy }) => attached(one).includes(name) && networkPolicy?.rules.some((rule) => {
    const means = (side: string, each: ConfigObject): boolean => side === each.name || side === 'local' && attached(each).includes(name);
    return means(rule.source, one) && means(rule.destination, other) || means(rule.source, other) && means(rule.destination, one);
  }));
  return networks.filter((other) => other.name !== network.name && allowed(network, other) && allowed(other, network)).map(({ name }) => name);
}

async function isOfSubnet(source: Source, network: ConfigObject, address: string): Promise<boolean> {
  const ipams = await Promise.all((network.virtualNetwork?.networkIpams ?? []).map((name) => source.get('network-ipam', name)));
  const subnets = [...network.virtualNetwork?.subnets ?? [], ...ipams.flatMap((ipam) => ipam?.networkIpam?.subnets ?? [])];
  return subnets.some(({ prefix }) => contains(prefix, address));
}

const numberOf = (address: string): number => address.split('.').reduce((sum, part) => sum * 256 + Number(part), 0);
function contains(prefix: string, address: string): boolean {
  const [base = '', length = '32'] = prefix.split('/');
  const size = 2 ** (32 - Number(length));
  return Math.floor(numberOf(base) / size) === Math.floor(numberOf(address) / size);
}

interface Instance { readonly router: string; readonly instance: RoutingInstance }
const instancesOf = async (source: Source): Promise<Instance[]> => (await source.list('virtual-router')).flatMap(({ name, virtualRouter }) => (virtualRouter?.routingInstances ?? []).map((instance) => ({ router: name, instance })));

/** A gateway's VRF has what its route targets bring. */
async function gatewayHints(death: Death, owners: Awaited<ReturnType<typeof ownersOf>>): Promise<string[]> {
  const vrf = vrfOf(death);
  const found = (await instancesOf(death.source)).find(({ router, instance }) => `${router}:${instance.name}` === vrf);
  if (!found) return [];
  const { routeTargets, importRouteTargets, virtualNetworks } = found.instance;
  const hints = [`VRF ${found.instance.name} of ${lastOf(found.router)} imports ${listed([...routeTargets, ...importRouteTargets, ...virtualNetworks], 'nothing')}`];
  if (owners.length === 0) return [...hints, `nobody has ${death.event.destination}: a floating-ip with it, of a pool whose network this VRF imports, would bring it here`];
  for (const owner of owners.slice(0, MOST)) {
    const network = await death.source.get('virtual-network', owner.network);
    if (!network) continue;
    const targets = [...network.virtualNetwork?.routeTargets ?? [], ...network.virtualNetwork?.exportRouteTargets ?? []];
    hints.push(`${death.event.destination} is ${owner.word}, in virtual-network ${network.name}, which exports ${listed(targets, 'no route target')}: one that this VRF imports would bring its routes here`);
    if (owner.interfaces.length === 0) hints.push(`${owner.word} is for no interface yet`);
  }
  return hints;
}

/** A way to the outside: by the floating IP that the sender has, or might have. */
async function floatingIpHints(death: Death): Promise<string[]> {
  const { source } = death;
  if (!isWorkload(sender(death))) return [];
  const { word } = await interfaceNamed(source, sender(death));
  const instances = await instancesOf(source);
  const targetsOf = (network: ConfigObject): readonly string[] => [...network.virtualNetwork?.routeTargets ?? [], ...network.virtualNetwork?.importRouteTargets ?? []];
  const leadsOut = (network: ConfigObject): boolean => instances.some(({ instance }) => instance.virtualNetworks.includes(network.name) || [...instance.routeTargets, ...instance.exportRouteTargets].some((target) => targetsOf(network).includes(target)));
  const fips = await floatingIpsOf(source, sender(death));
  if (fips.length > 0) {
    const offered = instances.map(({ router, instance }) => `${instance.name} of ${lastOf(router)} (${listed([...instance.routeTargets, ...instance.exportRouteTargets, ...instance.virtualNetworks], 'no target')})`);
    const hints: string[] = [];
    for (const fip of fips.slice(0, MOST)) {
      const network = await source.get('virtual-network', parentOf(parentOf(fip.name)));
      if (!network) continue;
      const { address = '', direction } = fip.floatingIp ?? {};
      if (direction === 'DIRECTION_INGRESS') hints.push(`floating IP ${address} is for what comes in only: with direction both, ${word} could leave by it`);
      else if (!leadsOut(network)) hints.push(`floating IP ${address} has no way out either: virtual-network ${network.name} imports ${listed(targetsOf(network), 'no route target')}; gateways announce a way with ${listed(offered, 'nothing: none has a routing instance')}`);
    }
    return hints;
  }
  const pools = (await source.list('floating-ip-pool')).filter(({ name }) => name !== '');
  const networks = new Map((await source.list('virtual-network')).map((network) => [network.name, network]));
  const usable = pools.filter(({ name }) => { const network = networks.get(parentOf(name)); return network !== undefined && leadsOut(network); }).map(({ name }) => name);
  return [`${word} has no floating IP: one of a pool whose network a gateway imports would give it a way out${usable.length === 0 ? '; no pool is of such a network' : ` (${listed(usable, '')})`}`];
}
