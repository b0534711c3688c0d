/** Loops of lookups for the bench, over the same inlined readers as the graph. Each returns a hash of its results. */
import { fipPrivate } from './fip';
import { FIP_DELTA, FIP_NEW, LEAF_NH_MASK, LPM_POPTRIE, RESULTS, VECTOR } from '../layout';
import { lpmEntry, lpmLeaf, lpmRoot, poptrieLeaf } from './lpm';
import { labelNexthop } from './nexthop';

@inline
function mix(hash: u32, value: u32): u32 {
  return rotl<u32>(hash ^ value, 5) * 0x9E3779B1;
}

/**
 * Next hops of `count` u32 addresses (network order) at `addresses`, a vector at a time and in the graph's stages (fip-select):
 * where the first words lie, the loads that miss, the rest. RESULTS is the scratch.
 */
export function benchLookup(vrf: u32, addresses: usize, count: u32): u32 {
  const root: u64 = lpmRoot(vrf);
  let hash: u32 = 0;
  let left: u32 = count;
  let at: usize = addresses;
  while (left != 0) {
    const n: u32 = left < VECTOR ? left : VECTOR;
    const end: usize = (n as usize) << 2;
    for (let i: usize = 0; i != end; i += 4) store<u32>(i, lpmEntry(root, load<u32>(at + i)) as u32, RESULTS);
    for (let i: usize = 0; i != end; i += 4) store<u32>(i, load<u32>(load<u32>(i, RESULTS) as usize), RESULTS);
    if ((((root >> 32) as u32) & 0xFF) == LPM_POPTRIE) {
      let touched: u32 = 0;
      for (let i: usize = 0; i != end; i += 4) {
        const word: u32 = load<u32>(i, RESULTS);
        if ((word as i32) >= 0) touched ^= load<u32>(word as usize);
      }
      store<u32>(end, touched, RESULTS);
      for (let i: usize = 0; i != end; i += 4) {
        const word: u32 = load<u32>(i, RESULTS);
        if ((word as i32) >= 0) store<u32>(i, poptrieLeaf(root, load<u32>(at + i), word as usize) as u32, RESULTS);
      }
      for (let i: usize = 0; i != end; i += 4) {
        const word: u32 = load<u32>(i, RESULTS);
        if ((word as i32) >= 0) store<u32>(i, load<u32>(word as usize), RESULTS);
      }
    }
    for (let i: usize = 0; i != end; i += 4) hash = mix(hash, lpmLeaf(root, load<u32>(at + i), load<u32>(i, RESULTS)) & LEAF_NH_MASK);
    at += end;
    left -= n;
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
