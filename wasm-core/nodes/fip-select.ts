/**
 * fip-select: does a floating IP of the sending interface translate the source? One does if its VRF has a strictly longer match
 * for the destination than the workload's own VRF; ties go native, then to the first in order. docs/forwarding.md §6.
 * Next: nexthop.
 */
import {
  FIP_NEW, FIP_TAG, FR_DIRECTION, FR_NEXT, FR_VRF, FIPD_EGRESS, LC_TRACING, LEAF_LENGTH_SHIFT, LEAF_NH_MASK, M_DST, M_FLAGS, M_LENGTH, M_LPM, M_NH,
  M_ROOT, M_SCRATCH, M_SNAT, M_SRC, M_VRF, MF_SNAT, TAG_CHAIN, TAG_VRF_SHIFT,
} from '../layout';
import { NODE_FIP_SELECT, NODE_NEXTHOP } from '../generated';
import { lpmEntry, lpmLookup, lpmLeaf, lpmMatch, lpmRoot } from '../tables/lpm';
import { fetchLeaves } from './fetch-leaves';
import { countersOf, countNode, listCount, listOf, setListCount } from './graph';
import { countVrf } from './ip4-lookup';
import { traceNode } from './trace';

/**
 * The native result with its match length, both of one moment. DIR-24-8 keeps lengths apart, so the lookup is repeated where
 * the length was not in the leaf; the packet then follows what was read with it.
 */
@inline
function nativeMatch(meta: usize, destination: u32): u32 {
  let native: u32 = load<u32>(meta, M_LPM);
  if ((native & LEAF_NH_MASK) == 0) return 0;
  if (native >>> LEAF_LENGTH_SHIFT != 0) return native;
  native = lpmLookup(load<u32>(meta, M_VRF), destination);
  store<u32>(meta, native, M_LPM);
  store<u32>(meta, native & LEAF_NH_MASK, M_NH);
  return native;
}

/** The floating IP at `translation` (a lane or a record) in `vrf` wins the packet. */
@inline
function choose(counters: usize, meta: usize, translation: usize, vrf: u32, leaf: u32): void {
  store<u32>(meta, translation as u32, M_SNAT);
  store<u32>(meta, vrf, M_VRF);
  store<u32>(meta, leaf, M_LPM);
  store<u32>(meta, leaf & LEAF_NH_MASK, M_NH);
  store<u16>(meta, (<u32>load<u16>(meta, M_FLAGS) | MF_SNAT) as u16, M_FLAGS);
  countVrf(counters, vrf, <u32>load<u16>(meta, M_LENGTH));
}

/** Several floating IPs: the chain is in order, so the first of the longest match wins. */
function selectFromChain(counters: usize, meta: usize, first: usize): void {
  const destination: u32 = load<u32>(meta, M_DST);
  let best: u32 = nativeMatch(meta, destination) >>> LEAF_LENGTH_SHIFT;
  let winner: usize = 0;
  let winnerLeaf: u32 = 0;
  for (let record: usize = first; record != 0; record = load<u32>(record, FR_NEXT) as usize) {
    if ((<u32>load<u8>(record, FR_DIRECTION) & FIPD_EGRESS) == 0) continue;
    const leaf: u32 = lpmLookup(load<u32>(record, FR_VRF), destination);
    const length: u32 = leaf >>> LEAF_LENGTH_SHIFT;
    if (length > best) {
      best = length;
      winner = record;
      winnerLeaf = leaf;
    }
  }
  if (winner != 0) choose(counters, meta, winner, load<u32>(winner, FR_VRF), winnerLeaf);
  else store<u32>(meta, 0, M_SNAT);
}

/** One floating IP against the native route: the longer match wins. */
function compete(counters: usize, meta: usize, lane: usize): void {
  const destination: u32 = load<u32>(meta, M_DST);
  const native: u32 = nativeMatch(meta, destination);
  const leaf: u32 = lpmMatch(load<u64>(meta, M_ROOT), destination, load<u32>(meta, M_SCRATCH));
  if ((leaf >>> LEAF_LENGTH_SHIFT) > (native >>> LEAF_LENGTH_SHIFT)) {
    if (load<u32>(lane, FIP_NEW) != load<u32>(meta, M_SRC)) { // else it only permits the address
      choose(counters, meta, lane, load<u32>(lane, FIP_TAG) >>> TAG_VRF_SHIFT, leaf);
      return;
    }
  }
  store<u32>(meta, 0, M_SNAT);
}

export function fipSelect(lc: usize): void {
  const count: u32 = listCount(lc, NODE_FIP_SELECT);
  if (count == 0) return;
  const counters: usize = countersOf(lc);
  const list: usize = listOf(lc, NODE_FIP_SELECT);
  const end: usize = list + ((count as usize) << 2);
  let kinds: u32 = 0;
  for (let at: usize = list; at != end; at += 4) {
    const meta: usize = load<u32>(at) as usize;
    const lane: usize = load<u32>(meta, M_SNAT) as usize;
    const root: u64 = lpmRoot(load<u32>(lane, FIP_TAG) >>> TAG_VRF_SHIFT);
    store<u64>(meta, root, M_ROOT);
    store<u32>(meta, lpmEntry(root, load<u32>(meta, M_DST)) as u32, M_SCRATCH);
    kinds |= (root >> 32) as u32;
  }
  fetchLeaves(lc, list, end, kinds);
  const nexthopList: usize = listOf(lc, NODE_NEXTHOP);
  let nexthopNext: usize = nexthopList + ((listCount(lc, NODE_NEXTHOP) as usize) << 2);
  for (let at: usize = list; at != end; at += 4) {
    const meta: usize = load<u32>(at) as usize;
    const lane: usize = load<u32>(meta, M_SNAT) as usize;
    const tag: u32 = load<u32>(lane, FIP_TAG);
    store<u32>(nexthopNext, meta as u32);
    nexthopNext += 4;
    if ((tag & TAG_CHAIN) != 0) {
      selectFromChain(counters, meta, load<u32>(lane, FIP_NEW) as usize);
      continue;
    }
    if ((load<u32>(meta, M_LPM) & LEAF_NH_MASK) != 0) {
      compete(counters, meta, lane);
      continue;
    }
    // Any match wins, however long: the common case asks for no length.
    const leaf: u32 = lpmLeaf(load<u64>(meta, M_ROOT), load<u32>(meta, M_DST), load<u32>(meta, M_SCRATCH));
    if ((leaf & LEAF_NH_MASK) != 0) {
      if (load<u32>(lane, FIP_NEW) != load<u32>(meta, M_SRC)) { // else it only permits the address
        choose(counters, meta, lane, tag >>> TAG_VRF_SHIFT, leaf);
        continue;
      }
    }
    store<u32>(meta, 0, M_SNAT);
  }
  setListCount(lc, NODE_NEXTHOP, ((nexthopNext - nexthopList) >> 2) as u32);
  if (load<u32>(lc, LC_TRACING) != 0) traceNode(lc, NODE_FIP_SELECT);
  countNode(lc, NODE_FIP_SELECT, count);
  setListCount(lc, NODE_FIP_SELECT, 0);
}
