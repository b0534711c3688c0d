/**
 * Random records through `apply`: whatever they are, the core answers each with a result code, and its tables are afterwards
 * exactly what the accepted ones say (a model, the dump, and lookups agree).
 */
import * as L from '../../wasm-core/layout.ts';
import * as R from '../../wasm-core/records.ts';
import { Core } from '../fixtures/core.ts';
import type { PackedRecord } from '../fixtures/records.ts';
import { Random } from '../generate/random.ts';
import { makeWorld, type World } from '../generate/world.ts';
import { RECORD_SIZES, Tables, type NextHop } from '../reference/tables.ts';
import { addressText, hex, macText } from '../reference/wire.ts';

const KINDS = [R.RECORD_VRF, R.RECORD_INTERFACE, R.RECORD_NEXTHOP, R.RECORD_ECMP, R.RECORD_LABEL, R.RECORD_FLOATING_IP, R.RECORD_ROUTE];
/** What nothing refers to, so that it may go alone. */
const LEAVES: readonly number[] = [R.RECORD_ROUTE, R.RECORD_LABEL, R.RECORD_FLOATING_IP];
/** Order of docs/core-abi.md. */
const SWEPT = [R.RECORD_ROUTE, R.RECORD_LABEL, R.RECORD_FLOATING_IP, R.RECORD_NEXTHOP, R.RECORD_INTERFACE, R.RECORD_VRF];
const GREATEST_RESULT = R.RESULT_DUPLICATE;
const FLAGS_OF_THE_CORE = L.IFF_FIP_SOURCE | L.IFF_FIP_DESTINATION;

export class ApplyFuzzer {
  readonly core = new Core({ frames: 64, fipBuckets: 64 });
  /** Results, RESULT_* → how often. */
  readonly results = new Map<number, number>();
  readonly #model = new Tables();
  readonly #random: Random;
  readonly #world: World;

  constructor(seed: number) {
    this.#random = new Random(seed);
    this.#world = makeWorld(this.#random);
  }

  /** One batch of one kind. */
  step(): void {
    const random = this.#random;
    const kind = random.chance(98) ? random.pick(KINDS) : random.bits() & 0xff;
    const records = Array.from({ length: random.below(40) }, () => this.#record(kind));
    for (const { bytes, result } of this.#apply(kind, records)) {
      this.results.set(result, (this.results.get(result) ?? 0) + 1);
      if (result > GREATEST_RESULT) throw new Error(`apply answers ${result} to a record of kind ${kind}: ${hex(bytes)}`);
      if (result === R.RESULT_OK) this.#model.apply(kind, bytes);
    }
    if (random.chance(30)) this.#passEpoch();
  }

  /** Compares the dump and random lookups with the model. */
  check(): void {
    const dumped = new Tables();
    for (const kind of KINDS) {
      const vrfs = kind === R.RECORD_ROUTE ? [...dumped.vrfs.keys()] : [0];
      let count = 0;
      for (const vrf of vrfs) for (const record of dump(this.core, kind, vrf)) {
        dumped.apply(kind, record);
        count += 1;
      }
      const total = this.core.exports.total(kind);
      if (kind !== R.RECORD_ECMP && total !== count) throw new Error(`total(${kind}) = ${total}, the dump has ${count}`);
    }
    const [expected, actual] = [describe(this.#model), describe(dumped)];
    const missing = [...expected].filter((line) => !actual.has(line));
    const extra = [...actual].filter((line) => !expected.has(line));
    if (missing.length + extra.length > 0) throw new Error(`the dump differs\n  accepted, not in it: ${missing.slice(0, 5).join('\n    ')}\n  only in it: ${extra.slice(0, 5).join('\n    ')}`);
    for (const vrf of this.#model.vrfs.values()) for (let n = 0; n < 20; n += 1) this.#checkLookup(vrf.id);
  }

  /** Mark and sweep: all records come again but for some routes, labels and floating IPs; exactly those must go. */
  resync(): void {
    const { core } = this;
    core.exports.resyncBegin();
    const gone = new Map<number, Uint8Array[]>(SWEPT.map((kind) => [kind, []]));
    for (const kind of KINDS) {
      const vrfs = kind === R.RECORD_ROUTE ? [...this.#model.vrfs.keys()] : [0];
      const live = vrfs.flatMap((vrf) => [...dump(core, kind, vrf)]);
      const kept = live.filter((record) => {
        const stays = !LEAVES.includes(kind) || this.#random.chance(70);
        if (!stays) gone.get(kind)?.push(record);
        return stays;
      });
      for (const { bytes, result } of this.#apply(kind, kept))
        if (result !== R.RESULT_OK) throw new Error(`a record from the dump is refused with ${result} when it comes again: kind ${kind}, ${hex(bytes)}`);
    }
    for (const kind of SWEPT) {
      const expected = gone.get(kind)?.length ?? 0;
      const [stale, swept] = [core.exports.staleCount(kind), sweep(core, kind)];
      if (stale !== expected || swept !== expected) throw new Error(`of kind ${kind}, ${expected} records did not come again: staleCount() = ${stale}, sweep() = ${swept}`);
    }
    for (const [kind, records] of gone) for (const record of records) this.#model.apply(kind, deletion(kind, record));
    this.#passEpoch();
  }

  #checkLookup(vrf: number): void {
    const random = this.#random;
    const routes = [...(this.#model.vrfs.get(vrf)?.routes.values() ?? [])];
    const address = routes.length > 0 && random.chance(80) ? (random.pick(routes).prefix ^ (random.bits() >>> random.between(8, 31))) >>> 0 : random.bits();
    const swapped = new DataView(new ArrayBuffer(4));
    swapped.setUint32(0, address);
    const leaf = this.core.exports.lookup(vrf, swapped.getInt32(0, true)) >>> 0;
    const match = this.#model.lookup(vrf, address);
    const expected = match === undefined ? 0 : (match.nextHop | ((match.length + 1) << L.LEAF_LENGTH_SHIFT)) >>> 0;
    if (leaf !== expected) throw new Error(`lookup of ${addressText(address)} in VRF ${vrf} gives 0x${leaf.toString(16)}, not 0x${expected.toString(16)}`);
  }

  /** A record of the world, mostly a little wrong, or nonsense. */
  #record(kind: number): Uint8Array {
    const random = this.#random;
    const size = RECORD_SIZES[kind] ?? 16;
    if (random.chance(2)) return random.bytes(size);
    const known = this.#world.records.filter((record: PackedRecord) => record.kind === kind);
    const bytes = known.length > 0 ? random.pick(known).bytes.slice() : new Uint8Array(size);
    for (let n = random.pick([0, 0, 1, 1, 2]); n > 0; n -= 1) {
      const at = random.below(size);
      bytes[at] = random.pick([0, 1, 2, 8, 0xff, random.bits() & 0xff, (bytes[at] ?? 0) ^ (1 << random.below(8))]);
    }
    return bytes;
  }

  #apply(kind: number, records: readonly Uint8Array[]): { bytes: Uint8Array; result: number }[] {
    let at = L.COMMAND;
    for (const record of records) {
      this.core.bytes.set(record, at);
      at += record.length;
    }
    const refused = this.core.exports.apply(kind, records.length);
    const results = this.core.bytes.slice(L.RESULTS, L.RESULTS + records.length);
    if (RECORD_SIZES[kind] === undefined) return [];
    if (refused !== results.filter((result) => result !== R.RESULT_OK).length) throw new Error(`apply(${kind}) says ${refused} refused, its results say otherwise: ${hex(results)}`);
    return records.map((bytes, index) => ({ bytes, result: results[index] ?? 0 }));
  }

  #passEpoch(): void {
    this.core.exports.advance();
    this.core.run(0);
    this.core.exports.collect();
  }
}

/** The record that deletes what a record made. */
function deletion(kind: number, record: Uint8Array): Uint8Array {
  const bytes = record.slice();
  if (kind === R.RECORD_ROUTE) bytes.fill(0, R.RT_NEXTHOP, R.RT_NEXTHOP + 4);
  else if (kind === R.RECORD_LABEL) bytes.fill(0, R.LB_NEXTHOP, R.LB_NEXTHOP + 4);
  else bytes[R.FL_DIRECTION] = 0;
  return bytes;
}

/** Deletes all stale records of a kind; how many went. */
function sweep(core: Core, kind: number): number {
  let swept = 0;
  do swept += core.exports.sweep(kind);
  while (core.view.getUint32(L.RESULTS, true) !== 0);
  return swept;
}

/** Every live record of a kind. */
export function* dump(core: Core, kind: number, vrf: number): Generator<Uint8Array> {
  const size = RECORD_SIZES[kind] ?? 0;
  let cursor = 0;
  do {
    const count = core.exports.dump(kind, vrf, cursor);
    const batch = core.bytes.slice(L.COMMAND, L.COMMAND + count * size);
    cursor = core.view.getUint32(L.RESULTS, true);
    for (let at = 0; at < batch.length; at += size) yield batch.slice(at, at + size);
  } while (cursor !== 0);
}

/** The fields of a next hop that its kind has; not the MAC, which belongs to the neighbour that several next hops may share. */
function meaning(hop: NextHop): Record<string, unknown> {
  const { interface: leavesBy, remote, local, value, mtu, gateway } = hop;
  const flags = hop.flags & ~L.NHF_FIP; // the core's own
  switch (hop.kind) {
    case L.NHK_INTERFACE:
      return { flags, leavesBy, remote, mtu };
    case L.NHK_RESOLVE:
      return { flags, leavesBy, mtu };
    case L.NHK_TUNNEL_GRE:
      return { flags, leavesBy, remote, local, label: value, gateway, mtu };
    case L.NHK_VRF:
    case L.NHK_ECMP:
      return { value };
    default:
      return {};
  }
}

/** Tables as lines that can be compared. */
function describe(tables: Tables): Set<string> {
  const lines = new Set<string>();
  for (const i of tables.interfaces.values()) lines.add(`interface ${JSON.stringify({ ...i, flags: i.flags & ~FLAGS_OF_THE_CORE, mac: macText(i.mac) })}`);
  for (const { routes, ...vrf } of tables.vrfs.values()) {
    lines.add(`vrf ${JSON.stringify(vrf)}`);
    for (const route of routes.values()) lines.add(`route ${vrf.id} ${addressText(route.prefix)}/${route.length} next hop ${route.nextHop}`);
  }
  for (const hop of tables.nextHops.values()) lines.add(`next hop ${hop.id} kind ${hop.kind} ${JSON.stringify(meaning(hop))}`);
  for (const [group, slots] of tables.ecmp) lines.add(`ecmp ${group}: ${slots.join(' ')}`);
  for (const [label, hop] of tables.labels) lines.add(`label ${label} next hop ${hop}`);
  for (const fip of tables.floatingIps.values()) lines.add(`floating IP ${JSON.stringify(fip)}`);
  return lines;
}
