/** Tables as rows of text, for `show` commands; columns: docs/tables.md. */
import {
  INTERFACES, INTERFACE_SHIFT, IF_FLAGS, IF_MAC, IFK_FABRIC, IFK_WORKLOAD, IFK_EXTERNAL, IFF_UP, IFF_SOURCE_CHECK, IFF_PROXY_ARP, IFF_FIP_SOURCE,
  IFF_FIP_DESTINATION, IFF_RPF, VRFS, VRF_SHIFT, VRF_LPM_KIND, VRF_MSS, VRF_ROUTES, VRFF_RPF, VRFF_EXTERNAL, LPM_DIR24, LPM_POPTRIE, LPM_RANGES, LEAF_NH_MASK,
  LEAF_LENGTH_SHIFT, NEXTHOPS, NEXTHOP_SHIFT, NEXTHOP_REFS, NH_KIND, NH_MTU, NHK_DISCARD, NHK_RECEIVE, NHK_INTERFACE, NHK_RESOLVE, NHK_TUNNEL_GRE, NHK_ECMP,
  NHK_VRF, NHF_EXTERNAL, NHF_FIP, FIPD_INGRESS, FIPD_EGRESS, FIPD_BOTH, NEIGHBOURS, MAX_NEIGHBOURS, NEIGHBOUR_SHIFT, NB_KEY, NB_MAC, NB_SEEN_MS, NB_HELD,
  NB_FLAGS, NBF_STATIC, NB_REACHABLE_MS, VRF_BYTES,
} from '../../wasm-core/layout.ts';
import {
  RECORD_ROUTE, RECORD_NEXTHOP, RECORD_ECMP, RECORD_LABEL, RECORD_FLOATING_IP, RECORD_INTERFACE, RECORD_VRF, RT_PREFIX, RT_NEXTHOP, RT_LENGTH, RT_FLAGS,
  RTF_ANNOUNCE, NX_ID, NX_KIND, NX_FLAGS, NX_INTERFACE, NX_REMOTE, NX_LOCAL, NX_VALUE, NX_MAC, EC_SIZE, EC_NEXTHOP, EC_SLOT, EC_MEMBER, LB_LABEL, LB_NEXTHOP,
  FL_PUBLIC, FL_PRIVATE, FL_VRF, FL_INTERFACE, FL_DIRECTION, FL_ORDER, FLD_PERMIT, IX_ID, IX_KIND, IX_FLAGS, IX_VLAN, IX_VRF, IX_MTU, IX_ADDRESS, IX_MASK,
  IX_WORKLOAD, IX_PARENT, VR_ID, VR_FLAGS,
} from '../../wasm-core/records.ts';
import type { CoreExports } from './core.ts';
import type { MemoryViews } from './memory.ts';
import type { Names } from './names.ts';
import { addressText, macText } from './packet-summary.ts';
import { RECORD_KINDS } from './results.ts';
import { dumpTable } from './snapshot.ts';
import { nexthopText, type Tables } from './trace-names.ts';

export type Row = Record<string, string>;
export interface TableSource {
  readonly views: MemoryViews;
  readonly core: CoreExports;
  readonly names: Names;
}

const INTERFACE_KINDS: Readonly<Record<number, string>> = { [IFK_FABRIC]: 'fabric', [IFK_WORKLOAD]: 'workload', [IFK_EXTERNAL]: 'external' };
const NEXTHOP_KINDS: Readonly<Record<number, string>> = {
  [NHK_DISCARD]: 'discard', [NHK_RECEIVE]: 'receive', [NHK_INTERFACE]: 'interface', [NHK_RESOLVE]: 'resolve', [NHK_TUNNEL_GRE]: 'tunnel-gre', [NHK_ECMP]: 'ecmp', [NHK_VRF]: 'vrf',
};
const DIRECTIONS: Readonly<Record<number, string>> = { [FIPD_INGRESS]: 'ingress', [FIPD_EGRESS]: 'egress', [FIPD_BOTH]: 'both', [FLD_PERMIT]: 'permit' };
const LPM_KINDS: Readonly<Record<number, string>> = { [LPM_DIR24]: 'dir-24-8', [LPM_POPTRIE]: 'poptrie', [LPM_RANGES]: 'ranges' };

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

function* rowsOf(source: TableSource, kind: number, make: RowMaker, vrf = 0): Generator<Row[]> {
  const size = RECORD_KINDS[kind]?.size ?? 1;
  for (const { count, records } of dumpTable(source.views, source.core, kind, vrf)) {
    for (let first = 0; first < count; first += 1000) {
      yield Array.from({ length: Math.min(1000, count - first) }, (_, i) => make(source, records.subarray((first + i) * size, (first + i + 1) * size)));
    }
  }
}

function interfaceRow({ views, names }: TableSource, record: Buffer): Row {
  const id = record.readUInt32LE(IX_ID);
  const live = INTERFACES + (id << INTERFACE_SHIFT);
  const flags = record.readUInt8(IX_FLAGS) | (views.u8[live + IF_FLAGS] ?? 0);
  const vrf = record.readUInt32LE(IX_VRF);
  return row({
    id: String(id),
    name: names.name('INTERFACE', id),
    kind: INTERFACE_KINDS[record.readUInt8(IX_KIND)] ?? '',
    state: (flags & IFF_UP) === 0 ? 'down' : 'up',
    port: names.port(id),
    vrf: String(vrf),
    'vrf-name': names.name('VRF', vrf),
    mac: macText(views.u8.subarray(live + IF_MAC, live + IF_MAC + 6)),
    mtu: String(record.readUInt16LE(IX_MTU)),
    address: addressWithLength(record),
    workload: blankZero(addressText(record, IX_WORKLOAD)),
    vlan: blankNumber(record.readUInt16LE(IX_VLAN)),
    parent: blankNumber(record.readUInt16LE(IX_PARENT)),
    flags: flagText(flags, {
      [IFF_SOURCE_CHECK]: 'source-check', [IFF_PROXY_ARP]: 'proxy-arp', [IFF_RPF]: 'rpf', [IFF_FIP_SOURCE | IFF_FIP_DESTINATION]: 'fip',
    }),
  });
}

function addressWithLength(record: Buffer): string {
  const address = addressText(record, IX_ADDRESS);
  const ones = [...record.readUInt32BE(IX_MASK).toString(2)].filter((bit) => bit === '1').length;
  return address === '0.0.0.0' ? '' : `${address}/${ones}`;
}

function vrfRow({ views, names }: TableSource, record: Buffer): Row {
  const id = record.readUInt32LE(VR_ID);
  const live = VRFS + id * 2 ** VRF_SHIFT;
  return row({
    id: String(id),
    name: names.name('VRF', id),
    kind: LPM_KINDS[views.u8[live + VRF_LPM_KIND] ?? 0] ?? 'empty',
    routes: String(views.u32[(live + VRF_ROUTES) >>> 2] ?? 0),
    bytes: String(views.u32[(live + VRF_BYTES) >>> 2] ?? 0),
    mss: blankNumber(views.u16[(live + VRF_MSS) >>> 1] ?? 0),
    flags: flagText(record.readUInt8(VR_FLAGS), { [VRFF_RPF]: 'rpf', [VRFF_EXTERNAL]: 'external' }),
  });
}

function routeRow(source: TableSource, record: Buffer): Row {
  const prefix = `${addressText(record, RT_PREFIX)}/${record.readUInt8(RT_LENGTH)}`;
  return row({ prefix, ...leadsTo(source, record.readUInt32LE(RT_NEXTHOP)), flags: flagText(record.readUInt8(RT_FLAGS), { [RTF_ANNOUNCE]: 'announce' }) });
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
  return [row({ prefix: `${addressText(prefix)}/${length}`, ...leadsTo(source, nexthop) })];
}

const leadsTo = (source: TableSource, id: number): Row => {
  const kind = source.views.u8[NEXTHOPS + id * 2 ** NEXTHOP_SHIFT + NH_KIND] ?? 0;
  return { nexthop: String(id), kind: NEXTHOP_KINDS[kind] ?? String(kind), text: nexthopText(tablesOf(source), id) };
};

/** How traces say it too. */
function tablesOf({ views, names }: TableSource): Tables {
  return { view: new DataView(views.memory.buffer), bytes: views.u8, names: names.maps() };
}

function* nexthopRows(source: TableSource): Generator<Row[]> {
  const members = ecmpMembers(source);
  const tables = tablesOf(source);
  yield* rowsOf(source, RECORD_NEXTHOP, (_, record) => {
    const id = record.readUInt32LE(NX_ID);
    const kind = record.readUInt8(NX_KIND);
    const value = record.readUInt32LE(NX_VALUE);
    const mac = record.subarray(NX_MAC, NX_MAC + 6);
    return row({
      id: String(id),
      kind: NEXTHOP_KINDS[kind] ?? String(kind),
      text: source.names.name('NEXTHOP', id) || nexthopText(tables, id),
      interface: blankNumber(record.readUInt16LE(NX_INTERFACE)),
      remote: blankZero(addressText(record, NX_REMOTE)),
      local: blankZero(addressText(record, NX_LOCAL)),
      label: kind === NHK_TUNNEL_GRE ? String(value) : '',
      vrf: kind === NHK_VRF ? String(value) : '',
      members: (members.get(id) ?? []).join(' '),
      mac: mac.some((byte) => byte !== 0) ? macText(mac) : '',
      mtu: String(source.views.u16[(NEXTHOPS + id * 2 ** NEXTHOP_SHIFT + NH_MTU) >>> 1] ?? 0),
      flags: flagText(record.readUInt8(NX_FLAGS), { [NHF_EXTERNAL]: 'external', [NHF_FIP]: 'fip' }),
      references: String(source.views.u32[(NEXTHOP_REFS + id * 4) >>> 2] ?? 0),
    });
  });
}

/** Members of each group in the order of their slots; "-" holds the place of a removed one. */
function ecmpMembers({ views, core }: TableSource): Map<number, string[]> {
  const members = new Map<number, string[]>();
  for (const { count, records } of dumpTable(views, core, RECORD_ECMP)) {
    for (let at = 0; at < count * EC_SIZE; at += EC_SIZE) {
      const group = records.readUInt32LE(at + EC_NEXTHOP);
      const slots = members.get(group) ?? [];
      slots[records.readUInt32LE(at + EC_SLOT)] = String(records.readUInt32LE(at + EC_MEMBER) || '-');
      members.set(group, slots);
    }
  }
  return members;
}

function labelRow(source: TableSource, record: Buffer): Row {
  return row({ label: String(record.readUInt32LE(LB_LABEL)), ...leadsTo(source, record.readUInt32LE(LB_NEXTHOP)) });
}

function floatingIpRow({ names }: TableSource, record: Buffer): Row {
  const vrf = record.readUInt32LE(FL_VRF);
  const iface = record.readUInt16LE(FL_INTERFACE);
  return row({
    public: addressText(record, FL_PUBLIC),
    private: addressText(record, FL_PRIVATE),
    interface: String(iface),
    'interface-name': names.name('INTERFACE', iface),
    vrf: String(vrf),
    'vrf-name': names.name('VRF', vrf),
    direction: DIRECTIONS[record.readUInt8(FL_DIRECTION)] ?? '',
    order: String(record.readUInt16LE(FL_ORDER)),
    name: names.name('FLOATING_IP', record.readUInt32BE(FL_PUBLIC)),
  });
}

function neighbourRows({ views, names }: TableSource): Row[] {
  const rows: Row[] = [];
  const nowMs = Math.floor(Number(process.hrtime.bigint() / 1_000_000n)) >>> 0;
  for (let i = 0; i < MAX_NEIGHBOURS; i++) {
    const at = NEIGHBOURS + i * 2 ** NEIGHBOUR_SHIFT;
    const iface = views.u32[(at + NB_KEY + 4) >>> 2] ?? 0;
    if (iface === 0) continue;
    const mac = views.u8.subarray(at + NB_MAC, at + NB_MAC + 6);
    const known = mac.some((byte) => byte !== 0);
    const isStatic = ((views.u32[(at + NB_FLAGS) >>> 2] ?? 0) & NBF_STATIC) !== 0;
    const ageMs = (nowMs - (views.u32[(at + NB_SEEN_MS) >>> 2] ?? 0)) >>> 0;
    rows.push(row({
      interface: String(iface),
      'interface-name': names.name('INTERFACE', iface),
      address: addressText(views.u8.subarray(at + NB_KEY, at + NB_KEY + 4)),
      mac: known ? macText(mac) : '',
      state: isStatic ? 'static' : !known ? 'asked' : ageMs > NB_REACHABLE_MS ? 'stale' : 'reachable',
      'age-ms': isStatic || !known ? '' : String(ageMs),
      held: String(views.u32[(at + NB_HELD) >>> 2] ?? 0),
    }));
  }
  return rows;
}

const blankZero = (address: string): string => (address === '0.0.0.0' ? '' : address);
const blankNumber = (value: number): string => (value === 0 ? '' : String(value));
/** Columns without a value are left out. */
const row = (columns: Row): Row => Object.fromEntries(Object.entries(columns).filter(([, text]) => text !== ''));
