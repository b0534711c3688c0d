/**
 * Floating IPs: the readers of both hash tables (layout.ts, FIP_*). A lane is named by the address of its key word; its tag,
 * new address and checksum delta lie FIP_TAG, FIP_NEW and FIP_DELTA further on.
 *
 * The private table has one lane for each (interface, private address) with a floating IP that translates sources or a
 * permit: translating (FIP_NEW = the floating IP, the tag bears its VRF) when exactly one floating IP does, a chain of
 * records (TAG_CHAIN) when several do, and a permit (FIP_NEW = its key) when none does. The public table has one lane for each (interface, public address) that translates
 * destinations. What a reader found stays unchanged until its lcore's next quiescent point.
 */
import {
  FIP_BUCKET_SHIFT, FIP_HASH, FIP_PRIVATE, FIP_PUBLIC, FIP_TAG, H_FIP_CHANGES, H_FIP_MASK, HEADER, TAG_INTERFACE_MASK,
} from '../layout';

/** Lane of (interface, private address), 0 = none. */
@inline
export function fipPrivate(iface: u32, address: u32): usize {
  return fipFind(FIP_PRIVATE, fipBucket(FIP_PRIVATE, iface, address), iface, address);
}

/** Lane of (interface, public address), 0 = none. */
@inline
export function fipPublic(iface: u32, address: u32): usize {
  return fipFind(FIP_PUBLIC, fipBucket(FIP_PUBLIC, iface, address), iface, address);
}

/** Address of the bucket that a key belongs to, in `table` FIP_PRIVATE or FIP_PUBLIC; the bucket itself is not touched. */
@inline
export function fipBucket(table: usize, iface: u32, address: u32): usize {
  const key: u64 = ((iface as u64) << 32) | (address as u64);
  const home: u32 = (((key * FIP_HASH) >> 32) as u32) & load<u32>(HEADER, H_FIP_MASK);
  return table + ((home as usize) << FIP_BUCKET_SHIFT);
}

/** Lane of a key in one bucket, 0 = not there. Which lane it is must not be a branch, which would wait for the bucket to arrive from memory. */
@inline
function fipLane(bucket: usize, iface: u32, address: u32): usize {
  const keys: v128 = i32x4.eq(v128.load(bucket), i32x4.splat(address as i32));
  const tags: v128 = i32x4.eq(v128.and(v128.load(bucket, FIP_TAG), i32x4.splat(TAG_INTERFACE_MASK as i32)), i32x4.splat(iface as i32));
  const found: i32 = i32x4.bitmask(v128.and(keys, tags));
  return found == 0 ? 0 : bucket + ((ctz<i32>(found) as usize) << 2);
}

/** Lane of a key, looked for from its bucket on; 0 = none. Most lie in their own bucket. */
@inline
export function fipFind(table: usize, bucket: usize, iface: u32, address: u32): usize {
  const lane: usize = fipLane(bucket, iface, address);
  return lane != 0 ? lane : fipSearch(table, bucket, iface, address);
}

/**
 * The whole search. A lane that is replaced may move from where the search has not been yet to where it has been already, so one
 * that finds nothing while lanes were taken away begins again.
 */
function fipSearch(table: usize, bucket: usize, iface: u32, address: u32): usize {
  let changes: u32 = atomic.load<u32>(HEADER + H_FIP_CHANGES);
  let at: usize = bucket;
  while (true) {
    const lane: usize = fipLane(at, iface, address);
    if (lane != 0) return lane;
    // Writers keep lanes empty, and never empty one that a probe must pass.
    if (i32x4.bitmask(i32x4.eq(v128.load(at), i32x4.splat(0))) == 0) {
      at = fipNextBucket(table, at);
      continue;
    }
    const now: u32 = atomic.load<u32>(HEADER + H_FIP_CHANGES);
    if (now == changes) return 0;
    changes = now;
    at = bucket;
  }
}

/** The bucket that takes what does not fit into this one. */
@inline
export function fipNextBucket(table: usize, bucket: usize): usize {
  const mask: usize = load<u32>(HEADER, H_FIP_MASK) as usize;
  return table + ((((bucket - table) >> FIP_BUCKET_SHIFT) + 1 & mask) << FIP_BUCKET_SHIFT);
}
