/**
 * The rings of a queue whose other end we play ourselves (every driver but AF_XDP): the same four rings, in the queue's slot.
 * The core is the kernel's *user*; a pump is the kernel: it produces RX and COMPLETION, and consumes FILL and TX.
 */
import {
  FRAME_CAPACITY, FRAME_HEADROOM, FRAME_SHIFT, FRAMES, Q_COMPLETION, Q_FILL, Q_FLAGS, Q_INTERFACE, Q_LCORE, Q_MASKS, Q_RX, Q_STATE, Q_TX, QF_KERNEL, QS_FREE, QUEUE_SHIFT,
  QUEUES, R_CONSUMER, R_DESC, R_FLAGS, R_PRODUCER, RING_COMPLETION, RING_FILL, RING_MAX_ENTRIES, RING_RX, RING_SLOT_SHIFT, RING_TX, RINGS,
} from '../../wasm-core/layout.ts';
import type { MemoryViews } from '../host/memory.ts';
import type { XdpRing } from '../linux/xdp-socket.ts';

export type RingName = 'rx' | 'tx' | 'fill' | 'completion';
export type RingEntries = Readonly<Record<RingName, number>>;

const RECORD: Readonly<Record<RingName, { readonly field: number; readonly mask: number; readonly place: number }>> = {
  rx: { field: Q_RX, mask: Q_MASKS, place: RING_RX },
  tx: { field: Q_TX, mask: Q_MASKS + 4, place: RING_TX },
  fill: { field: Q_FILL, mask: Q_MASKS + 8, place: RING_FILL },
  completion: { field: Q_COMPLETION, mask: Q_MASKS + 12, place: RING_COMPLETION },
};
const RING_NAMES = Object.keys(RECORD) as RingName[];
/** Producer, consumer and flags each have a cache line; descriptors follow. */
const CONSUMER_AT = 64;
const FLAGS_AT = 128;
const DESCRIPTORS_AT = 192;
/** What a pump lost, a double beside the flags: frames that found no room (in the receive ring's pages), frames that were not taken (transmit). */
const LOST_AT = 136;

export const slotOf = (queue: number): number => RINGS + queue * 2 ** RING_SLOT_SHIFT;
export const SLOT_BYTES = 2 ** RING_SLOT_SHIFT;
export const recordOf = (queue: number): number => QUEUES + (queue << QUEUE_SHIFT);
/** Address in the memory of a queue's ring. */
export const ringPlace = (queue: number, ring: RingName): number => slotOf(queue) + RECORD[ring].place;

/** Writes a queue's record with its rings; the core's `queueStart` makes it active. */
function writeRecord(views: MemoryViews, queue: number, lcore: number, flags: number, rings: Readonly<Record<RingName, XdpRing>>): void {
  const record = recordOf(queue);
  const word = (offset: number, value: number): void => {
    views.u32[(record + offset) >>> 2] = value;
  };
  for (let i = 0; i < 1 << QUEUE_SHIFT; i += 4) word(i, 0);
  word(Q_STATE, QS_FREE);
  word(Q_INTERFACE, 0);
  word(Q_LCORE, lcore);
  word(Q_FLAGS, flags);
  for (const name of RING_NAMES) {
    const { field, mask } = RECORD[name];
    const ring = rings[name];
    word(field + R_PRODUCER, ring.producer);
    word(field + R_CONSUMER, ring.consumer);
    word(field + R_FLAGS, ring.flags);
    word(field + R_DESC, ring.descriptors);
    word(mask, ring.entries - 1);
  }
}

/** Empty rings in the queue's slot, for a pump to play the kernel. Entries are powers of two up to RING_MAX_ENTRIES. */
export function writePumpedQueue(views: MemoryViews, queue: number, lcore: number, entries: RingEntries): void {
  const rings = Object.fromEntries(RING_NAMES.map((name) => {
    if (entries[name] > RING_MAX_ENTRIES) throw new RangeError(`${name} ring of ${entries[name]} entries: at most ${RING_MAX_ENTRIES}`);
    const place = ringPlace(queue, name);
    views.u8.fill(0, place, place + DESCRIPTORS_AT);
    return [name, { producer: place, consumer: place + CONSUMER_AT, flags: place + FLAGS_AT, descriptors: place + DESCRIPTORS_AT, entries: entries[name] }];
  })) as Record<RingName, XdpRing>;
  writeRecord(views, queue, lcore, 0, rings);
}

/** Rings that the kernel laid into the slot; their addresses are of the process, `base` is the memory's. */
export function writeKernelQueue(views: MemoryViews, queue: number, lcore: number, rings: Readonly<Record<RingName, XdpRing>>, base: number): void {
  const inside = Object.fromEntries(RING_NAMES.map((name) => {
    const ring = rings[name];
    return [name, {
      producer: ring.producer - base, consumer: ring.consumer - base, flags: ring.flags - base, descriptors: ring.descriptors - base, entries: ring.entries,
    }];
  })) as Record<RingName, XdpRing>;
  writeRecord(views, queue, lcore, QF_KERNEL, inside);
}

/**
 * Touches the empty frames that a queue was given: what the kernel takes to find memory for them (milliseconds for a huge page) is not
 * taken from an lcore in mid-forwarding, where its watchdog would have to wonder. Only while nobody uses the queue.
 */
export function touchFrames(views: MemoryViews, queue: number): void {
  const { producer, descriptors, mask } = ringWords(views, queue, 'fill');
  const given = Math.min(views.u32[producer] ?? 0, mask + 1);
  for (let slot = 0; slot < given; slot++) views.u8[FRAMES + (views.u32[descriptors + slot * 2] ?? 0)] = 0;
}

/** Indices are u32 that run freely: their difference modulo 2^32. */
const distance = (producer: number, consumer: number): number => (producer - consumer) >>> 0;

/** The kernel's side of one queue's rings, for a pump. All addresses are in the memory, in bytes. */
export class KernelSide {
  readonly queue: number;
  readonly #views: MemoryViews;
  readonly #rx: RingWords;
  readonly #tx: RingWords;
  readonly #fill: RingWords;
  readonly #completion: RingWords;
  readonly #lost: Readonly<Record<'rx' | 'tx', Float64Array>>;

  constructor(views: MemoryViews, queue: number) {
    this.queue = queue;
    this.#views = views;
    this.#rx = ringWords(views, queue, 'rx');
    this.#tx = ringWords(views, queue, 'tx');
    this.#fill = ringWords(views, queue, 'fill');
    this.#completion = ringWords(views, queue, 'completion');
    this.#lost = { rx: lostCounter(views, queue, 'rx'), tx: lostCounter(views, queue, 'tx') };
  }

  /** Counts frames that came and were not received. */
  countMissed(frames: number): void {
    this.#lost.rx[0]! += frames;
  }

  /** Counts frames of the transmit ring that went nowhere. */
  countRefused(frames: number): void {
    this.#lost.tx[0]! += frames;
  }

  /** How many frames can be received now: empty frames there, and room for their descriptors. */
  room(): number {
    const { i32 } = this.#views;
    const empty = distance(Atomics.load(i32, this.#fill.producer), i32[this.#fill.consumer] ?? 0);
    const used = distance(i32[this.#rx.producer] ?? 0, Atomics.load(i32, this.#rx.consumer));
    return Math.min(empty, this.#rx.mask + 1 - used);
  }

  /** Address where the data of the `ahead`-th next received frame goes; FRAME_CAPACITY bytes are there. Within room() only. */
  place(ahead: number): number {
    const slot = ((this.#views.i32[this.#fill.consumer] ?? 0) + ahead) & this.#fill.mask;
    const offset = this.#views.u32[this.#fill.descriptors + slot * 2] ?? 0;
    return FRAMES + (offset & ~((1 << FRAME_SHIFT) - 1)) + FRAME_HEADROOM;
  }

  /** Writes the descriptor of the `ahead`-th next received frame, whose data begins at `address`. */
  describe(ahead: number, address: number, length: number): void {
    const { u32, i32 } = this.#views;
    const entry = this.#rx.descriptors + (((i32[this.#rx.producer] ?? 0) + ahead) & this.#rx.mask) * 4;
    u32[entry] = address - FRAMES;
    u32[entry + 1] = 0;
    u32[entry + 2] = length;
    u32[entry + 3] = 0;
  }

  /** Hands `count` described frames to the core. */
  deliver(count: number): void {
    const { i32 } = this.#views;
    Atomics.add(i32, this.#fill.consumer, count);
    Atomics.add(i32, this.#rx.producer, count);
  }

  /** Frames that the core wants to have sent. */
  waiting(): number {
    const { i32 } = this.#views;
    const waiting = distance(Atomics.load(i32, this.#tx.producer), i32[this.#tx.consumer] ?? 0);
    const used = distance(i32[this.#completion.producer] ?? 0, Atomics.load(i32, this.#completion.consumer));
    return Math.min(waiting, this.#completion.mask + 1 - used);
  }

  /** Data address of the `ahead`-th frame to send. */
  outAddress(ahead: number): number {
    return FRAMES + (this.#views.u32[this.#outEntry(ahead)] ?? 0);
  }

  outLength(ahead: number): number {
    return this.#views.u32[this.#outEntry(ahead) + 2] ?? 0;
  }

  /** Gives `count` sent frames back to the core. */
  completed(count: number): void {
    const { i32, u32 } = this.#views;
    const producer = i32[this.#completion.producer] ?? 0;
    for (let i = 0; i < count; i++) {
      const entry = this.#completion.descriptors + ((producer + i) & this.#completion.mask) * 2;
      u32[entry] = u32[this.#outEntry(i)] ?? 0;
      u32[entry + 1] = 0;
    }
    Atomics.add(i32, this.#completion.producer, count);
    Atomics.add(i32, this.#tx.consumer, count);
  }

  #outEntry(ahead: number): number {
    return this.#tx.descriptors + (((this.#views.i32[this.#tx.consumer] ?? 0) + ahead) & this.#tx.mask) * 4;
  }
}

/** Greatest Ethernet frame that fits a frame's chunk. */
export const MAX_FRAME_BYTES = FRAME_CAPACITY;

/** Indices into the 32-bit views. */
interface RingWords {
  readonly producer: number;
  readonly consumer: number;
  readonly descriptors: number;
  readonly mask: number;
}

function ringWords(views: MemoryViews, queue: number, name: RingName): RingWords {
  const { field, mask } = RECORD[name];
  const word = (offset: number): number => views.u32[(recordOf(queue) + offset) >>> 2] ?? 0;
  return {
    producer: word(field + R_PRODUCER) >>> 2, consumer: word(field + R_CONSUMER) >>> 2, descriptors: word(field + R_DESC) >>> 2, mask: word(mask),
  };
}

const lostCounter = (views: MemoryViews, queue: number, ring: 'rx' | 'tx'): Float64Array => new Float64Array(views.memory.buffer, ringPlace(queue, ring) + LOST_AT, 1);

/** Frames that the pump of a queue lost since the port was opened. */
export function pumpLosses(views: MemoryViews, queue: number): { missed: number; txErrors: number } {
  return { missed: lostCounter(views, queue, 'rx')[0] ?? 0, txErrors: lostCounter(views, queue, 'tx')[0] ?? 0 };
}

/** True while the core has put frames into a queue's transmit ring that its other end has not taken. */
export function transmitWaiting(views: MemoryViews, queue: number): boolean {
  const word = (offset: number): number => views.u32[(recordOf(queue) + offset) >>> 2] ?? 0;
  const producer = Atomics.load(views.i32, word(Q_TX + R_PRODUCER) >>> 2);
  return producer !== Atomics.load(views.i32, word(Q_TX + R_CONSUMER) >>> 2);
}
