/** The two ends of a walk as people name them: where a packet comes from, and the address that it goes to. */
import type { Object as ConfigObject } from '../../proto/config.ts';
import { addressesOf, floatingIpsOf, kubernetesWord, lastOf, parentOf, type Source } from './source.ts';
import { interfaceWord } from './words.ts';

/** Of what is asked for there is none, or more than one: said to whoever asked. */
export class NoSuchEnd extends Error {}

/** Where a packet comes in. */
export interface From {
  readonly word: string;
  readonly appliance: string;
  /** Name of the interface there. */
  readonly interface: string;
  readonly address: string;
  /** VRF that it is looked up in. */
  readonly vrf: string;
}
export interface To { readonly word: string; readonly address: string }

const INTERNET = 'internet';
const ADDRESS = /^\d{1,3}(\.\d{1,3}){3}$/;
export const isAddress = (text: string): boolean => ADDRESS.test(text) && text.split('.').every((part) => Number(part) <= 255);

/**
 * Both ends, for an answer depends on the other: an address is chosen that the source has a route to, a gateway that knows the way best.
 * @param source where it comes from: pod/NAMESPACE/NAME, an interface's name, an address, or internet
 * @param to an address, pod/…, service/NAMESPACE/NAME, or the name of an interface or a floating IP
 * @param outside the address of whoever sends from the Internet
 * @throws {NoSuchEnd}
 */
export async function findEnds(source: Source, from: string, to: string, outside: string): Promise<{ from: From; to: To }> {
  const targets = await addressesNamed(source, to);
  const places = from === INTERNET ? await gateways(source, outside) : [await workload(source, from)];
  // More than one gateway may be the way in, and more than one address the target: the most specific route decides.
  let best: { from: From; to: To; length: number } | undefined;
  for (const place of places) {
    for (const address of targets) {
      const length = await routeLength(source, place, address);
      if (!best || length > best.length) best = { from: place, to: { word: to, address }, length };
    }
  }
  return best!;
}

/** Bits of the route that matches; -1: none that leads anywhere. */
async function routeLength(source: Source, { appliance, vrf }: From, address: string): Promise<number> {
  const route = await source.route(appliance, vrf, address);
  if (!route || route.paths.every(({ nextHop }) => nextHop === 'discard')) return -1;
  return Number(route.prefix.split('/')[1]);
}

async function gateways(source: Source, outside: string): Promise<From[]> {
  const found = (await source.list('virtual-router')).flatMap(({ name, virtualRouter }) => (virtualRouter?.externalInterfaces ?? []).map((external) => ({
    word: `${INTERNET}, by ${external.name} of ${lastOf(name)}`, appliance: lastOf(name), interface: external.name, address: outside, vrf: `${name}:${external.routingInstance}`,
  })));
  if (found.length === 0) throw new NoSuchEnd('no gateway has an external interface, so nothing comes from the Internet');
  return found.sort((one, other) => (one.appliance < other.appliance ? -1 : 1));
}

async function workload(source: Source, text: string): Promise<From> {
  const { vmi, address } = isAddress(text) ? await interfaceWithAddress(source, text) : { vmi: await interfaceNamedBy(source, text), address: undefined };
  const { virtualRouter = '', virtualNetwork = '' } = vmi.virtualMachineInterface ?? {};
  const first = address ?? (await addressesOf(source, vmi.name))[0];
  if (first === undefined) throw new NoSuchEnd(`${interfaceWord(vmi)} has no address: an instance-ip gives it one`);
  if (virtualRouter === '') throw new NoSuchEnd(`${interfaceWord(vmi)} is at no appliance: its virtual_router is empty`);
  return { word: interfaceWord(vmi), appliance: lastOf(virtualRouter), interface: vmi.name, address: first, vrf: `${virtualNetwork}:${lastOf(virtualNetwork)}` };
}

async function interfaceWithAddress(source: Source, address: string): Promise<{ vmi: ConfigObject; address: string }> {
  const names = new Set((await source.list('instance-ip')).filter(({ instanceIp }) => instanceIp?.address === address).flatMap(({ instanceIp }) => instanceIp?.virtualMachineInterfaces ?? []));
  if (names.size > 1) throw new NoSuchEnd(`${address} is the address of several interfaces, name one of them: ${[...names].join(', ')}`);
  const [name] = names;
  const vmi = name === undefined ? undefined : await source.get('virtual-machine-interface', name);
  if (!vmi) throw new NoSuchEnd(`no interface has the address ${address}`);
  return { vmi, address };
}

/** "pod/NAMESPACE/NAME", "pod/NAMESPACE/NAME/net1", or the (end of the) name of an interface. */
async function interfaceNamedBy(source: Source, text: string): Promise<ConfigObject> {
  const [kind, namespace = '', name = '', device] = text.split('/');
  if (kind === 'pod' && name !== '') {
    const all = (await annotated(source, 'virtual-machine-interface', 'Pod', namespace, name)).sort((one, other) => order(one) - order(other));
    const found = device === undefined ? all[0] : all.find(({ annotations }) => annotations['interface'] === device);
    if (found) return found;
    throw new NoSuchEnd(all.length === 0 ? `no interface is of pod/${namespace}/${name}` : `pod/${namespace}/${name} has no interface ${device}; it has ${all.map(({ annotations }) => annotations['interface']).join(', ')}`);
  }
  const whole = await source.get('virtual-machine-interface', text);
  const ending = whole ? [whole] : (await source.list('virtual-machine-interface')).filter((each) => each.name.endsWith(`:${text}`));
  if (ending.length === 1) return ending[0]!;
  throw new NoSuchEnd(ending.length === 0 ? `no interface is called "${text}"; pod/NAMESPACE/NAME, an interface's name, an address or internet would be right` : `"${text}" is the end of several names: ${ending.map((each) => each.name).join(', ')}`);
}

const order = ({ annotations, virtualMachineInterface }: ConfigObject): number => Number.parseInt(annotations['index'] ?? '', 10) || virtualMachineInterface?.order || 0;

/** Objects that stand for something of a namespace: looked for in its project, if that says which namespace it is. */
async function annotated(source: Source, kind: string, what: string, namespace: string, name: string): Promise<ConfigObject[]> {
  const project = (await source.list('project')).find(({ annotations }) => annotations['kind'] === 'Namespace' && annotations['name'] === namespace)?.name;
  const isIt = ({ annotations }: ConfigObject): boolean => annotations['kind'] === what && annotations['namespace'] === namespace && annotations['name'] === name;
  const near = project === undefined ? [] : (await source.list(kind, { project })).filter(isIt);
  return near.length > 0 ? near : (await source.list(kind)).filter(isIt);
}

/** Every address that the text may mean. */
async function addressesNamed(source: Source, text: string): Promise<string[]> {
  if (isAddress(text)) return [text];
  const [kind, namespace = '', name = ''] = text.split('/');
  if (kind === 'service' && name !== '') {
    const fips = await annotated(source, 'floating-ip', 'Service', namespace, name);
    if (fips.length === 0) throw new NoSuchEnd(`no floating-ip is of service/${namespace}/${name}: it has no address, or no kube-manager made it`);
    return fips.map(({ floatingIp }) => floatingIp?.address ?? '').sort();
  }
  if (text.includes(':')) {
    const fip = await source.get('floating-ip', text);
    if (fip) return [fip.floatingIp?.address ?? ''];
  }
  if (text === INTERNET) throw new NoSuchEnd('which address of the Internet? --to 198.51.100.9, for one');
  const vmi = await interfaceNamedBy(source, text);
  const own = await addressesOf(source, vmi.name);
  const floating = (await floatingIpsOf(source, vmi.name)).flatMap(({ floatingIp }) => (floatingIp && floatingIp.direction !== 'DIRECTION_EGRESS' ? [floatingIp.address] : []));
  if (own.length + floating.length === 0) throw new NoSuchEnd(`${interfaceWord(vmi)} has no address: an instance-ip gives it one`);
  return [...own.slice(0, 1), ...floating];
}

/** Who has an address: an interface, or whoever a floating IP is for. In `network`: only there. */
export async function ownersOf(source: Source, address: string): Promise<{ word: string; network: string; id: string; interfaces: readonly string[] }[]> {
  const ips = (await source.list('instance-ip')).filter(({ instanceIp }) => instanceIp?.address === address);
  const fips = (await source.list('floating-ip')).filter(({ floatingIp }) => floatingIp?.address === address);
  const workloads = await Promise.all(ips.map(async (ip) => {
    const interfaces = ip.instanceIp?.virtualMachineInterfaces ?? [];
    const vmi = interfaces[0] === undefined ? undefined : await source.get('virtual-machine-interface', interfaces[0]);
    return { word: vmi ? interfaceWord(vmi) : ip.name, network: ip.instanceIp?.virtualNetwork ?? '', id: `instance-ip ${ip.name}`, interfaces };
  }));
  return [...workloads, ...fips.map((fip) => ({
    word: kubernetesWord(fip) || `floating IP ${fip.name.split(':').slice(-2).join(':')}`, network: parentOf(parentOf(fip.name)), id: `floating-ip ${fip.name}`, interfaces: fip.floatingIp?.virtualMachineInterfaces ?? [],
  }))];
}
