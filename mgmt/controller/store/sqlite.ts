/**
 * The embedded store: one SQLite file in WAL mode, synchronous FULL, so that a commit is on the disk when it returns and a crash
 * at any point leaves the last commit or the one before it. A commit is one write to the log, and one sync of it: what else is to
 * be written waits for a quiet moment.
 */
import { randomUUID } from 'node:crypto';
import { DatabaseSync, type SQLInputValue, type StatementSync } from 'node:sqlite';
import type { Kind } from '../model/kinds.ts';
import type { NumberRow, SlotsRow } from '../routing/numbering.ts';
import { APPLIANCE_BYTES, APPLIANCE_CHANGES, HISTORY_BYTES, HISTORY_VERSIONS } from './bounds.ts';
import type { ApplianceVersion, AuditRow, HistoryRow, Store, StoreCommit, StoredRow } from './store.ts';

/** Refuses files of a later program. Raise it with every change of the tables. */
const SCHEMA = 1;

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

/** Who changed what is kept longer than the history. Files of programs that knew nothing of it get the table when they are opened. */
const AUDIT_TABLE = 'CREATE TABLE IF NOT EXISTS audit (version INTEGER PRIMARY KEY, bytes BLOB NOT NULL)';
const AUDIT_VERSIONS = 100_000;

/** The log is written back when no commit came for so long, since that takes several synchronous writes; or when it is this long. */
const CHECKPOINT_IDLE_MS = 500;
const LOG_BYTES = 8 * 1024 * 1024;
const PAGE_BYTES = 4096;
/** Trimming waits until a bound is exceeded by this share of it, and then is worth a statement. */
const SLACK = 0.01;

const MEMORY = ':memory:';

type Row = Record<string, SQLInputValue>;
interface Extent { count: number; bytes: number }

export class SqliteStore implements Store {
  readonly stateId: string;
  #version: number;
  readonly #database: DatabaseSync;
  #idle: NodeJS.Timeout | undefined;
  /** About what the log holds that is not written back. */
  #logBytes = 0;
  #historyFloor = 0;
  #historyBytes = 0;
  /** What is kept of each appliance's changes. */
  readonly #changes = new Map<string, Extent>();
  readonly #statements = new Map<string, StatementSync>();

  /** @param path of the file, made if it is not there; ":memory:" for tests that need no durability. */
  constructor(path: string) {
    this.#database = new DatabaseSync(path);
    this.#database.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA busy_timeout = 2000; PRAGMA locking_mode = EXCLUSIVE; PRAGMA wal_autocheckpoint = 0');
    const { user_version: schema } = this.#database.prepare('PRAGMA user_version').get() as { user_version: number };
    if (schema === 0) this.#create();
    else if (schema !== SCHEMA) throw new Error(`${path} has schema ${schema}, this program knows ${SCHEMA}: use the program that wrote it, or another file`);
    this.#database.exec(AUDIT_TABLE);
    this.stateId = this.#meta('state_id');
    this.#version = Number(this.#meta('version'));
    this.#measure();
    if (path !== MEMORY) this.#growLog();
  }

  get version(): number { return this.#version; }
  get format(): number { return Number(this.#meta('format')); }

  /** In the order of their creation: a new row's id is above every other. */
  objects(): Iterable<StoredRow> { return this.#each<StoredRow>('SELECT kind, name, uuid, version, bytes FROM object ORDER BY rowid'); }
  appliances(): Iterable<ApplianceVersion> { return this.#rows<ApplianceVersion>('SELECT name AS appliance, version, floor FROM appliance'); }

  /** A scope's rows come in one: a fleet has a million, and each costs more on its way out of SQLite than as text. */
  *numbers(): Iterable<NumberRow> {
    const scopes = this.#each<{ scope: string; numbers: string; keys: string; freed: string }>('SELECT scope, json_group_array(number) AS numbers, json_group_array(key) AS keys, json_group_array(freed) AS freed FROM number GROUP BY scope');
    for (const row of scopes) {
      const { scope } = row;
      const [numbers, keys, freed] = [JSON.parse(row.numbers) as number[], JSON.parse(row.keys) as string[], JSON.parse(row.freed) as number[]];
      for (let at = 0; at < numbers.length; at++) yield { scope, number: numbers[at]!, key: keys[at]!, freed: freed[at]! };
    }
  }

  *slots(): Iterable<SlotsRow> {
    for (const { scope, key, members } of this.#rows<{ scope: string; key: string; members: string }>('SELECT scope, key, members FROM slots')) {
      yield { scope, key, slots: JSON.parse(members) as string[] };
    }
  }

  async commit(commit: StoreCommit): Promise<void> {
    const { version } = commit;
    if (version !== this.#version + 1) throw new Error(`commit of version ${version} on version ${this.#version}`);
    try {
      this.#transaction(() => this.#write(commit));
    } catch (error) {
      this.#measure();
      throw error;
    }
    this.#version = version;
    this.#checkpointLater();
  }

  changesSince(appliance: string, version: number): string[] | undefined {
    const [known] = this.#rows<ApplianceVersion>('SELECT name AS appliance, version, floor FROM appliance WHERE name = ?', appliance);
    if (!known || version < known.floor || version > this.#version) return undefined;
    return [...this.#rows<{ keys: string }>('SELECT keys FROM change WHERE appliance = ? AND version > ? ORDER BY version', appliance, version)].map(({ keys }) => keys);
  }

  history(version: number, limit: number): HistoryRow[] | undefined {
    if (version < this.#historyFloor || version > this.#version) return undefined;
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

  audit(version: number, limit: number): AuditRow[] | undefined {
    if (version < this.auditFloor || version > this.#version) return undefined;
    return [...this.#rows<AuditRow>('SELECT version, bytes FROM audit WHERE version > ? ORDER BY version LIMIT ?', version, limit)];
  }

  get auditFloor(): number { return Math.max(0, this.#version - AUDIT_VERSIONS); }

  versionsOf(kind: Kind, name: string): HistoryRow[] {
    return [...this.#rows<Row>('SELECT kind, name, uuid, version, deleted, bytes FROM history WHERE kind = ? AND name = ? ORDER BY id DESC', kind, name)].map(toHistory);
  }

  close(): void {
    clearTimeout(this.#idle);
    this.#database.close();
  }

  // ---- inside ----------------------------------------------------------------------------------------------------------------

  #write(commit: StoreCommit): void {
    const { version } = commit;
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
    if (commit.audit) {
      this.#run('INSERT INTO audit VALUES (?, ?)', version, commit.audit);
      this.#run('DELETE FROM audit WHERE version <= ?', version - AUDIT_VERSIONS);
    }
    for (const { appliance, keys } of commit.appliances) {
      if (keys === null) {
        this.#run('INSERT INTO appliance VALUES (?1, ?2, ?2) ON CONFLICT (name) DO UPDATE SET version = ?2, floor = ?2', appliance, version);
        this.#run('DELETE FROM change WHERE appliance = ?', appliance);
      } else {
        this.#run('INSERT INTO appliance VALUES (?1, ?2, ?2 - 1) ON CONFLICT (name) DO UPDATE SET version = ?2', appliance, version);
        this.#run('INSERT INTO change VALUES (?, ?, ?)', appliance, version, keys);
      }
    }
    if (commit.format !== undefined) this.#run('UPDATE meta SET value = ? WHERE name = ?', String(commit.format), 'format');
    this.#run('UPDATE meta SET value = ? WHERE name = ?', String(version), 'version');
    this.#count(commit);
    this.#trim(commit);
  }

  #checkpointLater(): void {
    clearTimeout(this.#idle);
    this.#idle = setTimeout(() => this.#checkpoint(), this.#logBytes < LOG_BYTES ? CHECKPOINT_IDLE_MS : 0).unref();
  }

  #checkpoint(): void {
    this.#logBytes = 0;
    this.#database.exec('PRAGMA wal_checkpoint(RESTART)');
  }

  /** A sync that need not make the file longer takes half the time: the log begins as long as it becomes. */
  #growLog(): void {
    this.#database.exec(`DROP TABLE IF EXISTS log_growth; CREATE TABLE log_growth (bytes BLOB); INSERT INTO log_growth VALUES (zeroblob(${LOG_BYTES}))`);
    this.#database.exec('DROP TABLE log_growth');
    this.#checkpoint();
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

  /** What is kept, by the tables. */
  #measure(): void {
    this.#historyFloor = Number(this.#meta('history_floor'));
    const [history] = this.#rows<{ bytes: number }>('SELECT coalesce(sum(length(bytes)), 0) AS bytes FROM history');
    this.#historyBytes = history!.bytes;
    this.#changes.clear();
    for (const { appliance, count, bytes } of this.#rows<Extent & { appliance: string }>('SELECT appliance, count(*) AS count, sum(length(keys)) AS bytes FROM change GROUP BY appliance')) this.#changes.set(appliance, { count, bytes });
  }

  #count({ puts, deletes, numbers, slots, appliances }: StoreCommit): void {
    const bytes = [...puts, ...deletes].reduce((sum, row) => sum + row.bytes.length, 0);
    this.#historyBytes += bytes;
    for (const { appliance, keys } of appliances) {
      const { count, bytes: before } = this.#changes.get(appliance) ?? { count: 0, bytes: 0 };
      if (keys === null) this.#changes.delete(appliance);
      else this.#changes.set(appliance, { count: count + 1, bytes: before + keys.length });
    }
    // In the log an object is twice, with its history; rows mostly lie in pages of their own.
    const rows = 2 * (puts.length + deletes.length + appliances.length) + numbers.length + slots.length + 1;
    this.#logBytes += 2 * bytes + appliances.reduce((sum, { keys }) => sum + (keys?.length ?? 0), 0) + rows * PAGE_BYTES;
  }

  /** What exceeds its bound goes, oldest first, in pieces: some with every so many commits. */
  #trim({ version, appliances }: StoreCommit): void {
    const exceeds = (value: number, bound: number): boolean => value > bound * (1 + SLACK);
    if (exceeds(version - this.#historyFloor, HISTORY_VERSIONS) || exceeds(this.#historyBytes, HISTORY_BYTES)) this.#trimHistory(version);
    for (const { appliance } of appliances) {
      const { count, bytes } = this.#changes.get(appliance) ?? { count: 0, bytes: 0 };
      if (exceeds(count, APPLIANCE_CHANGES) || exceeds(bytes, APPLIANCE_BYTES)) this.#trimChanges(appliance, version, { count, bytes });
    }
  }

  #trimHistory(version: number): void {
    let [floor, bytes] = [Math.max(this.#historyFloor, version - HISTORY_VERSIONS), this.#historyBytes];
    const steps = this.#prepare('SELECT version, sum(length(bytes)) AS bytes FROM history WHERE version < ? GROUP BY version ORDER BY version').iterate(version);
    for (const step of steps as Iterable<{ version: number; bytes: number }>) {
      if (step.version > floor && bytes <= HISTORY_BYTES) break;
      bytes -= step.bytes;
      floor = Math.max(floor, step.version);
    }
    this.#run('DELETE FROM history WHERE version <= ?', floor);
    this.#run('UPDATE meta SET value = ? WHERE name = ?', String(floor), 'history_floor');
    [this.#historyFloor, this.#historyBytes] = [floor, bytes];
  }

  #trimChanges(appliance: string, version: number, { count, bytes }: Extent): void {
    let floor = 0;
    const changes = this.#prepare('SELECT version, length(keys) AS bytes FROM change WHERE appliance = ? AND version < ? ORDER BY version').iterate(appliance, version);
    for (const change of changes as Iterable<{ version: number; bytes: number }>) {
      if (count <= APPLIANCE_CHANGES && bytes <= APPLIANCE_BYTES) break;
      count--;
      bytes -= change.bytes;
      floor = change.version;
    }
    this.#run('DELETE FROM change WHERE appliance = ? AND version <= ?', appliance, floor);
    this.#run('UPDATE appliance SET floor = max(floor, ?) WHERE name = ?', floor, appliance);
    this.#changes.set(appliance, { count, bytes });
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
  /** One after the other: a whole fleet's rows at once would be what a controller's memory is measured by. */
  #each<T>(sql: string): Iterable<T> { return this.#prepare(sql).iterate() as unknown as Iterable<T>; }
  #rows<T>(sql: string, ...values: SQLInputValue[]): Iterable<T> { return this.#prepare(sql).all(...values) as unknown as Iterable<T>; }
}

const toHistory = (row: Row): HistoryRow => ({ ...row, deleted: row['deleted'] === 1 }) as unknown as HistoryRow;
