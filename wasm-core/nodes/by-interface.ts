/**
 * Brings packets to one interface together, so that what belongs to an interface is looked up once in a vector and not once for every
 * packet. The order within an interface stays.
 */
import { LC_GROUPS, M_SCRATCH, M_TX_IF } from '../layout';

/** Chains, by the last bits of the interface's number: those of two interfaces may share one, which costs time only. */
const CHAINS: u32 = 32;
const TAILS: usize = 128; // first and last meta of every chain, u32 x 32 each

/** Reorders the list of metas from `at` to `end`. Takes M_SCRATCH of every one. */
export function groupByInterface(lc: usize, at: usize, end: usize): void {
  let used: u32 = 0;
  for (let from: usize = at; from != end; from += 4) {
    const meta: usize = load<u32>(from) as usize;
    const chain: u32 = <u32>load<u16>(meta, M_TX_IF) & (CHAINS - 1);
    const ends: usize = lc + ((chain as usize) << 2);
    const bit: u32 = (1 as u32) << chain;
    if ((used & bit) != 0) store<u32>(load<u32>(ends, LC_GROUPS + TAILS) as usize, meta as u32, M_SCRATCH);
    else store<u32>(ends, meta as u32, LC_GROUPS);
    store<u32>(ends, meta as u32, LC_GROUPS + TAILS);
    used |= bit;
  }
  let to: usize = at;
  while (used != 0) {
    const ends: usize = lc + ((ctz<u32>(used) as usize) << 2);
    used &= used - 1;
    const last: usize = load<u32>(ends, LC_GROUPS + TAILS) as usize;
    let meta: usize = load<u32>(ends, LC_GROUPS) as usize;
    store<u32>(to, meta as u32);
    to += 4;
    while (meta != last) {
      meta = load<u32>(meta, M_SCRATCH) as usize;
      store<u32>(to, meta as u32);
      to += 4;
    }
  }
}
