/** Connected UDP sockets over IPv4, as descriptors for recvmmsg and sendmmsg. */
import { check } from './errors.ts';
import type { Libc } from './libc.ts';

const AF_INET = 2;
const SOCK_DGRAM = 2;
const SOCK_NONBLOCK = 0o4000;
const SOCK_CLOEXEC = 0o2000000;
const SOL_SOCKET = 1;
const SO_SNDBUF = 7;
const SO_RCVBUF = 8;
const SO_SNDBUFFORCE = 32;
const SO_RCVBUFFORCE = 33;
const BUFFER_BYTES = 4 << 20;

export interface Endpoint {
  /** Dotted IPv4 address. */
  readonly host: string;
  readonly port: number;
}

/** Opens one bound to `local` that only speaks with `peer`. @throws SystemCallError (EADDRINUSE) */
export function openDatagramSocket(libc: Libc, local: Endpoint, peer: Endpoint): number {
  const subject = `${local.host}:${local.port}`;
  const fd = check(libc, libc.socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), 'socket', subject);
  try {
    // The "force" options pass the system's limit where we are privileged; else the limit is what there is.
    setBuffer(libc, fd, SO_RCVBUF, SO_RCVBUFFORCE);
    setBuffer(libc, fd, SO_SNDBUF, SO_SNDBUFFORCE);
    const own = socketAddress(local);
    check(libc, libc.bind(fd, libc.address(own), own.length), 'bind', subject);
    const other = socketAddress(peer);
    check(libc, libc.connect(fd, libc.address(other), other.length), 'connect', `${subject} to ${peer.host}:${peer.port}`);
    return fd;
  } catch (error) {
    libc.close(fd);
    throw error;
  }
}

function setBuffer(libc: Libc, fd: number, option: number, forced: number): void {
  const word = new Uint8Array(new ArrayBuffer(4));
  new DataView(word.buffer).setInt32(0, BUFFER_BYTES, true);
  if (libc.setsockopt(fd, SOL_SOCKET, forced, libc.address(word), 4) === -1) libc.setsockopt(fd, SOL_SOCKET, option, libc.address(word), 4);
}

/** struct sockaddr_in. */
function socketAddress(endpoint: Endpoint): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(new ArrayBuffer(16));
  const view = new DataView(bytes.buffer);
  view.setUint16(0, AF_INET, true);
  view.setUint16(2, endpoint.port);
  bytes.set(endpoint.host.split('.').map(Number), 4);
  return bytes;
}
