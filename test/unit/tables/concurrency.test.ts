// Two readers look up while a writer changes what they look at: every answer was right at some moment around its read.
// limit: 300 s
// Runs until some ten thousands of changes are made; `node concurrency.test.ts --seconds 7200` for hours.
import { once } from 'node:events';
import { parseArgs } from 'node:util';
import { Worker } from 'node:worker_threads';
import * as assert from 'uvu/assert';
import { suite } from 'uvu';
import * as L from '../../../wasm-core/layout.ts';
import * as R from '../../../wasm-core/records.ts';
import { discards, floatingIp, iface, mask, route, Tables, vrf, type PackedRecord } from './harness.ts';
import { LpmModel } from './lpm-model.ts';
import { random } from './random.ts';
import { BEGUN, DONE, READS, STOP, type Shared, type Verdict } from './reader.ts';

const { values } = parseArgs({ options: { seconds: { type: 'string', default: '0' } } });
const test = suite('readers under a writer');
const POPTRIE = 1;
const DIR24 = 2;
const CONVERTED = 3;
const RANGES = 4;
const STEPS = 6000;
const NEXTHOPS = 200;
const READERS = 2;
const ENOUGH_STEPS = 4000;
const ENOUGH_READS = 20000;

/** Addresses close to each other, so that one change touches several and their slots are crowded. */
const ADDRESSES = Array.from({ length: 48 }, (_, i) => [0x0A200000 + i * 4, 0x0A200000 + i * 0x1000, 0x0A000000 + i * 0x40000][i % 3]!);
const LENGTHS = [12, 14, 16, 18, 20, 22, 24, 24, 25, 27, 29, 32, 32];
/** Now and then, since they write millions of DIR-24-8 entries. */
const SHORT_LENGTHS = [0, 8, 9];

type Step = { prefix: number; length: number; nexthop: number };

/** A round of changes that ends where it began, and the right answer for each address after each of them. */
function script(seed: number): { steps: Step[]; answers: Uint32Array } {
  const next = random(seed);
  const model = new LpmModel();
  const steps: Step[] = [];
  const answers = new Uint32Array(STEPS * ADDRESSES.length);
  const record = (): void => {
    const row = steps.length % STEPS;
    for (const [i, address] of ADDRESSES.entries()) {
      const found = model.lookup(address);
      answers[row * ADDRESSES.length + i] = found === undefined ? 0 : found[0] | ((found[1] + 1) << 24);
    }
  };
  const change = (step: Step): void => {
    if (step.nexthop === 0) model.delete(step.prefix, step.length);
    else model.set(step.prefix, step.length, step.nexthop);
    steps.push(step);
    record();
  };
  record();
  while (steps.length + model.size < STEPS) {
    const length = next(150) === 0 ? SHORT_LENGTHS[next(3)]! : LENGTHS[next(LENGTHS.length)]!;
    const prefix = (ADDRESSES[next(ADDRESSES.length)]! & mask(length)) >>> 0;
    const isThere = model.get(prefix, length) !== undefined;
    // One more route is one more to withdraw at the end.
    if (!isThere && steps.length + model.size + 2 > STEPS) continue;
    else change({ prefix, length, nexthop: isThere && next(3) === 0 ? 0 : 1 + next(NEXTHOPS) });
  }
  for (const [prefix, length] of [...model.routes()]) change({ prefix, length, nexthop: 0 });
  return { steps, answers };
}

const FIP = { public: 0x65656503, vrf: POPTRIE, interface: 1, direction: 3 };
const INNER = [0x0A200003, 0x0A200104, 0x0AFFFF05];

function deltas(tables: Tables): [number, number][] {
  return INNER.map((inner) => {
    tables.apply(floatingIp({ ...FIP, private: inner }));
    const lane = tables.exports.fipPublic(1, new DataView(Uint8Array.of(0x03, 0x65, 0x65, 0x65).buffer).getUint32(0));
    return [inner, tables.u32(lane + L.FIP_DELTA)];
  });
}

test('no answer is wrong, torn, or of a table that is gone', async () => {
  const tables = new Tables({ fipBuckets: 16384 });
  tables.apply(vrf(POPTRIE, L.LPM_POPTRIE), vrf(DIR24, L.LPM_DIR24), vrf(CONVERTED), vrf(RANGES), ...discards(1, NEXTHOPS), iface({ id: 1, vrf: POPTRIE }));
  const vrfs = [POPTRIE, DIR24, CONVERTED, RANGES];
  const scripts = vrfs.map(script);
  for (const { steps } of scripts) assert.is(steps.length, STEPS);
  const answers = new Uint32Array(new SharedArrayBuffer(4 * STEPS * ADDRESSES.length * vrfs.length));
  for (const [i, one] of scripts.entries()) answers.set(one.answers, i * one.answers.length);
  const progress = new Int32Array(new SharedArrayBuffer(4 * (READS + READERS)));
  const shared: Omit<Shared, 'lcore'> = {
    memory: tables.memory, progress, answers, steps: STEPS, addresses: ADDRESSES, vrfs, fip: { interface: 1, public: FIP.public, pairs: deltas(tables) },
  };
  const workers = Array.from({ length: READERS }, (_, lcore) => new Worker(new URL('./reader.ts', import.meta.url), { workerData: { ...shared, lcore } }));
  const verdicts = workers.map(async (worker) => (await once(worker, 'message'))[0] as Verdict);
  let ended = 0;
  for (const verdict of verdicts) void verdict.then(() => ended++);
  const fewestReads = (): number => Math.min(...progress.subarray(READS));
  while (fewestReads() === 0 && ended === 0) await new Promise((resolve) => setTimeout(resolve, 20));

  // Away from the addresses: makes the first level of a Poptrie or a range table grow and shrink.
  const ballast = (id: number, nexthop: number): PackedRecord[] => Array.from({ length: 700 }, (_, i) => route(id, 0xC0000000 + i * 256, 24, nexthop));
  const next = random(99);
  const end = performance.now() + Number(values.seconds) * 1000;
  let step = 0;
  let waiting = 0;
  try {
    while (ended === 0 && (performance.now() < end || step < ENOUGH_STEPS || fewestReads() < ENOUGH_READS)) {
      const batch = 1 + next(next(10) === 0 ? 60 : 3);
      const records = scripts.flatMap(({ steps }, i) => Array.from({ length: batch }, (_, k) => {
        const { prefix, length, nexthop } = steps[(step + k) % STEPS]!;
        return route(vrfs[i]!, prefix, length, nexthop);
      }));
      Atomics.store(progress, BEGUN, step + batch);
      tables.applyAll(records);
      step += batch;
      Atomics.store(progress, DONE, step);
      tables.apply(floatingIp({ ...FIP, private: INNER[next(3)]! }));
      if (next(500) === 0) tables.applyAll(ballast(next(2) === 0 ? POPTRIE : RANGES, next(2) === 0 ? 0 : 3).filter((r) => isNews(tables, r)));
      if (next(2000) === 0) assert.is(tables.exports.convert(CONVERTED, next(3)), R.RESULT_OK);
      tables.exports.advance();
      waiting = Math.max(waiting, tables.exports.collect());
      if (step % 64 === 0) await new Promise((resolve) => setImmediate(resolve));
    }
  } finally {
    Atomics.store(progress, STOP, 1);
  }
  const judged = await Promise.all(verdicts);
  for (const verdict of judged) assert.is(verdict.problem, undefined);
  assert.ok(judged.some((v) => v.changedMeanwhile > 0), `some reads met a change: ${JSON.stringify(judged)}`);
  tables.reclaim();
  assert.is(tables.exports.collect(), 0);
  console.log(`${step} steps; readers: ${JSON.stringify(judged)}; at most ${waiting} bytes waited`);
});

for (const [name, kind, length] of [['an entry', L.LPM_DIR24, 24], ['an entry of a group', L.LPM_DIR24, 32], ['a leaf', L.LPM_POPTRIE, 14], ['a slot', L.LPM_POPTRIE, 24], ['a line', 0, 24], ['a result in a line', 0, 9]] as const) {
  test(`next hop and length of ${name} always belong together`, async () => {
    const tables = new Tables();
    const address = 0x0A200000;
    // The group of a host route has another one in it, so that it does not dissolve.
    tables.apply(vrf(1, kind), ...discards(1, 3), route(1, 0x0A000000, 8, 1), route(1, length === 32 ? 0x0A200080 : 0x0A200180, 25, 3));
    const progress = new Int32Array(new SharedArrayBuffer(4 * (READS + 1)));
    const prefix = (address & mask(length)) >>> 0;
    const leaves: [number, number] = [1 | (9 << L.LEAF_LENGTH_SHIFT), 2 | ((length + 1) << L.LEAF_LENGTH_SHIFT)];
    const worker = new Worker(new URL('./reader.ts', import.meta.url), {
      workerData: { memory: tables.memory, lcore: 0, progress, watch: { vrf: 1, address, leaves } },
    });
    let verdict: Verdict | undefined;
    const judged = once(worker, 'message').then(([message]) => void (verdict = message as Verdict));
    while (progress[READS] === 0 && verdict === undefined) await new Promise((resolve) => setTimeout(resolve, 20));
    const end = performance.now() + Number(values.seconds) * 1000;
    try {
      for (let round = 0; verdict === undefined && (round < 200 || performance.now() < end); round++) {
        for (let toggle = 0; toggle < 300; toggle++) {
          tables.apply(route(1, prefix, length, 2));
          tables.apply(route(1, prefix, length, 0));
        }
        tables.reclaim();
        await new Promise((resolve) => setImmediate(resolve));
      }
    } finally {
      Atomics.store(progress, STOP, 1);
    }
    await judged;
    assert.is(verdict?.problem, undefined);
  });
}

/** Withdrawals of what is not there are left out. */
function isNews(tables: Tables, record: PackedRecord): boolean {
  const view = new DataView(record.bytes.buffer);
  return view.getUint32(R.RT_NEXTHOP, true) !== 0 || tables.lookup(view.getUint32(R.RT_VRF, true), view.getUint32(R.RT_PREFIX))?.[1] === 24;
}

test.run();
