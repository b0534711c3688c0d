/** Two queues of one process joined back to back: the sender's lcore copies frames into the other queue's empty ones. */
import type { MemoryViews } from '../host/memory.ts';
import type { Pump } from './pump.ts';
import { KernelSide } from './rings.ts';

export class MemoryPump implements Pump {
  readonly fd = undefined;
  readonly calls = 0;
  readonly #views: MemoryViews;
  readonly #own: KernelSide;
  /** Undefined while nobody is at the other end. */
  readonly #peer: KernelSide | undefined;
  readonly #wakePeer: () => void;

  constructor(views: MemoryViews, queue: number, peerQueue: number | undefined, wakePeer: () => void) {
    this.#views = views;
    this.#own = new KernelSide(views, queue);
    this.#peer = peerQueue === undefined ? undefined : new KernelSide(views, peerQueue);
    this.#wakePeer = wakePeer;
  }

  /** The peer's pump delivers. */
  receive(): number {
    return 0;
  }

  transmit(): boolean {
    const waiting = this.#own.waiting();
    if (waiting === 0) return false;
    if (this.#peer === undefined) this.#own.countRefused(waiting);
    else this.#copyTo(this.#peer, waiting);
    this.#own.completed(waiting); // what the peer has no frame for is lost, as on a wire
    return false;
  }

  #copyTo(peer: KernelSide, waiting: number): void {
    const count = Math.min(waiting, peer.room());
    if (count < waiting) peer.countMissed(waiting - count);
    for (let i = 0; i < count; i++) {
      const from = this.#own.outAddress(i);
      const length = this.#own.outLength(i);
      const to = peer.place(i);
      this.#views.u8.copyWithin(to, from, from + length);
      peer.describe(i, to, length);
    }
    peer.deliver(count);
    this.#wakePeer();
  }
}
