/** TAP devices (Documentation/networking/tuntap.rst): an Ethernet device of the kernel whose other end is a descriptor. */
import { check } from './errors.ts';
import type { Libc } from './libc.ts';

const O_RDWR = 2;
const O_NONBLOCK = 0o4000;
const O_CLOEXEC = 0o2000000;
const TUNSETIFF = 0x400454ca;
const IFF_TAP = 2;
const IFF_NO_PI = 0x1000;

/** Opens or makes the TAP device of that name. @throws SystemCallError (EPERM: CAP_NET_ADMIN; ENOENT: no tun module) */
export function openTap(libc: Libc, device: string): number {
  const fd = check(libc, libc.open('/dev/net/tun', O_RDWR | O_NONBLOCK | O_CLOEXEC, 0), 'open', '/dev/net/tun');
  const request = new Uint8Array(new ArrayBuffer(40));
  request.set(Buffer.from(device.slice(0, 15), 'latin1'));
  new DataView(request.buffer).setUint16(16, IFF_TAP | IFF_NO_PI, true);
  if (libc.ioctl(fd, TUNSETIFF, libc.address(request)) === -1) {
    try {
      check(libc, -1, 'ioctl (TUNSETIFF)', device);
    } finally {
      libc.close(fd);
    }
  }
  return fd;
}
