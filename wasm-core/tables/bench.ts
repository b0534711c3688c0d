/** Loops of lookups for the bench, over the same inlined readers as the graph. Each returns a hash of its results. */
import { fipPrivate } from './fip';
import { FIP_DELTA, FIP_NEW } from '../layout';
import { lpmFirst, lpmRest, lpmRoot } from './lpm';
import { labelNexthop } from './nexthop';

@inline
function mix(hash: u32, value: u32): u32 {
  return rotl<u32>(hash ^ value, 5) * 0x9E3779B1;
}

/** Next hops of `count` u32 addresses (network order) at `addresses`. */
export function benchLookup(vrf: u32, addresses: usize, count: u32): u32 {
  const root: u64 = lpmRoot(vrf);
  const end: usize = addresses + ((count as usize) << 2);
  let hash: u32 = 0;
  for (let at: usize = addresses; at != end; at += 4) {
    const address: u32 = load<u32>(at);
    hash = mix(hash, lpmRest(root, address, lpmFirst(root, address)) & 0x000FFFFF);
  }
  return hash;
}

/** Next hops of `count` u32 labels at `labels`. */
export function benchLabels(labels: usize, count: u32): u32 {
  const end: usize = labels + ((count as usize) << 2);
  let hash: u32 = 0;
  for (let at: usize = labels; at != end; at += 4) hash = mix(hash, labelNexthop(load<u32>(at)));
  return hash;
}

/** Source translations of `count` keys (u32 private address in network order, u32 interface) at `keys`. */
export function benchFip(keys: usize, count: u32): u32 {
  const end: usize = keys + ((count as usize) << 3);
  let hash: u32 = 0;
  for (let at: usize = keys; at != end; at += 8) {
    const lane: usize = fipPrivate(load<u32>(at, 4), load<u32>(at));
    if (lane != 0) hash = mix(hash, load<u32>(lane, FIP_NEW) ^ load<u32>(lane, FIP_DELTA));
    else hash = mix(hash, 0);
  }
  return hash;
}
