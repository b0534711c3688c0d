/**
 * arp-input: answers requests, learns neighbours. docs/forwarding.md §10.
 *
 * A reply is the request turned round in its own frame. Workload interfaces never learn: their neighbours come from the controller.
 * Nexts: transmit. Drops: arp_malformed, arp_spoofed, arp_not_for_us, arp_unsolicited, arp_learnt.
 */
import {
  IF_ADDRESS, IF_FLAGS, IF_KIND, IF_MASK, IF_VRF, IF_WORKLOAD, IFF_PROXY_ARP, IFF_SOURCE_CHECK, IFK_WORKLOAD, LC_TRACING, M_L3, M_LENGTH, M_RX_IF,
  MAX_NEIGHBOURS, NH_KIND, NHK_DISCARD, NHK_NONE,
} from '../layout';
import {
  DROP_ARP_LEARNT, DROP_ARP_MALFORMED, DROP_ARP_NOT_FOR_US, DROP_ARP_SPOOFED, DROP_ARP_UNSOLICITED, NODE_ARP_INPUT,
} from '../generated';
import {
  ARP_ETHERNET_IPV4, ARP_HARDWARE, ARP_OPERATION, ARP_REPLY, ARP_REQUEST, ARP_SENDER, ARP_SENDER_MAC, ARP_SIZE, ARP_TARGET, writeArp,
} from '../packet/arp';
import { MAC_MASK } from '../packet/ethernet';
import { fipPrivate } from '../tables/fip';
import { lpmNexthop } from '../tables/lpm';
import { neighbourClaim, neighbourFind } from '../tables/neighbour';
import { nexthopAt } from '../tables/nexthop';
import { countNode, drop, listCount, listOf, setListCount } from './graph';
import { learnNeighbour } from './neighbour-state';
import { interfaceAt, interfaceMac, transmitArp } from './originate';
import { leavesBy } from './reverse-path';
import { traceNode } from './trace';

/** ARP packet that may be believed at all: 0 = no, else the operation word. A sender's MAC is neither zero nor a group (RFC 1812 section 3.3.2). */
function soundOperation(arp: usize, available: u32): u32 {
  if (available < ARP_SIZE) return 0;
  if (load<u32>(arp, ARP_HARDWARE) != ARP_ETHERNET_IPV4) return 0;
  const operation: u32 = load<u32>(arp, ARP_OPERATION);
  if (operation != ARP_REQUEST && operation != ARP_REPLY) return 0;
  const sender: u64 = load<u64>(arp, ARP_SENDER_MAC) & MAC_MASK;
  if (sender == 0 || (sender & 1) != 0) return 0;
  return operation;
}

/** May this workload claim the sender address? A probe (RFC 5227) claims none. */
function mayClaim(iface: usize, index: u32, sender: u32): bool {
  if ((<u32>load<u8>(iface, IF_FLAGS) & IFF_SOURCE_CHECK) == 0) return true;
  if (sender == 0 || sender == load<u32>(iface, IF_WORKLOAD)) return true;
  return fipPrivate(index, sender) != 0;
}

/** Does the VRF route the target elsewhere than out of this interface, so that we answer in its place? */
function answersFor(iface: usize, index: u32, sender: u32, target: u32): bool {
  if ((<u32>load<u8>(iface, IF_FLAGS) & IFF_PROXY_ARP) == 0) return false;
  if (target == sender || target == load<u32>(iface, IF_WORKLOAD)) return false;
  const vrf: u32 = load<u32>(iface, IF_VRF);
  const kind: u32 = load<u8>(nexthopAt(lpmNexthop(vrf, target)), NH_KIND);
  if (kind == NHK_NONE || kind == NHK_DISCARD) return false;
  return !leavesBy(vrf, target, index);
}

/** A request refreshes a known neighbour; one for the own address makes a new one known, if it lies in the own subnet. */
function learnFromRequest(lc: usize, iface: usize, index: u32, sender: u32, mac: u64, target: u32): void {
  const own: u32 = load<u32>(iface, IF_ADDRESS);
  if (sender == 0 || sender == own) return; // nobody else is that
  let neighbour: u32 = neighbourFind(index, sender);
  if (neighbour == MAX_NEIGHBOURS) {
    if (own == 0 || target != own) return;
    if (((sender ^ own) & load<u32>(iface, IF_MASK)) != 0) return;
    if (load<u32>(lc, LC_TRACING) != 0) return;
    neighbour = neighbourClaim(index, sender);
    if (neighbour == MAX_NEIGHBOURS) return;
  }
  learnNeighbour(lc, neighbour, index, mac);
}

function request(lc: usize, meta: usize, arp: usize, iface: usize, index: u32): void {
  const sender: u32 = load<u32>(arp, ARP_SENDER);
  const target: u32 = load<u32>(arp, ARP_TARGET);
  const mac: u64 = load<u64>(arp, ARP_SENDER_MAC) & MAC_MASK;
  if (<u32>load<u8>(iface, IF_KIND) == IFK_WORKLOAD) {
    if (!mayClaim(iface, index, sender)) {
      drop(lc, meta, DROP_ARP_SPOOFED);
      return;
    }
  } else {
    learnFromRequest(lc, iface, index, sender, mac, target);
  }
  const own: u32 = load<u32>(iface, IF_ADDRESS);
  let answer: bool = own != 0 && target == own;
  if (!answer) answer = answersFor(iface, index, sender, target);
  if (!answer) {
    drop(lc, meta, target == sender ? DROP_ARP_LEARNT : DROP_ARP_NOT_FOR_US);
    return;
  }
  writeArp(arp, ARP_REPLY, interfaceMac(index), target, mac, sender);
  transmitArp(lc, meta, index, mac);
}

function reply(lc: usize, meta: usize, arp: usize, iface: usize, index: u32): void {
  const sender: u32 = load<u32>(arp, ARP_SENDER);
  const neighbour: u32 = sender == load<u32>(iface, IF_ADDRESS) ? MAX_NEIGHBOURS : neighbourFind(index, sender);
  if (neighbour == MAX_NEIGHBOURS) {
    drop(lc, meta, DROP_ARP_UNSOLICITED);
    return;
  }
  if (<u32>load<u8>(iface, IF_KIND) != IFK_WORKLOAD) learnNeighbour(lc, neighbour, index, load<u64>(arp, ARP_SENDER_MAC) & MAC_MASK);
  drop(lc, meta, DROP_ARP_LEARNT);
}

export function arpInput(lc: usize): void {
  const count: u32 = listCount(lc, NODE_ARP_INPUT);
  if (count == 0) return;
  const list: usize = listOf(lc, NODE_ARP_INPUT);
  const end: usize = list + ((count as usize) << 2);
  for (let at: usize = list; at != end; at += 4) {
    const meta: usize = load<u32>(at) as usize;
    const arp: usize = load<u32>(meta, M_L3) as usize;
    const index: u32 = load<u16>(meta, M_RX_IF);
    const operation: u32 = soundOperation(arp, <u32>load<u16>(meta, M_LENGTH));
    if (operation == 0) drop(lc, meta, DROP_ARP_MALFORMED);
    else if (operation == ARP_REQUEST) request(lc, meta, arp, interfaceAt(index), index);
    else reply(lc, meta, arp, interfaceAt(index), index);
  }
  if (load<u32>(lc, LC_TRACING) != 0) traceNode(lc, NODE_ARP_INPUT);
  countNode(lc, NODE_ARP_INPUT, count);
  setListCount(lc, NODE_ARP_INPUT, 0);
}
