/** Frames that a datagram socket had no room for (SO_MEMINFO, socket(7)). */
import type { Libc } from './libc.ts';

const SOL_SOCKET = 1;
const SO_MEMINFO = 55;
const WORDS = 9;
const DROPS = 8; // SK_MEMINFO_DROPS

/** Since the socket was opened; 0 where the kernel does not say. */
export function socketDrops(libc: Libc, fd: number): number {
  const words = new Uint32Array(new ArrayBuffer(WORDS * 4));
  const length = Uint8Array.from([WORDS * 4, 0, 0, 0]);
  if (libc.getsockopt(fd, SOL_SOCKET, SO_MEMINFO, libc.address(new Uint8Array(words.buffer)), libc.address(length)) === -1) return 0;
  return words[DROPS] ?? 0;
}
