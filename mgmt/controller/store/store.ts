/**
 * What the controller must never lose, behind one interface: objects with their history, the numbers that were given out, and for
 * each appliance which of its records each version changed. A commit is whole or not at all, and durable when its promise resolves.
 */
import type { Kind } from '../model/kinds.ts';
import type { NumberRow, SlotsRow } from '../routing/numbering.ts';

/** An object as it is kept: `bytes` is a wrouter.config.v1.Object. */
export interface StoredRow { readonly kind: Kind; readonly name: string; readonly uuid: string; readonly version: number; readonly bytes: Uint8Array }

/** One step in an object's history. Deleted: `bytes` is the last state. */
export interface HistoryRow extends StoredRow { readonly deleted: boolean }

/**
 * What a version changed at one appliance. `keys` null: more than a set of keys holds, so earlier versions of it can no longer be
 * brought up to date by a delta.
 */
export interface ApplianceRow { readonly appliance: string; readonly keys: string | null }

export interface StoreCommit {
  /** The store's version plus one. */
  readonly version: number;
  readonly puts: readonly StoredRow[];
  readonly deletes: readonly StoredRow[];
  readonly numbers: readonly NumberRow[];
  readonly slots: readonly SlotsRow[];
  readonly appliances: readonly ApplianceRow[];
  /** Of the compile step, when it changed. */
  readonly format?: number;
  /** Who changed what: a wrouter.config.v1.AuditEntry. */
  readonly audit?: Uint8Array;
}

export interface AuditRow { readonly version: number; readonly bytes: Uint8Array }

/** Version of the last change of an appliance, and the oldest from which deltas are known. */
export interface ApplianceVersion { readonly appliance: string; readonly version: number; readonly floor: number }

export interface Store {
  /** Identity of this history; a restored backup or a new store has versions that mean something else. */
  readonly stateId: string;
  readonly version: number;
  objects(): Iterable<StoredRow>;
  numbers(): Iterable<NumberRow>;
  slots(): Iterable<SlotsRow>;
  appliances(): Iterable<ApplianceVersion>;
  /** @throws when it cannot be made durable; then nothing of it is kept. */
  commit(commit: StoreCommit): Promise<void>;
  /** Sets of keys that changed at an appliance after `version`, oldest first; undefined: not known any more. */
  changesSince(appliance: string, version: number): string[] | undefined;
  /** History after `version`, at most `limit` steps; undefined: not known any more. */
  history(version: number, limit: number): HistoryRow[] | undefined;
  /** Audit entries after `version`, at most `limit`; undefined: they are not known any more. */
  audit(version: number, limit: number): AuditRow[] | undefined;
  /** The oldest version after which audit entries are known. */
  readonly auditFloor: number;
  /** States of one object, newest first. */
  versionsOf(kind: Kind, name: string): HistoryRow[];
  /** The compile step's format: when it differs from the code's, appliances must be resynced. */
  readonly format: number;
  close(): void;
}

/**
 * A store that other controllers write to as well. Their commits wait until they are taken, so that what is read changes only
 * when its user says so; as long as one waits, or came first, commit() rejects with Overtaken.
 */
export interface SharedStore extends Store {
  /** Whether what the others commit is known here within a moment. Without it, what is read may be long out of date. */
  readonly inContact: boolean;
  /** "waiting": there is something to take. "contact": inContact changed. "lost": it can no longer follow the others, for good. */
  on(event: 'waiting' | 'contact', listener: () => void): unknown;
  on(event: 'lost', listener: (error: Error) => void): unknown;
  /** The next version, which what is read now includes; undefined: there is none. */
  take(): StoreCommit | undefined;
  /** Asks for what was committed before this call: all of it has been taken or waits when it resolves. True: something waits. */
  sync(): Promise<boolean>;
}

export const isShared = (store: Store): store is SharedStore => 'take' in store;

/** Another controller's commit came first. Nothing of this one is kept: take what waits, and decide anew. */
export class Overtaken extends Error {
  constructor(version: number) {
    super(`version ${version} was made by another controller`);
  }
}
