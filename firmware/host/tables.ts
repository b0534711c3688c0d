/** Tables as rows of text, for `show` commands; columns: docs/tables.md. */
import {
  FIPD_BOTH, FIPD_EGRESS, FIPD_INGRESS, IF_KIND, IF_MAC, IF_TX_QUEUE, IFF_PROXY_ARP, IFF_RPF, IFF_SOURCE_CHECK, IFF_UP, IFK_EXTERNAL, IFK_FABRIC, IFK_WORKLOAD, INTERFACE_SHIFT,
  INTERFACES, LEAF_LENGTH_SHIFT, LEAF_NH_MASK, LPM_DIR24, LPM_POPTRIE, MAX_NEIGHBOURS, NB_FLAGS, NB_HELD, NB_KEY, NB_MAC, NBF_STATIC, NEIGHBOUR_SHIFT, NEIGHBOURS, NEXTHOPS, NHF_EXTERNAL,
  NH_AUX, NH_INTERFACE, NH_KIND, NH_REMOTE, NHF_FIP, NHK_DISCARD, NHK_ECMP, NHK_INTERFACE, NHK_RECEIVE, NHK_RESOLVE, NHK_TUNNEL_GRE, NHK_VRF, VRF_LPM_KIND, VRF_MSS, VRF_ROUTES, VRF_SHIFT, VRFF_EXTERNAL, VRFF_RPF, VRFS,
} from '../../wasm-core/layout.ts';
import {
  EC_MEMBER, EC_NEXTHOP, EC_SLOT, FL_DIRECTION, FL_INTERFACE, FL_ORDER, FL_PRIVATE, FL_PUBLIC, FL_VRF, FLD_PERMIT, IX_ADDRESS, IX_FLAGS, IX_ID, IX_KIND, IX_MASK, IX_MTU,
  IX_PARENT, IX_VLAN, IX_VRF, IX_WORKLOAD, LB_LABEL, LB_NEXTHOP, NX_FLAGS, NX_GATEWAY, NX_ID, NX_INTERFACE, NX_KIND, NX_LOCAL, NX_MTU, NX_REMOTE, NX_VALUE, RECORD_ECMP,
  RECORD_FLOATING_IP, RECORD_INTERFACE, RECORD_LABEL, RECORD_NEXTHOP, RECORD_ROUTE, RECORD_VRF, RT_FLAGS, RT_LENGTH, RT_NEXTHOP, RT_PREFIX, RT_VRF, RTF_ANNOUNCE, VR_FLAGS, VR_ID,
} from '../../wasm-core/records.ts';
import type { CoreExports } from './core.ts';
import type { MemoryViews } from './memory.ts';
import type { Names } from './names.ts';
import { RECORD_KINDS } from './results.ts';
import { dumpTable } from './snapshot.ts';

export type Row = Record<string, string>;
export interface TableSource {
  readonly views: MemoryViews;
  readonly core: CoreExports;
  readonly names: Names;
}

const INTERFACE_KINDS: Readonly<Record<number, string>> = { [IFK_FABRIC]: 'fabric', [IFK_WORKLOAD]: 'workload', [IFK_EXTERNAL]: 'external' };
const NEXTHOP_KINDS: Readonly<Record<number, string>> = {
  [NHK_DISCARD]: 'discard', [NHK_RECEIVE]: 'receive', [NHK_INTERFACE]: 'interface', [NHK_RESOLVE]: 'resolve', [NHK_TUNNEL_GRE]: 'mpls-over-gre', [NHK_ECMP]: 'ecmp', [NHK_VRF]: 'vrf',
};
const DIRECTIONS: Readonly<Record<number, string>> = { [FIPD_INGRESS]: 'ingress', [FIPD_EGRESS]: 'egress', [FIPD_BOTH]: 'both', [FLD_PERMIT]: 'permit' };
const LPM_KINDS: Readonly<Record<number, string>> = { [LPM_DIR24]: 'dir-24-8', [LPM_POPTRIE]: 'poptrie' };

const dotted = (bytes: Uint8Array, at = 0): string => bytes.subarray(at, at + 4).join('.');
const macText = (bytes: Uint8Array): string => [...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join(':');
const flagText = (value: number, names: Readonly<Record<number, string>>): string => Object.entries(names).filter(([bit]) => (value & Number(bit)) !== 0).map(([, name]) => name).join(' ');

export const TABLE_NAMES = ['interface', 'vrf', 'route', 'nexthop', 'label', 'floating-ip', 'neighbour'] as const;

/**
 * Rows of a table, some at a time. @param vrf of routes @param address four bytes: only the route that matches it
 * @throws RangeError for a table that does not exist
 */
export function* tableRows(source: TableSource, table: string, vrf: number, address: Buffer | undefined): Generator<Row[]> {
  switch (table) {
    case 'interface': return yield* rowsOf(source, RECORD_INTERFACE, interfaceRow);
    case 'vrf': return yield* rowsOf(source, RECORD_VRF, vrfRow);
    case 'route':
      if (address !== undefined) yield matchingRoute(source, vrf, address);
      else yield* rowsOf(source, RECORD_ROUTE, routeRow, vrf);
      return;
    case 'nexthop': return yield* nexthopRows(source);
    case 'label': return yield* rowsOf(source, RECORD_LABEL, labelRow);
    case 'floating-ip': return yield* rowsOf(source, RECORD_FLOATING_IP, floatingIpRow);
    case 'neighbour': return yield neighbourRows(source);
    default: throw new RangeError(`there is no table "${table}"; ${TABLE_NAMES.join(', ')} are`);
  }
}

type RowMaker = (source: TableSource, record: Buffer) => Row;

function* rowsOf(source: TableSource, kind: number, row: RowMaker, vrf = 0): Generator<Row[]> {
  const size = RECORD_KINDS[kind]?.size ?? 1;
  for (const { count, records } of dumpTable(source.views, source.core, kind, vrf)) {
    for (let first = 0; first < count; first += 1000) {
      yield Array.from({ length: Math.min(1000, count - first) }, (_, i) => row(source, records.subarray((first + i) * size, (first + i + 1) * size)));
    }
  }
}

function interfaceRow({ views, names }: TableSource, record: Buffer): Row {
  const id = record.readUInt32LE(IX_ID);
  const live = INTERFACES + (id << INTERFACE_SHIFT);
  const flags = record.readUInt8(IX_FLAGS);
  const vrf = record.readUInt32LE(IX_VRF);
  const attached = views.u16.subarray((live + IF_TX_QUEUE) >>> 1, ((live + IF_TX_QUEUE) >>> 1) + 16).some((queue) => queue !== 0);
  return {
    id: String(id),
    name: names.name('INTERFACE', id),
    kind: INTERFACE_KINDS[record.readUInt8(IX_KIND)] ?? '',
    state: (flags & IFF_UP) === 0 ? 'down' : attached ? 'up' : 'no port',
    port: names.port(id),
    mac: macText(views.u8.subarray(live + IF_MAC, live + IF_MAC + 6)),
    mtu: String(record.readUInt16LE(IX_MTU)),
    vrf: String(vrf),
    'vrf name': names.name('VRF', vrf),
    address: addressWithLength(record),
    workload: dotted(record, IX_WORKLOAD),
    vlan: record.readUInt16LE(IX_VLAN) === 0 ? '' : `${record.readUInt16LE(IX_VLAN)} on ${record.readUInt16LE(IX_PARENT)}`,
    flags: flagText(flags, { [IFF_SOURCE_CHECK]: 'source-check', [IFF_PROXY_ARP]: 'proxy-arp', [IFF_RPF]: 'rpf' }),
  };
}

function addressWithLength(record: Buffer): string {
  const address = dotted(record, IX_ADDRESS);
  const mask = record.readUInt32BE(IX_MASK);
  return address === '0.0.0.0' ? '' : `${address}/${[...mask.toString(2)].filter((bit) => bit === '1').length}`;
}

function vrfRow({ views, names }: TableSource, record: Buffer): Row {
  const id = record.readUInt32LE(VR_ID);
  const live = VRFS + id * 2 ** VRF_SHIFT;
  return {
    id: String(id),
    name: names.name('VRF', id),
    routes: String(views.u32[(live + VRF_ROUTES) >>> 2] ?? 0),
    lookup: LPM_KINDS[views.u8[live + VRF_LPM_KIND] ?? 0] ?? 'empty',
    mss: String(views.u16[(live + VRF_MSS) >>> 1] ?? 0),
    flags: flagText(record.readUInt8(VR_FLAGS), { [VRFF_RPF]: 'rpf', [VRFF_EXTERNAL]: 'external' }),
  };
}

function routeRow(source: TableSource, record: Buffer): Row {
  const vrf = record.readUInt32LE(RT_VRF);
  const nexthop = record.readUInt32LE(RT_NEXTHOP);
  return {
    vrf: String(vrf),
    'vrf name': source.names.name('VRF', vrf),
    prefix: `${dotted(record, RT_PREFIX)}/${record.readUInt8(RT_LENGTH)}`,
    nexthop: String(nexthop),
    via: nexthopText(source, nexthop),
    flags: flagText(record.readUInt8(RT_FLAGS), { [RTF_ANNOUNCE]: 'announce' }),
  };
}

/** The route that the data plane takes for an address, as the core itself finds it. */
function matchingRoute(source: TableSource, vrf: number, address: Buffer): Row[] {
  const leaf = source.core.lookup(vrf, address.readInt32LE(0)) >>> 0;
  const nexthop = leaf & LEAF_NH_MASK;
  const length = (leaf >>> LEAF_LENGTH_SHIFT) - 1;
  if (nexthop === 0 || length < 0) return [];
  const mask = length === 0 ? 0 : (0xffffffff << (32 - length)) >>> 0;
  const prefix = Buffer.alloc(4);
  prefix.writeUInt32BE((address.readUInt32BE(0) & mask) >>> 0);
  return [{ vrf: String(vrf), 'vrf name': source.names.name('VRF', vrf), prefix: `${dotted(prefix)}/${length}`, nexthop: String(nexthop), via: nexthopText(source, nexthop), flags: '' }];
}

function* nexthopRows(source: TableSource): Generator<Row[]> {
  const members = new Map<number, string[]>();
  for (const { count, records } of dumpTable(source.views, source.core, RECORD_ECMP)) {
    for (let i = 0; i < count; i++) {
      const record = records.subarray(i * 12, i * 12 + 12);
      const group = record.readUInt32LE(EC_NEXTHOP);
      const slots = members.get(group) ?? [];
      slots[record.readUInt32LE(EC_SLOT)] = String(record.readUInt32LE(EC_MEMBER) || '-');
      members.set(group, slots);
    }
  }
  yield* rowsOf(source, RECORD_NEXTHOP, (_, record) => {
    const id = record.readUInt32LE(NX_ID);
    const iface = record.readUInt16LE(NX_INTERFACE);
    return {
      id: String(id),
      name: source.names.name('NEXTHOP', id),
      kind: NEXTHOP_KINDS[record.readUInt8(NX_KIND)] ?? String(record.readUInt8(NX_KIND)),
      interface: iface === 0 ? '' : source.names.name('INTERFACE', iface) || String(iface),
      remote: blankZero(dotted(record, NX_REMOTE)),
      local: blankZero(dotted(record, NX_LOCAL)),
      gateway: blankZero(dotted(record, NX_GATEWAY)),
      value: valueText(source, record, members.get(id) ?? []),
      mtu: String(record.readUInt16LE(NX_MTU)),
      flags: flagText(record.readUInt8(NX_FLAGS), { [NHF_EXTERNAL]: 'external', [NHF_FIP]: 'floating-ip' }),
    };
  });
}

const blankZero = (address: string): string => (address === '0.0.0.0' ? '' : address);

function valueText({ names }: TableSource, record: Buffer, members: readonly string[]): string {
  const value = record.readUInt32LE(NX_VALUE);
  switch (record.readUInt8(NX_KIND)) {
    case NHK_TUNNEL_GRE: return `label ${value}`;
    case NHK_VRF: return `VRF ${names.name('VRF', value) || value}`;
    case NHK_ECMP: return `members ${members.join(' ')}`;
    default: return '';
  }
}

/** A next hop in short: where it leads. */
function nexthopText(source: TableSource, id: number): string {
  const name = source.names.name('NEXTHOP', id);
  if (name !== '') return name;
  const live = source.views.u8.subarray(NEXTHOPS + id * 64, NEXTHOPS + id * 64 + 64);
  const kind = live[NH_KIND] ?? 0;
  const text = NEXTHOP_KINDS[kind] ?? `kind ${kind}`;
  const iface = (live[NH_INTERFACE] ?? 0) | ((live[NH_INTERFACE + 1] ?? 0) << 8);
  const remote = blankZero(dotted(live, NH_REMOTE));
  const through = iface === 0 ? '' : ` by ${source.names.name('INTERFACE', iface) || `interface ${iface}`}`;
  const label = kind === NHK_TUNNEL_GRE ? ` label ${Buffer.from(live).readUInt32LE(NH_AUX)}` : '';
  return `${text}${remote === '' ? '' : ` ${remote}`}${label}${through}`;
}

function labelRow(source: TableSource, record: Buffer): Row {
  const nexthop = record.readUInt32LE(LB_NEXTHOP);
  return { label: String(record.readUInt32LE(LB_LABEL)), nexthop: String(nexthop), via: nexthopText(source, nexthop) };
}

function floatingIpRow({ names }: TableSource, record: Buffer): Row {
  const vrf = record.readUInt32LE(FL_VRF);
  const iface = record.readUInt16LE(FL_INTERFACE);
  return {
    public: dotted(record, FL_PUBLIC),
    private: dotted(record, FL_PRIVATE),
    direction: DIRECTIONS[record.readUInt16LE(FL_DIRECTION)] ?? '',
    vrf: String(vrf),
    'vrf name': names.name('VRF', vrf),
    interface: names.name('INTERFACE', iface) || String(iface),
    order: String(record.readUInt16LE(FL_ORDER)),
    name: names.name('FLOATING_IP', record.readUInt32BE(FL_PUBLIC)),
  };
}

function neighbourRows({ views, names }: TableSource): Row[] {
  const rows: Row[] = [];
  for (let i = 0; i < MAX_NEIGHBOURS; i++) {
    const at = NEIGHBOURS + i * 2 ** NEIGHBOUR_SHIFT;
    const iface = views.u32[(at + NB_KEY + 4) >>> 2] ?? 0;
    if (iface === 0) continue;
    const mac = views.u8.subarray(at + NB_MAC, at + NB_MAC + 6);
    const known = mac.some((byte) => byte !== 0);
    const isStatic = ((views.u32[(at + NB_FLAGS) >>> 2] ?? 0) & NBF_STATIC) !== 0;
    rows.push({
      interface: names.name('INTERFACE', iface) || String(iface),
      address: dotted(views.u8.subarray(at + NB_KEY, at + NB_KEY + 4)),
      mac: known ? macText(mac) : '',
      state: isStatic ? 'static' : known ? 'reachable' : 'unresolved',
      held: String(views.u32[(at + NB_HELD) >>> 2] ?? 0),
    });
  }
  return rows;
}
