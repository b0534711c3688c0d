/** Route sets with the prefix lengths of the Internet's IPv4 table, spread over its unicast space. */
import * as R from '../../../wasm-core/records.ts';
import type { Random } from './random.ts';

export interface Routes {
  readonly count: number;
  /** Network addresses as numbers, host bits zero. */
  readonly prefixes: Uint32Array;
  readonly lengths: Uint8Array;
  readonly nexthops: Uint32Array;
}

/** Share of each length in 1/1000: about that of public BGP tables, and 2.2 % longer than /24 as inside provider networks. */
const SHARES: readonly (readonly [length: number, share: number])[] = [
  [24, 600], [22, 110], [23, 100], [21, 50], [20, 44], [19, 26], [18, 14], [16, 14], [17, 9], [15, 3], [14, 3], [13, 2], [12, 1], [11, 1], [8, 1],
  [32, 8], [30, 3], [29, 3], [28, 3], [27, 2], [26, 2], [25, 1],
];

/** `count` different routes to next hops 1 to `nexthops`. */
export function makeRoutes(random: Random, count: number, nexthops: number): Routes {
  const prefixes = new Uint32Array(count);
  const lengths = new Uint8Array(count);
  const hops = new Uint32Array(count);
  const seen = new Set<number>();
  for (let made = 0; made < count;) {
    const length = randomLength(random);
    const prefix = (random.next() & mask(length)) >>> 0;
    const key = prefix * 64 + length;
    if (!isUnicast(prefix) || seen.has(key)) continue;
    seen.add(key);
    prefixes[made] = prefix;
    lengths[made] = length;
    hops[made] = 1 + random.below(nexthops);
    made++;
  }
  return { count, prefixes, lengths, nexthops: hops };
}

/** An address that one of the routes covers, each route equally likely. */
export function coveredAddress(random: Random, { count, prefixes, lengths }: Routes): number {
  const route = random.below(count);
  return ((prefixes[route] ?? 0) | (random.next() & ~mask(lengths[route] ?? 32))) >>> 0;
}

export function addressText(address: number): string {
  return [24, 16, 8, 0].map((shift) => (address >>> shift) & 0xFF).join('.');
}

/** Packed records for `apply`. */
export function routeRecords(vrf: number, { count, prefixes, lengths, nexthops }: Routes): Uint8Array {
  const bytes = new Uint8Array(count * R.RT_SIZE);
  const view = new DataView(bytes.buffer);
  for (let i = 0; i < count; i++) {
    const at = i * R.RT_SIZE;
    view.setUint32(at + R.RT_VRF, vrf, true);
    view.setUint32(at + R.RT_PREFIX, prefixes[i] ?? 0);
    view.setUint32(at + R.RT_NEXTHOP, nexthops[i] ?? 0, true);
    view.setUint8(at + R.RT_LENGTH, lengths[i] ?? 0);
  }
  return bytes;
}

function mask(length: number): number {
  return length === 0 ? 0 : (0xFFFFFFFF << (32 - length)) >>> 0;
}

function randomLength(random: Random): number {
  let at = random.below(1000);
  for (const [length, share] of SHARES) {
    if (at < share) return length;
    at -= share;
  }
  throw new Error('the shares of the prefix lengths do not add up to 1000');
}

/** Public unicast space, roughly: 1/8 to 223/8 without 10/8 (the bench's own pods and tunnels) and 127/8. */
function isUnicast(address: number): boolean {
  const first = address >>> 24;
  return first >= 1 && first <= 223 && first !== 10 && first !== 127;
}
