/** The core's ABI: docs/core-abi.md. */
import { LAYOUT_VERSION } from './layout';

export { announce } from './nodes/announce';
export { reclaim, run, trace } from './nodes/run';
export { poolInit } from './rings/frames';
export { absorb, generate } from './rings/generator';
export { queueStart, queueStop } from './rings/queue';
export * from './tables/control';
export * from './tables/bench';

/** The memory map that this core was built for. */
export function version(): u32 {
  return LAYOUT_VERSION;
}
