/**
 * mpls-input: the next hop behind the label, the inner packet, and whether its source may come from this tunnel.
 * docs/forwarding.md §4.3 to §4.5. In loops: next hops, inner headers, what the floating IP needs from memory, the floating IP.
 * Nexts: ip4-lookup (label of a VRF), nexthop (label of an interface).
 */
import {
  FIP_PUBLIC, FIP_TAG, IF_VRF, INTERFACE_SHIFT, INTERFACES, LC_TOUCHED, LC_TRACING, M_DNAT, M_DST, M_FLAGS, M_L3, M_LENGTH, M_NH, M_OUTER_SRC,
  M_SCRATCH, M_SRC, M_VRF, MF_TUNNELLED, NEXTHOP_SHIFT, NEXTHOPS, NH_AUX, NH_INTERFACE, NH_KIND, NH_WORD, NHF_FIP, NHK_ECMP, NHK_INTERFACE, NHK_VRF,
  TAG_VRF_SHIFT, VRF_FLAGS, VRF_SHIFT, VRFF_RPF, VRFS,
} from '../layout';
import {
  DROP_IPV4_BROADCAST, DROP_IPV4_DESTINATION_MARTIAN, DROP_IPV4_SOURCE_MARTIAN, DROP_LABEL_UNKNOWN, DROP_NEXTHOP_INVALID, DROP_RPF_FAILED,
  NODE_IP4_LOOKUP, NODE_MPLS_INPUT, NODE_NEXTHOP,
} from '../generated';
import { fipBucket, fipFind } from '../tables/fip';
import { nexthopAt } from '../tables/nexthop';
import { followGroup } from './ecmp';
import { countNode, drop, enqueue, listCount, listOf, setListCount } from './graph';
import { ip4Validate, isOrdinary } from './ip4-validate';
import { comesFromTunnel } from './reverse-path';
import { traceNode } from './trace';

/** From the inner header to where TCP and UDP keep their checksums. */
const L4_SUMS: usize = 32;

/** Inside a tunnel 255.255.255.255 is one more address that nobody may be. */
function innerProblem(l3: usize, problem: u32): u32 {
  if (problem != DROP_IPV4_BROADCAST) return problem;
  const source: u32 = load<u8>(l3, 12);
  if (source == 0 || source == 127 || source >= 224) return DROP_IPV4_SOURCE_MARTIAN;
  return DROP_IPV4_DESTINATION_MARTIAN;
}

/** Where the packet goes: true for the nexthop node or ip4-lookup (M_VRF, and M_NH 0, say which), false when it dies here. */
function follow(lc: usize, meta: usize): bool {
  const id: u32 = load<u32>(meta, M_NH);
  let nexthop: usize = nexthopAt(id);
  let kind: u32 = load<u8>(nexthop, NH_KIND);
  if (kind == NHK_ECMP) {
    nexthop = followGroup(lc, meta, nexthop);
    if (nexthop == 0) return false;
    kind = load<u8>(nexthop, NH_KIND);
  }
  if (kind == NHK_INTERFACE) {
    toInterface(meta, load<u32>(nexthop, NH_WORD));
    return true;
  }
  if (kind == NHK_VRF) {
    store<u32>(meta, load<u32>(nexthop, NH_AUX), M_VRF);
    store<u32>(meta, 0, M_NH);
    return true;
  }
  drop(lc, meta, DROP_NEXTHOP_INVALID);
  return false;
}

/** A label of an interface: its VRF, and in M_DNAT the bucket of the floating IP that may translate the destination. */
@inline
function toInterface(meta: usize, word: u32): void {
  const iface: u32 = word >>> 16;
  store<u32>(meta, load<u32>((iface as usize) << INTERFACE_SHIFT, INTERFACES + IF_VRF), M_VRF);
  if ((word & (NHF_FIP << 8)) != 0) store<u32>(meta, fipBucket(FIP_PUBLIC, iface, load<u32>(meta, M_DST)) as u32, M_DNAT);
}

/** Not an ordinary packet for an interface: looked at in full. False when it dies here. */
function admit(lc: usize, meta: usize): bool {
  if (load<u32>(meta, M_NH) == 0) {
    drop(lc, meta, DROP_LABEL_UNKNOWN);
    return false;
  }
  const l3: usize = load<u32>(meta, M_L3) as usize;
  const problem: u32 = ip4Validate(meta, l3, load<u16>(meta, M_LENGTH));
  if (problem != 0) {
    drop(lc, meta, innerProblem(l3, problem));
    return false;
  }
  store<u16>(meta, (<u32>load<u16>(meta, M_FLAGS) | MF_TUNNELLED) as u16, M_FLAGS);
  return follow(lc, meta);
}

export function mplsInput(lc: usize): void {
  const count: u32 = listCount(lc, NODE_MPLS_INPUT);
  if (count == 0) return;
  const list: usize = listOf(lc, NODE_MPLS_INPUT);
  const end: usize = list + ((count as usize) << 2);
  for (let at: usize = list; at != end; at += 4) {
    const meta: usize = load<u32>(at) as usize;
    store<u32>(meta, load<u32>((load<u32>(meta, M_NH) as usize) << NEXTHOP_SHIFT, NEXTHOPS + NH_WORD), M_SCRATCH);
  }
  let alive: usize = list;
  for (let at: usize = list; at != end; at += 4) {
    const meta: usize = load<u32>(at) as usize;
    const word: u32 = load<u32>(meta, M_SCRATCH);
    if (isOrdinary(meta, load<u32>(meta, M_L3) as usize, <u32>load<u16>(meta, M_LENGTH), 0 - ((word & 0xFF) ^ NHK_INTERFACE))) {
      store<u16>(meta, (<u32>load<u16>(meta, M_FLAGS) | MF_TUNNELLED) as u16, M_FLAGS);
      toInterface(meta, word);
    } else {
      if (!admit(lc, meta)) continue;
    }
    store<u32>(alive, meta as u32);
    alive += 4;
  }
  // Buckets, and the checksums that a translation changes: the shorter the loop, the more of its cache misses overlap.
  let touched: u32 = 0;
  for (let at: usize = list; at != alive; at += 4) {
    const meta: usize = load<u32>(at) as usize;
    const bucket: usize = load<u32>(meta, M_DNAT) as usize;
    if (bucket != 0) touched ^= load<u32>(bucket) ^ load<u32>(load<u32>(meta, M_L3) as usize, L4_SUMS);
  }
  store<u32>(lc, touched, LC_TOUCHED);
  const nexthopList: usize = listOf(lc, NODE_NEXTHOP);
  let nexthopNext: usize = nexthopList + ((listCount(lc, NODE_NEXTHOP) as usize) << 2);
  for (let at: usize = list; at != alive; at += 4) {
    const meta: usize = load<u32>(at) as usize;
    const id: u32 = load<u32>(meta, M_NH);
    let vrf: u32 = load<u32>(meta, M_VRF);
    const bucket: usize = load<u32>(meta, M_DNAT) as usize;
    if (bucket != 0) {
      const lane: usize = fipFind(FIP_PUBLIC, bucket, <u32>load<u16>((id as usize) << NEXTHOP_SHIFT, NEXTHOPS + NH_INTERFACE), load<u32>(meta, M_DST));
      store<u32>(meta, lane as u32, M_DNAT);
      if (lane != 0) {
        vrf = load<u32>(lane, FIP_TAG) >>> TAG_VRF_SHIFT;
        store<u32>(meta, vrf, M_VRF);
      }
    }
    if ((<u32>load<u8>((vrf as usize) << VRF_SHIFT, VRFS + VRF_FLAGS) & VRFF_RPF) != 0) {
      if (!comesFromTunnel(vrf, load<u32>(meta, M_SRC), load<u32>(meta, M_OUTER_SRC))) {
        drop(lc, meta, DROP_RPF_FAILED);
        continue;
      }
    }
    if (id != 0) {
      store<u32>(nexthopNext, meta as u32);
      nexthopNext += 4;
    } else {
      enqueue(lc, NODE_IP4_LOOKUP, meta);
    }
  }
  setListCount(lc, NODE_NEXTHOP, ((nexthopNext - nexthopList) >> 2) as u32);
  if (load<u32>(lc, LC_TRACING) != 0) traceNode(lc, NODE_MPLS_INPUT);
  countNode(lc, NODE_MPLS_INPUT, count);
  setListCount(lc, NODE_MPLS_INPUT, 0);
}
