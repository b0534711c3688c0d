/**
 * The MAC of every packet that is about to leave, for encapsulate and ethernet-output. In loops of their own: every load that misses
 * the cache has little else beside it, so that the misses of many packets overlap.
 */
import {
  C_NEXTHOP, LC_TOUCHED, M_L3, M_MAC, M_NH, M_SCRATCH, M_TX_IF, NB_MAC, NEXTHOP_SHIFT, NEXTHOPS, NH_KIND, NH_NEIGHBOUR, NHK_RESOLVE,
} from '../layout';
import { NODE_NEIGHBOUR } from '../generated';
import { IPV4_DESTINATION } from '../packet/ipv4';
import { neighbourAt, neighbourFind } from '../tables/neighbour';
import { countersOf, enqueue } from './graph';
import { isStale, nowMs, usableMac } from './neighbour-state';

/** The neighbour of a packet for whoever has its destination address, as neighbourFind. */
function resolve(meta: usize): u32 {
  return neighbourFind(load<u16>(meta, M_TX_IF), load<u32>(load<u32>(meta, M_L3) as usize, IPV4_DESTINATION));
}

/** An unknown neighbour, or one that has been silent: 0 when the packet has to wait. */
function askedMac(lc: usize, meta: usize, now: u32): u64 {
  const mac: u64 = usableMac(lc, load<u32>(meta, M_SCRATCH), now);
  if (mac == 0) enqueue(lc, NODE_NEIGHBOUR, meta);
  return mac;
}

/**
 * For every meta of the list: NB_MAC of its neighbour in M_MAC; 0 when it has to wait, then it is in the neighbour node's list with its
 * neighbour in M_SCRATCH. Requests that this brings about are in transmit's list. The next hops' counters are in the cache afterwards.
 */
export function fetchMacs(lc: usize, list: usize, end: usize): void {
  const counters: usize = countersOf(lc);
  const now: u32 = nowMs(lc);
  let touched: u32 = 0;
  for (let at: usize = list; at != end; at += 4) {
    const meta: usize = load<u32>(at) as usize;
    const id: usize = load<u32>(meta, M_NH) as usize;
    let neighbour: u32 = load<u32>(id << NEXTHOP_SHIFT, NEXTHOPS + NH_NEIGHBOUR);
    if (<u32>load<u8>(id << NEXTHOP_SHIFT, NEXTHOPS + NH_KIND) == NHK_RESOLVE) neighbour = resolve(meta);
    store<u32>(meta, neighbour, M_SCRATCH);
    touched ^= load<u32>(neighbourAt(neighbour)) ^ load<u32>(counters + (id << 4), C_NEXTHOP);
  }
  store<u32>(lc, touched, LC_TOUCHED);
  for (let at: usize = list; at != end; at += 4) {
    const meta: usize = load<u32>(at) as usize;
    // Where no record was found, MAX_NEIGHBOURS names one behind the last that is always empty.
    const neighbour: usize = neighbourAt(load<u32>(meta, M_SCRATCH));
    let mac: u64 = load<u64>(neighbour, NB_MAC);
    if (isStale(neighbour, now)) mac = askedMac(lc, meta, now);
    else if (mac == 0) enqueue(lc, NODE_NEIGHBOUR, meta);
    store<u64>(meta, mac, M_MAC);
  }
}
