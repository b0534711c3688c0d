/** An lcore that only reads: looks addresses up while the test's main thread writes, and judges each answer. */
import { parentPort, workerData } from 'node:worker_threads';
import * as L from '../../../wasm-core/layout.ts';
import { networkOrder, Tables } from './harness.ts';

/** What main thread and readers share beside the tables. */
export type Shared = {
  memory: WebAssembly.Memory;
  lcore: number;
  /** Steps begun, steps done, stop, then the reads of each reader. */
  progress: Int32Array;
  /** Right answers (LEAF_*): by step modulo `steps`, then by address; one block of them for each of `vrfs`. */
  answers: Uint32Array;
  steps: number;
  addresses: number[];
  vrfs: number[];
  /** A floating IP that is always there: its interface and address, and the pairs (private address, delta) that it takes on. */
  fip: { interface: number; public: number; pairs: [number, number][] };
  /** Instead of all that: one address, and the two results (LEAF_*) that it ever has. */
  watch?: { vrf: number; address: number; leaves: [number, number] };
};
export const BEGUN = 0;
export const DONE = 1;
export const STOP = 2;
export const READS = 3;

export type Verdict = { reads: number; changedMeanwhile: number; problem?: string | undefined };

const VECTOR = 32;
const WATCHED = 5000;

function read(shared: Shared): Verdict {
  const tables = new Tables({ memory: shared.memory });
  const words = new Int32Array(shared.memory.buffer);
  const lc = L.LCORES + shared.lcore * 2 ** L.LCORE_SHIFT;
  const pass = (): void => void Atomics.store(words, (lc + L.LC_EPOCH) >> 2, Atomics.load(words, (L.HEADER + L.H_EPOCH) >> 2));
  const verdict: Verdict = { reads: 0, changedMeanwhile: 0 };
  Atomics.store(words, (lc + L.LC_STATE) >> 2, L.LCORE_RUNNING);
  pass();
  while (verdict.problem === undefined && Atomics.load(shared.progress, STOP) === 0) {
    if (shared.watch !== undefined) verdict.problem = watch(tables, shared.watch);
    for (let i = 0; shared.watch === undefined && i < VECTOR && verdict.problem === undefined; i++) {
      const vrf = verdict.reads % shared.vrfs.length;
      const index = Math.floor(verdict.reads / shared.vrfs.length) % shared.addresses.length;
      verdict.problem = judgeRoute(shared, tables, vrf, index, verdict) ?? judgeFip(shared, tables);
      verdict.reads++;
    }
    if (shared.watch !== undefined) verdict.reads += WATCHED;
    pass();
    Atomics.store(shared.progress, READS + shared.lcore, verdict.reads % 2 ** 31);
  }
  Atomics.store(words, (lc + L.LC_STATE) >> 2, L.LCORE_STOPPED);
  return verdict;
}

function watch(tables: Tables, { vrf, address, leaves }: NonNullable<Shared['watch']>): string | undefined {
  const wrong = tables.exports.watchLookup(vrf, networkOrder(address), leaves[0], leaves[1], WATCHED) >>> 0;
  return wrong === 0 ? undefined : `next hop ${wrong & L.LEAF_NH_MASK} with length + 1 ${wrong >>> 24}`;
}

/** The answer must have been right at some step between what was done before the read and what had begun after it. */
function judgeRoute(shared: Shared, tables: Tables, vrf: number, index: number, verdict: Verdict): string | undefined {
  const { progress, answers, steps, addresses } = shared;
  const from = Atomics.load(progress, DONE);
  const leaf = tables.exports.lookup(shared.vrfs[vrf]!, networkOrder(addresses[index]!)) >>> 0;
  const to = Atomics.load(progress, BEGUN);
  if (to !== from) verdict.changedMeanwhile++;
  for (let step = from; step <= to; step++) {
    if (answers[(vrf * steps + (step % steps)) * addresses.length + index] === leaf) return undefined;
  }
  return `VRF ${shared.vrfs[vrf]}, address ${addresses[index]!.toString(16)}, steps ${from} to ${to}: next hop ${leaf & L.LEAF_NH_MASK}, length + 1 ${leaf >>> 24}`;
}

function judgeFip(shared: Shared, tables: Tables): string | undefined {
  const { fip } = shared;
  const lane = tables.exports.fipPublic(fip.interface, networkOrder(fip.public));
  if (lane === 0) return 'the floating IP was gone for a moment';
  const inner = tables.view.getUint32(lane + L.FIP_NEW);
  const delta = tables.u32(lane + L.FIP_DELTA);
  if (fip.pairs.some(([address, sum]) => address === inner && sum === delta)) return undefined;
  return `floating IP to ${inner.toString(16)} with the delta ${delta.toString(16)} of another`;
}

if (parentPort !== null) parentPort.postMessage(read(workerData as Shared));
