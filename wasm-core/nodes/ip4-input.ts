/**
 * ip4-input: validates the header, and by the kind of the interface decides where the packet goes. docs/forwarding.md §2, §3.
 *
 * Nexts: gre-input (tunnel to the own fabric address), local (own address), ip4-lookup. A workload's packet that a floating IP
 * may translate, or whose source only that table can prove, takes the address of its bucket in the private table along in M_SNAT:
 * ip4-lookup loads it, and drops what it does not prove.
 */
import {
  FIP_PRIVATE, IF_ADDRESS, IF_FLAGS, IF_KIND, IF_VRF, IF_WORKLOAD, IFF_FIP_SOURCE, IFF_RPF, IFF_SOURCE_CHECK, IFK_FABRIC, IFK_WORKLOAD, INTERFACE_SHIFT,
  INTERFACES, LC_TRACING, M_DST, M_FLAGS, M_L3, M_LENGTH, M_OUTER_SRC, M_PROTOCOL, M_RX_IF, M_SNAT, M_SRC, M_VRF, MF_FIRST_FRAGMENT, MF_FRAGMENT,
  MF_L2_BROADCAST, MF_SOURCE_UNPROVED,
} from '../layout';
import {
  DROP_IPV4_BROADCAST, DROP_IPV4_MULTICAST, DROP_IPV4_OPTIONS, DROP_RPF_FAILED, DROP_SOURCE_MISMATCH, DROP_TUNNEL_FRAGMENT, NODE_GRE_INPUT, NODE_IP4_INPUT,
  NODE_IP4_LOOKUP, NODE_LOCAL,
} from '../generated';
import { PROTOCOL_GRE } from '../packet/ipv4';
import { fipBucket, fipPrivate } from '../tables/fip';
import { countNode, drop, enqueue, listCount, listOf, setListCount } from './graph';
import { ip4Validate, isOrdinary } from './ip4-validate';
import { leavesBy } from './reverse-path';
import { traceNode } from './trace';

/** A frame to many that carries IPv4 is refused once its header has proved sound, whatever its addresses. */
@inline
function broadcastProblem(flags: u32, problem: u32): u32 {
  if ((flags & MF_L2_BROADCAST) != 0) {
    if (problem == 0) return DROP_IPV4_BROADCAST;
    if (problem >= DROP_IPV4_OPTIONS && problem <= DROP_IPV4_MULTICAST) return DROP_IPV4_BROADCAST;
  }
  return problem;
}

/** The header that isOrdinary turned down: 0, or why the packet dies. */
function problemOf(meta: usize): u32 {
  return broadcastProblem(load<u16>(meta, M_FLAGS), ip4Validate(meta, load<u32>(meta, M_L3) as usize, load<u16>(meta, M_LENGTH)));
}

/** The whole source check at once, for packets that need no lookup. */
function ownsSource(iface: usize, index: u32, source: u32): bool {
  if ((<u32>load<u8>(iface, IF_FLAGS) & IFF_SOURCE_CHECK) == 0) return true;
  if (source == load<u32>(iface, IF_WORKLOAD)) return true;
  return fipPrivate(index, source) != 0;
}

/** A packet to an own address that no tunnel ends on. */
function toOwnAddress(lc: usize, meta: usize, iface: usize): void {
  if (<u32>load<u8>(iface, IF_KIND) == IFK_WORKLOAD) {
    if (!ownsSource(iface, load<u16>(meta, M_RX_IF), load<u32>(meta, M_SRC))) {
      drop(lc, meta, DROP_SOURCE_MISMATCH);
      return;
    }
  }
  enqueue(lc, NODE_LOCAL, meta);
}

export function ip4Input(lc: usize): void {
  const count: u32 = listCount(lc, NODE_IP4_INPUT);
  if (count == 0) return;
  const list: usize = listOf(lc, NODE_IP4_INPUT);
  const end: usize = list + ((count as usize) << 2);
  const lookupList: usize = listOf(lc, NODE_IP4_LOOKUP);
  let lookupNext: usize = lookupList + ((listCount(lc, NODE_IP4_LOOKUP) as usize) << 2);
  const greList: usize = listOf(lc, NODE_GRE_INPUT);
  let greNext: usize = greList;
  for (let at: usize = list; at != end; at += 4) {
    const meta: usize = load<u32>(at) as usize;
    // Flags are there for a broadcast frame only.
    if (!isOrdinary(meta, load<u32>(meta, M_L3) as usize, <u32>load<u16>(meta, M_LENGTH), 0 - <u32>load<u16>(meta, M_FLAGS))) {
      const problem: u32 = problemOf(meta);
      if (problem != 0) {
        drop(lc, meta, problem);
        continue;
      }
    }
    const index: u32 = load<u16>(meta, M_RX_IF);
    const iface: usize = (index as usize) << INTERFACE_SHIFT; // from INTERFACES on
    const source: u32 = load<u32>(meta, M_SRC);
    const kind: u32 = load<u8>(iface, INTERFACES + IF_KIND);
    const vrf: u32 = load<u32>(iface, INTERFACES + IF_VRF);
    store<u32>(meta, vrf, M_VRF);
    if (load<u32>(meta, M_DST) == load<u32>(iface, INTERFACES + IF_ADDRESS)) {
      if (kind == IFK_FABRIC) {
        if (<u32>load<u8>(meta, M_PROTOCOL) == PROTOCOL_GRE) {
          if ((<u32>load<u16>(meta, M_FLAGS) & (MF_FRAGMENT | MF_FIRST_FRAGMENT)) != 0) {
            drop(lc, meta, DROP_TUNNEL_FRAGMENT);
            continue;
          }
          store<u32>(meta, source, M_OUTER_SRC);
          store<u32>(greNext, meta as u32);
          greNext += 4;
          continue;
        }
      }
      toOwnAddress(lc, meta, INTERFACES + iface);
      continue;
    }
    if (kind == IFK_WORKLOAD) {
      // Another source than the workload's own makes a source check of the look into the table.
      const own: u32 = load<u32>(iface, INTERFACES + IF_WORKLOAD);
      const flags: u32 = load<u8>(iface, INTERFACES + IF_FLAGS);
      const unproved: u32 = source != own ? flags & IFF_SOURCE_CHECK : 0;
      if (unproved != 0) store<u16>(meta, (<u32>load<u16>(meta, M_FLAGS) | MF_SOURCE_UNPROVED) as u16, M_FLAGS);
      if ((unproved | (flags & IFF_FIP_SOURCE)) != 0) store<u32>(meta, fipBucket(FIP_PRIVATE, index, source) as u32, M_SNAT);
    } else if ((<u32>load<u8>(iface, INTERFACES + IF_FLAGS) & IFF_RPF) != 0) {
      if (!leavesBy(vrf, source, index)) {
        drop(lc, meta, DROP_RPF_FAILED);
        continue;
      }
    }
    store<u32>(lookupNext, meta as u32);
    lookupNext += 4;
  }
  setListCount(lc, NODE_IP4_LOOKUP, ((lookupNext - lookupList) >> 2) as u32);
  setListCount(lc, NODE_GRE_INPUT, ((greNext - greList) >> 2) as u32);
  if (load<u32>(lc, LC_TRACING) != 0) traceNode(lc, NODE_IP4_INPUT);
  countNode(lc, NODE_IP4_INPUT, count);
  setListCount(lc, NODE_IP4_INPUT, 0);
}
