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
function countReceived(counters: usize, iface: u32, bytes: u32): void {
  const counter: usize = counters + C_INTERFACE + ((iface as usize) << 6);
  store<u64>(counter, load<u64>(counter, CI_RX_PACKETS) + 1, CI_RX_PACKETS);
  store<u64>(counter, load<u64>(counter, CI_RX_BYTES) + (bytes as u64), CI_RX_BYTES);
}

/** 0, or why a frame on this interface dies. */
@inline
function interfaceProblem(iface: usize): u32 {
  if (<u32>load<u8>(iface, IF_KIND) == IFK_NONE) return DROP_INTERFACE_UNKNOWN;
  if ((<u32>load<u8>(iface, IF_FLAGS) & IFF_UP) == 0) return DROP_INTERFACE_DOWN;
  return 0;
}

export function ethernetInput(lc: usize): void {
  const count: u32 = listCount(lc, NODE_ETHERNET_INPUT);
  if (count == 0) return;
  const counters: usize = countersOf(lc);
  const list: usize = listOf(lc, NODE_ETHERNET_INPUT);
  const end: usize = list + ((count as usize) << 2);
  const ip4List: usize = listOf(lc, NODE_IP4_INPUT);
  let ip4Next: usize = ip4List;
  for (let at: usize = list; at != end; at += 4) {
    const meta: usize = load<u32>(at) as usize;
    const frame: usize = load<u32>(meta, M_L3) as usize;
    const length: u32 = load<u16>(meta, M_LENGTH);
    let index: u32 = load<u16>(meta, M_RX_IF);
    let iface: usize = INTERFACES + ((index as usize) << INTERFACE_SHIFT);
    const problem: u32 = interfaceProblem(iface);
    if (problem != 0) {
      countReceived(counters, index, length);
      drop(lc, meta, problem);
      continue;
    }
    if (length < ETHERNET_SIZE) {
      countReceived(counters, index, length);
      drop(lc, meta, DROP_ETHERNET_TOO_SHORT);
      continue;
    }
    const destination: u64 = load<u64>(frame);
    let type: u32 = load<u16>(frame, ETHERNET_TYPE);
    let l3: usize = frame + ETHERNET_SIZE;
    if (type == TYPE_VLAN) {
      if (length < ETHERNET_SIZE + VLAN_SIZE) {
        countReceived(counters, index, length);
        drop(lc, meta, DROP_ETHERNET_TOO_SHORT);
        continue;
      }
      const vlan: u32 = swap16(load<u16>(frame, 14)) & 0xFFF;
      type = load<u16>(frame, 16);
      l3 += VLAN_SIZE;
      if (vlan != 0) {
        const sub: u32 = vlanInterface(index, vlan);
        countReceived(counters, sub != 0 ? sub : index, length);
        if (sub == 0) {
          drop(lc, meta, DROP_VLAN_UNKNOWN);
          continue;
        }
        index = sub;
        store<u16>(meta, sub as u16, M_RX_IF);
        iface = INTERFACES + ((sub as usize) << INTERFACE_SHIFT);
        const subProblem: u32 = interfaceProblem(iface);
        if (subProblem != 0) {
          drop(lc, meta, subProblem);
          continue;
        }
      } else {
        countReceived(counters, index, length);
      }
    } else {
      countReceived(counters, index, length);
    }
    if (((destination ^ load<u64>(iface, IF_MAC)) & MAC_MASK) != 0) {
      if ((destination & 1) == 0) {
        drop(lc, meta, DROP_ETHERNET_NOT_FOR_US);
        continue;
      }
      store<u16>(meta, MF_L2_BROADCAST as u16, M_FLAGS);
    }
    store<u32>(meta, l3 as u32, M_L3);
    store<u16>(meta, (length - ((l3 - frame) as u32)) as u16, M_LENGTH);
    if (type == TYPE_IPV4) {
      store<u32>(ip4Next, meta as u32);
      ip4Next += 4;
    } else if (type == TYPE_ARP) {
      enqueue(lc, NODE_ARP_INPUT, meta);
    } else {
      drop(lc, meta, DROP_ETHERTYPE_UNKNOWN);
    }
  }
  setListCount(lc, NODE_IP4_INPUT, ((ip4Next - ip4List) >> 2) as u32);
  if (load<u32>(lc, LC_TRACING) != 0) traceNode(lc, NODE_ETHERNET_INPUT);
  countNode(lc, NODE_ETHERNET_INPUT, count);
  setListCount(lc, NODE_ETHERNET_INPUT, 0);
}
