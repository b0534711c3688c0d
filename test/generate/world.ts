/**
 * Random tables that are interesting: overlapping prefixes, floating IPs in every direction and in chains, ECMP with
 * place-holders, VRFs that lead to each other, labels of every kind, interfaces that are down, tiny MTUs, sub-interfaces.
 */
import * as L from '../../wasm-core/layout.ts';
import { ecmpSlot, floatingIp, iface, label, nexthop, route, vrf, type InterfaceFields, type PackedRecord } from '../fixtures/records.ts';
import { addressText } from '../reference/wire.ts';
import type { Random } from './random.ts';

export interface WorldInterface extends InterfaceFields {
  readonly mtu: number;
  readonly vrf: number;
  readonly address: string;
}

/** Tables, and what a frame generator wants to know of them. */
export interface World {
  /** In an order in which each finds what it refers to. */
  readonly records: readonly PackedRecord[];
  readonly interfaces: readonly WorldInterface[];
  /** Interfaces that carry frames: those without a parent. */
  readonly ports: readonly WorldInterface[];
  /** Addresses worth sending to and from. */
  readonly addresses: readonly string[];
  readonly labels: readonly number[];
  /** Ends of tunnels. */
  readonly remotes: readonly string[];
  /** By interface: addresses that a workload may send from. */
  readonly sources: ReadonlyMap<number, readonly string[]>;
}

const MTUS = [68, 84, 100, 300, 576, 1280, 1400, 1500, 1500, 1500, 1700];
const REMOTES = ['198.18.0.2', '198.18.0.3', '198.18.7.9'];

export function makeWorld(random: Random): World {
  const vrfs = Array.from({ length: random.between(2, 6) }, (_, index) => index);
  const interfaces = makeInterfaces(random, vrfs);
  const sources = new Map<number, string[]>();
  const fips = makeFloatingIps(random, vrfs, interfaces, sources);
  const hops = makeNextHops(random, vrfs, interfaces);
  const labels = Array.from({ length: random.between(4, 16) }, () => random.pick([16, 17, 1000, 1048575, random.between(16, 200)]));
  const addresses = [
    ...interfaces.flatMap((i) => [i.address, i.workload ?? '0.0.0.0']),
    ...[...sources.values()].flat(),
    ...fips.map((fip) => fip.public),
    ...REMOTES,
    ...Array.from({ length: 12 }, () => randomAddress(random)),
  ].filter((address) => address !== '0.0.0.0');

  const records = [
    ...vrfs.map((id) =>
      vrf({
        id,
        kind: random.pick([0, 0, L.LPM_POPTRIE, ...(id === 1 ? [L.LPM_DIR24] : [])]),
        flags: (random.chance(25) ? L.VRFF_RPF : 0) | (random.chance(30) ? L.VRFF_EXTERNAL : 0),
        mss: random.pick([0, 0, 536, 1200, 1460, 9000]),
      }),
    ),
    ...interfaces.map(iface),
    ...hops.records,
    ...fips.map(floatingIp),
    ...labels.map((value) => label({ label: value, nexthop: random.pick(hops.ids) })),
    ...makeRoutes(random, vrfs, addresses, hops),
  ];
  return { records, interfaces, ports: interfaces.filter((i) => !i.parent), addresses, labels, remotes: REMOTES, sources };
}

export const macOf = (id: number, host = 1): string => `02:00:5e:00:${id.toString(16).padStart(2, '0')}:${host.toString(16).padStart(2, '0')}`;

function randomAddress(random: Random): string {
  return random.chance(70)
    ? `${random.pick(['10.32.0', '10.32.1', '101.101.101', '203.0.113', '198.18.0'])}.${random.below(256)}`
    : addressText(random.bits());
}

function makeInterfaces(random: Random, vrfs: readonly number[]): WorldInterface[] {
  const made: WorldInterface[] = [];
  const add = (kind: number, flags: number, address: string, extra: Partial<InterfaceFields>): void => {
    const id = made.length + 1;
    made.push({
      id,
      kind,
      flags: flags | (random.chance(96) ? L.IFF_UP : 0),
      vrf: random.pick(vrfs),
      mac: macOf(id),
      mtu: random.pick(MTUS),
      address: random.chance(92) ? address : '0.0.0.0',
      mask: random.pick(['255.255.255.0', '255.255.255.0', '255.255.255.240', '255.255.0.0']),
      ...extra,
    });
  };
  const maybe = (percent: number, flag: number): number => (random.chance(percent) ? flag : 0);
  const edge = (): number => maybe(25, L.IFF_RPF) | maybe(40, L.IFF_PROXY_ARP);
  const host = (): number => maybe(70, L.IFF_SOURCE_CHECK) | maybe(70, L.IFF_PROXY_ARP);

  add(L.IFK_FABRIC, edge(), '198.18.0.1', random.chance(60) ? { vrf: 0, mtu: 1500 } : {});
  add(L.IFK_EXTERNAL, edge(), '203.0.113.1', {});
  for (let n = random.between(1, 4); n > 0; n -= 1) {
    const address = `10.32.${n % 2}.${random.chance(70) ? 1 : 254}`;
    add(L.IFK_WORKLOAD, host(), address, { workload: `10.32.${n % 2}.${10 + n}`, mask: '255.255.255.0' });
  }
  for (let n = random.below(4); n > 0; n -= 1) {
    const kind = random.pick([L.IFK_FABRIC, L.IFK_EXTERNAL, L.IFK_WORKLOAD]);
    const parent = random.pick(made.filter((i) => !i.parent)).id;
    const workload = kind === L.IFK_WORKLOAD ? { workload: `10.33.${n}.10` } : {};
    const flags = kind === L.IFK_WORKLOAD ? host() : edge();
    add(kind, flags, `10.33.${n}.1`, { parent, vlan: random.pick([1, 100, 4094, 100 + n]), mac: random.chance(50) ? macOf(parent) : macOf(made.length + 1), ...workload });
  }
  return made;
}

type FloatingIpFields = Parameters<typeof floatingIp>[0];

function makeFloatingIps(random: Random, vrfs: readonly number[], interfaces: readonly WorldInterface[], sources: Map<number, string[]>): FloatingIpFields[] {
  const fips: FloatingIpFields[] = [];
  for (const { id, workload } of interfaces) {
    if (workload === undefined) continue;
    const own = [workload];
    if (random.chance(40)) own.push(workload.replace(/\d+$/, '77'));
    sources.set(id, own);
    for (let n = random.pick([0, 1, 1, 2, 3, 5]); n > 0; n -= 1) {
      const direction = random.pick([L.FIPD_INGRESS, L.FIPD_EGRESS, L.FIPD_BOTH, L.FIPD_BOTH, 4]);
      const address = random.pick(own);
      const publicAddress = direction === 4 ? address : `101.101.101.${random.between(1, 12)}`;
      fips.push({ public: publicAddress, private: address, vrf: random.pick(vrfs), interface: id, direction, order: random.below(3) });
    }
  }
  return fips;
}

interface NextHops {
  readonly records: PackedRecord[];
  readonly ids: number[];
  /** Those that lead out of an interface. */
  readonly leaving: number[];
  /** ECMP groups. */
  readonly groups: number[];
}

function makeNextHops(random: Random, vrfs: readonly number[], interfaces: readonly WorldInterface[]): NextHops {
  const records: PackedRecord[] = [];
  const ids: number[] = [];
  const leaving: number[] = [];
  const groups: number[] = [];
  const add = (fields: Omit<Parameters<typeof nexthop>[0], 'id'>): number => {
    const id = ids.length === 0 ? 1 : Math.max(...ids) + random.pick([1, 1, 1, 7]);
    records.push(nexthop({ id, ...fields }));
    ids.push(id);
    return id;
  };
  const mtu = (): number => random.pick([0, 0, 0, random.pick(MTUS)]);
  const external = (): number => (random.chance(25) ? L.NHF_EXTERNAL : 0);

  add({ kind: L.NHK_DISCARD });
  add({ kind: L.NHK_RECEIVE });
  for (const { id, kind, address, workload } of interfaces) {
    const known = random.chance(80);
    if (kind === L.IFK_WORKLOAD) {
      const flags = (random.chance(85) ? L.NHF_FIP : 0) | external();
      leaving.push(add({ kind: L.NHK_INTERFACE, flags, interface: id, remote: workload ?? '0.0.0.0', mac: macOf(id, 2), mtu: mtu() }));
    } else {
      const router = (address === '0.0.0.0' ? '192.0.2.1' : address).replace(/\d+$/, '254');
      const mac = known ? { mac: macOf(id, 254) } : {};
      leaving.push(add({ kind: L.NHK_INTERFACE, flags: external(), interface: id, remote: router, mtu: mtu(), ...mac }));
      leaving.push(add({ kind: L.NHK_RESOLVE, flags: external(), interface: id, mtu: mtu() }));
    }
    if (kind === L.IFK_FABRIC)
      for (const remote of REMOTES) {
        const gateway = random.chance(30) ? { gateway: '198.18.0.254' } : {};
        const mac = random.chance(50) ? { mac: macOf(id, gateway.gateway === undefined ? Number(remote.split('.')[3]) : 254) } : {};
        const value = random.pick([16, 1048575, random.between(16, 5000)]);
        leaving.push(add({ kind: L.NHK_TUNNEL_GRE, flags: external(), interface: id, remote, local: address, value, mtu: mtu(), ...gateway, ...mac }));
      }
  }
  const vrfHops = vrfs.map((value) => add({ kind: L.NHK_VRF, value }));
  for (let n = random.between(1, 3); n > 0; n -= 1) {
    const slots = random.pick([1, 2, 3, 8, 64, 256]);
    const group = add({ kind: L.NHK_ECMP, value: slots });
    groups.push(group);
    const members = Array.from({ length: 3 }, () => random.pick([...leaving, random.pick(vrfHops), ids[0] ?? 1]));
    const filled = random.pick([0, 50, 100, 100]);
    for (let slot = 0; slot < slots; slot += 1) if (random.chance(filled)) records.push(ecmpSlot({ group, slot, member: random.pick(members) }));
  }
  return { records, ids, leaving, groups };
}

function makeRoutes(random: Random, vrfs: readonly number[], addresses: readonly string[], hops: NextHops): PackedRecord[] {
  const routes = new Map<string, PackedRecord>();
  const add = (id: number, address: string, length: number): void => {
    const value = address.split('.').reduce((sum, part) => sum * 256 + Number(part), 0);
    const prefix = `${addressText(Math.floor(value / 2 ** (32 - length)) * 2 ** (32 - length))}/${length}`;
    const hop = random.pick(random.pick([hops.leaving, hops.leaving, hops.leaving, hops.groups, hops.ids]));
    routes.set(`${id} ${prefix}`, route({ vrf: id, prefix, nexthop: hop }));
  };
  for (const id of vrfs) {
    if (random.chance(55)) add(id, '0.0.0.0', 0);
    for (let n = random.pick([0, 5, 20, 40]); n > 0; n -= 1)
      add(id, random.pick(addresses), random.pick([1, 8, 12, 15, 16, 17, 22, 23, 24, 24, 25, 26, 28, 30, 31, 32, 32, 32, 32]));
  }
  return [...routes.values()];
}
