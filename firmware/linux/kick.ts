/** The one system call of the transmit path: asks the kernel to look at a socket's transmit ring. */
import { EAGAIN, EBUSY, ENOBUFS } from './errors.ts';
import type { Libc } from './libc.ts';

const MSG_DONTWAIT = 0x40;

/** Kicks once; true when the kernel says that more remains to be sent. */
export function kick(libc: Libc, fd: number): boolean {
  if (libc.sendto(fd, 0, 0, MSG_DONTWAIT, 0, 0) !== -1) return false;
  const errno = libc.errno();
  return errno === EAGAIN || errno === EBUSY || errno === ENOBUFS;
}
