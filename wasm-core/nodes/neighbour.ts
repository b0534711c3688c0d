/**
 * neighbour: holds packets whose next hop has no MAC yet, and asks for it. docs/forwarding.md §10.
 *
 * What waits goes back to the node that it came from (encapsulate, ethernet-output) once the neighbour is known, in order.
 * Nexts: transmit (ARP requests), encapsulate, ethernet-output, icmp-error. Drops: neighbour_table_full, neighbour_queue_full, neighbour_unresolved,
 * nexthop_invalid (its next hop went away or became another while it waited).
 */
import {
  HELD_SIZE, LC_HELD_COUNT, LC_TRACING, M_L3, M_NH, M_SCRATCH, M_TX_IF, MAX_NEIGHBOURS, NB_HELD, NB_MAC, NB_MAX_HELD, NH_INTERFACE, NH_KIND,
  NH_NEIGHBOUR, NHK_INTERFACE, NHK_RESOLVE, NHK_TUNNEL_GRE,
} from '../layout';
import {
  DROP_NEIGHBOUR_QUEUE_FULL, DROP_NEIGHBOUR_TABLE_FULL, DROP_NEIGHBOUR_UNRESOLVED, DROP_NEXTHOP_INVALID, NODE_ENCAPSULATE, NODE_ETHERNET_OUTPUT,
  NODE_NEIGHBOUR,
} from '../generated';
import { ICMP_UNREACHABLE, UNREACHABLE_HOST } from '../packet/icmp';
import { IPV4_DESTINATION } from '../packet/ipv4';
import { neighbourAt, neighbourClaim, neighbourKey } from '../tables/neighbour';
import { nexthopAt } from '../tables/nexthop';
import { countNode, drop, enqueue, listCount, listOf, setListCount } from './graph';
import { heldAt, heldHasRoom, heldMeta, heldNeighbour, hold, isHeld, restoreArrived, unhold } from './held';
import { dropWithError } from './icmp-error';
import { askAgain, askFirst, giveUp } from './neighbour-state';
import { traceNode } from './trace';

/** A traced packet ends here: it would wait, unless too many do already. */
function endTrace(lc: usize, count: u32): void {
  const list: usize = listOf(lc, NODE_NEIGHBOUR);
  for (let i: u32 = 0; i < count; i++) {
    const meta: usize = load<u32>(list + ((i as usize) << 2)) as usize;
    const index: u32 = load<u32>(meta, M_SCRATCH);
    if (index != MAX_NEIGHBOURS) {
      if (load<u32>(neighbourAt(index), NB_HELD) >= NB_MAX_HELD) drop(lc, meta, DROP_NEIGHBOUR_QUEUE_FULL);
    }
  }
  traceNode(lc, NODE_NEIGHBOUR);
  setListCount(lc, NODE_NEIGHBOUR, 0);
}

export function neighbour(lc: usize): void {
  const count: u32 = listCount(lc, NODE_NEIGHBOUR);
  if (count == 0) return;
  if (load<u32>(lc, LC_TRACING) != 0) {
    endTrace(lc, count);
    return;
  }
  const list: usize = listOf(lc, NODE_NEIGHBOUR);
  const end: usize = list + ((count as usize) << 2);
  for (let at: usize = list; at != end; at += 4) {
    const meta: usize = load<u32>(at) as usize;
    let index: u32 = load<u32>(meta, M_SCRATCH);
    if (index == MAX_NEIGHBOURS) {
      index = neighbourClaim(load<u16>(meta, M_TX_IF), load<u32>(load<u32>(meta, M_L3) as usize, IPV4_DESTINATION));
      if (index == MAX_NEIGHBOURS) {
        drop(lc, meta, DROP_NEIGHBOUR_TABLE_FULL);
        continue;
      }
    }
    if (!heldHasRoom(lc, index)) {
      drop(lc, meta, DROP_NEIGHBOUR_QUEUE_FULL);
      continue;
    }
    hold(lc, meta, index);
    if (load<u64>(neighbourAt(index), NB_MAC) == 0) askFirst(lc, index);
  }
  countNode(lc, NODE_NEIGHBOUR, count);
  setListCount(lc, NODE_NEIGHBOUR, 0);
}

/** Where a held packet goes on, 0 when its next hop is no longer the one that it waits for. */
function nodeAfterWait(meta: usize, index: u32): u32 {
  const nexthop: usize = nexthopAt(load<u32>(meta, M_NH));
  const kind: u32 = load<u8>(nexthop, NH_KIND);
  if (kind == NHK_RESOLVE) {
    const address: u32 = load<u32>(load<u32>(meta, M_L3) as usize, IPV4_DESTINATION);
    return load<u64>(neighbourAt(index)) == neighbourKey(load<u16>(nexthop, NH_INTERFACE), address) ? NODE_ETHERNET_OUTPUT : 0;
  }
  if (load<u32>(nexthop, NH_NEIGHBOUR) != index) return 0;
  if (kind == NHK_TUNNEL_GRE) return NODE_ENCAPSULATE;
  return kind == NHK_INTERFACE ? NODE_ETHERNET_OUTPUT : 0;
}

/** The packet goes on, or dies with the next hop that it waited for. False: no meta record is left in this vector. */
function release(lc: usize, entry: usize, index: u32): bool {
  const meta: usize = heldMeta(lc, entry);
  if (meta == 0) return false;
  unhold(index);
  const next: u32 = nodeAfterWait(meta, index);
  if (next == 0) drop(lc, meta, DROP_NEXTHOP_INVALID);
  else enqueue(lc, next, meta);
  return true;
}

/** Nobody answered. False: no meta record is left in this vector. */
function expire(lc: usize, entry: usize, index: u32): bool {
  const meta: usize = heldMeta(lc, entry);
  if (meta == 0) return false;
  if (unhold(index) == 0) giveUp(index);
  restoreArrived(meta);
  dropWithError(lc, meta, DROP_NEIGHBOUR_UNRESOLVED, ICMP_UNREACHABLE, UNREACHABLE_HOST, 0);
  return true;
}

/** Walks what waits: releases what is resolved and, if `aging`, asks again or gives up; what still waits moves together, in order. */
function walkHeld(lc: usize, aging: bool): void {
  const count: u32 = load<u32>(lc, LC_HELD_COUNT);
  let kept: u32 = 0;
  let room: bool = true;
  for (let i: u32 = 0; i < count; i++) {
    const entry: usize = heldAt(lc, i);
    if (!isHeld(entry)) continue;
    const index: u32 = heldNeighbour(entry);
    if (room) {
      if (atomic.load<u64>(neighbourAt(index) + NB_MAC) != 0) {
        room = release(lc, entry, index);
        if (room) continue;
      } else if (aging) {
        if (!askAgain(lc, index)) {
          room = expire(lc, entry, index);
          if (room) continue;
        }
      }
    }
    if (kept != i) memory.copy(heldAt(lc, kept), entry, HELD_SIZE);
    kept += 1;
  }
  store<u32>(lc, kept, LC_HELD_COUNT);
}

/** Sends what waited for neighbours that are known by now: in every run with packets waiting, after arp-input. */
export function releaseHeld(lc: usize): void {
  if (load<u32>(lc, LC_HELD_COUNT) != 0) walkHeld(lc, false);
}

/** Every 100 ms: repeats requests, and gives up on neighbours that do not answer. */
export function age(lc: usize): void {
  if (load<u32>(lc, LC_HELD_COUNT) != 0) walkHeld(lc, true);
}
