/** Forwarding on frames in memory: lookups, egress and ingress of the core that lcores run, against its C twin in the same run; end to end over veth; and frames that nobody would send. */
import * as L from '../../../wasm-core/layout.ts';
import * as R from '../../../wasm-core/records.ts';
import { pinToOneProcessor } from '../affinity.ts';
import { KEYS } from '../assembly/pool.ts';
import { fuzzRows } from '../fuzz.ts';
import type { Group, Row } from '../rows.ts';
import { interleave, median, Mismatch } from '../side.ts';
import type { Comparison, Side } from '../side.ts';
import { buildHarness, buildTwin } from '../twin/build.ts';
import { TwinSide } from '../twin/child.ts';
import { WasmSide } from '../wasm-side.ts';
import { endToEnd } from '../veth/end-to-end.ts';
import {
  applyPacked, buildAppliance, BURST, CORE_OPTIONS, FLOATING_IPS, fillEgressPool, fillIngressPool, POOL_FRAMES, PUBLIC_VRF, ROUNDS, TUNNELS, writeAddresses, writeFipKeys, writeLabels,
} from '../workload/appliance.ts';
import { Random } from '../workload/random.ts';
import { verifyFixtures } from '../workload/fixtures.ts';
import { coveredAddress, makeRoutes, routeRecords } from '../workload/routes.ts';
import type { Routes } from '../workload/routes.ts';

const ROUTES = 1_000_000;
const MANY_VRFS = 1000;
const LOOKUPS = 1 << 20;
const SEED = 0x77726F75;
/** Rounds of A B whose ratios' median counts, and bursts in a round. */
const WARM = { rounds: 41, passes: 24 };
const COLD = { rounds: 21, passes: 5 };
const LOOKUP_ROUNDS = 21;
/** Bursts until V8's optimised code runs and its caches hold what they will hold. */
const WARM_UP = 120;

const LIMITS = { egress: { warm: 1.25, cold: 1.2 }, ingress: { warm: 1.3, cold: 1.2 }, dir24: 1.35, poptrie: 1.4, manyVrfs: 1.3 };

export const forwarding: Group = { core: coreRows, veth: endToEnd, fuzz: fuzzRows };

async function coreRows(report: (row: Row) => void): Promise<void> {
  const harness = buildHarness();
  const program = buildTwin();
  const unpin = pinToOneProcessor();
  const twin = new TwinSide(program);
  try {
    report({ name: 'fixture steps that the C twin forwards alike', value: await verifyFixtures(harness, twin), unit: 'steps' });
    const random = new Random(SEED);
    const routes = makeRoutes(random, ROUTES, TUNNELS);
    const dir24 = await bigVrf(harness, twin, routes, L.LPM_DIR24, 'DIR-24-8', report);
    await bigVrf(harness, twin, routes, L.LPM_POPTRIE, 'Poptrie', report);
    await smallTables(harness, twin, routes, report);
    await manyVrfs(harness, twin, dir24, report);
  } finally {
    await twin.end();
    unpin();
  }
}

/** All rows of one VRF with a million routes; returns ns per packet of egress, warm. */
async function bigVrf(harness: WebAssembly.Module, twin: TwinSide, routes: Routes, kind: number, table: string, report: (row: Row) => void): Promise<number> {
  const wasm = new WasmSide(harness, CORE_OPTIONS);
  const random = new Random(SEED + 1);
  buildAppliance(wasm.core, 1, kind);
  applyPacked(wasm.core, R.RECORD_ROUTE, R.RT_SIZE, routeRecords(PUBLIC_VRF, routes));
  const memory = wasm.image();
  report({ name: `${table}, 1 M routes: what lookups read`, value: bytesIn(memory, LOOKUP_TABLES) / ROUTES, unit: 'B/route' });
  report({ name: `${table}, 1 M routes: what writers keep`, value: bytesIn(memory, [[L.RIB, L.RIB + L.RIB_SIZE]]) / ROUTES, unit: 'B/route' });

  writeAddresses(wasm.core, random, routes, LOOKUPS);
  fillEgressPool(wasm.core, random, () => routes, 1);
  await twin.load(wasm.image());
  await verifyBurst(`egress, ${table}`, wasm, twin);
  const lookups = await compareCalls(wasm, twin, 'benchLookup', PUBLIC_VRF, KEYS, LOOKUPS);
  report(row(`LPM ${table}, 1 M routes, uniform`, lookups, 'ns/lookup', kind === L.LPM_DIR24 ? LIMITS.dir24 : LIMITS.poptrie));
  const warm = await comparePackets(wasm, twin, false);
  report(row(`egress, ${table}, warm`, warm, 'ns/packet', LIMITS.egress.warm));
  report(row(`egress, ${table}, cold`, await comparePackets(wasm, twin, true), 'ns/packet', LIMITS.egress.cold));
  await verifyBurst(`egress, ${table}`, wasm, twin);
  return warm.wasm;
}

/** Lookups and packets that need no big VRF. */
async function smallTables(harness: WebAssembly.Module, twin: TwinSide, routes: Routes, report: (row: Row) => void): Promise<void> {
  const wasm = new WasmSide(harness, CORE_OPTIONS);
  const random = new Random(SEED + 3);
  buildAppliance(wasm.core, 1, L.LPM_POPTRIE);
  writeFipKeys(wasm.core, random, LOOKUPS);
  await twin.load(wasm.image());
  report(row(`floating-IP lookup, ${FLOATING_IPS}, uniform`, await compareCalls(wasm, twin, 'benchFip', KEYS, LOOKUPS), 'ns/lookup'));

  writeLabels(wasm.core, random, LOOKUPS);
  fillIngressPool(wasm.core, random, routes);
  await twin.load(wasm.image());
  report(row('label lookup, uniform', await compareCalls(wasm, twin, 'benchLabels', KEYS, LOOKUPS), 'ns/lookup'));
  await verifyBurst('ingress', wasm, twin);
  report(row('ingress, warm', await comparePackets(wasm, twin, false), 'ns/packet', LIMITS.ingress.warm));
  report(row('ingress, cold', await comparePackets(wasm, twin, true), 'ns/packet', LIMITS.ingress.cold));
  await verifyBurst('ingress', wasm, twin);
}

async function manyVrfs(harness: WebAssembly.Module, twin: TwinSide, oneVrf: number, report: (row: Row) => void): Promise<void> {
  const wasm = new WasmSide(harness, CORE_OPTIONS);
  const random = new Random(SEED + 2);
  buildAppliance(wasm.core, MANY_VRFS, 0);
  const sets = Array.from({ length: MANY_VRFS }, () => makeRoutes(random, 1000, TUNNELS));
  sets.forEach((routes, i) => applyPacked(wasm.core, R.RECORD_ROUTE, R.RT_SIZE, routeRecords(PUBLIC_VRF + i, routes)));
  fillEgressPool(wasm.core, random, (vrf) => sets[vrf - PUBLIC_VRF] as Routes, MANY_VRFS);
  await twin.load(wasm.image());
  await verifyBurst('egress, 1,000 VRFs', wasm, twin);
  const warm = await comparePackets(wasm, twin, false);
  await verifyBurst('egress, 1,000 VRFs', wasm, twin);
  report(row('egress, 1,000 VRFs x 1,000 routes, warm', warm, 'ns/packet'));
  report({
    name: 'egress, 1,000 VRFs x 1,000 routes, to one VRF of 1 M', value: warm.wasm, unit: 'ns/packet', against: { name: 'one VRF', value: oneVrf },
    ratio: warm.wasm / oneVrf, bar: { kind: '≤', limit: LIMITS.manyVrfs },
  });
}

/** Where the tables of lookups lie, depths (read where a match length counts) included. */
const LOOKUP_TABLES: readonly (readonly [from: number, to: number])[] = [[L.DIR24, L.TRIE_HEAP + L.TRIE_HEAP_SIZE], [L.DIR24_DEPTH, L.RIB]];

/** Bytes of non-zero pages within the ranges. */
function bytesIn(memory: readonly { address: number; bytes: Uint8Array }[], ranges: readonly (readonly [from: number, to: number])[]): number {
  return memory.reduce((sum, { address, bytes }) => sum + ranges.reduce((inside, [from, to]) =>
    inside + Math.max(0, Math.min(to, address + bytes.length) - Math.max(from, address)), 0), 0);
}

function row(name: string, { wasm, c, ratio }: Comparison, unit: string, limit?: number): Row {
  return { name, value: wasm, unit, against: { name: 'C', value: c }, ratio, ...(limit === undefined ? {} : { bar: { kind: '≤', limit } }) };
}

/** Time per packet of the same bursts on both sides. */
async function comparePackets(wasm: Side, c: Side, cold: boolean): Promise<Comparison> {
  const { rounds, passes } = cold ? COLD : WARM;
  const pass = { first: 0, frames: BURST, pool: POOL_FRAMES, rounds: ROUNDS, cold };
  if (!cold) for (const side of [wasm, c]) await side.passes(WARM_UP, pass);
  // A round's time is the median of its passes: on a busy machine some are interrupted.
  const timed = cold ? BURST - L.VECTOR : BURST;
  return interleave(wasm, c, rounds, async (side) => median(await side.passes(passes, pass)) / timed);
}

/** Time per item of one call on both sides, whose results must be equal; the last value is the count of items. */
async function compareCalls(wasm: Side, c: Side, name: string, ...values: readonly number[]): Promise<Comparison> {
  const items = values.at(-1) ?? 1;
  const [ours, theirs] = [await wasm.call(name, ...values), await c.call(name, ...values)];
  if (ours.result !== theirs.result) throw new Mismatch(`${name} gives 0x${ours.result.toString(16)}, its C twin 0x${theirs.result.toString(16)}`);
  for (let i = 0; i < 5; i++) await wasm.call(name, ...values);
  return interleave(wasm, c, LOOKUP_ROUNDS, async (side) => (await side.call(name, ...values)).ns / items);
}

/** Sends the pool once through both sides: the same frames, descriptors and counters must come out, and nothing may be lost. */
async function verifyBurst(what: string, wasm: WasmSide, c: Side): Promise<void> {
  const before = wasm.core.totals();
  for (let first = 0; first < POOL_FRAMES; first += BURST) {
    const results: bigint[][] = [];
    for (const side of [wasm, c]) {
      const taken = await side.call('refill', first, BURST);
      for (let i = 0; i < ROUNDS; i++) await side.call('run', 0);
      const frames = await side.call('drainHash', 1);
      const counters = await side.call('hashRange', L.COUNTERS, 0xA00000);
      results.push([taken.result, frames.result, counters.result]);
    }
    const [ours = [], theirs = []] = results;
    ['frames taken', 'frames sent', 'counters'].forEach((name, i) => {
      if (ours[i] !== theirs[i]) throw new Mismatch(`${what}: ${name} differ: 0x${ours[i]?.toString(16)}, C twin 0x${theirs[i]?.toString(16)}`);
    });
  }
  const after = wasm.core.totals();
  const sent = after.transmitted - before.transmitted;
  if (sent !== POOL_FRAMES) throw new Error(`${what}: ${sent} of ${POOL_FRAMES} frames were sent; drops ${JSON.stringify(after.drops)}`);
}
