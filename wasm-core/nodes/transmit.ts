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
import { countersOf, countNode, drop, lcoreOf, listCount, listOf, setListCount } from './graph';
import { traceNode } from './trace';

/** No interface has this number. */
const NO_INTERFACE: u32 = 0xFFFFFFFF;

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
  let current: u32 = NO_INTERFACE;
  let queue: u32 = 0; // its queue + 1, 0 = none
  let port: usize = 0;
  let q: usize = 0;
  let producer: u32 = 0;
  let room: u32 = 0;
  let ring: usize = 0;
  let mask: u32 = 0;
  let problem: u32 = 0;
  let sent: u32 = 0;
  let bytes: u64 = 0;
  let total: u32 = 0;
  for (let at: usize = list; at != end; at += 4) {
    const meta: usize = load<u32>(at) as usize;
    const index: u32 = load<u16>(meta, M_TX_IF);
    if (index != current) {
      if (sent != 0) {
        countSent(counters, current, sent, bytes);
        keepProducer(lc, q, producer, sent);
        total += sent;
        sent = 0;
        bytes = 0;
      }
      current = index;
      room = 0;
      queue = 0;
      const iface: usize = INTERFACES + ((index as usize) << INTERFACE_SHIFT);
      problem = DROP_INTERFACE_DOWN;
      if ((<u32>load<u8>(iface, IF_FLAGS) & IFF_UP) != 0) {
        const parent: u32 = load<u16>(iface, IF_PARENT);
        port = parent == 0 ? iface : INTERFACES + ((parent as usize) << INTERFACE_SHIFT);
        queue = queueFor(port, lcore);
        problem = 0;
        if (queue != 0) {
          q = queueAt(queue - 1);
          problem = DROP_TX_NO_QUEUE;
          if (load<u32>(q, Q_STATE) == QS_ACTIVE) {
            problem = DROP_TX_RING_FULL;
            room = roomOf(lc, q);
            producer = load<u32>(q, Q_TX_NEXT);
            ring = load<u32>(q, Q_TX + R_DESC) as usize;
            mask = load<u32>(q, Q_MASKS + 4);
          }
        }
      }
    }
    if (room == 0) {
      if (problem != 0) drop(lc, meta, problem);
      else passOn(lc, meta, port, lcore);
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
    bytes += length as u64;
    setOwner(frame, queue);
    store<u32>(meta, 0, M_FRAME);
  }
  if (sent != 0) {
    countSent(counters, current, sent, bytes);
    keepProducer(lc, q, producer, sent);
    total += sent;
  }
  publish(lc);
  store<u64>(counters, load<u64>(counters, C_TRANSMITTED) + (total as u64), C_TRANSMITTED);
  countNode(lc, NODE_TRANSMIT, count);
  setListCount(lc, NODE_TRANSMIT, 0);
}
