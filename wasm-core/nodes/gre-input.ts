/**
 * gre-input: GRE and MPLS of a packet for the own tunnel address; loads the label's next hop, which mpls-input uses.
 * docs/forwarding.md §4.1, §4.2. Next: mpls-input, with M_L3 at the inner packet and M_LENGTH the bytes from there.
 */
import { LABELS, LC_TRACING, M_IHL, M_L3, M_LABEL, M_LENGTH, M_NH, MIN_LABEL } from '../layout';
import {
  DROP_GRE_MALFORMED, DROP_GRE_PROTOCOL, DROP_LABEL_UNKNOWN, DROP_MPLS_MALFORMED, DROP_MPLS_TTL_EXCEEDED, NODE_GRE_INPUT, NODE_MPLS_INPUT,
} from '../generated';
import { GRE_CHECKSUM_PRESENT, GRE_KEY_PRESENT, GRE_MPLS, GRE_SIZE } from '../packet/gre';
import { MPLS_SIZE, mplsBottom, mplsLabel, mplsTtl } from '../packet/mpls';
import { countNode, drop, listCount, listOf, setListCount } from './graph';
import { traceNode } from './trace';

export function greInput(lc: usize): void {
  const count: u32 = listCount(lc, NODE_GRE_INPUT);
  if (count == 0) return;
  const list: usize = listOf(lc, NODE_GRE_INPUT);
  const end: usize = list + ((count as usize) << 2);
  const mplsList: usize = listOf(lc, NODE_MPLS_INPUT);
  let mplsNext: usize = mplsList;
  for (let at: usize = list; at != end; at += 4) {
    const meta: usize = load<u32>(at) as usize;
    const ihl: u32 = load<u8>(meta, M_IHL);
    const gre: usize = (load<u32>(meta, M_L3) as usize) + (ihl as usize);
    const available: u32 = <u32>load<u16>(meta, M_LENGTH) - ihl;
    if (available < GRE_SIZE) {
      drop(lc, meta, DROP_GRE_MALFORMED);
      continue;
    }
    const word: u32 = load<u32>(gre);
    const flags: u32 = word & 0xFFFF;
    let size: u32 = GRE_SIZE;
    if (flags != 0) {
      if ((flags & ~(GRE_CHECKSUM_PRESENT | GRE_KEY_PRESENT)) != 0) {
        drop(lc, meta, DROP_GRE_MALFORMED);
        continue;
      }
      if ((flags & GRE_CHECKSUM_PRESENT) != 0) size += 4;
      if ((flags & GRE_KEY_PRESENT) != 0) size += 4;
      if (available < size) {
        drop(lc, meta, DROP_GRE_MALFORMED);
        continue;
      }
    }
    if ((word >>> 16) != GRE_MPLS) {
      drop(lc, meta, DROP_GRE_PROTOCOL);
      continue;
    }
    if (available < size + MPLS_SIZE) {
      drop(lc, meta, DROP_MPLS_MALFORMED);
      continue;
    }
    const entry: u32 = load<u32>(gre + (size as usize));
    if (mplsBottom(entry) == 0) {
      drop(lc, meta, DROP_MPLS_MALFORMED);
      continue;
    }
    if (mplsTtl(entry) <= 1) {
      drop(lc, meta, DROP_MPLS_TTL_EXCEEDED);
      continue;
    }
    const label: u32 = mplsLabel(entry);
    store<u32>(meta, label, M_LABEL);
    if (label < MIN_LABEL) {
      drop(lc, meta, DROP_LABEL_UNKNOWN);
      continue;
    }
    store<u32>(meta, load<u32>((label as usize) << 2, LABELS), M_NH);
    store<u32>(meta, (gre as u32) + size + MPLS_SIZE, M_L3);
    store<u16>(meta, (available - size - MPLS_SIZE) as u16, M_LENGTH);
    store<u32>(mplsNext, meta as u32);
    mplsNext += 4;
  }
  setListCount(lc, NODE_MPLS_INPUT, ((mplsNext - mplsList) >> 2) as u32);
  if (load<u32>(lc, LC_TRACING) != 0) traceNode(lc, NODE_GRE_INPUT);
  countNode(lc, NODE_GRE_INPUT, count);
  setListCount(lc, NODE_GRE_INPUT, 0);
}
