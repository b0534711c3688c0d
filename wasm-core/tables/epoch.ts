/**
 * Reclamation: what a reader may still see waits in limbo until every lcore has passed a quiescent point.
 *
 * `retire` notes the epoch in which a thing was unlinked; it may be reused once every running lcore has copied a later epoch
 * (`LC_EPOCH`, at the end of each vector). Stopped and idle lcores hold nothing; one that wakes publishes its state (an
 * atomic store) before it loads from a table. Limbo is a ring of 16-byte entries in the order of their epochs.
 */
import { H_EPOCH, HEADER, LC_EPOCH, LC_STATE, LCORE_RUNNING, LCORE_SHIFT, LCORES, MAX_WORKERS } from '../layout';
import { dir24FreeGroup, dir24FreeSlot } from './dir24';
import { ecmpFree } from './ecmp';
import { fipFreeRecord, fipSettleLane } from './fip-writer';
import { neighbourGiveBack, neighbourRetire } from './neighbour-writer';
import { nexthopFree } from './nexthop-writer';
import { heapGive } from './heap';
import { poptrieFree, poptrieFreeSlot } from './poptrie';
import { rangesFree } from './ranges-build';
import { rangesSettle } from './ranges-writer';
import { addTo, LIMBO, LIMBO_ENTRIES, W_LIMBO_BYTES, W_LIMBO_HEAD, W_LIMBO_TAIL } from './writer';

/** What the reference of an entry names. */
export const LIMBO_TRIE: u32 = 1; // direct table of a Poptrie, with all below it
export const LIMBO_TRIE_SLOT: u32 = 2; // a slot's first node, with all below it
export const LIMBO_DIR24_SLOT: u32 = 3; // slot number
export const LIMBO_DIR24_GROUP: u32 = 4; // slot << 15 | group
export const LIMBO_LANE: u32 = 5; // address of a floating-IP lane
export const LIMBO_FIP: u32 = 6; // address of a floating-IP record
export const LIMBO_NEXTHOP: u32 = 7; // id
export const LIMBO_ECMP: u32 = 8; // NH_AUX of a group whose member array was replaced
export const LIMBO_NEIGHBOUR: u32 = 9; // index
export const LIMBO_WINDOW: u32 = 10; // window of a range table, with all below it
export const LIMBO_LINE: u32 = 11; // line of a range table that links to its content
export const LIMBO_BLOCK: u32 = 12; // block of the trie heap

const E_REFERENCE: usize = 0;
const E_KIND: usize = 4;
const E_EPOCH: usize = 8;
const E_BYTES: usize = 12;

/** Polls of `waitReached`: about a millisecond. */
const PATIENCE: u32 = 20000;

@inline
function entryAt(number: u32): usize {
  return LIMBO + (((number & (LIMBO_ENTRIES - 1)) as usize) << 4);
}

/** Puts something into limbo. The caller has made sure that there is room (`limboRoom`). */
export function retire(kind: u32, reference: u32, bytes: u32): void {
  const tail: u32 = load<u32>(W_LIMBO_TAIL);
  const entry: usize = entryAt(tail);
  store<u32>(entry, reference, E_REFERENCE);
  store<u32>(entry, kind, E_KIND);
  store<u32>(entry, load<u32>(HEADER + H_EPOCH), E_EPOCH);
  store<u32>(entry, bytes, E_BYTES);
  store<u32>(W_LIMBO_TAIL, tail + 1);
  addTo(W_LIMBO_BYTES, bytes);
}

/** Entries that limbo can still take; tries to empty it when it is half full. */
export function limboRoom(): u32 {
  if (load<u32>(W_LIMBO_TAIL) - load<u32>(W_LIMBO_HEAD) > (LIMBO_ENTRIES >> 1)) {
    advance();
    collect();
  }
  return limboFree();
}

@inline
export function limboFree(): u32 {
  return LIMBO_ENTRIES - (load<u32>(W_LIMBO_TAIL) - load<u32>(W_LIMBO_HEAD));
}

/** Publishes a new epoch and returns it. */
export function advance(): u32 {
  const epoch: u32 = load<u32>(HEADER + H_EPOCH) + 1;
  atomic.store<u32>(HEADER + H_EPOCH, epoch);
  return epoch;
}

/** 1 when every running lcore has passed a quiescent point since `advance` returned this epoch. */
export function reached(epoch: u32): u32 {
  for (let lcore: usize = 0; lcore < (MAX_WORKERS as usize); lcore++) {
    const lc: usize = LCORES + (lcore << LCORE_SHIFT);
    if (atomic.load<u32>(lc + LC_STATE) != LCORE_RUNNING) continue;
    if (((atomic.load<u32>(lc + LC_EPOCH) - epoch) as i32) < 0) return 0;
  }
  return 1;
}

/** Advances and waits a little for all lcores; 1 when they have passed. */
export function waitReached(): u32 {
  const epoch: u32 = advance();
  for (let poll: u32 = 0; poll < PATIENCE; poll++) {
    if (reached(epoch) != 0) return 1;
  }
  return 0;
}

/** Gives back what no reader can see any more; returns the bytes that still wait. */
export function collect(): u32 {
  neighbourRetire();
  let head: u32 = load<u32>(W_LIMBO_HEAD);
  let passed: u32 = 0;
  let known: u32 = 0;
  while (head != load<u32>(W_LIMBO_TAIL)) {
    const entry: usize = entryAt(head);
    const epoch: u32 = load<u32>(entry, E_EPOCH) + 1;
    if (known == 0 || epoch != passed) {
      if (reached(epoch) == 0) break;
      passed = epoch;
      known = 1;
    }
    head += 1;
    store<u32>(W_LIMBO_HEAD, head);
    addTo(W_LIMBO_BYTES, 0 - load<u32>(entry, E_BYTES));
    giveBack(load<u32>(entry, E_KIND), load<u32>(entry, E_REFERENCE));
  }
  return load<u32>(W_LIMBO_BYTES);
}

function giveBack(kind: u32, reference: u32): void {
  if (kind == LIMBO_TRIE_SLOT) poptrieFreeSlot(reference as usize);
  else if (kind == LIMBO_TRIE) poptrieFree(reference as usize);
  else if (kind == LIMBO_DIR24_GROUP) dir24FreeGroup(reference >> 15, reference & 0x7FFF);
  else if (kind == LIMBO_DIR24_SLOT) dir24FreeSlot(reference);
  else if (kind == LIMBO_LANE) fipSettleLane(reference as usize);
  else if (kind == LIMBO_FIP) fipFreeRecord(reference as usize);
  else if (kind == LIMBO_NEXTHOP) nexthopFree(reference);
  else if (kind == LIMBO_ECMP) ecmpFree(reference);
  else if (kind == LIMBO_NEIGHBOUR) neighbourGiveBack(reference);
  else if (kind == LIMBO_WINDOW) rangesFree(reference as usize);
  else if (kind == LIMBO_LINE) rangesSettle(reference as usize);
  else if (kind == LIMBO_BLOCK) heapGive(reference as usize);
}
