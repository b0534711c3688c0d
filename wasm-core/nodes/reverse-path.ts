/** Reverse-path checks (RFC 3704, strict): does the route back to a source lead where the packet came from? */
import {
  NH_AUX, NH_INTERFACE, NH_KIND, NH_REMOTE, NHK_ECMP, NHK_INTERFACE, NHK_RESOLVE, NHK_TUNNEL_GRE, NHK_TUNNEL_VXLAN,
} from '../layout';
import { ecmpSlots, ecmpBase, nexthopAt } from '../tables/nexthop';
import { lpmNexthop } from '../tables/lpm';

@inline
function isTunnelTo(nexthop: usize, outer: u32): bool {
  const kind: u32 = load<u8>(nexthop, NH_KIND);
  if (kind < NHK_TUNNEL_GRE || kind > NHK_TUNNEL_VXLAN) return false;
  return load<u32>(nexthop, NH_REMOTE) == outer;
}

@inline
function isOutOf(nexthop: usize, iface: u32): bool {
  const kind: u32 = load<u8>(nexthop, NH_KIND);
  if (kind != NHK_INTERFACE && kind != NHK_RESOLVE) return false;
  return <u32>load<u16>(nexthop, NH_INTERFACE) == iface;
}

/** A tunnelled packet: its inner source is routed to the tunnel whose far end sent it. */
export function comesFromTunnel(vrf: u32, source: u32, outer: u32): bool {
  const nexthop: usize = nexthopAt(lpmNexthop(vrf, source));
  if (<u32>load<u8>(nexthop, NH_KIND) != NHK_ECMP) return isTunnelTo(nexthop, outer);
  const aux: u32 = load<u32>(nexthop, NH_AUX);
  const slots: u32 = ecmpSlots(aux);
  const base: usize = ecmpBase(aux);
  for (let slot: u32 = 0; slot < slots; slot++) {
    if (isTunnelTo(nexthopAt(load<u32>(base + ((slot as usize) << 2))), outer)) return true;
  }
  return false;
}

/** A plain packet: its source is routed out of the interface that it came in by. */
export function leavesBy(vrf: u32, source: u32, iface: u32): bool {
  const nexthop: usize = nexthopAt(lpmNexthop(vrf, source));
  if (<u32>load<u8>(nexthop, NH_KIND) != NHK_ECMP) return isOutOf(nexthop, iface);
  const aux: u32 = load<u32>(nexthop, NH_AUX);
  const slots: u32 = ecmpSlots(aux);
  const base: usize = ecmpBase(aux);
  for (let slot: u32 = 0; slot < slots; slot++) {
    if (isOutOf(nexthopAt(load<u32>(base + ((slot as usize) << 2))), iface)) return true;
  }
  return false;
}
