/**
 * Next hops: the writer. A record is built aside, compared or copied, and made visible by one store of its first word.
 *
 * A next hop that something refers to (routes, labels, ECMP slots: NEXTHOP_REFS) keeps its content. One that nothing refers
 * to may be deleted or changed, but only after every lcore has passed, since packets of the vectors in flight may still bear its id.
 */
import {
  H_MAX_NEXTHOPS, HEADER, IF_FIP_DESTINATIONS, IF_MAC, IF_MTU, IF_NEXTHOPS, INTERFACE_SHIFT, INTERFACES, MAX_LABELS, MAX_NEIGHBOURS, MAX_NEXTHOPS, MAX_VRFS,
  MIN_LABEL, NB_FLAGS, NB_MAC, NBF_STATIC, NEXTHOP_REFS, NH_AUX, NH_CHECKSUM, NH_FLAGS, NH_INTERFACE, NH_KIND, NH_MTU, NH_NEIGHBOUR, NH_REMOTE,
  NH_TEMPLATE_ETHERNET, NH_TEMPLATE_GRE, NH_TEMPLATE_IPV4, NH_TEMPLATE_MPLS, NHF_EXTERNAL, NHF_FIP, NHF_MAC_GIVEN, NHF_MTU_GIVEN, NHK_DISCARD, NHK_ECMP,
  NHK_INTERFACE, NHK_RECEIVE, NHK_RESOLVE, NHK_TUNNEL_GRE, NHK_VRF,
} from '../layout';
import {
  NX_FLAGS, NX_GATEWAY, NX_ID, NX_INTERFACE, NX_KIND, NX_LOCAL, NX_MAC, NX_MTU, NX_REMOTE, NX_VALUE, RECORD_NEXTHOP, RESULT_IMMUTABLE, RESULT_IN_USE,
  RESULT_MALFORMED, RESULT_NO_INTERFACE, RESULT_NO_VRF, RESULT_NOT_FOUND, RESULT_OK, RESULT_OUT_OF_RANGE, RESULT_TABLE_FULL,
} from '../records';
import { ecmpCreate, ecmpDestroy, ecmpResize } from './ecmp';
import { collect, limboRoom, LIMBO_NEXTHOP, retire, waitReached } from './epoch';
import { interfaceAt, interfaceExists } from './interface';
import { neighbourAt } from './neighbour';
import { neighbourFix, neighbourPin, neighbourUnpin } from './neighbour-writer';
import { nexthopAt } from './nexthop';
import { vrfAddRef, vrfExists } from './vrf';
import { addTo, DRAFT, NEXTHOP_GENERATIONS, NEXTHOP_LINKS, stamp, stampNew, unstamp } from './writer';

/** Of an id that was deleted, while a packet in flight may bear it. */
const RETIRED: u32 = 0xFFFFFFFF;
const RECORD_SIZE: usize = 64;
const MIN_MTU: u32 = 68;
const TUNNEL_OVERHEAD: u32 = 28;
const MAX_ECMP_SLOTS: u32 = 256;
const MAC_MASK: u64 = 0x0000FFFFFFFFFFFF;

@inline
export function nexthopExists(id: u32): u32 {
  if (id == 0 || id >= MAX_NEXTHOPS) return 0;
  return <u32>load<u8>(nexthopAt(id), NH_KIND) != 0 ? 1 : 0;
}

@inline
export function nexthopAddRef(id: u32): void {
  addTo(NEXTHOP_REFS + ((id as usize) << 2), 1);
}

@inline
export function nexthopDropRef(id: u32): void {
  addTo(NEXTHOP_REFS + ((id as usize) << 2), 0xFFFFFFFF);
}

@inline
function refsOf(id: u32): u32 {
  return load<u32>((id as usize) << 2, NEXTHOP_REFS);
}

/** Writes one NX record; returns RESULT_*. */
export function nexthopApply(record: usize): u32 {
  const id: u32 = load<u32>(record, NX_ID);
  const limit: u32 = load<u32>(HEADER, H_MAX_NEXTHOPS);
  if (id == 0 || id >= MAX_NEXTHOPS) return RESULT_OUT_OF_RANGE;
  if (limit != 0) {
    if (id >= limit) return RESULT_OUT_OF_RANGE;
  }
  if (limboRoom() < 1024) return RESULT_TABLE_FULL;
  if (<u32>load<u8>(record, NX_KIND) == 0) return nexthopDelete(id);
  const problem: u32 = check(record);
  if (problem != RESULT_OK) return problem;
  if (refsOf(id) == RETIRED) {
    if (waitReached() == 0) return RESULT_IN_USE;
    collect();
    if (refsOf(id) == RETIRED) return RESULT_IN_USE;
  }
  const at: usize = nexthopAt(id);
  const former: u32 = load<u8>(at, NH_KIND);
  if (former == 0) return create(id, record);
  if (former == NHK_ECMP) {
    if (<u32>load<u8>(record, NX_KIND) == NHK_ECMP) {
      if ((<u32>load<u8>(record, NX_FLAGS) & NHF_EXTERNAL) == (<u32>load<u8>(at, NH_FLAGS) & NHF_EXTERNAL)) {
        const resized: u32 = ecmpResize(id, load<u32>(record, NX_VALUE));
        if (resized == RESULT_OK) stamp(RECORD_NEXTHOP, NEXTHOP_GENERATIONS + (id as usize));
        return resized;
      }
    }
  } else if (same(at, record) != 0) {
    stamp(RECORD_NEXTHOP, NEXTHOP_GENERATIONS + (id as usize));
    return RESULT_OK;
  }
  if (refsOf(id) != 0) return RESULT_IMMUTABLE;
  if (waitReached() == 0) return RESULT_IN_USE;
  release(id);
  memory.fill(at, 0, RECORD_SIZE);
  return create(id, record);
}

/** Limbo has let the id go. */
export function nexthopFree(id: u32): void {
  memory.fill(nexthopAt(id), 0, RECORD_SIZE);
  store<u32>((id as usize) << 2, 0, NEXTHOP_REFS);
}

/** Packs the record that makes this next hop. */
export function nexthopPack(id: u32, record: usize): void {
  const at: usize = nexthopAt(id);
  const kind: u32 = load<u8>(at, NH_KIND);
  const flags: u32 = load<u8>(at, NH_FLAGS);
  memory.fill(record, 0, 32);
  store<u32>(record, id, NX_ID);
  store<u8>(record, kind as u8, NX_KIND);
  store<u8>(record, (flags & NHF_EXTERNAL) as u8, NX_FLAGS);
  store<u16>(record, load<u16>(at, NH_INTERFACE), NX_INTERFACE);
  store<u32>(record, load<u32>(at, NH_REMOTE), NX_REMOTE);
  if (kind == NHK_ECMP) store<u32>(record, (load<u32>(at, NH_AUX) >> 24) + 1, NX_VALUE);
  else store<u32>(record, load<u32>(at, NH_AUX), NX_VALUE);
  if ((flags & NHF_MTU_GIVEN) != 0) store<u16>(record, load<u16>(at, NH_MTU), NX_MTU);
  const neighbour: u32 = load<u32>(at, NH_NEIGHBOUR);
  if (neighbour == MAX_NEIGHBOURS) return;
  if ((flags & NHF_MAC_GIVEN) != 0) {
    const mac: u64 = load<u64>(neighbourAt(neighbour), NB_MAC);
    store<u32>(record, mac as u32, NX_MAC);
    store<u16>(record, (mac >> 32) as u16, NX_MAC + 4);
  }
  if (kind == NHK_TUNNEL_GRE) {
    store<u32>(record, load<u32>(at, NH_TEMPLATE_IPV4 + 12), NX_LOCAL);
    const resolved: u32 = load<u32>(neighbourAt(neighbour)); // low word of the key
    if (resolved != load<u32>(at, NH_REMOTE)) store<u32>(record, resolved, NX_GATEWAY);
  }
}

/** The interface's MAC or MTU changed, or floating IPs came or went: its next hops follow. */
export function nexthopsFollow(iface: u32): void {
  const at: usize = interfaceAt(iface);
  let id: u32 = load<u32>(at, IF_NEXTHOPS);
  while (id != 0) {
    const record: usize = nexthopAt(id);
    const kind: u32 = load<u8>(record, NH_KIND);
    const flags: u32 = load<u8>(record, NH_FLAGS);
    if (kind == NHK_TUNNEL_GRE) writeSource(record, iface);
    if ((flags & NHF_MTU_GIVEN) == 0) store<u16>(record, ownMtu(iface, kind) as u16, NH_MTU);
    if (kind == NHK_INTERFACE) {
      const translated: u32 = load<u32>(at, IF_FIP_DESTINATIONS) != 0 ? NHF_FIP : 0;
      store<u8>(record, ((flags & ~NHF_FIP) | translated) as u8, NH_FLAGS);
    }
    id = load<u32>(NEXTHOP_LINKS + ((id as usize) << 3), 4);
  }
}

// ---- validation ------------------------------------------------------------------------------------------------------------
@inline
function macOf(record: usize): u64 {
  return (load<u32>(record, NX_MAC) as u64) | ((load<u16>(record, NX_MAC + 4) as u64) << 32);
}

@inline
function hasInterface(kind: u32): u32 {
  return kind == NHK_INTERFACE || kind == NHK_RESOLVE || kind == NHK_TUNNEL_GRE ? 1 : 0;
}

function check(record: usize): u32 {
  const kind: u32 = load<u8>(record, NX_KIND);
  const value: u32 = load<u32>(record, NX_VALUE);
  if ((<u32>load<u8>(record, NX_FLAGS) & ~(NHF_EXTERNAL | NHF_FIP)) != 0) return RESULT_MALFORMED;
  if (hasInterface(kind) != 0) {
    const iface: u32 = load<u16>(record, NX_INTERFACE);
    if (interfaceExists(iface) == 0) return RESULT_NO_INTERFACE;
    const mtu: u32 = load<u16>(record, NX_MTU);
    if ((mtu != 0 ? mtu : ownMtu(iface, kind)) < MIN_MTU) return RESULT_OUT_OF_RANGE;
    const mac: u64 = macOf(record);
    if ((mac & 1) != 0) return RESULT_MALFORMED; // a group address
    if (kind == NHK_INTERFACE) return mac == 0 && load<u32>(record, NX_REMOTE) == 0 ? RESULT_MALFORMED : RESULT_OK;
    if (kind == NHK_RESOLVE) return mac != 0 ? RESULT_MALFORMED : RESULT_OK;
    if (load<u32>(record, NX_REMOTE) == 0 || load<u32>(record, NX_LOCAL) == 0) return RESULT_MALFORMED;
    return value < MIN_LABEL || value >= MAX_LABELS ? RESULT_OUT_OF_RANGE : RESULT_OK;
  }
  if (kind == NHK_ECMP) return value == 0 || value > MAX_ECMP_SLOTS ? RESULT_OUT_OF_RANGE : RESULT_OK;
  if (kind == NHK_VRF) return value < MAX_VRFS && vrfExists(value) != 0 ? RESULT_OK : RESULT_NO_VRF;
  return kind == NHK_DISCARD || kind == NHK_RECEIVE ? RESULT_OK : RESULT_MALFORMED;
}

/** Whether a live next hop (not ECMP) is what the record says. */
function same(at: usize, record: usize): u32 {
  // Bring the record into the form that a dump of the live one has: what its kind does not use is zero.
  const dumped: usize = DRAFT;
  const wanted: usize = DRAFT + 32;
  nexthopPack(load<u32>(record, NX_ID), dumped);
  memory.copy(wanted, record, 32);
  const kind: u32 = load<u8>(record, NX_KIND);
  store<u8>(wanted, (<u32>load<u8>(record, NX_FLAGS) & NHF_EXTERNAL) as u8, NX_FLAGS);
  if (hasInterface(kind) == 0) {
    store<u16>(wanted, 0, NX_INTERFACE);
    store<u64>(wanted, 0, NX_REMOTE);
    store<u64>(wanted, 0, NX_MAC);
  }
  if (kind != NHK_TUNNEL_GRE) {
    store<u32>(wanted, 0, NX_LOCAL);
    store<u32>(wanted, 0, NX_GATEWAY);
    if (kind != NHK_VRF) store<u32>(wanted, 0, NX_VALUE);
  } else if (load<u32>(wanted, NX_GATEWAY) == load<u32>(wanted, NX_REMOTE)) {
    store<u32>(wanted, 0, NX_GATEWAY);
  }
  if (kind == NHK_RESOLVE) store<u32>(wanted, 0, NX_REMOTE);
  for (let i: usize = 0; i < 32; i += 8) {
    if (load<u64>(dumped + i) != load<u64>(wanted + i)) return 0;
  }
  return 1;
}

// ---- making and unmaking -----------------------------------------------------------------------------------------------------
function ownMtu(iface: u32, kind: u32): u32 {
  const mtu: u32 = load<u16>(interfaceAt(iface), IF_MTU);
  if (kind != NHK_TUNNEL_GRE) return mtu;
  return mtu > TUNNEL_OVERHEAD ? mtu - TUNNEL_OVERHEAD : 0;
}

function create(id: u32, record: usize): u32 {
  const draft: usize = DRAFT;
  const kind: u32 = load<u8>(record, NX_KIND);
  let flags: u32 = <u32>load<u8>(record, NX_FLAGS) & NHF_EXTERNAL;
  memory.fill(draft, 0, RECORD_SIZE);
  store<u32>(draft, MAX_NEIGHBOURS, NH_NEIGHBOUR);
  if (hasInterface(kind) != 0) {
    const iface: u32 = load<u16>(record, NX_INTERFACE);
    const remote: u32 = kind == NHK_RESOLVE ? 0 : load<u32>(record, NX_REMOTE);
    store<u16>(draft, iface as u16, NH_INTERFACE);
    store<u32>(draft, remote, NH_REMOTE);
    let mtu: u32 = load<u16>(record, NX_MTU);
    if (mtu != 0) flags |= NHF_MTU_GIVEN;
    else mtu = ownMtu(iface, kind);
    store<u16>(draft, mtu as u16, NH_MTU);
    if (kind == NHK_INTERFACE) {
      if (load<u32>(interfaceAt(iface), IF_FIP_DESTINATIONS) != 0) flags |= NHF_FIP;
    }
    if (kind != NHK_RESOLVE) {
      const gateway: u32 = kind == NHK_TUNNEL_GRE ? load<u32>(record, NX_GATEWAY) : 0;
      const neighbour: u32 = neighbourPin(iface, gateway != 0 ? gateway : remote);
      if (neighbour == MAX_NEIGHBOURS) return RESULT_TABLE_FULL;
      store<u32>(draft, neighbour, NH_NEIGHBOUR);
      if (macOf(record) != 0) {
        flags |= NHF_MAC_GIVEN;
        neighbourFix(iface, neighbour, macOf(record));
      }
    }
    if (kind == NHK_TUNNEL_GRE) writeTemplate(draft, record);
    linkToInterface(id, iface);
  } else if (kind == NHK_VRF) {
    store<u32>(draft, load<u32>(record, NX_VALUE), NH_AUX);
    vrfAddRef(load<u32>(record, NX_VALUE), 1);
  } else if (kind == NHK_ECMP) {
    const aux: u32 = ecmpCreate(load<u32>(record, NX_VALUE));
    if (aux == 0xFFFFFFFF) return RESULT_TABLE_FULL;
    store<u32>(draft, aux, NH_AUX);
  }
  const at: usize = nexthopAt(id);
  memory.copy(at + 4, draft + 4, RECORD_SIZE - 4);
  atomic.store<u32>(at, kind | (flags << 8) | ((load<u16>(draft, NH_INTERFACE) as u32) << 16));
  stampNew(RECORD_NEXTHOP, NEXTHOP_GENERATIONS + (id as usize));
  return RESULT_OK;
}

/** Ethernet, outer IPv4, GRE (RFC 2784) and MPLS (RFC 4023) as constant bytes, and the sum of the outer header's words. */
function writeTemplate(draft: usize, record: usize): void {
  writeSource(draft, load<u16>(record, NX_INTERFACE));
  store<u16>(draft, 0x0008, NH_TEMPLATE_ETHERNET + 12); // EtherType 0x0800
  store<u32>(draft, 0x00000045, NH_TEMPLATE_IPV4); // version 4, IHL 5
  store<u32>(draft, 0x00400000, NH_TEMPLATE_IPV4 + 4); // identification 0, don't fragment
  store<u32>(draft, 0x00002F40, NH_TEMPLATE_IPV4 + 8); // TTL 64, protocol 47
  store<u32>(draft, load<u32>(record, NX_LOCAL), NH_TEMPLATE_IPV4 + 12);
  store<u32>(draft, load<u32>(record, NX_REMOTE), NH_TEMPLATE_IPV4 + 16);
  store<u32>(draft, 0x47880000, NH_TEMPLATE_GRE); // no flags, MPLS unicast
  const label: u32 = load<u32>(record, NX_VALUE);
  store<u32>(draft, bswap<u32>((label << 12) | 0x140), NH_TEMPLATE_MPLS); // bottom of stack, TTL 64
  let sum: u32 = 0;
  for (let i: usize = 0; i < 20; i += 2) sum += load<u16>(draft + NH_TEMPLATE_IPV4 + i) as u32;
  store<u32>(draft, sum, NH_CHECKSUM);
  store<u32>(draft, label, NH_AUX);
}

function writeSource(record: usize, iface: u32): void {
  const at: usize = interfaceAt(iface);
  store<u32>(record, load<u32>(at, IF_MAC), NH_TEMPLATE_ETHERNET + 6);
  store<u16>(record, load<u16>(at, IF_MAC + 4), NH_TEMPLATE_ETHERNET + 10);
}

function nexthopDelete(id: u32): u32 {
  if (nexthopExists(id) == 0) return RESULT_NOT_FOUND;
  if (refsOf(id) != 0) return RESULT_IN_USE;
  release(id);
  atomic.store<u8>(nexthopAt(id) + NH_KIND, 0);
  store<u32>((id as usize) << 2, RETIRED, NEXTHOP_REFS);
  retire(LIMBO_NEXTHOP, id, RECORD_SIZE as u32);
  return RESULT_OK;
}

/** Drops what the next hop refers to. */
function release(id: u32): void {
  const at: usize = nexthopAt(id);
  const kind: u32 = load<u8>(at, NH_KIND);
  if (kind == NHK_ECMP) ecmpDestroy(id);
  if (kind == NHK_VRF) vrfAddRef(load<u32>(at, NH_AUX), 0xFFFFFFFF);
  if (hasInterface(kind) != 0) unlinkFromInterface(id, load<u16>(at, NH_INTERFACE));
  const neighbour: u32 = load<u32>(at, NH_NEIGHBOUR);
  if (neighbour != MAX_NEIGHBOURS) neighbourUnpin(neighbour);
  unstamp(RECORD_NEXTHOP, NEXTHOP_GENERATIONS + (id as usize));
}

function linkToInterface(id: u32, iface: u32): void {
  const head: usize = interfaceAt(iface) + IF_NEXTHOPS;
  const first: u32 = load<u32>(head);
  const links: usize = NEXTHOP_LINKS + ((id as usize) << 3);
  store<u32>(links, 0);
  store<u32>(links, first, 4);
  if (first != 0) store<u32>(NEXTHOP_LINKS + ((first as usize) << 3), id);
  store<u32>(head, id);
}

function unlinkFromInterface(id: u32, iface: u32): void {
  const links: usize = NEXTHOP_LINKS + ((id as usize) << 3);
  const previous: u32 = load<u32>(links);
  const next: u32 = load<u32>(links, 4);
  if (previous != 0) store<u32>(NEXTHOP_LINKS + ((previous as usize) << 3), next, 4);
  else store<u32>(interfaceAt(iface), next, IF_NEXTHOPS);
  if (next != 0) store<u32>(NEXTHOP_LINKS + ((next as usize) << 3), previous);
}
