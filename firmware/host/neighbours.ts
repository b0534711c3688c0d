/** What the control side does to neighbours: forget those behind a port that went away. */
import { MAX_NEIGHBOURS, NB_FLAGS, NB_KEY, NB_MAC, NB_TRIES, NBF_STATIC, NEIGHBOUR_SHIFT, NEIGHBOURS } from '../../wasm-core/layout.ts';
import type { MemoryViews } from './memory.ts';

/**
 * Makes the learnt neighbours of interfaces unknown: whoever is behind the port when it comes back may be another, so the next
 * packet asks. Static ones, which the controller gave, stay.
 */
export function forgetNeighbours(views: MemoryViews, interfaces: ReadonlySet<number>): void {
  if (interfaces.size === 0) return;
  const macs = new BigUint64Array(views.u32.buffer);
  for (let i = 0; i < MAX_NEIGHBOURS; i++) {
    const at = NEIGHBOURS + i * 2 ** NEIGHBOUR_SHIFT;
    if (!interfaces.has(views.u32[(at + NB_KEY + 4) >>> 2] ?? 0)) continue;
    if (((views.u32[(at + NB_FLAGS) >>> 2] ?? 0) & NBF_STATIC) !== 0) continue;
    Atomics.store(macs, (at + NB_MAC) / 8, 0n);
    Atomics.store(views.u32, (at + NB_TRIES) >>> 2, 0);
  }
}
