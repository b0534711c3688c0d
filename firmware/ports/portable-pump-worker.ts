/** Worker of PortablePump: node:dgram sockets on one side, the rings of their queues on the other. */
import { createSocket, type Socket } from 'node:dgram';
import { parentPort, workerData } from 'node:worker_threads';
import { blockOf, wakeLcore } from '../host/lcore-block.ts';
import { viewsOf } from '../host/memory.ts';
import type { PumpOrder, PumpReply, PumpWorkerData } from './portable-pump.ts';
import { KernelSide, MAX_FRAME_BYTES } from './rings.ts';

const data = workerData as PumpWorkerData;
const views = viewsOf(data.memory);
const bell = new Int32Array(data.bell);
const BUFFER_BYTES = 4 << 20;

interface OpenQueue {
  readonly socket: Socket;
  readonly rings: KernelSide;
}
const queues = new Map<number, OpenQueue>();

function open(order: Extract<PumpOrder, { order: 'open' }>): void {
  const { slot, local, peer } = order;
  const { queue } = slot;
  const reply = (error?: string): void => parentPort?.postMessage({ queue, ...(error === undefined ? {} : { error }) } satisfies PumpReply);
  const rings = new KernelSide(views, queue);
  const block = blockOf(data.blocks, slot.lcore);
  const socket = createSocket({ type: 'udp4', recvBufferSize: BUFFER_BYTES, sendBufferSize: BUFFER_BYTES });
  let ready = false;
  socket.on('error', (error) => {
    if (ready) return; // the peer is not there (yet): frames are lost, as on a wire
    socket.close();
    reply(error.message);
  });
  socket.on('message', (frame) => {
    if (frame.length > MAX_FRAME_BYTES || rings.room() === 0) {
      rings.countMissed(1);
      return;
    }
    const place = rings.place(0);
    views.u8.set(frame, place);
    rings.describe(0, place, frame.length);
    rings.deliver(1);
    wakeLcore(block, () => {}); // without a C library lcores sleep in Atomics.wait only
  });
  socket.bind(local.port, local.host, () => {
    socket.connect(peer.port, peer.host, () => {
      ready = true;
      queues.set(queue, { socket, rings });
      reply();
    });
  });
}

/** Sends all that waits in transmit rings. */
function transmitAll(): void {
  for (const { socket, rings } of queues.values()) {
    const waiting = rings.waiting();
    for (let i = 0; i < waiting; i++) {
      const address = rings.outAddress(i);
      socket.send(Buffer.from(views.u8.subarray(address, address + rings.outLength(i))), (error) => error && rings.countRefused(1));
    }
    if (waiting > 0) rings.completed(waiting);
  }
}

async function answerBell(): Promise<never> {
  for (;;) {
    while (Atomics.exchange(bell, 0, 0) !== 0) transmitAll();
    const rung = Atomics.waitAsync(bell, 0, 0);
    if (rung.async) await rung.value;
  }
}

parentPort?.on('message', (order: PumpOrder) => {
  if (order.order === 'open') {
    open(order);
  } else {
    queues.get(order.queue)?.socket.close();
    queues.delete(order.queue);
  }
});
void answerBell();
