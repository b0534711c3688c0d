/**
 * ethernet-output: the Ethernet header of a packet that leaves plainly. docs/forwarding.md §8.5.
 * Nexts: transmit; neighbour when the MAC is not known (the packet is then untouched).
 */
import { FRAME_SHIFT, IF_MAC, IF_VLAN, INTERFACE_SHIFT, INTERFACES, LC_TRACING, M_L3, M_LENGTH, M_MAC, M_NH, M_TX_IF } from '../layout';
import { DROP_FRAME_CAPACITY, NODE_ETHERNET_OUTPUT, NODE_TRANSMIT } from '../generated';
import { ETHERNET_SIZE, TYPE_IPV4, TYPE_VLAN } from '../packet/ethernet';
import { countNexthop } from './encapsulate';
import { fetchMacs } from './fetch-macs';
import { countersOf, countNode, drop, listCount, listOf, setListCount } from './graph';
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
  const list: usize = listOf(lc, NODE_ETHERNET_OUTPUT);
  const end: usize = list + ((count as usize) << 2);
  fetchMacs(lc, list, end);
  const transmitList: usize = listOf(lc, NODE_TRANSMIT);
  let transmitNext: usize = transmitList + ((listCount(lc, NODE_TRANSMIT) as usize) << 2);
  for (let at: usize = list; at != end; at += 4) {
    const meta: usize = load<u32>(at) as usize;
    const id: u32 = load<u32>(meta, M_NH);
    const l3: usize = load<u32>(meta, M_L3) as usize;
    const index: u32 = load<u16>(meta, M_TX_IF);
    const mac: u64 = load<u64>(meta, M_MAC);
    if (mac == 0) continue; // it waits
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
    store<u32>(transmitNext, meta as u32);
    transmitNext += 4;
  }
  setListCount(lc, NODE_TRANSMIT, ((transmitNext - transmitList) >> 2) as u32);
  if (load<u32>(lc, LC_TRACING) != 0) traceNode(lc, NODE_ETHERNET_OUTPUT);
  countNode(lc, NODE_ETHERNET_OUTPUT, count);
  setListCount(lc, NODE_ETHERNET_OUTPUT, 0);
}
