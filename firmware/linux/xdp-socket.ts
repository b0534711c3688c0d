/**
 * AF_XDP sockets whose frames (UMEM) and rings lie in the WebAssembly memory: the core reads and writes descriptors itself.
 * See Documentation/networking/af_xdp.rst of the kernel.
 */
import { check, EAFNOSUPPORT, EBUSY, EOPNOTSUPP, EINVAL, SystemCallError } from './errors.ts';
import type { Libc } from './libc.ts';
import { mapOver, PAGE } from './memory-map.ts';

const AF_XDP = 44;
const SOCK_RAW = 3;
const SOCK_CLOEXEC = 0o2000000;
const SOL_XDP = 283;
const XDP_MMAP_OFFSETS = 1;
const XDP_RX_RING = 2;
const XDP_TX_RING = 3;
const XDP_UMEM_REG = 4;
const XDP_UMEM_FILL_RING = 5;
const XDP_UMEM_COMPLETION_RING = 6;
const XDP_STATISTICS = 7;
const XDP_OPTIONS = 8;
const XDP_MAX_TX_SKB_BUDGET = 9;
const BIND_SHARED_UMEM = 1;
const BIND_COPY = 2;
const BIND_ZEROCOPY = 4;
const BIND_NEED_WAKEUP = 8;
const PAGE_OFFSETS = { rx: 0, tx: 0x80000000, fill: 0x100000000, completion: 0x180000000 } as const;
const REBIND_TRIES = 50;
const REBIND_PAUSE_MS = 10;
/** Packets that one sendto may send in copy mode; the kernel's own limit is 32. */
const TX_BUDGET = 256;

export interface XdpRing {
  /** Addresses in this process, inside the memory. */
  readonly producer: number;
  readonly consumer: number;
  readonly flags: number;
  readonly descriptors: number;
  readonly entries: number;
}
export type RingName = keyof typeof PAGE_OFFSETS;
export type XdpRings = Readonly<Record<RingName, XdpRing>>;

export interface XdpSocketOptions {
  readonly device: string;
  readonly index: number;
  readonly queue: number;
  readonly umem: { readonly address: number; readonly length: number; readonly chunk: number };
  /** A socket that is bound to the same UMEM; -1: register the UMEM. */
  readonly anchor: number;
  readonly entries: Readonly<Record<RingName, number>>;
  /** Where each ring's pages go: page-aligned addresses in this process. */
  readonly places: Readonly<Record<RingName, number>>;
}

export interface XdpSocket {
  readonly fd: number;
  readonly rings: XdpRings;
  readonly zeroCopy: boolean;
}

/** Whether the kernel has AF_XDP at all. */
export function hasXdpSockets(libc: Libc): boolean {
  const fd = libc.socket(AF_XDP, SOCK_RAW | SOCK_CLOEXEC, 0);
  if (fd !== -1) libc.close(fd);
  return fd !== -1 || libc.errno() !== EAFNOSUPPORT;
}

/**
 * Opens, lays its rings into the memory and binds; zero-copy where the driver can. A queue that was let go a moment ago is
 * still busy for some milliseconds: that is waited for.
 * @throws SystemCallError; nothing stays open then, but the places may be mapped over: restore them.
 */
export async function openXdpSocket(libc: Libc, options: XdpSocketOptions): Promise<XdpSocket> {
  try {
    return await openAs(libc, options, BIND_ZEROCOPY);
  } catch (error) {
    if (!(error instanceof SystemCallError) || error.call !== 'bind' || ![EOPNOTSUPP, EINVAL].includes(error.errno)) throw error;
    return openAs(libc, options, BIND_COPY);
  }
}

async function openAs(libc: Libc, options: XdpSocketOptions, mode: number): Promise<XdpSocket> {
  const subject = `${options.device} queue ${options.queue}`;
  const fd = check(libc, libc.socket(AF_XDP, SOCK_RAW | SOCK_CLOEXEC, 0), 'socket (AF_XDP)', subject);
  try {
    if (options.anchor === -1) registerUmem(libc, fd, options, subject);
    setNumber(libc, fd, XDP_UMEM_FILL_RING, options.entries.fill, subject);
    setNumber(libc, fd, XDP_UMEM_COMPLETION_RING, options.entries.completion, subject);
    setNumber(libc, fd, XDP_RX_RING, options.entries.rx, subject);
    setNumber(libc, fd, XDP_TX_RING, options.entries.tx, subject);
    const rings = mapRings(libc, fd, options, subject);
    await bindSocket(libc, fd, options, mode, subject);
    raiseBudget(libc, fd);
    return { fd, rings, zeroCopy: isZeroCopy(libc, fd) };
  } catch (error) {
    libc.close(fd);
    throw error;
  }
}

function registerUmem(libc: Libc, fd: number, options: XdpSocketOptions, subject: string): void {
  const registration = new Uint8Array(new ArrayBuffer(32));
  const view = new DataView(registration.buffer);
  view.setBigUint64(0, BigInt(options.umem.address), true);
  view.setBigUint64(8, BigInt(options.umem.length), true);
  view.setUint32(16, options.umem.chunk, true);
  check(libc, libc.setsockopt(fd, SOL_XDP, XDP_UMEM_REG, libc.address(registration), registration.length), 'XDP_UMEM_REG', subject);
}

function setNumber(libc: Libc, fd: number, option: number, value: number, subject: string): void {
  const word = new Uint8Array(new ArrayBuffer(4));
  new DataView(word.buffer).setUint32(0, value, true);
  check(libc, libc.setsockopt(fd, SOL_XDP, option, libc.address(word), 4), `setsockopt (XDP option ${option})`, subject);
}

function mapRings(libc: Libc, fd: number, options: XdpSocketOptions, subject: string): XdpRings {
  const offsets = new Uint8Array(new ArrayBuffer(128));
  const length = new Uint8Array(new ArrayBuffer(4));
  new DataView(length.buffer).setUint32(0, offsets.length, true);
  check(libc, libc.getsockopt(fd, SOL_XDP, XDP_MMAP_OFFSETS, libc.address(offsets), libc.address(length)), 'XDP_MMAP_OFFSETS', subject);
  const view = new DataView(offsets.buffer);
  const map = (name: RingName, at: number, entryBytes: number): XdpRing => {
    const field = (i: number): number => Number(view.getBigUint64(at + i * 8, true));
    const entries = options.entries[name];
    const bytes = Math.ceil((field(2) + entries * entryBytes) / PAGE) * PAGE;
    const place = options.places[name];
    mapOver(libc, place, bytes, fd, PAGE_OFFSETS[name], `${subject} ${name} ring`);
    return { producer: place + field(0), consumer: place + field(1), descriptors: place + field(2), flags: place + field(3), entries };
  };
  return { rx: map('rx', 0, 16), tx: map('tx', 32, 16), fill: map('fill', 64, 8), completion: map('completion', 96, 8) };
}

async function bindSocket(libc: Libc, fd: number, options: XdpSocketOptions, mode: number, subject: string): Promise<void> {
  const shared = options.anchor !== -1;
  const address = new Uint8Array(new ArrayBuffer(16)); // struct sockaddr_xdp
  const view = new DataView(address.buffer);
  view.setUint16(0, AF_XDP, true);
  // A shared UMEM takes mode and wake-up flags from its anchor; the kernel refuses them here.
  view.setUint16(2, shared ? BIND_SHARED_UMEM : mode | BIND_NEED_WAKEUP, true);
  view.setUint32(4, options.index, true);
  view.setUint32(8, options.queue, true);
  view.setUint32(12, shared ? options.anchor : 0, true);
  for (let attempt = 1; ; attempt++) {
    if (libc.bind(fd, libc.address(address), address.length) === 0) return;
    const errno = libc.errno();
    if (errno !== EBUSY || attempt === REBIND_TRIES) throw new SystemCallError('bind', subject, errno);
    await new Promise((resolve) => setTimeout(resolve, REBIND_PAUSE_MS));
  }
}

/** More packets per kick; older kernels have no such option and stay at 32. */
function raiseBudget(libc: Libc, fd: number): void {
  const word = new Uint8Array(new ArrayBuffer(4));
  new DataView(word.buffer).setUint32(0, TX_BUDGET, true);
  libc.setsockopt(fd, SOL_XDP, XDP_MAX_TX_SKB_BUDGET, libc.address(word), 4);
}

/** What the kernel chose; a socket that shares its UMEM follows the anchor and need not be told. */
function isZeroCopy(libc: Libc, fd: number): boolean {
  const options = new Uint8Array(new ArrayBuffer(4));
  const length = Uint8Array.from([4, 0, 0, 0]);
  return libc.getsockopt(fd, SOL_XDP, XDP_OPTIONS, libc.address(options), libc.address(length)) === 0 && ((options[0] ?? 0) & 1) !== 0;
}

/** Frames that a socket lost since it was opened: no empty frame or no room in the receive ring when they came, or a descriptor that the kernel refused. */
export function xdpLosses(libc: Libc, fd: number): { missed: number; txErrors: number } {
  const statistics = new BigUint64Array(new ArrayBuffer(48)); // struct xdp_statistics
  const length = Uint8Array.from([48, 0, 0, 0]);
  if (libc.getsockopt(fd, SOL_XDP, XDP_STATISTICS, libc.address(new Uint8Array(statistics.buffer)), libc.address(length)) === -1) return { missed: 0, txErrors: 0 };
  const [dropped = 0n, , invalid = 0n, ringFull = 0n] = statistics;
  return { missed: Number(dropped + ringFull), txErrors: Number(invalid) };
}
