/** Interfaces: the writer. Transmit queues and counts of what refers to an interface stay as they are when its record is written again. */
import {
  H_MAX_INTERFACES, HEADER, IF_ADDRESS, IF_FIP_DESTINATIONS, IF_FIP_SOURCES, IF_FIPS, IF_FLAGS, IF_GENERATION, IF_KIND, IF_MAC, IF_MASK, IF_MTU, IF_NEXTHOPS,
  IF_PARENT, IF_VLAN, IF_VLAN_FIRST, IF_VLAN_NEXT, IF_VRF, IF_WORKLOAD, IFF_FIP_DESTINATION, IFF_FIP_SOURCE, IFF_PROXY_ARP, IFF_RPF, IFF_SOURCE_CHECK, IFF_UP,
  IFK_EXTERNAL, INTERFACE_SHIFT, INTERFACES, MAX_INTERFACES, MAX_VRFS,
} from '../layout';
import {
  IX_ADDRESS, IX_FLAGS, IX_ID, IX_KIND, IX_MAC, IX_MASK, IX_MTU, IX_PARENT, IX_VLAN, IX_VRF, IX_WORKLOAD, RECORD_INTERFACE, RESULT_DUPLICATE, RESULT_IN_USE,
  RESULT_MALFORMED, RESULT_NO_INTERFACE, RESULT_NO_VRF, RESULT_NOT_FOUND, RESULT_OK, RESULT_OUT_OF_RANGE,
} from '../records';
import { neighboursFollow, neighboursForget } from './neighbour-writer';
import { nexthopsFollow } from './nexthop-writer';
import { vrfAddRef, vrfExists } from './vrf';
import { addTo, stamp, stampNew, unstamp } from './writer';

const MIN_MTU: u32 = 68;
const MAX_VLAN: u32 = 4094;
const OWN_FLAGS: u32 = IFF_FIP_SOURCE | IFF_FIP_DESTINATION;
const GIVEN_FLAGS: u32 = IFF_UP | IFF_SOURCE_CHECK | IFF_PROXY_ARP | IFF_RPF;

@inline
export function interfaceAt(id: u32): usize {
  return INTERFACES + ((id as usize) << INTERFACE_SHIFT);
}

@inline
export function interfaceExists(id: u32): u32 {
  if (id == 0 || id >= MAX_INTERFACES) return 0;
  return <u32>load<u8>(interfaceAt(id), IF_KIND) != 0 ? 1 : 0;
}

/** Writes one IX record; returns RESULT_*. */
export function interfaceApply(record: usize): u32 {
  const id: u32 = load<u32>(record, IX_ID);
  const limit: u32 = load<u32>(HEADER, H_MAX_INTERFACES);
  if (id == 0 || id >= MAX_INTERFACES) return RESULT_OUT_OF_RANGE;
  if (limit != 0) {
    if (id >= limit) return RESULT_OUT_OF_RANGE;
  }
  if (<u32>load<u8>(record, IX_KIND) == 0) return remove(id);
  const problem: u32 = check(id, record);
  if (problem != RESULT_OK) return problem;

  const at: usize = interfaceAt(id);
  const fresh: u32 = interfaceExists(id) == 0 ? 1 : 0;
  const vrf: u32 = load<u32>(record, IX_VRF);
  vrfAddRef(vrf, 1);
  if (fresh == 0) vrfAddRef(load<u32>(at, IF_VRF), 0xFFFFFFFF);
  const sameMac: u32 = load<u32>(at, IF_MAC) == load<u32>(record, IX_MAC) && load<u16>(at, IF_MAC + 4) == load<u16>(record, IX_MAC + 4) ? 1 : 0;
  const sameMtu: u32 = load<u16>(at, IF_MTU) == load<u16>(record, IX_MTU) ? 1 : 0;

  store<u32>(at, vrf, IF_VRF);
  store<u32>(at, load<u32>(record, IX_MAC), IF_MAC);
  store<u16>(at, load<u16>(record, IX_MAC + 4), IF_MAC + 4);
  store<u16>(at, load<u16>(record, IX_MTU), IF_MTU);
  store<u32>(at, load<u32>(record, IX_ADDRESS), IF_ADDRESS);
  store<u32>(at, load<u32>(record, IX_MASK), IF_MASK);
  store<u32>(at, load<u32>(record, IX_WORKLOAD), IF_WORKLOAD);
  moveToParent(id, load<u16>(record, IX_PARENT), load<u16>(record, IX_VLAN));
  const own: u32 = <u32>load<u8>(at, IF_FLAGS) & OWN_FLAGS;
  atomic.store<u8>(at + IF_FLAGS, ((<u32>load<u8>(record, IX_FLAGS)) | own) as u8);
  atomic.store<u8>(at + IF_KIND, load<u8>(record, IX_KIND));
  if (fresh != 0) {
    stampNew(RECORD_INTERFACE, at + IF_GENERATION);
    return RESULT_OK;
  }
  stamp(RECORD_INTERFACE, at + IF_GENERATION);
  if (sameMac == 0) neighboursFollow(id);
  if (sameMac == 0 || sameMtu == 0) nexthopsFollow(id);
  return RESULT_OK;
}

/** A floating IP came to the interface (amount 1) or left it (-1): its counts, flags and next hops follow. */
export function interfaceCountFip(id: u32, source: u32, destination: u32, amount: u32): void {
  const at: usize = interfaceAt(id);
  addTo(at + IF_FIPS, amount);
  if (source != 0) addTo(at + IF_FIP_SOURCES, amount);
  if (destination != 0) addTo(at + IF_FIP_DESTINATIONS, amount);
  let flags: u32 = <u32>load<u8>(at, IF_FLAGS) & ~OWN_FLAGS;
  if (load<u32>(at, IF_FIP_SOURCES) != 0) flags |= IFF_FIP_SOURCE;
  if (load<u32>(at, IF_FIP_DESTINATIONS) != 0) flags |= IFF_FIP_DESTINATION;
  const former: u32 = load<u8>(at, IF_FLAGS);
  if (flags == former) return;
  atomic.store<u8>(at + IF_FLAGS, flags as u8);
  if (((flags ^ former) & IFF_FIP_DESTINATION) != 0) nexthopsFollow(id);
}

/** Packs the record that makes this interface. */
export function interfacePack(id: u32, record: usize): void {
  const at: usize = interfaceAt(id);
  memory.fill(record, 0, 40);
  store<u32>(record, id, IX_ID);
  store<u8>(record, load<u8>(at, IF_KIND), IX_KIND);
  store<u8>(record, (<u32>load<u8>(at, IF_FLAGS) & GIVEN_FLAGS) as u8, IX_FLAGS);
  store<u16>(record, load<u16>(at, IF_VLAN), IX_VLAN);
  store<u32>(record, load<u32>(at, IF_VRF), IX_VRF);
  store<u32>(record, load<u32>(at, IF_MAC), IX_MAC);
  store<u16>(record, load<u16>(at, IF_MAC + 4), IX_MAC + 4);
  store<u16>(record, load<u16>(at, IF_MTU), IX_MTU);
  store<u32>(record, load<u32>(at, IF_ADDRESS), IX_ADDRESS);
  store<u32>(record, load<u32>(at, IF_MASK), IX_MASK);
  store<u32>(record, load<u32>(at, IF_WORKLOAD), IX_WORKLOAD);
  store<u16>(record, load<u16>(at, IF_PARENT), IX_PARENT);
}

function check(id: u32, record: usize): u32 {
  const vrf: u32 = load<u32>(record, IX_VRF);
  if (<u32>load<u8>(record, IX_KIND) > IFK_EXTERNAL) return RESULT_MALFORMED;
  if ((<u32>load<u8>(record, IX_FLAGS) & ~GIVEN_FLAGS) != 0) return RESULT_MALFORMED;
  if (vrf >= MAX_VRFS) return RESULT_NO_VRF;
  if (vrfExists(vrf) == 0) return RESULT_NO_VRF;
  if (load<u32>(record, IX_MAC) == 0 && load<u16>(record, IX_MAC + 4) == 0) return RESULT_MALFORMED;
  if ((load<u32>(record, IX_MAC) & 1) != 0) return RESULT_MALFORMED; // a group address
  if (<u32>load<u16>(record, IX_MTU) < MIN_MTU) return RESULT_OUT_OF_RANGE;
  const mask: u32 = bswap<u32>(load<u32>(record, IX_MASK));
  if ((~mask & (~mask + 1)) != 0) return RESULT_MALFORMED; // its ones are not on the left
  const vlan: u32 = load<u16>(record, IX_VLAN);
  const parent: u32 = load<u16>(record, IX_PARENT);
  if (parent == 0) return vlan == 0 ? RESULT_OK : RESULT_NO_INTERFACE;
  if (vlan == 0 || vlan > MAX_VLAN) return RESULT_OUT_OF_RANGE;
  if (parent == id || interfaceExists(parent) == 0) return RESULT_NO_INTERFACE;
  if (<u32>load<u16>(interfaceAt(parent), IF_PARENT) != 0) return RESULT_NO_INTERFACE; // a tag in a tag
  if (<u32>load<u16>(interfaceAt(id), IF_VLAN_FIRST) != 0) return RESULT_IN_USE; // has sub-interfaces itself
  let sibling: u32 = load<u16>(interfaceAt(parent), IF_VLAN_FIRST);
  while (sibling != 0) {
    if (sibling != id) {
      if (<u32>load<u16>(interfaceAt(sibling), IF_VLAN) == vlan) return RESULT_DUPLICATE;
    }
    sibling = load<u16>(interfaceAt(sibling), IF_VLAN_NEXT);
  }
  return RESULT_OK;
}

/** Puts the interface under another parent (0 = none), or changes its VLAN id. */
function moveToParent(id: u32, parent: u32, vlan: u32): void {
  const at: usize = interfaceAt(id);
  const former: u32 = load<u16>(at, IF_PARENT);
  if (former == parent) {
    store<u16>(at, vlan as u16, IF_VLAN);
    return;
  }
  if (former != 0) {
    let link: usize = interfaceAt(former) + IF_VLAN_FIRST;
    while (<u32>load<u16>(link) != id) link = interfaceAt(load<u16>(link)) + IF_VLAN_NEXT;
    atomic.store<u16>(link, load<u16>(at, IF_VLAN_NEXT));
  }
  store<u16>(at, vlan as u16, IF_VLAN);
  store<u16>(at, parent as u16, IF_PARENT);
  if (parent != 0) {
    store<u16>(at, load<u16>(interfaceAt(parent), IF_VLAN_FIRST), IF_VLAN_NEXT);
    atomic.store<u16>(interfaceAt(parent) + IF_VLAN_FIRST, id as u16);
  }
}

function remove(id: u32): u32 {
  const at: usize = interfaceAt(id);
  if (interfaceExists(id) == 0) return RESULT_NOT_FOUND;
  if (load<u32>(at, IF_NEXTHOPS) != 0) return RESULT_IN_USE;
  if (load<u32>(at, IF_FIPS) != 0) return RESULT_IN_USE;
  if (<u32>load<u16>(at, IF_VLAN_FIRST) != 0) return RESULT_IN_USE;
  atomic.store<u16>(at + IF_KIND, 0); // and its flags
  moveToParent(id, 0, 0);
  vrfAddRef(load<u32>(at, IF_VRF), 0xFFFFFFFF);
  neighboursForget(id);
  unstamp(RECORD_INTERFACE, at + IF_GENERATION);
  return RESULT_OK;
}
