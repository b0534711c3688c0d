/**
 * Longest prefix match: the readers. A VRF's table is a Poptrie or a DIR-24-8 table, named by one u64 (VRF_LPM, its "root")
 * that writers publish by one store. See README.md for both layouts and their costs.
 *
 * A staged caller (nodes/fetch-leaves) asks for the address of the first word (`lpmEntry`), loads it for the whole vector, and
 * finishes with `lpmLeaf`. A result is LEAF_*: next hop, and above it the match length + 1; 0 = no route. A DIR-24-8 table keeps
 * its lengths apart, and most packets need none: `lpmLeaf` leaves them 0 there, `lpmMatch` and
 * `lpmLookup` load both, of one moment.
 *
 * Addresses are words in network order.
 */
import {
  DIR24, DIR24_DEPTH, DIR24_GROUP_DEPTH, DIR24_GROUPS, H_DIR24_CHANGES, H_DIR24_MOVING, H_ZERO, HEADER, LEAF_LENGTH_SHIFT, LEAF_NH_MASK, LPM_DIR24, LPM_POPTRIE, LPM_RANGES,
  POPTRIE_LEAF, VRF_SHIFT, VRFS,
} from '../layout';
import { rangeLeaf, rangeLine } from './ranges';

/** A Poptrie node is 32 bytes: bit v of the vector = child v is a node, bit v of the leaf vector = a new leaf begins at v. */
export const PN_VECTOR: usize = 0; // u64
export const PN_LEAF_VECTOR: usize = 8; // u64
export const PN_LEAF_BASE: usize = 16; // u32 address of the first leaf, less one leaf
export const PN_NODE_BASE: usize = 20; // u32 address of the first child, less one node
/** Of the first node below the direct table: bytes of all that hangs below it and of itself (writer's account). */
export const PN_BYTES: usize = 24; // u32

/** A DIR-24-8 depth byte: match length + 1 in the low six bits, two bits that count changes, all ones = being changed. */
export const DEPTH_MASK: u32 = 0x3F;
export const DEPTH_MOVING: u32 = 0xFF;
/** Of an entry's address: the 64 entries that are changed together. */
export const DIR24_CHUNK_MASK: usize = 0xFFFFFF80;
/** A DIR-24-8 entry with this bit names a group of 256 longer entries. */
export const DIR24_GROUP: u32 = 0x8000;

@inline
export function lpmRoot(vrf: u32): u64 {
  return load<u64>((vrf as usize) << VRF_SHIFT, VRFS);
}

/** Poptries and range tables keep the match length with the next hop. */
@inline
function hasLengths(root: u64): bool {
  return (((root >> 32) as u32) & 0xFF) >= LPM_POPTRIE;
}

function rangesLookup(root: u64, key: u32): u32 {
  return rangeLeaf(rangeLine((root as u32) as usize, (root >> 40) as u32, key), key) | POPTRIE_LEAF;
}

/** First word of a lookup, the load that misses: a direct-table entry or a DIR-24-8 entry. */
@inline
export function lpmFirst(root: u64, address: u32): u32 {
  const key: u32 = bswap<u32>(address);
  const kind: u32 = ((root >> 32) as u32) & 0xFF;
  const base: usize = (root as u32) as usize;
  if (kind == LPM_POPTRIE) return load<u32>(base + (((key >> ((root >> 40) as u32)) as usize) << 2));
  if (kind == LPM_DIR24) return load<u16>(base + (((key >> 8) as usize) << 1));
  if (kind == LPM_RANGES) return rangesLookup(root, key);
  return 0;
}

/** Where the first word of a lookup lies. A staged caller reads 32 bits, of which 16 count in DIR-24-8. */
@inline
export function lpmEntry(root: u64, address: u32): usize {
  const key: u32 = bswap<u32>(address);
  const kind: u32 = ((root >> 32) as u32) & 0xFF;
  const base: usize = (root as u32) as usize;
  if (kind == LPM_DIR24) return base + (((key >> 8) as usize) << 1);
  if (kind == LPM_RANGES) return rangeLine(base, (root >> 40) as u32, key);
  if (kind == LPM_POPTRIE) return base + (((key >> ((root >> 40) as u32)) as usize) << 2);
  return HEADER + H_ZERO; // an empty table begins with no route
}

/** From a first word to the next hop; length bits are there for a Poptrie, 0 for DIR-24-8. */
@inline
function lpmRest(root: u64, address: u32, first: u32): u32 {
  if (hasLengths(root)) return poptrieRest(root, address, first);
  const entry: u32 = first & 0xFFFF;
  if (entry < DIR24_GROUP) return entry;
  return dir24Group(root, address, entry);
}

/** From a first word to next hop and length, both of one moment. */
@inline
export function lpmMatch(root: u64, address: u32, first: u32): u32 {
  const kind: u32 = ((root >> 32) as u32) & 0xFF;
  if (kind >= LPM_POPTRIE) return poptrieRest(root, address, first);
  if (kind == LPM_DIR24) return dir24Lookup((root as u32) as usize, address);
  return 0;
}

/** Next hop and length for one address, both of one moment. */
@inline
export function lpmLookup(vrf: u32, address: u32): u32 {
  const root: u64 = lpmRoot(vrf);
  return lpmMatch(root, address, lpmFirst(root, address));
}

/** Next-hop id for one address, 0 = no route. */
@inline
export function lpmNexthop(vrf: u32, address: u32): u32 {
  const root: u64 = lpmRoot(vrf);
  return lpmRest(root, address, lpmFirst(root, address)) & LEAF_NH_MASK;
}

@inline
function poptrieRest(root: u64, address: u32, first: u32): u32 {
  if ((first as i32) < 0) return first & ~POPTRIE_LEAF;
  return load<u32>(poptrieLeaf(root, address, first as usize));
}

/** Where the leaf lies that a Poptrie's node leads to. */
@inline
export function poptrieLeaf(root: u64, address: u32, first: usize): usize {
  // The bits below the direct table, left aligned: each level takes six, zeros follow the last.
  let key: u32 = bswap<u32>(address) << (0 - ((root >> 40) as u32) & 31);
  let node: usize = first;
  while (true) {
    // One shift puts bit v on top (is it a node?) and drops the bits above it (how many before?).
    const shift: u64 = ((key >> 26) as u64) ^ 63;
    const vector: u64 = load<u64>(node, PN_VECTOR) << shift;
    if ((vector as i64) >= 0) {
      const leaves: u64 = load<u64>(node, PN_LEAF_VECTOR) << shift;
      return (load<u32>(node, PN_LEAF_BASE) as usize) + ((popcnt<u64>(leaves) as usize) << 2);
    }
    node = (load<u32>(node, PN_NODE_BASE) as usize) + ((popcnt<u64>(vector) as usize) << 5);
    key <<= 6;
  }
}

/** The result of what nodes/fetch-leaves made of a first word: next hop; length bits are there for a Poptrie, 0 for DIR-24-8. */
@inline
export function lpmLeaf(root: u64, address: u32, word: u32): u32 {
  if (hasLengths(root)) return word & ~POPTRIE_LEAF;
  const entry: u32 = word & 0xFFFF;
  if (entry < DIR24_GROUP) return entry;
  return dir24Group(root, address, entry);
}

@inline
function dir24Group(root: u64, address: u32, first: u32): u32 {
  return load<u16>(
    (((root as u32) >> 1) as usize) + (((first & 0x7FFF) as usize) << 9) + (((address >> 24) as usize) << 1),
    DIR24_GROUPS - (DIR24 >> 1),
  );
}

/**
 * Next hop and length of one moment, though they lie in two words. The writer (dir24.ts) counts each change in
 * H_DIR24_CHANGES, notes the chunk and its former result in H_DIR24_MOVING, marks the depth bytes, changes the entries, and
 * writes the depths with their own counter (modulo 3) raised. So equal depths around the entry mean that all three belong
 * together, if fewer than three changes began meanwhile; and a marked depth has its result noted: no reader waits for a writer.
 */
export function dir24Lookup(base: usize, address: u32): u32 {
  const key: u32 = bswap<u32>(address);
  while (true) {
    const changes: u32 = atomic.load<u32>(HEADER + H_DIR24_CHANGES);
    let entryAt: usize = base + (((key >> 8) as usize) << 1);
    let depthAt: usize = (base >> 1) + ((key >> 8) as usize) + (DIR24_DEPTH - (DIR24 >> 1));
    let before: u32 = atomic.load<u8>(depthAt);
    let entry: u32 = atomic.load<u16>(entryAt);
    if (entry >= DIR24_GROUP) {
      const place: usize = (((entry & 0x7FFF) as usize) << 8) + ((key & 0xFF) as usize);
      entryAt = (base >> 1) + (place << 1) + (DIR24_GROUPS - (DIR24 >> 1));
      depthAt = (base >> 2) + place + (DIR24_GROUP_DEPTH - (DIR24 >> 2));
      before = atomic.load<u8>(depthAt);
      entry = atomic.load<u16>(entryAt);
    }
    if (before != DEPTH_MOVING) {
      if (<u32>atomic.load<u8>(depthAt) == before) {
        if (atomic.load<u32>(HEADER + H_DIR24_CHANGES) - changes < 3) return entry | ((before & DEPTH_MASK) << LEAF_LENGTH_SHIFT);
      }
    } else {
      const moving: u64 = atomic.load<u64>(HEADER + H_DIR24_MOVING);
      if ((moving as u32) == ((entryAt & DIR24_CHUNK_MASK) as u32)) {
        if (atomic.load<u32>(HEADER + H_DIR24_CHANGES) == changes) return (moving >> 32) as u32;
      }
    }
  }
}
