/** The data plane's memory: 4 GiB that cost nothing until they are touched, with an appliance's limits and huge pages. */
import {
  FRAMES, H_FIP_MASK, H_FRAMES, H_ICMP_BURST, H_ICMP_RATE, H_LCORES, H_MAX_INTERFACES, H_MAX_NEXTHOPS, H_MAX_VRFS, H_SEED, HEADER,
  LC_RANDOM, LCORE_SHIFT, LCORES, MAX_LCORES, RINGS,
} from '../../wasm-core/layout.ts';
import { randomBytes } from 'node:crypto';
import { loadLibc } from '../linux/libc.ts';
import { preferHugePages } from '../linux/memory-map.ts';
import type { MemoryViews } from './memory-views.ts';
import type { Profile } from './profile.ts';

export { createMemory, viewsOf, type MemoryViews } from './memory-views.ts';

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
