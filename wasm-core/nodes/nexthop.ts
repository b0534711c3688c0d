/**
 * nexthop: what the route says to do. docs/forwarding.md §7.
 * Nexts: rewrite (it will leave), local, ip4-lookup (another VRF); ICMP errors for no_route, ttl_exceeded, fragmentation_needed.
 */
import {
  LC_TRACING, M_DNAT, M_DST, M_FLAGS, M_L3, M_LENGTH, M_LOOPS, M_NH, M_SCRATCH, M_TX_IF, M_VRF, MF_ORIGINATED, MF_OVERSIZED, MF_SNAT, NEXTHOP_SHIFT,
  NEXTHOPS, NH_AUX, NH_FLAGS, NH_INTERFACE, NH_KIND, NH_MTU, NH_WORD, NHF_EXTERNAL, NHF_FIP, NHK_DISCARD, NHK_ECMP, NHK_INTERFACE, NHK_NONE, NHK_RECEIVE,
  NHK_RESOLVE, NHK_TUNNEL_GRE, NHK_VRF, VRF_FLAGS, VRF_SHIFT, VRFF_EXTERNAL, VRFS,
} from '../layout';
import {
  DROP_FRAGMENTATION_NEEDED, DROP_NEXTHOP_INVALID, DROP_NO_ROUTE, DROP_ROUTE_DISCARD, DROP_SOURCE_NOT_TRANSLATED, DROP_TTL_EXCEEDED,
  DROP_VRF_LOOP, NODE_IP4_LOOKUP, NODE_LOCAL, NODE_NEXTHOP, NODE_REWRITE,
} from '../generated';
import { FRAGMENT_DF, IPV4_FRAGMENT, IPV4_TTL } from '../packet/ipv4';
import { ICMP_TIME_EXCEEDED, ICMP_UNREACHABLE, UNREACHABLE_FRAGMENTATION, UNREACHABLE_NET } from '../packet/icmp';
import { fipPublic } from '../tables/fip';
import { nexthopAt } from '../tables/nexthop';
import { followGroup } from './ecmp';
import { countNode, drop, enqueue, listCount, listOf, setListCount } from './graph';
import { dropWithError } from './icmp-error';
import { traceNode } from './trace';

const MAX_TRANSLATIONS: u32 = 4;

/** The kinds that end elsewhere. */
function divert(lc: usize, meta: usize, nexthop: usize, kind: u32): void {
  if (kind == NHK_NONE) {
    dropWithError(lc, meta, DROP_NO_ROUTE, ICMP_UNREACHABLE, UNREACHABLE_NET, 0);
  } else if (kind == NHK_DISCARD) {
    drop(lc, meta, DROP_ROUTE_DISCARD);
  } else if (kind == NHK_RECEIVE) {
    enqueue(lc, NODE_LOCAL, meta);
  } else if (kind == NHK_VRF) {
    const loops: u32 = <u32>load<u8>(meta, M_LOOPS) + 1;
    store<u8>(meta, loops as u8, M_LOOPS);
    if (loops > MAX_TRANSLATIONS) {
      drop(lc, meta, DROP_VRF_LOOP);
      return;
    }
    store<u32>(meta, load<u32>(nexthop, NH_AUX), M_VRF);
    enqueue(lc, NODE_IP4_LOOKUP, meta);
  } else {
    drop(lc, meta, DROP_NEXTHOP_INVALID);
  }
}

/** May a packet whose source nothing translated take a next hop to the outside? */
@inline
function isExternal(meta: usize): bool {
  return (<u32>load<u8>((load<u32>(meta, M_VRF) as usize) << VRF_SHIFT, VRFS + VRF_FLAGS) & VRFF_EXTERNAL) != 0;
}

/** The interface has floating IPs: finds the one that translates the destination. */
function findDestination(meta: usize, iface: u32): void {
  store<u32>(meta, fipPublic(iface, load<u32>(meta, M_DST)) as u32, M_DNAT);
}

/** The whole decision. True when the packet goes on to rewrite; else it has gone elsewhere. */
function leaves(lc: usize, meta: usize): bool {
  let nexthop: usize = nexthopAt(load<u32>(meta, M_NH));
  let kind: u32 = load<u8>(nexthop, NH_KIND);
  if (kind == NHK_ECMP) {
    nexthop = followGroup(lc, meta, nexthop);
    if (nexthop == 0) return false;
    kind = load<u8>(nexthop, NH_KIND);
    store<u32>(meta, load<u32>(nexthop, NH_WORD), M_SCRATCH);
  }
  if (kind != NHK_TUNNEL_GRE && kind != NHK_INTERFACE && kind != NHK_RESOLVE) {
    divert(lc, meta, nexthop, kind);
    return false;
  }
  const flags: u32 = load<u16>(meta, M_FLAGS);
  const nhFlags: u32 = load<u8>(nexthop, NH_FLAGS);
  const iface: u32 = load<u16>(nexthop, NH_INTERFACE);
  store<u16>(meta, iface as u16, M_TX_IF);
  if ((nhFlags & NHF_EXTERNAL) != 0 && (flags & (MF_SNAT | MF_ORIGINATED)) == 0) {
    if (!isExternal(meta)) {
      drop(lc, meta, DROP_SOURCE_NOT_TRANSLATED);
      return false;
    }
  }
  if ((nhFlags & NHF_FIP) != 0 && load<u32>(meta, M_DNAT) == 0) findDestination(meta, iface);
  const l3: usize = load<u32>(meta, M_L3) as usize;
  if ((flags & MF_ORIGINATED) == 0 && <u32>load<u8>(l3, IPV4_TTL) <= 1) {
    dropWithError(lc, meta, DROP_TTL_EXCEEDED, ICMP_TIME_EXCEEDED, 0, 0);
    return false;
  }
  const mtu: u32 = load<u16>(nexthop, NH_MTU);
  if (<u32>load<u16>(meta, M_LENGTH) <= mtu) return true;
  if ((<u32>load<u16>(l3, IPV4_FRAGMENT) & FRAGMENT_DF) != 0) {
    dropWithError(lc, meta, DROP_FRAGMENTATION_NEEDED, ICMP_UNREACHABLE, UNREACHABLE_FRAGMENTATION, mtu);
    return false;
  }
  store<u16>(meta, (flags | MF_OVERSIZED) as u16, M_FLAGS);
  return true;
}

export function nexthop(lc: usize): void {
  const count: u32 = listCount(lc, NODE_NEXTHOP);
  if (count == 0) return;
  const list: usize = listOf(lc, NODE_NEXTHOP);
  const end: usize = list + ((count as usize) << 2);
  for (let at: usize = list; at != end; at += 4) {
    const meta: usize = load<u32>(at) as usize;
    store<u32>(meta, load<u32>((load<u32>(meta, M_NH) as usize) << NEXTHOP_SHIFT, NEXTHOPS + NH_WORD), M_SCRATCH);
  }
  const rewriteList: usize = listOf(lc, NODE_REWRITE);
  let rewriteNext: usize = rewriteList + ((listCount(lc, NODE_REWRITE) as usize) << 2);
  for (let at: usize = list; at != end; at += 4) {
    const meta: usize = load<u32>(at) as usize;
    const word: u32 = load<u32>(meta, M_SCRATCH);
    const mtu: u32 = load<u16>((load<u32>(meta, M_NH) as usize) << NEXTHOP_SHIFT, NEXTHOPS + NH_MTU);
    const ttl: u32 = load<u8>(load<u32>(meta, M_L3) as usize, IPV4_TTL);
    // One sign bit for all that is out of the ordinary: a kind that ends elsewhere, a TTL that ends here, a packet that is too large.
    const kind: u32 = (word & 0xFF) - NHK_INTERFACE;
    const odd: u32 = kind | (NHK_TUNNEL_GRE - NHK_INTERFACE - kind) | (ttl - 2) | (mtu - <u32>load<u16>(meta, M_LENGTH));
    if ((odd as i32) < 0) {
      if (!leaves(lc, meta)) continue;
    } else {
      store<u16>(meta, (word >>> 16) as u16, M_TX_IF);
      if ((word & (NHF_EXTERNAL << 8)) != 0) {
        if ((<u32>load<u16>(meta, M_FLAGS) & (MF_SNAT | MF_ORIGINATED)) == 0) {
          if (!isExternal(meta)) {
            drop(lc, meta, DROP_SOURCE_NOT_TRANSLATED);
            continue;
          }
        }
      }
      if ((word & (NHF_FIP << 8)) != 0) {
        if (load<u32>(meta, M_DNAT) == 0) findDestination(meta, word >>> 16);
      }
    }
    store<u32>(rewriteNext, meta as u32);
    rewriteNext += 4;
  }
  setListCount(lc, NODE_REWRITE, ((rewriteNext - rewriteList) >> 2) as u32);
  if (load<u32>(lc, LC_TRACING) != 0) traceNode(lc, NODE_NEXTHOP);
  countNode(lc, NODE_NEXTHOP, count);
  setListCount(lc, NODE_NEXTHOP, 0);
}
