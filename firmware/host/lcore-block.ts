/**
 * What an lcore and the main thread share besides the data plane's memory: one small block per lcore, which outlives the
 * worker that runs it. The words are Int32 and used with Atomics; the statistics are doubles with one writer.
 */
import { MAX_WORKERS } from '../../wasm-core/layout.ts';

const BLOCK_BYTES = 256;
const STATISTICS = 128; // byte offset of the doubles

/** AWAKE, WAITING (in Atomics.wait on this word) or POLLING (in poll, eventfd wakes it). */
export const B_SLEEP = 0;
/** Raised with every configuration posted; the lcore answers by B_CONFIG_SEEN. */
export const B_CONFIG = 1;
export const B_CONFIG_SEEN = 2;
/** 1: leave the loop. */
export const B_STOP = 3;
/** Kernel's id of the worker's thread, 0 = unknown. */
export const B_THREAD = 4;
/** eventfd that ends its poll, -1 = none. */
export const B_EVENT_FD = 5;
/** Traps that the worker has overcome by itself. */
export const B_TRAPS = 6;
/** Spare workers wait here for an assignment: lcore + 1. */
export const B_ASSIGNED = 7;

export const AWAKE = 0;
export const WAITING = 1;
export const POLLING = 2;

export const S_RUNS = 0;
export const S_PACKETS = 1;
export const S_POLLS = 2;
export const S_KICKS = 3;
/** Last restart: milliseconds without forwarding. */
export const S_GAP_MS = 4;
/** When the lcore that a worker takes over was last seen to run (clockUs); 0 = the worker has taken over. */
export const S_DOWN_SINCE_US = 5;
/** Last change of its core: microseconds between the last run of the old one and the first of the new one. */
export const S_CORE_PAUSE_US = 6;

export interface LcoreBlock {
  readonly words: Int32Array<SharedArrayBuffer>;
  readonly statistics: Float64Array<SharedArrayBuffer>;
}

export const createBlocks = (): SharedArrayBuffer => new SharedArrayBuffer(BLOCK_BYTES * MAX_WORKERS);

export function blockOf(blocks: SharedArrayBuffer, lcore: number): LcoreBlock {
  return {
    words: new Int32Array(blocks, lcore * BLOCK_BYTES, STATISTICS / 4),
    statistics: new Float64Array(blocks, lcore * BLOCK_BYTES + STATISTICS, (BLOCK_BYTES - STATISTICS) / 8),
  };
}

/**
 * Wakes a sleeping lcore. Whoever gives it work calls this *after* the work is visible; the lcore says that it sleeps *before*
 * it looks for work a last time: so no wake-up is lost.
 */
export function wakeLcore(block: LcoreBlock, signal: (eventFd: number) => void): void {
  const sleep = Atomics.load(block.words, B_SLEEP);
  if (sleep === AWAKE) return;
  if (Atomics.exchange(block.words, B_SLEEP, AWAKE) === AWAKE) return; // somebody else just did
  if (sleep === WAITING) Atomics.notify(block.words, B_SLEEP);
  else signal(Atomics.load(block.words, B_EVENT_FD));
}
