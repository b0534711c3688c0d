/**
 * The RIB of a VRF: a path-compressed binary trie of its exact routes, the source that both lookup tables are built from.
 * Only the control instance reads and writes it; lcores never do.
 */
import { VRF_RIB, VRF_SHIFT, VRFS } from '../layout';

export const RN_SIZE: usize = 24;
export const RN_PREFIX: usize = 0; // u32 host order, zero beyond the length
export const RN_NEXTHOP: usize = 4; // u32, 0 = a branch without a route of its own
export const RN_LEFT: usize = 8; // u32 address of the child whose next bit is 0, 0 = none
export const RN_RIGHT: usize = 12; // u32
export const RN_LENGTH: usize = 16; // u8 0..32
export const RN_FLAGS: usize = 17; // u8 RTF_*
export const RN_GENERATION: usize = 18; // u8

@inline
export function ribRoot(vrf: u32): usize {
  return load<u32>((vrf as usize) << VRF_SHIFT, VRFS + VRF_RIB) as usize;
}

/** Host-order mask of a prefix length. */
@inline
export function prefixMask(length: u32): u32 {
  return length == 0 ? 0 : (0xFFFFFFFF as u32) << (32 - length);
}

/** Address of the RIB node of the longest match, 0 = none. The address is a word in network order. */
export function ribLookup(vrf: u32, address: u32): usize {
  const key: u32 = bswap<u32>(address);
  let node: usize = ribRoot(vrf);
  let best: usize = 0;
  while (node != 0) {
    const length: u32 = load<u8>(node, RN_LENGTH);
    if (((key ^ load<u32>(node, RN_PREFIX)) & prefixMask(length)) != 0) break;
    if (load<u32>(node, RN_NEXTHOP) != 0) best = node;
    if (length == 32) break;
    node = load<u32>(node + ((((key << length) >> 31) as usize) << 2), RN_LEFT) as usize;
  }
  return best;
}
