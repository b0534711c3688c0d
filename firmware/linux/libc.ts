/**
 * The C library, the one door to system calls. Addresses pass as plain numbers (`intptr_t`): user space lies below 2^47.
 *
 * `loadLibc()` is undefined where koffi or a C library is missing (another OS, an architecture without a prebuilt koffi):
 * the appliance then has socket and memory ports only.
 */
import { createRequire } from 'node:module';
import type koffiModule from 'koffi';
import type { KoffiFunc } from 'koffi';

type Koffi = typeof koffiModule;

/** Functions that we call, with C's shapes. All return -1 and set errno on failure unless said. */
export interface Libc {
  syscall(number: number, a: number, b: number, c: number, d: number, e: number, f: number): number;
  socket(domain: number, type: number, protocol: number): number;
  bind(fd: number, address: number, length: number): number;
  connect(fd: number, address: number, length: number): number;
  setsockopt(fd: number, level: number, option: number, value: number, length: number): number;
  getsockopt(fd: number, level: number, option: number, value: number, length: number): number;
  ioctl(fd: number, request: number, argument: number): number;
  poll(fds: number, count: number, timeoutMs: number): number;
  sendto(fd: number, data: number, length: number, flags: number, address: number, addressLength: number): number;
  /** The same on a thread of its own, for calls that take the kernel long: this one goes on meanwhile. No errno: -1 is all that is told. */
  sendtoAside(fd: number, data: Uint8Array, flags: number): Promise<number>;
  recv(fd: number, data: number, length: number, flags: number): number;
  recvmmsg(fd: number, messages: number, count: number, flags: number, timeout: number): number;
  sendmmsg(fd: number, messages: number, count: number, flags: number): number;
  read(fd: number, data: number, length: number): number;
  write(fd: number, data: number, length: number): number;
  open(path: string, flags: number, mode: number): number;
  close(fd: number): number;
  mmap(address: number, length: number, protection: number, flags: number, fd: number, offset: number): number;
  madvise(address: number, length: number, advice: number): number;
  eventfd(initial: number, flags: number): number;
  clock_gettime(clock: number, time: number): number;
  errno(): number;
  /** Address of a buffer's first byte. The buffer stays alive for the next calls; for longer, whoever keeps the address keeps the buffer. */
  address(buffer: Uint8Array): number;
}

const DECLARATIONS = [
  'long syscall(long, intptr_t, intptr_t, intptr_t, intptr_t, intptr_t, intptr_t)',
  'int socket(int, int, int)',
  'int bind(int, intptr_t, unsigned int)',
  'int connect(int, intptr_t, unsigned int)',
  'int setsockopt(int, int, int, intptr_t, unsigned int)',
  'int getsockopt(int, int, int, intptr_t, intptr_t)',
  'int ioctl(int, unsigned long, intptr_t)',
  'int poll(intptr_t, unsigned long, int)',
  'intptr_t sendto(int, intptr_t, size_t, int, intptr_t, unsigned int)',
  'intptr_t recv(int, intptr_t, size_t, int)',
  'int recvmmsg(int, intptr_t, unsigned int, int, intptr_t)',
  'int sendmmsg(int, intptr_t, unsigned int, int)',
  'intptr_t read(int, intptr_t, size_t)',
  'intptr_t write(int, intptr_t, size_t)',
  'int open(const char *, int, unsigned int)',
  'int close(int)',
  'intptr_t mmap(intptr_t, size_t, int, int, int, int64_t)',
  'int madvise(intptr_t, size_t, int)',
  'int eventfd(unsigned int, int)',
  'int clock_gettime(int, intptr_t)',
];

const KEPT_BUFFERS = 64;

let loaded: Libc | undefined;
let tried = false;

/** Loads koffi and the C library once; undefined where there are none. */
export function loadLibc(): Libc | undefined {
  if (tried) return loaded;
  tried = true;
  // WROUTER_PORTABLE=1 shows on Linux what an appliance does elsewhere.
  if (process.platform !== 'linux' || process.env['WROUTER_PORTABLE'] === '1') return undefined;
  const koffi = requireKoffi();
  loaded = koffi && bindFunctions(koffi);
  return loaded;
}

/** The C library, or an error that says what lacks it. */
export function requireLibc(purpose: string): Libc {
  const libc = loadLibc();
  if (libc === undefined) throw new Error(`${purpose} needs Linux and the koffi package (npm ci); this is ${process.platform} ${process.arch}`);
  return libc;
}

/** Undefined where no koffi was installed, or none is built for this machine. */
function requireKoffi(): Koffi | undefined {
  try {
    return createRequire(import.meta.url)('koffi') as Koffi;
  } catch {
    return undefined;
  }
}

function bindFunctions(koffi: Koffi): Libc {
  const library = koffi.load('libc.so.6');
  const functions = Object.fromEntries(DECLARATIONS.map((declaration) => {
    const name = /(\w+)\(/.exec(declaration)?.[1] ?? declaration;
    return [name, library.func(declaration)];
  }));
  const sendto = functions['sendto'] as KoffiFunc<(...args: unknown[]) => unknown>;
  /** What other threads read. */
  const aside = new Set<Uint8Array>();
  const recent: Uint8Array[] = [];
  let turn = 0;
  return {
    ...(functions as unknown as Omit<Libc, 'errno' | 'address' | 'sendtoAside'>),
    sendtoAside: async (fd, data, flags) => {
      aside.add(data);
      try {
        return await new Promise<number>((resolve, reject) => {
          sendto.async(fd, Number(koffi.address(data)), data.length, flags, 0, 0, (error: Error | null, result: unknown) => (error === null ? resolve(Number(result)) : reject(error)));
        });
      } finally {
        aside.delete(data);
      }
    },
    errno: () => koffi.errno(),
    address: (buffer) => {
      recent[turn++ % KEPT_BUFFERS] = buffer; // an address keeps nothing alive: the collector must not come between it and its use
      return Number(koffi.address(buffer));
    },
  };
}
