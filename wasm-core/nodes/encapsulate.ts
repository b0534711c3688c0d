/**
 * encapsulate: Ethernet, IPv4, GRE and MPLS before the packet, from the next hop's 48-byte template. docs/forwarding.md §8.4.
 * Nexts: transmit; neighbour when the tunnel's MAC is not known (the packet is then untouched).
 */
import {
  C_NEXTHOP, FRAME_SHIFT, IF_VLAN, INTERFACE_SHIFT, INTERFACES, LC_TRACING, M_L3, M_LENGTH, M_MAC, M_NH, NH_CHECKSUM, NH_INTERFACE,
} from '../layout';
import { DROP_FRAME_CAPACITY, NODE_ENCAPSULATE, NODE_TRANSMIT } from '../generated';
import { fold16 } from '../packet/checksum';
import { swap16 } from '../packet/ethernet';
import { IPV4_ID } from '../packet/ipv4';
import { nexthopAt } from '../tables/nexthop';
import { fetchMacs } from './fetch-macs';
import { countersOf, countNode, drop, listCount, listOf, setListCount } from './graph';
import { insertTag } from './ethernet-output';
import { traceNode } from './trace';

/** Outer IPv4, GRE and MPLS. */
const TUNNEL_SIZE: u32 = 28;
const HEADERS_SIZE: u32 = 42;
/** The template is written from here before the packet on; a tag needs four bytes more. */
const TEMPLATE_SIZE: usize = 48;

/** Packets and inner bytes of the next hop. */
@inline
export function countNexthop(counters: usize, id: u32, bytes: u32): void {
  const counter: usize = counters + C_NEXTHOP + ((id as usize) << 4);
  store<u64>(counter, load<u64>(counter) + 1);
  store<u64>(counter, load<u64>(counter, 8) + (bytes as u64), 8);
}

export function encapsulate(lc: usize): void {
  const count: u32 = listCount(lc, NODE_ENCAPSULATE);
  if (count == 0) return;
  const counters: usize = countersOf(lc);
  const list: usize = listOf(lc, NODE_ENCAPSULATE);
  const end: usize = list + ((count as usize) << 2);
  fetchMacs(lc, list, end);
  const transmitList: usize = listOf(lc, NODE_TRANSMIT);
  let transmitNext: usize = transmitList + ((listCount(lc, NODE_TRANSMIT) as usize) << 2);
  for (let at: usize = list; at != end; at += 4) {
    const meta: usize = load<u32>(at) as usize;
    const id: u32 = load<u32>(meta, M_NH);
    const nexthop: usize = nexthopAt(id);
    const mac: u64 = load<u64>(meta, M_MAC);
    if (mac == 0) continue; // it waits
    const l3: usize = load<u32>(meta, M_L3) as usize;
    const length: u32 = load<u16>(meta, M_LENGTH);
    if ((l3 & (((1 as usize) << FRAME_SHIFT) - 1)) < TEMPLATE_SIZE + 4) {
      drop(lc, meta, DROP_FRAME_CAPACITY);
      continue;
    }
    // The inner header's first words give TOS and identification.
    const tos: u32 = load<u32>(l3) & 0xFF00;
    const identification: u32 = load<u16>(l3, IPV4_ID);
    const outerLength: u32 = swap16(length + TUNNEL_SIZE);
    const sum: u32 = load<u32>(nexthop, NH_CHECKSUM) + tos + outerLength + identification;
    const checksum: u32 = fold16((sum & 0xFFFF) + (sum >>> 16)) ^ 0xFFFF;
    const out: usize = l3 - TEMPLATE_SIZE;
    const v2: v128 = v128.load(nexthop, 32);
    const v1: v128 = v128.load(nexthop, 16);
    v128.store(out, v2, 32);
    v128.store(out, v1, 16);
    store<u64>(out, load<u64>(nexthop, 8), 8);
    store<u64>(out, mac, 6);
    // IPv4 words 0 and 1, then TTL, protocol, checksum: the template has zeros where these go.
    store<u64>(out, load<u64>(nexthop, 20) | (tos as u64) | ((outerLength as u64) << 16) | ((identification as u64) << 32), 20);
    store<u16>(out, checksum as u16, 30);
    countNexthop(counters, id, length);
    let frame: usize = out + 6;
    let frameLength: u32 = length + HEADERS_SIZE;
    const vlan: u32 = load<u16>(INTERFACES + ((<u32>load<u16>(nexthop, NH_INTERFACE) as usize) << INTERFACE_SHIFT), IF_VLAN);
    if (vlan != 0) {
      insertTag(frame, vlan);
      frame -= 4;
      frameLength += 4;
    }
    store<u32>(meta, frame as u32, M_L3);
    store<u16>(meta, frameLength as u16, M_LENGTH);
    store<u32>(transmitNext, meta as u32);
    transmitNext += 4;
  }
  setListCount(lc, NODE_TRANSMIT, ((transmitNext - transmitList) >> 2) as u32);
  if (load<u32>(lc, LC_TRACING) != 0) traceNode(lc, NODE_ENCAPSULATE);
  countNode(lc, NODE_ENCAPSULATE, count);
  setListCount(lc, NODE_ENCAPSULATE, 0);
}
