/** Equal-cost members: which one a flow takes. docs/forwarding.md §7. */
import { DROP_ECMP_EMPTY } from '../generated';
import { H_SEED, HEADER, M_DST, M_FLAGS, M_HASH, M_IHL, M_L3, M_LENGTH, M_NH, M_PROTOCOL, M_SRC, MF_FIRST_FRAGMENT, MF_FRAGMENT, NH_AUX } from '../layout';
import { PROTOCOL_SCTP, PROTOCOL_TCP, PROTOCOL_UDP } from '../packet/ipv4';
import { ecmpBase, ecmpSlots, nexthopAt } from '../tables/nexthop';
import { drop } from './graph';

/** The packet's 5-tuple hash; all fragments of a packet have the same, since none of them counts its ports. */
export function flowHash(meta: usize): u32 {
  const protocol: u32 = load<u8>(meta, M_PROTOCOL);
  let ports: u32 = 0;
  if (protocol == PROTOCOL_TCP || protocol == PROTOCOL_UDP || protocol == PROTOCOL_SCTP) {
    if ((<u32>load<u16>(meta, M_FLAGS) & (MF_FRAGMENT | MF_FIRST_FRAGMENT)) == 0) {
      const ihl: u32 = load<u8>(meta, M_IHL);
      if (ihl + 4 <= <u32>load<u16>(meta, M_LENGTH)) ports = load<u32>((load<u32>(meta, M_L3) + ihl) as usize);
    }
  }
  let h: u64 = (((load<u32>(meta, M_SRC) as u64) << 32) | (load<u32>(meta, M_DST) as u64)) ^ load<u64>(HEADER, H_SEED);
  h *= 0x9E3779B97F4A7C15;
  h ^= ((protocol as u64) << 32) | (ports as u64);
  h *= 0xC2B2AE3D27D4EB4F;
  return (h >>> 32) as u32;
}

/** Puts the packet on a member of the group `nexthop` (M_NH): the member's address, or 0 when there is none and the packet died here. */
export function followGroup(lc: usize, meta: usize, nexthop: usize): usize {
  const member: u32 = ecmpMember(meta, nexthop);
  if (member == 0) {
    drop(lc, meta, DROP_ECMP_EMPTY);
    return 0;
  }
  store<u32>(meta, member, M_NH);
  return nexthopAt(member);
}

/** The member next hop for this packet; 0 when the group has none. A place-holder slot passes its flows to the next. */
function ecmpMember(meta: usize, nexthop: usize): u32 {
  const aux: u32 = load<u32>(nexthop, NH_AUX);
  const slots: u32 = ecmpSlots(aux);
  const base: usize = ecmpBase(aux);
  const hash: u32 = flowHash(meta);
  store<u32>(meta, hash, M_HASH);
  let slot: u32 = (((hash as u64) * (slots as u64)) >>> 32) as u32;
  for (let i: u32 = 0; i < slots; i++) {
    const member: u32 = load<u32>(base + ((slot as usize) << 2));
    if (member != 0) return member;
    slot += 1;
    if (slot == slots) slot = 0;
  }
  return 0;
}
