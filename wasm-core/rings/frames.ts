/**
 * Frames: 2048-byte chunks that belong at any time to exactly one of: an lcore's stack, the pool, a fill or transmit ring
 * (and the kernel behind it), a packet in flight or held. Stacks and pool exchange FRAME_BATCH at once, so an lcore touches
 * the shared lock once per some hundred packets.
 */
import {
  FP_COUNT, FP_FRAMES, FP_LOCK, FRAME_BATCH, FRAME_OWNER, FRAME_POOL, FRAME_SHIFT, FRAMES, FREE_CAPACITY, H_FRAMES, HEADER, LC_FREE, LC_FREE_COUNT,
} from '../layout';
import { lcoreOf } from '../nodes/graph';

/** First byte of the chunk that an address lies in. */
@inline
export function chunkOf(address: usize): usize {
  return address & ~(((1 as usize) << FRAME_SHIFT) - 1);
}

/** Who has it: queue + 1, or 0 for the core. */
@inline
export function setOwner(chunk: usize, owner: u32): void {
  store<u16>(FRAME_OWNER + (((chunk - FRAMES) >> FRAME_SHIFT) << 1), owner as u16);
}

/** Gives every frame of the profile to the pool. */
export function poolInit(frames: u32): void {
  store<u32>(HEADER, frames, H_FRAMES);
  store<u32>(FRAME_POOL, 0, FP_LOCK);
  for (let i: u32 = 0; i < frames; i++) {
    // Lowest address on top of the stack: what is used most lies together.
    store<u32>(FRAME_POOL + FP_FRAMES + ((i as usize) << 2), (FRAMES as u32) + ((frames - 1 - i) << (FRAME_SHIFT as u32)));
  }
  store<u32>(FRAME_POOL, frames, FP_COUNT);
}

function poolLock(owner: u32): void {
  while (atomic.cmpxchg<u32>(FRAME_POOL + FP_LOCK, 0, owner) != 0) {}
}

@inline
function poolUnlock(): void {
  atomic.store<u32>(FRAME_POOL + FP_LOCK, 0);
}

/** Releases the lock that a dead lcore may have held. What it moved is then either in its stack or in the pool, by the count alone. */
export function poolRelease(lc: usize): void {
  atomic.cmpxchg<u32>(FRAME_POOL + FP_LOCK, lcoreOf(lc) + 1, 0);
}

export function refillStack(lc: usize): u32 {
  poolLock(lcoreOf(lc) + 1);
  const available: u32 = load<u32>(FRAME_POOL, FP_COUNT);
  const held: u32 = load<u32>(lc, LC_FREE_COUNT);
  const n: u32 = available < FRAME_BATCH ? available : FRAME_BATCH;
  memory.copy(lc + LC_FREE + ((held as usize) << 2), FRAME_POOL + FP_FRAMES + (((available - n) as usize) << 2), (n as usize) << 2);
  store<u32>(FRAME_POOL, available - n, FP_COUNT);
  store<u32>(lc, held + n, LC_FREE_COUNT);
  poolUnlock();
  return held + n;
}

export function spillStack(lc: usize, n: u32): u32 {
  poolLock(lcoreOf(lc) + 1);
  const available: u32 = load<u32>(FRAME_POOL, FP_COUNT);
  const held: u32 = load<u32>(lc, LC_FREE_COUNT);
  memory.copy(FRAME_POOL + FP_FRAMES + ((available as usize) << 2), lc + LC_FREE + (((held - n) as usize) << 2), (n as usize) << 2);
  store<u32>(lc, held - n, LC_FREE_COUNT);
  store<u32>(FRAME_POOL, available + n, FP_COUNT);
  poolUnlock();
  return held - n;
}

/** A free chunk, 0 when there is none anywhere. */
export function takeFrame(lc: usize): usize {
  let count: u32 = load<u32>(lc, LC_FREE_COUNT);
  if (count == 0) {
    count = refillStack(lc);
    if (count == 0) return 0;
  }
  count -= 1;
  store<u32>(lc, count, LC_FREE_COUNT);
  return load<u32>(lc + LC_FREE + ((count as usize) << 2)) as usize;
}

/** Takes a chunk back (any address in it). */
@inline
export function giveFrame(lc: usize, address: usize): void {
  const count: u32 = load<u32>(lc, LC_FREE_COUNT);
  store<u32>(lc + LC_FREE + ((count as usize) << 2), chunkOf(address) as u32);
  store<u32>(lc, count + 1, LC_FREE_COUNT);
  if (count + 1 >= FREE_CAPACITY) spillStack(lc, FRAME_BATCH);
}

/** Once a round: an lcore that mostly transmits what others received must not hoard their frames. */
@inline
export function balanceFrames(lc: usize): void {
  const count: u32 = load<u32>(lc, LC_FREE_COUNT);
  if (count > 4 * FRAME_BATCH) spillStack(lc, count - 2 * FRAME_BATCH);
}

/** Makes sure that `wanted` frames can be taken without asking the pool each time; returns how many there are. */
export function stockFrames(lc: usize, wanted: u32): u32 {
  let count: u32 = load<u32>(lc, LC_FREE_COUNT);
  while (count < wanted) {
    const now: u32 = refillStack(lc);
    if (now == count) break;
    count = now;
  }
  return count;
}

/** Returns all of an lcore's stack to the pool (its lcore is gone or idle for good). */
export function emptyStack(lc: usize): void {
  const count: u32 = load<u32>(lc, LC_FREE_COUNT);
  if (count != 0) spillStack(lc, count);
}
