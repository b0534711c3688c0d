/**
 * The embedded store: one SQLite file in WAL mode, synchronous FULL, so that a commit is on the disk when it returns and a crash
 * at any point leaves the last commit or the one before it.
 */
import { randomUUID } from 'node:crypto';
import { DatabaseSync, type SQLInputValue, type StatementSync } from 'node:sqlite';
import type { Kind } from '../model/kinds.ts';
import type { NumberRow, SlotsRow } from '../routing/numbering.ts';
import type { ApplianceVersion, HistoryRow, Store, StoreCommit, StoredRow } from './store.ts';

/** Refuses files of a later program. Raise it with every change of the tables. */
const SCHEMA = 1;
/** Steps of history that are kept: versions, over all objects. */
const HISTORY_VERSIONS = 10_000;
/** Changes per appliance that are kept: beyond them an appliance is resynced. */
const APPLIANCE_CHANGES = 1_000;
/** History and changes are trimmed every so many versions: a hundredth of the work, a few rows more. */
const TRIM_EVERY = 100;

const TABLES = `
  CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
  CREATE TABLE object (kind TEXT, name TEXT, uuid TEXT NOT NULL, version INTEGER NOT NULL, created INTEGER NOT NULL, bytes BLOB NOT NULL, PRIMARY KEY (kind, name));
  CREATE TABLE history (id INTEGER PRIMARY KEY, version INTEGER NOT NULL, kind TEXT NOT NULL, name TEXT NOT NULL, uuid TEXT NOT NULL, deleted INTEGER NOT NULL, bytes BLOB NOT NULL);
  CREATE INDEX history_version ON history (version);
  CREATE INDEX history_object ON history (kind, name);
  CREATE TABLE number (scope TEXT, number INTEGER, key TEXT NOT NULL, freed INTEGER NOT NULL, PRIMARY KEY (scope, number)) WITHOUT ROWID;
  CREATE TABLE slots (scope TEXT, key TEXT, members TEXT NOT NULL, PRIMARY KEY (scope, key)) WITHOUT ROWID;
  CREATE TABLE appliance (name TEXT PRIMARY KEY, version INTEGER NOT NULL, floor INTEGER NOT NULL) WITHOUT ROWID;
  CREATE TABLE change (appliance TEXT, version INTEGER, keys TEXT NOT NULL, PRIMARY KEY (appliance, version)) WITHOUT ROWID;
`;

/** The log is written back when no commit came for so long, since that takes several synchronous writes; or when it is this long. */
const CHECKPOINT_IDLE_MS = 500;
const CHECKPOINT_COMMITS = 2_000;

type Row = Record<string, SQLInputValue>;

export class SqliteStore implements Store {
  readonly stateId: string;
  #version: number;
  readonly #database: DatabaseSync;
  #uncheckpointed = 0;
  #idle: NodeJS.Timeout | undefined;
  readonly #statements = new Map<string, StatementSync>();

  /** @param path of the file, made if it is not there; ":memory:" for tests that need no durability. */
  constructor(path: string) {
    this.#database = new DatabaseSync(path);
    this.#database.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA busy_timeout = 2000; PRAGMA locking_mode = EXCLUSIVE; PRAGMA wal_autocheckpoint = 0');
    const { user_version: schema } = this.#database.prepare('PRAGMA user_version').get() as { user_version: number };
    if (schema === 0) this.#create();
    else if (schema !== SCHEMA) throw new Error(`${path} has schema ${schema}, this program knows ${SCHEMA}: use the program that wrote it, or another file`);
    this.stateId = this.#meta('state_id');
    this.#version = Number(this.#meta('version'));
  }

  get version(): number { return this.#version; }
  get format(): number { return Number(this.#meta('format')); }

  objects(): Iterable<StoredRow> { return this.#rows<StoredRow>('SELECT kind, name, uuid, version, bytes FROM object ORDER BY created, rowid'); }
  numbers(): Iterable<NumberRow> { return this.#rows<NumberRow>('SELECT scope, number, key, freed FROM number'); }
  appliances(): Iterable<ApplianceVersion> { return this.#rows<ApplianceVersion>('SELECT name AS appliance, version, floor FROM appliance'); }

  *slots(): Iterable<SlotsRow> {
    for (const { scope, key, members } of this.#rows<{ scope: string; key: string; members: string }>('SELECT scope, key, members FROM slots')) {
      yield { scope, key, slots: JSON.parse(members) as string[] };
    }
  }

  async commit(commit: StoreCommit): Promise<void> {
    const { version } = commit;
    if (version !== this.#version + 1) throw new Error(`commit of version ${version} on version ${this.#version}`);
    this.#transaction(() => {
      for (const row of commit.puts) this.#putObject(row);
      for (const row of commit.deletes) {
        this.#run('DELETE FROM object WHERE kind = ? AND name = ?', row.kind, row.name);
        this.#run('INSERT INTO history (version, kind, name, uuid, deleted, bytes) VALUES (?, ?, ?, ?, 1, ?)', version, row.kind, row.name, row.uuid, row.bytes);
      }
      for (const { scope, number, key, freed } of commit.numbers) this.#run('INSERT OR REPLACE INTO number VALUES (?, ?, ?, ?)', scope, number, key, freed);
      for (const { scope, key, slots } of commit.slots) {
        if (slots.length > 0) this.#run('INSERT OR REPLACE INTO slots VALUES (?, ?, ?)', scope, key, JSON.stringify(slots));
        else this.#run('DELETE FROM slots WHERE scope = ? AND key = ?', scope, key);
      }
      for (const { appliance, keys } of commit.appliances) {
        if (keys === null) this.#run('INSERT INTO appliance VALUES (?1, ?2, ?2) ON CONFLICT (name) DO UPDATE SET version = ?2, floor = ?2', appliance, version);
        else {
          this.#run('INSERT INTO appliance VALUES (?1, ?2, ?2 - 1) ON CONFLICT (name) DO UPDATE SET version = ?2', appliance, version);
          this.#run('INSERT INTO change VALUES (?, ?, ?)', appliance, version, keys);
        }
      }
      if (commit.format !== undefined) this.#run('UPDATE meta SET value = ? WHERE name = ?', String(commit.format), 'format');
      this.#run('UPDATE meta SET value = ? WHERE name = ?', String(version), 'version');
      if (version % TRIM_EVERY === 0) this.#trim(version);
    });
    this.#version = version;
    this.#checkpointLater();
  }

  changesSince(appliance: string, version: number): string[] | undefined {
    const [known] = this.#rows<ApplianceVersion>('SELECT name AS appliance, version, floor FROM appliance WHERE name = ?', appliance);
    if (!known || version < known.floor || version > this.#version) return undefined;
    return [...this.#rows<{ keys: string }>('SELECT keys FROM change WHERE appliance = ? AND version > ? ORDER BY version', appliance, version)].map(({ keys }) => keys);
  }

  history(version: number, limit: number): HistoryRow[] | undefined {
    if (version < Number(this.#meta('history_floor')) || version > this.#version) return undefined;
    // A transaction is never cut in two: the last version that fits is taken whole.
    const rows = [...this.#rows<Row>('SELECT kind, name, uuid, version, deleted, bytes FROM history WHERE version > ? ORDER BY id LIMIT ?', version, limit)];
    const last = rows.at(-1)?.['version'];
    if (rows.length === limit && last !== undefined) {
      const whole = rows.filter((row) => row['version'] !== last);
      if (whole.length > 0) return whole.map(toHistory);
      return [...this.#rows<Row>('SELECT kind, name, uuid, version, deleted, bytes FROM history WHERE version = ? ORDER BY id', last)].map(toHistory);
    }
    return rows.map(toHistory);
  }

  versionsOf(kind: Kind, name: string): HistoryRow[] {
    return [...this.#rows<Row>('SELECT kind, name, uuid, version, deleted, bytes FROM history WHERE kind = ? AND name = ? ORDER BY id DESC', kind, name)].map(toHistory);
  }

  close(): void {
    clearTimeout(this.#idle);
    this.#database.close();
  }

  // ---- inside ----------------------------------------------------------------------------------------------------------------

  #checkpointLater(): void {
    clearTimeout(this.#idle);
    if (++this.#uncheckpointed >= CHECKPOINT_COMMITS) return this.#checkpoint();
    this.#idle = setTimeout(() => this.#checkpoint(), CHECKPOINT_IDLE_MS).unref();
  }

  #checkpoint(): void {
    this.#uncheckpointed = 0;
    this.#database.exec('PRAGMA wal_checkpoint(RESTART)');
  }

  #create(): void {
    this.#transaction(() => {
      this.#database.exec(TABLES);
      for (const [name, value] of [['state_id', randomUUID()], ['version', '0'], ['format', '0'], ['history_floor', '0']] as const) {
        this.#run('INSERT INTO meta VALUES (?, ?)', name, value);
      }
      this.#database.exec(`PRAGMA user_version = ${SCHEMA}`);
    });
  }

  #putObject(row: StoredRow): void {
    this.#run(`INSERT INTO object VALUES (?1, ?2, ?3, ?4, ?4, ?5) ON CONFLICT (kind, name) DO UPDATE SET uuid = ?3, version = ?4, bytes = ?5`,
      row.kind, row.name, row.uuid, row.version, row.bytes);
    this.#run('INSERT INTO history (version, kind, name, uuid, deleted, bytes) VALUES (?, ?, ?, ?, 0, ?)', row.version, row.kind, row.name, row.uuid, row.bytes);
  }

  #trim(version: number): void {
    const floor = Math.max(0, version - HISTORY_VERSIONS);
    this.#run('DELETE FROM history WHERE version <= ?', floor);
    this.#run('UPDATE meta SET value = ? WHERE name = ?', String(floor), 'history_floor');
    for (const { name, count } of this.#rows<{ name: string; count: number }>('SELECT appliance AS name, count(*) AS count FROM change GROUP BY appliance HAVING count > ?', APPLIANCE_CHANGES)) {
      const [oldest] = this.#rows<{ version: number }>('SELECT version FROM change WHERE appliance = ? ORDER BY version LIMIT 1 OFFSET ?', name, count - APPLIANCE_CHANGES - 1);
      this.#run('DELETE FROM change WHERE appliance = ? AND version <= ?', name, oldest!.version);
      this.#run('UPDATE appliance SET floor = max(floor, ?) WHERE name = ?', oldest!.version, name);
    }
    this.#run('DELETE FROM change WHERE version <= (SELECT floor FROM appliance WHERE name = change.appliance)');
  }

  #transaction(work: () => void): void {
    this.#database.exec('BEGIN IMMEDIATE');
    try {
      work();
      this.#database.exec('COMMIT');
    } catch (error) {
      if (this.#database.isTransaction) this.#database.exec('ROLLBACK');
      throw error;
    }
  }

  #meta(name: string): string {
    const [row] = this.#rows<{ value: string }>('SELECT value FROM meta WHERE name = ?', name);
    if (!row) throw new Error(`the store has no ${name}: it is damaged, restore a backup`);
    return row.value;
  }

  #prepare(sql: string): StatementSync {
    let statement = this.#statements.get(sql);
    if (!statement) this.#statements.set(sql, statement = this.#database.prepare(sql));
    return statement;
  }

  #run(sql: string, ...values: SQLInputValue[]): void { this.#prepare(sql).run(...values); }
  #rows<T>(sql: string, ...values: SQLInputValue[]): Iterable<T> { return this.#prepare(sql).all(...values) as unknown as Iterable<T>; }
}

const toHistory = (row: Row): HistoryRow => ({ ...row, deleted: row['deleted'] === 1 }) as unknown as HistoryRow;
