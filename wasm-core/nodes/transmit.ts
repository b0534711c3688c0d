/**
 * transmit: finished frames into the transmit ring of their interface, or to the lcore that owns it. docs/forwarding.md §8.6.
 * The ring's producer is published once per run of frames for the same queue, and the queue is noted for a kick by the host.
 */
import {
  C_INTERFACE, C_TRANSMITTED, CI_TX_BYTES, CI_TX_PACKETS, FRAMES, IF_FLAGS, IF_OWNER, IF_PARENT, IF_TX_QUEUE, IFF_UP, INTERFACE_SHIFT, INTERFACES,
  LC_KICK_COUNT, LC_KICKS, LC_TRACING, M_DROP, M_FRAME, M_L3, M_LENGTH, M_TX_IF, Q_MASKS, Q_STATE, Q_TX, Q_TX_KICKED, Q_TX_PENDING, QS_ACTIVE, R_CONSUMER, R_DESC,
  R_PRODUCER, XDP_DESC_SHIFT,
} from '../layout';
import { DROP_HANDOFF_FULL, DROP_INTERFACE_DOWN, DROP_TX_NO_QUEUE, DROP_TX_RING_FULL, NODE_TRANSMIT } from '../generated';
import { giveFrame, setOwner } from '../rings/frames';
import { handOff } from '../rings/handoff';
import { complete, queueAt, queueIndex } from '../rings/queue';
import { countersOf, countNode, drop, lcoreOf, listCount, listOf, setListCount } from './graph';
import { traceNode } from './trace';

/** Asks the host to kick the queue after this run. */
@inline
function noteKick(lc: usize, q: usize): void {
  if (load<u32>(q, Q_TX_KICKED) != 0) return;
  store<u32>(q, 1, Q_TX_KICKED);
  const count: u32 = load<u32>(lc, LC_KICK_COUNT);
  store<u16>(lc + ((count as usize) << 1), queueIndex(q) as u16, LC_KICKS);
  store<u32>(lc, count + 1, LC_KICK_COUNT);
}

/** Free slots of a transmit ring: limited by what the ring holds and by what has not come back yet. */
@inline
function roomOf(lc: usize, q: usize): u32 {
  const size: u32 = load<u32>(q, Q_MASKS + 4) + 1;
  let pending: u32 = load<u32>(q, Q_TX_PENDING);
  if (pending + 64 > size) {
    complete(lc, q);
    pending = load<u32>(q, Q_TX_PENDING);
  }
  return pending < size ? size - pending : 0;
}

/** The port's queue for an lcore, as queue + 1; 0 = none. */
@inline
function queueFor(port: usize, lcore: u32): u32 {
  return load<u16>(port + ((lcore as usize) << 1), IF_TX_QUEUE);
}

/** Without a queue of our own: to the interface's owner. */
function passOn(lc: usize, meta: usize, port: usize, lcore: u32): void {
  const owner: u32 = load<u16>(port, IF_OWNER);
  if (owner == lcore || queueFor(port, owner) == 0) {
    drop(lc, meta, DROP_TX_NO_QUEUE);
    return;
  }
  if (!handOff(lc, owner, meta)) {
    drop(lc, meta, DROP_HANDOFF_FULL);
    return;
  }
  store<u32>(meta, 0, M_FRAME);
}

/** A trace ends here: nothing leaves, and what the core made on the way is given back. Out of an interface that is down it is a drop. */
function endTrace(lc: usize, count: u32): void {
  const list: usize = listOf(lc, NODE_TRANSMIT);
  for (let i: u32 = 0; i < count; i++) {
    const meta: usize = load<u32>(list + ((i as usize) << 2)) as usize;
    const iface: usize = INTERFACES + ((<u32>load<u16>(meta, M_TX_IF) as usize) << INTERFACE_SHIFT);
    if ((<u32>load<u8>(iface, IF_FLAGS) & IFF_UP) == 0) drop(lc, meta, DROP_INTERFACE_DOWN);
  }
  traceNode(lc, NODE_TRANSMIT);
  for (let i: u32 = 0; i < count; i++) {
    const meta: usize = load<u32>(list + ((i as usize) << 2)) as usize;
    if (<u32>load<u8>(meta, M_DROP) != 0) continue; // the drop node gives its frame back
    const frame: usize = load<u32>(meta, M_FRAME) as usize;
    if (frame >= FRAMES) giveFrame(lc, frame);
    store<u32>(meta, 0, M_FRAME);
  }
  setListCount(lc, NODE_TRANSMIT, 0);
}

export function transmit(lc: usize): void {
  const count: u32 = listCount(lc, NODE_TRANSMIT);
  if (count == 0) return;
  if (load<u32>(lc, LC_TRACING) != 0) {
    endTrace(lc, count);
    return;
  }
  const counters: usize = countersOf(lc);
  const lcore: u32 = lcoreOf(lc);
  const list: usize = listOf(lc, NODE_TRANSMIT);
  const end: usize = list + ((count as usize) << 2);
  let current: u32 = 0; // queue + 1 whose ring is in hand
  let q: usize = 0;
  let producer: u32 = 0;
  let room: u32 = 0;
  let ring: usize = 0;
  let mask: u32 = 0;
  let sent: u32 = 0;
  let total: u32 = 0;
  for (let at: usize = list; at != end; at += 4) {
    const meta: usize = load<u32>(at) as usize;
    const index: u32 = load<u16>(meta, M_TX_IF);
    const iface: usize = INTERFACES + ((index as usize) << INTERFACE_SHIFT);
    if ((<u32>load<u8>(iface, IF_FLAGS) & IFF_UP) == 0) {
      drop(lc, meta, DROP_INTERFACE_DOWN);
      continue;
    }
    const parent: u32 = load<u16>(iface, IF_PARENT);
    const port: usize = parent == 0 ? iface : INTERFACES + ((parent as usize) << INTERFACE_SHIFT);
    const queue: u32 = queueFor(port, lcore);
    if (queue == 0) {
      passOn(lc, meta, port, lcore);
      continue;
    }
    if (queue != current) {
      if (sent != 0) {
        atomic.store<u32>(load<u32>(q, Q_TX + R_PRODUCER) as usize, producer);
        store<u32>(q, load<u32>(q, Q_TX_PENDING) + sent, Q_TX_PENDING);
        noteKick(lc, q);
        sent = 0;
      }
      current = queue;
      q = queueAt(queue - 1);
      room = load<u32>(q, Q_STATE) == QS_ACTIVE ? roomOf(lc, q) : 0;
      producer = load<u32>(load<u32>(q, Q_TX + R_PRODUCER) as usize);
      ring = load<u32>(q, Q_TX + R_DESC) as usize;
      mask = load<u32>(q, Q_MASKS + 4);
    }
    if (room == 0) {
      drop(lc, meta, load<u32>(q, Q_STATE) == QS_ACTIVE ? DROP_TX_RING_FULL : DROP_TX_NO_QUEUE);
      continue;
    }
    const frame: usize = load<u32>(meta, M_L3) as usize;
    const length: u32 = load<u16>(meta, M_LENGTH);
    const desc: usize = ring + (((producer & mask) as usize) << XDP_DESC_SHIFT);
    store<u64>(desc, (frame - FRAMES) as u64);
    store<u64>(desc, length as u64, 8);
    producer += 1;
    room -= 1;
    sent += 1;
    total += 1;
    setOwner(frame, queue);
    store<u32>(meta, 0, M_FRAME);
    const counter: usize = counters + C_INTERFACE + ((index as usize) << 6);
    store<u64>(counter, load<u64>(counter, CI_TX_PACKETS) + 1, CI_TX_PACKETS);
    store<u64>(counter, load<u64>(counter, CI_TX_BYTES) + (length as u64), CI_TX_BYTES);
  }
  if (sent != 0) {
    atomic.store<u32>(load<u32>(q, Q_TX + R_PRODUCER) as usize, producer);
    store<u32>(q, load<u32>(q, Q_TX_PENDING) + sent, Q_TX_PENDING);
    noteKick(lc, q);
  }
  store<u64>(counters, load<u64>(counters, C_TRANSMITTED) + (total as u64), C_TRANSMITTED);
  countNode(lc, NODE_TRANSMIT, count);
  setListCount(lc, NODE_TRANSMIT, 0);
}
