/** Where the bench's own data lies: in the range that layout.ts reserves for flows. The bench's TypeScript reads this file too. */

/** Frames that the harness feeds: u32 length, u32 queue, then the frame from POOL_DATA on. */
export const POOL: usize = 0xE0000000;
export const POOL_ENTRY: usize = 192;
export const POOL_LENGTH: usize = 0;
export const POOL_QUEUE: usize = 4;
export const POOL_DATA: usize = 16;
/** Keys for the lookup loops. */
export const KEYS: usize = 0xE4000000;
/** What is read to evict everything else. */
export const SWEEP: usize = 0xF0000000;
export const SWEEP_SIZE: usize = 0x04000000;
