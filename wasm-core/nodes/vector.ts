/**
 * One vector through the graph. The order is fixed, so each node runs once, over all packets at once; only what needs another
 * lookup (VRF translation, echo replies, ICMP errors) goes round again, and each round is bounded by M_LOOPS and MF_ORIGINATED.
 */
import { C_DROP, FRAMES, LC_LIST_COUNTS, LC_META_COUNT, LC_METAS, M_FRAME, META_SIZE } from '../layout';
import { DROP_LCORE_RESTART, NODE_IP4_LOOKUP } from '../generated';
import { giveFrame, poolRelease } from '../rings/frames';
import { arpInput } from './arp-input';
import { dropNode } from './drop';
import { encapsulate } from './encapsulate';
import { ethernetInput } from './ethernet-input';
import { ethernetOutput } from './ethernet-output';
import { fipSelect } from './fip-select';
import { fragment } from './fragment';
import { countersOf, listCount } from './graph';
import { greInput } from './gre-input';
import { icmpError } from './icmp-error';
import { ip4Input } from './ip4-input';
import { ip4Lookup } from './ip4-lookup';
import { local } from './local';
import { mplsInput } from './mpls-input';
import { neighbour, releaseHeld } from './neighbour';
import { nexthop } from './nexthop';
import { rewrite } from './rewrite';
import { transmit } from './transmit';

export function runVector(lc: usize): void {
  ethernetInput(lc);
  arpInput(lc);
  releaseHeld(lc); // what waited goes before what this vector brought
  ip4Input(lc);
  greInput(lc);
  mplsInput(lc);
  do {
    ip4Lookup(lc);
    fipSelect(lc);
    nexthop(lc);
    local(lc);
    icmpError(lc);
  } while (listCount(lc, NODE_IP4_LOOKUP) != 0);
  rewrite(lc);
  fragment(lc);
  encapsulate(lc);
  ethernetOutput(lc);
  neighbour(lc);
  transmit(lc);
  dropNode(lc);
}

/** After an lcore trapped or hung: the frames of its vector are taken back by name and its lists are emptied. */
export function reclaimVector(lc: usize): void {
  poolRelease(lc);
  const count: u32 = load<u32>(lc, LC_META_COUNT);
  const counter: usize = countersOf(lc) + C_DROP + ((DROP_LCORE_RESTART as usize) << 3);
  for (let i: u32 = 0; i < count; i++) {
    const meta: usize = lc + LC_METAS + (i as usize) * META_SIZE;
    const frame: usize = load<u32>(meta, M_FRAME) as usize;
    if (frame < FRAMES) continue;
    giveFrame(lc, frame);
    store<u32>(meta, 0, M_FRAME);
    store<u64>(counter, load<u64>(counter) + 1);
  }
  store<u32>(lc, 0, LC_META_COUNT);
  memory.fill(lc + LC_LIST_COUNTS, 0, 128);
}
