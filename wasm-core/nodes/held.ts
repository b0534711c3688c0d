/**
 * The packets of an lcore that wait for a neighbour: HELD_CAPACITY entries of 32 bytes, oldest first. An entry keeps what a meta
 * record needs and the packet itself does not tell; the packet is translated, but has no headers before it yet.
 */
import {
  HELD_CAPACITY, HELD_SIZE, LC_HELD, LC_HELD_COUNT, M_DST, M_FLAGS, M_FRAME, M_IHL, M_L3, M_LENGTH, M_NH, M_PROTOCOL, M_RX_IF, M_SRC, M_TX_IF, M_VRF,
  MF_FRAGMENT, MF_HELD, MF_ORIGINATED, NB_HELD, NB_MAX_HELD, NH_INTERFACE,
} from '../layout';
import { update } from '../packet/checksum';
import { addressDelta, updateL4, wordDelta } from '../packet/checksum-l4';
import { swap16 } from '../packet/ethernet';
import { IPV4_CHECKSUM, IPV4_DESTINATION, IPV4_LENGTH, IPV4_PROTOCOL, IPV4_SOURCE, IPV4_TTL, l4ChecksumOffset } from '../packet/ipv4';
import { neighbourAt } from '../tables/neighbour';
import { nexthopAt } from '../tables/nexthop';
import { newMeta } from './graph';

const HE_FRAME: usize = 0; // u32 chunk
const HE_L3: usize = 4; // u32
const HE_NH: usize = 8; // u32
const HE_NEIGHBOUR: usize = 12; // u32 index
const HE_SRC: usize = 16; // u32 as it arrived
const HE_DST: usize = 20; // u32 as it arrived
const HE_VRF: usize = 24; // u16
const HE_FLAGS: usize = 26; // u16
const HE_RX_IF: usize = 28; // u16

@inline
export function heldAt(lc: usize, i: u32): usize {
  return lc + LC_HELD + (i as usize) * HELD_SIZE;
}

@inline
export function heldNeighbour(entry: usize): u32 {
  return load<u32>(entry, HE_NEIGHBOUR);
}

/** Room for one more packet that waits for this neighbour? */
@inline
export function heldHasRoom(lc: usize, neighbour: u32): bool {
  if (load<u32>(lc, LC_HELD_COUNT) >= HELD_CAPACITY) return false;
  return atomic.load<u32>(neighbourAt(neighbour) + NB_HELD) < NB_MAX_HELD;
}

/** Keeps the packet. Call heldHasRoom first. */
export function hold(lc: usize, meta: usize, neighbour: u32): void {
  const count: u32 = load<u32>(lc, LC_HELD_COUNT);
  const entry: usize = heldAt(lc, count);
  store<u32>(entry, load<u32>(meta, M_FRAME), HE_FRAME);
  store<u32>(entry, load<u32>(meta, M_L3), HE_L3);
  store<u32>(entry, load<u32>(meta, M_NH), HE_NH);
  store<u32>(entry, neighbour, HE_NEIGHBOUR);
  store<u32>(entry, load<u32>(meta, M_SRC), HE_SRC);
  store<u32>(entry, load<u32>(meta, M_DST), HE_DST);
  store<u16>(entry, load<u32>(meta, M_VRF) as u16, HE_VRF);
  store<u16>(entry, load<u16>(meta, M_FLAGS), HE_FLAGS);
  store<u16>(entry, load<u16>(meta, M_RX_IF), HE_RX_IF);
  atomic.add<u32>(neighbourAt(neighbour) + NB_HELD, 1);
  // At no moment in both places: an lcore may be ended anywhere, and reclaim gives back what its vector still has.
  store<u32>(meta, 0, M_FRAME);
  store<u32>(lc, count + 1, LC_HELD_COUNT);
}

/** False when the packet has left the entry: an lcore that was ended in the middle of a walk leaves such entries. */
@inline
export function isHeld(entry: usize): bool {
  return load<u32>(entry, HE_FRAME) != 0;
}

/** A meta record that takes the packet out of its entry, 0 when the vector has none left. The caller removes the entry. */
export function heldMeta(lc: usize, entry: usize): usize {
  const meta: usize = newMeta(lc);
  if (meta == 0) return 0;
  const l3: usize = load<u32>(entry, HE_L3) as usize;
  const nexthop: u32 = load<u32>(entry, HE_NH);
  store<u32>(meta, l3 as u32, M_L3);
  store<u16>(meta, swap16(load<u16>(l3, IPV4_LENGTH)) as u16, M_LENGTH);
  store<u8>(meta, ((<u32>load<u8>(l3) & 0x0F) << 2) as u8, M_IHL);
  store<u8>(meta, load<u8>(l3, IPV4_PROTOCOL), M_PROTOCOL);
  store<u16>(meta, load<u16>(entry, HE_RX_IF), M_RX_IF);
  store<u16>(meta, (<u32>load<u16>(entry, HE_FLAGS) | MF_HELD) as u16, M_FLAGS);
  store<u32>(meta, load<u16>(entry, HE_VRF), M_VRF);
  store<u32>(meta, load<u32>(entry, HE_SRC), M_SRC);
  store<u32>(meta, load<u32>(entry, HE_DST), M_DST);
  store<u32>(meta, nexthop, M_NH);
  store<u16>(meta, load<u16>(nexthopAt(nexthop), NH_INTERFACE), M_TX_IF);
  const frame: u32 = load<u32>(entry, HE_FRAME);
  store<u32>(entry, 0, HE_FRAME);
  store<u32>(meta, frame, M_FRAME);
  return meta;
}

/** One packet less waits for the neighbour; how many still do, over all lcores. */
@inline
export function unhold(neighbour: u32): u32 {
  return atomic.sub<u32>(neighbourAt(neighbour) + NB_HELD, 1) - 1;
}

function restoreL4(meta: usize, l3: usize, delta: u32): void {
  const protocol: u32 = load<u8>(meta, M_PROTOCOL);
  const field: u32 = l4ChecksumOffset(protocol);
  if (field == 0) return;
  const ihl: u32 = load<u8>(meta, M_IHL);
  if (ihl + field + 2 > <u32>load<u16>(meta, M_LENGTH)) return;
  const at: usize = l3 + ((ihl + field) as usize);
  store<u16>(at, updateL4(load<u16>(at), protocol, delta) as u16);
}

/**
 * Puts addresses, TTL and checksums back as they arrived, for an ICMP error that quotes the packet. No error is about a later
 * fragment or what the core made, so these stay as they are.
 */
export function restoreArrived(meta: usize): void {
  if ((<u32>load<u16>(meta, M_FLAGS) & (MF_ORIGINATED | MF_FRAGMENT)) != 0) return;
  const l3: usize = load<u32>(meta, M_L3) as usize;
  const source: u32 = load<u32>(l3, IPV4_SOURCE);
  const destination: u32 = load<u32>(l3, IPV4_DESTINATION);
  const arrivedSource: u32 = load<u32>(meta, M_SRC);
  const arrivedDestination: u32 = load<u32>(meta, M_DST);
  let delta: u32 = 0;
  if (source != arrivedSource) delta = addressDelta(source, arrivedSource);
  if (destination != arrivedDestination) delta += addressDelta(destination, arrivedDestination);
  if (delta != 0) {
    store<u32>(l3, arrivedSource, IPV4_SOURCE);
    store<u32>(l3, arrivedDestination, IPV4_DESTINATION);
    restoreL4(meta, l3, delta);
  }
  const ttl: u32 = load<u16>(l3, IPV4_TTL); // and protocol
  store<u16>(l3, (ttl + 1) as u16, IPV4_TTL);
  store<u16>(l3, update(load<u16>(l3, IPV4_CHECKSUM), delta + wordDelta(ttl, ttl + 1)) as u16, IPV4_CHECKSUM);
}
