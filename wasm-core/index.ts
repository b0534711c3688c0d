/** The core's ABI: docs/core-abi.md. */
export { announce } from './nodes/announce';
export { reclaim, run, trace } from './nodes/run';
export { poolInit } from './rings/frames';
export { queueStart, queueStop } from './rings/queue';
export * from './tables/control';
export * from './tables/bench';
