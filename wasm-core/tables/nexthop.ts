/** Next hops: the readers. A record never changes while anything refers to it (see nexthops.ts for the writer). */
import { ECMP, LABELS, NEXTHOP_SHIFT, NEXTHOPS } from '../layout';

@inline
export function nexthopAt(id: u32): usize {
  return NEXTHOPS + ((id as usize) << NEXTHOP_SHIFT);
}

/** First slot (u32 next-hop ids, 0 = place-holder) of the group that NH_AUX names. */
@inline
export function ecmpBase(aux: u32): usize {
  return ECMP + (((aux & 0x00FFFFFF) as usize) << 4);
}

/** Number of slots of the group that NH_AUX names, 1..256. */
@inline
export function ecmpSlots(aux: u32): u32 {
  return (aux >> 24) + 1;
}

/** Next hop of a label, 0 = none. */
@inline
export function labelNexthop(label: u32): u32 {
  return load<u32>((label as usize) << 2, LABELS);
}
