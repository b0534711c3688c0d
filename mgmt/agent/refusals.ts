/**
 * The records that this appliance refuses now. A refusal is logged once and stays visible until the same record is accepted,
 * or a whole resync passed without it; it outlives the agent in a small file. Records are looked at here alone, and only when
 * one was refused or something is still refused.
 */
import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import * as R from '../../wasm-core/records.ts';
import type { RefusedRecord } from '../../proto/appliance.ts';
import type { Ack, Refusal, Update } from '../../proto/sync.ts';

/** More are counted, not kept: an operator reads the first ones. */
export const KEPT = 1000;

const dotted = (bytes: Buffer, at: number): string => bytes.subarray(at, at + 4).join('.');

/** What a record is about, in words; two records with the same words are about the same thing. */
export function keyOf(kind: number, r: Buffer): string {
  switch (kind) {
    case R.RECORD_ROUTE: return `route ${dotted(r, R.RT_PREFIX)}/${r.readUInt8(R.RT_LENGTH)} in VRF ${r.readUInt32LE(R.RT_VRF)}`;
    case R.RECORD_NEXTHOP: return `next hop ${r.readUInt32LE(R.NX_ID)}`;
    case R.RECORD_ECMP: return `slot ${r.readUInt32LE(R.EC_SLOT)} of ECMP next hop ${r.readUInt32LE(R.EC_NEXTHOP)}`;
    case R.RECORD_LABEL: return `label ${r.readUInt32LE(R.LB_LABEL)}`;
    case R.RECORD_FLOATING_IP: return `floating IP ${dotted(r, R.FL_PUBLIC)} of interface ${r.readUInt16LE(R.FL_INTERFACE)} in VRF ${r.readUInt32LE(R.FL_VRF)}`;
    case R.RECORD_INTERFACE: return `interface ${r.readUInt32LE(R.IX_ID)}`;
    case R.RECORD_VRF: return `VRF ${r.readUInt32LE(R.VR_ID)}`;
    default: return `record of the unknown kind ${kind}`;
  }
}

export const SIZES: Readonly<Record<number, number>> = {
  [R.RECORD_ROUTE]: R.RT_SIZE, [R.RECORD_NEXTHOP]: R.NX_SIZE, [R.RECORD_ECMP]: R.EC_SIZE, [R.RECORD_LABEL]: R.LB_SIZE,
  [R.RECORD_FLOATING_IP]: R.FL_SIZE, [R.RECORD_INTERFACE]: R.IX_SIZE, [R.RECORD_VRF]: R.VR_SIZE,
};

/** A removal that finds nothing has come to what it is for (docs/sync.md, Refusals). */
const isRefusal = ({ code }: Refusal): boolean => code !== R.RESULT_NOT_FOUND;

interface Kept { record: RefusedRecord; round: number }
interface File { stateId: string; records: (Omit<RefusedRecord, 'record'> & { record: string })[] }

export class Refusals {
  readonly #path: string;
  readonly #log: (text: string) => void;
  #stateId = '';
  #kept = new Map<string, Kept>();
  #overflow = 0;
  /** Raised by every resync; what was refused before the current one goes when it ends. */
  #round = 0;

  /** `path`: the file; `log` is told each new refusal. An unreadable file only loses what it showed. */
  constructor(path: string, log: (text: string) => void) {
    this.#path = path;
    this.#log = log;
    try {
      const file = JSON.parse(readFileSync(path, 'utf8')) as File;
      this.#stateId = file.stateId;
      for (const record of file.records) this.#kept.set(record.key, { record: { ...record, record: Buffer.from(record.record, 'hex') }, round: 0 });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') log(`${path} is not readable, earlier refusals are forgotten: ${(error as Error).message}`);
    }
  }

  get count(): number { return this.#kept.size + this.#overflow; }
  list(): RefusedRecord[] { return [...this.#kept.values()].map(({ record }) => record); }

  /** The controller's history that what follows belongs to: refusals of another one are no longer of interest. */
  setHistory(stateId: string): void {
    if (stateId === this.#stateId) return;
    this.#stateId = stateId;
    this.#kept.clear();
    this.#overflow = 0;
    this.#save();
  }

  resyncBegun(): void { this.#round++; this.#overflow = 0; }

  resyncEnded(): void {
    let changed = false;
    for (const [key, { round }] of this.#kept) {
      if (round < this.#round) changed = this.#kept.delete(key) || changed;
    }
    if (changed) this.#save();
  }

  /** True when `acknowledged` has something to learn from the opened Update. */
  concerns(ack: Ack): boolean { return ack.refusals.some(isRefusal) || this.#kept.size > 0; }

  /** Takes in what became of an Update: its refused records are kept, its accepted ones are no longer refused. */
  acknowledged(update: Update, ack: Ack): void {
    if (ack.error !== '') return; // refused as a whole: nothing of it was tried
    const refused = new Map(ack.refusals.filter(isRefusal).map((refusal) => [`${refusal.batch}/${refusal.record}`, refusal]));
    let changed = false;
    for (const [batchIndex, batch] of update.batches.entries()) {
      const size = SIZES[batch.kind];
      for (let index = 0; index < batch.count; index++) {
        const refusal = refused.get(`${batchIndex}/${index}`);
        if (!refusal && this.#kept.size === 0) continue;
        const record = size === undefined ? batch.records : batch.records.subarray(index * size, (index + 1) * size);
        const key = size === record.length ? keyOf(batch.kind, record) : `record ${index} of a batch of kind ${batch.kind}, ${record.length} bytes`;
        if (!refusal) {
          changed = this.#kept.delete(key) || changed;
          continue;
        }
        const known = this.#kept.get(key);
        const same = known?.record.reason === refusal.reason;
        if (!known && this.#kept.size >= KEPT) {
          if (this.#overflow++ === 0) this.#log(`more than ${KEPT} records are refused; the rest is counted only`);
          continue;
        }
        if (!same) this.#log(`refused ${key}: ${refusal.reason} (code ${refusal.code}, version ${update.version})`);
        this.#kept.set(key, {
          record: { kind: batch.kind, key, record: Buffer.from(record), code: refusal.code, reason: refusal.reason, version: update.version, since: same ? known!.record.since : new Date().toISOString() },
          round: this.#round,
        });
        changed = true;
      }
    }
    if (changed) this.#save();
  }

  /** Whole or not at all. The file is a convenience: that it cannot be written must not stop the stream. */
  #save(): void {
    const file: File = { stateId: this.#stateId, records: this.list().map((record) => ({ ...record, record: record.record.toString('hex') })) };
    try {
      writeFileSync(`${this.#path}.new`, JSON.stringify(file));
      renameSync(`${this.#path}.new`, this.#path);
    } catch (error) {
      this.#log(`${this.#path} cannot be written: ${(error as Error).message}`);
    }
  }
}
