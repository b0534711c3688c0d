/**
 * DIR-24-8 (Gupta, Lin, McKeown 1998): the writer. lpm.ts has the reader.
 *
 * A slot is one table: 2^24 u16 entries and as many depth bytes, and up to 32,768 groups of 256 entries for what is longer
 * than /24. The depth of an entry tells which route it belongs to, so routes are written and withdrawn without looking into
 * the RIB (the entry of a group bears 0): in the range of a prefix, every entry that bears a shorter or equal length belongs to the one route that it
 * covers or replaces.
 *
 * Entry and depth are two words, and readers want both of one moment (lpm.ts `dir24Lookup` says how): entries change in
 * chunks of 64, whose former result is one and the same (see above).
 */
import {
  DIR24, DIR24_DEPTH, DIR24_DEPTH_SLOT_SHIFT, DIR24_GROUP_DEPTH, DIR24_GROUP_DEPTH_SLOT_SHIFT, DIR24_GROUPS, DIR24_GROUPS_SLOT_SHIFT, DIR24_SLOT_SHIFT,
  DIR24_SLOTS, H_DIR24_CHANGES, H_DIR24_MOVING, HEADER, LEAF_LENGTH_SHIFT, LEAF_NH_MASK,
} from '../layout';
import { LIMBO_DIR24_GROUP, retire } from './epoch';
import { DEPTH_MASK, DEPTH_MOVING, DIR24_CHUNK_MASK, DIR24_GROUP } from './lpm';
import { RN_LEFT, RN_LENGTH, RN_NEXTHOP, RN_PREFIX, RN_RIGHT } from './rib';
import { leafOf } from './poptrie';
import { fence, W_DIR24_SLOTS } from './writer';

const MAX_GROUPS: u32 = 32768;
export const DIR24_BYTES: u32 = 3 << 24;
const GROUP_BYTES: u32 = 768;
const CHUNK: u32 = 64;
const ALL: u64 = 0xFFFFFFFFFFFFFFFF;

const S_STATE: usize = 0; // u32 SLOT_*
const S_CARVED: usize = 4; // u32 groups ever used
const S_FREE: usize = 8; // u32 first free group + 1; the next is the u16 in it
const S_USED: usize = 12; // u32
const SLOT_CLEAN: u32 = 0;
const SLOT_USED: u32 = 1;

@inline
function slotAt(slot: u32): usize {
  return W_DIR24_SLOTS + ((slot as usize) << 4);
}

@inline
export function dir24Base(slot: u32): usize {
  return DIR24 + ((slot as usize) << DIR24_SLOT_SHIFT);
}

@inline
export function dir24SlotOf(base: usize): u32 {
  return ((base - DIR24) >> DIR24_SLOT_SHIFT) as u32;
}

@inline
function groupEntries(slot: u32, group: u32): usize {
  return DIR24_GROUPS + ((slot as usize) << DIR24_GROUPS_SLOT_SHIFT) + ((group as usize) << 9);
}

@inline
function groupDepths(slot: u32, group: u32): usize {
  return DIR24_GROUP_DEPTH + ((slot as usize) << DIR24_GROUP_DEPTH_SLOT_SHIFT) + ((group as usize) << 8);
}

/** A free slot, DIR24_SLOTS when there is none. */
export function dir24FindSlot(): u32 {
  for (let slot: u32 = 0; slot < DIR24_SLOTS; slot++) {
    if (load<u32>(slotAt(slot), S_STATE) == SLOT_CLEAN) return slot;
  }
  return DIR24_SLOTS;
}

/** Builds the table of a RIB in a free slot; 0 when its groups do not suffice (the slot is free again then). */
export function dir24Build(slot: u32, root: usize): usize {
  store<u32>(slotAt(slot), SLOT_USED, S_STATE);
  if (root != 0) {
    if (buildRoute(slot, root) == 0) {
      dir24FreeSlot(slot);
      return 0;
    }
  }
  return dir24Base(slot);
}

/** Bytes of a slot's table with its groups. */
export function dir24Bytes(slot: u32): u32 {
  return DIR24_BYTES + load<u32>(slotAt(slot), S_USED) * GROUP_BYTES;
}

/**
 * Makes prefix/length lead to `leaf` wherever no longer route does: the new route's own word, or, when it is withdrawn, that
 * of the longest shorter one. Returns 0 when there is no group left for it.
 */
export function dir24Write(slot: u32, prefix: u32, length: u32, leaf: u32): u32 {
  fence();
  const base: usize = dir24Base(slot);
  const depths: usize = DIR24_DEPTH + ((slot as usize) << DIR24_DEPTH_SLOT_SHIFT);
  const index: u32 = prefix >> 8;
  if (length <= 24) {
    writeRange(slot, base, depths, index, (1 as u32) << (24 - length), length, leaf);
    return 1;
  }
  const entryAt: usize = base + ((index as usize) << 1);
  const depthAt: usize = depths + (index as usize);
  let entry: u32 = load<u16>(entryAt);
  if (entry < DIR24_GROUP) {
    const group: u32 = takeGroup(slot);
    if (group == MAX_GROUPS) return 0;
    fillGroup(slot, group, entry, <u32>load<u8>(depthAt) & DEPTH_MASK);
    entry = DIR24_GROUP | group;
    writeRange(slot, groupEntries(slot, group), groupDepths(slot, group), prefix & 0xFF, (1 as u32) << (32 - length), length, leaf);
    atomic.store<u16>(entryAt, entry as u16);
    store<u8>(depthAt, nextDepth(load<u8>(depthAt), 0) as u8);
    return 1;
  }
  const group: u32 = entry & 0x7FFF;
  const entries: usize = groupEntries(slot, group);
  const groupDepth: usize = groupDepths(slot, group);
  writeRange(slot, entries, groupDepth, prefix & 0xFF, (1 as u32) << (32 - length), length, leaf);
  if ((leaf >> LEAF_LENGTH_SHIFT) <= 25) dissolve(slot, group, entryAt, depthAt);
  return 1;
}

export function dir24FreeGroup(slot: u32, group: u32): void {
  const at: usize = slotAt(slot);
  store<u16>(groupEntries(slot, group), load<u32>(at, S_FREE) as u16);
  store<u32>(at, group + 1, S_FREE);
  store<u32>(at, load<u32>(at, S_USED) - 1, S_USED);
}

export function dir24FreeSlot(slot: u32): void {
  memory.fill(dir24Base(slot), 0, 1 << 25);
  memory.fill(DIR24_DEPTH + ((slot as usize) << DIR24_DEPTH_SLOT_SHIFT), 0, 1 << 24);
  memory.fill(slotAt(slot), 0, 16);
}

// ---- groups --------------------------------------------------------------------------------------------------------------
function takeGroup(slot: u32): u32 {
  const at: usize = slotAt(slot);
  const free: u32 = load<u32>(at, S_FREE);
  let group: u32 = 0;
  if (free != 0) {
    group = free - 1;
    const next: u32 = load<u16>(groupEntries(slot, group));
    store<u32>(at, next, S_FREE);
  } else {
    group = load<u32>(at, S_CARVED);
    if (group == MAX_GROUPS) return MAX_GROUPS;
    store<u32>(at, group + 1, S_CARVED);
  }
  store<u32>(at, load<u32>(at, S_USED) + 1, S_USED);
  return group;
}

function fillGroup(slot: u32, group: u32, entry: u32, depth: u32): void {
  memory.fill(groupDepths(slot, group), depth as u8, 256);
  const pattern: u64 = (entry as u64) * 0x0001000100010001;
  const start: usize = groupEntries(slot, group);
  for (let at: usize = start; at != start + 512; at += 8) store<u64>(at, pattern);
}

/** When nothing in the group is longer than /24 any more, its entry takes the place of the group. */
function dissolve(slot: u32, group: u32, entryAt: usize, depthAt: usize): void {
  const depths: usize = groupDepths(slot, group);
  for (let i: usize = 0; i < 256; i++) {
    if ((<u32>load<u8>(depths + i) & DEPTH_MASK) > 25) return;
  }
  store<u8>(depthAt, nextDepth(load<u8>(depthAt), <u32>load<u8>(depths) & DEPTH_MASK) as u8);
  atomic.store<u16>(entryAt, load<u16>(groupEntries(slot, group)));
  retire(LIMBO_DIR24_GROUP, (slot << 15) | group, GROUP_BYTES);
}

// ---- changing a table under its readers --------------------------------------------------------------------------------------
/** The depth byte with its counter raised; 3 is left out, so that no byte looks like DEPTH_MOVING. */
@inline
function nextDepth(former: u32, depth: u32): u32 {
  const count: u32 = (former >> 6) + 1;
  return depth | ((count == 3 ? 0 : count) << 6);
}

/** `count` entries from `index` on, of the first level or of one group. */
function writeRange(slot: u32, entries: usize, depths: usize, index: u32, count: u32, length: u32, leaf: u32): void {
  let at: u32 = index;
  const end: u32 = index + count;
  while (at != end) {
    let chunkEnd: u32 = (at & ~(CHUNK - 1)) + CHUNK;
    if (chunkEnd > end) chunkEnd = end;
    writeChunk(slot, entries, depths, at, chunkEnd, length, leaf);
    at = chunkEnd;
  }
}

/** One chunk, or a part of it. */
function writeChunk(slot: u32, entries: usize, depths: usize, first: u32, end: u32, length: u32, leaf: u32): void {
  const entry: u32 = leaf & LEAF_NH_MASK;
  const depth: u32 = leaf >> LEAF_LENGTH_SHIFT;
  let changes: u64 = 0;
  let former: u32 = 0;
  let i: u32 = first;
  while (i != end) {
    if ((i & 7) == 0) {
      if (areLonger(load<u64>(depths + (i as usize)), length + 1) != 0) {
        i = i + 8 < end ? i + 8 : end;
        continue;
      }
    }
    const present: u32 = load<u16>(entries + ((i as usize) << 1));
    const presentDepth: u32 = <u32>load<u8>(depths + (i as usize)) & DEPTH_MASK;
    if (present >= DIR24_GROUP) {
      // Only the first level has groups in it.
      writeRange(slot, groupEntries(slot, present & 0x7FFF), groupDepths(slot, present & 0x7FFF), 0, 256, length, leaf);
    } else if (presentDepth <= length + 1) {
      if (present != entry || presentDepth != depth) {
        former = present | (presentDepth << LEAF_LENGTH_SHIFT);
        changes |= (1 as u64) << ((i & (CHUNK - 1)) as u64);
      }
    }
    i += 1;
  }
  if (changes == 0) return;

  const start: u32 = first & ~(CHUNK - 1);
  const chunkEntries: usize = entries + ((start as usize) << 1);
  const chunkDepths: usize = depths + (start as usize);
  atomic.store<u32>(HEADER + H_DIR24_CHANGES, load<u32>(HEADER, H_DIR24_CHANGES) + 1);
  atomic.store<u64>(HEADER + H_DIR24_MOVING, ((former as u64) << 32) | ((chunkEntries & DIR24_CHUNK_MASK) as u64));
  fence();
  if (changes == ALL && areEqual(chunkDepths) != 0) changeAll(chunkEntries, chunkDepths, entry, depth);
  else changeSome(chunkEntries, chunkDepths, changes, entry, depth);
  fence();
}

/** 1 when all eight depth bytes bear more than `depth`: the upper bit of each byte survives the subtraction then. */
@inline
function areLonger(depths: u64, depth: u32): u32 {
  const tops: u64 = 0x8080808080808080;
  const masked: u64 = depths & 0x3F3F3F3F3F3F3F3F;
  return (((masked | tops) - ((depth + 1) as u64) * 0x0101010101010101) & tops) == tops ? 1 : 0;
}

/** 1 when all 64 depth bytes are one and the same. */
function areEqual(depths: usize): u32 {
  const pattern: u64 = (load<u8>(depths) as u64) * 0x0101010101010101;
  for (let i: usize = 0; i < 64; i += 8) {
    if (load<u64>(depths + i) != pattern) return 0;
  }
  return 1;
}

function changeAll(entries: usize, depths: usize, entry: u32, depth: u32): void {
  const next: u64 = (nextDepth(load<u8>(depths), depth) as u64) * 0x0101010101010101;
  const pattern: u64 = (entry as u64) * 0x0001000100010001;
  for (let i: usize = 0; i < 64; i += 8) store<u64>(depths + i, ALL);
  fence();
  for (let i: usize = 0; i < 128; i += 8) store<u64>(entries + i, pattern);
  fence();
  for (let i: usize = 0; i < 64; i += 8) store<u64>(depths + i, next);
}

function changeSome(entries: usize, depths: usize, changes: u64, entry: u32, depth: u32): void {
  // The counters of the former depth bytes, two bits each, while the bytes are marked.
  let lowCounts: u64 = 0;
  let highCounts: u64 = 0;
  for (let rest: u64 = changes; rest != 0; rest &= rest - 1) {
    const bit: u64 = ctz<u64>(rest);
    const count: u64 = (<u32>load<u8>(depths + (bit as usize)) >> 6) as u64;
    lowCounts |= (count & 1) << bit;
    highCounts |= (count >> 1) << bit;
    store<u8>(depths + (bit as usize), DEPTH_MOVING as u8);
  }
  fence();
  for (let rest: u64 = changes; rest != 0; rest &= rest - 1) store<u16>(entries + ((ctz<u64>(rest) as usize) << 1), entry as u16);
  fence();
  for (let rest: u64 = changes; rest != 0; rest &= rest - 1) {
    const bit: u64 = ctz<u64>(rest);
    const count: u32 = (((lowCounts >> bit) & 1) | (((highCounts >> bit) & 1) << 1)) as u32;
    store<u8>(depths + (bit as usize), nextDepth(count << 6, depth) as u8);
  }
}

// ---- building a table that no reader sees yet ----------------------------------------------------------------------------------
/** Writes the routes below a RIB node, the shorter before the longer; 0 when the groups do not suffice. */
function buildRoute(slot: u32, route: usize): u32 {
  if (load<u32>(route, RN_NEXTHOP) != 0) {
    const prefix: u32 = load<u32>(route, RN_PREFIX);
    const length: u32 = load<u8>(route, RN_LENGTH);
    const index: usize = (prefix >> 8) as usize;
    const depths: usize = DIR24_DEPTH + ((slot as usize) << DIR24_DEPTH_SLOT_SHIFT);
    if (length <= 24) {
      fillEntries(dir24Base(slot), depths, index, (1 as usize) << ((24 - length) as usize), leafOf(route));
    } else {
      const entryAt: usize = dir24Base(slot) + (index << 1);
      let entry: u32 = load<u16>(entryAt);
      if (entry < DIR24_GROUP) {
        const group: u32 = takeGroup(slot);
        if (group == MAX_GROUPS) return 0;
        fillGroup(slot, group, entry, load<u8>(depths + index));
        entry = DIR24_GROUP | group;
        store<u16>(entryAt, entry as u16);
        store<u8>(depths + index, 0);
      }
      const group: u32 = entry & 0x7FFF;
      fillEntries(groupEntries(slot, group), groupDepths(slot, group), (prefix & 0xFF) as usize, (1 as usize) << ((32 - length) as usize), leafOf(route));
    }
  }
  const left: usize = load<u32>(route, RN_LEFT) as usize;
  const right: usize = load<u32>(route, RN_RIGHT) as usize;
  if (left != 0) {
    if (buildRoute(slot, left) == 0) return 0;
  }
  if (right != 0) return buildRoute(slot, right);
  return 1;
}

function fillEntries(entries: usize, depths: usize, first: usize, count: usize, leaf: u32): void {
  memory.fill(depths + first, (leaf >> LEAF_LENGTH_SHIFT) as u8, count);
  const end: usize = entries + ((first + count) << 1);
  for (let at: usize = entries + (first << 1); at != end; at += 2) store<u16>(at, leaf as u16);
}
