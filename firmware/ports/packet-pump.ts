/** Frames through a datagram descriptor (AF_PACKET, connected UDP) by recvmmsg and sendmmsg, in and out of the memory itself. */
import type { MemoryViews } from '../host/memory.ts';
import { EAGAIN, ENOBUFS, EINTR } from '../linux/errors.ts';
import type { Libc } from '../linux/libc.ts';
import { MessageVector } from '../linux/message-vector.ts';
import type { Pump } from './pump.ts';
import { KernelSide, MAX_FRAME_BYTES } from './rings.ts';

const BATCH = 64;

export class PacketPump implements Pump {
  readonly fd: number;
  calls = 0;
  readonly #base: number;
  readonly #views: MemoryViews;
  readonly #rings: KernelSide;
  readonly #incoming: MessageVector;
  readonly #outgoing: MessageVector;

  constructor(libc: Libc, views: MemoryViews, queue: number, fd: number, withTags: boolean) {
    this.fd = fd;
    this.#views = views;
    this.#base = libc.address(views.u8);
    this.#rings = new KernelSide(views, queue);
    this.#incoming = new MessageVector(libc, BATCH, withTags);
    this.#outgoing = new MessageVector(libc, BATCH, false);
  }

  receive(): number {
    const count = Math.min(BATCH, this.#rings.room());
    if (count === 0) return 0;
    for (let i = 0; i < count; i++) this.#incoming.set(i, this.#base + this.#rings.place(i), MAX_FRAME_BYTES);
    this.calls++;
    const received = this.#incoming.receive(this.fd, count);
    for (let i = 0; i < received; i++) {
      const place = this.#rings.place(i);
      // What did not fit, like a frame that segmentation offload made, is passed on with no bytes: the core names the drop.
      const length = this.#incoming.truncated(i) ? 0 : this.#incoming.length(i);
      const tag = length === 0 ? 0 : this.#incoming.vlanTag(i);
      if (tag === 0) this.#rings.describe(i, place, length);
      else this.#rings.describe(i, this.#insertTag(place, tag), length + 4);
    }
    if (received > 0) this.#rings.deliver(received);
    return received;
  }

  transmit(): boolean {
    for (;;) {
      const count = Math.min(BATCH, this.#rings.waiting());
      if (count === 0) return false;
      for (let i = 0; i < count; i++) this.#outgoing.set(i, this.#base + this.#rings.outAddress(i), this.#rings.outLength(i));
      this.calls++;
      const sent = this.#outgoing.send(this.fd, 0, count);
      if (sent > 0) this.#rings.completed(sent);
      else if (-sent === EAGAIN || -sent === ENOBUFS || -sent === EINTR) return true;
      else {
        this.#rings.countRefused(1); // for good (no peer, device down, too long): like a wire, it is gone
        this.#rings.completed(1);
      }
    }
  }

  /** The kernel took the 802.1Q tag off: puts it back between addresses and EtherType, in the headroom's last 4 bytes. */
  #insertTag(place: number, tag: number): number {
    const { u8 } = this.#views;
    u8.copyWithin(place - 4, place, place + 12);
    u8[place + 8] = tag >>> 24;
    u8[place + 9] = (tag >>> 16) & 0xff;
    u8[place + 10] = (tag >>> 8) & 0xff;
    u8[place + 11] = tag & 0xff;
    return place - 4;
  }
}
