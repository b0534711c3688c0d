/**
 * Poptrie (Asai and Ohara, SIGCOMM 2015): the writer. lpm.ts has the reader and the node's fields.
 *
 * A direct table of 2^s words, indexed by the first s bits of the address, holds leaves and addresses of nodes; each node
 * consumes six bits more. What hangs below one direct entry ("slot") is only ever replaced as a whole, by one store, and
 * built afresh from the RIB; but a route of at most s bits only overwrites leaves in place, one store each: within its
 * range, every leaf that bears a shorter or equal length belongs to the one route that it covers or replaces.
 *
 * A node's children and leaves lie in one block: children first, then leaves.
 */
import { LEAF_LENGTH_SHIFT, POPTRIE_LEAF } from '../layout';
import { heapBlockSize, heapClass, heapClassSize, heapGive, heapGiveRun, heapRunPages, heapTake, heapTakeRun } from './heap';
import { DEPTH_MASK, PN_BYTES, PN_LEAF_BASE, PN_LEAF_VECTOR, PN_NODE_BASE, PN_VECTOR } from './lpm';
import { prefixMask, RN_LEFT, RN_LENGTH, RN_NEXTHOP, RN_PREFIX, RN_RIGHT } from './rib';
import { addTo, fence, STRIDES, W_BUILD_BYTES, W_PAGES_FREE } from './writer';

const NODE_SIZE: u32 = 32;
const STRIDE: u32 = 6;
const SUBTREES: usize = 256; // in a level of STRIDES: leaves first, then the RIB nodes below
const HEAP_PAGE_SHIFT: u32 = 16;
/** With so many free pages one slot can always be built: 18 bits at most below a full slot, and one page per class. */
export const HEAP_RESERVE: u32 = 160;

/** The word that a route puts into the table. */
@inline
export function leafOf(route: usize): u32 {
  return ((<u32>load<u8>(route, RN_LENGTH) + 1) << LEAF_LENGTH_SHIFT) | load<u32>(route, RN_NEXTHOP);
}

@inline
function leafLength(leaf: u32): u32 {
  return (leaf >> LEAF_LENGTH_SHIFT) & DEPTH_MASK;
}

/**
 * Builds the whole table of a RIB with a direct table of 2^bits words.
 * Returns its address and leaves its size in W_BUILD_BYTES; 0 when the heap is too full (nothing is kept then).
 */
export function poptrieBuild(root: usize, bits: u32): usize {
  const size: u32 = (4 as u32) << bits;
  const table: usize = (size >> HEAP_PAGE_SHIFT) == 0 ? heapTake(heapClass(size, 1)) : heapTakeRun(size >> HEAP_PAGE_SHIFT);
  if (table == 0) return 0;
  fillWords(table, (1 as u32) << bits, POPTRIE_LEAF);
  store<u32>(W_BUILD_BYTES, size);
  if (root != 0) {
    if (buildSlots(table, root, bits) == 0) {
      poptrieFree(table);
      return 0;
    }
  }
  return table;
}

/** Builds the slot from the RIB and publishes it; the former first node is left in the result (0 = it was a leaf). */
export function poptrieRebuildSlot(table: usize, root: usize, bits: u32, slot: u32): usize {
  const entry: usize = table + ((slot as usize) << 2);
  const former: u32 = load<u32>(entry);
  const key: u32 = slot << (32 - bits);
  let leaf: u32 = 0;
  let route: usize = root;
  while (route != 0) {
    const length: u32 = load<u8>(route, RN_LENGTH);
    const differs: u32 = key ^ load<u32>(route, RN_PREFIX);
    if (length >= bits) {
      if ((differs & prefixMask(bits)) != 0) route = 0;
      break;
    }
    if ((differs & prefixMask(length)) != 0) {
      route = 0;
      break;
    }
    if (load<u32>(route, RN_NEXTHOP) != 0) leaf = leafOf(route);
    route = load<u32>(route + ((((key << length) >> 31) as usize) << 2), RN_LEFT) as usize;
  }
  store<u32>(W_BUILD_BYTES, 0);
  if (route != 0) {
    if (endsAt(route, bits) != 0) {
      leaf = leafOf(route);
      route = 0;
    }
  }
  atomic.store<u32>(entry, route == 0 ? POPTRIE_LEAF | leaf : buildSlot(route, bits, leaf) as u32);
  return (former as i32) < 0 ? 0 : former as usize;
}

/** Overwrites the leaves in the range of prefix/length (length <= bits) that a longer route does not cover. */
export function poptriePatch(table: usize, bits: u32, prefix: u32, length: u32, leaf: u32): void {
  fence(); // what the leaf leads to comes before the leaf
  let entry: usize = table + (((prefix >> (32 - bits)) as usize) << 2);
  const end: usize = entry + ((4 as usize) << ((bits - length) as usize));
  for (; entry != end; entry += 4) {
    const word: u32 = load<u32>(entry);
    if ((word as i32) < 0) {
      if (leafLength(word) <= length + 1) store<u32>(entry, POPTRIE_LEAF | leaf);
    } else {
      patchNode(word as usize, length, leaf);
    }
  }
}

/** Gives back a whole table. */
export function poptrieFree(table: usize): void {
  const pages: u32 = heapRunPages(table);
  const size: u32 = pages != 0 ? pages << HEAP_PAGE_SHIFT : heapBlockSize(table);
  const end: usize = table + (size as usize);
  for (let entry: usize = table; entry != end; entry += 4) {
    const word: u32 = load<u32>(entry);
    if ((word as i32) > 0) poptrieFreeSlot(word as usize);
  }
  if (pages != 0) heapGiveRun(table);
  else heapGive(table);
}

/** Gives back what hangs below a slot, its first node included. */
export function poptrieFreeSlot(node: usize): void {
  freeBelow(node);
  heapGive(node);
}

// ---- building ------------------------------------------------------------------------------------------------------------
/** 1 when the RIB node is a route of exactly this length with nothing below it. */
@inline
function endsAt(route: usize, length: u32): u32 {
  if (<u32>load<u8>(route, RN_LENGTH) != length) return 0;
  return load<u32>(route, RN_LEFT) == 0 && load<u32>(route, RN_RIGHT) == 0 ? 1 : 0;
}

@inline
function fillWords(at: usize, count: u32, word: u32): void {
  const end: usize = at + ((count as usize) << 2);
  for (let entry: usize = at; entry != end; entry += 4) store<u32>(entry, word);
}

/** Fills the direct table from the RIB below `route`, the shorter before the longer; 0 when the heap is too full. */
function buildSlots(table: usize, route: usize, bits: u32): u32 {
  const length: u32 = load<u8>(route, RN_LENGTH);
  const entry: usize = table + (((load<u32>(route, RN_PREFIX) >> (32 - bits)) as usize) << 2);
  if (length <= bits) {
    if (load<u32>(route, RN_NEXTHOP) != 0) fillWords(entry, (1 as u32) << (bits - length), POPTRIE_LEAF | leafOf(route));
  }
  if (length < bits) {
    const left: usize = load<u32>(route, RN_LEFT) as usize;
    const right: usize = load<u32>(route, RN_RIGHT) as usize;
    if (left != 0) {
      if (buildSlots(table, left, bits) == 0) return 0;
    }
    if (right != 0) {
      if (buildSlots(table, right, bits) == 0) return 0;
    }
    return 1;
  }
  if (endsAt(route, bits) != 0) return 1;
  if (load<u32>(W_PAGES_FREE) < HEAP_RESERVE) return 0;
  store<u32>(entry, buildSlot(route, bits, load<u32>(entry) & ~POPTRIE_LEAF) as u32);
  return 1;
}

/** First node of a slot, with all below it. */
function buildSlot(route: usize, bits: u32, inherited: u32): usize {
  const node: usize = heapTake(heapClass(NODE_SIZE, 1));
  const bytes: u32 = buildNode(node, route, bits, inherited, 0) + NODE_SIZE;
  store<u32>(node, bytes, PN_BYTES);
  addTo(W_BUILD_BYTES, bytes);
  return node;
}

/**
 * Writes the node that consumes the six bits from `depth` on: `route` is the RIB node that covers all routes in it,
 * `inherited` the leaf of what is shorter. Returns the bytes of its blocks and of all below.
 */
function buildNode(node: usize, route: usize, depth: u32, inherited: u32, level: u32): u32 {
  const stride: usize = STRIDES + ((level as usize) << 9);
  fillWords(stride, 64, inherited);
  memory.fill(stride + SUBTREES, 0, 256);
  spread(stride, route, depth);

  let vector: u64 = 0;
  let leafVector: u64 = 0;
  let leaf: u32 = 0;
  for (let v: u32 = 0; v < 64; v++) {
    const at: usize = stride + ((v as usize) << 2);
    if (load<u32>(at, SUBTREES) != 0) {
      vector |= (1 as u64) << (v as u64);
    } else {
      const word: u32 = load<u32>(at);
      if (leafVector == 0 || word != leaf) leafVector |= (1 as u64) << (v as u64);
      leaf = word;
    }
  }
  const children: u32 = popcnt<u64>(vector) as u32;
  const leaves: u32 = popcnt<u64>(leafVector) as u32;
  const blockClass: u32 = heapClass(children * NODE_SIZE + (leaves << 2), children);
  const block: usize = heapTake(blockClass);
  let leafAt: usize = block + ((children * NODE_SIZE) as usize);
  store<u64>(node, vector, PN_VECTOR);
  store<u64>(node, leafVector, PN_LEAF_VECTOR);
  store<u32>(node, (leafAt - 4) as u32, PN_LEAF_BASE);
  store<u32>(node, (block as u32) - NODE_SIZE, PN_NODE_BASE);
  store<u64>(node, 0, PN_BYTES);
  for (let rest: u64 = leafVector; rest != 0; rest &= rest - 1) {
    store<u32>(leafAt, load<u32>(stride + ((ctz<u64>(rest) as usize) << 2)));
    leafAt += 4;
  }
  let bytes: u32 = heapClassSize(blockClass);
  let child: usize = block;
  for (let rest: u64 = vector; rest != 0; rest &= rest - 1) {
    const at: usize = stride + ((ctz<u64>(rest) as usize) << 2);
    bytes += buildNode(child, load<u32>(at, SUBTREES) as usize, depth + STRIDE, load<u32>(at), level + 1);
    child += NODE_SIZE as usize;
  }
  return bytes;
}

/** Writes the routes that end in this stride over it, the shorter before the longer, and notes what lies below. */
function spread(stride: usize, route: usize, depth: u32): void {
  const length: u32 = load<u8>(route, RN_LENGTH);
  const at: usize = stride + ((((load<u32>(route, RN_PREFIX) << depth) >> 26) as usize) << 2);
  if (length > depth + STRIDE) {
    store<u32>(at, route as u32, SUBTREES);
    return;
  }
  if (load<u32>(route, RN_NEXTHOP) != 0) fillWords(at, (1 as u32) << (depth + STRIDE - length), leafOf(route));
  const left: u32 = load<u32>(route, RN_LEFT);
  const right: u32 = load<u32>(route, RN_RIGHT);
  if (length == depth + STRIDE) {
    if ((left | right) != 0) store<u32>(at, route as u32, SUBTREES);
    return;
  }
  if (left != 0) spread(stride, left as usize, depth);
  if (right != 0) spread(stride, right as usize, depth);
}

// ---- walking what exists -------------------------------------------------------------------------------------------------
@inline
function blockOf(node: usize): usize {
  return (load<u32>(node, PN_NODE_BASE) + NODE_SIZE) as usize;
}

function freeBelow(node: usize): void {
  const block: usize = blockOf(node);
  const end: usize = block + ((popcnt<u64>(load<u64>(node, PN_VECTOR)) as usize) << 5);
  for (let child: usize = block; child != end; child += NODE_SIZE as usize) freeBelow(child);
  heapGive(block);
}

function patchNode(node: usize, length: u32, leaf: u32): void {
  const block: usize = blockOf(node);
  let leafAt: usize = block;
  const nodesEnd: usize = block + ((popcnt<u64>(load<u64>(node, PN_VECTOR)) as usize) << 5);
  for (let child: usize = block; child != nodesEnd; child += NODE_SIZE as usize) patchNode(child, length, leaf);
  leafAt = nodesEnd;
  const leavesEnd: usize = leafAt + ((popcnt<u64>(load<u64>(node, PN_LEAF_VECTOR)) as usize) << 2);
  for (; leafAt != leavesEnd; leafAt += 4) {
    if (leafLength(load<u32>(leafAt)) <= length + 1) store<u32>(leafAt, leaf);
  }
}
