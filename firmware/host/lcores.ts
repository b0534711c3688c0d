/**
 * The lcores' workers and their watchdog. A worker that traps goes on by itself; one that hangs is ended and a warm spare takes
 * its place over the same memory. Everything an lcore is survives in the memory and in its block.
 */
import { MessageChannel, Worker, type MessagePort } from 'node:worker_threads';
import { LC_BEAT, LC_FAULT, LC_QUEUE_COUNT, LC_QUEUES, LC_STATE, LCORE_IDLE, LCORE_RUNNING, LCORE_SHIFT, LCORE_STOPPED, LCORES } from '../../wasm-core/layout.ts';
import { createEventFd, EventSignal } from '../linux/eventfd.ts';
import { loadLibc, type Libc } from '../linux/libc.ts';
import { userTimeMs } from '../linux/thread.ts';
import type { QueueService } from '../ports/pump.ts';
import { clockUs } from './clock.ts';
import type { CoreExports } from './core.ts';
import {
  B_ASSIGNED, B_CONFIG, B_CONFIG_SEEN, B_EVENT_FD, B_STOP, B_THREAD, B_TRAPS, blockOf, createBlocks, S_CORE_PAUSE_US, S_DOWN_SINCE_US, S_GAP_MS, S_KICKS, S_PACKETS, S_POLLS, S_RUNS, wakeLcore,
  type LcoreBlock,
} from './lcore-block.ts';
import type { LcoreConfiguration, LcoreWorkerData } from './lcore.ts';
import type { Logger } from './log.ts';
import type { MemoryViews } from './memory.ts';

/** The watchdog's look at every lcore. */
const WATCH_MS = 4;
/**
 * A vector takes well below 1 ms; an lcore that has spent this much time in its own code without ending one hangs. Most of the 50 ms
 * that a replacement may take: a hypervisor that takes the processor away looks like processor time from inside.
 */
const HANG_CPU_MS = 32;
/** Where threads' processor times are not to be had. */
const HANG_WALL_MS = 40;
/** A worker's first run may also load code: so many times longer before it is taken for hanging. */
const FIRST_RUN_FACTOR = 10;
/** A worker that ends sooner than this is not followed at once: what ended it would most likely end the next. */
const SHORTEST_LIFE_MS = 1000;

interface Running {
  readonly worker: Worker;
  /** The core that it was given last. */
  module: WebAssembly.Module;
  readonly configuration: MessagePort;
  readonly assignment: Int32Array<SharedArrayBuffer>;
  readonly exited: Promise<void>;
}

interface Suspicion {
  readonly beat: number;
  readonly since: number;
  readonly cpuMs: number | undefined;
}

export interface LcoreStatus {
  readonly id: number;
  readonly state: string;
  readonly queues: number[];
  readonly runs: number;
  readonly packets: number;
  readonly polls: number;
  readonly kicks: number;
  readonly restarts: number;
  readonly lastRestartGapMs: number;
}

export interface LcoresOptions {
  readonly views: MemoryViews;
  readonly module: WebAssembly.Module;
  /** The control instance: reclaims for lcores that are gone. */
  readonly core: CoreExports;
  readonly count: number;
  readonly cores: readonly number[];
  readonly busyPoll: boolean;
  /** What a worker runs: lcore.ts; the bench compares it with one in C. */
  readonly program: URL;
  readonly log: Logger;
}

export const LCORE_PROGRAM = new URL('./lcore.ts', import.meta.url);

export class Lcores {
  readonly count: number;
  readonly blocks = createBlocks();
  /** Raised for the portable pump. */
  readonly bell = new SharedArrayBuffer(4);
  readonly #options: LcoresOptions;
  readonly #libc: Libc | undefined = loadLibc();
  readonly #running: Running[] = [];
  readonly #services: (readonly QueueService[])[];
  readonly #suspicions = new Map<number, Suspicion>();
  readonly #replacing = new Set<number>();
  /** LC_BEAT when the present worker took over: until it moves, its first run is under way. */
  readonly #firstBeats = new Map<number, number>();
  readonly #restarts: number[];
  /** The core that each lcore is to run. */
  readonly #modules: WebAssembly.Module[];
  /** When the present worker of each lcore was given it. */
  readonly #assignedMs: number[] = [];
  readonly #signal: EventSignal | undefined;
  #spare: Running | undefined;
  #watch: NodeJS.Timeout | undefined;
  #stopping = false;

  constructor(options: LcoresOptions) {
    this.#options = options;
    this.count = options.count;
    this.#services = Array.from({ length: this.count }, () => []);
    this.#restarts = Array.from({ length: this.count }, () => 0);
    this.#modules = Array.from({ length: this.count }, () => options.module);
    const libc = this.#libc;
    this.#signal = libc === undefined ? undefined : new EventSignal(libc);
    for (let lcore = 0; lcore < this.count; lcore++) {
      this.block(lcore).words[B_EVENT_FD] = libc === undefined ? -1 : createEventFd(libc);
    }
  }

  block(lcore: number): LcoreBlock {
    return blockOf(this.blocks, lcore);
  }

  /** Starts all, and a spare. */
  start(): void {
    for (let lcore = 0; lcore < this.count; lcore++) this.#assign(this.#createWorker(), lcore);
    this.#spare = this.#createWorker();
    this.#watch = setInterval(() => this.#look(), WATCH_MS);
  }

  wake(lcore: number): void {
    if (lcore < this.count) wakeLcore(this.block(lcore), (fd) => this.#signal?.wake(fd));
  }

  /** Gives every lcore its queues; resolved when all have taken them over and serve no other. */
  async configure(services: readonly (readonly QueueService[])[]): Promise<void> {
    services.forEach((queues, lcore) => {
      this.#services[lcore] = queues;
      this.#post(lcore, { queues });
    });
    for (let lcore = 0; lcore < this.count; lcore++) await this.#seen(lcore);
  }

  /**
   * Gives an lcore another core over the same memory, between two of its runs.
   * @returns microseconds that it did not forward meanwhile
   */
  async replaceCore(lcore: number, module: WebAssembly.Module): Promise<number> {
    this.#modules[lcore] = module;
    this.#post(lcore, {});
    await this.#seen(lcore);
    return this.block(lcore).statistics[S_CORE_PAUSE_US] ?? 0;
  }

  /** Times that an lcore trapped or was replaced. */
  restarts(lcore: number): number {
    return (this.#restarts[lcore] ?? 0) + Atomics.load(this.block(lcore).words, B_TRAPS);
  }

  /** Adds a queue to the list that the core walks. */
  addQueue(lcore: number, queue: number): void {
    const { u16, u32 } = this.#options.views;
    const { list, count } = this.#queueList(lcore);
    u16[list + count] = queue;
    Atomics.store(u32, this.#word(lcore, LC_QUEUE_COUNT), count + 1);
  }

  /** Takes it off; the core may still walk it in the run that is under way. */
  removeQueue(lcore: number, queue: number): void {
    const { u16, u32 } = this.#options.views;
    const { list, count } = this.#queueList(lcore);
    const at = u16.subarray(list, list + count).indexOf(queue);
    if (at === -1) return;
    u16[list + at] = u16[list + count - 1] ?? 0; // seen twice by a run under way: no harm, it is the same lcore
    Atomics.store(u32, this.#word(lcore, LC_QUEUE_COUNT), count - 1);
  }

  /** Of tests: 1 = trap, 2 = hang, in the next run. */
  injectFault(lcore: number, fault: number): void {
    Atomics.store(this.#options.views.i32, this.#word(lcore, LC_FAULT), fault);
    this.wake(lcore);
  }

  status(): LcoreStatus[] {
    const { u16, u32 } = this.#options.views;
    return Array.from({ length: this.count }, (_, id) => {
      const { statistics } = this.block(id);
      const { list, count } = this.#queueList(id);
      const state = u32[this.#word(id, LC_STATE)] ?? LCORE_STOPPED;
      return {
        id,
        state: state === LCORE_RUNNING ? 'running' : state === LCORE_IDLE ? 'idle' : 'stopped',
        queues: [...u16.subarray(list, list + count)],
        runs: statistics[S_RUNS] ?? 0,
        packets: statistics[S_PACKETS] ?? 0,
        polls: statistics[S_POLLS] ?? 0,
        kicks: statistics[S_KICKS] ?? 0,
        restarts: this.restarts(id),
        lastRestartGapMs: statistics[S_GAP_MS] ?? 0,
      };
    });
  }

  /** Ends all workers, the spare too. */
  async stop(): Promise<void> {
    this.#stopping = true;
    clearInterval(this.#watch);
    for (let lcore = 0; lcore < this.count; lcore++) {
      Atomics.store(this.block(lcore).words, B_STOP, 1);
      this.wake(lcore);
    }
    const all = this.#spare === undefined ? this.#running : [...this.#running, this.#spare];
    await Promise.all(all.map(({ worker }) => worker.terminate())); // ends a sleep or a run that is under way first
  }

  #word(lcore: number, offset: number): number {
    return (LCORES + lcore * 2 ** LCORE_SHIFT + offset) >>> 2;
  }

  #queueList(lcore: number): { list: number; count: number } {
    return { list: (LCORES + lcore * 2 ** LCORE_SHIFT + LC_QUEUES) >>> 1, count: this.#options.views.u32[this.#word(lcore, LC_QUEUE_COUNT)] ?? 0 };
  }

  #createWorker(): Running {
    const { port1, port2 } = new MessageChannel();
    const assignment = new Int32Array(new SharedArrayBuffer(64));
    const { views, busyPoll, cores, program } = this.#options;
    const module = this.#modules[0] ?? this.#options.module;
    const data: LcoreWorkerData = {
      memory: views.memory, module, blocks: this.blocks, assignment: assignment.buffer, configuration: port2, pumpBell: this.bell, busyPoll, cores,
    };
    const worker = new Worker(program, { workerData: data, transferList: [port2] });
    worker.on('error', (error) => this.#options.log.error({ err: error }, 'an lcore\'s worker failed'));
    const exited = new Promise<void>((resolve) => worker.once('exit', () => resolve()));
    port1.unref();
    const running = { worker, module, configuration: port1, assignment, exited };
    void exited.then(() => this.#onExit(running));
    return running;
  }

  #assign(running: Running, lcore: number): void {
    this.#running[lcore] = running;
    this.#assignedMs[lcore] = performance.now();
    this.#firstBeats.set(lcore, this.#options.views.u32[this.#word(lcore, LC_BEAT)] ?? 0);
    this.#post(lcore, { queues: this.#services[lcore] ?? [] });
    Atomics.store(running.assignment, B_ASSIGNED, lcore + 1);
    Atomics.notify(running.assignment, B_ASSIGNED);
  }

  /** Tells the lcore's worker what changed; its core too, when it runs another one than it should. */
  #post(lcore: number, changed: LcoreConfiguration): void {
    const running = this.#running[lcore];
    const module = this.#modules[lcore];
    const configuration = running === undefined || module === undefined || running.module === module ? changed : { ...changed, module };
    running?.configuration.postMessage(configuration);
    if (running !== undefined && module !== undefined) running.module = module;
    Atomics.add(this.block(lcore).words, B_CONFIG, 1);
    this.wake(lcore);
  }

  /** Resolved when the lcore, or who took over from it, has seen what was posted last. */
  async #seen(lcore: number): Promise<void> {
    const { words } = this.block(lcore);
    const wanted = words[B_CONFIG] ?? 0;
    while ((Atomics.load(words, B_CONFIG_SEEN) - wanted | 0) < 0 && !this.#stopping) await new Promise((resolve) => setImmediate(resolve));
  }

  /** A worker that ended by itself, by an error or because memory ran out, is replaced: at once, if it had lived for a while. */
  #onExit(gone: Running): void {
    if (this.#stopping) return;
    if (gone === this.#spare) {
      this.#spare = undefined;
      this.#after(SHORTEST_LIFE_MS, () => {
        this.#spare ??= this.#createWorker();
      });
      return;
    }
    const lcore = this.#running.indexOf(gone);
    if (lcore === -1 || this.#replacing.has(lcore)) return;
    this.#replacing.add(lcore);
    const since = performance.now();
    this.#after(Math.max(0, SHORTEST_LIFE_MS - (since - (this.#assignedMs[lcore] ?? 0))), () => this.#takeOver(lcore, since, 'ended'));
  }

  #after(pauseMs: number, act: () => void): void {
    if (pauseMs === 0) act();
    else setTimeout(() => this.#stopping || act(), pauseMs).unref();
  }

  #look(): void {
    const { u32 } = this.#options.views;
    for (let lcore = 0; lcore < this.count; lcore++) {
      if (this.#replacing.has(lcore)) continue;
      const beat = u32[this.#word(lcore, LC_BEAT)] ?? 0;
      const suspicion = this.#suspicions.get(lcore);
      if (u32[this.#word(lcore, LC_STATE)] !== LCORE_RUNNING || (suspicion !== undefined && suspicion.beat !== beat)) {
        this.#suspicions.delete(lcore);
        continue;
      }
      const thread = this.block(lcore).words[B_THREAD] ?? 0;
      const cpuMs = thread === 0 || this.#libc === undefined ? undefined : userTimeMs(this.#libc, thread);
      if (suspicion === undefined) {
        this.#suspicions.set(lcore, { beat, since: performance.now(), cpuMs });
        continue;
      }
      const waited = performance.now() - suspicion.since;
      const patience = this.#firstBeats.get(lcore) === beat ? FIRST_RUN_FACTOR : 1;
      const hangs = cpuMs === undefined || suspicion.cpuMs === undefined
        ? waited > HANG_WALL_MS * patience
        : cpuMs - suspicion.cpuMs > HANG_CPU_MS * patience;
      if (hangs) void this.#replaceHanging(lcore, suspicion.since);
    }
  }

  /** The old thread must be gone before another touches the lcore's state: terminate() resolves when it is. */
  async #replaceHanging(lcore: number, since: number): Promise<void> {
    this.#replacing.add(lcore);
    this.#suspicions.delete(lcore);
    await this.#running[lcore]?.worker.terminate();
    if (!this.#stopping) this.#takeOver(lcore, since, 'hung');
  }

  #takeOver(lcore: number, since: number, how: string): void {
    const { core, log, views } = this.#options;
    core.reclaim(lcore);
    // Not running until the new worker says so: a spare that still loads must not be taken for one that hangs.
    Atomics.store(views.u32, this.#word(lcore, LC_STATE), LCORE_STOPPED);
    const spare = this.#spare ?? this.#createWorker();
    this.#spare = undefined;
    this.block(lcore).words[B_THREAD] = 0;
    const afterMs = performance.now() - since;
    this.block(lcore).statistics[S_DOWN_SINCE_US] = clockUs() - afterMs * 1000;
    this.#assign(spare, lcore);
    this.#restarts[lcore] = (this.#restarts[lcore] ?? 0) + 1;
    this.#replacing.delete(lcore);
    log.warn({ lcore, afterMs: Math.round(afterMs * 10) / 10 }, `lcore ${how}: a spare worker took over`);
    this.#spare = this.#createWorker();
  }
}
