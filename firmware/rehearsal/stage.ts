/**
 * A core over a memory of its own, beside the one that forwards: its ports are rings whose other end we play, its clock is ours. What
 * it does with a frame is what it would do with it in the data plane.
 */
import {
  COMMAND, COUNTERS, C_DROP, H_FIP_MASK, H_ICMP_BURST, H_ICMP_RATE, H_LCORES, H_MAX_INTERFACES, H_MAX_NEXTHOPS, H_MAX_VRFS, H_SEED, HEADER, IF_TX_QUEUE, INTERFACE_SHIFT, INTERFACES,
  LC_NOW_US, LC_QUEUE_COUNT, LC_QUEUES, LC_RANDOM, LC_STATE, LCORE_RUNNING, LCORES, LCORE_SHIFT, MAX_INTERFACES, MAX_LCORES, MAX_NEXTHOPS, MAX_VRFS, Q_INTERFACE,
} from '../../wasm-core/layout.ts';
import type { CoreExports } from '../host/core-instance.ts';
import { createMemory, type MemoryViews } from '../host/memory-views.ts';
import { KernelSide, recordOf, writePumpedQueue } from '../ports/rings.ts';

const FRAMES = 4096;
const RING_ENTRIES = 256;
const FIP_BUCKETS = 1024;
/** Idle rounds until nothing is under way: a packet that ARP has resolved takes one more. */
const IDLE_ROUNDS = 2;
const MOST_ROUNDS = 1000;
const DROP_CODES = 256;

export interface StageFrame {
  readonly interface: number;
  readonly bytes: Uint8Array;
}

export class Stage {
  readonly core: CoreExports;
  readonly views: MemoryViews;
  readonly #ports = new Map<number, KernelSide>();
  #nowUs = 1_000_000_000;

  /** @param fipBuckets of either floating-IP table, a power of two @throws Error when the core does not know the memory map */
  constructor(instantiate: (memory: WebAssembly.Memory) => CoreExports, fipBuckets = FIP_BUCKETS) {
    this.views = createMemory();
    this.core = instantiate(this.views.memory);
    const { u32 } = this.views;
    const limits: readonly (readonly [offset: number, value: number])[] = [
      [H_LCORES, 1], [H_FIP_MASK, fipBuckets - 1], [H_MAX_NEXTHOPS, MAX_NEXTHOPS], [H_MAX_VRFS, MAX_VRFS], [H_MAX_INTERFACES, MAX_INTERFACES], [H_ICMP_RATE, 1e6], [H_ICMP_BURST, 1e6],
      [H_SEED, 0x77726F75], [H_SEED + 4, 0x74657200],
    ];
    for (const [offset, value] of limits) u32[(HEADER + offset) >>> 2] = value;
    if (this.core.init() !== 0) throw new Error('the core refuses a fresh memory');
    this.core.poolInit(FRAMES);
    u32[(LCORES + LC_STATE) >>> 2] = LCORE_RUNNING;
    u32[(LCORES + LC_RANDOM) >>> 2] = 1;
    this.pass(0);
  }

  /** Packed records of one kind. @throws Error unless all are taken */
  apply(kind: number, count: number, records: Uint8Array): void {
    this.views.u8.set(records, COMMAND);
    const refused = this.core.apply(kind, count);
    if (refused !== 0) throw new Error(`${refused} of ${count} records of kind ${kind} are refused`);
  }

  /** Gives an interface a port. */
  attach(interfaceId: number): void {
    const { u16, u32 } = this.views;
    const queue = this.#ports.size;
    writePumpedQueue(this.views, queue, 0, { rx: RING_ENTRIES, tx: RING_ENTRIES, fill: RING_ENTRIES, completion: RING_ENTRIES });
    u32[(recordOf(queue) + Q_INTERFACE) >>> 2] = interfaceId;
    u16[(INTERFACES + (interfaceId << INTERFACE_SHIFT) + IF_TX_QUEUE) >>> 1] = queue + 1;
    u16[(LCORES + LC_QUEUES + 2 * queue) >>> 1] = queue;
    u32[(LCORES + LC_QUEUE_COUNT) >>> 2] = queue + 1;
    this.#ports.set(interfaceId, new KernelSide(this.views, queue));
    this.core.queueStart(queue);
  }

  /** Lets time pass. */
  pass(ms: number): void {
    this.#nowUs += ms * 1000;
    for (let lcore = 0; lcore < MAX_LCORES; lcore++) {
      const at = (LCORES + lcore * 2 ** LCORE_SHIFT + LC_NOW_US) >>> 2;
      this.views.u32[at] = this.#nowUs % 2 ** 32;
      this.views.u32[at + 1] = Math.floor(this.#nowUs / 2 ** 32);
    }
  }

  /** Frames in, and what comes out of it. @throws Error for an interface without a port */
  forward(frames: readonly StageFrame[]): StageFrame[] {
    for (const { interface: id, bytes } of frames) {
      const port = this.#ports.get(id);
      if (port === undefined || port.room() === 0) throw new Error(`interface ${id} has ${port === undefined ? 'no port' : 'no room'} for a frame`);
      const address = port.place(0);
      this.views.u8.set(bytes, address);
      port.describe(0, address, bytes.length);
      port.deliver(1);
    }
    for (let idle = 0, round = 0; idle < IDLE_ROUNDS; round++) {
      if (round > MOST_ROUNDS) throw new Error(`the core does not come to rest within ${MOST_ROUNDS} rounds`);
      idle = this.core.run(0) === 0 ? idle + 1 : 0;
    }
    return [...this.#ports].flatMap(([id, port]) => this.#take(id, port));
  }

  /** Packets dropped since the start, by the reason's code. */
  drops(): number[] {
    return Array.from({ length: DROP_CODES }, (_, code) => this.views.u32[(COUNTERS + C_DROP + 8 * code) >>> 2] ?? 0);
  }

  #take(id: number, port: KernelSide): StageFrame[] {
    const count = port.waiting();
    const frames = Array.from({ length: count }, (_, i) => {
      const address = port.outAddress(i);
      return { interface: id, bytes: this.views.u8.slice(address, address + port.outLength(i)) };
    });
    port.completed(count);
    return frames;
  }
}
