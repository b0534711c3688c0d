/** The worker that plays the kernel for socket ports where there is no C library to call: its owner's side. */
import { Worker } from 'node:worker_threads';
import type { Endpoint } from '../linux/datagram-socket.ts';
import type { QueueSlot } from './port.ts';

export interface PumpWorkerData {
  readonly memory: WebAssembly.Memory;
  readonly blocks: SharedArrayBuffer;
  /** Word 0: raised by an lcore that has filled a transmit ring. */
  readonly bell: SharedArrayBuffer;
}

export type PumpOrder =
  | { readonly order: 'open'; readonly slot: QueueSlot; readonly local: Endpoint; readonly peer: Endpoint }
  | { readonly order: 'close'; readonly queue: number };
export interface PumpReply { readonly queue: number; readonly error?: string }

/** Starts its worker with the first port. */
export class PortablePump {
  readonly #data: PumpWorkerData;
  readonly #waiting = new Map<number, (error: string | undefined) => void>();
  #worker: Worker | undefined;

  constructor(memory: WebAssembly.Memory, blocks: SharedArrayBuffer, bell: SharedArrayBuffer) {
    this.#data = { memory, blocks, bell };
  }

  open(slot: QueueSlot, local: Endpoint, peer: Endpoint): Promise<void> {
    this.#worker ??= this.#start();
    return new Promise((resolve, reject) => {
      this.#waiting.set(slot.queue, (error) => (error === undefined ? resolve() : reject(new Error(error))));
      this.#post({ order: 'open', slot, local, peer });
    });
  }

  close(queue: number): void {
    this.#post({ order: 'close', queue });
  }

  async stop(): Promise<void> {
    await this.#worker?.terminate();
  }

  #post(order: PumpOrder): void {
    this.#worker?.postMessage(order);
  }

  #start(): Worker {
    const worker = new Worker(new URL('./portable-pump-worker.ts', import.meta.url), { workerData: this.#data });
    worker.on('message', (reply: PumpReply) => {
      this.#waiting.get(reply.queue)?.(reply.error);
      this.#waiting.delete(reply.queue);
    });
    return worker;
  }
}
