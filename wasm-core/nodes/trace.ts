/**
 * The account of a traced packet: after each node one event for every packet in its list, with what the node looked up.
 * firmware/host/trace.ts tells it to people. Only the control instance traces, as lcore LCORE_TRACE, so the RIB may be read here.
 */
import {
  FIP_KEY, FIP_NEW, FIP_TAG, FR_DIRECTION, FR_NEXT, FR_PUBLIC, FR_VRF, FIPD_EGRESS, FRAME_SHIFT, LC_FREE, LC_FREE_COUNT, LC_METAS, LEAF_NH_MASK, M_DNAT,
  M_DROP, M_DST, M_FRAME, M_L3, M_LPM, M_NH, M_RX_IF, M_SRC, M_VRF, MAX_METAS, MAX_NEIGHBOURS, MAX_TRACE_EVENTS, META_SIZE, NB_KEY, NB_MAC,
  NH_INTERFACE, NH_KIND, NH_NEIGHBOUR, NH_REMOTE, NHK_RESOLVE, TAG_CHAIN, TAG_VRF_SHIFT, TE_ARGS, TE_KIND, TE_META, TE_NODE, TE_PACKET, TE_PACKET_SIZE,
  TEK_CANDIDATE, TEK_PASS, TRACE, TRACE_EVENT_SIZE, TRACE_EVENTS, TRACE_FRAME,
} from '../layout';
import {
  DROP_RPF_FAILED, NODE_ENCAPSULATE, NODE_ETHERNET_OUTPUT, NODE_FIP_SELECT, NODE_IP4_LOOKUP, NODE_MPLS_INPUT, NODE_NEIGHBOUR, NODE_NEXTHOP,
} from '../generated';
import { fipPrivate } from '../tables/fip';
import { neighbourAt, neighbourFind } from '../tables/neighbour';
import { nexthopAt } from '../tables/nexthop';
import { ribLookup, RN_LENGTH, RN_NEXTHOP, RN_PREFIX } from '../tables/rib';
import { listCount, listOf } from './graph';

/** Frames for what the core makes while it traces: chunks behind the traced frame, so that a trace takes none from the pool. */
export function stockTrace(lc: usize): void {
  for (let i: u32 = 1; i < MAX_METAS; i++) {
    store<u32>(lc + LC_FREE + (((i - 1) as usize) << 2), (TRACE_FRAME + ((i as usize) << FRAME_SHIFT)) as u32);
  }
  store<u32>(lc, MAX_METAS - 1, LC_FREE_COUNT);
}

/** Appends an event about the packet: the meta record and the packet's first bytes as they are now. 0 when the buffer is full. */
function append(lc: usize, node: u32, kind: u32, meta: usize): usize {
  const count: u32 = load<u32>(TRACE);
  if (count >= MAX_TRACE_EVENTS) return 0;
  store<u32>(TRACE, count + 1);
  const event: usize = TRACE + TRACE_EVENTS + (count as usize) * TRACE_EVENT_SIZE;
  memory.fill(event, 0, TE_META);
  store<u16>(event, node as u16, TE_NODE);
  store<u16>(event, kind as u16, TE_KIND);
  setArgument(event, 0, ((meta - lc - LC_METAS) / META_SIZE) as u32);
  memory.copy(event + TE_META, meta, META_SIZE);
  const packet: usize = load<u32>(meta, M_L3) as usize;
  // A packet lies in its chunk; what follows the chunk's end is none of it.
  const end: usize = (load<u32>(meta, M_FRAME) as usize) + (1 << FRAME_SHIFT);
  let bytes: usize = end - packet;
  if (bytes > TE_PACKET_SIZE) bytes = TE_PACKET_SIZE;
  memory.fill(event + TE_PACKET, 0, TE_PACKET_SIZE);
  memory.copy(event + TE_PACKET, packet, bytes);
  return event;
}

@inline
function setArgument(event: usize, i: u32, value: u32): void {
  store<u32>(event + ((i as usize) << 2), value, TE_ARGS);
}

/** The route that matches: arguments 1 to 4. */
function setMatch(event: usize, vrf: u32, destination: u32): void {
  setArgument(event, 1, vrf);
  const route: usize = ribLookup(vrf, destination);
  if (route == 0) return;
  setArgument(event, 2, bswap<u32>(load<u32>(route, RN_PREFIX)));
  setArgument(event, 3, <u32>load<u8>(route, RN_LENGTH) + 1);
  setArgument(event, 4, load<u32>(route, RN_NEXTHOP));
}

function appendCandidate(lc: usize, meta: usize, vrf: u32, address: u32): void {
  const event: usize = append(lc, NODE_FIP_SELECT, TEK_CANDIDATE, meta);
  if (event == 0) return;
  setMatch(event, vrf, load<u32>(meta, M_DST));
  setArgument(event, 5, address);
}

/** All floating IPs that could have translated the source, in the order in which fip-select tried them. */
function appendCandidates(lc: usize, meta: usize): void {
  const lane: usize = fipPrivate(load<u16>(meta, M_RX_IF), load<u32>(meta, M_SRC));
  if (lane == 0) return;
  const tag: u32 = load<u32>(lane, FIP_TAG);
  if ((tag & TAG_CHAIN) == 0) {
    if (load<u32>(lane, FIP_NEW) != load<u32>(lane, FIP_KEY)) appendCandidate(lc, meta, tag >>> TAG_VRF_SHIFT, load<u32>(lane, FIP_NEW));
    return;
  }
  for (let record: usize = load<u32>(lane, FIP_NEW) as usize; record != 0; record = load<u32>(record, FR_NEXT) as usize) {
    if ((<u32>load<u8>(record, FR_DIRECTION) & FIPD_EGRESS) == 0) continue;
    appendCandidate(lc, meta, load<u32>(record, FR_VRF), load<u32>(record, FR_PUBLIC));
  }
}

/** Next hop and destination translation: arguments 1 to 4. */
function setNexthop(event: usize, meta: usize, node: u32): void {
  setArgument(event, 1, node == NODE_NEXTHOP ? load<u32>(meta, M_LPM) & LEAF_NH_MASK : 0);
  setArgument(event, 2, load<u32>(meta, M_NH));
  const lane: usize = load<u32>(meta, M_DNAT) as usize;
  if (lane == 0) return;
  setArgument(event, 3, load<u32>(lane, FIP_KEY));
  setArgument(event, 4, load<u32>(lane, FIP_NEW));
}

/** The neighbour that the packet goes to: arguments 1 to 4. */
function setNeighbour(event: usize, meta: usize): void {
  const nexthop: usize = nexthopAt(load<u32>(meta, M_NH));
  const iface: u32 = load<u16>(nexthop, NH_INTERFACE);
  let index: u32 = load<u32>(nexthop, NH_NEIGHBOUR);
  let address: u32 = load<u32>(nexthop, NH_REMOTE);
  if (<u32>load<u8>(nexthop, NH_KIND) == NHK_RESOLVE) {
    const lane: usize = load<u32>(meta, M_DNAT) as usize;
    address = lane != 0 ? load<u32>(lane, FIP_NEW) : load<u32>(meta, M_DST);
    index = neighbourFind(iface, address);
  }
  setArgument(event, 1, iface);
  if (index < MAX_NEIGHBOURS) {
    const key: u64 = load<u64>(neighbourAt(index), NB_KEY);
    if (key != 0) address = key as u32;
    const mac: u64 = load<u64>(neighbourAt(index), NB_MAC);
    setArgument(event, 3, mac as u32);
    setArgument(event, 4, ((mac >>> 32) & 0xFFFF) as u32);
  }
  setArgument(event, 2, address);
}

/** One event for every packet that the node has just handled; a node calls it after its loop, before it empties its list. */
export function traceNode(lc: usize, node: u32): void {
  const list: usize = listOf(lc, node);
  const count: u32 = listCount(lc, node);
  for (let i: u32 = 0; i < count; i++) {
    const meta: usize = load<u32>(list + ((i as usize) << 2)) as usize;
    if (node == NODE_FIP_SELECT) appendCandidates(lc, meta);
    const event: usize = append(lc, node, TEK_PASS, meta);
    if (event == 0) return;
    if (<u32>load<u8>(meta, M_DROP) == DROP_RPF_FAILED) setMatch(event, load<u32>(meta, M_VRF), load<u32>(meta, M_SRC));
    else if (node == NODE_IP4_LOOKUP || node == NODE_FIP_SELECT) setMatch(event, load<u32>(meta, M_VRF), load<u32>(meta, M_DST));
    else if (node == NODE_NEXTHOP || node == NODE_MPLS_INPUT) setNexthop(event, meta, node);
    else if (node == NODE_ENCAPSULATE || node == NODE_ETHERNET_OUTPUT || node == NODE_NEIGHBOUR) setNeighbour(event, meta);
  }
}
