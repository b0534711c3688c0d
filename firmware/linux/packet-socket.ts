/** AF_PACKET sockets (packet(7)): a tap on a device, the kernel sees its frames as well. */
import { check } from './errors.ts';
import type { Libc } from './libc.ts';

const AF_PACKET = 17;
const SOCK_RAW = 3;
const SOCK_NONBLOCK = 0o4000;
const SOCK_CLOEXEC = 0o2000000;
const ETH_P_ALL_NETWORK_ORDER = 0x0300;
const SOL_PACKET = 263;
const SOL_SOCKET = 1;
const SO_RCVBUFFORCE = 33;
const SO_SNDBUFFORCE = 32;
const PACKET_AUXDATA = 8;
const PACKET_QDISC_BYPASS = 20;
const PACKET_IGNORE_OUTGOING = 23;
const BUFFER_BYTES = 4 << 20;

/** Opens one for all frames that come in by a device. @throws SystemCallError (EPERM: CAP_NET_RAW) */
export function openPacketSocket(libc: Libc, device: string, index: number): number {
  const fd = check(libc, libc.socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), 'socket (AF_PACKET)', device);
  try {
    setOption(libc, fd, SOL_SOCKET, SO_RCVBUFFORCE, BUFFER_BYTES, device);
    setOption(libc, fd, SOL_SOCKET, SO_SNDBUFFORCE, BUFFER_BYTES, device);
    setOption(libc, fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, 1, device);
    setOption(libc, fd, SOL_PACKET, PACKET_QDISC_BYPASS, 1, device);
    setOption(libc, fd, SOL_PACKET, PACKET_AUXDATA, 1, device);
    const address = new Uint8Array(new ArrayBuffer(20)); // struct sockaddr_ll
    const view = new DataView(address.buffer);
    view.setUint16(0, AF_PACKET, true);
    view.setUint16(2, ETH_P_ALL_NETWORK_ORDER, true);
    view.setInt32(4, index, true);
    check(libc, libc.bind(fd, libc.address(address), address.length), 'bind (AF_PACKET)', device);
    return fd;
  } catch (error) {
    libc.close(fd);
    throw error;
  }
}

function setOption(libc: Libc, fd: number, level: number, option: number, value: number, device: string): void {
  const word = new Uint8Array(new ArrayBuffer(4));
  new DataView(word.buffer).setInt32(0, value, true);
  check(libc, libc.setsockopt(fd, level, option, libc.address(word), 4), `setsockopt (level ${level}, option ${option})`, device);
}
