/**
 * rewrite: translates source and destination, decrements the TTL, clamps the MSS; all checksums follow incrementally (RFC 1624).
 * docs/forwarding.md §8.1, §8.2. Nexts: encapsulate, ethernet-output, or fragment when it is larger than the next hop takes.
 */
import {
  FIP_DELTA, FIP_NEW, FIP_RECORDS, FR_DELTA, FR_PUBLIC, IF_KIND, IF_VRF, IFK_WORKLOAD, INTERFACE_SHIFT, INTERFACES, LC_TRACING, M_DNAT, M_DST, M_FLAGS,
  M_IHL, M_L3, M_LENGTH, M_PROTOCOL, M_RX_IF, M_SCRATCH, M_SNAT, M_SRC, M_TX_IF, MF_DNAT, MF_FRAGMENT, MF_ORIGINATED, MF_OVERSIZED, MF_SNAT, NH_KIND,
  NHK_TUNNEL_GRE, VRF_MSS, VRF_SHIFT, VRFS,
} from '../layout';
import { DROP_L4_TRUNCATED, NODE_ENCAPSULATE, NODE_ETHERNET_OUTPUT, NODE_FRAGMENT, NODE_REWRITE } from '../generated';
import { fold16 } from '../packet/checksum';
import { updateL4 } from '../packet/checksum-l4';
import { IPV4_DESTINATION, IPV4_SOURCE, IPV4_TTL, l4ChecksumOffset, PROTOCOL_ICMP, PROTOCOL_TCP } from '../packet/ipv4';
import { TCP_FLAGS, TCP_SIZE, TCP_SYN } from '../packet/tcp';
import { countNode, drop, enqueue, listCount, listOf, setListCount } from './graph';
import { translateQuoted } from './icmp-translate';
import { clampMss } from './mss';
import { traceNode } from './trace';

/** TTL - 1 as a change of the header's sum: ~m + (m - 1). */
const TTL_DELTA: u32 = 0xFFFE;

/** The VRF's MSS on a workload interface, 0 = none. */
@inline
function interfaceMss(index: u32): u32 {
  const iface: usize = INTERFACES + ((index as usize) << INTERFACE_SHIFT);
  if (<u32>load<u8>(iface, IF_KIND) != IFK_WORKLOAD) return 0;
  return load<u16>(VRFS + ((load<u32>(iface, IF_VRF) as usize) << VRF_SHIFT), VRF_MSS);
}

/** A TCP SYN: the smaller MSS of the virtual networks at either end holds. */
function clamp(meta: usize, l3: usize): void {
  let mss: u32 = interfaceMss(load<u16>(meta, M_RX_IF));
  const other: u32 = interfaceMss(load<u16>(meta, M_TX_IF));
  if (other != 0) {
    if (mss == 0 || other < mss) mss = other;
  }
  if (mss != 0) clampMss(l3, load<u8>(meta, M_IHL), load<u16>(meta, M_LENGTH), mss);
}

/** A source translation is a lane of the private table, or a record of a chain. */
@inline
function snatDelta(lane: usize): u32 {
  return lane < FIP_RECORDS ? load<u32>(lane, FIP_DELTA) : load<u32>(lane, FR_DELTA);
}

@inline
function snatAddress(lane: usize): u32 {
  return lane < FIP_RECORDS ? load<u32>(lane, FIP_NEW) : load<u32>(lane, FR_PUBLIC);
}

export function rewrite(lc: usize): void {
  const count: u32 = listCount(lc, NODE_REWRITE);
  if (count == 0) return;
  const list: usize = listOf(lc, NODE_REWRITE);
  const end: usize = list + ((count as usize) << 2);
  const tunnelList: usize = listOf(lc, NODE_ENCAPSULATE);
  let tunnelNext: usize = tunnelList + ((listCount(lc, NODE_ENCAPSULATE) as usize) << 2);
  const plainList: usize = listOf(lc, NODE_ETHERNET_OUTPUT);
  let plainNext: usize = plainList + ((listCount(lc, NODE_ETHERNET_OUTPUT) as usize) << 2);
  for (let at: usize = list; at != end; at += 4) {
    const meta: usize = load<u32>(at) as usize;
    const l3: usize = load<u32>(meta, M_L3) as usize;
    let flags: u32 = load<u16>(meta, M_FLAGS);
    const protocol: u32 = load<u8>(meta, M_PROTOCOL);
    const ihl: u32 = load<u8>(meta, M_IHL);
    const length: u32 = load<u16>(meta, M_LENGTH);
    const snat: usize = (flags & MF_SNAT) != 0 ? load<u32>(meta, M_SNAT) as usize : 0;
    const dnat: usize = load<u32>(meta, M_DNAT) as usize;
    let delta: u32 = 0;
    if ((snat | dnat) != 0) {
      if (snat != 0) delta = snatDelta(snat);
      if (dnat != 0) delta += load<u32>(dnat, FIP_DELTA);
      if ((flags & MF_FRAGMENT) == 0) {
        const field: u32 = l4ChecksumOffset(protocol);
        if (field != 0) {
          if (ihl + field + 2 > length) {
            drop(lc, meta, DROP_L4_TRUNCATED);
            continue;
          }
          const sumAt: usize = l3 + ((ihl + field) as usize);
          store<u16>(sumAt, updateL4(load<u16>(sumAt), protocol, delta) as u16);
        } else if (protocol == PROTOCOL_ICMP) {
          translateQuoted(
            l3, ihl, length,
            snat != 0 ? load<u32>(meta, M_SRC) : 0, snat != 0 ? snatAddress(snat) : 0,
            dnat != 0 ? load<u32>(meta, M_DST) : 0, dnat != 0 ? load<u32>(dnat, FIP_NEW) : 0,
          );
        }
      }
      if (snat != 0) store<u32>(l3, snatAddress(snat), IPV4_SOURCE);
      if (dnat != 0) {
        store<u32>(l3, load<u32>(dnat, FIP_NEW), IPV4_DESTINATION);
        flags |= MF_DNAT;
        store<u16>(meta, flags as u16, M_FLAGS);
      }
    }
    // TTL, protocol and header checksum lie in one word.
    const word: u32 = load<u32>(l3, IPV4_TTL);
    let ttl: u32 = word & 0xFFFF;
    if ((flags & MF_ORIGINATED) == 0) {
      ttl -= 1;
      delta += TTL_DELTA;
    }
    store<u32>(l3, ttl | ((fold16(((word >>> 16) ^ 0xFFFF) + delta) ^ 0xFFFF) << 16), IPV4_TTL);
    if (protocol == PROTOCOL_TCP) {
      if ((flags & MF_FRAGMENT) == 0) {
        if (ihl + TCP_SIZE <= length) {
          if ((<u32>load<u8>(l3 + (ihl as usize), TCP_FLAGS) & TCP_SYN) != 0) clamp(meta, l3);
        }
      }
    }
    if ((flags & MF_OVERSIZED) != 0) {
      enqueue(lc, NODE_FRAGMENT, meta);
    } else if (<u32>load<u8>(meta, M_SCRATCH + NH_KIND) == NHK_TUNNEL_GRE) {
      store<u32>(tunnelNext, meta as u32);
      tunnelNext += 4;
    } else {
      store<u32>(plainNext, meta as u32);
      plainNext += 4;
    }
  }
  setListCount(lc, NODE_ENCAPSULATE, ((tunnelNext - tunnelList) >> 2) as u32);
  setListCount(lc, NODE_ETHERNET_OUTPUT, ((plainNext - plainList) >> 2) as u32);
  if (load<u32>(lc, LC_TRACING) != 0) traceNode(lc, NODE_REWRITE);
  countNode(lc, NODE_REWRITE, count);
  setListCount(lc, NODE_REWRITE, 0);
}
