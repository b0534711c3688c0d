/**
 * Floating IPs: the writer. fip.ts has the readers and says which lanes exist.
 *
 * Every floating IP or permit has a record, found by its identity (public address, VRF, interface) in FIP_INDEX. Those that
 * translate sources and permits are in the list of their (interface, private address), in order, permits last; the lane of
 * the private table is made from that list. A lane is never edited but for the head of a chain: a new one is put elsewhere
 * first, then the former becomes a tombstone, which may be reused once all readers have passed.
 */
import {
  FIP_BUCKET_SHIFT, FIP_DELTA, FIP_HASH, FIP_KEY, FIP_NEW, FIP_PRIVATE, FIP_PUBLIC, FIP_RECORD_SHIFT, FIP_RECORDS, FIP_TAG, FIP_TOMBSTONE, FIPD_EGRESS,
  FIPD_INGRESS, FR_DELTA, FR_DIRECTION, FR_GENERATION, FR_INTERFACE, FR_NEXT, FR_ORDER, FR_PRIVATE, FR_PUBLIC, FR_VRF, FR_WRITER, H_FIP_CHANGES, H_FIP_MASK, HEADER, MAX_FIPS,
  MAX_VRFS, TAG_CHAIN, TAG_INTERFACE_MASK, TAG_VRF_SHIFT,
} from '../layout';
import {
  FL_DIRECTION, FL_INTERFACE, FL_ORDER, FL_PRIVATE, FL_PUBLIC, FL_VRF, FLD_PERMIT, RECORD_FLOATING_IP, RESULT_DUPLICATE, RESULT_MALFORMED, RESULT_NO_INTERFACE,
  RESULT_NO_VRF, RESULT_NOT_FOUND, RESULT_OK, RESULT_TABLE_FULL,
} from '../records';
import { collect, LIMBO_FIP, LIMBO_LANE, limboRoom, retire, waitReached } from './epoch';
import { fipBucket, fipNextBucket, fipPrivate, fipPublic } from './fip';
import { interfaceCountFip, interfaceExists } from './interface';
import { vrfAddRef, vrfExists } from './vrf';
import {
  addTo, FIP_HEADS, FIP_INDEX, FIP_INDEX_BITS, stamp, stampNew, unstamp, W_FIP_FREE, W_FIP_NEXT, W_PRIVATE_KEYS, W_PRIVATE_LANES, W_PUBLIC_KEYS,
  W_PUBLIC_LANES,
} from './writer';

/** Tag of a tombstone that no reader can be looking at any more. */
const FREE_TAG: u32 = 0xFFFFFFFF;
const LANE_BYTES: u32 = 16;

/** Writes one FL record; returns RESULT_*. */
export function fipApply(record: usize): u32 {
  const direction: u32 = load<u8>(record, FL_DIRECTION);
  const iface: u32 = load<u16>(record, FL_INTERFACE);
  const vrf: u32 = load<u32>(record, FL_VRF);
  const address: u32 = load<u32>(record, FL_PUBLIC);
  if (limboRoom() < 1024) return RESULT_TABLE_FULL;
  if (hasSlack() == 0) return RESULT_TABLE_FULL;
  const former: usize = find(address, vrf, iface);
  if (direction == 0) {
    if (former == 0) return RESULT_NOT_FOUND;
    remove(former);
    return RESULT_OK;
  }
  const problem: u32 = check(record);
  if (problem != RESULT_OK) return problem;
  if (former != 0) {
    if (same(former, record) != 0) {
      stamp(RECORD_FLOATING_IP, former + FR_GENERATION);
      return RESULT_OK;
    }
  }
  if ((direction & FIPD_INGRESS) != 0) {
    const lane: usize = fipPublic(iface, address);
    if (lane != 0) {
      if (load<u32>(lane, FIP_TAG) >> TAG_VRF_SHIFT != vrf) return RESULT_DUPLICATE;
    }
  }
  const limit: u32 = (load<u32>(HEADER, H_FIP_MASK) + 1) * 3; // of four lanes a bucket
  if (load<u32>(W_PUBLIC_KEYS) >= limit || load<u32>(W_PRIVATE_KEYS) >= limit) return RESULT_TABLE_FULL;
  const made: usize = takeRecord();
  if (made == 0) return RESULT_TABLE_FULL;
  replace(former, made, record);
  return RESULT_OK;
}

/** Packs the record that makes this floating IP. */
export function fipPack(at: usize, record: usize): void {
  memory.fill(record, 0, 24);
  store<u32>(record, load<u32>(at, FR_PUBLIC), FL_PUBLIC);
  store<u32>(record, load<u32>(at, FR_PRIVATE), FL_PRIVATE);
  store<u32>(record, load<u32>(at, FR_VRF), FL_VRF);
  store<u16>(record, load<u16>(at, FR_INTERFACE), FL_INTERFACE);
  store<u8>(record, load<u8>(at, FR_DIRECTION), FL_DIRECTION);
  store<u16>(record, load<u16>(at, FR_ORDER), FL_ORDER);
}

@inline
export function fipRecordAt(index: u32): usize {
  return FIP_RECORDS + ((index as usize) << FIP_RECORD_SHIFT);
}

/** Limbo has let a record go. */
export function fipFreeRecord(at: usize): void {
  store<u32>(at, load<u32>(W_FIP_FREE), FR_WRITER);
  store<u32>(W_FIP_FREE, at as u32);
}

// ---- records -------------------------------------------------------------------------------------------------------------
@inline
function isUsable(address: u32): u32 {
  return address != 0 && address != FIP_TOMBSTONE ? 1 : 0;
}

function check(record: usize): u32 {
  const direction: u32 = load<u8>(record, FL_DIRECTION);
  const vrf: u32 = load<u32>(record, FL_VRF);
  const address: u32 = load<u32>(record, FL_PUBLIC);
  const inner: u32 = load<u32>(record, FL_PRIVATE);
  if (direction > FLD_PERMIT) return RESULT_MALFORMED;
  if (isUsable(address) == 0 || isUsable(inner) == 0) return RESULT_MALFORMED;
  if ((direction == FLD_PERMIT ? 1 : 0) != (address == inner ? 1 : 0)) return RESULT_MALFORMED;
  if (interfaceExists(load<u16>(record, FL_INTERFACE)) == 0) return RESULT_NO_INTERFACE;
  if (vrf >= MAX_VRFS) return RESULT_NO_VRF;
  return vrfExists(vrf) != 0 ? RESULT_OK : RESULT_NO_VRF;
}

function same(at: usize, record: usize): u32 {
  if (load<u32>(at, FR_PRIVATE) != load<u32>(record, FL_PRIVATE)) return 0;
  if (<u32>load<u8>(at, FR_DIRECTION) != <u32>load<u8>(record, FL_DIRECTION)) return 0;
  return <u32>load<u16>(at, FR_ORDER) == <u32>load<u16>(record, FL_ORDER) ? 1 : 0;
}

/** RFC 1624 eqn. 3: what a sum gains when `former` becomes `next`, folded. */
function deltaOf(former: u32, next: u32): u32 {
  let sum: u32 = (~former & 0xFFFF) + (~former >> 16) + (next & 0xFFFF) + (next >> 16);
  sum = (sum & 0xFFFF) + (sum >> 16);
  return (sum & 0xFFFF) + (sum >> 16);
}

@inline
function translatesSource(direction: u32): u32 {
  return direction != FLD_PERMIT ? direction & FIPD_EGRESS : 0;
}

@inline
function translatesDestination(direction: u32): u32 {
  return direction != FLD_PERMIT ? direction & FIPD_INGRESS : 0;
}

function takeRecord(): usize {
  const free: usize = load<u32>(W_FIP_FREE) as usize;
  if (free != 0) {
    store<u32>(W_FIP_FREE, load<u32>(free, FR_WRITER));
    return free;
  }
  const index: u32 = load<u32>(W_FIP_NEXT);
  if (index == MAX_FIPS) return 0;
  store<u32>(W_FIP_NEXT, index + 1);
  return fipRecordAt(index);
}

/** The new record takes the place of the former one (0 = none): first all that is new, then the former goes. */
function replace(former: usize, made: usize, record: usize): void {
  const direction: u32 = load<u8>(record, FL_DIRECTION);
  const iface: u32 = load<u16>(record, FL_INTERFACE);
  const inner: u32 = load<u32>(record, FL_PRIVATE);
  const vrf: u32 = load<u32>(record, FL_VRF);
  memory.fill(made, 0, (1 as usize) << FIP_RECORD_SHIFT);
  store<u32>(made, load<u32>(record, FL_PUBLIC), FR_PUBLIC);
  store<u32>(made, deltaOf(inner, load<u32>(record, FL_PUBLIC)), FR_DELTA);
  store<u32>(made, vrf, FR_VRF);
  store<u32>(made, inner, FR_PRIVATE);
  store<u16>(made, iface as u16, FR_INTERFACE);
  store<u8>(made, direction as u8, FR_DIRECTION);
  store<u16>(made, load<u16>(record, FL_ORDER), FR_ORDER);
  vrfAddRef(vrf, 1);
  stampNew(RECORD_FLOATING_IP, made + FR_GENERATION);
  if (former != 0) unlinkIndex(former);
  linkIndex(made);

  let head: usize = headOf(iface, inner);
  if (direction != FIPD_INGRESS) head = insertInOrder(head, made);
  if (former != 0) {
    if (load<u32>(former, FR_PRIVATE) == inner) {
      if (<u32>load<u8>(former, FR_DIRECTION) != FIPD_INGRESS) head = removeFromList(head, former);
    }
  }
  makePrivateLane(iface, inner, head);
  makePublicLane(made);
  interfaceCountFip(iface, translatesSource(direction), translatesDestination(direction), 1);
  if (former == 0) return;
  const formerInner: u32 = load<u32>(former, FR_PRIVATE);
  if (formerInner != inner) {
    if (<u32>load<u8>(former, FR_DIRECTION) != FIPD_INGRESS) makePrivateLane(iface, formerInner, removeFromList(headOf(iface, formerInner), former));
  }
  letGo(former);
}

function remove(former: usize): void {
  const iface: u32 = load<u16>(former, FR_INTERFACE);
  const inner: u32 = load<u32>(former, FR_PRIVATE);
  const direction: u32 = load<u8>(former, FR_DIRECTION);
  unlinkIndex(former);
  if (direction != FIPD_INGRESS) makePrivateLane(iface, inner, removeFromList(headOf(iface, inner), former));
  if (translatesDestination(direction) != 0) removeLane(FIP_PUBLIC, fipPublic(iface, load<u32>(former, FR_PUBLIC)));
  letGo(former);
}

function letGo(former: usize): void {
  const direction: u32 = load<u8>(former, FR_DIRECTION);
  interfaceCountFip(load<u16>(former, FR_INTERFACE), translatesSource(direction), translatesDestination(direction), 0xFFFFFFFF);
  vrfAddRef(load<u32>(former, FR_VRF), 0xFFFFFFFF);
  unstamp(RECORD_FLOATING_IP, former + FR_GENERATION);
  retire(LIMBO_FIP, former as u32, (1 as u32) << (FIP_RECORD_SHIFT as u32));
}

// ---- identities ----------------------------------------------------------------------------------------------------------
function indexAt(address: u32, vrf: u32, iface: u32): usize {
  const key: u64 = (((vrf << 13) ^ iface) as u64) << 32 | (address as u64);
  return FIP_INDEX + ((((key * FIP_HASH) >> ((64 - FIP_INDEX_BITS) as u64)) as usize) << 2);
}

function indexOf(at: usize): usize {
  return indexAt(load<u32>(at, FR_PUBLIC), load<u32>(at, FR_VRF), load<u16>(at, FR_INTERFACE));
}

function find(address: u32, vrf: u32, iface: u32): usize {
  let at: usize = load<u32>(indexAt(address, vrf, iface)) as usize;
  while (at != 0) {
    if (load<u32>(at, FR_PUBLIC) == address && load<u32>(at, FR_VRF) == vrf && <u32>load<u16>(at, FR_INTERFACE) == iface) return at;
    at = load<u32>(at, FR_WRITER) as usize;
  }
  return 0;
}

function linkIndex(at: usize): void {
  const link: usize = indexOf(at);
  store<u32>(at, load<u32>(link), FR_WRITER);
  store<u32>(link, at as u32);
}

function unlinkIndex(at: usize): void {
  let link: usize = indexOf(at);
  while (load<u32>(link) != (at as u32)) link = (load<u32>(link) as usize) + FR_WRITER;
  store<u32>(link, load<u32>(at, FR_WRITER));
}

// ---- the list of one (interface, private address) --------------------------------------------------------------------------
@inline
function headWord(lane: usize): usize {
  return FIP_HEADS + (((lane - FIP_PRIVATE) >> FIP_BUCKET_SHIFT) << 4) + (lane & 63);
}

function headOf(iface: u32, inner: u32): usize {
  const lane: usize = fipPrivate(iface, inner);
  return lane == 0 ? 0 : load<u32>(headWord(lane)) as usize;
}

/** Permits last; then by rank of the VRF's name, public address as a number, VRF. */
function isBefore(a: usize, b: usize): u32 {
  const permitA: u32 = <u32>load<u8>(a, FR_DIRECTION) == FLD_PERMIT ? 1 : 0;
  const permitB: u32 = <u32>load<u8>(b, FR_DIRECTION) == FLD_PERMIT ? 1 : 0;
  if (permitA != permitB) return permitB;
  const orderA: u32 = load<u16>(a, FR_ORDER);
  const orderB: u32 = load<u16>(b, FR_ORDER);
  if (orderA != orderB) return orderA < orderB ? 1 : 0;
  const addressA: u32 = bswap<u32>(load<u32>(a, FR_PUBLIC));
  const addressB: u32 = bswap<u32>(load<u32>(b, FR_PUBLIC));
  if (addressA != addressB) return addressA < addressB ? 1 : 0;
  return load<u32>(a, FR_VRF) < load<u32>(b, FR_VRF) ? 1 : 0;
}

/** Returns the head of the list with the record in it. */
function insertInOrder(head: usize, at: usize): usize {
  let previous: usize = 0;
  let next: usize = head;
  while (next != 0 && isBefore(next, at) != 0) {
    previous = next;
    next = load<u32>(next, FR_NEXT) as usize;
  }
  store<u32>(at, next as u32, FR_NEXT);
  if (previous == 0) return at;
  atomic.store<u32>(previous + FR_NEXT, at as u32);
  return head;
}

/** Returns the head of the list without the record, which itself still leads on: a reader may stand on it. */
function removeFromList(head: usize, at: usize): usize {
  const next: u32 = load<u32>(at, FR_NEXT);
  if (head == at) return next as usize;
  let previous: usize = head;
  while (load<u32>(previous, FR_NEXT) != (at as u32)) previous = load<u32>(previous, FR_NEXT) as usize;
  atomic.store<u32>(previous + FR_NEXT, next);
  return head;
}

/** Makes the private lane what the list says: none, a permit, one translation, or a chain. */
function makePrivateLane(iface: u32, inner: u32, head: usize): void {
  const lane: usize = fipPrivate(iface, inner);
  if (head == 0) {
    if (lane != 0) removeLane(FIP_PRIVATE, lane);
    return;
  }
  let tag: u32 = iface;
  let next: u32 = inner;
  let delta: u32 = deltaOf(inner, inner);
  const second: usize = load<u32>(head, FR_NEXT) as usize;
  if (<u32>load<u8>(head, FR_DIRECTION) != FLD_PERMIT) {
    tag = iface | (load<u32>(head, FR_VRF) << TAG_VRF_SHIFT);
    next = load<u32>(head, FR_PUBLIC);
    delta = load<u32>(head, FR_DELTA);
    if (second != 0) {
      if (<u32>load<u8>(second, FR_DIRECTION) != FLD_PERMIT) {
        tag = iface | TAG_CHAIN;
        next = head as u32;
        delta = 0;
      }
    }
  }
  if (lane != 0) {
    if (load<u32>(lane, FIP_TAG) == tag) {
      if (load<u32>(lane, FIP_NEW) == next || (tag & TAG_CHAIN) != 0) {
        atomic.store<u32>(lane + FIP_NEW, next);
        store<u32>(headWord(lane), head as u32);
        return;
      }
    }
  }
  const made: usize = putLane(FIP_PRIVATE, iface, inner, tag, next, delta);
  store<u32>(headWord(made), head as u32);
  if (lane != 0) removeLane(FIP_PRIVATE, lane);
}

/** Makes the public lane what the record says, in the place of a former one. */
function makePublicLane(at: usize): void {
  const iface: u32 = load<u16>(at, FR_INTERFACE);
  const address: u32 = load<u32>(at, FR_PUBLIC);
  const inner: u32 = load<u32>(at, FR_PRIVATE);
  const tag: u32 = iface | (load<u32>(at, FR_VRF) << TAG_VRF_SHIFT);
  let lane: usize = fipPublic(iface, address);
  if (lane != 0) {
    if (load<u32>(lane, FIP_TAG) != tag) lane = 0; // another VRF's, that this record does not touch
  }
  if (translatesDestination(load<u8>(at, FR_DIRECTION)) != 0) {
    if (lane != 0) {
      if (load<u32>(lane, FIP_NEW) == inner) return;
    }
    putLane(FIP_PUBLIC, iface, address, tag, inner, deltaOf(address, inner));
  }
  if (lane != 0) removeLane(FIP_PUBLIC, lane);
}

// ---- lanes ---------------------------------------------------------------------------------------------------------------
@inline
function laneCount(table: usize): usize {
  return table == FIP_PUBLIC ? W_PUBLIC_LANES : W_PRIVATE_LANES;
}

@inline
function keyCount(table: usize): usize {
  return table == FIP_PUBLIC ? W_PUBLIC_KEYS : W_PRIVATE_KEYS;
}

@inline
function hasEmptyLane(bucket: usize): u32 {
  return load<u32>(bucket, 0) == 0 || load<u32>(bucket, 4) == 0 || load<u32>(bucket, 8) == 0 || load<u32>(bucket, 12) == 0 ? 1 : 0;
}

@inline
function isFreeTombstone(lane: usize): u32 {
  if (load<u32>(lane, FIP_KEY) != FIP_TOMBSTONE) return 0;
  return load<u32>(lane, FIP_TAG) == FREE_TAG ? 1 : 0;
}

/** Lanes that change their form take another one before the former is free: an eighth of the lanes stays for them. */
function hasSlack(): u32 {
  const limit: u32 = ((load<u32>(HEADER, H_FIP_MASK) + 1) * 7) >> 1;
  if (load<u32>(W_PUBLIC_LANES) < limit && load<u32>(W_PRIVATE_LANES) < limit) return 1;
  if (waitReached() == 0) return 0;
  collect();
  return load<u32>(W_PUBLIC_LANES) < limit && load<u32>(W_PRIVATE_LANES) < limit ? 1 : 0;
}

/** A new lane for the key, in the first free place on its way; the key comes last, so a reader sees all of it or nothing. */
function putLane(table: usize, iface: u32, key: u32, tag: u32, next: u32, delta: u32): usize {
  let bucket: usize = fipBucket(table, iface, key);
  let lane: usize = 0;
  while (lane == 0) {
    let empty: usize = 0;
    for (let place: usize = bucket; place != bucket + 16; place += 4) {
      if (load<u32>(place) == 0) empty = place;
      else if (isFreeTombstone(place) != 0) lane = place;
    }
    if (lane == 0) {
      lane = empty;
      if (empty != 0) addTo(laneCount(table), 1);
    }
    bucket = fipNextBucket(table, bucket);
  }
  addTo(keyCount(table), 1);
  store<u32>(lane, tag, FIP_TAG);
  store<u32>(lane, next, FIP_NEW);
  store<u32>(lane, delta, FIP_DELTA);
  atomic.store<u32>(lane + FIP_KEY, key);
  return lane;
}

function removeLane(table: usize, lane: usize): void {
  atomic.store<u32>(HEADER + H_FIP_CHANGES, load<u32>(HEADER, H_FIP_CHANGES) + 1);
  atomic.store<u32>(lane + FIP_KEY, FIP_TOMBSTONE);
  addTo(keyCount(table), 0xFFFFFFFF);
  retire(LIMBO_LANE, lane as u32, LANE_BYTES);
}

/**
 * Limbo has let a lane go: it may be reused. It becomes empty if no key is looked for beyond its bucket; so may the tombstones
 * of the full buckets before it.
 */
export function fipSettleLane(lane: usize): void {
  const table: usize = lane < FIP_PRIVATE ? FIP_PUBLIC : FIP_PRIVATE;
  const mask: usize = load<u32>(HEADER, H_FIP_MASK) as usize;
  store<u32>(lane, FREE_TAG, FIP_TAG);
  let index: usize = ((lane - table) >> FIP_BUCKET_SHIFT);
  for (let step: usize = 0; step <= mask; step++) {
    const bucket: usize = table + (index << FIP_BUCKET_SHIFT);
    const open: u32 = hasEmptyLane(bucket);
    if (step != 0) {
      if (open != 0) return;
    }
    if (open != 0 || isPassed(table, index, mask) == 0) {
      for (let place: usize = bucket; place != bucket + 16; place += 4) {
        if (isFreeTombstone(place) != 0) {
          atomic.store<u32>(place + FIP_KEY, 0);
          addTo(laneCount(table), 0xFFFFFFFF);
        }
      }
    }
    index = (index - 1) & mask;
  }
}

/** 1 when a key behind this bucket is looked for through it. */
function isPassed(table: usize, index: usize, mask: usize): u32 {
  for (let distance: usize = 1; distance <= mask; distance++) {
    const bucket: usize = table + (((index + distance) & mask) << FIP_BUCKET_SHIFT);
    for (let place: usize = bucket; place != bucket + 16; place += 4) {
      const key: u32 = load<u32>(place);
      if (key == 0 || key == FIP_TOMBSTONE) continue;
      const home: usize = (fipBucket(table, load<u32>(place, FIP_TAG) & TAG_INTERFACE_MASK, key) - table) >> FIP_BUCKET_SHIFT;
      // The key lies as far from its home as from this bucket, or farther: then its way leads through it.
      if (((index + distance - home) & mask) >= distance) return 1;
    }
    if (hasEmptyLane(bucket) != 0) return 0;
  }
  return 1;
}
