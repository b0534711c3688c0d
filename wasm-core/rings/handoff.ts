/**
 * Handoff: an interface with fewer queues than there are lcores is transmitted on by its owner alone; the others pass finished
 * frames to it through one single-producer single-consumer ring per pair of lcores. A flow stays in order, because one lcore
 * receives it and one ring leads on.
 */
import {
  HANDOFF, HANDOFF_ENTRIES, HANDOFF_SHIFT, HO_ENTRIES, HO_HEAD, HO_TAIL, LC_WAKE, M_FLAGS, M_FRAME, M_L3, M_LENGTH, M_RX_IF, M_TX_IF, MAX_LCORES,
  MF_ORIGINATED, VECTOR,
} from '../layout';
import { NODE_TRANSMIT } from '../generated';
import { enqueue, lcoreOf, newMeta } from '../nodes/graph';
import { chunkOf } from './frames';

@inline
function ringOf(from: u32, to: u32): usize {
  return HANDOFF + (((from * MAX_LCORES + to) as usize) << HANDOFF_SHIFT);
}

/** Passes a frame to lcore `to`; false when the ring is full. The frame is then the other lcore's. */
export function handOff(lc: usize, to: u32, meta: usize): bool {
  const ring: usize = ringOf(lcoreOf(lc), to);
  const head: u32 = load<u32>(ring, HO_HEAD);
  if (head - atomic.load<u32>(ring + HO_TAIL) >= HANDOFF_ENTRIES) return false;
  const entry: usize = ring + HO_ENTRIES + (((head & (HANDOFF_ENTRIES - 1)) as usize) * 12);
  store<u32>(entry, load<u32>(meta, M_L3));
  store<u32>(entry, <u32>load<u16>(meta, M_LENGTH), 4);
  store<u32>(entry, <u32>load<u16>(meta, M_TX_IF) | (<u32>load<u16>(meta, M_RX_IF) << 16), 8);
  atomic.store<u32>(ring + HO_HEAD, head + 1);
  store<u32>(lc, load<u32>(lc, LC_WAKE) | (1 << to), LC_WAKE);
  return true;
}

/** Takes what other lcores passed on into the transmit list, at most a vector; returns how many. */
export function takeHandoffs(lc: usize): u32 {
  const me: u32 = lcoreOf(lc);
  let taken: u32 = 0;
  for (let from: u32 = 0; from < MAX_LCORES; from++) {
    const ring: usize = ringOf(from, me);
    const head: u32 = atomic.load<u32>(ring + HO_HEAD);
    let tail: u32 = load<u32>(ring, HO_TAIL);
    if (head == tail) continue;
    while (tail != head) {
      if (taken == VECTOR) break;
      const entry: usize = ring + HO_ENTRIES + (((tail & (HANDOFF_ENTRIES - 1)) as usize) * 12);
      const meta: usize = newMeta(lc);
      if (meta == 0) break;
      const data: u32 = load<u32>(entry);
      const interfaces: u32 = load<u32>(entry, 8);
      store<u32>(meta, data, M_L3);
      store<u16>(meta, load<u32>(entry, 4) as u16, M_LENGTH);
      store<u16>(meta, interfaces as u16, M_TX_IF);
      store<u16>(meta, (interfaces >>> 16) as u16, M_RX_IF);
      store<u16>(meta, MF_ORIGINATED as u16, M_FLAGS);
      store<u32>(meta, chunkOf(data as usize) as u32, M_FRAME);
      enqueue(lc, NODE_TRANSMIT, meta);
      tail += 1;
      taken += 1;
    }
    atomic.store<u32>(ring + HO_TAIL, tail);
  }
  return taken;
}
