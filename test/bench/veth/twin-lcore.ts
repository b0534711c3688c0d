/** The worker of an lcore whose loop and core are C (twin/lcore.c), in place of firmware/host/lcore.ts. Serves AF_XDP queues only. */
import { receiveMessageOnPort, workerData } from 'node:worker_threads';
import koffi from 'koffi';
import { LC_STATE, LCORE_RUNNING, LCORE_SHIFT, LCORE_STOPPED, LCORES } from '../../../wasm-core/layout.ts';
import { B_ASSIGNED, B_CONFIG, B_CONFIG_SEEN, B_EVENT_FD, B_STOP, B_THREAD, blockOf } from '../../../firmware/host/lcore-block.ts';
import type { LcoreConfiguration, LcoreWorkerData } from '../../../firmware/host/lcore.ts';
import { viewsOf } from '../../../firmware/host/memory.ts';
import { requireLibc } from '../../../firmware/linux/libc.ts';
import { nameThread, threadId } from '../../../firmware/linux/thread.ts';
import type { QueueService } from '../../../firmware/ports/pump.ts';
import { TWIN_LIBRARY } from './twin-constants.ts';

const POLLIN = 1;
/** struct lcore of lcore.c. */
const LCORE_BYTES = 56;

const data = workerData as LcoreWorkerData;
const views = viewsOf(data.memory);
const libc = requireLibc('the C twin');
const forward = koffi.load(process.env[TWIN_LIBRARY] ?? '').func('void twinForward(intptr_t)');

function serve(lcore: number, queues: readonly QueueService[]): void {
  const { words, statistics } = blockOf(data.blocks, lcore);
  const polled = new Int32Array((1 + queues.length) * 2); // struct pollfd: fd, events and revents
  const served = new Int32Array(queues.length * 2);
  [Atomics.load(words, B_EVENT_FD), ...queues.map(({ fd }) => fd)].forEach((fd, i) => polled.set([fd, POLLIN], i * 2));
  queues.forEach(({ queue, fd }, i) => served.set([queue, fd], i * 2));
  const address = (array: Int32Array | Float64Array): bigint => BigInt(libc.address(new Uint8Array(array.buffer as ArrayBuffer, array.byteOffset, array.byteLength)));
  const parameters = new DataView(new ArrayBuffer(LCORE_BYTES));
  [BigInt(libc.address(views.u8)), ...[words, statistics, polled, served].map(address)].forEach((pointer, i) => parameters.setBigUint64(i * 8, pointer, true));
  [lcore, 1 + queues.length, queues.length].forEach((value, i) => parameters.setUint32(40 + i * 4, value, true));
  forward(libc.address(new Uint8Array(parameters.buffer)));
}

function waitForAssignment(): number {
  const words = new Int32Array(data.assignment);
  for (;;) {
    const assigned = Atomics.load(words, B_ASSIGNED);
    if (assigned !== 0) return assigned - 1;
    Atomics.wait(words, B_ASSIGNED, 0);
  }
}

function run(lcore: number): void {
  const { words } = blockOf(data.blocks, lcore);
  const state = (LCORES + lcore * 2 ** LCORE_SHIFT + LC_STATE) >>> 2;
  const thread = threadId(libc);
  nameThread(thread, `lcore-${lcore}`);
  Atomics.store(words, B_THREAD, thread);
  Atomics.store(views.i32, state, LCORE_RUNNING);
  let queues: readonly QueueService[] = [];
  while (Atomics.load(words, B_STOP) === 0) {
    const wanted = Atomics.load(words, B_CONFIG);
    for (let message = receiveMessageOnPort(data.configuration); message !== undefined; message = receiveMessageOnPort(data.configuration)) {
      queues = (message.message as LcoreConfiguration).queues ?? queues;
    }
    const other = queues.find(({ driver }) => driver !== 'af_xdp');
    if (other !== undefined) throw new Error(`queue ${other.queue} is of driver ${other.driver}: the C twin serves af_xdp`);
    Atomics.store(words, B_CONFIG_SEEN, wanted);
    Atomics.notify(words, B_CONFIG_SEEN);
    serve(lcore, queues);
  }
  Atomics.store(views.i32, state, LCORE_STOPPED);
}

const lcore = waitForAssignment();
if (lcore >= 0) run(lcore);
data.configuration.close();
