/** The tables alone, for their unit tests: the exports of the control instance and of the bench, and what only a test calls. */
import { lpmLookup } from './lpm';

export * from './control';
export * from './bench';
export { fipPrivate, fipPublic } from './fip';
export { neighbourClaim, neighbourFind } from './neighbour';

/** Looks an address up `count` times; the first result that is neither of the two, 0 when there is none. */
export function watchLookup(vrf: u32, address: u32, one: u32, other: u32, count: u32): u32 {
  for (let i: u32 = 0; i < count; i++) {
    const leaf: u32 = lpmLookup(vrf, address);
    if (leaf != one && leaf != other) return leaf;
  }
  return 0;
}
