/** Network devices by ioctl(2) on a socket, so in the network namespace that the process is in. */
import { check } from './errors.ts';
import type { Libc } from './libc.ts';

const AF_INET = 2;
const SOCK_DGRAM = 2;
const SIOCGIFNAME = 0x8910;
const SIOCGIFFLAGS = 0x8913;
const SIOCSIFFLAGS = 0x8914;
const SIOCGIFMTU = 0x8921;
const SIOCGIFHWADDR = 0x8927;
const SIOCGIFINDEX = 0x8933;
const SIOCETHTOOL = 0x8946;
const IFF_UP = 1;
const IFF_RUNNING = 0x40;
const IFF_PROMISC = 0x100;
const ETHTOOL_GDRVINFO = 0x03;
const ETHTOOL_GTXCSUM = 0x16;
const ETHTOOL_STXCSUM = 0x17;
const ETHTOOL_STSO = 0x1f;
const ETHTOOL_SGSO = 0x24;
const ETHTOOL_GCHANNELS = 0x3c;
const ETHTOOL_SCHANNELS = 0x3d;
const NAME_BYTES = 16;

export interface Device {
  readonly name: string;
  readonly index: number;
  readonly mac: string;
  readonly mtu: number;
  readonly up: boolean;
  /** Up and with a carrier. */
  readonly running: boolean;
}

/** What the device is now; undefined when there is none of that name. */
export function readDevice(libc: Libc, name: string): Device | undefined {
  return withRequest(libc, name, (request) => {
    if (!request.tryCall(SIOCGIFINDEX)) return undefined;
    const index = request.view.getInt32(NAME_BYTES, true);
    request.call(SIOCGIFHWADDR, 'MAC');
    const mac = [...request.bytes.subarray(NAME_BYTES + 2, NAME_BYTES + 8)].map((byte) => byte.toString(16).padStart(2, '0')).join(':');
    request.call(SIOCGIFMTU, 'MTU');
    const mtu = request.view.getInt32(NAME_BYTES, true);
    request.call(SIOCGIFFLAGS, 'flags');
    const flags = request.view.getUint16(NAME_BYTES, true);
    return { name, index, mac, mtu, up: (flags & IFF_UP) !== 0, running: (flags & IFF_RUNNING) !== 0 };
  });
}

/** Name of the device of an index; undefined when there is none. */
export function deviceNameOf(libc: Libc, index: number): string | undefined {
  return withRequest(libc, '', (request) => {
    request.view.setInt32(NAME_BYTES, index, true);
    return request.tryCall(SIOCGIFNAME) ? Buffer.from(request.bytes.subarray(0, NAME_BYTES)).toString('latin1').replace(/\0.*$/s, '') : undefined;
  });
}

/** Sets it up and promiscuous: an interface's MAC comes from the controller and need not be the device's. */
export function bringUp(libc: Libc, name: string): void {
  withRequest(libc, name, (request) => {
    request.call(SIOCGIFFLAGS, 'flags');
    const flags = request.view.getUint16(NAME_BYTES, true);
    if ((flags & IFF_UP) !== 0 && (flags & IFF_PROMISC) !== 0) return;
    request.view.setUint16(NAME_BYTES, flags | IFF_UP | IFF_PROMISC, true);
    request.call(SIOCSIFFLAGS, 'up');
  });
}

/** Name of its kernel driver ("veth", "mlx5_core"); empty when it does not say. */
export function driverName(libc: Libc, name: string): string {
  const info = ethtool(libc, name, ETHTOOL_GDRVINFO, new Uint8Array(new ArrayBuffer(196)));
  return info === undefined ? '' : Buffer.from(info.subarray(4, 36)).toString('latin1').replace(/\0.*$/s, '');
}

/** Whether it leaves transport checksums of what it sends to somebody else (on veth: to nobody). */
export function transmitChecksumOffload(libc: Libc, name: string): boolean {
  const value = ethtool(libc, name, ETHTOOL_GTXCSUM, new Uint8Array(new ArrayBuffer(8)));
  return value !== undefined && new DataView(value.buffer).getUint32(4, true) !== 0;
}

/** What it sends is finished when it leaves: checksums written, segments cut. For a veth whose other end is no kernel. */
export function finishBeforeSending(libc: Libc, name: string): void {
  for (const command of [ETHTOOL_STXCSUM, ETHTOOL_STSO, ETHTOOL_SGSO]) ethtool(libc, name, command, new Uint8Array(new ArrayBuffer(8))); // value 0: off
}

/** Receive queues that the device uses; 1 when it does not say. */
export function receiveQueues(libc: Libc, name: string): number {
  const channels = ethtool(libc, name, ETHTOOL_GCHANNELS, new Uint8Array(new ArrayBuffer(36)));
  if (channels === undefined) return 1;
  const view = new DataView(channels.buffer);
  return Math.max(1, view.getUint32(20, true) + view.getUint32(32, true)); // rx + combined
}

/** Sets the number of receive queues; false when the device cannot. */
export function setReceiveQueues(libc: Libc, name: string, count: number): boolean {
  const channels = ethtool(libc, name, ETHTOOL_GCHANNELS, new Uint8Array(new ArrayBuffer(36)));
  if (channels === undefined) return false;
  const view = new DataView(channels.buffer);
  const combined = view.getUint32(16, true) >= count;
  if (!combined && view.getUint32(4, true) < count) return false;
  if (combined) {
    view.setUint32(20, 0, true);
    view.setUint32(24, 0, true);
    view.setUint32(32, count, true);
  } else {
    view.setUint32(20, count, true);
    view.setUint32(24, Math.min(count, view.getUint32(8, true)), true);
  }
  return ethtool(libc, name, ETHTOOL_SCHANNELS, channels) !== undefined;
}

/** One ethtool command; its structure comes back filled, undefined when the device does not know the command. */
function ethtool(libc: Libc, name: string, command: number, structure: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> | undefined {
  new DataView(structure.buffer).setUint32(0, command, true);
  return withRequest(libc, name, (request) => {
    request.view.setBigUint64(NAME_BYTES, BigInt(libc.address(structure)), true);
    return request.tryCall(SIOCETHTOOL) ? structure : undefined;
  });
}

/** struct ifreq: the name in 16 bytes, then a union of 24. */
class InterfaceRequest {
  readonly bytes = new Uint8Array(new ArrayBuffer(40));
  readonly view = new DataView(this.bytes.buffer);
  readonly #libc: Libc;
  readonly #fd: number;
  readonly #name: string;

  constructor(libc: Libc, fd: number, name: string) {
    this.#libc = libc;
    this.#fd = fd;
    this.#name = name;
    this.bytes.set(Buffer.from(name.slice(0, NAME_BYTES - 1), 'latin1'));
  }

  tryCall(request: number): boolean {
    return this.#libc.ioctl(this.#fd, request, this.#libc.address(this.bytes)) !== -1;
  }

  call(request: number, what: string): void {
    check(this.#libc, this.#libc.ioctl(this.#fd, request, this.#libc.address(this.bytes)), `ioctl (${what})`, this.#name);
  }
}

function withRequest<T>(libc: Libc, name: string, use: (request: InterfaceRequest) => T): T {
  const fd = check(libc, libc.socket(AF_INET, SOCK_DGRAM, 0), 'socket', 'for device queries');
  try {
    return use(new InterfaceRequest(libc, fd, name));
  } finally {
    libc.close(fd);
  }
}
