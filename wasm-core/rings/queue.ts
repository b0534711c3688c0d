/**
 * A queue: the four AF_XDP rings of one socket, or memory rings of the same shape whose other end a pump or another queue
 * plays. Exactly one lcore (Q_LCORE) touches them. Producer and consumer indices run freely over u32.
 */
import {
  FRAMES, FRAME_BATCH, FRAME_OWNER, FRAME_SHIFT, FREE_CAPACITY, HEADER, H_FRAMES, LCORE_CONTROL, LC_FREE, LC_FREE_COUNT, LC_METAS, LC_META_COUNT,
  LC_TOUCHED, META_SIZE, M_FRAME, M_L3, M_LENGTH, M_RX_IF, QS_ACTIVE, QS_FREE, QUEUES, QUEUE_SHIFT, Q_COMPLETION, Q_FILL, Q_INTERFACE, Q_MASKS, Q_RX,
  Q_STATE, Q_TX, Q_TX_NEXT, Q_TX_PENDING, R_CONSUMER, R_DESC, R_PRODUCER, XDP_DESC_SHIFT,
} from '../layout';
import { DROP_DESCRIPTOR_INVALID, NODE_ETHERNET_INPUT } from '../generated';
import { drop, lcoreAt, listCount, listOf, setListCount } from '../nodes/graph';
import { chunkOf, emptyStack, giveFrame, refillStack, setOwner, spillStack, stockFrames } from './frames';
const CHUNK: u32 = 1 << (FRAME_SHIFT as u32);

@inline
export function queueAt(queue: u32): usize {
  return QUEUES + ((queue as usize) << QUEUE_SHIFT);
}

@inline
export function queueIndex(q: usize): u32 {
  return ((q - QUEUES) >> QUEUE_SHIFT) as u32;
}

/** Takes back frames that were sent. */
export function complete(lc: usize, q: usize): void {
  const consumerAt: usize = load<u32>(q, Q_COMPLETION + R_CONSUMER) as usize;
  const ring: usize = load<u32>(q, Q_COMPLETION + R_DESC) as usize;
  const mask: u32 = load<u32>(q, Q_MASKS + 12);
  const producer: u32 = atomic.load<u32>(load<u32>(q, Q_COMPLETION + R_PRODUCER) as usize);
  let consumer: u32 = load<u32>(consumerAt);
  const n: u32 = producer - consumer;
  if (n == 0) return;
  let held: u32 = load<u32>(lc, LC_FREE_COUNT);
  let free: usize = lc + ((held as usize) << 2);
  while (consumer != producer) {
    const chunk: usize = chunkOf(FRAMES + (load<u64>(ring + (((consumer & mask) as usize) << 3)) as usize));
    setOwner(chunk, 0);
    store<u32>(free, chunk as u32, LC_FREE);
    free += 4;
    held += 1;
    consumer += 1;
    if (held == FREE_CAPACITY) {
      store<u32>(lc, held, LC_FREE_COUNT);
      held = spillStack(lc, FRAME_BATCH);
      free = lc + ((held as usize) << 2);
    }
  }
  store<u32>(lc, held, LC_FREE_COUNT);
  atomic.store<u32>(consumerAt, consumer);
  store<u32>(q, load<u32>(q, Q_TX_PENDING) - n, Q_TX_PENDING);
}

/** Fills the fill ring as far as there are frames. */
export function fill(lc: usize, q: usize): void {
  const producerAt: usize = load<u32>(q, Q_FILL + R_PRODUCER) as usize;
  const ring: usize = load<u32>(q, Q_FILL + R_DESC) as usize;
  const mask: u32 = load<u32>(q, Q_MASKS + 8);
  const consumer: u32 = atomic.load<u32>(load<u32>(q, Q_FILL + R_CONSUMER) as usize);
  let producer: u32 = load<u32>(producerAt);
  let room: u32 = mask + 1 - (producer - consumer);
  if (room == 0) return;
  const owner: u32 = queueIndex(q) + 1;
  while (room != 0) {
    let held: u32 = load<u32>(lc, LC_FREE_COUNT);
    if (held == 0) {
      held = refillStack(lc);
      if (held == 0) break;
    }
    const n: u32 = room < held ? room : held;
    let free: usize = lc + LC_FREE + ((held as usize) << 2);
    const end: u32 = producer + n;
    while (producer != end) {
      free -= 4;
      const chunk: usize = load<u32>(free) as usize;
      setOwner(chunk, owner);
      store<u64>(ring + (((producer & mask) as usize) << 3), (chunk - FRAMES) as u64);
      producer += 1;
    }
    store<u32>(lc, held - n, LC_FREE_COUNT);
    room -= n;
  }
  atomic.store<u32>(producerAt, producer);
}

/** Takes up to `room` received frames into the vector; returns how many. */
export function receive(lc: usize, q: usize, room: u32): u32 {
  const consumerAt: usize = load<u32>(q, Q_RX + R_CONSUMER) as usize;
  const producer: u32 = atomic.load<u32>(load<u32>(q, Q_RX + R_PRODUCER) as usize);
  let consumer: u32 = load<u32>(consumerAt);
  let n: u32 = producer - consumer;
  if (n == 0) return 0;
  if (n > room) n = room;
  const ring: usize = load<u32>(q, Q_RX + R_DESC) as usize;
  const mask: u32 = load<u32>(q, Q_MASKS);
  const iface: u32 = load<u32>(q, Q_INTERFACE);
  const limit: usize = (load<u32>(HEADER, H_FRAMES) as usize) << FRAME_SHIFT;
  const first: u32 = load<u32>(lc, LC_META_COUNT);
  let meta: usize = lc + LC_METAS + (first as usize) * META_SIZE;
  const list: usize = listOf(lc, NODE_ETHERNET_INPUT);
  let out: usize = list + ((listCount(lc, NODE_ETHERNET_INPUT) as usize) << 2);
  let taken: u32 = 0;
  let touched: u32 = 0; // the headers are fetched while the meta records are made
  const end: u32 = consumer + n;
  while (consumer != end) {
    const desc: usize = ring + (((consumer & mask) as usize) << XDP_DESC_SHIFT);
    const offset: usize = load<u64>(desc) as usize;
    const length: u32 = load<u32>(desc, 8);
    consumer += 1;
    store<u64>(meta, ((FRAMES + offset) as u64) | (((length & 0xFFFF) as u64) << 32), M_L3); // and M_LENGTH
    store<u64>(meta, iface as u64, M_RX_IF); // M_FLAGS and M_VRF zero
    v128.store(meta, i64x2.splat(0), 16);
    v128.store(meta, i64x2.splat(0), 32);
    store<u64>(meta, 0, 48);
    store<u64>(meta, (chunkOf(FRAMES + offset) as u64) << 32, 56); // M_FRAME
    taken += 1;
    if (offset < limit) {
      touched ^= load<u32>(FRAMES + offset);
      store<u16>(FRAME_OWNER + ((offset >> FRAME_SHIFT) << 1), 0);
      if (length <= CHUNK - ((offset as u32) & (CHUNK - 1))) {
        store<u32>(out, meta as u32);
        out += 4;
        meta += META_SIZE;
        continue;
      }
    } else {
      store<u32>(meta, 0, M_FRAME); // not a frame of ours: nothing to keep and nothing to read
    }
    store<u16>(meta, 0, M_LENGTH);
    drop(lc, meta, DROP_DESCRIPTOR_INVALID);
    meta += META_SIZE;
  }
  atomic.store<u32>(consumerAt, consumer);
  store<u32>(lc, touched, LC_TOUCHED);
  store<u32>(lc, first + taken, LC_META_COUNT);
  setListCount(lc, NODE_ETHERNET_INPUT, ((out - list) >> 2) as u32);
  return taken;
}

/** A fresh queue, whose record the host has written: its fill ring is filled from the pool and it becomes active. */
export function queueStart(queue: u32): void {
  const lc: usize = lcoreAt(LCORE_CONTROL);
  const q: usize = queueAt(queue);
  store<u32>(q, 0, Q_TX_PENDING);
  store<u32>(q, load<u32>(load<u32>(q, Q_TX + R_PRODUCER) as usize), Q_TX_NEXT);
  stockFrames(lc, load<u32>(q, Q_MASKS + 8) + 1);
  fill(lc, q);
  emptyStack(lc);
  atomic.store<u32>(q + Q_STATE, QS_ACTIVE);
}

/**
 * The end of a queue, after its socket or pump is gone and every lcore has passed a quiescent point: whatever it held, in its
 * rings or in the kernel behind them, goes back to the pool. Returns how many frames.
 */
export function queueStop(queue: u32): u32 {
  const lc: usize = lcoreAt(LCORE_CONTROL);
  const q: usize = queueAt(queue);
  atomic.store<u32>(q + Q_STATE, QS_FREE);
  const owner: u32 = queue + 1;
  const frames: u32 = load<u32>(HEADER, H_FRAMES);
  let found: u32 = 0;
  for (let i: u32 = 0; i < frames; i++) {
    if (<u32>load<u16>(FRAME_OWNER + ((i as usize) << 1)) == owner) {
      setOwner(FRAMES + ((i as usize) << FRAME_SHIFT), 0);
      giveFrame(lc, FRAMES + ((i as usize) << FRAME_SHIFT));
      found += 1;
    }
  }
  emptyStack(lc);
  return found;
}
