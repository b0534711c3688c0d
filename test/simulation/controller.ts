/** A controller in the simulation: the real engine and sync server over a store that it is given, killed and started at will. */
import { EventEmitter } from 'node:events';
import type * as grpc from '@grpc/grpc-js';
import type { Logger } from 'pino';
import { Engine, type Committed } from '../../mgmt/controller/engine.ts';
import type { Ranges } from '../../mgmt/controller/routing/numbering.ts';
import { isShared, type Store } from '../../mgmt/controller/store/store.ts';
import { awaitLive } from '../../mgmt/controller/api/await-live.ts';
import type { SessionSizes } from '../../mgmt/controller/sync/session.ts';
import { SyncServer } from '../../mgmt/controller/sync/server.ts';
import type { Operation } from '../../proto/config.ts';
import { definitionOf } from '../../proto/load.ts';
import { Sync, type ApplianceMessage, type ControllerMessage } from '../../proto/sync.ts';
import type { End } from './network.ts';
import { Process, type World } from './world.ts';

const { requestDeserialize, responseSerialize } = definitionOf(Sync)['stream']!;

/** What the sync server takes for a gRPC call: messages, a certificate, an ending. */
class ServerCall extends EventEmitter {
  readonly #end: End;
  readonly #appliance: string;
  readonly #world: World;
  readonly #controller: string;
  #over = false;

  constructor(world: World, controller: string, end: End, appliance: string) {
    super();
    this.#world = world;
    this.#controller = controller;
    this.#end = end;
    this.#appliance = appliance;
    end.on('data', (bytes: Buffer) => {
      if (!this.#over) this.emit('data', requestDeserialize(bytes) as ApplianceMessage);
    });
    end.on('drain', () => this.emit('drain'));
    end.on('end', () => this.emit('end'));
    end.on('error', () => {
      this.#over = true;
      this.emit('cancelled');
    });
  }

  getPeer(): string { return this.#appliance; }
  getAuthContext(): unknown { return { sslPeerCertificate: { subject: { CN: this.#appliance, OU: 'appliance' } } }; }

  write(message: ControllerMessage): boolean {
    if (this.#over) return false;
    const bytes = responseSerialize(message) as Buffer;
    this.#world.trace(`${this.#controller} → ${this.#appliance}: ${describe(message)}`);
    return this.#end.write(bytes);
  }

  end(): void { this.#end.end(); }
  pause(): void { this.#end.pause(); }
  resume(): void { this.#end.resume(); }

  /** As gRPC's server does it: an error is the status that the call ends with. */
  override emit(event: string, ...values: unknown[]): boolean {
    if (event === 'error' && !this.#over) {
      this.#over = true;
      const { code, details } = values[0] as grpc.StatusObject;
      this.#world.trace(`${this.#controller} → ${this.#appliance}: the stream ends with status ${code}: ${details}`);
      this.#end.fail(Object.assign(new Error(details), { code, details }) as grpc.ServiceError);
    }
    return super.emit(event, ...values);
  }
}

function describe({ welcome, beginResync, update, endResync }: ControllerMessage): string {
  if (welcome) return `welcome, ${welcome.resync ? 'a resync follows' : 'changes follow'}`;
  if (beginResync) return `begin resync ${beginResync.epoch}`;
  if (update) return `update ${update.nonce} to version ${update.version}: ${update.batches.reduce((sum, { count }) => sum + count, 0)} records`;
  return `end resync ${endResync?.epoch} at version ${endResync?.version}${endResync?.force ? ', by force' : ''}`;
}

export interface ControllerOptions {
  readonly name: string;
  readonly ranges: Ranges;
  readonly sizes: SessionSizes;
  /** Opens its store for a process, whose death the store must notice by itself. */
  readonly openStore: (process: Process) => Promise<Store>;
  /** Before it serves. */
  readonly opened: (engine: Engine) => void;
}

export class SimulatedController {
  readonly name: string;
  readonly #world: World;
  readonly #options: ControllerOptions;
  #process: Process | undefined;
  engine: Engine | undefined;
  sync: SyncServer | undefined;
  #restart = (): void => {};

  constructor(world: World, options: ControllerOptions) {
    this.#world = world;
    this.#options = options;
    this.name = options.name;
  }

  /** The one that serves; undefined while there is none. */
  get process(): Process | undefined { return this.sync && this.#process; }
  get isUp(): boolean { return this.#process !== undefined; }

  start(): void {
    this.#restart();
    if (this.#process) return;
    this.#world.trace(`${this.name} starts`);
    const process = this.#process = new Process(this.#world, this.name);
    void this.#open(process).catch((error: unknown) => {
      // Whoever supervises it tries again.
      this.#world.trace(`${this.name} cannot start: ${String(error)}`);
      if (this.#process === process) this.crash(500);
    });
  }

  async #open(process: Process): Promise<void> {
    const { ranges, sizes, openStore } = this.#options;
    const store = await openStore(process);
    if (isShared(store)) {
      store.on('lost', (error) => {
        this.#world.trace(`${this.name}: ${error.message}`);
        if (this.#process === process) this.crash(500);
      });
    }
    const engine = await Engine.open(store, { newUuid: this.#world.newUuid, ranges });
    this.#options.opened(engine);
    const sync = new SyncServer(engine, this.name, this.#log(), { clock: process, sizes });
    this.engine = engine;
    this.sync = sync;
    this.#world.trace(`${this.name} serves from version ${engine.version}`);
  }

  /** Dies at once, and comes back after some time. */
  crash(restartMs: number): void {
    if (!this.#process) return;
    this.#world.trace(`${this.name} is killed`);
    this.engine = this.sync = undefined;
    this.#process.kill();
    this.#process = undefined;
    this.#restart = this.#world.after(restartMs, () => this.start());
  }

  /** An appliance's stream. */
  accept(end: End, appliance: string): void {
    if (!this.sync) throw new Error(`${this.name} does not serve`);
    const call = new ServerCall(this.#world, this.name, end, appliance);
    void this.sync.handlers.stream(call as unknown as Parameters<SyncServer['handlers']['stream']>[0]);
  }

  commit(operations: readonly Operation[]): Promise<Committed> {
    if (!this.engine) throw new Error(`${this.name} does not serve`);
    return this.engine.commit(operations);
  }

  /** Resolves when a version is live at every appliance in session; names of those that are not. */
  async awaitLive(version: number): Promise<readonly string[]> {
    const { engine, sync } = this;
    if (!engine || !sync) throw new Error(`${this.name} does not serve`);
    const { absent } = await awaitLive(engine, sync, { version, appliance: '' }, () => false, () => {});
    return absent ?? [];
  }

  #log(): Logger {
    const say = (fields: unknown, text?: string): void => this.#world.trace(`${this.name} logs: ${text ?? String(fields)}`);
    const log = { child: () => log, info: say, warn: say, error: say };
    return log as unknown as Logger;
  }
}
