/**
 * The lookup table of a VRF: which kind, how large, and how it follows the RIB.
 *
 * A change of a route first goes into the RIB, then `lpmChange` notes or makes it in the lookup table, and `lpmFlush` makes
 * what was noted: so that many changes of one slot rebuild it once. The flush comes at the end of each run of one VRF's routes in a batch.
 *
 * Memory is looked after beforehand (`lpmAccepts`), so that a route that is in the RIB is always in the lookup table too.
 */
import {
  DIR24_SLOTS, LPM_DIR24, LPM_EMPTY, LPM_POPTRIE, LPM_RANGES, VRF_BUILT, VRF_BYTES, VRF_LPM, VRF_LPM_KIND, VRF_LPM_SHIFT, VRF_NO_DIR24, VRF_PREFERRED, VRF_ROUTES, VRF_WIDE,
} from '../layout';
import { RESULT_OK, RESULT_TABLE_FULL } from '../records';
import { dir24Build, dir24Bytes, dir24FindSlot, dir24SlotOf, dir24Write } from './dir24';
import { advance, collect, LIMBO_DIR24_SLOT, LIMBO_TRIE, LIMBO_TRIE_SLOT, LIMBO_WINDOW, limboRoom, retire } from './epoch';
import { PN_BYTES } from './lpm';
import { HEAP_RESERVE, poptrieBuild, poptriePatch, poptrieRebuildSlot } from './poptrie';
import { rangesBuild } from './ranges-build';
import { rangesChange } from './ranges-writer';
import { ribRoot } from './rib';
import { vrfAt } from './vrf';
import { addTo, DIRTY_BITS, DIRTY_SLOTS, W_BUILD_BYTES, W_DIRTY_COUNT, W_INHERITED, W_PAGES_FREE, W_REBUILD } from './writer';

/** Bits of the direct table, and from how many routes on; a larger table is kept down to a quarter of that. */
const SMALL_BITS: u32 = 8;
const MIDDLE_BITS: u32 = 14;
const LARGE_BITS: u32 = 18;
const MIDDLE_ROUTES: u32 = 512;
const LARGE_ROUTES: u32 = 32768;
/** A VRF of so few routes has a range table, one that is larger and shrinks from so few on. It is made anew when it has twice or a quarter of its routes. */
const RANGES_ROUTES: u32 = 32768;
const RANGES_ROUTES_AGAIN: u32 = 8192;
/** DIR-24-8 is chosen from so many routes on, and kept down to so many. */
const DIR24_ROUTES: u32 = 200000;
const DIR24_ROUTES_KEPT: u32 = 100000;
/** Most that a route can take in a Poptrie: four nodes, each alone with its leaves in its block. */
const ROUTE_BYTES: u32 = 256;
/** The same in a range table: four lines in one window, and its share of those above. */
const RANGES_ROUTE_BYTES: u32 = 512;
/** Most pages that one slot of the large direct table can take: 2^14 addresses, each a leaf of its own. */
const SLOT_PAGES: u32 = 4;
const LARGE_TABLE_PAGES: u32 = 16;
const MAX_DIRTY: u32 = 16384;
/** One batch's flush retires at most MAX_DIRTY things. */
const LIMBO_RESERVE: u32 = 32768;

/** W_REBUILD: the whole table is to be rebuilt. */
const REBUILD: u32 = 1;

@inline
function kindOf(at: usize): u32 {
  return load<u8>(at, VRF_LPM_KIND);
}

@inline
function bitsOf(at: usize): u32 {
  return 32 - <u32>load<u8>(at, VRF_LPM_SHIFT);
}

@inline
function baseOf(at: usize): usize {
  return load<u32>(at, VRF_LPM) as usize;
}

/** 1 when there is memory for one more change in the VRF, whatever it leads to. */
export function lpmAccepts(vrf: u32): u32 {
  const at: usize = vrfAt(vrf);
  if (hasMemory(at) != 0) return 1;
  lpmFlush(vrf);
  advance();
  collect();
  return hasMemory(at);
}

function hasMemory(at: usize): u32 {
  let pages: u32 = HEAP_RESERVE;
  const routes: u32 = load<u32>(at, VRF_ROUTES);
  if (kindOf(at) == LPM_POPTRIE && bitsOf(at) == LARGE_BITS) pages += (load<u32>(W_DIRTY_COUNT) + 1) * SLOT_PAGES;
  else pages += LARGE_TABLE_PAGES + (((routes as u64) * ((routes < RANGES_ROUTES ? RANGES_ROUTE_BYTES : ROUTE_BYTES) as u64)) >> 16) as u32;
  if (load<u32>(W_PAGES_FREE) < pages) return 0;
  return limboRoom() < LIMBO_RESERVE ? 0 : 1;
}

/**
 * The RIB has changed at prefix/length (host order): it leads to `leaf` now, wherever no longer route does.
 * `wide`: the next hop's id is beyond DIR-24-8.
 */
export function lpmChange(vrf: u32, prefix: u32, length: u32, leaf: u32, wide: u32): void {
  const at: usize = vrfAt(vrf);
  const kind: u32 = kindOf(at);
  if (kind == LPM_POPTRIE) {
    const bits: u32 = bitsOf(at);
    if (length <= bits) {
      flushSlots(vrf); // what came before is seen before
      poptriePatch(baseOf(at), bits, prefix, length, leaf);
    } else {
      noteSlot(vrf, prefix >> (32 - bits));
    }
  } else if (kind == LPM_DIR24) {
    let fits: u32 = wide == 0 ? 1 : 0;
    if (fits != 0) {
      fits = dir24Write(dir24SlotOf(baseOf(at)), prefix, length, leaf);
      if (fits == 0) store<u8>(at, 1, VRF_NO_DIR24);
    }
    if (fits == 0) store<u32>(W_REBUILD, REBUILD);
  } else if (kind == LPM_RANGES) {
    addTo(at + VRF_BYTES, rangesChange(baseOf(at), load<u8>(at, VRF_LPM_SHIFT), ribRoot(vrf), prefix, length, leaf));
  }
  const wanted: u32 = wantedKind(at);
  if (wanted != kind) store<u32>(W_REBUILD, REBUILD);
  else if (wanted == LPM_POPTRIE) {
    if (wantedBits(at) != bitsOf(at)) store<u32>(W_REBUILD, REBUILD);
  } else if (wanted == LPM_RANGES) {
    if (isOutgrown(at) != 0) store<u32>(W_REBUILD, REBUILD);
  }
}

/** Makes the noted changes. */
export function lpmFlush(vrf: u32): void {
  const at: usize = vrfAt(vrf);
  const whole: u32 = load<u32>(W_REBUILD);
  store<u32>(W_REBUILD, 0);
  if (whole != 0) {
    if (rebuild(vrf) != 0) {
      forgetSlots();
      return;
    }
  }
  if (kindOf(at) == LPM_DIR24) store<u32>(at, dir24Bytes(dir24SlotOf(baseOf(at))), VRF_BYTES);
  flushSlots(vrf);
}

/** Rebuilds the noted slots of a Poptrie. */
function flushSlots(vrf: u32): void {
  const count: u32 = load<u32>(W_DIRTY_COUNT);
  if (count == 0) return;
  const at: usize = vrfAt(vrf);
  const table: usize = baseOf(at);
  const bits: u32 = bitsOf(at);
  const root: usize = ribRoot(vrf);
  for (let i: usize = 0; i < (count as usize); i++) {
    const former: usize = poptrieRebuildSlot(table, root, bits, load<u32>(DIRTY_SLOTS + (i << 2)));
    addTo(at + VRF_BYTES, load<u32>(W_BUILD_BYTES));
    if (former != 0) {
      const bytes: u32 = load<u32>(former, PN_BYTES);
      addTo(at + VRF_BYTES, 0 - bytes);
      retire(LIMBO_TRIE_SLOT, former as u32, bytes);
    }
  }
  forgetSlots();
}

/** Sets the preferred kind (0 = by size) and rebuilds if need be; RESULT_TABLE_FULL when that kind cannot be had. */
export function lpmPrefer(vrf: u32, kind: u32): u32 {
  const at: usize = vrfAt(vrf);
  store<u8>(at, kind as u8, VRF_PREFERRED);
  store<u8>(at, 0, VRF_NO_DIR24);
  if (load<u32>(at, VRF_ROUTES) == 0) return RESULT_OK;
  if (wantedKind(at) != kindOf(at)) {
    if (lpmAccepts(vrf) == 0) return RESULT_TABLE_FULL;
    store<u32>(W_REBUILD, REBUILD);
    lpmFlush(vrf);
  }
  if (kind == 0) return RESULT_OK;
  return kindOf(at) == kind ? RESULT_OK : RESULT_TABLE_FULL;
}

/** Takes the table away. */
export function lpmDrop(vrf: u32): void {
  publish(vrfAt(vrf), 0, 0);
}

// ---- kind and size -------------------------------------------------------------------------------------------------------
function wantedKind(at: usize): u32 {
  const routes: u32 = load<u32>(at, VRF_ROUTES);
  const preferred: u32 = load<u8>(at, VRF_PREFERRED);
  const present: u32 = kindOf(at);
  if (routes == 0) {
    store<u8>(at, 0, VRF_NO_DIR24);
    return LPM_EMPTY;
  }
  if (preferred == LPM_POPTRIE) return LPM_POPTRIE;
  if (preferred == 0) {
    if (routes < (present == LPM_EMPTY || present == LPM_RANGES ? RANGES_ROUTES : RANGES_ROUTES_AGAIN)) return LPM_RANGES;
  }
  if (load<u32>(at, VRF_WIDE) != 0) return LPM_POPTRIE;
  if (<u32>load<u8>(at, VRF_NO_DIR24) != 0) return LPM_POPTRIE;
  if (preferred != LPM_DIR24) {
    if (routes < (present == LPM_DIR24 ? DIR24_ROUTES_KEPT : DIR24_ROUTES)) return LPM_POPTRIE;
  }
  if (present == LPM_DIR24) return LPM_DIR24;
  return dir24FindSlot() == DIR24_SLOTS ? LPM_POPTRIE : LPM_DIR24;
}

function wantedBits(at: usize): u32 {
  const routes: u32 = load<u32>(at, VRF_ROUTES);
  const present: u32 = kindOf(at) == LPM_POPTRIE ? bitsOf(at) : 0;
  if (routes >= (present == LARGE_BITS ? LARGE_ROUTES >> 2 : LARGE_ROUTES)) return LARGE_BITS;
  return routes >= (present >= MIDDLE_BITS ? MIDDLE_ROUTES >> 2 : MIDDLE_ROUTES) ? MIDDLE_BITS : SMALL_BITS;
}

/** The range table of a VRF was made for far fewer routes, or far more. */
function isOutgrown(at: usize): u32 {
  const routes: u32 = load<u32>(at, VRF_ROUTES);
  const built: u32 = load<u32>(at, VRF_BUILT);
  if (routes > (built < 4 ? 8 : built * 2)) return 1;
  return routes < built >> 2 ? 1 : 0;
}

/** Builds the wanted table and publishes it; 0 when the heap is too full (the present one stays). */
function rebuild(vrf: u32): u32 {
  const at: usize = vrfAt(vrf);
  const wanted: u32 = wantedKind(at);
  if (wanted == LPM_EMPTY) {
    publish(at, 0, 0);
    return 1;
  }
  if (wanted == LPM_DIR24) {
    if (kindOf(at) == LPM_DIR24) return 1;
    const slot: u32 = dir24FindSlot();
    const base: usize = dir24Build(slot, ribRoot(vrf));
    if (base != 0) {
      publish(at, (base as u64) | ((LPM_DIR24 as u64) << 32), dir24Bytes(slot));
      return 1;
    }
    store<u8>(at, 1, VRF_NO_DIR24); // more groups than a slot has
  }
  if (wanted == LPM_RANGES) {
    const window: usize = rangesBuild(ribRoot(vrf));
    const shift: u32 = 32 - load<u32>(W_INHERITED);
    store<u32>(at, load<u32>(at, VRF_ROUTES), VRF_BUILT);
    publish(at, (window as u64) | ((LPM_RANGES as u64) << 32) | ((shift as u64) << 40), load<u32>(W_BUILD_BYTES));
    return 1;
  }
  const bits: u32 = wantedBits(at);
  const table: usize = poptrieBuild(ribRoot(vrf), bits);
  if (table == 0) return 0;
  publish(at, (table as u64) | ((LPM_POPTRIE as u64) << 32) | (((32 - bits) as u64) << 40), load<u32>(W_BUILD_BYTES));
  return 1;
}

/** One store; readers of the former table may go on until they pass. */
function publish(at: usize, root: u64, bytes: u32): void {
  const kind: u32 = kindOf(at);
  const base: usize = baseOf(at);
  const formerBytes: u32 = load<u32>(at, VRF_BYTES);
  atomic.store<u64>(at + VRF_LPM, root);
  store<u32>(at, bytes, VRF_BYTES);
  if (kind == LPM_POPTRIE) retire(LIMBO_TRIE, base as u32, formerBytes);
  if (kind == LPM_RANGES) retire(LIMBO_WINDOW, base as u32, formerBytes);
  if (kind == LPM_DIR24) retire(LIMBO_DIR24_SLOT, dir24SlotOf(base), formerBytes);
}

// ---- slots to be rebuilt -------------------------------------------------------------------------------------------------
function noteSlot(vrf: u32, slot: u32): void {
  const word: usize = DIRTY_BITS + (((slot >> 5) as usize) << 2);
  const bit: u32 = (1 as u32) << (slot & 31);
  const noted: u32 = load<u32>(word);
  if ((noted & bit) != 0) return;
  store<u32>(word, noted | bit);
  const count: u32 = load<u32>(W_DIRTY_COUNT);
  store<u32>(DIRTY_SLOTS + ((count as usize) << 2), slot);
  store<u32>(W_DIRTY_COUNT, count + 1);
  if (count + 1 == MAX_DIRTY) lpmFlush(vrf);
}

function forgetSlots(): void {
  const count: usize = load<u32>(W_DIRTY_COUNT) as usize;
  for (let i: usize = 0; i < count; i++) store<u32>(DIRTY_BITS + ((load<u32>(DIRTY_SLOTS + (i << 2)) >> 5) << 2), 0);
  store<u32>(W_DIRTY_COUNT, 0);
}
