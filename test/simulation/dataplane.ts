/**
 * The dataplane of an appliance, as far as the control plane can tell it from the real one (firmware/host/control.ts, state-log.ts):
 * tables as strict as the core's, resync by mark and sweep, one Apply stream at a time, and a log of what became live, which is
 * replayed at a start. It says after each message what it did, so that invariants can be checked at that moment.
 */
import type { DataplaneMethods, ApplyRequest, Port } from '../../proto/dataplane.ts';
import { Dataplane } from '../../proto/dataplane.ts';
import { definitionOf, type Client, type Draft } from '../../proto/load.ts';
import type { Ack, EndResync, Name, Refusal, Update } from '../../proto/sync.ts';
import { LAYOUT_VERSION } from '../../wasm-core/layout.ts';
import { RESULT_NOT_FOUND, RESULT_OK } from '../../wasm-core/records.ts';
import { Tables } from '../integration/controller/simulated-appliance.ts';
import { unavailable, type End } from './network.ts';
import { Process, type World } from './world.ts';

/** Messages that wait for their turn in memory. */
const MAX_WAITING = 8;
/** An entry is on the disk, and survives a loss of power, after so long. */
const SYNC_MS = 200;
/** A larger share of a table is not swept without force. */
const GUARD_SHARE = 0.5;

const { requestDeserialize, responseSerialize } = definitionOf(Dataplane)['apply']!;
const decode = requestDeserialize as (bytes: Buffer) => ApplyRequest;

/** What a message did. `mark`: the state has a version now, and is all of it. */
export interface Applied { readonly what: string; readonly mark: boolean; readonly refusals: readonly Refusal[] }

/** The state, as it is live. */
export class Live {
  readonly tables = new Tables();
  /** By kind and id; `generation`: of the resync that brought it. */
  readonly names = new Map<string, { name: string; port: string; generation: number }>();
  stateId = '';
  version = 0;
  epoch: number | undefined;
  #generation = 0;

  /** @param replayed: it was allowed when it became live. */
  take(request: ApplyRequest, replayed = false): { ack: Draft<Ack> | undefined; applied: Applied } {
    if (request.message === 'stateId') {
      if (request.stateId !== this.stateId) this.version = 0;
      this.stateId = request.stateId ?? '';
      return { ack: undefined, applied: { what: `history ${this.stateId.slice(0, 8)}`, mark: false, refusals: [] } };
    }
    if (request.beginResync) {
      this.epoch = request.beginResync.epoch;
      this.version = 0;
      this.tables.mark();
      this.#generation++;
      return { ack: undefined, applied: { what: `resync ${this.epoch} begins`, mark: false, refusals: [] } };
    }
    if (request.update) return this.#update(request.update);
    if (request.endResync) return this.#endResync(request.endResync, replayed);
    throw new Error('an ApplyRequest of no kind that the dataplane knows');
  }

  #update({ nonce, version, batches, names }: Update): ReturnType<Live['take']> {
    const refusals: Refusal[] = [];
    batches.forEach((batch, index) => this.tables.applyBatch(batch).forEach((code, record) => {
      if (code !== RESULT_OK) refusals.push({ batch: index, record, code, reason: `result ${code} of a record of kind ${batch.kind}` });
    }));
    for (const name of names) this.#name(name);
    // The parts of a change bear the version before it.
    const mark = this.epoch === undefined && version !== 0 && version !== this.version;
    if (mark) this.version = version;
    const records = batches.reduce((sum, { count }) => sum + count, 0);
    return { ack: { nonce, version: this.version, refusals, error: '' }, applied: { what: `update ${nonce} to version ${version}: ${records} records, ${names.length} names`, mark, refusals: refusals.filter(({ code }) => code !== RESULT_NOT_FOUND) } };
  }

  #name({ of, id, name, port }: Name): void {
    if (name === '') this.names.delete(`${of} ${id}`);
    else this.names.set(`${of} ${id}`, { name, port, generation: this.#generation });
  }

  #endResync({ nonce, epoch, version, force }: EndResync, replayed: boolean): ReturnType<Live['take']> {
    const refuse = (error: string): ReturnType<Live['take']> => ({ ack: { nonce, version: this.version, error }, applied: { what: `end of resync ${epoch} refused: ${error}`, mark: false, refusals: [] } });
    if (this.epoch !== epoch) return refuse(`EndResync of epoch ${epoch}, but ${this.epoch ?? 'none'} is under way`);
    if (!force && !replayed && this.tables.staleShare > GUARD_SHARE) return refuse(`the sweep would delete ${Math.round(this.tables.staleShare * 100)} %`);
    this.tables.sweep();
    for (const [key, { generation }] of this.names) if (generation !== this.#generation) this.names.delete(key);
    this.epoch = undefined;
    this.version = version;
    return { ack: { nonce, version, error: '' }, applied: { what: `resync ${epoch} ends at version ${version}`, mark: version !== 0, refusals: [] } };
  }

  /** Comparable text of all names. */
  nameText(): string { return [...this.names].map(([key, { name, port }]) => `${key} = ${name} ${port}`).sort().join('\n'); }
}

/** What survives the process: the messages that became live, and how many of them a loss of power leaves. */
export class StateDisk {
  readonly #entries: { readonly bytes: Buffer; readonly at: number }[] = [];

  append(bytes: Buffer, at: number): void { this.#entries.push({ bytes: Buffer.from(bytes), at }); }

  /** The last ones that were not on the disk yet may be lost. */
  losePower(world: World): void {
    const synced = this.#entries.findIndex(({ at }) => at > world.now - SYNC_MS);
    if (synced >= 0) this.#entries.splice(synced + world.random.below(this.#entries.length - synced + 1));
  }

  replay(): Live {
    const live = new Live();
    for (const { bytes } of this.#entries) live.take(decode(Buffer.from(bytes)), true);
    // Cut off in mid-resync: all is kept, and the controller begins anew.
    if (live.epoch !== undefined) live.version = 0;
    live.epoch = undefined;
    return live;
  }
}

export interface DataplaneHost {
  /** With what was on the disk. */
  started(live: Live): void;
  /** After each message, before its Ack. */
  applied(live: Live, applied: Applied): void;
}

export class SimulatedDataplane {
  readonly process: Process;
  readonly live: Live;
  readonly kind: string;
  readonly #world: World;
  readonly #disk: StateDisk;
  readonly #host: DataplaneHost;
  readonly #ports = new Map<string, Port>();
  #current: End | undefined;
  #turn: Promise<unknown> = Promise.resolve();
  /** Nothing is applied before. */
  stalledUntil = 0;

  /** A new process over what is on the disk. */
  constructor(world: World, name: string, kind: string, disk: StateDisk, host: DataplaneHost) {
    this.process = new Process(world, name);
    this.kind = kind;
    this.#world = world;
    this.#disk = disk;
    this.#host = host;
    this.live = disk.replay();
    host.started(this.live);
  }

  /** Its unary calls, as they are carried out here. */
  readonly calls: Pick<Client<DataplaneMethods>, 'getState' | 'ports' | 'lcores' | 'attachPort' | 'detachPort'> & { table(): Iterable<unknown> } = {
    getState: async () => {
      await this.#turn;
      const { stateId, version } = this.live;
      return { stateId, version, layoutVersion: LAYOUT_VERSION, profile: 'virtual', kind: this.kind, restored: false, coreSha256: '', startedMs: 0, totals: {}, pid: 1 };
    },
    ports: async () => ({ ports: [...this.#ports.values()].map(portState) }),
    lcores: async () => ({ lcores: [] }),
    attachPort: async (port = {}) => {
      const whole = { name: port.name ?? '', driver: 'tap', device: port.device ?? '', queues: 1 };
      this.#ports.set(whole.name, whole);
      return portState(whole);
    },
    detachPort: async ({ name = '' } = {}) => {
      const port = this.#ports.get(name);
      if (!port) throw Object.assign(unavailable(`there is no port "${name}"`), { code: 5 });
      this.#ports.delete(name);
      return portState(port);
    },
    table: () => [{ rows: [...this.live.names].filter(([key]) => key.startsWith('INTERFACE ')).map(([key, { name, port }]) => ({ fields: { id: key.slice('INTERFACE '.length), name, ...port ? { port } : {} } })) }],
  };

  /** An Apply stream: messages one after another, each Ack when its message is live. */
  accept(call: End): void {
    this.#current?.fail(unavailable('another Apply stream took over'));
    this.#current = call;
    let [waiting, cut] = [0, false];
    const isWanted = (): boolean => this.#current === call && !cut;
    call.on('error', () => { cut = true; });
    call.on('end', () => { void this.#inTurn(async () => call.end()); });
    call.on('data', (bytes: Buffer) => {
      if (++waiting >= MAX_WAITING) call.pause();
      void this.#inTurn(async () => {
        await this.#work();
        if (isWanted()) {
          const ack = this.#apply(bytes);
          if (ack) call.write((responseSerialize as (reply: unknown) => Buffer)({ ack }));
        }
        if (--waiting < MAX_WAITING) call.resume();
      });
    });
  }

  /** The time that a message takes. */
  async #work(): Promise<void> {
    const { random, now } = this.#world;
    await this.#world.pause(Math.max(this.stalledUntil - now, random.chance(90) ? random.below(3) : random.below(60)), this.process);
  }

  #apply(bytes: Buffer): Draft<Ack> | undefined {
    const { ack, applied } = this.live.take(decode(bytes));
    if (!ack?.error) this.#disk.append(bytes, this.#world.now);
    this.#host.applied(this.live, applied);
    return ack;
  }

  #inTurn(work: () => Promise<void>): Promise<void> {
    const result = this.#turn.then(work);
    this.#turn = result;
    return result;
  }
}

const portState = (port: Port) => ({ port, up: true, mac: '02:00:00:00:00:01', mtu: 1500, mode: 'copy', problem: '', queues: [], interface: 0, profile: false, missed: 0, txErrors: 0 });
