/**
 * The tables of the core alone, over a fresh memory, driven by packed records: what the tests of this folder share.
 * Addresses are numbers in host order (10.0.0.1 = 0x0A000001). The module is build/tables.wasm, made anew when a source is newer.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, statSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { CoreExports } from '../../../firmware/host/core.ts';
import * as L from '../../../wasm-core/layout.ts';
import * as R from '../../../wasm-core/records.ts';

const ROOT = fileURLToPath(new URL('../../../', import.meta.url));
const MODULE = `${ROOT}build/tables.wasm`;
const OPTIONS = [
  '--config', 'none', '-O3', '--runtime', 'stub', '--importMemory', '--noExportMemory', '--sharedMemory', '--initialMemory', '65536', '--maximumMemory', '65536',
  '--memoryBase', '65536', '--exportStart', '', '--noAssert', '--enable', 'threads', '--enable', 'simd', '--enable', 'bulk-memory',
];

/** tables/writer.ts: words of the writers. */
const WORDS = L.HEADER + L.H_WRITER;
const W_HEAP_BYTES = WORDS + 84;
const W_RIB_NEXT = WORDS + 88;
const W_FIP_NEXT = WORDS + 100;
const W_ECMP_NEXT = WORDS + 116;
const W_DIR24_SLOTS = WORDS + 256;

type ControlExports = Pick<CoreExports,
  'init' | 'apply' | 'advance' | 'reached' | 'collect' | 'resyncBegin' | 'staleCount' | 'total' | 'sweep' | 'dump' | 'lookup' | 'lookupRib' | 'convert'>;

export interface TableExports extends ControlExports {
  benchLookup(vrf: number, addresses: number, count: number): number;
  benchLabels(labels: number, count: number): number;
  benchFip(keys: number, count: number): number;
  watchLookup(vrf: number, address: number, one: number, other: number, count: number): number;
  neighbourClaim(iface: number, address: number): number;
  neighbourFind(iface: number, address: number): number;
  fipPrivate(iface: number, address: number): number;
  fipPublic(iface: number, address: number): number;
}

export type PackedRecord = { kind: number; bytes: Uint8Array };

let compiled: WebAssembly.Module | undefined;

/** build/tables.wasm, which is made first if a source is newer. */
export function tablesModule(): WebAssembly.Module {
  if (compiled !== undefined) return compiled;
  const sources = ['wasm-core/tables/', 'wasm-core/'].flatMap((dir) => readdirSync(ROOT + dir).filter((f) => f.endsWith('.ts')).map((f) => ROOT + dir + f));
  const newest = Math.max(...sources.map((file) => statSync(file).mtimeMs));
  if (!existsSync(MODULE) || statSync(MODULE).mtimeMs < newest) {
    mkdirSync(`${ROOT}build`, { recursive: true });
    const made = `${MODULE}.${process.pid}`;
    execFileSync(process.execPath, [`${ROOT}node_modules/assemblyscript/bin/asc.js`, 'wasm-core/tables/index.ts', '-o', made, ...OPTIONS], { cwd: ROOT });
    renameSync(made, MODULE);
  }
  compiled = new WebAssembly.Module(readFileSync(MODULE));
  return compiled;
}

/** Address as the core compares it: the value of a little-endian load of its bytes. */
export function networkOrder(address: number): number {
  return (((address & 0xFF) << 24) | ((address & 0xFF00) << 8) | ((address >>> 8) & 0xFF00) | (address >>> 24)) >>> 0;
}

export class Tables {
  readonly memory: WebAssembly.Memory;
  readonly view: DataView;
  readonly bytes: Uint8Array;
  readonly exports: TableExports;

  constructor(options: { fipBuckets?: number; memory?: WebAssembly.Memory } = {}) {
    this.memory = options.memory ?? new WebAssembly.Memory({ initial: L.MEMORY_PAGES, maximum: L.MEMORY_PAGES, shared: true });
    this.view = new DataView(this.memory.buffer);
    this.bytes = new Uint8Array(this.memory.buffer);
    this.exports = new WebAssembly.Instance(tablesModule(), { env: { memory: this.memory } }).exports as unknown as TableExports;
    if (options.memory === undefined) this.view.setUint32(L.HEADER + L.H_FIP_MASK, (options.fipBuckets ?? 1024) - 1, true);
    const refused = this.exports.init();
    if (refused !== 0) throw new Error(`init() = ${refused}`);
  }

  u8(at: number): number { return this.view.getUint8(at); }
  u16(at: number): number { return this.view.getUint16(at, true); }
  u32(at: number): number { return this.view.getUint32(at, true); }

  /** Applies records in order, neighbours of one kind in one batch; their result codes. */
  tryApply(records: readonly PackedRecord[]): number[] {
    const results: number[] = [];
    for (let at = 0; at < records.length;) {
      const kind = records[at]!.kind;
      let end = at;
      let offset = L.COMMAND;
      for (; end < records.length && records[end]!.kind === kind; end++) {
        this.bytes.set(records[end]!.bytes, offset);
        offset += records[end]!.bytes.length;
      }
      const refused = this.exports.apply(kind, end - at);
      const codes = [...this.bytes.slice(L.RESULTS, L.RESULTS + end - at)];
      if (refused !== codes.filter((code) => code !== 0).length) throw new Error(`apply() = ${refused}, but the results are ${codes.join(' ')}`);
      for (const code of codes) results.push(code);
      at = end;
    }
    return results;
  }

  apply(...records: readonly PackedRecord[]): void {
    this.applyAll(records);
  }

  applyAll(records: readonly PackedRecord[]): void {
    const results = this.tryApply(records);
    const refused = results.findIndex((code) => code !== 0);
    if (refused !== -1) throw new Error(`record ${refused} (kind ${records[refused]!.kind}) was refused: RESULT ${results[refused]}`);
  }

  /** Lets everything that waits for readers go (there are none unless a test starts some). */
  reclaim(): number {
    this.exports.advance();
    return this.exports.collect();
  }

  /** [next hop, match length] or undefined. */
  lookup(vrf: number, address: number): [number, number] | undefined {
    const leaf = this.exports.lookup(vrf, networkOrder(address)) >>> 0;
    return leaf === 0 ? undefined : [leaf & L.LEAF_NH_MASK, (leaf >>> L.LEAF_LENGTH_SHIFT) - 1];
  }

  lpmKind(vrf: number): number {
    return this.u8(L.VRFS + vrf * 2 ** L.VRF_SHIFT + L.VRF_LPM_KIND);
  }

  /** Bytes of the trie heap in blocks that are in use. */
  heapBytes(): number {
    return this.u32(W_HEAP_BYTES);
  }

  /** What was ever in use at once: RIB nodes, floating-IP records, ECMP bytes, groups of DIR-24-8 slot 0. */
  highWaterMarks(): number[] {
    return [W_RIB_NEXT, W_FIP_NEXT, W_ECMP_NEXT, W_DIR24_SLOTS + 4].map((word) => this.u32(word));
  }

  /** All live records of a kind, packed. */
  dump(kind: number, vrf = 0): PackedRecord[] {
    const size = RECORD_SIZES[kind]!;
    const records: PackedRecord[] = [];
    let cursor = 0;
    do {
      const count = this.exports.dump(kind, vrf, cursor);
      for (let i = 0; i < count; i++) records.push({ kind, bytes: this.bytes.slice(L.COMMAND + i * size, L.COMMAND + (i + 1) * size) });
      cursor = this.u32(L.RESULTS);
    } while (cursor !== 0);
    return records;
  }

  /** Deletes all stale records of a kind; how many went. */
  sweep(kind: number): number {
    let swept = 0;
    do swept += this.exports.sweep(kind);
    while (this.u32(L.RESULTS) !== 0);
    return swept;
  }

  /** Everything, in an order in which it can be applied. */
  dumpAll(): PackedRecord[] {
    const vrfs = this.dump(R.RECORD_VRF);
    const ids = vrfs.map((record) => new DataView(record.bytes.buffer).getUint32(R.VR_ID, true));
    const kinds = [R.RECORD_INTERFACE, R.RECORD_NEXTHOP, R.RECORD_ECMP, R.RECORD_LABEL, R.RECORD_FLOATING_IP];
    return [...vrfs, ...kinds.flatMap((kind) => this.dump(kind)), ...ids.flatMap((id) => this.dump(R.RECORD_ROUTE, id))];
  }
}

export const RECORD_SIZES: Record<number, number> = {
  [R.RECORD_ROUTE]: R.RT_SIZE, [R.RECORD_NEXTHOP]: R.NX_SIZE, [R.RECORD_ECMP]: R.EC_SIZE, [R.RECORD_LABEL]: R.LB_SIZE,
  [R.RECORD_FLOATING_IP]: R.FL_SIZE, [R.RECORD_INTERFACE]: R.IX_SIZE, [R.RECORD_VRF]: R.VR_SIZE,
};

// ---- records -------------------------------------------------------------------------------------------------------------
function packed(kind: number, write: (view: DataView) => void): PackedRecord {
  const bytes = new Uint8Array(RECORD_SIZES[kind]!);
  write(new DataView(bytes.buffer));
  return { kind, bytes };
}

function writeMac(view: DataView, at: number, mac: number): void {
  view.setUint16(at, Math.floor(mac / 2 ** 32));
  view.setUint32(at + 2, mac % 2 ** 32);
}

export function vrf(id: number, kind = 0, flags = 0, mss = 0): PackedRecord {
  return packed(R.RECORD_VRF, (v) => {
    v.setUint32(R.VR_ID, id, true);
    v.setUint8(R.VR_KIND, kind);
    v.setUint8(R.VR_FLAGS, flags);
    v.setUint16(R.VR_MSS, mss, true);
  });
}

export type InterfaceFields = {
  id: number; kind?: number; flags?: number; vrf?: number; vlan?: number; mac?: number; mtu?: number; address?: number; mask?: number; workload?: number; parent?: number;
};
export function iface(f: InterfaceFields): PackedRecord {
  return packed(R.RECORD_INTERFACE, (v) => {
    v.setUint32(R.IX_ID, f.id, true);
    v.setUint8(R.IX_KIND, f.kind ?? L.IFK_WORKLOAD);
    v.setUint8(R.IX_FLAGS, f.flags ?? L.IFF_UP);
    v.setUint16(R.IX_VLAN, f.vlan ?? 0, true);
    v.setUint32(R.IX_VRF, f.vrf ?? 0, true);
    writeMac(v, R.IX_MAC, f.mac ?? 0x020000000000 + f.id);
    v.setUint16(R.IX_MTU, f.mtu ?? 1500, true);
    v.setUint32(R.IX_ADDRESS, f.address ?? 0);
    v.setUint32(R.IX_MASK, f.mask ?? 0);
    v.setUint32(R.IX_WORKLOAD, f.workload ?? 0);
    v.setUint16(R.IX_PARENT, f.parent ?? 0, true);
  });
}

export type NextHopFields = {
  id: number; kind: number; flags?: number; interface?: number; remote?: number; local?: number; value?: number; mac?: number; mtu?: number; gateway?: number;
};
export function nexthop(f: NextHopFields): PackedRecord {
  return packed(R.RECORD_NEXTHOP, (v) => {
    v.setUint32(R.NX_ID, f.id, true);
    v.setUint8(R.NX_KIND, f.kind);
    v.setUint8(R.NX_FLAGS, f.flags ?? 0);
    v.setUint16(R.NX_INTERFACE, f.interface ?? 0, true);
    v.setUint32(R.NX_REMOTE, f.remote ?? 0);
    v.setUint32(R.NX_LOCAL, f.local ?? 0);
    v.setUint32(R.NX_VALUE, f.value ?? 0, true);
    writeMac(v, R.NX_MAC, f.mac ?? 0);
    v.setUint16(R.NX_MTU, f.mtu ?? 0, true);
    v.setUint32(R.NX_GATEWAY, f.gateway ?? 0);
  });
}

/** Next hops that lead nowhere: enough for routes and labels. */
export function discards(first: number, count: number): PackedRecord[] {
  return Array.from({ length: count }, (_, i) => nexthop({ id: first + i, kind: L.NHK_DISCARD }));
}

export function ecmpSlot(group: number, slot: number, member: number): PackedRecord {
  return packed(R.RECORD_ECMP, (v) => {
    v.setUint32(R.EC_NEXTHOP, group, true);
    v.setUint32(R.EC_SLOT, slot, true);
    v.setUint32(R.EC_MEMBER, member, true);
  });
}

export function label(value: number, nexthopId: number): PackedRecord {
  return packed(R.RECORD_LABEL, (v) => {
    v.setUint32(R.LB_LABEL, value, true);
    v.setUint32(R.LB_NEXTHOP, nexthopId, true);
  });
}

export function route(vrfId: number, prefix: number, length: number, nexthopId: number, flags = 0): PackedRecord {
  return packed(R.RECORD_ROUTE, (v) => {
    v.setUint32(R.RT_VRF, vrfId, true);
    v.setUint32(R.RT_PREFIX, prefix);
    v.setUint32(R.RT_NEXTHOP, nexthopId, true);
    v.setUint8(R.RT_LENGTH, length);
    v.setUint8(R.RT_FLAGS, flags);
  });
}

export type FloatingIpFields = { public: number; private: number; vrf: number; interface: number; direction: number; order?: number };
export function floatingIp(f: FloatingIpFields): PackedRecord {
  return packed(R.RECORD_FLOATING_IP, (v) => {
    v.setUint32(R.FL_PUBLIC, f.public);
    v.setUint32(R.FL_PRIVATE, f.private);
    v.setUint32(R.FL_VRF, f.vrf, true);
    v.setUint16(R.FL_INTERFACE, f.interface, true);
    v.setUint8(R.FL_DIRECTION, f.direction);
    v.setUint16(R.FL_ORDER, f.order ?? 0, true);
  });
}

/** Host-order mask of a prefix length. */
export function mask(length: number): number {
  return length === 0 ? 0 : (0xFFFFFFFF << (32 - length)) >>> 0;
}
