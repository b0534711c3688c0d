/**
 * The worker of an lcore: run the core, kick what it filled, wake whom it handed packets to, sleep when there is nothing to do.
 * It never returns to its event loop; configurations are fetched from its message port between two runs. Everything that
 * must outlive it lies in the data plane's memory and in the lcore's block, so that another worker can take over at any time.
 */
import { workerData, receiveMessageOnPort, type MessagePort } from 'node:worker_threads';
import {
  LC_HELD_COUNT, LC_KICK_COUNT, LC_KICKS, LC_STATE, LC_WAKE, LCORE_IDLE, LCORE_RUNNING, LCORE_SHIFT, LCORE_STOPPED, LCORES, MAX_WORKERS, Q_TX, QUEUE_SHIFT, QUEUES, R_FLAGS,
} from '../../wasm-core/layout.ts';
import { EventSignal } from '../linux/eventfd.ts';
import { kick } from '../linux/kick.ts';
import { loadLibc } from '../linux/libc.ts';
import { PollSet } from '../linux/poll.ts';
import { nameThread, pinThread, threadId } from '../linux/thread.ts';
import { GeneratorPump } from '../ports/generator-pump.ts';
import { MemoryPump } from '../ports/memory-pump.ts';
import { PacketPump } from '../ports/packet-pump.ts';
import type { Pump, QueueService } from '../ports/pump.ts';
import { transmitWaiting } from '../ports/rings.ts';
import { TapPump } from '../ports/tap-pump.ts';
import { clockUs, writeClock } from './clock.ts';
import { instantiate, type CoreExports } from './core.ts';
import {
  AWAKE, B_ASSIGNED, B_CONFIG, B_CONFIG_SEEN, B_EVENT_FD, B_SLEEP, B_STOP, B_THREAD, B_TRAPS, blockOf, POLLING, S_CORE_PAUSE_US, S_DOWN_SINCE_US, S_GAP_MS, S_KICKS, S_PACKETS, S_POLLS,
  S_RUNS, WAITING, wakeLcore, type LcoreBlock,
} from './lcore-block.ts';
import { viewsOf } from './memory.ts';
import { LINGER_US, Pace } from './pace.ts';

/** What a worker is started with. It then waits for `assignment` to name its lcore. */
export interface LcoreWorkerData {
  readonly memory: WebAssembly.Memory;
  readonly module: WebAssembly.Module;
  readonly blocks: SharedArrayBuffer;
  /** This worker's own words; B_ASSIGNED = lcore + 1 starts it. */
  readonly assignment: SharedArrayBuffer;
  readonly configuration: MessagePort;
  /** Raised when a queue of the portable pump has frames to send. */
  readonly pumpBell: SharedArrayBuffer;
  readonly busyPoll: boolean;
  /** Processor of each lcore; empty: the scheduler decides. */
  readonly cores: readonly number[];
}

/** What changes; the rest stays as it is. */
export interface LcoreConfiguration {
  readonly queues?: readonly QueueService[];
  /** Another core, over the same memory. */
  readonly module?: WebAssembly.Module;
}

/** Frames that may wait for their kick while more keep arriving: one system call for all of them. */
const KICK_AFTER = 256;
/** Runs between two looks at pumps' descriptors while other queues keep the lcore busy. */
const PUMP_INTERVAL = 8;
/** Longest sleep: neighbours and held packets age in steps of 100 ms. */
const SLEEP_MS = 100;
/** Sleep while packets are held for a neighbour, or while the kernel could not take all frames. */
const SHORT_SLEEP_MS = 1;
/** Traps in a row, without a packet forwarded between them, after which the worker gives up and is replaced. */
const MAX_TRAPS_IN_A_ROW = 1000;

const data = workerData as LcoreWorkerData;
const views = viewsOf(data.memory);
const libc = loadLibc();
const signal = libc === undefined ? undefined : new EventSignal(libc);
const wakeByEvent = (eventFd: number): void => signal?.wake(eventFd);
const bell = new Int32Array(data.pumpBell);

/** How a queue's transmit ring is kicked. */
interface Transmitter {
  /** True when frames had to stay. */
  readonly kick: () => boolean;
  /** Is it among those that wait for their kick? */
  waits: boolean;
}

class LcoreLoop {
  readonly #lcore: number;
  readonly #block: LcoreBlock;
  readonly #scratch: number;
  #module = data.module;
  #core: CoreExports;
  #pumps: Pump[] = [];
  /** By queue. */
  #transmitters: Transmitter[] = [];
  #pollSet: PollSet | undefined;
  /** Descriptors of the poll set that pumps read, by position. */
  #pollPumps: (Pump | undefined)[] = [];
  /** Those with frames that nobody has been told about: the first so many. */
  readonly #unkicked: Transmitter[] = [];
  #unkickedCount = 0;
  #unkickedPackets = 0;
  /** When the first of them was put there. */
  #unkickedSinceUs = 0;
  readonly #pace = new Pace();

  constructor(lcore: number) {
    this.#lcore = lcore;
    this.#block = blockOf(data.blocks, lcore);
    this.#scratch = LCORES + lcore * 2 ** LCORE_SHIFT;
    this.#core = instantiate(this.#module, data.memory);
    const processor = data.cores[lcore];
    if (libc === undefined) return;
    if (processor !== undefined) pinThread(libc, processor);
    const thread = threadId(libc);
    nameThread(thread, `lcore-${lcore}`);
    Atomics.store(this.#block.words, B_THREAD, thread);
  }

  /** Until B_STOP. */
  run(): void {
    this.#setState(LCORE_RUNNING);
    const { statistics } = this.#block;
    const downSince = statistics[S_DOWN_SINCE_US] ?? 0;
    if (downSince > 0) statistics[S_GAP_MS] = (clockUs() - downSince) / 1000;
    statistics[S_DOWN_SINCE_US] = 0;
    let trapsInARow = 0;
    while (Atomics.load(this.#block.words, B_STOP) === 0) {
      try {
        this.#loop(() => {
          trapsInARow = 0;
        });
      } catch (error) {
        if (!(error instanceof WebAssembly.RuntimeError) || ++trapsInARow > MAX_TRAPS_IN_A_ROW) throw error;
        this.#recover();
      }
    }
    this.#setState(LCORE_STOPPED);
  }

  /** A trap costs the vector in flight: its frames go back, a fresh instance goes on with the next. */
  #recover(): void {
    const started = performance.now();
    this.#core = instantiate(this.#module, data.memory);
    this.#core.reclaim(this.#lcore);
    this.#transmitters.forEach((transmitter) => this.#needsKick(transmitter)); // the broken run's list is lost
    this.#unkickedPackets++;
    Atomics.add(this.#block.words, B_TRAPS, 1);
    this.#block.statistics[S_GAP_MS] = performance.now() - started;
  }

  #loop(forwarded: () => void): void {
    const { words, statistics } = this.#block;
    const pace = this.#pace;
    let turns = 0;
    while (Atomics.load(words, B_STOP) === 0) {
      if (words[B_CONFIG] !== words[B_CONFIG_SEEN]) this.#configure();
      const nowUs = writeClock(views, this.#lcore);
      if (this.#pumps.length > 0 && ++turns % PUMP_INTERVAL === 0) this.#receiveAll();
      const packets = this.#core.run(this.#lcore);
      statistics[S_RUNS]!++;
      if (packets > 0) {
        statistics[S_PACKETS]! += packets;
        pace.arrived(packets, nowUs);
        forwarded();
      }
      this.#collectKicks(packets, nowUs);
      this.#wakeOthers();
      if (packets > 0 && this.#unkickedPackets < KICK_AFTER) continue;
      // While packets follow each other closely, waiting for more of them is cheaper than a system call for few.
      const lingers = packets === 0 && pace.lingers(nowUs);
      if (lingers && (this.#unkickedPackets === 0 || nowUs - this.#unkickedSinceUs < LINGER_US)) continue;
      pace.measure(nowUs);
      const left = this.#kickAll();
      if (packets > 0 || this.#receiveAll() > 0 || lingers || data.busyPoll) continue;
      this.#sleep(left);
    }
  }

  /** Says that it sleeps, looks a last time, and sleeps: who brings work after that look finds the word and wakes it. */
  #sleep(framesLeft: boolean): void {
    const { words, statistics } = this.#block;
    const poll = this.#pollSet;
    Atomics.store(words, B_SLEEP, poll === undefined ? WAITING : POLLING);
    const nowUs = writeClock(views, this.#lcore);
    const packets = this.#core.run(this.#lcore);
    statistics[S_RUNS]!++;
    this.#collectKicks(packets, nowUs);
    this.#wakeOthers();
    if (packets > 0 || this.#unkickedPackets > 0 || words[B_CONFIG] !== words[B_CONFIG_SEEN] || Atomics.load(words, B_STOP) !== 0) {
      statistics[S_PACKETS]! += packets;
      this.#awake();
      return;
    }
    const held = (views.u32[(this.#scratch + LC_HELD_COUNT) >>> 2] ?? 0) > 0;
    const timeout = framesLeft || held || this.#pumps.some(({ ticks }) => ticks) ? SHORT_SLEEP_MS : SLEEP_MS;
    this.#setState(LCORE_IDLE);
    statistics[S_POLLS]!++;
    if (poll === undefined) {
      Atomics.wait(words, B_SLEEP, WAITING, timeout);
      this.#setState(LCORE_RUNNING);
      this.#awake();
      return;
    }
    const ready = poll.wait(timeout);
    this.#setState(LCORE_RUNNING);
    this.#awake();
    if (ready <= 0) return;
    if (poll.events(0) !== 0) signal?.clear(Atomics.load(words, B_EVENT_FD));
    for (let i = 1; i < poll.size; i++) {
      if (poll.events(i) !== 0) this.#pollPumps[i]?.receive();
    }
  }

  #awake(): void {
    Atomics.store(this.#block.words, B_SLEEP, AWAKE);
  }

  #receiveAll(): number {
    let received = 0;
    for (const pump of this.#pumps) received += pump.receive();
    return received;
  }

  /** Takes over the core's list of queues that it put frames into. */
  #collectKicks(packets: number, nowUs: number): void {
    const count = views.u32[(this.#scratch + LC_KICK_COUNT) >>> 2] ?? 0;
    if (count === 0) return;
    const list = (this.#scratch + LC_KICKS) >>> 1;
    for (let i = 0; i < count; i++) {
      const transmitter = this.#transmitters[views.u16[list + i] ?? 0];
      if (transmitter !== undefined) this.#needsKick(transmitter);
    }
    if (this.#unkickedPackets === 0) this.#unkickedSinceUs = nowUs;
    this.#unkickedPackets += Math.max(1, packets);
  }

  #needsKick(transmitter: Transmitter): void {
    if (transmitter.waits) return;
    transmitter.waits = true;
    this.#unkicked[this.#unkickedCount++] = transmitter;
  }

  /** Kicks every queue that waits; true when some could not send all. */
  #kickAll(): boolean {
    this.#unkickedPackets = 0;
    let left = 0;
    for (let i = 0; i < this.#unkickedCount; i++) {
      const transmitter = this.#unkicked[i]!;
      transmitter.waits = transmitter.kick();
      if (transmitter.waits) this.#unkicked[left++] = transmitter;
    }
    this.#unkickedCount = left;
    return left > 0;
  }

  /** Those whose handoff rings this run filled. */
  #wakeOthers(): void {
    const mask = views.u32[(this.#scratch + LC_WAKE) >>> 2] ?? 0;
    if (mask === 0) return;
    for (let lcore = 0; mask >>> lcore !== 0; lcore++) {
      if (((mask >>> lcore) & 1) !== 0 && lcore < MAX_WORKERS) wakeLcore(blockOf(data.blocks, lcore), wakeByEvent);
    }
  }

  #setState(state: number): void {
    Atomics.store(views.i32, (this.#scratch + LC_STATE) >>> 2, state);
  }

  #configure(): void {
    const { words } = this.#block;
    const wanted = Atomics.load(words, B_CONFIG);
    for (let message = receiveMessageOnPort(data.configuration); message !== undefined; message = receiveMessageOnPort(data.configuration)) {
      const { module, queues } = message.message as LcoreConfiguration;
      if (module !== undefined) this.#replaceCore(module);
      if (queues !== undefined) this.#serve(queues);
    }
    Atomics.store(words, B_CONFIG_SEEN, wanted);
    Atomics.notify(words, B_CONFIG_SEEN);
  }

  /** Between two runs nothing of a packet is anywhere but in the memory, where the new core finds it. */
  #replaceCore(module: WebAssembly.Module): void {
    const startedUs = clockUs();
    this.#module = module;
    this.#core = instantiate(module, data.memory);
    this.#block.statistics[S_CORE_PAUSE_US] = clockUs() - startedUs;
  }

  #serve(queues: readonly QueueService[]): void {
    this.#pumps = [];
    this.#transmitters = [];
    this.#unkickedCount = 0;
    const fds: number[] = [];
    this.#pollPumps = [undefined]; // the eventfd
    for (const service of queues) {
      const pump = this.#pumpFor(service);
      if (pump === undefined) {
        if (service.driver === 'af_xdp') {
          fds.push(service.fd);
          this.#pollPumps.push(undefined);
        }
      } else {
        this.#pumps.push(pump);
        if (pump.fd !== undefined) {
          fds.push(pump.fd);
          this.#pollPumps.push(pump);
        }
      }
      const transmitter = { kick: this.#kickFor(service, pump), waits: false };
      this.#transmitters[service.queue] = transmitter;
      this.#needsKick(transmitter); // whoever served it before may have left frames
    }
    const eventFd = Atomics.load(this.#block.words, B_EVENT_FD);
    this.#pollSet = fds.length > 0 && libc !== undefined && eventFd !== -1 ? new PollSet(libc, [eventFd, ...fds]) : undefined;
  }

  #pumpFor(service: QueueService): Pump | undefined {
    const { queue, fd, driver, peer, rate } = service;
    if ((driver === 'packet' || driver === 'datagram') && libc !== undefined) return new PacketPump(libc, views, queue, fd, driver === 'packet');
    if (driver === 'tap' && libc !== undefined) return new TapPump(libc, views, queue, fd);
    if (driver === 'generator') return new GeneratorPump(() => this.#core, queue, rate);
    if (driver === 'memory') {
      const block = peer && blockOf(data.blocks, peer.lcore);
      return new MemoryPump(views, queue, peer?.queue, () => block && wakeLcore(block, wakeByEvent));
    }
    return undefined;
  }

  #kickFor(service: QueueService, pump: Pump | undefined): () => boolean {
    const { statistics } = this.#block;
    if (service.driver === 'portable') {
      return () => {
        Atomics.store(bell, 0, 1);
        Atomics.notify(bell, 0);
        return false;
      };
    }
    if (pump !== undefined) {
      return () => {
        const before = pump.calls;
        const left = pump.transmit();
        statistics[S_KICKS]! += pump.calls - before;
        return left;
      };
    }
    if (libc === undefined) return () => false;
    const { queue, fd } = service;
    const flags = (views.u32[(QUEUES + (queue << QUEUE_SHIFT) + Q_TX + R_FLAGS) >>> 2] ?? 0) >>> 2;
    return () => {
      if (((views.u32[flags] ?? 0) & 1) === 0) return false; // the driver looks by itself
      statistics[S_KICKS]!++;
      return kick(libc, fd) && transmitWaiting(views, queue);
    };
  }
}

function waitForAssignment(): number {
  const words = new Int32Array(data.assignment);
  for (;;) {
    const assigned = Atomics.load(words, B_ASSIGNED);
    if (assigned !== 0) return assigned - 1;
    Atomics.wait(words, B_ASSIGNED, 0);
  }
}

// A spare has its module instantiated and its libraries loaded before it waits.
instantiate(data.module, data.memory);
const lcore = waitForAssignment();
if (lcore >= 0) new LcoreLoop(lcore).run();
process.exitCode = 0;
data.configuration.close();
