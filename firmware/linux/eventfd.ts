/** eventfd(2): one thread wakes another that sleeps in poll. */
import { check } from './errors.ts';
import type { Libc } from './libc.ts';

const EFD_NONBLOCK = 0o4000;
const EFD_CLOEXEC = 0o2000000;

export function createEventFd(libc: Libc): number {
  return check(libc, libc.eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC), 'eventfd', 'for an lcore');
}

/** Writing and reading of eventfds by any thread; each thread makes its own. */
export class EventSignal {
  readonly #libc: Libc;
  readonly #one = new Uint8Array(new ArrayBuffer(8));
  readonly #oneAddress: number;
  readonly #sink = new Uint8Array(new ArrayBuffer(8));
  readonly #sinkAddress: number;

  constructor(libc: Libc) {
    this.#libc = libc;
    this.#one[0] = 1;
    this.#oneAddress = libc.address(this.#one);
    this.#sinkAddress = libc.address(this.#sink);
  }

  wake(fd: number): void {
    this.#libc.write(fd, this.#oneAddress, 8);
  }

  /** Takes the pending wake-ups off; without any it does nothing. */
  clear(fd: number): void {
    this.#libc.read(fd, this.#sinkAddress, 8);
  }
}
