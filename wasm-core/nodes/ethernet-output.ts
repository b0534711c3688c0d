/**
 * ethernet-output: the Ethernet header of a packet that leaves plainly. docs/forwarding.md §8.5.
 * Nexts: transmit; neighbour when the MAC is not known (the packet is then untouched).
 */
import {
  FRAME_SHIFT, IF_MAC, IF_VLAN, INTERFACE_SHIFT, INTERFACES, LC_TRACING, M_L3, M_LENGTH, M_NH, M_SCRATCH, M_TX_IF, MAX_NEIGHBOURS, NH_KIND,
  NH_NEIGHBOUR, NHK_RESOLVE,
} from '../layout';
import { DROP_FRAME_CAPACITY, NODE_ETHERNET_OUTPUT, NODE_NEIGHBOUR, NODE_TRANSMIT } from '../generated';
import { ETHERNET_SIZE, TYPE_IPV4, TYPE_VLAN } from '../packet/ethernet';
import { IPV4_DESTINATION } from '../packet/ipv4';
import { neighbourFind } from '../tables/neighbour';
import { nexthopAt } from '../tables/nexthop';
import { countNexthop } from './encapsulate';
import { countersOf, countNode, drop, enqueue, listCount, listOf, setListCount } from './graph';
import { nowMs, usableMac } from './neighbour-state';
import { traceNode } from './trace';

/** Moves both MACs of the frame at `frame` four bytes down and puts an 802.1Q tag behind them. */
export function insertTag(frame: usize, vlan: u32): void {
  const macs: u64 = load<u64>(frame);
  const rest: u32 = load<u32>(frame, 8);
  store<u64>(frame - 4, macs);
  store<u32>(frame - 4, rest, 8);
  store<u32>(frame - 4, TYPE_VLAN | ((bswap<u32>(vlan) >>> 16) << 16), 12);
}

export function ethernetOutput(lc: usize): void {
  const count: u32 = listCount(lc, NODE_ETHERNET_OUTPUT);
  if (count == 0) return;
  const counters: usize = countersOf(lc);
  const now: u32 = nowMs(lc);
  const list: usize = listOf(lc, NODE_ETHERNET_OUTPUT);
  const end: usize = list + ((count as usize) << 2);
  for (let at: usize = list; at != end; at += 4) {
    const meta: usize = load<u32>(at) as usize;
    const id: u32 = load<u32>(meta, M_NH);
    const nexthop: usize = nexthopAt(id);
    const l3: usize = load<u32>(meta, M_L3) as usize;
    let neighbour: u32 = load<u32>(nexthop, NH_NEIGHBOUR);
    const index: u32 = load<u16>(meta, M_TX_IF);
    if (<u32>load<u8>(nexthop, NH_KIND) == NHK_RESOLVE) neighbour = neighbourFind(index, load<u32>(l3, IPV4_DESTINATION));
    let mac: u64 = 0;
    if (neighbour != MAX_NEIGHBOURS) mac = usableMac(lc, neighbour, now);
    if (mac == 0) {
      store<u32>(meta, neighbour, M_SCRATCH);
      enqueue(lc, NODE_NEIGHBOUR, meta);
      continue;
    }
    if ((l3 & (((1 as usize) << FRAME_SHIFT) - 1)) < (ETHERNET_SIZE as usize) + 4) {
      drop(lc, meta, DROP_FRAME_CAPACITY);
      continue;
    }
    const iface: usize = INTERFACES + ((index as usize) << INTERFACE_SHIFT);
    const length: u32 = load<u16>(meta, M_LENGTH);
    let frame: usize = l3 - (ETHERNET_SIZE as usize);
    let frameLength: u32 = length + ETHERNET_SIZE;
    store<u64>(frame, mac); // and the first two bytes of the own MAC
    store<u32>(frame, load<u32>(iface, IF_MAC + 2), 8);
    store<u16>(frame, TYPE_IPV4 as u16, 12);
    const vlan: u32 = load<u16>(iface, IF_VLAN);
    if (vlan != 0) {
      insertTag(frame, vlan);
      frame -= 4;
      frameLength += 4;
    }
    countNexthop(counters, id, length);
    store<u32>(meta, frame as u32, M_L3);
    store<u16>(meta, frameLength as u16, M_LENGTH);
    enqueue(lc, NODE_TRANSMIT, meta);
  }
  if (load<u32>(lc, LC_TRACING) != 0) traceNode(lc, NODE_ETHERNET_OUTPUT);
  countNode(lc, NODE_ETHERNET_OUTPUT, count);
  setListCount(lc, NODE_ETHERNET_OUTPUT, 0);
}
