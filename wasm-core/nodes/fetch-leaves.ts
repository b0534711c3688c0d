/**
 * Longest prefix match of a whole vector, in stages: every load that misses the cache has a loop of its own with little else in it,
 * so that the misses of many packets overlap (a loop with the whole lookup in it fits few packets into the processor's window).
 *
 * Before: M_ROOT, and lpmEntry in M_SCRATCH. After: in M_SCRATCH what lpmLeaf makes the result of.
 */
import { LC_TOUCHED, LPM_POPTRIE, LPM_RANGES, M_DST, M_ROOT, M_SCRATCH, POPTRIE_LEAF } from '../layout';
import { poptrieLeaf } from '../tables/lpm';
import { rangeLeaf } from '../tables/ranges';

@inline
function kindOf(meta: usize): u32 {
  return load<u8>(meta, M_ROOT + 4);
}

/** @param kinds LPM_* of all roots in the list, or'ed */
export function fetchLeaves(lc: usize, list: usize, end: usize, kinds: u32): void {
  if ((kinds & LPM_RANGES) != 0) {
    fetchRanges(lc, list, end);
  } else {
    for (let at: usize = list; at != end; at += 4) {
      const meta: usize = load<u32>(at) as usize;
      store<u32>(meta, load<u32>(load<u32>(meta, M_SCRATCH) as usize), M_SCRATCH);
    }
  }
  if ((kinds & LPM_POPTRIE) != 0) walkPoptries(lc, list, end);
}

/** First words, and the results of range tables. */
function fetchRanges(lc: usize, list: usize, end: usize): void {
  let touched: u32 = 0;
  for (let at: usize = list; at != end; at += 4) touched ^= load<u32>(load<u32>(load<u32>(at) as usize, M_SCRATCH) as usize);
  store<u32>(lc, touched, LC_TOUCHED);
  for (let at: usize = list; at != end; at += 4) {
    const meta: usize = load<u32>(at) as usize;
    const entry: usize = load<u32>(meta, M_SCRATCH) as usize;
    if (kindOf(meta) == LPM_RANGES) store<u32>(meta, rangeLeaf(entry, bswap<u32>(load<u32>(meta, M_DST))) | POPTRIE_LEAF, M_SCRATCH);
    else store<u32>(meta, load<u32>(entry), M_SCRATCH);
  }
}

function walkPoptries(lc: usize, list: usize, end: usize): void {
  let touched: u32 = 0;
  let walks: u32 = 0;
  for (let at: usize = list; at != end; at += 4) {
    const meta: usize = load<u32>(at) as usize;
    const word: u32 = load<u32>(meta, M_SCRATCH);
    if (kindOf(meta) == LPM_POPTRIE) {
      if ((word as i32) >= 0) {
        touched ^= load<u32>(word as usize);
        walks += 1;
      }
    }
  }
  store<u32>(lc, touched, LC_TOUCHED);
  if (walks == 0) return;
  for (let at: usize = list; at != end; at += 4) {
    const meta: usize = load<u32>(at) as usize;
    const word: u32 = load<u32>(meta, M_SCRATCH);
    if (kindOf(meta) == LPM_POPTRIE) {
      if ((word as i32) >= 0) store<u32>(meta, poptrieLeaf(load<u64>(meta, M_ROOT), load<u32>(meta, M_DST), word as usize) as u32, M_SCRATCH);
    }
  }
  for (let at: usize = list; at != end; at += 4) {
    const meta: usize = load<u32>(at) as usize;
    const word: u32 = load<u32>(meta, M_SCRATCH);
    if (kindOf(meta) == LPM_POPTRIE) {
      if ((word as i32) >= 0) store<u32>(meta, load<u32>(word as usize) | POPTRIE_LEAF, M_SCRATCH);
    }
  }
}
