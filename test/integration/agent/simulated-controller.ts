/**
 * A controller for tests of the agent: proto/sync.proto over real mutual TLS, with a short history. A Hello of a version that
 * the history still has gets deltas, any other a resync. It sends as fast as the stream takes it.
 */
import type * as grpc from '@grpc/grpc-js';
import { addService, createServer, listen, type Draft } from '../../../proto/load.ts';
import { Sync, type Ack, type ApplianceMessage, type Batch, type ControllerMessage, type Hello, type Name, type Status } from '../../../proto/sync.ts';
import { serverCredentials } from '../../../mgmt/pki/credentials.ts';
import { keyOf, SIZES } from '../../../mgmt/agent/refusals.ts';

export interface Change { batches: Batch[]; names: Name[] }

/** What a controller keeps: it survives a kill. */
export class History {
  readonly stateId: string;
  version = 0;
  /** Changes since version `oldest`. */
  readonly changes: { version: number; change: Change }[] = [];
  readonly table = new Map<string, { kind: number; bytes: Buffer }>();
  readonly names = new Map<string, Name>();
  constructor(stateId: string) { this.stateId = stateId; }

  add(change: Change): number {
    this.version++;
    this.changes.push({ version: this.version, change });
    for (const { kind, count, records } of change.batches) {
      const size = SIZES[kind] ?? records.length / count;
      for (let at = 0; at < count; at++) {
        const bytes = records.subarray(at * size, (at + 1) * size);
        this.table.set(keyOf(kind, bytes), { kind, bytes });
      }
    }
    for (const name of change.names) {
      if (name.name === '') this.names.delete(`${name.of} ${name.id}`);
      else this.names.set(`${name.of} ${name.id}`, name);
    }
    return this.version;
  }

  /** The whole table as changes of at most `records` records. */
  snapshot(records: number): Change[] {
    const kinds = Map.groupBy(this.table.values(), ({ kind }) => kind);
    const changes: Change[] = [];
    for (const [kind, entries] of kinds) {
      for (let at = 0; at < entries.length; at += records) {
        const part = entries.slice(at, at + records);
        changes.push({ batches: [{ kind, count: part.length, records: Buffer.concat(part.map(({ bytes }) => bytes)) }], names: [] });
      }
    }
    changes.push({ batches: [], names: [...this.names.values()] });
    return changes;
  }
}

type Call = grpc.ServerDuplexStream<ApplianceMessage, Draft<ControllerMessage>>;

export interface Meeting { call: Call; hello: Hello; resync: boolean; acks: Ack[]; statuses: Status[]; ended: boolean }

export class SimulatedController {
  readonly history: History;
  readonly meetings: Meeting[] = [];
  /** Records per Update of a resync, and how many of its messages are sent before the controller stops for good. */
  resyncRecords = 1000;
  stopResyncAfter = Infinity;
  readonly #server = createServer();
  #nonce = 0;
  #epoch = 0;
  #queues = new Map<Call, Draft<ControllerMessage>[]>();

  private constructor(history: History) { this.history = history; }

  static async start(history: History, address: string, pki: string, name = 'controller'): Promise<{ controller: SimulatedController; port: number }> {
    const controller = new SimulatedController(history);
    addService(controller.#server, Sync, { stream: (call) => controller.#meet(call) });
    return { controller, port: await listen(controller.#server, address, serverCredentials(pki, name)) };
  }

  kill(): void { this.#server.forceShutdown(); }

  get session(): Meeting | undefined { return this.meetings.findLast((meeting) => !meeting.ended); }
  /** Messages that the streams did not take yet: what a real controller would have to coalesce. */
  get waiting(): number { return [...this.#queues.values()].reduce((sum, queue) => sum + queue.length, 0); }

  /** A new version, sent to whoever is in session. */
  change(change: Change): number {
    const version = this.history.add(change);
    for (const { call, ended } of this.meetings) if (!ended) this.#send(call, { update: { nonce: ++this.#nonce, version, ...change } });
    return version;
  }

  #meet(call: Call): void {
    let meeting: Meeting | undefined;
    const over = (): void => { if (meeting) meeting.ended = true; this.#queues.delete(call); };
    call.on('cancelled', over).on('error', over).on('end', () => { over(); call.end(); });
    call.on('drain', () => this.#flush(call));
    call.on('data', ({ hello, ack, status }: ApplianceMessage) => {
      if (hello) {
        const oldest = this.history.changes[0]?.version ?? this.history.version + 1;
        const resync = hello.version === 0 || hello.stateId !== this.history.stateId || hello.version + 1 < oldest || hello.version > this.history.version;
        meeting = { call, hello, resync, acks: [], statuses: [], ended: false };
        this.meetings.push(meeting);
        this.#queues.set(call, []);
        this.#send(call, { welcome: { controller: 'simulated', stateId: this.history.stateId, resync } });
        this.#catchUp(call, hello, resync);
      }
      if (ack) meeting?.acks.push(ack);
      if (status) meeting?.statuses.push(status);
    });
  }

  #catchUp(call: Call, hello: Hello, resync: boolean): void {
    if (!resync) {
      for (const { version, change } of this.history.changes) {
        if (version > hello.version) this.#send(call, { update: { nonce: ++this.#nonce, version, ...change } });
      }
      return;
    }
    const epoch = ++this.#epoch;
    this.#send(call, { beginResync: { epoch } });
    const parts = this.history.snapshot(this.resyncRecords);
    for (const change of parts.slice(0, this.stopResyncAfter)) this.#send(call, { update: { nonce: ++this.#nonce, version: 0, ...change } });
    if (parts.length <= this.stopResyncAfter) this.#send(call, { endResync: { nonce: ++this.#nonce, epoch, version: this.history.version, force: true } });
  }

  #send(call: Call, message: Draft<ControllerMessage>): void {
    this.#queues.get(call)?.push(message);
    this.#flush(call);
  }

  #flush(call: Call): void {
    const queue = this.#queues.get(call);
    while (queue?.length && !call.writableNeedDrain) call.write(queue.shift()!);
  }
}
