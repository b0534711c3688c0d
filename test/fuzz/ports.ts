/**
 * The far side of every queue's rings, without a copy or an allocation per frame: frames are made in the very chunks that the
 * core put into its fill rings.
 */
import * as L from '../../wasm-core/layout.ts';

interface Ring {
  /** Indices of 32-bit words: producer, consumer, first descriptor. */
  readonly producer: number;
  readonly consumer: number;
  readonly descriptors: number;
  readonly mask: number;
}

export class FuzzPort {
  readonly interface: number;
  readonly rx: Ring;
  readonly tx: Ring;
  readonly fill: Ring;
  readonly completion: Ring;
  readonly #words: Uint32Array;

  /** @param queue index of a queue that the core serves */
  constructor(words: Uint32Array, queue: number) {
    this.#words = words;
    const record = (L.QUEUES + queue * 2 ** L.QUEUE_SHIFT) / 4;
    const word = (at: number): number => words[at] ?? 0;
    const ring = (offset: number, index: number): Ring => ({
      producer: word(record + (offset + L.R_PRODUCER) / 4) / 4,
      consumer: word(record + (offset + L.R_CONSUMER) / 4) / 4,
      descriptors: word(record + (offset + L.R_DESC) / 4) / 4,
      mask: word(record + L.Q_MASKS / 4 + index),
    });
    this.interface = word(record + L.Q_INTERFACE / 4);
    this.rx = ring(L.Q_RX, 0);
    this.tx = ring(L.Q_TX, 1);
    this.fill = ring(L.Q_FILL, 2);
    this.completion = ring(L.Q_COMPLETION, 3);
  }

  /** Entries that the producer has put in and the consumer has not taken out. */
  waiting(ring: Ring): number {
    return ((this.#words[ring.producer] ?? 0) - (this.#words[ring.consumer] ?? 0)) >>> 0;
  }

  /** Takes a chunk from the fill ring: its address, or 0 when there is none or the receive ring is full. */
  takeChunk(): number {
    if (this.waiting(this.fill) === 0 || this.waiting(this.rx) > this.rx.mask) return 0;
    const consumer = this.#words[this.fill.consumer] ?? 0;
    const offset = this.#words[this.fill.descriptors + 2 * (consumer & this.fill.mask)] ?? 0;
    this.#words[this.fill.consumer] = consumer + 1;
    return L.FRAMES + offset - (offset % 2 ** L.FRAME_SHIFT);
  }

  /** Hands a frame in that begins `headroom` bytes into a chunk from takeChunk. */
  receive(chunk: number, headroom: number, length: number): void {
    const producer = this.#words[this.rx.producer] ?? 0;
    const descriptor = this.rx.descriptors + 4 * (producer & this.rx.mask);
    this.#words[descriptor] = chunk - L.FRAMES + headroom;
    this.#words[descriptor + 1] = 0;
    this.#words[descriptor + 2] = length;
    this.#words[descriptor + 3] = 0;
    this.#words[this.rx.producer] = producer + 1;
  }

  /** Completes what the core transmits. @returns how many frames */
  complete(): number {
    const words = this.#words;
    const producer = words[this.tx.producer] ?? 0;
    let consumer = words[this.tx.consumer] ?? 0;
    let done = words[this.completion.producer] ?? 0;
    const count = (producer - consumer) >>> 0;
    for (let n = 0; n < count; n += 1) {
      const entry = this.completion.descriptors + 2 * (done & this.completion.mask);
      words[entry] = words[this.tx.descriptors + 4 * (consumer & this.tx.mask)] ?? 0;
      words[entry + 1] = 0;
      consumer = (consumer + 1) >>> 0;
      done = (done + 1) >>> 0;
    }
    words[this.tx.consumer] = consumer;
    words[this.completion.producer] = done;
    return count;
  }

  /** Chunks (numbers) of the frames that lie in its rings. */
  *frames(): Generator<number> {
    for (const [ring, step] of [[this.rx, 4], [this.tx, 4], [this.fill, 2], [this.completion, 2]] as const) {
      const consumer = this.#words[ring.consumer] ?? 0;
      for (let n = 0; n < this.waiting(ring); n += 1)
        yield Math.floor((this.#words[ring.descriptors + step * ((consumer + n) & ring.mask)] ?? 0) / 2 ** L.FRAME_SHIFT);
    }
  }
}
