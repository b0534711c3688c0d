/**
 * transmit: finished frames into the transmit ring of their interface, or to the lcore that owns it. docs/forwarding.md §8.6.
 * The rings' producers are published at the end, by one atomic store a queue, and the queues are noted for a kick by the host.
 */
import {
  CI_TX_BYTES, CI_TX_PACKETS, C_INTERFACE, C_TRANSMITTED, FRAMES, IFF_UP, IF_FLAGS, IF_OWNER, IF_PARENT, IF_TX_QUEUE, INTERFACES, INTERFACE_SHIFT,
  LC_KICKS, LC_KICK_COUNT, LC_TRACING, M_DROP, M_FRAME, M_L3, M_LENGTH, M_TX_IF, QS_ACTIVE, Q_MASKS, Q_STATE, Q_TX, Q_TX_KICKED, Q_TX_NEXT,
  Q_TX_PENDING, R_DESC, R_PRODUCER, XDP_DESC_SHIFT,
} from '../layout';
import { DROP_HANDOFF_FULL, DROP_INTERFACE_DOWN, DROP_TX_NO_QUEUE, DROP_TX_RING_FULL, NODE_TRANSMIT } from '../generated';
import { giveFrame, setOwner } from '../rings/frames';
import { handOff } from '../rings/handoff';
import { complete, queueAt, queueIndex } from '../rings/queue';
import { groupByInterface } from './by-interface';
import { countersOf, countNode, drop, lcoreOf, listCount, listOf, setListCount } from './graph';
import { traceNode } from './trace';

/** Packets and bytes sent by an interface. */
@inline
function countSent(counters: usize, index: u32, packets: u32, bytes: u64): void {
  const counter: usize = counters + C_INTERFACE + ((index as usize) << 6);
  store<u64>(counter, load<u64>(counter, CI_TX_PACKETS) + (packets as u64), CI_TX_PACKETS);
  store<u64>(counter, load<u64>(counter, CI_TX_BYTES) + bytes, CI_TX_BYTES);
}

/** Notes how far the queue's ring is filled, and asks the host to kick it after this run. */
@inline
function keepProducer(lc: usize, q: usize, producer: u32, sent: u32): void {
  store<u32>(q, producer, Q_TX_NEXT);
  store<u32>(q, load<u32>(q, Q_TX_PENDING) + sent, Q_TX_PENDING);
  if (load<u32>(q, Q_TX_KICKED) != 0) return;
  store<u32>(q, 1, Q_TX_KICKED);
  const count: u32 = load<u32>(lc, LC_KICK_COUNT);
  store<u16>(lc + ((count as usize) << 1), queueIndex(q) as u16, LC_KICKS);
  store<u32>(lc, count + 1, LC_KICK_COUNT);
}

/** Makes the descriptors of this vector visible: one atomic store a queue, however the frames were mixed. */
function publish(lc: usize): void {
  const count: u32 = load<u32>(lc, LC_KICK_COUNT);
  for (let i: u32 = 0; i < count; i++) {
    const q: usize = queueAt(<u32>load<u16>(lc + ((i as usize) << 1), LC_KICKS));
    atomic.store<u32>(load<u32>(q, Q_TX + R_PRODUCER) as usize, load<u32>(q, Q_TX_NEXT));
  }
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

/** The port that carries an interface: itself, or a VLAN sub-interface's parent. */
@inline
function portOf(iface: usize): usize {
  const parent: u32 = load<u16>(iface, IF_PARENT);
  return parent == 0 ? iface : INTERFACES + ((parent as usize) << INTERFACE_SHIFT);
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

/** The queue of the lcore that sends for an interface, 0 = none that can: the packets behind it are then refused or passed on. */
function transmitQueue(iface: usize, lcore: u32): usize {
  if ((<u32>load<u8>(iface, IF_FLAGS) & IFF_UP) == 0) return 0;
  const queue: u32 = queueFor(portOf(iface), lcore);
  if (queue == 0) return 0;
  const q: usize = queueAt(queue - 1);
  return load<u32>(q, Q_STATE) == QS_ACTIVE ? q : 0;
}

/** A packet that no queue of ours takes: why it dies, or to whom it goes. */
function refuse(lc: usize, meta: usize, q: usize): void {
  const iface: usize = INTERFACES + ((<u32>load<u16>(meta, M_TX_IF) as usize) << INTERFACE_SHIFT);
  if ((<u32>load<u8>(iface, IF_FLAGS) & IFF_UP) == 0) drop(lc, meta, DROP_INTERFACE_DOWN);
  else if (q != 0) drop(lc, meta, DROP_TX_RING_FULL);
  else if (queueFor(portOf(iface), lcoreOf(lc)) != 0) drop(lc, meta, DROP_TX_NO_QUEUE);
  else passOn(lc, meta, portOf(iface), lcoreOf(lc));
}

export function transmit(lc: usize): void {
  const count: u32 = listCount(lc, NODE_TRANSMIT);
  if (count == 0) return;
  if (load<u32>(lc, LC_TRACING) != 0) {
    endTrace(lc, count);
    return;
  }
  const counters: usize = countersOf(lc);
  const list: usize = listOf(lc, NODE_TRANSMIT);
  const end: usize = list + ((count as usize) << 2);
  let total: u32 = 0;
  let at: usize = list;
  let grouped: bool = false;
  while (at != end) {
    if (!grouped && at != list) {
      // It is not one interface that takes them all.
      groupByInterface(lc, at, end);
      grouped = true;
    }
    // A run of packets to one interface.
    const index: u32 = load<u16>(load<u32>(at) as usize, M_TX_IF);
    const q: usize = transmitQueue(INTERFACES + ((index as usize) << INTERFACE_SHIFT), lcoreOf(lc));
    const room: u32 = q != 0 ? roomOf(lc, q) : 0;
    if (room == 0) {
      refuse(lc, load<u32>(at) as usize, q);
      at += 4;
      continue;
    }
    const first: u32 = load<u32>(q, Q_TX_NEXT);
    const last: u32 = first + room;
    const ring: usize = load<u32>(q, Q_TX + R_DESC) as usize;
    const mask: u32 = load<u32>(q, Q_MASKS + 4);
    const owner: u32 = queueIndex(q) + 1;
    let producer: u32 = first;
    let bytes: u64 = 0;
    while (at != end) {
      const meta: usize = load<u32>(at) as usize;
      if (<u32>load<u16>(meta, M_TX_IF) != index) break;
      if (producer == last) break;
      const frame: usize = load<u32>(meta, M_L3) as usize;
      const length: u32 = load<u16>(meta, M_LENGTH);
      const desc: usize = ring + (((producer & mask) as usize) << XDP_DESC_SHIFT);
      store<u64>(desc, (frame - FRAMES) as u64);
      store<u64>(desc, length as u64, 8);
      setOwner(frame, owner);
      store<u32>(meta, 0, M_FRAME);
      bytes += length as u64;
      producer += 1;
      at += 4;
    }
    const sent: u32 = producer - first;
    countSent(counters, index, sent, bytes);
    keepProducer(lc, q, producer, sent);
    total += sent;
  }
  publish(lc);
  store<u64>(counters, load<u64>(counters, C_TRANSMITTED) + (total as u64), C_TRANSMITTED);
  countNode(lc, NODE_TRANSMIT, count);
  setListCount(lc, NODE_TRANSMIT, 0);
}
