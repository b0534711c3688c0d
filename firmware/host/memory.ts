/** The data plane's memory: 4 GiB that cost nothing until they are touched, and typed views over all of it. */
import {
  FRAMES, H_FIP_MASK, H_FRAMES, H_ICMP_BURST, H_ICMP_RATE, H_LCORES, H_MAX_INTERFACES, H_MAX_NEXTHOPS, H_MAX_VRFS, H_SEED, HEADER,
  LC_RANDOM, LCORE_SHIFT, LCORES, MAX_LCORES, MEMORY_PAGES, RINGS,
} from '../../wasm-core/layout.ts';
import { randomBytes } from 'node:crypto';
import { loadLibc } from '../linux/libc.ts';
import { preferHugePages } from '../linux/memory-map.ts';
import type { Profile } from './profile.ts';

/** Views over the one buffer. Addresses are bytes from 0 to 2^32; `u32[address >>> 2]` is the word there. */
export interface MemoryViews {
  readonly memory: WebAssembly.Memory;
  readonly u8: Uint8Array<SharedArrayBuffer>;
  readonly u16: Uint16Array<SharedArrayBuffer>;
  readonly u32: Uint32Array<SharedArrayBuffer>;
  readonly i32: Int32Array<SharedArrayBuffer>;
}

export function viewsOf(memory: WebAssembly.Memory): MemoryViews {
  const buffer = memory.buffer as unknown as SharedArrayBuffer;
  return { memory, u8: new Uint8Array(buffer), u16: new Uint16Array(buffer), u32: new Uint32Array(buffer), i32: new Int32Array(buffer) };
}

/** Reserves the memory. @throws RangeError where the address space is limited (`ulimit -v`) */
export function createMemory(): MemoryViews {
  try {
    return viewsOf(new WebAssembly.Memory({ initial: MEMORY_PAGES, maximum: MEMORY_PAGES, shared: true }));
  } catch (error) {
    throw new Error('cannot reserve 4 GiB of address space for the data plane: lift the limit (`ulimit -v unlimited`) or use a 64-bit system', { cause: error });
  }
}

/** Writes the profile's limits and the seeds; comes before the core's `init`. */
export function writeLimits(views: MemoryViews, profile: Profile): void {
  const word = (offset: number, value: number): void => {
    views.u32[(HEADER + offset) >>> 2] = value;
  };
  word(H_LCORES, profile.lcores);
  word(H_FRAMES, profile.tables.frames);
  word(H_FIP_MASK, profile.tables.floatingIpBuckets - 1);
  word(H_MAX_NEXTHOPS, profile.tables.nexthops);
  word(H_MAX_VRFS, profile.tables.vrfs);
  word(H_MAX_INTERFACES, profile.tables.interfaces);
  word(H_ICMP_RATE, profile.icmpErrors.perSecond);
  word(H_ICMP_BURST, profile.icmpErrors.burst);
  views.u8.set(randomBytes(8), HEADER + H_SEED);
  for (let lcore = 0; lcore < MAX_LCORES; lcore++) views.u8.set(randomBytes(8), LCORES + (lcore << LCORE_SHIFT) + LC_RANDOM);
}

/** Asks for huge pages where lookups miss the TLB: everywhere but in the rings, which the kernel maps over. */
export function useHugePages(views: MemoryViews): void {
  const libc = loadLibc();
  if (libc === undefined) return;
  const base = libc.address(views.u8);
  for (const [from, to] of [[LCORES, RINGS], [FRAMES, views.u8.length]] as const) {
    preferHugePages(libc, base + from, to - from);
  }
}
