/** The core's clock: monotonic microseconds in a word of each lcore, the same in every thread. */
import { hrtime } from 'node:process';
import { LC_NOW_US, LCORE_SHIFT, LCORES } from '../../wasm-core/layout.ts';
import type { MemoryViews } from './memory.ts';

/** Monotonic microseconds, the system's. */
export function clockUs(): number {
  const [seconds, nanoseconds] = hrtime(); // performance.now() checks more than it reads, and counts from the start of a thread
  return seconds * 1e6 + nanoseconds / 1000;
}

/** Writes the time of now for an lcore, as two words: no BigInt per run. Returns it, microseconds. */
export function writeClock(views: MemoryViews, lcore: number): number {
  const now = clockUs();
  const word = (LCORES + (lcore << LCORE_SHIFT) + LC_NOW_US) >>> 2;
  const high = Math.floor(now / 0x100000000);
  views.u32[word + 1] = high;
  views.u32[word] = now - high * 0x100000000;
  return now;
}
