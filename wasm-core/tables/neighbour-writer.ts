/**
 * Neighbours: what the control instance does to them. Next hops pin their neighbour's record, with the MAC where the controller
 * gives it; records of no use any more are given back. Lcores claim and resolve them (neighbour.ts, nodes/neighbour).
 */
import {
  IF_MAC, INTERFACE_SHIFT, INTERFACES, LC_NOW_US, LCORE_CONTROL, LCORE_SHIFT, LCORES, MAX_NEIGHBOURS, NB_ASKED_MS, NB_FLAGS, NB_HELD, NB_KEY, NB_MAC,
  NB_REFS, NB_SEEN_MS, NB_TRIES, NBF_RETIRED, NBF_STATIC, NEIGHBOUR_SHIFT,
} from '../layout';
import { LIMBO_NEIGHBOUR, limboFree, retire } from './epoch';
import { neighbourAt, neighbourClaim } from './neighbour';
import { W_NEIGHBOUR_HINT } from './writer';

/** A record that nobody confirmed or asked for so long is given back. */
const FORGET_MS: u32 = 600000;
/** Records that one `collect` looks at. */
const SCAN: u32 = 256;
const MAC_MASK: u64 = 0x0000FFFFFFFFFFFF;

/** NB_MAC's word: the neighbour's MAC (low 48 bits), above it the first two bytes of the interface's own. */
@inline
export function neighbourWord(iface: u32, mac: u64): u64 {
  return (mac & MAC_MASK) | ((load<u16>(INTERFACES + ((iface as usize) << INTERFACE_SHIFT), IF_MAC) as u64) << 48);
}

/** The record of a next hop's neighbour, which stays while the next hop does; MAX_NEIGHBOURS when there is no room. */
export function neighbourPin(iface: u32, address: u32): u32 {
  const index: u32 = neighbourClaim(iface, address);
  if (index == MAX_NEIGHBOURS) return MAX_NEIGHBOURS;
  store<u32>(neighbourAt(index), load<u32>(neighbourAt(index), NB_REFS) + 1, NB_REFS);
  return index;
}

/** Its MAC, given by the controller: never asked for, never aged. */
export function neighbourFix(iface: u32, index: u32, mac: u64): void {
  const at: usize = neighbourAt(index);
  atomic.store<u32>(at + NB_FLAGS, NBF_STATIC);
  atomic.store<u64>(at + NB_MAC, neighbourWord(iface, mac));
}

export function neighbourUnpin(index: u32): void {
  const at: usize = neighbourAt(index);
  const refs: u32 = load<u32>(at, NB_REFS) - 1;
  store<u32>(at, refs, NB_REFS);
  if (refs == 0) {
    if ((load<u32>(at, NB_FLAGS) & NBF_STATIC) != 0) forget(at);
  }
}

/** The interface's own MAC changed: the words of its neighbours follow. */
export function neighboursFollow(iface: u32): void {
  for (let index: u32 = 0; index < MAX_NEIGHBOURS; index++) {
    const at: usize = neighbourAt(index);
    if ((load<u64>(at, NB_KEY) >> 32) != (iface as u64)) continue;
    // Lcores may learn the neighbour at the same time.
    let word: u64 = atomic.load<u64>(at + NB_MAC);
    while (word != 0) {
      const seen: u64 = atomic.cmpxchg<u64>(at + NB_MAC, word, neighbourWord(iface, word));
      if (seen == word) break;
      word = seen;
    }
  }
}

/** The interface is gone: nobody is known behind it. */
export function neighboursForget(iface: u32): void {
  for (let index: u32 = 0; index < MAX_NEIGHBOURS; index++) {
    const at: usize = neighbourAt(index);
    if ((load<u64>(at, NB_KEY) >> 32) == (iface as u64)) forget(at);
  }
}

function forget(at: usize): void {
  atomic.store<u64>(at + NB_MAC, 0);
  store<u32>(at, 0, NB_TRIES);
  atomic.store<u32>(at + NB_FLAGS, 0);
}

// ---- giving back ---------------------------------------------------------------------------------------------------------
/** Looks at the next records and retires those that have been of no use for long: no lcore finds them from now on. */
export function neighbourRetire(): void {
  const now: u32 = (load<u64>(LCORES + ((LCORE_CONTROL as usize) << LCORE_SHIFT), LC_NOW_US) / 1000) as u32;
  if (now < FORGET_MS) return;
  if (limboFree() < SCAN) return;
  let index: u32 = load<u32>(W_NEIGHBOUR_HINT);
  for (let step: u32 = 0; step < SCAN; step++) {
    const at: usize = neighbourAt(index);
    if (load<u64>(at, NB_KEY) != 0) {
      if (load<u32>(at, NB_REFS) == 0) {
        if (useless(at, now) != 0) {
          atomic.store<u32>(at + NB_FLAGS, NBF_RETIRED);
          retire(LIMBO_NEIGHBOUR, index, 0);
        }
      }
    }
    index = (index + 1) & (MAX_NEIGHBOURS - 1);
  }
  store<u32>(W_NEIGHBOUR_HINT, index);
}

function useless(at: usize, now: u32): u32 {
  if (atomic.load<u32>(at + NB_HELD) != 0) return 0;
  if (load<u32>(at, NB_FLAGS) != 0) return 0;
  if (now - load<u32>(at, NB_SEEN_MS) < FORGET_MS) return 0;
  return now - load<u32>(at, NB_ASKED_MS) < FORGET_MS ? 0 : 1;
}

/** Every lcore has passed since it was retired: it is free, unless a packet came to wait for it at the last moment. */
export function neighbourGiveBack(index: u32): void {
  const at: usize = neighbourAt(index);
  if (atomic.load<u32>(at + NB_HELD) != 0) {
    atomic.store<u32>(at + NB_FLAGS, 0);
    return;
  }
  memory.fill(at + NB_MAC, 0, ((1 as usize) << NEIGHBOUR_SHIFT) - NB_MAC);
  atomic.store<u64>(at + NB_KEY, 0);
}
