/**
 * What all nodes share: the lists between them, drops, counters.
 *
 * A packet of the vector is a 64-byte meta record (layout.ts, M_*). Every node has a list of meta addresses in the lcore's
 * scratch; it runs over its list once, puts each meta into the list of the next node or drops it by name, and empties its list.
 * `lc` is always the address of the lcore's scratch: all state of a run lies there.
 */
import {
  C_DROP, C_INTERFACE, C_NODE, CI_DROPS, COUNTERS, COUNTERS_SHIFT, LC_LIST_COUNTS, LC_LISTS, LC_META_COUNT, LC_METAS, LCORE_SHIFT, LCORES,
  M_DROP, M_RX_IF, MAX_METAS, META_SIZE,
} from '../layout';
import { NODE_DROP } from '../generated';

@inline
export function lcoreAt(lcore: u32): usize {
  return LCORES + ((lcore as usize) << LCORE_SHIFT);
}

@inline
export function lcoreOf(lc: usize): u32 {
  return ((lc - LCORES) >> LCORE_SHIFT) as u32;
}

/** First counter block of the lcore; add C_*. */
@inline
export function countersOf(lc: usize): usize {
  return COUNTERS + (((lc - LCORES) >> LCORE_SHIFT) << COUNTERS_SHIFT);
}

@inline
export function listOf(lc: usize, node: u32): usize {
  return lc + LC_LISTS + ((node as usize) << 11);
}

@inline
export function listCount(lc: usize, node: u32): u32 {
  return load<u32>(lc + ((node as usize) << 2), LC_LIST_COUNTS);
}

@inline
export function setListCount(lc: usize, node: u32, count: u32): void {
  store<u32>(lc + ((node as usize) << 2), count, LC_LIST_COUNTS);
}

/** Puts a packet into a node's list. A list holds MAX_METAS, as many as there are metas, so it cannot overflow. */
@inline
export function enqueue(lc: usize, node: u32, meta: usize): void {
  const slot: usize = lc + ((node as usize) << 2);
  const count: u32 = load<u32>(slot, LC_LIST_COUNTS);
  store<u32>(lc + ((node as usize) << 11) + ((count as usize) << 2), meta as u32, LC_LISTS);
  store<u32>(slot, count + 1, LC_LIST_COUNTS);
}

/** Another meta record for a packet that the core makes, zeroed; 0 when the vector has none left. */
export function newMeta(lc: usize): usize {
  const count: u32 = load<u32>(lc, LC_META_COUNT);
  if (count >= MAX_METAS) return 0;
  store<u32>(lc, count + 1, LC_META_COUNT);
  const meta: usize = lc + LC_METAS + (count as usize) * META_SIZE;
  memory.fill(meta, 0, META_SIZE);
  return meta;
}

/** The packet dies: counted here, logged and its frame freed by the drop node at the end of the vector. */
@inline
export function drop(lc: usize, meta: usize, reason: u32): void {
  store<u8>(meta, reason as u8, M_DROP);
  enqueue(lc, NODE_DROP, meta);
}

/** Adds to the node's packets and vectors. */
@inline
export function countNode(lc: usize, node: u32, packets: u32): void {
  const counter: usize = countersOf(lc) + C_NODE + ((node as usize) << 4);
  store<u64>(counter, load<u64>(counter) + (packets as u64));
  store<u64>(counter, load<u64>(counter, 8) + 1, 8);
}

/** What the drop node does for every packet in its list. */
@inline
export function countDrop(lc: usize, meta: usize): void {
  const counters: usize = countersOf(lc);
  const reason: usize = counters + C_DROP + ((load<u8>(meta, M_DROP) as usize) << 3);
  store<u64>(reason, load<u64>(reason) + 1);
  const iface: usize = counters + C_INTERFACE + ((load<u16>(meta, M_RX_IF) as usize) << 6);
  store<u64>(iface, load<u64>(iface, CI_DROPS) + 1, CI_DROPS);
}
