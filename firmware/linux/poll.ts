/** poll(2) over a fixed set of descriptors, without allocation per call. */
import { type Libc } from './libc.ts';

const POLLIN = 1;
const ENTRY = 8; // struct pollfd: int fd, short events, short revents

export class PollSet {
  readonly #libc: Libc;
  readonly #view: DataView;
  readonly #address: number;
  readonly #buffer: Uint8Array; // keeps the memory behind #address
  readonly size: number;

  constructor(libc: Libc, fds: readonly number[]) {
    this.#libc = libc;
    this.size = fds.length;
    this.#buffer = new Uint8Array(new ArrayBuffer(Math.max(1, fds.length) * ENTRY));
    this.#view = new DataView(this.#buffer.buffer);
    this.#address = libc.address(this.#buffer);
    fds.forEach((fd, i) => {
      this.#view.setInt32(i * ENTRY, fd, true);
      this.#view.setInt16(i * ENTRY + 4, POLLIN, true);
    });
  }

  /** Sleeps until one is readable or `timeoutMs` is over (-1: for ever). Returns how many have something to say. */
  wait(timeoutMs: number): number {
    return this.#libc.poll(this.#address, this.size, timeoutMs);
  }

  /** Events of descriptor `i` in the last wait: 0 = none. */
  events(i: number): number {
    return this.#view.getInt16(i * ENTRY + 6, true);
  }
}
