/**
 * The controller without its network: objects, store and compile step held together. A transaction is judged, compiled, made
 * durable and only then told to anybody, one after the other.
 */
import { randomUUID } from 'node:crypto';
import { EventEmitter } from 'node:events';
import type { Operation } from '../../proto/config.ts';
import type { Appliance } from './compile/appliance.ts';
import { Compiler, type Outcome } from './compile/compiler.ts';
import { KeySet } from './compile/keys.ts';
import type { ExportChanges, Path } from './compile/types.ts';
import { decodeObject, decodeObjects, encodeObject } from './model/codec.ts';
import type { Stored } from './model/kinds.ts';
import { Objects } from './model/objects.ts';
import { Refusal } from './model/refusal.ts';
import { stage, type Change, type Judge, type Staged } from './model/transaction.ts';
import { Exhausted, Numbering, RANGES, type NumberJournal, type NumberRow, type Ranges, type SlotsRow } from './routing/numbering.ts';
import { isShared, Overtaken, type ApplianceRow, type Store, type StoreCommit } from './store/store.ts';

/** How often a transaction is decided anew because another controller's came first. */
const MAX_TRIES = 20;

/** Of what the compile step makes out of the same objects. Raise it when that changes: appliances are then resynced. */
const COMPILE_FORMAT = 1;

export interface Committed { readonly version: number; readonly objects: readonly Stored[] }

/** Who wants a change. Without one the controller itself does, and nobody writes it down. */
export interface Author {
  readonly judge: Judge;
  /** What the audit log says of it. */
  audit(version: number, changes: readonly Change[]): Uint8Array;
}

/** What a transaction would do; `before` and `after` are what `read` made of the compiled state. */
export interface Planned<T> extends Committed { readonly changes: readonly Change[]; readonly before: readonly T[]; readonly after: readonly T[] }

export interface EngineOptions {
  /** What routers told the run before, as these objects want it. */
  readonly told?: (objects: Objects) => Iterable<Path>;
  /** What a simulation replaces. */
  readonly newUuid?: () => string;
  readonly ranges?: Ranges;
}

interface Events {
  /** A version is durable. Outcomes are for the sync server, changes for watchers, exports for BGP (undefined: compare all of them). */
  committed: [{ version: number; changes: readonly Change[]; outcomes: readonly Outcome[]; exports: ExportChanges | undefined }];
  /** The store is done, or has failed: the compiled state is again what is durable. */
  settled: [];
}

export class Engine extends EventEmitter<Events> {
  readonly objects = new Objects();
  readonly store: Store;
  readonly #newUuid: () => string;
  readonly #ranges: Ranges;
  #numbering: Numbering;
  #compiler: Compiler;
  #queue: Promise<unknown> = Promise.resolve();
  #settled = true;

  private constructor(store: Store, { told = () => [], newUuid = randomUUID, ranges = RANGES }: EngineOptions) {
    super();
    this.setMaxListeners(0); // one for each call that waits
    this.store = store;
    this.#newUuid = newUuid;
    this.#ranges = ranges;
    this.#numbering = new Numbering(ranges);
    this.#compiler = new Compiler(this.objects, this.#numbering);
    for (const object of decodeObjects(store.objects())) this.objects.put(object);
    this.#compileAll(told(this.objects));
  }

  /** What the store holds, compiled with what routers told. */
  static async open(store: Store, options: EngineOptions = {}): Promise<Engine> {
    const engine = new Engine(store, options);
    while (store.format !== COMPILE_FORMAT) {
      await engine.#touchAll().catch((error: unknown) => {
        if (!(error instanceof Overtaken)) throw error;
        engine.#follow();
      });
    }
    if (isShared(store)) {
      store.on('waiting', () => engine.#enqueue(async () => engine.#follow()));
      engine.#follow();
    }
    return engine;
  }

  /** A version of its own that changes every appliance: what an older program compiled is not what this one does. */
  async #touchAll(): Promise<void> {
    const { store } = this;
    const { numbers, slots } = this.#numbering.takeJournal();
    const appliances = [...this.#compiler.appliances.values()];
    await store.commit({ version: store.version + 1, puts: [], deletes: [], numbers, slots, appliances: appliances.map(({ name }) => ({ appliance: name, keys: null })), format: COMPILE_FORMAT });
    for (const appliance of appliances) appliance.version = store.version;
  }

  get version(): number { return this.store.version; }
  get compiler(): Compiler { return this.#compiler; }
  get numbering(): Numbering { return this.#numbering; }
  /** False while objects and compiled state are ahead of what is durable, and may be taken back: nothing of them may leave the controller. */
  get settled(): boolean { return this.#settled; }

  /**
   * Reads objects and compiled state for others: at once, or as soon as the store is done with what is under way, in one go before the
   * next transaction begins.
   */
  whenSettled<T>(read: () => T | PromiseLike<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      const work = (): void => {
        try {
          resolve(read());
        } catch (error) {
          reject(error as Error);
        }
      };
      if (this.#settled) work();
      else this.once('settled', work);
    });
  }

  /**
   * Carries operations out, all or none, and durably.
   *
   * @throws {Refusal} what is wrong with them.
   */
  commit(operations: readonly Operation[], dryRun = false, author?: Author): Promise<Committed> {
    return this.#enqueue(async () => {
      for (let tries = 1; ; tries++) {
        this.#follow();
        const { version } = this;
        try {
          const committed = await this.#commit(operations, dryRun, author);
          // That nothing had to change was decided by what is known here: another controller may have changed it before.
          if (committed.version > version || !(await this.#isBehind())) return committed;
        } catch (error) {
          const again = error instanceof Overtaken || error instanceof Refusal && await this.#isBehind();
          if (!again || tries === MAX_TRIES) throw error;
        }
      }
    });
  }

  /**
   * Compiles a transaction and takes it back: nobody else sees it, and nothing of it stays.
   *
   * @param read is asked about each appliance that would be touched, with it and without it.
   * @throws {Refusal} what is wrong with it.
   */
  plan<T>(operations: readonly Operation[], author: Author | undefined, read: (compiler: Compiler, appliance: string, touched: KeySet) => T): Promise<Planned<T>> {
    return this.#enqueue(async () => {
      this.#follow();
      const staged = this.#stage(operations, author);
      const { changes, objects } = staged;
      const outcomes = changes.length === 0 ? [] : this.#compile(staged);
      const readAll = (): T[] => outcomes.map(({ appliance, touched }) => read(this.#compiler, appliance.name, touched));
      this.#numbering.takeJournal();
      const after = readAll();
      staged.undo();
      if (changes.length > 0) this.#withdraw(changes);
      return { version: this.version, objects, changes, after, before: readAll() };
    });
  }

  /**
   * Works in what routers told: paths that went and that came. No object changes, but appliances follow it as any other version, so it
   * is one, and the numbers of its next hops are kept like others.
   *
   * @param anew nobody knows what appliances have of it: they are resynced.
   * @throws {Exhausted} when an appliance has no number left, else when it cannot be made durable; then nothing has changed.
   */
  changeImported(gone: readonly Path[], come: readonly Path[], anew = false): Promise<void> {
    return this.#enqueue(async () => {
      for (let tries = 1; ; tries++) {
        this.#follow();
        try {
          return await this.#commitImported(gone, come, anew);
        } catch (error) {
          if (!(error instanceof Overtaken) || tries === MAX_TRIES) throw error;
        }
      }
    });
  }

  /** Whether numbers are held for next hops that are not there: what routers told an earlier run, and nobody told this one. */
  get hasUnusedNexthops(): boolean { return [...this.#compiler.appliances.values()].some((appliance) => appliance.unusedNexthops.length > 0); }

  async #commitImported(gone: readonly Path[], come: readonly Path[], anew: boolean): Promise<void> {
    const version = this.version + 1;
    const before = (): Path[] => { const added = new Set(come); return [...[...this.#compiler.imported].filter((path) => !added.has(path)), ...gone]; };
    let outcomes: Outcome[];
    try {
      outcomes = this.#compiler.changeImported(gone, come, version);
    } catch (error) {
      this.#rebuild(before());
      throw error;
    }
    if (anew) {
      for (const appliance of this.#compiler.appliances.values()) appliance.releaseUnused();
      outcomes = this.#floodAll();
    }
    const { numbers, slots } = this.#numbering.takeJournal();
    // Nobody imports it.
    if (outcomes.length === 0 && numbers.length === 0 && slots.length === 0) return;
    this.#settled = false;
    try {
      await this.store.commit({ version, puts: [], deletes: [], numbers, slots, appliances: rowsOf(outcomes) });
    } catch (error) {
      const same = this.#rollBack(() => this.#compiler.changeImported(come, gone, this.version));
      if (!same) this.#rebuild(before());
      this.#settled = true;
      this.emit('settled');
      throw error;
    }
    for (const { appliance } of outcomes) appliance.version = version;
    this.#settled = true;
    this.emit('committed', { version, changes: [], outcomes, exports: this.#compiler.takeExports() });
    this.emit('settled');
  }

  #floodAll(): Outcome[] {
    return [...this.#compiler.appliances.values()].map((appliance) => {
      const touched = new KeySet();
      touched.flood();
      return { appliance, touched, gone: false };
    });
  }

  /** Whether another controller has committed what is not known here yet. */
  async #isBehind(): Promise<boolean> { return isShared(this.store) && this.store.sync(); }

  /** What any controller made durable before this call is compiled here when it resolves. @throws when the store gives no answer */
  async catchUp(): Promise<void> {
    if (await this.#isBehind()) await this.#enqueue(async () => this.#follow());
  }

  #enqueue<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#queue.then(work);
    this.#queue = result.catch(() => undefined);
    return result;
  }

  /** Keys that changed at an appliance after `version`; undefined: only a resync brings it up to date. */
  changesSince(appliance: string, version: number): KeySet | undefined {
    const sets = this.store.changesSince(appliance, version);
    if (!sets) return undefined;
    const keys = new KeySet();
    for (const set of sets) keys.merge(KeySet.decode(set));
    return keys.flooded ? undefined : keys;
  }

  #stage(operations: readonly Operation[], author: Author | undefined): Staged {
    return stage(this.objects, operations, this.version + 1, this.#newUuid, author?.judge);
  }

  #compile(staged: Staged): Outcome[] {
    try {
      return this.#compiler.apply(staged.changes, this.version + 1);
    } catch (error) {
      staged.undo();
      this.#rebuild();
      if (error instanceof Exhausted) throw new Refusal('exhausted', [{ field: 'operations', rule: 'NUMBERS_EXHAUSTED', object: error.appliance === '' ? 'this controller' : `appliance ${error.appliance}`, description: error.message }]);
      throw error;
    }
  }

  async #commit(operations: readonly Operation[], dryRun: boolean, author: Author | undefined): Promise<Committed> {
    const version = this.version + 1;
    const staged = this.#stage(operations, author);
    const { changes, objects } = staged;
    if (dryRun) {
      staged.undo();
      return { version: this.version, objects };
    }
    if (changes.length === 0) return { version: this.version, objects };

    const outcomes = this.#compile(staged);
    const { numbers, slots } = this.#numbering.takeJournal();
    this.#settled = false;
    try {
      await this.store.commit({
        version,
        puts: changes.flatMap(({ after }) => (after ? [{ ...after, bytes: encodeObject(after) }] : [])),
        deletes: changes.flatMap(({ before, after }) => (before && !after ? [{ ...before, bytes: encodeObject(before) }] : [])),
        numbers, slots, appliances: rowsOf(outcomes),
        ...(author ? { audit: author.audit(version, changes) } : {}),
      });
    } catch (error) {
      staged.undo();
      this.#withdraw(changes);
      this.#settled = true;
      this.emit('settled');
      throw error;
    }
    this.#settled = true;
    this.emit('committed', { version, changes, outcomes, exports: this.#compiler.takeExports() });
    this.emit('settled');
    return { version, objects };
  }

  /** Carries out what other controllers have committed. */
  #follow(): void {
    if (!isShared(this.store)) return;
    for (let commit = this.store.take(); commit; commit = this.store.take()) this.#carryOut(commit);
  }

  /** Compiles here what another controller has decided, with the numbers that it gave out. */
  #carryOut(commit: StoreCommit): void {
    const { version, puts, deletes } = commit;
    if (puts.length === 0 && deletes.length === 0) return this.#adopt(commit);
    const changes: Change[] = [
      ...deletes.map(({ kind, name }) => ({ kind, name, before: this.objects.get(kind, name), after: undefined })),
      ...puts.map(({ kind, name, bytes }) => ({ kind, name, before: this.objects.get(kind, name), after: decodeObject(bytes) })),
    ];
    for (const { kind, name, after } of changes) {
      if (after) this.objects.put(after);
      else this.objects.remove(kind, name);
    }
    const known = new Map(this.#compiler.appliances);
    let outcomes: Outcome[] | undefined;
    try {
      this.#numbering.expect(commit.numbers);
      outcomes = this.#compiler.apply(changes, version);
    } catch {
      // Judged below: the compiled state is unusable, and made anew.
    }
    const same = outcomes !== undefined && sameDecision(commit, this.#numbering.takeJournal(), outcomes);
    if (!same) {
      const imported = [...this.#compiler.imported];
      this.#rebuild(imported);
      // With what routers told this controller and not that one, more may have changed than that one knows.
      outcomes = imported.length > 0 ? this.#floodAll() : commit.appliances.map(({ appliance: name, keys }) => outcomeOf(name, keys, this.#compiler.appliances.get(name), known.get(name))).filter((outcome) => outcome !== undefined);
    }
    this.emit('committed', { version, changes, outcomes: outcomes!, exports: same ? this.#compiler.takeExports() : undefined });
    this.emit('settled');
  }

  /**
   * What routers told another controller. They tell this one too, so nothing is compiled: its numbers hold here as well, and
   * appliances get what is here under the keys that it touched.
   */
  #adopt(commit: StoreCommit): void {
    const known = new Map(this.#compiler.appliances);
    const isUsed = (scope: string, number: number): boolean =>
      scope.endsWith('/nexthop') && known.get(scope.slice(0, -'/nexthop'.length))?.nexthops.has(number) === true;
    const lost = this.#numbering.adopt(commit, isUsed);
    if (lost) this.#rebuild();
    const outcomes = lost ? this.#floodAll()
      : commit.appliances.map(({ appliance: name, keys }) => outcomeOf(name, keys, this.#compiler.appliances.get(name), known.get(name))).filter((outcome) => outcome !== undefined);
    for (const { appliance } of outcomes) appliance.version = commit.version;
    this.emit('committed', { version: commit.version, changes: [], outcomes, exports: lost ? undefined : this.#compiler.takeExports() });
    this.emit('settled');
  }

  /** After a transaction that did not become durable: compiles the way back, with the numbers that were there before. */
  #withdraw(changes: readonly Change[]): void {
    const back = changes.map(({ kind, name, before, after }) => ({ kind, name, before: after, after: before }));
    if (!this.#rollBack(() => this.#compiler.apply(back, this.version))) this.#rebuild();
  }

  /** Compiles the way back. False: the compiled state is unusable. */
  #rollBack(compile: () => void): boolean {
    let same = false;
    try {
      same = this.#numbering.rollBack(compile);
    } catch {
      // Unusable.
    }
    if (same) this.#takeVersions();
    return same;
  }

  /** After a failed transaction: what is durable, compiled from scratch, is by construction the state before it. */
  #rebuild(imported: readonly Path[] = [...this.#compiler.imported]): void {
    const released = this.#numbering;
    this.#numbering = new Numbering(this.#ranges);
    this.#numbering.inheritAcknowledged(released);
    this.#compiler = new Compiler(this.objects, this.#numbering);
    this.#compileAll(imported);
    // What routers told this controller only may need numbers that no commit has: the others must know them.
    if (this.#numbering.hasJournal) void this.changeImported([], [], true).catch(() => undefined);
  }

  #compileAll(imported: Iterable<Path>): void {
    const { store } = this;
    this.#numbering.restore(store.numbers(), store.slots());
    const all: Change[] = [];
    for (const kind of ['virtual-router', 'virtual-network', 'virtual-machine-interface', 'route-table'] as const) {
      for (const object of this.objects.all(kind)) all.push({ kind, name: object.name, before: undefined, after: object });
    }
    this.#compiler.apply(all, store.version, imported);
    this.#compiler.noteExports();
    this.#takeVersions();
  }

  /** What is compiled is what is durable: so are the versions of the appliances. */
  #takeVersions(): void {
    const { store } = this;
    const versions = new Map([...store.appliances()].map(({ appliance, version }) => [appliance, version]));
    for (const appliance of this.#compiler.appliances.values()) appliance.version = versions.get(appliance.name) ?? store.version;
  }
}

const rowsOf = (outcomes: readonly Outcome[]): ApplianceRow[] => outcomes.map(({ appliance, touched, gone }) => ({ appliance: appliance.name, keys: gone ? null : touched.encode() }));

/** Whether compiling here has given out the same numbers, and touched the same appliances, as the controller that decided. */
function sameDecision(commit: StoreCommit, { numbers, slots }: NumberJournal, outcomes: readonly Outcome[]): boolean {
  const text = (rows: readonly unknown[]): string => rows.map((row) => JSON.stringify(row)).sort().join('\n');
  const number = ({ scope, number, key, freed }: NumberRow): unknown => [scope, number, key, freed];
  const group = ({ scope, key, slots }: SlotsRow): unknown => [scope, key, slots];
  return text(commit.numbers.map(number)) === text(numbers.map(number)) && text(commit.slots.map(group)) === text(slots.map(group))
    && text(commit.appliances.map(({ appliance }) => appliance)) === text(outcomes.map(({ appliance }) => appliance.name));
}

function outcomeOf(name: string, keys: string | null, now: Appliance | undefined, before: Appliance | undefined): Outcome | undefined {
  const appliance = now ?? before;
  if (!appliance) return undefined;
  const touched = keys === null ? new KeySet() : KeySet.decode(keys);
  if (keys === null) touched.flood();
  return { appliance, touched, gone: !now };
}
