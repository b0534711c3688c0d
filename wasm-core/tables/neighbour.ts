/**
 * Neighbours by (interface, address). Any lcore may claim a record, without a lock: a key is set by one 64-bit
 * compare-and-swap in one of the NEIGHBOUR_PROBES records from the key's own place on.
 */
import { FIP_HASH, MAX_NEIGHBOURS, NB_FLAGS, NB_KEY, NBF_RETIRED, NEIGHBOUR_SHIFT, NEIGHBOURS } from '../layout';

/** Records that a key can lie in. All are looked at, since a record in between may have been given back. */
export const NEIGHBOUR_PROBES: u32 = 16;

@inline
export function neighbourAt(index: u32): usize {
  return NEIGHBOURS + ((index as usize) << NEIGHBOUR_SHIFT);
}

@inline
export function neighbourKey(iface: u32, address: u32): u64 {
  return ((iface as u64) << 32) | (address as u64);
}

@inline
function neighbourHome(key: u64): u32 {
  return (((key * FIP_HASH) >> 32) as u32) & (MAX_NEIGHBOURS - 1);
}

/** Index of the record, MAX_NEIGHBOURS when there is none. */
export function neighbourFind(iface: u32, address: u32): u32 {
  const key: u64 = neighbourKey(iface, address);
  let index: u32 = neighbourHome(key);
  for (let probe: u32 = 0; probe < NEIGHBOUR_PROBES; probe++) {
    if (atomic.load<u64>(neighbourAt(index) + NB_KEY) == key) {
      if ((load<u32>(neighbourAt(index), NB_FLAGS) & NBF_RETIRED) == 0) return index;
    }
    index = (index + 1) & (MAX_NEIGHBOURS - 1);
  }
  return MAX_NEIGHBOURS;
}

/** Index of the record, which is made (unresolved, all zero but its key) when there is none; MAX_NEIGHBOURS when there is no room. */
export function neighbourClaim(iface: u32, address: u32): u32 {
  const found: u32 = neighbourFind(iface, address);
  if (found != MAX_NEIGHBOURS) return found;
  const key: u64 = neighbourKey(iface, address);
  let index: u32 = neighbourHome(key);
  for (let probe: u32 = 0; probe < NEIGHBOUR_PROBES; probe++) {
    const at: usize = neighbourAt(index) + NB_KEY;
    const held: u64 = atomic.cmpxchg<u64>(at, 0, key);
    if (held == 0) return index;
    if (held == key) {
      // Another lcore was quicker, or it is a record that is being given back.
      if ((load<u32>(neighbourAt(index), NB_FLAGS) & NBF_RETIRED) == 0) return index;
    }
    index = (index + 1) & (MAX_NEIGHBOURS - 1);
  }
  return MAX_NEIGHBOURS;
}
