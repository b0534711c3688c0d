/**
 * Routes that came in, kept on disk over a restart of the controller: appliances go on forwarding by them meanwhile, so they are
 * stale then, not unknown (RFC 4724 from our side). Peers could tell them again, so a file that is lost or damaged costs no more than a
 * resync of the appliances.
 *
 * It is a log: what comes in one go is a row or two, since a row for each route costs more than all else that is done with it. When
 * most of the log is out of date it is written anew.
 */
import { mkdirSync, rmSync } from 'node:fs';
import { dirname } from 'node:path';
import { DatabaseSync, type StatementSync } from 'node:sqlite';
import type { ReceivedChange } from './adj-rib-in.ts';
import { receivedKey, type ReceivedPath } from './types.ts';

/** Raise it when what is written changes: files of other forms are thrown away. */
const SCHEMA = 2;
const TABLES = `
  CREATE TABLE batch (id INTEGER PRIMARY KEY, entries INTEGER NOT NULL, changes TEXT NOT NULL);
  CREATE TABLE meta (state_id TEXT NOT NULL, worked_in INTEGER NOT NULL);
`;
/** Of one row. */
const ENTRIES = 10_000;
/** Entries that the log may have beyond two for each route that is there. */
const SLACK = 10_000;

/** A route that came or changed, or the key of one that went. */
type Entry = ReceivedPath | string;

export class ReceivedRoutes {
  /** Whether appliances of this history have at most these routes: false when the last ones were not worked in before the end. */
  readonly workedIn: boolean;
  readonly #database: DatabaseSync;
  readonly #append: StatementSync;
  readonly #mark: StatementSync;
  #marked: boolean;
  /** How many the log has. */
  #entries: number;

  /** @param stateId of the store whose appliances go by these routes. */
  constructor(path: string, stateId: string) {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    this.#database = open(path);
    const meta = this.#database.prepare('SELECT state_id, worked_in FROM meta').get() as { state_id: string; worked_in: number } | undefined;
    this.workedIn = this.#marked = meta?.state_id === stateId && meta.worked_in === 1;
    this.#database.exec('DELETE FROM meta');
    this.#database.prepare('INSERT INTO meta VALUES (?, ?)').run(stateId, Number(this.workedIn));
    this.#append = this.#database.prepare('INSERT INTO batch (entries, changes) VALUES (?, ?)');
    this.#mark = this.#database.prepare('UPDATE meta SET worked_in = ?');
    this.#entries = (this.#database.prepare('SELECT total(entries) AS entries FROM batch').get() as { entries: number }).entries;
  }

  /** What the file held when it was opened, and what was written since. */
  all(): ReceivedPath[] {
    const paths = new Map<string, ReceivedPath>();
    for (const { changes } of this.#database.prepare('SELECT changes FROM batch ORDER BY id').iterate() as Iterable<{ changes: string }>) {
      for (const entry of JSON.parse(changes) as Entry[]) {
        if (typeof entry === 'string') paths.delete(entry);
        else paths.set(receivedKey(entry), entry);
      }
    }
    return [...paths.values()];
  }

  /**
   * To be called before the changes are worked in.
   *
   * @param present all that is there after them, by `receivedKey`.
   * @throws when the disk does not take it: then nothing of it is written.
   */
  write(changes: readonly ReceivedChange[], present: ReadonlyMap<string, ReceivedPath>): void {
    if (changes.length === 0) return;
    const anew = this.#entries + changes.length > 2 * present.size + SLACK;
    const entries: Entry[] = anew ? [...present.values()] : changes.flatMap(({ before, after }) => after ?? (before ? receivedKey(before) : []));
    this.#database.exec('BEGIN');
    try {
      if (this.#marked) this.#mark.run(0);
      if (anew) this.#database.exec('DELETE FROM batch');
      for (let at = 0; at < entries.length; at += ENTRIES) {
        const some = entries.slice(at, at + ENTRIES);
        this.#append.run(some.length, JSON.stringify(some));
      }
      this.#database.exec('COMMIT');
    } catch (error) {
      if (this.#database.isTransaction) this.#database.exec('ROLLBACK');
      throw error;
    }
    this.#marked = false;
    this.#entries = (anew ? 0 : this.#entries) + entries.length;
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
