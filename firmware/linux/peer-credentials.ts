/** Who is at the other end of a unix socket (SO_PEERCRED, unix(7)). */
import { check } from './errors.ts';
import type { Libc } from './libc.ts';

const SOL_SOCKET = 1;
const SO_PEERCRED = 17;

export interface PeerCredentials { readonly pid: number; readonly uid: number; readonly gid: number }

/** @param fd of a connected unix socket @throws SystemCallError */
export function peerCredentials(libc: Libc, fd: number): PeerCredentials {
  const credentials = new Uint8Array(new ArrayBuffer(12)); // struct ucred
  const length = Uint8Array.from([credentials.length, 0, 0, 0]);
  check(libc, libc.getsockopt(fd, SOL_SOCKET, SO_PEERCRED, libc.address(credentials), libc.address(length)), 'getsockopt', 'SO_PEERCRED');
  const view = new DataView(credentials.buffer);
  return { pid: view.getInt32(0, true), uid: view.getUint32(4, true), gid: view.getUint32(8, true) };
}
