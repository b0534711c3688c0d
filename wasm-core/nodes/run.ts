/** One round of an lcore, and the walk of a traced frame. What the host calls. */
import {
  C_RECEIVED, FRAME_CAPACITY, FRAME_HEADROOM, H_EPOCH, HEADER, LC_BEAT, LC_EPOCH, LC_FAULT, LC_FREE_COUNT, LC_KICK_COUNT, LC_META_COUNT, LC_NEXT_QUEUE,
  LC_NOW_US, LC_AGED_MS, LC_QUEUE_COUNT, LC_QUEUES, LC_TRACING, LC_WAKE, LCORE_TRACE, M_FRAME, M_L3, M_LENGTH, M_RX_IF, Q_STATE, Q_TX_KICKED,
  QS_ACTIVE, QS_FREE, TRACE, TRACE_FRAME, VECTOR, LC_KICKS,
} from '../layout';
import { NODE_ETHERNET_INPUT, NODE_RECEIVE } from '../generated';
import { balanceFrames } from '../rings/frames';
import { takeHandoffs } from '../rings/handoff';
import { complete, fill, queueAt, receive } from '../rings/queue';
import { countersOf, countNode, enqueue, lcoreAt, newMeta } from './graph';
import { age, releaseHeld } from './neighbour';
import { stockTrace } from './trace';
import { reclaimVector, runVector } from './vector';

const AGE_INTERVAL_MS: u32 = 100;

/** Faults that tests inject, with a vector in flight. */
function injectFault(lc: usize): void {
  const fault: u32 = load<u32>(lc, LC_FAULT);
  store<u32>(lc, 0, LC_FAULT);
  if (fault == 1) unreachable();
  while (atomic.load<u32>(lc + LC_FAULT) == 0) {}
}

/** Completions of all queues, then receive rings in turn until the vector is full; returns packets received. */
function gather(lc: usize): u32 {
  const queues: u32 = load<u32>(lc, LC_QUEUE_COUNT);
  if (queues == 0) return 0;
  // The next vector begins after the queue that filled this one, so that none starves beside one that always can.
  let turn: u32 = load<u32>(lc, LC_NEXT_QUEUE);
  let received: u32 = 0;
  for (let i: u32 = 0; i < queues; i++) {
    if (turn >= queues) turn = 0;
    const q: usize = queueAt(<u32>load<u16>(lc + ((turn as usize) << 1), LC_QUEUES));
    if (load<u32>(q, Q_STATE) != QS_FREE) {
      complete(lc, q);
      if (load<u32>(q, Q_STATE) == QS_ACTIVE) {
        received += receive(lc, q, VECTOR - received);
        fill(lc, q);
      }
    }
    turn += 1;
    if (received == VECTOR) break;
  }
  store<u32>(lc, turn, LC_NEXT_QUEUE);
  return received;
}

/** One round of an lcore; see docs/core-abi.md. Returns packets taken in: 0 = idle. */
export function run(lcore: u32): u32 {
  const lc: usize = lcoreAt(lcore);
  // Between two vectors the lcore holds no reference into any table: the quiescent point that writers wait for.
  atomic.store<u32>(lc + LC_EPOCH, atomic.load<u32>(HEADER + H_EPOCH));
  atomic.store<u32>(lc + LC_BEAT, load<u32>(lc, LC_BEAT) + 1);
  const kicks: u32 = load<u32>(lc, LC_KICK_COUNT);
  for (let i: u32 = 0; i < kicks; i++) store<u32>(queueAt(<u32>load<u16>(lc + ((i as usize) << 1), LC_KICKS)), 0, Q_TX_KICKED);
  store<u32>(lc, 0, LC_KICK_COUNT);
  store<u32>(lc, 0, LC_WAKE);
  store<u32>(lc, 0, LC_META_COUNT);

  const received: u32 = gather(lc);
  if (received != 0) {
    const counters: usize = countersOf(lc);
    store<u64>(counters, load<u64>(counters, C_RECEIVED) + (received as u64), C_RECEIVED);
    countNode(lc, NODE_RECEIVE, received);
  }
  if (load<u32>(lc, LC_FAULT) != 0) injectFault(lc);
  const taken: u32 = received + takeHandoffs(lc);
  const now: u32 = (load<u64>(lc, LC_NOW_US) / 1000) as u32;
  if (now - load<u32>(lc, LC_AGED_MS) >= AGE_INTERVAL_MS) {
    store<u32>(lc, now, LC_AGED_MS);
    age(lc);
  }
  releaseHeld(lc);
  if (load<u32>(lc, LC_META_COUNT) != 0) {
    runVector(lc);
    balanceFrames(lc);
  }
  return taken;
}

/** Takes back what a broken lcore had in flight. */
export function reclaim(lcore: u32): void {
  reclaimVector(lcoreAt(lcore));
}

/** Walks the `length` bytes at TRACE_FRAME + FRAME_HEADROOM through the graph as if they had come in by `iface`; returns events. */
export function trace(iface: u32, length: u32): u32 {
  const lc: usize = lcoreAt(LCORE_TRACE);
  store<u32>(TRACE, 0);
  if (length > FRAME_CAPACITY) return 0;
  store<u32>(lc, 1, LC_TRACING);
  store<u32>(lc, 0, LC_META_COUNT);
  stockTrace(lc);
  const meta: usize = newMeta(lc);
  store<u32>(meta, (TRACE_FRAME + FRAME_HEADROOM) as u32, M_L3);
  store<u16>(meta, length as u16, M_LENGTH);
  store<u16>(meta, iface as u16, M_RX_IF);
  store<u32>(meta, TRACE_FRAME as u32, M_FRAME);
  enqueue(lc, NODE_ETHERNET_INPUT, meta);
  runVector(lc);
  store<u32>(lc, 0, LC_FREE_COUNT); // its frames are none of the pool's
  return load<u32>(TRACE);
}
