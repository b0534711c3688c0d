/**
 * Ports of the appliance: attached and detached while others forward, their queues given to lcores, and bound to interfaces
 * by the name that the controller gave them. Changes happen one after another; every step that takes something away waits
 * until no lcore can still be using it.
 */
import {
  IF_OWNER, IF_PARENT, IF_TX_QUEUE, INTERFACE_SHIFT, INTERFACES, MAX_LCORES, MAX_QUEUES, Q_FILL, Q_INTERFACE, Q_STATE, QS_DRAINING, R_PRODUCER,
} from '../../wasm-core/layout.ts';
import { readDevice } from '../linux/device.ts';
import { loadLibc } from '../linux/libc.ts';
import { AfPacketDriver } from '../ports/af-packet.ts';
import { AfXdpDriver } from '../ports/af-xdp.ts';
import { GeneratorDriver, readGenerator, type GeneratorCounts } from '../ports/generator.ts';
import { MemoryDriver } from '../ports/memory-port.ts';
import { PortablePump } from '../ports/portable-pump.ts';
import { PortProblem, type Driver, type OpenPort, type PortRequest, type QueueSlot } from '../ports/port.ts';
import type { QueueService } from '../ports/pump.ts';
import { recordOf, touchFrames } from '../ports/rings.ts';
import { SocketDriver } from '../ports/socket.ts';
import { TapDriver } from '../ports/tap.ts';
import type { CoreExports } from './core.ts';
import type { Epochs } from './epochs.ts';
import type { Lcores } from './lcores.ts';
import type { Logger } from './log.ts';
import type { MemoryViews } from './memory.ts';
import { forgetNeighbours } from './neighbours.ts';
import type { DriverName, Profile } from './profile.ts';

const RETRY_MS = 1000;

export interface PortState {
  readonly request: PortRequest;
  readonly up: boolean;
  readonly mac: string;
  readonly mtu: number;
  readonly mode: string;
  readonly problem: string;
  readonly queues: readonly number[];
  readonly interfaceId: number;
  readonly ofProfile: boolean;
  /** Frames that came in while there was no room for them. */
  readonly missed: number;
  /** Frames that the other side did not take. */
  readonly txErrors: number;
}

interface Port {
  request: PortRequest;
  readonly ofProfile: boolean;
  open: OpenPort | undefined;
  slots: readonly QueueSlot[];
  problem: string;
}

export interface PortManagerOptions {
  readonly views: MemoryViews;
  readonly core: CoreExports;
  readonly lcores: Lcores;
  readonly epochs: Epochs;
  readonly profile: Profile;
  /** Test load may be attached. */
  readonly allowGenerators: boolean;
  readonly log: Logger;
}

/** What an interface is bound to: the port of its Name. */
export interface InterfaceBinding {
  readonly id: number;
  readonly port: string;
}

export class PortManager {
  readonly #options: PortManagerOptions;
  readonly #ports = new Map<string, Port>();
  readonly #drivers = new Map<DriverName, Driver>();
  readonly #pump: PortablePump;
  readonly #usedQueues = new Set<number>();
  #bindings: readonly InterfaceBinding[] = [];
  #boundInterfaces = new Set<number>();
  /** One change at a time. */
  #turn: Promise<unknown> = Promise.resolve();
  #retry: NodeJS.Timeout | undefined;

  constructor(options: PortManagerOptions) {
    this.#options = options;
    const { views, profile, lcores } = options;
    const context = { views, frames: profile.tables.frames };
    const libc = loadLibc();
    this.#pump = new PortablePump(views.memory, lcores.blocks, lcores.bell);
    this.#drivers.set('memory', new MemoryDriver(context));
    this.#drivers.set('socket', new SocketDriver(libc, context, this.#pump));
    if (options.allowGenerators) this.#drivers.set('generator', new GeneratorDriver(context));
    if (libc !== undefined) {
      this.#drivers.set('af_xdp', new AfXdpDriver(libc, context));
      this.#drivers.set('af_packet', new AfPacketDriver(libc, context));
      this.#drivers.set('tap', new TapDriver(libc, context));
    }
  }

  /** Attaches the profile's own ports; those that cannot come up yet are tried again every second. */
  async start(): Promise<void> {
    for (const request of this.#options.profile.ports) await this.#inTurn(() => this.#attach(request, true));
    this.#retry = setInterval(() => void this.#inTurn(() => this.#retryAll()), RETRY_MS);
  }

  /**
   * Attaches a port, or leaves it when it is attached in the same way. Empty fields come from the profile.
   * @returns its state; `problem` says why it is not up
   */
  attach(wanted: { name: string; driver: string; device: string; queues: number }): Promise<PortState> {
    return this.#inTurn(async () => {
      const request = this.#complete(wanted);
      const known = this.#ports.get(request.name);
      if (known !== undefined && sameRequest(known.request, request)) {
        if (known.open === undefined) await this.#open(known);
      } else {
        if (known !== undefined) await this.#detach(known);
        await this.#attach(request, known?.ofProfile ?? false);
      }
      return this.stateOf(request.name)!;
    });
  }

  /** Detaches; undefined when there is no such port. @throws PortProblem for a port of the profile */
  detach(name: string): Promise<PortState | undefined> {
    return this.#inTurn(async () => {
      const port = this.#ports.get(name);
      if (port === undefined) return undefined;
      if (port.ofProfile) throw new PortProblem(`port "${name}" is the hardware profile's: it stays; take it out of the profile`);
      await this.#detach(port);
      this.#ports.delete(name);
      return { ...this.#describe(port), up: false };
    });
  }

  /** Binds interfaces to ports anew; what stays the same is not disturbed. */
  bind(bindings: readonly InterfaceBinding[]): void {
    this.#bindings = bindings;
    this.#writeBindings();
  }

  states(): PortState[] {
    return [...this.#ports.values()].map((port) => this.#describe(port));
  }

  stateOf(name: string): PortState | undefined {
    const port = this.#ports.get(name);
    return port === undefined ? undefined : this.#describe(port);
  }

  /** What a generator port did; undefined when there is no such port. */
  generatorCounts(name: string): GeneratorCounts | undefined {
    const port = this.#ports.get(name);
    const queue = port?.slots[0]?.queue;
    return port?.request.driver === 'generator' && queue !== undefined ? readGenerator(this.#options.views, queue) : undefined;
  }

  /** Closes all; lcores have stopped. */
  async stop(): Promise<void> {
    clearInterval(this.#retry);
    await this.#turn;
    for (const port of this.#ports.values()) {
      port.open?.deactivate();
      port.open?.close();
    }
    await this.#pump.stop();
  }

  #inTurn<T>(change: () => Promise<T>): Promise<T> {
    const result = this.#turn.then(change);
    this.#turn = result.catch(() => {});
    return result;
  }

  #complete(wanted: { name: string; driver: string; device: string; queues: number }): PortRequest {
    const named = this.#options.profile.ports.find(({ name }) => name === wanted.name);
    const settings = named ?? this.#options.profile.workloadPorts;
    const driver = (wanted.driver === '' ? settings.driver : wanted.driver) as DriverName;
    if (driver === 'generator' && !this.#drivers.has(driver)) {
      throw new PortProblem(`port "${wanted.name}": generators are test load, refused unless the dataplane was started with --allow-faults`);
    }
    if (!['af_xdp', 'af_packet', 'tap', 'socket', 'memory', 'generator'].includes(driver)) {
      throw new PortProblem(`port "${wanted.name}": there is no driver "${wanted.driver}"; af_xdp, af_packet, tap, socket and memory are`);
    }
    if (wanted.name === '') throw new PortProblem('a port needs a name');
    const queues = wanted.queues === 0 ? (driver === 'af_xdp' ? settings.queues : 1) : wanted.queues;
    return { ...settings, name: wanted.name, driver, device: wanted.device || named?.device || wanted.name, queues };
  }

  async #retryAll(): Promise<void> {
    for (const port of this.#ports.values()) {
      if (port.open === undefined) await this.#open(port);
      else if (this.#deviceGone(port)) {
        port.problem = `port "${port.request.name}": there is no device "${port.request.device}" any more, or another one by its name`;
        await this.#detach(port);
        await this.#open(port);
      }
    }
  }

  /** A device that was deleted takes its sockets' life with it. */
  #deviceGone(port: Port): boolean {
    const libc = loadLibc();
    return libc !== undefined && ['af_xdp', 'af_packet'].includes(port.request.driver) && readDevice(libc, port.request.device)?.mac !== port.open?.mac;
  }

  async #attach(request: PortRequest, ofProfile: boolean): Promise<void> {
    const port: Port = { request, ofProfile, open: undefined, slots: [], problem: '' };
    this.#ports.set(request.name, port);
    await this.#open(port);
  }

  async #open(port: Port): Promise<void> {
    const { core, lcores, log, views } = this.#options;
    const { request } = port;
    const driver = this.#drivers.get(request.driver);
    let slots: QueueSlot[] = [];
    try {
      if (driver === undefined) throw new PortProblem(`port "${request.name}": the driver "${request.driver}" needs Linux and koffi; "socket" and "memory" run anywhere`);
      slots = this.#reserve(driver.plan(request));
      port.open = await driver.open(request, slots);
    } catch (error) {
      for (const { queue } of slots) this.#usedQueues.delete(queue);
      const problem = error instanceof Error ? error.message : String(error);
      if (problem !== port.problem) log.warn({ port: request.name, driver: request.driver, device: request.device }, problem);
      port.problem = problem;
      return;
    }
    port.problem = '';
    port.slots = slots;
    for (const { queue, lcore } of slots) {
      core.queueStart(queue);
      touchFrames(views, queue);
      lcores.addQueue(lcore, queue);
    }
    this.#writeBindings();
    await this.#configure();
    port.open.activate();
    const { mac, mtu, mode } = port.open;
    const warnings = [...port.open.warnings, ...this.#shortcomings(port)];
    log.info({ port: request.name, driver: request.driver, device: request.device, mode, mac, mtu, queues: slots }, 'port is up');
    for (const warning of warnings) log.warn({ port: request.name }, warning);
  }

  /** What the hardware profile promised and the port has not. */
  #shortcomings({ request, open, slots }: Port): string[] {
    const { profile, views } = this.#options;
    const found: string[] = [];
    if (profile.offloads.includes('zero-copy') && request.driver === 'af_xdp' && open?.mode !== 'zero-copy') {
      found.push(`the profile expects zero-copy, but the driver of ${request.device} gives ${open?.mode}: slower; take "zero-copy" out of the profile's offloads where that is known`);
    }
    const empty = slots.filter(({ queue }) => (views.u32[(views.u32[(recordOf(queue) + Q_FILL + R_PRODUCER) >>> 2] ?? 0) >>> 2] ?? 0) < request.ring.receive).length;
    if (empty > 0) {
      found.push(`${empty} of its ${slots.length} receive queues have fewer than ${request.ring.receive} empty frames, for all ${profile.tables.frames} are taken: raise tables.frames in the profile, or make rings smaller`);
    }
    return found;
  }

  /**
   * In this order: no interface sends by it; no lcore transmits into it, nothing comes in; no lcore walks or polls it; the
   * kernel lets go; its frames return.
   */
  async #detach(port: Port): Promise<void> {
    const { core, lcores, epochs, views, log } = this.#options;
    const { open, slots } = port;
    if (open === undefined) return;
    port.slots = [];
    this.#writeBindings();
    forgetNeighbours(views, this.#interfacesOf(port.request.name));
    for (const { queue } of slots) Atomics.store(views.u32, (recordOf(queue) + Q_STATE) >>> 2, QS_DRAINING);
    open.deactivate();
    await epochs.pass();
    for (const { queue, lcore } of slots) lcores.removeQueue(lcore, queue);
    port.open = undefined;
    await this.#configure();
    await epochs.pass();
    open.close();
    let frames = 0;
    for (const { queue } of slots) {
      frames += core.queueStop(queue);
      this.#usedQueues.delete(queue);
    }
    log.info({ port: port.request.name, frames }, 'port is detached');
  }

  /** The interface that is bound to a port, and VLAN sub-interfaces on it. */
  #interfacesOf(name: string): Set<number> {
    const { u16 } = this.#options.views;
    const parents = new Set(this.#bindings.filter(({ port }) => port === name).map(({ id }) => id));
    const parentOf = (id: number): number => u16[(INTERFACES + (id << INTERFACE_SHIFT) + IF_PARENT) >>> 1] ?? 0;
    return new Set([...parents, ...this.#bindings.map(({ id }) => id).filter((id) => parents.has(parentOf(id)))]);
  }

  /** Free queue numbers, each with the lcore that serves fewest; a port's queues go to different lcores. */
  #reserve(count: number): QueueSlot[] {
    const load = Array.from({ length: this.#options.lcores.count }, () => 0);
    for (const port of this.#ports.values()) for (const { lcore } of port.slots) load[lcore]!++;
    const slots: QueueSlot[] = [];
    for (let queue = 0; queue < MAX_QUEUES && slots.length < count; queue++) {
      if (this.#usedQueues.has(queue)) continue;
      const own = (lcore: number): number => slots.filter((slot) => slot.lcore === lcore).length;
      const lcore = load.map((_, i) => i).sort((a, b) => own(a) - own(b) || load[a]! - load[b]! || a - b)[0] ?? 0;
      load[lcore]!++;
      slots.push({ queue, lcore });
    }
    if (slots.length < count) throw new PortProblem(`of ${MAX_QUEUES} queues ${slots.length} are free, not ${count}: detach a port first`);
    for (const { queue } of slots) this.#usedQueues.add(queue);
    return slots;
  }

  #configure(): Promise<void> {
    const services: QueueService[][] = Array.from({ length: this.#options.lcores.count }, () => []);
    for (const { open, slots } of this.#ports.values()) {
      open?.services().forEach((service, i) => services[slots[i]?.lcore ?? 0]?.push(service));
    }
    return this.#options.lcores.configure(services);
  }

  /** Interfaces ↔ queues in the memory: which interface a queue receives for, by which queue each lcore sends. */
  #writeBindings(): void {
    const { views } = this.#options;
    const interfaceOf = new Map<string, number>();
    const sending = new Map<number, readonly QueueSlot[]>();
    for (const { id, port } of this.#bindings) {
      if (port === '') continue;
      interfaceOf.set(port, id);
      sending.set(id, this.#ports.get(port)?.slots ?? []);
    }
    for (const { id, port } of this.#bindings) {
      const parent = views.u16[(INTERFACES + (id << INTERFACE_SHIFT) + IF_PARENT) >>> 1] ?? 0;
      if (port === '' && parent !== 0) sending.set(id, sending.get(parent) ?? []);
    }
    for (const id of this.#boundInterfaces) if (!sending.has(id)) this.#writeTransmit(id, []);
    for (const [id, slots] of sending) this.#writeTransmit(id, slots);
    this.#boundInterfaces = new Set(sending.keys());
    for (const [name, { slots }] of this.#ports) {
      for (const { queue } of slots) Atomics.store(views.u32, (recordOf(queue) + Q_INTERFACE) >>> 2, interfaceOf.get(name) ?? 0);
    }
  }

  #writeTransmit(id: number, slots: readonly QueueSlot[]): void {
    const { u16 } = this.#options.views;
    const record = INTERFACES + (id << INTERFACE_SHIFT);
    u16[(record + IF_OWNER) >>> 1] = slots[0]?.lcore ?? 0;
    for (let lcore = 0; lcore < MAX_LCORES; lcore++) {
      const slot = slots.find((candidate) => candidate.lcore === lcore);
      u16[(record + IF_TX_QUEUE + 2 * lcore) >>> 1] = slot === undefined ? 0 : slot.queue + 1;
    }
  }

  #describe(port: Port): PortState {
    const { request, open, slots, problem, ofProfile } = port;
    const libc = loadLibc();
    const device = libc !== undefined && ['af_xdp', 'af_packet', 'tap'].includes(request.driver) ? readDevice(libc, request.device) : undefined;
    const running = open !== undefined && (device?.running ?? true);
    const noCarrier = open !== undefined && !running ? `${request.device} has no carrier: is its other end up?` : '';
    const bound = this.#bindings.find((binding) => binding.port === request.name);
    return {
      request, up: running, mac: open?.mac ?? device?.mac ?? '', mtu: open?.mtu ?? request.mtu, mode: open?.mode ?? '', problem: problem || noCarrier,
      queues: slots.map(({ queue }) => queue), interfaceId: bound?.id ?? 0, ofProfile, missed: open?.missed() ?? 0,
      txErrors: open?.txErrors() ?? 0,
    };
  }
}

function sameRequest(a: PortRequest, b: PortRequest): boolean {
  return a.driver === b.driver && a.device === b.device && a.queues === b.queues;
}
