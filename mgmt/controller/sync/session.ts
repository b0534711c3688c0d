/**
 * One appliance's stream. It holds keys of what the appliance lacks, never the records: what is sent is packed at the moment
 * when there is room for it, so a slow appliance gets the present and costs a bounded set of keys. See docs/sync.md.
 */
import { KeySet, MAX_KEYS } from '../compile/keys.ts';
import type { Appliance } from '../compile/appliance.ts';
import { describeRecord } from '../compile/describe.ts';
import { leaveToWalk, MAX_UPDATE_BYTES, packAll, Packer, packKeys, packPresent, STAGE, type Batch, type Packed, type Stage } from '../compile/pack.ts';
import { RESULT_NOT_FOUND } from '../../../wasm-core/records.ts';
import type { Ack, ControllerMessage } from '../../../proto/sync.ts';
import type { Draft } from '../../../proto/load.ts';

/** Messages that may wait for their acknowledgement. */
export const MAX_IN_FLIGHT = 4;
/** Refused records that are remembered, the latest ones. */
const MAX_REFUSED = 1000;

export interface RefusedRecord { readonly record: string; readonly code: number; readonly reason: string; readonly version: number }

/** How a session begins. */
export type Opening =
  | { readonly kind: 'delta'; readonly version: number; readonly keys: KeySet }
  /** `sweepFirst`: what the appliance holds is of another history, whose ids mean other things; it goes before ours come. */
  | { readonly kind: 'resync'; readonly force: boolean; readonly sweepFirst: boolean };

/** Bytes of records and names in one update, about; keys that may wait before all is sent anew. A simulation has small ones. */
export interface SessionSizes { readonly updateBytes?: number; readonly maxKeys?: number }

/** What a session needs of its surroundings. */
export interface SessionHost {
  /** The state as it is now; undefined: the appliance is no more. */
  state(): Appliance | undefined;
  /** False while the state is ahead of the store. */
  settled(): boolean;
  /** A version is live at the appliance. */
  live(version: number): void;
  /** Writes a message; false: no more until `drained`. */
  write(message: Draft<ControllerMessage>): boolean;
  /** After a refusal of a whole message: call `retry` after some time. */
  retryLater(): void;
}

interface Sent {
  readonly nonce: number;
  readonly version: number;
  readonly batches: readonly Batch[];
  /** The resync that ends with it. */
  readonly ends: Resync | undefined;
}

/** `walk`: undefined before its first step. */
interface Resync { readonly epoch: number; readonly force: boolean; readonly sweepOnly: boolean; walk: Walk | undefined; ended: boolean }

/** Over a state, which a controller may replace; `reached`: how far. */
interface Walk { readonly state: Appliance; readonly packer: Packer; readonly steps: Generator<Stage>; reached: Stage }

export class Session {
  readonly #host: SessionHost;
  readonly #updateBytes: number;
  readonly #dirty: KeySet;
  readonly #inFlight: Sent[] = [];
  readonly refused = new Map<string, RefusedRecord>();
  #resync: Resync | undefined;
  #epoch = 0;
  #nonce = 0;
  /** Version that the messages sent so far lead to; 0 = none that has a name. */
  #sent = 0;
  #blocked = false;
  #closed = false;
  live = 0;
  updates = 0;
  records = 0;
  problem = '';

  constructor(host: SessionHost, opening: Opening, { updateBytes = MAX_UPDATE_BYTES, maxKeys = MAX_KEYS }: SessionSizes = {}) {
    this.#host = host;
    this.#dirty = new KeySet(maxKeys);
    this.#updateBytes = updateBytes;
    if (opening.kind === 'delta') {
      this.#sent = this.live = opening.version;
      this.#dirty.merge(opening.keys);
    } else {
      this.#begin(opening.force, opening.sweepFirst);
    }
    this.pump();
  }

  get state(): 'resync' | 'behind' | 'in-sync' {
    if (this.#resync) return 'resync';
    return this.#inFlight.length > 0 || !this.#dirty.empty ? 'behind' : 'in-sync';
  }

  get unacknowledged(): number { return this.#inFlight.length; }
  /** Keys that wait: what a stalled appliance costs. */
  get pending(): number { return this.#dirty.size; }

  changed(keys: KeySet): void {
    this.#dirty.merge(keys);
    this.pump();
  }

  drained(): void {
    this.#blocked = false;
    this.pump();
  }

  close(): void { this.#closed = true; }

  /** Everything again. */
  resync(force: boolean): void {
    // What is of another history goes first, and then comes everything.
    if (!this.#resync?.sweepOnly) this.#begin(force, false);
    this.pump();
  }

  // ---- sending ---------------------------------------------------------------------------------------------------------------

  /** Sends as much as there is room for. */
  pump(): void {
    while (!this.#closed && !this.#blocked && this.#inFlight.length < MAX_IN_FLIGHT && this.#host.settled()) {
      const state = this.#host.state();
      if (!state || !this.#sendNext(state)) return;
    }
  }

  /** One message; false: there is nothing to send. */
  #sendNext(state: Appliance): boolean {
    const resync = this.#resync;
    if (resync?.sweepOnly) {
      if (resync.ended) return false;
      this.#sendEnd(resync, 0);
      return true;
    }
    if (this.#dirty.flooded || resync?.walk && !resync.ended && resync.walk.state !== state) this.#begin(true, false);
    if (this.#resync && !this.#resync.ended) return this.#walk(state, this.#resync);
    if (!this.#dirty.empty) return this.#sendKeys(state);
    if (this.#resync) return false;
    if (this.#sent === state.version) return false;
    // It has everything, but nothing said so: what changed after EndResync went without a version.
    this.#sendUpdate({ batches: [], names: [], records: 0 }, this.#sent = state.version);
    return true;
  }

  #sendKeys(state: Appliance): boolean {
    const packer = new Packer(this.#updateBytes);
    packKeys(state, this.#dirty, packer).next();
    if (packer.empty) {
      // Came and went before it was sent.
      this.#dirty.clear();
      return true;
    }
    if (!this.#resync && this.#dirty.empty) this.#sent = state.version;
    this.#sendUpdate(packer.take(), this.#resync ? 0 : this.#sent);
    return true;
  }

  /**
   * What changed goes before what is walked: the walk may come upon routes whose next hops are new. What was removed waits for the
   * sweep: what the appliance still holds of earlier may refer to it, until it is swept.
   */
  #walk(state: Appliance, resync: Resync): boolean {
    const walk = resync.walk ??= startWalk(state, this.#updateBytes);
    const changed = new Packer(this.#updateBytes);
    leaveToWalk(state, this.#dirty, walk.reached);
    packPresent(state, this.#dirty, changed).next();
    if (!changed.empty) {
      this.#sendUpdate(changed.take(), 0);
      return true;
    }
    const step = walk.steps.next();
    if (!step.done) walk.reached = step.value;
    if (!walk.packer.empty) this.#sendUpdate(walk.packer.take(), 0);
    // With something left to remove, it is at no version yet.
    if (step.done) this.#sendEnd(resync, this.#dirty.empty ? state.version : 0);
    return true;
  }

  #begin(force: boolean, sweepOnly: boolean): void {
    this.#dirty.clear();
    this.refused.clear();
    this.problem = '';
    this.#resync = { epoch: ++this.#epoch, force: force || sweepOnly, sweepOnly, walk: undefined, ended: false };
    this.#write({ beginResync: { epoch: this.#epoch } });
  }

  #sendEnd(resync: Resync, version: number): void {
    resync.ended = true;
    const nonce = ++this.#nonce;
    this.#inFlight.push({ nonce, version, batches: [], ends: resync });
    this.#write({ endResync: { nonce, epoch: resync.epoch, version, force: resync.force } });
  }

  #sendUpdate({ batches, names, records }: Packed, version: number): void {
    const nonce = ++this.#nonce;
    this.#inFlight.push({ nonce, version, batches, ends: undefined });
    this.updates++;
    this.records += records;
    this.#write({ update: { nonce, version, batches, names } });
  }

  #write(message: Draft<ControllerMessage>): void {
    if (!this.#host.write(message)) this.#blocked = true;
  }

  // ---- acknowledgements ------------------------------------------------------------------------------------------------------

  /** @throws when the appliance breaks the protocol: the stream is then ended. */
  acknowledged(ack: Ack): void {
    const sent = this.#inFlight.shift();
    if (!sent || sent.nonce !== ack.nonce) throw new Error(`ack of nonce ${ack.nonce}, expected ${sent ? sent.nonce : 'none'}: acknowledge every Update and EndResync once, in order`);
    if (ack.error) this.#refusedWhole(sent, ack.error);
    else {
      this.#noteRefusals(sent, ack);
      this.#goneLive(sent);
    }
    this.pump();
  }

  #goneLive(sent: Sent): void {
    // Another one may have begun, and even ended, since.
    if (sent.ends && sent.ends === this.#resync) {
      this.#resync = undefined;
      if (sent.ends.sweepOnly) return this.#begin(true, false);
      this.#sent = sent.version;
      this.problem = '';
    }
    if (sent.version === 0) return;
    this.live = sent.version;
    this.#host.live(sent.version);
  }

  #refusedWhole(sent: Sent, error: string): void {
    this.problem = error;
    if (sent.ends) {
      // A guard: only an operator can say that so much may go. Changes go on meanwhile, nothing is swept.
      this.problem = `${error} (resync it with force if that is meant)`;
      return;
    }
    this.#host.retryLater();
  }

  #noteRefusals(sent: Sent, ack: Ack): void {
    const refused = new Set<string>();
    for (const refusal of ack.refusals) {
      if (refusal.code === RESULT_NOT_FOUND) continue;
      const record = describeRecord(sent.batches[refusal.batch], refusal.record);
      refused.add(record);
      this.refused.delete(record);
      this.refused.set(record, { record, code: refusal.code, reason: refusal.reason, version: sent.version });
      if (this.refused.size > MAX_REFUSED) this.refused.delete(this.refused.keys().next().value!);
    }
    if (this.refused.size === refused.size) return;
    // What was refused before and is live now is no longer a problem.
    for (const batch of sent.batches) {
      for (let at = 0; at < batch.count; at++) {
        const record = describeRecord(batch, at);
        if (!refused.has(record)) this.refused.delete(record);
      }
    }
  }
}

function startWalk(state: Appliance, updateBytes: number): Walk {
  const packer = new Packer(updateBytes);
  return { state, packer, steps: packAll(state, packer), reached: STAGE.nothing };
}
