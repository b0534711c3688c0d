/**
 * Routes that came in, kept on disk over a restart of the controller: appliances go on forwarding by them meanwhile, so they are
 * stale then, not unknown (RFC 4724 from our side). Peers could tell them again, so a file that is lost or damaged costs no more than a
 * resync of the appliances.
 */
import { mkdirSync, rmSync } from 'node:fs';
import { dirname } from 'node:path';
import { DatabaseSync, type StatementSync } from 'node:sqlite';
import type { ReceivedChange } from './adj-rib-in.ts';
import { vpnKey, type ReceivedPath } from './types.ts';

/** Raise it when what is written changes: files of other forms are thrown away. */
const SCHEMA = 1;
const TABLES = `
  CREATE TABLE route (key TEXT PRIMARY KEY, path TEXT NOT NULL) WITHOUT ROWID;
  CREATE TABLE meta (state_id TEXT NOT NULL, worked_in INTEGER NOT NULL);
`;

export class ReceivedRoutes {
  /** Whether appliances of this history have at most these routes: false when the last ones were not worked in before the end. */
  readonly workedIn: boolean;
  readonly #database: DatabaseSync;
  readonly #put: StatementSync;
  readonly #delete: StatementSync;
  readonly #mark: StatementSync;
  #marked: boolean;

  /** @param stateId of the store whose appliances go by these routes. */
  constructor(path: string, stateId: string) {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    this.#database = open(path);
    const meta = this.#database.prepare('SELECT state_id, worked_in FROM meta').get() as { state_id: string; worked_in: number } | undefined;
    this.workedIn = this.#marked = meta?.state_id === stateId && meta.worked_in === 1;
    this.#database.exec('DELETE FROM meta');
    this.#database.prepare('INSERT INTO meta VALUES (?, ?)').run(stateId, Number(this.workedIn));
    this.#put = this.#database.prepare('INSERT OR REPLACE INTO route VALUES (?, ?)');
    this.#delete = this.#database.prepare('DELETE FROM route WHERE key = ?');
    this.#mark = this.#database.prepare('UPDATE meta SET worked_in = ?');
  }

  all(): ReceivedPath[] {
    return (this.#database.prepare('SELECT path FROM route').all() as { path: string }[]).map(({ path }) => JSON.parse(path) as ReceivedPath);
  }

  /** To be called before the changes are worked in. */
  write(changes: readonly ReceivedChange[]): void {
    if (changes.length === 0) return;
    this.#database.exec('BEGIN');
    if (this.#marked) this.#mark.run(0);
    this.#marked = false;
    for (const { before, after } of changes) {
      if (after) this.#put.run(keyOf(after), JSON.stringify(after));
      else if (before) this.#delete.run(keyOf(before));
    }
    this.#database.exec('COMMIT');
  }

  /** All that was written is worked in. */
  markWorkedIn(): void {
    if (this.#marked) return;
    this.#mark.run(1);
    this.#marked = true;
  }

  close(): void { this.#database.close(); }
}

function open(path: string): DatabaseSync {
  try {
    return prepared(path);
  } catch {
    for (const suffix of ['', '-wal', '-shm']) rmSync(path + suffix, { force: true });
    return prepared(path);
  }
}

function prepared(path: string): DatabaseSync {
  const database = new DatabaseSync(path);
  // What a loss of power takes away, peers tell again.
  database.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA locking_mode = EXCLUSIVE');
  const { user_version: schema } = database.prepare('PRAGMA user_version').get() as { user_version: number };
  if (schema === 0) database.exec(`BEGIN; ${TABLES} PRAGMA user_version = ${SCHEMA}; COMMIT`);
  else if (schema !== SCHEMA) {
    database.close();
    throw new Error(`${path} has schema ${schema}`);
  }
  return database;
}

const keyOf = (path: ReceivedPath): string => `${path.peer} ${vpnKey(path)}`;
