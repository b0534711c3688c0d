/**
 * The network between processes, as TCP and gRPC show it: a stream keeps its order and loses nothing while it lives, streams know
 * nothing of each other, and when one breaks, each end hears of it in its own time, with some part of what was under way delivered.
 */
import { EventEmitter } from 'node:events';
import * as grpc from '@grpc/grpc-js';
import type { RawStream } from '../../mgmt/agent/transport.ts';
import type { Process, World } from './world.ts';

/** Bytes in a stream that its reader has not taken, beyond which a writer is told to wait. */
const WINDOW_BYTES = 2048;
/** A silent connection is given up by its ends after about so long, each by itself. */
const [KEEPALIVE_MIN_MS, KEEPALIVE_MAX_MS] = [2000, 5000];

export const unavailable = (details: string): grpc.ServiceError => Object.assign(new Error(details), { code: grpc.status.UNAVAILABLE, details, metadata: new grpc.Metadata() });

export class Network {
  readonly world: World;
  /** Until when nothing passes between two processes' names. */
  readonly #blocked = new Map<string, number>();
  readonly #connections = new Set<Connection>();
  /** Each message takes up to so many ms. */
  slowness = 4;

  constructor(world: World) { this.world = world; }

  latency(): number {
    const { random } = this.world;
    return random.chance(3) ? random.below(40 * this.slowness) : random.below(this.slowness);
  }

  /** Nothing passes for `ms`. Connections that live longer than that go on; others break. */
  block(one: string, other: string, ms: number): void {
    this.world.trace(`network: nothing passes between ${one} and ${other} for ${ms} ms`);
    this.#blocked.set(link(one, other), this.world.now + ms);
    for (const connection of this.#connections) if (connection.joins(one, other)) connection.silent(ms);
  }

  /** Ms until something passes again. */
  blockedFor(one: string, other: string): number { return Math.max(0, (this.#blocked.get(link(one, other)) ?? 0) - this.world.now); }

  heal(): void { this.#blocked.clear(); this.slowness = 4; }

  /** Connections between two break at once: a reset. */
  cut(one: string, other: string): void {
    for (const connection of this.#connections) if (connection.joins(one, other)) connection.break('the connection was reset');
  }

  /** A stream of bytes both ways. `accept` is called when `to` hears of it; without a living `to` it fails. */
  connect(from: Process, to: Process | undefined, toName: string, accept: (end: End) => void, latency = () => this.latency()): End {
    const connection = new Connection(this, from, to, toName, accept, latency);
    this.#connections.add(connection);
    connection.onOver(() => this.#connections.delete(connection));
    return connection.client;
  }

  /**
   * A call and its answer. What was asked may be carried out although no answer comes; after `deadline` (virtual ms since 1970) none
   * is waited for.
   */
  call<T>(from: Process, to: Process | undefined, toName: string, work: () => Promise<T> | T, deadline = Infinity, latency = () => this.latency()): Promise<T> {
    const { world } = this;
    return new Promise((resolve, reject) => {
      let over = false;
      const finish = (action: () => void): void => {
        if (over) return;
        over = true;
        takeBack();
        action();
      };
      const takeBack = deadline < Infinity
        ? world.after(deadline - world.now, () => finish(() => reject(Object.assign(unavailable('Deadline exceeded'), { code: grpc.status.DEADLINE_EXCEEDED }))), from)
        : (): void => {};
      const fail = (details: string): void => { world.after(latency(), () => finish(() => reject(unavailable(details))), from); };
      const answer = (action: () => void): void => {
        world.after(latency() + this.blockedFor(from.name, toName), () => finish(action), from);
      };
      world.after(latency() + this.blockedFor(from.name, toName), () => {
        if (!to || to.dead) return fail(`No connection established: ${toName} is away (ECONNREFUSED)`);
        to.onDeath(() => { if (!over) fail(`${toName} went away`); });
        Promise.resolve().then(work).then((result) => answer(() => resolve(result)), (error: unknown) => answer(() => reject(error as Error)));
      });
    });
  }
}

const link = (one: string, other: string): string => (one < other ? `${one} ${other}` : `${other} ${one}`);

type Item = { readonly bytes: Buffer } | { readonly end: true } | { readonly error: grpc.ServiceError };

/** One direction. */
class Pipe {
  readonly #network: Network;
  readonly #latency: () => number;
  readonly #queue: { item: Item; due: number }[] = [];
  #planned = false;
  #bytes = 0;
  #closed = false;
  /** The end that reads; undefined before it has accepted. */
  reader: End | undefined;
  writer: End | undefined;
  readonly #connection: Connection;

  constructor(network: Network, connection: Connection, latency: () => number) {
    this.#network = network;
    this.#connection = connection;
    this.#latency = latency;
  }

  get full(): boolean { return this.#bytes > WINDOW_BYTES; }

  send(item: Item): void {
    if (this.#closed) return;
    if (!('bytes' in item)) this.#closed = true;
    else this.#bytes += item.bytes.length;
    const { now } = this.#network.world;
    this.#queue.push({ item, due: Math.max(this.#queue.at(-1)?.due ?? 0, now + this.#latency()) });
    this.pump();
  }

  /** What is under way arrives in part, then the reader hears of the break. */
  break(reason: string, delayMs: number): void {
    const { world } = this.#network;
    const kept = world.random.below(this.#queue.length + 1);
    this.#queue.splice(kept);
    this.#closed = true;
    this.#queue.push({ item: { error: unavailable(reason) }, due: Math.max(this.#queue.at(-1)?.due ?? 0, world.now + delayMs) });
    this.pump();
  }

  pump(): void {
    const head = this.#queue[0];
    const { reader } = this;
    if (this.#planned || !head || !reader || (reader.paused && 'bytes' in head.item)) return;
    this.#planned = true;
    const { world } = this.#network;
    const [one, other] = this.#connection.names;
    const wait = 'error' in head.item ? 0 : this.#network.blockedFor(one, other);
    world.after(Math.max(head.due - world.now, wait), () => {
      this.#planned = false;
      const now = this.#queue[0];
      if (!now || (reader.paused && 'bytes' in now.item)) return;
      if (now.due > world.now || (!('error' in now.item) && this.#network.blockedFor(one, other) > 0)) return this.pump();
      this.#queue.shift();
      if ('bytes' in now.item) {
        this.#bytes -= now.item.bytes.length;
        if (this.#bytes === 0) this.writer?.drained();
      }
      reader.take(now.item);
      this.pump();
    }, reader.process);
  }
}

class Connection {
  readonly client: End;
  readonly #server: Process | undefined;
  readonly #network: Network;
  readonly names: readonly [string, string];
  readonly #there: Pipe;
  readonly #back: Pipe;
  #broken = false;
  #whenOver = (): void => {};

  constructor(network: Network, from: Process, to: Process | undefined, toName: string, accept: (end: End) => void, latency: () => number) {
    this.#network = network;
    this.names = [from.name, toName];
    this.#server = to;
    this.#there = new Pipe(network, this, latency);
    this.#back = new Pipe(network, this, latency);
    this.client = new End(from, this.#there, this.#back, this);
    from.onDeath(() => this.#died(this.#there, this.#back));
    const { world } = network;
    world.after(latency() + network.blockedFor(...this.names), () => {
      if (this.#broken) return;
      if (!to || to.dead || from.dead) return this.break(`No connection established: ${toName} is away (ECONNREFUSED)`);
      to.onDeath(() => this.#died(this.#back, this.#there));
      const server = new End(to, this.#back, this.#there, this);
      accept(server);
      this.#there.pump();
    });
    const patience = world.random.between(KEEPALIVE_MIN_MS, KEEPALIVE_MAX_MS);
    if (network.blockedFor(...this.names) > patience) world.after(patience, () => this.break('the connection could not be made in time'));
  }

  joins(one: string, other: string): boolean { return this.names.includes(one) && this.names.includes(other); }

  onOver(action: () => void): void { this.#whenOver = action; }

  /** Nothing passes for so long: the end whose patience is less gives the connection up, the other one hears of it when it can. */
  silent(ms: number): void {
    const { random } = this.#network.world;
    const patience = [0, 0].map(() => random.between(KEEPALIVE_MIN_MS, KEEPALIVE_MAX_MS));
    if (Math.min(...patience) < ms) this.#breakAfter('keepalive watchdog timeout', patience.map((each) => Math.min(each, ms + random.below(20))));
  }

  /** Each end hears of it in its own time. */
  break(reason: string): void {
    const { random } = this.#network.world;
    this.#breakAfter(reason, [0, 0].map(() => (random.chance(20) ? random.below(KEEPALIVE_MAX_MS) : random.below(20))));
  }

  #breakAfter(reason: string, delays: readonly number[]): void {
    if (this.#broken) return;
    this.#broken = true;
    this.#there.break(reason, delays[0]!);
    this.#back.break(reason, delays[1]!);
    this.#whenOver();
  }

  /** One end's process died: the other hears of it. */
  #died(written: Pipe, read: Pipe): void {
    if (this.#broken) return;
    this.#broken = true;
    const { random } = this.#network.world;
    read.reader = undefined;
    written.break('the other end went away', random.chance(20) ? random.between(0, KEEPALIVE_MAX_MS) : random.below(20));
    this.#whenOver();
  }
}

/** One end of a stream: for the agent, the very thing that it takes for a gRPC call. */
export class End extends EventEmitter implements RawStream {
  readonly process: Process;
  readonly #out: Pipe;
  readonly #in: Pipe;
  readonly #connection: Connection;
  #paused = false;
  #over = false;
  #needsDrain = false;

  constructor(process: Process, out: Pipe, into: Pipe, connection: Connection) {
    super();
    this.process = process;
    this.#out = out;
    this.#in = into;
    this.#connection = connection;
    out.writer = this;
    into.reader = this;
    // Nobody may be listening any more.
    this.on('error', () => {});
  }

  get paused(): boolean { return this.#paused; }
  get writableNeedDrain(): boolean { return this.#needsDrain; }

  write(bytes: Buffer): boolean {
    if (this.#over) return false;
    // What a process has handed over is no longer its own.
    this.#out.send({ bytes: Buffer.from(bytes) });
    this.#needsDrain ||= this.#out.full;
    return !this.#needsDrain;
  }

  end(): void { this.#out.send({ end: true }); }

  /** Ends with an error that the other side shows as its own. */
  fail(error: grpc.ServiceError): void {
    this.#over = true;
    this.#out.send({ error });
  }

  cancel(): void {
    if (this.#over) return;
    this.#over = true;
    this.#connection.break('Cancelled on client');
  }

  isPaused(): boolean { return this.#paused; }
  pause(): this { this.#paused = true; return this; }
  resume(): this {
    this.#paused = false;
    this.#in.pump();
    return this;
  }

  /** From the network. */
  take(item: Item): void {
    if ('bytes' in item) {
      if (!this.#over) this.emit('data', item.bytes);
    } else if ('end' in item) {
      this.emit('end');
    } else {
      this.#over = true;
      this.emit('error', item.error);
    }
  }

  drained(): void {
    if (!this.#needsDrain || this.#over) return;
    this.#needsDrain = false;
    this.process.after(0, () => { if (!this.#over) this.emit('drain'); });
  }
}
