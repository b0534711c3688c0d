/**
 * recvmmsg(2) and sendmmsg(2) straight into and out of frames in the WebAssembly memory: arrays of mmsghdr, one iovec each,
 * and for AF_PACKET a control buffer, in which the kernel tells the VLAN tag that it took off.
 */
import type { Libc } from './libc.ts';

const MESSAGE_BYTES = 64; // struct mmsghdr on 64-bit: msghdr (56) and the length
const IOVEC_BYTES = 16;
const CONTROL_BYTES = 64;
const MSG_DONTWAIT = 0x40;
const MSG_TRUNC = 0x20;
const SOL_PACKET = 263;
const PACKET_AUXDATA = 8;
const STATUS_VLAN_VALID = 1 << 4;

export class MessageVector {
  readonly #libc: Libc;
  readonly capacity: number;
  readonly #view: DataView<ArrayBuffer>;
  readonly #bytes: Uint8Array<ArrayBuffer>;
  readonly #address: number;
  readonly #iovecs: number;
  readonly #controls: number;
  readonly #withControl: boolean;

  constructor(libc: Libc, capacity: number, withControl: boolean) {
    this.#libc = libc;
    this.capacity = capacity;
    this.#withControl = withControl;
    this.#iovecs = capacity * MESSAGE_BYTES;
    this.#controls = this.#iovecs + capacity * IOVEC_BYTES;
    this.#bytes = new Uint8Array(new ArrayBuffer(this.#controls + capacity * CONTROL_BYTES));
    this.#view = new DataView(this.#bytes.buffer);
    this.#address = libc.address(this.#bytes);
    for (let i = 0; i < capacity; i++) {
      const header = i * MESSAGE_BYTES;
      this.#view.setBigUint64(header + 16, BigInt(this.#address + this.#iovecs + i * IOVEC_BYTES), true);
      this.#view.setBigUint64(header + 24, 1n, true);
      if (withControl) this.#view.setBigUint64(header + 32, BigInt(this.#address + this.#controls + i * CONTROL_BYTES), true);
    }
  }

  /** Names the place of message `i`: an address in this process and bytes there. */
  set(i: number, address: number, length: number): void {
    const iovec = this.#iovecs + i * IOVEC_BYTES;
    // Two 32-bit halves: no BigInt per packet.
    this.#view.setUint32(iovec, address >>> 0, true);
    this.#view.setUint32(iovec + 4, Math.floor(address / 0x100000000), true);
    this.#view.setUint32(iovec + 8, length, true);
  }

  /** Receives without waiting; returns how many, 0 for none (or an error that a datagram socket reports once). */
  receive(fd: number, count: number): number {
    if (this.#withControl) {
      for (let i = 0; i < count; i++) this.#view.setUint32(i * MESSAGE_BYTES + 40, CONTROL_BYTES, true);
    }
    const received = this.#libc.recvmmsg(fd, this.#address, count, MSG_DONTWAIT, 0);
    return received < 0 ? 0 : received;
  }

  /** Sends without waiting messages `first`…; returns how many went, or -errno. */
  send(fd: number, first: number, count: number): number {
    const sent = this.#libc.sendmmsg(fd, this.#address + first * MESSAGE_BYTES, count, MSG_DONTWAIT);
    return sent < 0 ? -this.#libc.errno() : sent;
  }

  /** Bytes of message `i` that were received. */
  length(i: number): number {
    return this.#view.getUint32(i * MESSAGE_BYTES + 56, true);
  }

  /** True when message `i` was longer than its place. */
  truncated(i: number): boolean {
    return (this.#view.getUint32(i * MESSAGE_BYTES + 48, true) & MSG_TRUNC) !== 0;
  }

  /** The tag (TPID << 16 | TCI) that the kernel took off message `i`; 0 = none. */
  vlanTag(i: number): number {
    if (!this.#withControl || this.#view.getUint32(i * MESSAGE_BYTES + 40, true) < 36) return 0;
    const control = this.#controls + i * CONTROL_BYTES; // struct cmsghdr: length, level, type; then tpacket_auxdata
    if (this.#view.getInt32(control + 8, true) !== SOL_PACKET || this.#view.getInt32(control + 12, true) !== PACKET_AUXDATA) return 0;
    if ((this.#view.getUint32(control + 16, true) & STATUS_VLAN_VALID) === 0) return 0;
    return ((this.#view.getUint16(control + 34, true) << 16) | this.#view.getUint16(control + 32, true)) >>> 0;
  }
}
