/**
 * The far end of the rings, for the bench: feeds frames of a pool into receive rings and takes away what was transmitted. It is
 * compiled like the core (asc for one side, translator and gcc for the other), so both sides have the same harness.
 *
 * The pool lies where layout.ts reserves memory for flows: one entry of POOL_ENTRY bytes per frame.
 */
import {
  FRAME_HEADROOM, FRAMES, LC_QUEUE_COUNT, LC_QUEUES, LCORES, Q_COMPLETION, Q_FILL, Q_MASKS, Q_RX, Q_TX, QUEUE_SHIFT, QUEUES, R_CONSUMER, R_DESC, R_PRODUCER,
} from '../../../wasm-core/layout';
import { POOL, POOL_DATA, POOL_ENTRY, POOL_LENGTH, POOL_QUEUE, SWEEP, SWEEP_SIZE } from './pool';

/** Word that one of a queue's ring pointers points at. */
@inline
function ringWord(q: usize, ring: usize, word: usize): usize {
  return load<u32>(q + ring + word) as usize;
}

/** Hands `count` frames of the pool, from `first` on, to the receive rings of their queues; returns how many found a buffer. */
export function refill(first: u32, count: u32): u32 {
  let entry: usize = POOL + (first as usize) * POOL_ENTRY;
  for (let i: u32 = 0; i < count; i++) {
    const q: usize = QUEUES + ((load<u32>(entry, POOL_QUEUE) as usize) << QUEUE_SHIFT);
    const length: u32 = load<u32>(entry, POOL_LENGTH);

    const fillConsumer: usize = ringWord(q, Q_FILL, R_CONSUMER);
    const taken: u32 = load<u32>(fillConsumer);
    if (taken == load<u32>(ringWord(q, Q_FILL, R_PRODUCER))) return i;
    const buffer: usize = ringWord(q, Q_FILL, R_DESC) + (((taken & load<u32>(q, Q_MASKS + 8)) as usize) << 3);
    const offset: u64 = (load<u64>(buffer) & ~2047) + (FRAME_HEADROOM as u64);
    store<u32>(fillConsumer, taken + 1);

    memory.copy(FRAMES + (offset as usize), entry + POOL_DATA, length as usize);

    const rxProducer: usize = ringWord(q, Q_RX, R_PRODUCER);
    const produced: u32 = load<u32>(rxProducer);
    const desc: usize = ringWord(q, Q_RX, R_DESC) + (((produced & load<u32>(q, Q_MASKS)) as usize) << 4);
    store<u64>(desc, offset);
    store<u64>(desc, length as u64, 8);
    store<u32>(rxProducer, produced + 1);
    entry += POOL_ENTRY;
  }
  return count;
}

/** FNV-like, eight bytes at a time: order matters, every bit counts. */
@inline
function mix(hash: u64, word: u64): u64 {
  return rotl<u64>((hash ^ word) * 0x9E3779B97F4A7C15, 29);
}

function hashOf(address: usize, bytes: u32, seed: u64): u64 {
  let hash: u64 = seed;
  let at: usize = address;
  const words: u32 = bytes >> 3;
  for (let i: u32 = 0; i < words; i++) {
    hash = mix(hash, load<u64>(at));
    at += 8;
  }
  for (let i: u32 = words << 3; i < bytes; i++) {
    hash = mix(hash, load<u8>(at));
    at += 1;
  }
  return hash;
}

/** Hash of a range of the memory: counters, tables. */
export function hashRange(address: u32, bytes: u32): u64 {
  return hashOf(address as usize, bytes, 1);
}

/** Completes all that lies in the transmit rings of lcore 0's queues; returns how many frames. */
export function drain(): u32 {
  return complete();
}

/** As drain; returns a hash over queues, descriptors and frames. */
export function drainHash(seed: u32): u64 {
  let hash: u64 = seed;
  const queues: u32 = load<u32>(LCORES, LC_QUEUE_COUNT);
  for (let i: u32 = 0; i < queues; i++) {
    const q: usize = queueAt(i);
    const ring: usize = ringWord(q, Q_TX, R_DESC);
    const mask: u32 = load<u32>(q, Q_MASKS + 4);
    const producer: u32 = load<u32>(ringWord(q, Q_TX, R_PRODUCER));
    for (let at: u32 = load<u32>(ringWord(q, Q_TX, R_CONSUMER)); at != producer; at++) {
      const desc: usize = ring + (((at & mask) as usize) << 4);
      const offset: u64 = load<u64>(desc);
      const length: u32 = load<u32>(desc, 8);
      hash = mix(mix(hash, offset), ((i as u64) << 32) | (length as u64));
      hash = hashOf(FRAMES + (offset as usize), length, hash);
    }
  }
  complete();
  return hash;
}

@inline
function queueAt(place: u32): usize {
  return QUEUES + ((load<u16>(LCORES + ((place as usize) << 1), LC_QUEUES) as usize) << QUEUE_SHIFT);
}

function complete(): u32 {
  let count: u32 = 0;
  const queues: u32 = load<u32>(LCORES, LC_QUEUE_COUNT);
  for (let i: u32 = 0; i < queues; i++) {
    const q: usize = queueAt(i);
    const tx: usize = ringWord(q, Q_TX, R_DESC);
    const txMask: u32 = load<u32>(q, Q_MASKS + 4);
    const producer: u32 = load<u32>(ringWord(q, Q_TX, R_PRODUCER));
    const completion: usize = ringWord(q, Q_COMPLETION, R_DESC);
    const completionMask: u32 = load<u32>(q, Q_MASKS + 12);
    const doneAt: usize = ringWord(q, Q_COMPLETION, R_PRODUCER);
    let done: u32 = load<u32>(doneAt);
    let at: u32 = load<u32>(ringWord(q, Q_TX, R_CONSUMER));
    while (at != producer) {
      const offset: u64 = load<u64>(tx + (((at & txMask) as usize) << 4));
      store<u64>(completion + (((done & completionMask) as usize) << 3), offset);
      at += 1;
      done += 1;
      count += 1;
    }
    store<u32>(ringWord(q, Q_TX, R_CONSUMER), at);
    store<u32>(doneAt, done);
  }
  return count;
}

/** Reads and writes SWEEP_SIZE bytes, so that caches hold nothing else. */
export function sweep(): void {
  for (let at: usize = SWEEP; at < SWEEP + SWEEP_SIZE; at += 64) store<u64>(at, load<u64>(at) + 1);
}
