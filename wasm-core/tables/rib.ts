/**
 * The RIB of a VRF: a path-compressed binary trie of its exact routes, the source that both lookup tables are built from.
 * Only the control instance reads and writes it; lcores never do.
 */
import { RIB, RIB_SIZE, VRF_RIB, VRF_SHIFT, VRFS } from '../layout';
import { addTo, W_RIB_FREE, W_RIB_FREE_COUNT, W_RIB_NEXT } from './writer';

export const RN_SIZE: usize = 24;
export const RN_PREFIX: usize = 0; // u32 host order, zero beyond the length
export const RN_NEXTHOP: usize = 4; // u32, 0 = a branch without a route of its own
export const RN_LEFT: usize = 8; // u32 address of the child whose next bit is 0, 0 = none
export const RN_RIGHT: usize = 12; // u32
export const RN_LENGTH: usize = 16; // u8 0..32
export const RN_FLAGS: usize = 17; // u8 RTF_*
export const RN_GENERATION: usize = 18; // u8

@inline
export function ribRoot(vrf: u32): usize {
  return load<u32>((vrf as usize) << VRF_SHIFT, VRFS + VRF_RIB) as usize;
}

/** Host-order mask of a prefix length. */
@inline
export function prefixMask(length: u32): u32 {
  return length == 0 ? 0 : (0xFFFFFFFF as u32) << (32 - length);
}

/** Address of the RIB node of the longest match, 0 = none. The address is a word in network order. */
export function ribLookup(vrf: u32, address: u32): usize {
  const key: u32 = bswap<u32>(address);
  let node: usize = ribRoot(vrf);
  let best: usize = 0;
  while (node != 0) {
    const length: u32 = load<u8>(node, RN_LENGTH);
    if (((key ^ load<u32>(node, RN_PREFIX)) & prefixMask(length)) != 0) break;
    if (load<u32>(node, RN_NEXTHOP) != 0) best = node;
    if (length == 32) break;
    node = load<u32>(node + ((((key << length) >> 31) as usize) << 2), RN_LEFT) as usize;
  }
  return best;
}

// ---- writing ---------------------------------------------------------------------------------------------------------------
const CAPACITY: u32 = (RIB_SIZE / RN_SIZE) as u32 - 1;

/** Nodes that can still be made; a route takes two at most. */
@inline
export function ribRoom(): u32 {
  return CAPACITY - load<u32>(W_RIB_NEXT) + load<u32>(W_RIB_FREE_COUNT);
}

/** The route of exactly this prefix (host order), 0 = none. */
export function ribFind(vrf: u32, prefix: u32, length: u32): usize {
  let node: usize = ribRoot(vrf);
  while (node != 0) {
    const nodeLength: u32 = load<u8>(node, RN_LENGTH);
    if (nodeLength > length) return 0;
    if (((prefix ^ load<u32>(node, RN_PREFIX)) & prefixMask(nodeLength)) != 0) return 0;
    if (nodeLength == length) return load<u32>(node, RN_NEXTHOP) != 0 ? node : 0;
    node = load<u32>(childLink(node, prefix, nodeLength)) as usize;
  }
  return 0;
}

/** The longest route that covers this prefix and is shorter, 0 = none. */
export function ribCover(vrf: u32, prefix: u32, length: u32): usize {
  let node: usize = ribRoot(vrf);
  let best: usize = 0;
  while (node != 0) {
    const nodeLength: u32 = load<u8>(node, RN_LENGTH);
    if (nodeLength >= length) break;
    if (((prefix ^ load<u32>(node, RN_PREFIX)) & prefixMask(nodeLength)) != 0) break;
    if (load<u32>(node, RN_NEXTHOP) != 0) best = node;
    node = load<u32>(childLink(node, prefix, nodeLength)) as usize;
  }
  return best;
}

/** The node of exactly this prefix, made if it is not there: without a next hop then, for the caller to set. */
export function ribInsert(vrf: u32, prefix: u32, length: u32): usize {
  let link: usize = rootLink(vrf);
  while (true) {
    const node: usize = load<u32>(link) as usize;
    if (node == 0) {
      const made: usize = takeNode(prefix, length);
      store<u32>(link, made as u32);
      return made;
    }
    const nodePrefix: u32 = load<u32>(node, RN_PREFIX);
    const nodeLength: u32 = load<u8>(node, RN_LENGTH);
    let common: u32 = clz<u32>(prefix ^ nodePrefix);
    if (common > length) common = length;
    if (common >= nodeLength) {
      if (nodeLength == length) return node;
      link = childLink(node, prefix, nodeLength);
      continue;
    }
    const made: usize = takeNode(prefix, length);
    if (common == length) {
      store<u32>(childLink(made, nodePrefix, length), node as u32);
      store<u32>(link, made as u32);
      return made;
    }
    const branch: usize = takeNode(prefix & prefixMask(common), common);
    store<u32>(childLink(branch, nodePrefix, common), node as u32);
    store<u32>(childLink(branch, prefix, common), made as u32);
    store<u32>(link, branch as u32);
    return made;
  }
}

/** Takes away the route of exactly this prefix, which is there, and branches that are of no more use. */
export function ribRemove(vrf: u32, prefix: u32, length: u32): void {
  let link: usize = rootLink(vrf);
  let parentLink: usize = 0;
  let node: usize = load<u32>(link) as usize;
  while (<u32>load<u8>(node, RN_LENGTH) != length) {
    parentLink = link;
    link = childLink(node, prefix, load<u8>(node, RN_LENGTH));
    node = load<u32>(link) as usize;
  }
  store<u32>(node, 0, RN_NEXTHOP);
  splice(link);
  if (parentLink != 0) splice(parentLink);
}

/** Takes the node that a link names out of the trie if it has no route and at most one child. */
function splice(link: usize): void {
  const node: usize = load<u32>(link) as usize;
  if (load<u32>(node, RN_NEXTHOP) != 0) return;
  const left: u32 = load<u32>(node, RN_LEFT);
  const right: u32 = load<u32>(node, RN_RIGHT);
  if (left != 0) {
    if (right != 0) return;
  }
  store<u32>(link, left | right);
  giveNode(node);
}

/** Gives back a node; its children are the caller's affair. */
export function giveNode(node: usize): void {
  store<u32>(node, load<u32>(W_RIB_FREE), RN_LEFT);
  store<u32>(node, 0, RN_NEXTHOP);
  store<u32>(W_RIB_FREE, node as u32);
  addTo(W_RIB_FREE_COUNT, 1);
}

@inline
function rootLink(vrf: u32): usize {
  return VRFS + VRF_RIB + ((vrf as usize) << VRF_SHIFT);
}

/** Where the node names its child on the way to `prefix`. */
@inline
function childLink(node: usize, prefix: u32, length: u32): usize {
  return node + RN_LEFT + ((((prefix << length) >> 31) as usize) << 2);
}

function takeNode(prefix: u32, length: u32): usize {
  let node: usize = load<u32>(W_RIB_FREE) as usize;
  if (node != 0) {
    store<u32>(W_RIB_FREE, load<u32>(node, RN_LEFT));
    addTo(W_RIB_FREE_COUNT, 0xFFFFFFFF);
  } else {
    const number: u32 = load<u32>(W_RIB_NEXT);
    store<u32>(W_RIB_NEXT, number + 1);
    node = RIB + ((number + 1) as usize) * RN_SIZE;
  }
  store<u32>(node, prefix, RN_PREFIX);
  store<u32>(node, 0, RN_NEXTHOP);
  store<u64>(node, 0, RN_LEFT);
  store<u32>(node, length, RN_LENGTH); // and no flags, no generation
  return node;
}
