/**
 * ip4-lookup: longest prefix match of the destination in the packet's VRF. docs/forwarding.md §5.
 *
 * The source's floating-IP bucket, which ip4-input pointed to, is searched on the way: it tells whether fip-select is next.
 * Nexts: fip-select (a floating IP may translate the source), nexthop.
 */
import {
  C_VRF, FIP_PRIVATE, LC_TOUCHED, LC_TRACING, LEAF_NH_MASK, M_DST, M_FLAGS, M_LENGTH, M_LPM, M_NH, M_ROOT, M_RX_IF, M_SCRATCH, M_SNAT, M_SRC, M_VRF, MF_SNAT,
  MF_SOURCE_UNPROVED,
} from '../layout';
import { DROP_SOURCE_MISMATCH, NODE_FIP_SELECT, NODE_IP4_LOOKUP, NODE_NEXTHOP } from '../generated';
import { fipFind } from '../tables/fip';
import { lpmEntry, lpmLeaf, lpmRoot } from '../tables/lpm';
import { fetchLeaves } from './fetch-leaves';
import { countersOf, countNode, drop, listCount, listOf, setListCount } from './graph';
import { traceNode } from './trace';

/** Counts a lookup of a packet in a VRF. */
@inline
export function countVrf(counters: usize, vrf: u32, bytes: u32): void {
  const counter: usize = counters + C_VRF + ((vrf as usize) << 4);
  store<u64>(counter, load<u64>(counter) + 1);
  store<u64>(counter, load<u64>(counter, 8) + (bytes as u64), 8);
}

export function ip4Lookup(lc: usize): void {
  const count: u32 = listCount(lc, NODE_IP4_LOOKUP);
  if (count == 0) return;
  const counters: usize = countersOf(lc);
  const list: usize = listOf(lc, NODE_IP4_LOOKUP);
  const end: usize = list + ((count as usize) << 2);
  // The buckets first, and nothing else: the shorter the loop, the more of its cache misses overlap.
  let touched: u32 = 0;
  for (let at: usize = list; at != end; at += 4) {
    const bucket: usize = load<u32>(load<u32>(at) as usize, M_SNAT) as usize;
    if (bucket != 0) touched ^= load<u32>(bucket);
  }
  store<u32>(lc, touched, LC_TOUCHED);
  let kept: usize = list;
  let kinds: u32 = 0;
  for (let at: usize = list; at != end; at += 4) {
    const meta: usize = load<u32>(at) as usize;
    const vrf: u32 = load<u32>(meta, M_VRF);
    const bucket: usize = load<u32>(meta, M_SNAT) as usize;
    if (bucket != 0) {
      const flags: u32 = load<u16>(meta, M_FLAGS);
      if ((flags & MF_SNAT) == 0) {
        const lane: usize = fipFind(FIP_PRIVATE, bucket, <u32>load<u16>(meta, M_RX_IF), load<u32>(meta, M_SRC));
        store<u32>(meta, lane as u32, M_SNAT);
        if (lane == 0) {
          if ((flags & MF_SOURCE_UNPROVED) != 0) {
            drop(lc, meta, DROP_SOURCE_MISMATCH);
            continue;
          }
        }
      }
    }
    const root: u64 = lpmRoot(vrf);
    store<u64>(meta, root, M_ROOT);
    store<u32>(meta, lpmEntry(root, load<u32>(meta, M_DST)) as u32, M_SCRATCH);
    kinds |= (root >> 32) as u32;
    countVrf(counters, vrf, <u32>load<u16>(meta, M_LENGTH));
    store<u32>(kept, meta as u32);
    kept += 4;
  }
  fetchLeaves(lc, list, kept, kinds);
  const selectList: usize = listOf(lc, NODE_FIP_SELECT);
  let selectNext: usize = selectList;
  const nexthopList: usize = listOf(lc, NODE_NEXTHOP);
  let nexthopNext: usize = nexthopList + ((listCount(lc, NODE_NEXTHOP) as usize) << 2);
  for (let at: usize = list; at != kept; at += 4) {
    const meta: usize = load<u32>(at) as usize;
    const leaf: u32 = lpmLeaf(load<u64>(meta, M_ROOT), load<u32>(meta, M_DST), load<u32>(meta, M_SCRATCH));
    store<u32>(meta, leaf, M_LPM);
    store<u32>(meta, leaf & LEAF_NH_MASK, M_NH);
    let select: bool = load<u32>(meta, M_SNAT) != 0;
    if (select) select = (<u32>load<u16>(meta, M_FLAGS) & MF_SNAT) == 0;
    if (select) {
      store<u32>(selectNext, meta as u32);
      selectNext += 4;
    } else {
      store<u32>(nexthopNext, meta as u32);
      nexthopNext += 4;
    }
  }
  setListCount(lc, NODE_FIP_SELECT, ((selectNext - selectList) >> 2) as u32);
  setListCount(lc, NODE_NEXTHOP, ((nexthopNext - nexthopList) >> 2) as u32);
  if (load<u32>(lc, LC_TRACING) != 0) traceNode(lc, NODE_IP4_LOOKUP);
  countNode(lc, NODE_IP4_LOOKUP, count);
  setListCount(lc, NODE_IP4_LOOKUP, 0);
}
