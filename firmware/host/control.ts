/**
 * The one writer of the tables: takes the sync stream's messages, applies them by the control instance of the core, and
 * answers when they are live in every lcore. The same path replays the state log at start.
 */
import { definitionOf } from '../../proto/load.ts';
import { Dataplane, type ApplyRequest } from '../../proto/dataplane.ts';
import type { Ack, Batch, EndResync, Refusal, Update } from '../../proto/sync.ts';
import { LCORE_CONTROL, RESULTS } from '../../wasm-core/layout.ts';
import {
  RECORD_ECMP, RECORD_FLOATING_IP, RECORD_INTERFACE, RECORD_LABEL, RECORD_NEXTHOP, RECORD_ROUTE, RECORD_VRF,
} from '../../wasm-core/records.ts';
import type { Announcer } from './announcer.ts';
import { applyBatch, faultOf } from './apply.ts';
import type { CoreExports } from './core.ts';
import { writeClock } from './clock.ts';
import type { Epochs } from './epochs.ts';
import type { Logger } from './log.ts';
import type { MemoryViews } from './memory.ts';
import type { Names } from './names.ts';
import { RECORD_KINDS } from './results.ts';
import { snapshot } from './snapshot.ts';
import type { StateLog } from './state-log.ts';

/** Longest time without the event loop (watchdog, other calls) having its turn between chunks of records. */
const TURN_MS = 3;
/** A sweep of more than this share of a table of at least GUARD_RECORDS needs `force`. */
const GUARD_SHARE = 0.5;
const GUARD_RECORDS = 100;
/** What refers to others goes first. */
const SWEEP_ORDER = [RECORD_ROUTE, RECORD_LABEL, RECORD_FLOATING_IP, RECORD_ECMP, RECORD_NEXTHOP, RECORD_INTERFACE, RECORD_VRF];
const GUARDED = SWEEP_ORDER.filter((kind) => kind !== RECORD_ECMP);

export interface ControlOptions {
  readonly views: MemoryViews;
  readonly core: CoreExports;
  readonly epochs: Epochs;
  readonly names: Names;
  readonly log: Logger;
  readonly stateLog: StateLog;
}

export class Control {
  readonly #options: ControlOptions;
  stateId = '';
  /** Last version that is live; 0 during a resync. */
  version = 0;
  #resyncEpoch: number | undefined;
  /** After names or interfaces changed: interfaces are bound to ports anew. */
  onBindings: () => void = () => {};
  /** Tells neighbours of floating IPs; absent during the replay. */
  announcer: Announcer | undefined;
  #turn: Promise<unknown> = Promise.resolve();
  #lastTurn = 0;

  constructor(options: ControlOptions) {
    this.#options = options;
  }

  /** Replays what the state log held; returns how many records could not be applied again. */
  async replay(entries: readonly Buffer[]): Promise<number> {
    const decode = definitionOf(Dataplane)['apply']!.requestDeserialize as (bytes: Buffer) => ApplyRequest;
    let refused = 0;
    for (const entry of entries) {
      const request = decode(entry);
      if (request.endResync) request.endResync.force = true; // it was allowed when it became live
      const ack = await this.#take(request);
      refused += ack?.refusals.length ?? 0;
    }
    if (this.#resyncEpoch !== undefined) this.version = 0; // cut off in mid-resync: all is kept, and the controller begins anew
    this.#resyncEpoch = undefined;
    return refused;
  }

  /**
   * Makes a message live, in the order of the calls. `isWanted` is asked when its turn comes.
   * @param raw the message as it came: what goes to disk
   * @returns its Ack; undefined where the message wants none
   */
  apply(request: ApplyRequest, raw: Buffer, isWanted: () => boolean): Promise<Ack | undefined> {
    return this.#inTurn(async () => {
      if (!isWanted()) return undefined;
      const ack = await this.#take(request);
      if (ack === undefined || ack.error === '') this.#persist(raw);
      return ack;
    });
  }

  /** Resolved when nothing that was handed in before is under way. */
  settled(): Promise<void> {
    return this.#inTurn(async () => {});
  }

  /** Now and then, when nothing changes: memory and neighbours that became free are given back, a gap in the state log is closed. */
  upkeep(): Promise<void> {
    return this.#inTurn(async () => {
      this.#options.core.collect();
      await this.#compact();
    });
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#turn.then(() => {
      writeClock(this.#options.views, LCORE_CONTROL);
      return work();
    });
    this.#turn = result.catch(() => {});
    return result;
  }

  async #take(request: ApplyRequest): Promise<Ack | undefined> {
    switch (request.message) {
      case 'stateId':
        if (request.stateId !== this.stateId) this.version = 0;
        this.stateId = request.stateId ?? '';
        return undefined;
      case 'beginResync':
        this.#resyncEpoch = request.beginResync?.epoch ?? 0;
        this.version = 0;
        this.#options.core.resyncBegin();
        this.#options.names.mark();
        return undefined;
      case 'update':
        return request.update ? this.#update(request.update) : undefined;
      case 'endResync':
        return request.endResync ? this.#endResync(request.endResync) : undefined;
      default:
        return undefined;
    }
  }

  async #update(update: Update): Promise<Ack> {
    const fault = faultOf(update);
    if (fault !== undefined) return this.#ack(update.nonce, fault);
    const refusals: Refusal[] = [];
    this.#lastTurn = performance.now();
    for (const [index, batch] of update.batches.entries()) await this.#applyBatch(batch, index, refusals);
    await this.#publish();
    const named = this.#options.names.take(update.names);
    if (named || update.batches.some(({ kind }) => kind === RECORD_INTERFACE)) this.onBindings();
    this.announcer?.announce();
    if (this.#resyncEpoch === undefined && update.version !== 0) this.version = update.version;
    return { ...this.#ack(update.nonce, ''), refusals };
  }

  async #applyBatch(batch: Batch, index: number, refusals: Refusal[]): Promise<void> {
    const { views, core } = this.#options;
    for (const refused of applyBatch(views, core, batch)) {
      if (batch.kind === RECORD_ROUTE) this.announcer?.collect();
      for (const refusal of refused) refusals.push({ batch: index, ...refusal });
      if (performance.now() - this.#lastTurn > TURN_MS) await this.#giveTurn();
    }
  }

  async #endResync(end: EndResync): Promise<Ack> {
    const { core, names, log, views } = this.#options;
    if (this.#resyncEpoch !== end.epoch) {
      const begun = this.#resyncEpoch === undefined ? 'none is under way' : `${this.#resyncEpoch} is under way`;
      return this.#ack(end.nonce, `EndResync of epoch ${end.epoch}, but ${begun}: begin with BeginResync`);
    }
    const beyond = end.force ? [] : GUARDED.map((kind) => this.#guard(kind)).filter((text) => text !== undefined);
    if (beyond.length > 0) return this.#ack(end.nonce, `the sweep would delete ${beyond.join(', ')}: send EndResync with force if that is meant`);
    let swept = 0;
    for (const kind of SWEEP_ORDER) {
      for (let isMore = true; isMore;) {
        swept += core.sweep(kind);
        isMore = views.u32[RESULTS >>> 2] !== 0; // before anybody else has a turn
        await this.#giveTurn();
      }
    }
    names.sweep();
    this.onBindings();
    await this.#publish();
    this.#resyncEpoch = undefined;
    this.version = end.version;
    log.info({ version: end.version, swept }, 'resync is complete');
    return this.#ack(end.nonce, '');
  }

  /** What a sweep would do to a table, when that is beyond the guard. */
  #guard(kind: number): string | undefined {
    const total = this.#options.core.total(kind);
    const stale = this.#options.core.staleCount(kind);
    if (total < GUARD_RECORDS || stale <= total * GUARD_SHARE) return undefined;
    return `${stale} of ${total} records of the table "${RECORD_KINDS[kind]?.name ?? kind}" (more than ${GUARD_SHARE * 100} %)`;
  }

  /** What was written is live in every lcore when this resolves. */
  async #publish(): Promise<void> {
    await this.#options.epochs.pass();
    this.#options.core.collect();
  }

  #persist(raw: Buffer): void {
    const { stateLog, log } = this.#options;
    try {
      stateLog.append(raw);
    } catch (error) {
      log.error({ err: error }, 'the state log cannot be written: the tables are live, but a restart knows nothing from this change on, until a snapshot can be written');
    }
    if (this.#wantsCompaction()) void this.#inTurn(() => this.#compact());
  }

  async #compact(): Promise<void> {
    const { stateLog, log, views, core, names } = this.#options;
    if (!this.#wantsCompaction()) return;
    const started = performance.now();
    const before = stateLog.size;
    try {
      await stateLog.compact(snapshot(views, core, names, this.stateId, this.version));
      log.info({ before, after: stateLog.size, ms: Math.round(performance.now() - started) }, 'state log compacted');
    } catch (error) {
      log.error({ err: error }, 'the state log cannot be compacted; it goes on growing');
    }
  }

  #wantsCompaction(): boolean {
    if (this.#resyncEpoch !== undefined) return false;
    const live = Object.entries(RECORD_KINDS).reduce((bytes, [kind, { size }]) => bytes + this.#options.core.total(Number(kind)) * size, 0);
    return this.#options.stateLog.wantsCompaction(live);
  }

  #ack(nonce: number, error: string): Ack {
    return { nonce, version: this.version, refusals: [], error };
  }

  async #giveTurn(): Promise<void> {
    await new Promise((resolve) => setImmediate(resolve));
    this.#lastTurn = performance.now();
  }
}
