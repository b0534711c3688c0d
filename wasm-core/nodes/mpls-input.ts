/**
 * mpls-input: the next hop behind the label, the inner packet, and whether its source may come from this tunnel.
 * docs/forwarding.md §4.3 to §4.5. Two loops: the first loads the next hop and validates the inner header, the second finds the floating IP.
 * Nexts: ip4-lookup (label of a VRF), nexthop (label of an interface).
 */
import {
  FIP_PUBLIC, FIP_TAG, IF_VRF, INTERFACE_SHIFT, INTERFACES, LC_TRACING, M_DNAT, M_DST, M_FLAGS, M_L3, M_LENGTH, M_NH, M_OUTER_SRC, M_SRC, M_VRF,
  MF_TUNNELLED, NH_AUX, NH_FLAGS, NH_INTERFACE, NH_KIND, NHF_FIP, NHK_ECMP, NHK_INTERFACE, NHK_VRF, TAG_VRF_SHIFT, VRF_FLAGS, VRF_SHIFT, VRFF_RPF, VRFS,
} from '../layout';
import {
  DROP_ECMP_EMPTY, DROP_IPV4_BROADCAST, DROP_IPV4_DESTINATION_MARTIAN, DROP_IPV4_SOURCE_MARTIAN, DROP_LABEL_UNKNOWN, DROP_NEXTHOP_INVALID, DROP_RPF_FAILED,
  NODE_IP4_LOOKUP, NODE_MPLS_INPUT, NODE_NEXTHOP,
} from '../generated';
import { fipBucket, fipFind } from '../tables/fip';
import { nexthopAt } from '../tables/nexthop';
import { ecmpMember } from './ecmp';
import { countNode, drop, enqueue, listCount, listOf, setListCount } from './graph';
import { ip4Validate } from './ip4-validate';
import { comesFromTunnel } from './reverse-path';
import { traceNode } from './trace';

/** Inside a tunnel 255.255.255.255 is one more address that nobody may be. */
function innerProblem(l3: usize, problem: u32): u32 {
  if (problem != DROP_IPV4_BROADCAST) return problem;
  const source: u32 = load<u8>(l3, 12);
  if (source == 0 || source == 127 || source >= 224) return DROP_IPV4_SOURCE_MARTIAN;
  return DROP_IPV4_DESTINATION_MARTIAN;
}

export function mplsInput(lc: usize): void {
  const count: u32 = listCount(lc, NODE_MPLS_INPUT);
  if (count == 0) return;
  const list: usize = listOf(lc, NODE_MPLS_INPUT);
  const end: usize = list + ((count as usize) << 2);
  let alive: usize = list;
  for (let at: usize = list; at != end; at += 4) {
    const meta: usize = load<u32>(at) as usize;
    const l3: usize = load<u32>(meta, M_L3) as usize;
    let id: u32 = load<u32>(meta, M_NH);
    if (id == 0) {
      drop(lc, meta, DROP_LABEL_UNKNOWN);
      continue;
    }
    const problem: u32 = ip4Validate(meta, l3, <u32>load<u16>(meta, M_LENGTH));
    if (problem != 0) {
      drop(lc, meta, innerProblem(l3, problem));
      continue;
    }
    store<u16>(meta, (<u32>load<u16>(meta, M_FLAGS) | MF_TUNNELLED) as u16, M_FLAGS);
    let nexthop: usize = nexthopAt(id);
    let kind: u32 = load<u8>(nexthop, NH_KIND);
    if (kind == NHK_ECMP) {
      id = ecmpMember(meta, nexthop);
      if (id == 0) {
        drop(lc, meta, DROP_ECMP_EMPTY);
        continue;
      }
      store<u32>(meta, id, M_NH);
      nexthop = nexthopAt(id);
      kind = load<u8>(nexthop, NH_KIND);
    }
    if (kind == NHK_INTERFACE) {
      const iface: u32 = load<u16>(nexthop, NH_INTERFACE);
      store<u32>(meta, load<u32>(INTERFACES + ((iface as usize) << INTERFACE_SHIFT), IF_VRF), M_VRF);
      if ((<u32>load<u8>(nexthop, NH_FLAGS) & NHF_FIP) != 0) {
        store<u32>(meta, fipBucket(FIP_PUBLIC, iface, load<u32>(meta, M_DST)) as u32, M_DNAT);
      }
    } else if (kind == NHK_VRF) {
      store<u32>(meta, load<u32>(nexthop, NH_AUX), M_VRF);
      store<u32>(meta, 0, M_NH);
    } else {
      drop(lc, meta, DROP_NEXTHOP_INVALID);
      continue;
    }
    store<u32>(alive, meta as u32);
    alive += 4;
  }
  const nexthopList: usize = listOf(lc, NODE_NEXTHOP);
  let nexthopNext: usize = nexthopList + ((listCount(lc, NODE_NEXTHOP) as usize) << 2);
  for (let at: usize = list; at != alive; at += 4) {
    const meta: usize = load<u32>(at) as usize;
    const id: u32 = load<u32>(meta, M_NH);
    let vrf: u32 = load<u32>(meta, M_VRF);
    const bucket: usize = load<u32>(meta, M_DNAT) as usize;
    if (bucket != 0) {
      const lane: usize = fipFind(FIP_PUBLIC, bucket, <u32>load<u16>(nexthopAt(id), NH_INTERFACE), load<u32>(meta, M_DST));
      store<u32>(meta, lane as u32, M_DNAT);
      if (lane != 0) {
        vrf = load<u32>(lane, FIP_TAG) >>> TAG_VRF_SHIFT;
        store<u32>(meta, vrf, M_VRF);
      }
    }
    if ((<u32>load<u8>(VRFS + ((vrf as usize) << VRF_SHIFT), VRF_FLAGS) & VRFF_RPF) != 0) {
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
