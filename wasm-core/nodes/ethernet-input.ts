/**
 * ethernet-input: which interface (802.1Q), is the frame for us, ARP or IPv4. docs/forwarding.md §1.
 *
 * Leaves M_L3 at the network header and M_LENGTH = bytes from there to the end of the frame.
 * Nexts: ip4-input, arp-input. Drops: interface_unknown, interface_down, ethernet_too_short, ethernet_not_for_us, vlan_unknown, ethertype_unknown.
 */
import {
  C_INTERFACE, CI_RX_BYTES, CI_RX_PACKETS, IF_FLAGS, IF_KIND, IF_MAC, IF_VLAN, IF_VLAN_FIRST, IF_VLAN_NEXT, IFF_UP, IFK_NONE, INTERFACE_SHIFT, INTERFACES,
  LC_TRACING, M_FLAGS, M_L3, M_LENGTH, M_RX_IF, MF_L2_BROADCAST,
} from '../layout';
import {
  DROP_ETHERNET_NOT_FOR_US, DROP_ETHERNET_TOO_SHORT, DROP_ETHERTYPE_UNKNOWN, DROP_INTERFACE_DOWN, DROP_INTERFACE_UNKNOWN, DROP_VLAN_UNKNOWN,
  NODE_ARP_INPUT, NODE_ETHERNET_INPUT, NODE_IP4_INPUT,
} from '../generated';
import { ETHERNET_SIZE, ETHERNET_TYPE, MAC_MASK, swap16, TYPE_ARP, TYPE_IPV4, TYPE_VLAN, VLAN_SIZE } from '../packet/ethernet';
import { countersOf, countNode, drop, enqueue, listCount, listOf, setListCount } from './graph';
import { traceNode } from './trace';

/** The sub-interface of a port for a VLAN id, 0 = none. */
function vlanInterface(port: u32, vlan: u32): u32 {
  let at: u32 = load<u16>(INTERFACES + ((port as usize) << INTERFACE_SHIFT), IF_VLAN_FIRST);
  while (at != 0) {
    const iface: usize = INTERFACES + ((at as usize) << INTERFACE_SHIFT);
    if (<u32>load<u16>(iface, IF_VLAN) == vlan) return at;
    at = load<u16>(iface, IF_VLAN_NEXT);
  }
  return 0;
}

@inline
function countReceived(counters: usize, iface: u32, packets: u32, bytes: u64): void {
  const counter: usize = counters + C_INTERFACE + ((iface as usize) << 6);
  store<u64>(counter, load<u64>(counter, CI_RX_PACKETS) + (packets as u64), CI_RX_PACKETS);
  store<u64>(counter, load<u64>(counter, CI_RX_BYTES) + bytes, CI_RX_BYTES);
}

/** 0, or why a frame on this interface dies. */
@inline
function interfaceProblem(iface: usize): u32 {
  if (<u32>load<u8>(iface, IF_KIND) == IFK_NONE) return DROP_INTERFACE_UNKNOWN;
  if ((<u32>load<u8>(iface, IF_FLAGS) & IFF_UP) == 0) return DROP_INTERFACE_DOWN;
  return 0;
}

/** Any frame: counts it, and finds its interface and network header. True when it carries IPv4, else it has gone elsewhere. */
function admit(lc: usize, meta: usize): bool {
  const counters: usize = countersOf(lc);
  const frame: usize = load<u32>(meta, M_L3) as usize;
  const length: u32 = load<u16>(meta, M_LENGTH);
  const port: u32 = load<u16>(meta, M_RX_IF);
  let iface: usize = INTERFACES + ((port as usize) << INTERFACE_SHIFT);
  let type: u32 = load<u16>(frame, ETHERNET_TYPE);
  let header: u32 = ETHERNET_SIZE;
  let problem: u32 = interfaceProblem(iface);
  if (problem == 0) {
    if (length >= ETHERNET_SIZE && type == TYPE_VLAN) header += VLAN_SIZE;
    if (length < header) problem = DROP_ETHERNET_TOO_SHORT;
  }
  if (problem != 0) {
    countReceived(counters, port, 1, length as u64);
    drop(lc, meta, problem);
    return false;
  }
  let index: u32 = port;
  if (header != ETHERNET_SIZE) {
    type = load<u16>(frame, ETHERNET_SIZE + 2);
    const vlan: u32 = swap16(load<u16>(frame, ETHERNET_SIZE)) & 0xFFF;
    if (vlan != 0) index = vlanInterface(port, vlan); // 0 is a priority tag: the port itself
  }
  countReceived(counters, index != 0 ? index : port, 1, length as u64);
  if (index == 0) {
    drop(lc, meta, DROP_VLAN_UNKNOWN);
    return false;
  }
  if (index != port) {
    store<u16>(meta, index as u16, M_RX_IF);
    iface = INTERFACES + ((index as usize) << INTERFACE_SHIFT);
    problem = interfaceProblem(iface);
    if (problem != 0) {
      drop(lc, meta, problem);
      return false;
    }
  }
  const destination: u64 = load<u64>(frame);
  if (((destination ^ load<u64>(iface, IF_MAC)) & MAC_MASK) != 0) {
    if ((destination & 1) == 0) {
      drop(lc, meta, DROP_ETHERNET_NOT_FOR_US);
      return false;
    }
    store<u16>(meta, MF_L2_BROADCAST as u16, M_FLAGS);
  }
  store<u32>(meta, (frame as u32) + header, M_L3);
  store<u16>(meta, (length - header) as u16, M_LENGTH);
  if (type == TYPE_IPV4) return true;
  if (type == TYPE_ARP) enqueue(lc, NODE_ARP_INPUT, meta);
  else drop(lc, meta, DROP_ETHERTYPE_UNKNOWN);
  return false;
}

export function ethernetInput(lc: usize): void {
  const count: u32 = listCount(lc, NODE_ETHERNET_INPUT);
  if (count == 0) return;
  const counters: usize = countersOf(lc);
  const list: usize = listOf(lc, NODE_ETHERNET_INPUT);
  const end: usize = list + ((count as usize) << 2);
  const ip4List: usize = listOf(lc, NODE_IP4_INPUT);
  let ip4Next: usize = ip4List;
  let at: usize = list;
  while (at != end) {
    // A run of frames from one interface.
    const index: u32 = load<u16>(load<u32>(at) as usize, M_RX_IF);
    const iface: usize = INTERFACES + ((index as usize) << INTERFACE_SHIFT);
    const mac: u64 = load<u64>(iface, IF_MAC);
    const problem: u32 = interfaceProblem(iface);
    let packets: u32 = 0;
    let bytes: u64 = 0;
    do {
      const meta: usize = load<u32>(at) as usize;
      if (<u32>load<u16>(meta, M_RX_IF) != index) break;
      const frame: usize = load<u32>(meta, M_L3) as usize;
      const length: u32 = load<u16>(meta, M_LENGTH);
      // Zero for IPv4 to our own address: one branch for nearly all frames.
      const other: u32 = problem | (<u32>load<u16>(frame, ETHERNET_TYPE) ^ TYPE_IPV4) | ((length - ETHERNET_SIZE) >>> 31);
      at += 4;
      if ((((load<u64>(frame) ^ mac) << 16) | (other as u64)) == 0) {
        store<u64>(meta, ((frame + (ETHERNET_SIZE as usize)) as u64) | (((length - ETHERNET_SIZE) as u64) << 32), M_L3); // and M_LENGTH
        packets += 1;
        bytes += length as u64;
      } else {
        if (!admit(lc, meta)) continue;
      }
      store<u32>(ip4Next, meta as u32);
      ip4Next += 4;
    } while (at != end);
    countReceived(counters, index, packets, bytes);
  }
  setListCount(lc, NODE_IP4_INPUT, ((ip4Next - ip4List) >> 2) as u32);
  if (load<u32>(lc, LC_TRACING) != 0) traceNode(lc, NODE_ETHERNET_INPUT);
  countNode(lc, NODE_ETHERNET_INPUT, count);
  setListCount(lc, NODE_ETHERNET_INPUT, 0);
}
