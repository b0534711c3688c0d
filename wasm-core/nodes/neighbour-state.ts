/** What happens to a neighbour's record: it is asked for, learnt, grows stale. docs/forwarding.md §10. */
import {
  IF_ADDRESS, IF_MAC, LC_NOW_US, LC_TRACING, M_L3, NB_ASKED_MS, NB_FLAGS, NB_KEY, NB_MAC, NB_MAX_TRIES, NB_REACHABLE_MS, NB_RETRY_MS, NB_SEEN_MS, NB_TRIES,
  NBF_STATIC,
} from '../layout';
import { ARP_REQUEST, writeArp } from '../packet/arp';
import { MAC_MASK } from '../packet/ethernet';
import { neighbourAt } from '../tables/neighbour';
import { interfaceAt, interfaceMac, originate, transmitArp } from './originate';

/** Broadcast as a MAC in the low 48 bits. */
const BROADCAST: u64 = 0x0000FFFFFFFFFFFF;

/** The lcore's clock in milliseconds; it wraps after 49 days, so only differences mean something. */
@inline
export function nowMs(lc: usize): u32 {
  return (load<u64>(lc, LC_NOW_US) / 1000) as u32;
}

/** Sends an ARP request for the neighbour to `destination` (48 bits), from the interface's own pair. */
function ask(lc: usize, neighbour: usize, destination: u64): void {
  const meta: usize = originate(lc);
  if (meta == 0) return;
  const key: u64 = load<u64>(neighbour, NB_KEY);
  const iface: u32 = (key >>> 32) as u32;
  writeArp(load<u32>(meta, M_L3) as usize, ARP_REQUEST, interfaceMac(iface), load<u32>(interfaceAt(iface), IF_ADDRESS), 0, key as u32);
  transmitArp(lc, meta, iface, destination);
}

/** The first request for an unknown neighbour; only one of several lcores that need it at once sends it. */
export function askFirst(lc: usize, index: u32): void {
  const neighbour: usize = neighbourAt(index);
  if (atomic.load<u32>(neighbour + NB_TRIES) != 0) return;
  atomic.store<u32>(neighbour + NB_ASKED_MS, nowMs(lc));
  if (atomic.cmpxchg<u32>(neighbour + NB_TRIES, 0, 1) == 0) ask(lc, neighbour, BROADCAST);
}

/** A second after the last request: asks again. False when it was the last one, and a second after it has passed as well. */
export function askAgain(lc: usize, index: u32): bool {
  const neighbour: usize = neighbourAt(index);
  const now: u32 = nowMs(lc);
  const asked: u32 = atomic.load<u32>(neighbour + NB_ASKED_MS);
  if (now - asked < NB_RETRY_MS) return true;
  const tries: u32 = atomic.load<u32>(neighbour + NB_TRIES);
  if (tries >= NB_MAX_TRIES) return false;
  // Whoever moves the time of asking is the one who asks.
  if (atomic.cmpxchg<u32>(neighbour + NB_ASKED_MS, asked, now) == asked) {
    atomic.store<u32>(neighbour + NB_TRIES, tries + 1);
    ask(lc, neighbour, BROADCAST);
  }
  return true;
}

/** Forgets the requests of a neighbour that nobody waits for any more: the next packet for it starts afresh. */
@inline
export function giveUp(index: u32): void {
  atomic.store<u32>(neighbourAt(index) + NB_TRIES, 0);
}

/** Takes in who has the address: destination MAC and the first bytes of the own one, by one store. A static record stays. */
export function learnNeighbour(lc: usize, index: u32, iface: u32, mac: u64): void {
  if (load<u32>(lc, LC_TRACING) != 0) return;
  const neighbour: usize = neighbourAt(index);
  if ((load<u32>(neighbour, NB_FLAGS) & NBF_STATIC) != 0) return;
  store<u32>(neighbour, nowMs(lc), NB_SEEN_MS);
  atomic.store<u32>(neighbour + NB_TRIES, 0);
  const own: u64 = load<u16>(interfaceAt(iface), IF_MAC) as u64;
  atomic.store<u64>(neighbour + NB_MAC, mac | (own << 48));
}

/** Was the neighbour of a packet that is about to leave confirmed too long ago? Cheap: the record's line is in the cache. */
@inline
export function isStale(neighbour: usize, now: u32): bool {
  if (now - load<u32>(neighbour, NB_SEEN_MS) < NB_REACHABLE_MS) return false;
  return (load<u32>(neighbour, NB_FLAGS) & NBF_STATIC) == 0;
}

/**
 * A stale neighbour is used: asks it by unicast, at most once a second. After three requests without an answer it is unknown again:
 * then false, and the packet has to wait for it like any other.
 */
export function confirmNeighbour(lc: usize, index: u32): bool {
  const neighbour: usize = neighbourAt(index);
  const now: u32 = nowMs(lc);
  const tries: u32 = atomic.load<u32>(neighbour + NB_TRIES);
  const asked: u32 = atomic.load<u32>(neighbour + NB_ASKED_MS);
  if (tries != 0 && now - asked < NB_RETRY_MS) return true;
  if (load<u32>(lc, LC_TRACING) != 0) return tries < NB_MAX_TRIES;
  if (tries >= NB_MAX_TRIES) {
    atomic.store<u64>(neighbour + NB_MAC, 0);
    atomic.store<u32>(neighbour + NB_TRIES, 0);
    return false;
  }
  const mac: u64 = load<u64>(neighbour, NB_MAC) & MAC_MASK;
  if (atomic.cmpxchg<u32>(neighbour + NB_ASKED_MS, asked, now) == asked) {
    atomic.store<u32>(neighbour + NB_TRIES, tries + 1);
    ask(lc, neighbour, mac);
  }
  return true;
}

/** The word to write before a packet that leaves now (NB_MAC), 0 when it has to wait: unknown, or silent for too long. May put a request into transmit's list. */
@inline
export function usableMac(lc: usize, index: u32, now: u32): u64 {
  const neighbour: usize = neighbourAt(index);
  const mac: u64 = load<u64>(neighbour, NB_MAC);
  if (mac == 0) return 0;
  if (isStale(neighbour, now)) {
    if (!confirmNeighbour(lc, index)) return 0;
  }
  return mac;
}
