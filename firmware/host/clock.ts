/** The core's clock: monotonic microseconds in a word of each lcore, the same in every thread. */
import { LC_NOW_US, LCORE_SHIFT, LCORES } from '../../wasm-core/layout.ts';
import type { MemoryViews } from './memory.ts';

/** performance.now() counts from the start of a thread; the difference to the system's clock, once a thread. */
const OFFSET_US = Number(process.hrtime.bigint() / 1000n) - performance.now() * 1000;

/** Monotonic microseconds. */
export const clockUs = (): number => performance.now() * 1000 + OFFSET_US;

/** Writes the time of now for an lcore, as two words: no BigInt per run. Returns it, microseconds. */
export function writeClock(views: MemoryViews, lcore: number): number {
  const now = clockUs();
  const word = (LCORES + lcore * 2 ** LCORE_SHIFT + LC_NOW_US) >>> 2;
  const high = Math.floor(now / 0x100000000);
  views.u32[word + 1] = high;
  views.u32[word] = now - high * 0x100000000;
  return now;
}
