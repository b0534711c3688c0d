/** Frames through a TAP descriptor: one read or write each. */
import type { MemoryViews } from '../host/memory.ts';
import { EAGAIN, EINTR } from '../linux/errors.ts';
import type { Libc } from '../linux/libc.ts';
import type { Pump } from './pump.ts';
import { KernelSide, MAX_FRAME_BYTES } from './rings.ts';

const BATCH = 64;

export class TapPump implements Pump {
  readonly fd: number;
  calls = 0;
  readonly #libc: Libc;
  readonly #base: number;
  readonly #rings: KernelSide;

  constructor(libc: Libc, views: MemoryViews, queue: number, fd: number) {
    this.fd = fd;
    this.#libc = libc;
    this.#base = libc.address(views.u8);
    this.#rings = new KernelSide(views, queue);
  }

  receive(): number {
    const count = Math.min(BATCH, this.#rings.room());
    let received = 0;
    while (received < count) {
      const place = this.#rings.place(received);
      this.calls++;
      const length = this.#libc.read(this.fd, this.#base + place, MAX_FRAME_BYTES);
      if (length <= 0) break;
      this.#rings.describe(received++, place, length);
    }
    if (received > 0) this.#rings.deliver(received);
    return received;
  }

  transmit(): boolean {
    for (let left = this.#rings.waiting(); left > 0; left--) {
      this.calls++;
      const sent = this.#libc.write(this.fd, this.#base + this.#rings.outAddress(0), this.#rings.outLength(0));
      if (sent === -1) {
        if ([EAGAIN, EINTR].includes(this.#libc.errno())) return true;
        this.#rings.countRefused(1);
      }
      this.#rings.completed(1);
    }
    return false;
  }
}
