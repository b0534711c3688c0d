/**
 * What the writers of all tables share: their words in the header, their own regions of the memory, totals and generations.
 *
 * Only the control instance writes tables, so nothing here is locked. Lcores never read these regions.
 */
import { H_GENERATION, H_WRITER, HEADER, WRITERS } from '../layout';

// ---- words in the header -----------------------------------------------------------------------------------------------
const WORDS: usize = HEADER + H_WRITER;
/** u32 x 8 by record kind: records in all, and those of the present generation. */
const W_TOTALS: usize = WORDS;
const W_FRESH: usize = WORDS + 32;
/** Limbo: running numbers of its first and next entry, bytes that wait in it. */
export const W_LIMBO_HEAD: usize = WORDS + 64;
export const W_LIMBO_TAIL: usize = WORDS + 68;
export const W_LIMBO_BYTES: usize = WORDS + 72;
/** Heap: free pages, where the search for one begins, bytes of all blocks handed out. */
export const W_PAGES_FREE: usize = WORDS + 76;
export const W_PAGE_HINT: usize = WORDS + 80;
export const W_HEAP_BYTES: usize = WORDS + 84;
/** RIB: next node never used, list of free nodes, how many there are. */
export const W_RIB_NEXT: usize = WORDS + 88;
export const W_RIB_FREE: usize = WORDS + 92;
export const W_RIB_FREE_COUNT: usize = WORDS + 96;
/** Floating-IP records likewise; lanes that are not empty, of the public and the private table. */
export const W_FIP_NEXT: usize = WORDS + 100;
export const W_FIP_FREE: usize = WORDS + 104;
export const W_PUBLIC_LANES: usize = WORDS + 108;
export const W_PRIVATE_LANES: usize = WORDS + 112;
/** ECMP: next byte never used; lists of free arrays by size. */
export const W_ECMP_NEXT: usize = WORDS + 116;
export const W_ECMP_FREE: usize = WORDS + 120; // u32 x 7
/** Where the search for neighbours to give back goes on. */
export const W_NEIGHBOUR_HINT: usize = WORDS + 152;
/** Batch of routes: the VRF's table is to be rebuilt as a whole; slots of its direct table that are to be rebuilt. */
export const W_REBUILD: usize = WORDS + 156;
export const W_DIRTY_COUNT: usize = WORDS + 160;
/** Bytes that the table under construction takes so far. */
export const W_BUILD_BYTES: usize = WORDS + 164;
/** Keys in the public and the private table. */
export const W_PUBLIC_KEYS: usize = WORDS + 172;
export const W_PRIVATE_KEYS: usize = WORDS + 176;
/** Result of all routes that are shorter than a block of a range table (LEAF_*): see ranges-build.ts. */
export const W_INHERITED: usize = WORDS + 180;
/** A sweep under way: kind + 1 (0 = none), kind that it is at, VRF, cursor, records that went since it was last at the first one. */
export const W_SWEEP: usize = WORDS + 184;
export const W_SWEEP_PART: usize = WORDS + 188;
export const W_SWEEP_VRF: usize = WORDS + 192;
export const W_SWEEP_CURSOR: usize = WORDS + 196;
export const W_SWEEP_GONE: usize = WORDS + 200;
/** Nothing is ever written here but zero: see `fence`. */
const W_FENCE: usize = WORDS + 168;
/** DIR-24-8 slots, 16 bytes each: see dir24.ts. */
export const W_DIR24_SLOTS: usize = WORDS + 256;
/** u16 per block class of the heap: page + 1 with room. */
export const W_HEAP_CLASSES: usize = WORDS + 512;

// ---- regions -----------------------------------------------------------------------------------------------------------
/** Next hops of an interface as a list: u32 previous, u32 next, by id. */
export const NEXTHOP_LINKS: usize = WRITERS;
export const NEXTHOP_GENERATIONS: usize = WRITERS + 0x00400000; // u8 by id
export const LABEL_GENERATIONS: usize = WRITERS + 0x00500000; // u8 by label
/** First record of the list behind each lane of the private table: u32 by lane. */
export const FIP_HEADS: usize = WRITERS + 0x00600000;
/** Hash of floating-IP identities: u32 address of the first record; FR_WRITER is the next one's. */
export const FIP_INDEX: usize = WRITERS + 0x00A00000;
export const FIP_INDEX_BITS: u32 = 20;
export const HEAP_PAGES: usize = WRITERS + 0x00E00000; // 16 bytes by page
/** One record under construction. */
export const DRAFT: usize = WRITERS + 0x00E40000;
/** Six-bit strides under construction, 512 bytes by level: u32 leaf x 64, u32 RIB node x 64. */
export const STRIDES: usize = WRITERS + 0x00E41000;
/** Ranges of one line under construction: u32 each. No stride is at the same time. */
export const RANGE_STARTS: usize = STRIDES;
export const RANGE_LEAVES: usize = STRIDES + 64;
export const DIRTY_BITS: usize = WRITERS + 0x00E48000; // bit by slot of the direct table
export const DIRTY_SLOTS: usize = WRITERS + 0x00E50000; // u32 list of them
export const ECMP_GENERATIONS: usize = WRITERS + 0x00F00000; // u8 by slot of the ECMP region
/** A large batch of routes in the order of their prefixes: u32 record number each; and the counts that sort it. */
export const BATCH_ORDER: usize = WRITERS + 0x01300000;
export const BATCH_COUNTS: usize = WRITERS + 0x01500000; // u32 by the first 16 bits of the prefix
/** What waits for the readers' epoch: 16 bytes each, a ring. */
export const LIMBO: usize = WRITERS + 0x01600000;
export const LIMBO_ENTRIES: u32 = 524288;

// ---- totals and generations --------------------------------------------------------------------------------------------
/** The generation that `resyncBegin` set last, 1..255. */
@inline
export function generation(): u32 {
  return load<u32>(HEADER + H_GENERATION);
}

@inline
export function total(kind: u32): u32 {
  return load<u32>(W_TOTALS + ((kind as usize) << 2));
}

@inline
export function staleCount(kind: u32): u32 {
  return load<u32>(W_TOTALS + ((kind as usize) << 2)) - load<u32>(W_FRESH + ((kind as usize) << 2));
}

/** Nothing is of the present generation. */
export function forgetFresh(): void {
  memory.fill(W_FRESH, 0, 32);
}

/** Stores before it become visible before those after it. (asc 0.28 emits an invalid `atomic.fence`; a read-modify-write does.) */
@inline
export function fence(): void {
  atomic.add<u32>(W_FENCE, 0);
}

@inline
export function addTo(word: usize, amount: u32): void {
  store<u32>(word, load<u32>(word) + amount);
}

/** A new record of `kind`, whose generation byte lies at `at`. */
export function stampNew(kind: u32, at: usize): void {
  store<u8>(at, generation() as u8);
  addTo(W_TOTALS + ((kind as usize) << 2), 1);
  addTo(W_FRESH + ((kind as usize) << 2), 1);
}

/** A record that was written again. */
export function stamp(kind: u32, at: usize): void {
  if (<u32>load<u8>(at) == generation()) return;
  store<u8>(at, generation() as u8);
  addTo(W_FRESH + ((kind as usize) << 2), 1);
}

/** A record that is deleted. */
export function unstamp(kind: u32, at: usize): void {
  addTo(W_TOTALS + ((kind as usize) << 2), 0xFFFFFFFF);
  if (<u32>load<u8>(at) == generation()) addTo(W_FRESH + ((kind as usize) << 2), 0xFFFFFFFF);
  store<u8>(at, 0);
}
