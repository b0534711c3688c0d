/**
 * Controllers, their store, appliances and operators in one process, under faults; and what must hold all the while:
 *
 * - what was acknowledged is durable, and stays;
 * - an appliance that says that it is at a version forwards by what a compile from scratch makes of that version, and in between by
 *   nothing that was not right in some version on the way;
 * - versions at an appliance do not go back, but by a resync;
 * - no record is refused, and no number is given out while an appliance may still hold its former meaning;
 * - a version that an operator was told to be live was live;
 * - when faults end, all appliances come to the newest version within bounded time.
 *
 * A run is a function of its seed.
 */
import type { Applied, Live, StateDisk } from './dataplane.ts';
import { RANGES, type Ranges } from '../../mgmt/controller/routing/numbering.ts';
import type { Engine } from '../../mgmt/controller/engine.ts';
import { decodeCommit, KEYS, LogEntry } from '../../mgmt/controller/store/etcd-records.ts';
import { EtcdStore } from '../../mgmt/controller/store/etcd.ts';
import type { Store, StoreCommit } from '../../mgmt/controller/store/store.ts';
import { SimulatedAppliance } from './appliance.ts';
import { Client } from './clients.ts';
import { SimulatedController } from './controller.ts';
import { SimulatedEtcd } from './etcd.ts';
import { injectFaults } from './faults.ts';
import { Network } from './network.ts';
import { SimulatedStore, StoreDisk } from './store.ts';
import { difference, linesOf, Truth, Violation } from './truth.ts';
import { APPLIANCES } from './workload.ts';
import { World, type Process } from './world.ts';

/** Virtual ms: clients work for so long under faults; when these end, all must be well after so long. */
const [WORK_MIN_MS, WORK_MAX_MS] = [6000, 14_000];
const CONVERGENCE_MS = 60_000;
const ETCD = ['etcd-1', 'etcd-2', 'etcd-3'];
/** Numbers so few that they are given out again soon. */
const SCARCE: Ranges = { ...RANGES, vrf: { first: 1, last: 8, rest: 0 }, interface: { first: 1, last: 14, rest: 0 }, nexthop: { first: 1, last: 60, rest: 1 }, label: { first: 16, last: 28, rest: 0 } };

/** Errors built in on purpose, to see that they are found: what is made is handed over before it is used. */
export interface Sabotage {
  storeDisk?(disk: StoreDisk, world: World): void;
  etcd?(etcd: SimulatedEtcd): void;
  engine?(engine: Engine): void;
  stateDisk?(disk: StateDisk): void;
  live?(live: Live): void;
}

export interface Options {
  /** Told every line of the trace. */
  readonly tell?: (line: string) => void;
  readonly sabotage?: Sabotage;
}

export interface Result {
  /** Of the trace: equal runs have equal ones. */
  readonly digest: string;
  readonly controllers: number;
  readonly versions: number;
  readonly acknowledged: number;
  readonly refused: number;
  readonly unknown: number;
  readonly marks: number;
  readonly events: number;
  /** Virtual ms from the end of faults until all was well. */
  readonly convergedMs: number;
}

/** Runs a seed. @throws Error that says which invariant does not hold, and when */
export async function simulate(seed: number, { tell, sabotage = {} }: Options = {}): Promise<Result> {
  const world = new World(seed, tell);
  const stray = (error: unknown): void => world.fail(error instanceof Error ? error : new Error(String(error)));
  process.on('unhandledRejection', stray);
  try {
    return await new Simulation(world, sabotage).run();
  } catch (error) {
    const { message } = error as Error;
    world.trace(`violated: ${message}`);
    throw new Error(`seed ${seed}, at ${(world.elapsed / 1000).toFixed(3)} s: ${message}\n  (node test/simulation/simulate.ts --replay ${seed} --verbose)`, { cause: error });
  } finally {
    process.off('unhandledRejection', stray);
  }
}

/** What an appliance has been through, beside what it shows. */
interface Record {
  /** Version whose state its tables are, or were last; Infinity: they were always empty. */
  holds: number;
  /** Newest version that its tables ever were. */
  reached: number;
  /** Since the last mark a resync began, or power was lost. */
  mayGoBack: boolean;
}

class Simulation {
  readonly #world: World;
  readonly #network: Network;
  readonly #truth: Truth;
  readonly #controllers: readonly SimulatedController[];
  readonly #appliances: readonly SimulatedAppliance[];
  readonly #clients: readonly Client[];
  readonly #records = new Map<string, Record>(APPLIANCES.map((name) => [name, { holds: Infinity, reached: 0, mayGoBack: false }]));
  /** Who holds each number, or held it last and freed it at a version. */
  readonly #holders = new Map<string, { key: string; freed: number }>();
  readonly #scarce: boolean;
  readonly #sabotage: Sabotage;
  readonly #openStore: (process: Process) => Promise<Store>;
  #etcd: SimulatedEtcd | undefined;
  #failWrites = 0;
  #marks = 0;

  constructor(world: World, sabotage: Sabotage) {
    this.#world = world;
    this.#sabotage = sabotage;
    const { random } = world;
    this.#network = new Network(world);
    // With scarce numbers the appliances' power does not fail: what they lose then, resting numbers make up for.
    this.#scarce = random.chance(50);
    const ranges = this.#scarce ? SCARCE : RANGES;
    this.#truth = new Truth(ranges);
    const sizes = { updateBytes: random.pick([64, 500, 512 * 1024]), maxKeys: random.pick([8, 100, 65536]) };
    this.#openStore = random.chance(50) ? this.#ownStore() : this.#sharedStore();
    const openStore = (process: Process): Promise<Store> => this.#openStore(process);
    this.#controllers = (this.#etcd ? ['controller-1', 'controller-2'] : ['controller']).map((name) =>
      new SimulatedController(world, { name, ranges, sizes, openStore, opened: (engine) => sabotage.engine?.(engine) }));
    this.#appliances = APPLIANCES.map((name) => new SimulatedAppliance(world, this.#network, name, name.startsWith('g') ? 'gateway' : 'compute', this.#controllers, {
      started: (live) => this.#judge(() => this.#started(name, live)),
      applied: (live, applied) => this.#judge(() => this.#applied(name, live, applied)),
    }));
    for (const { disk } of this.#appliances) sabotage.stateDisk?.(disk);
    this.#clients = ['anna', 'ben', 'cleo'].map((name) => new Client(world, this.#network, name, this.#controllers, this.#truth, (version, absent) => this.#judge(() => this.#saidLive(version, absent))));
  }

  async run(): Promise<Result> {
    const { random } = this.#world;
    for (const controller of this.#controllers) controller.start();
    for (const appliance of this.#appliances) this.#world.after(random.below(2000), () => appliance.start());
    let begun = false;
    void this.#clients[0]!.begin().then(() => { begun = true; });
    if (!await this.#world.run(CONVERGENCE_MS, () => begun)) throw new Violation('the first objects could not be made');

    const until = this.#world.elapsed + random.between(WORK_MIN_MS, WORK_MAX_MS);
    for (const client of this.#clients) void client.work(random.between(100, 600));
    injectFaults({
      world: this.#world, network: this.#network, controllers: this.#controllers, appliances: this.#appliances, clients: this.#clients.map(({ name }) => name), stores: this.#etcd ? ETCD : [],
      powerFails: !this.#scarce, storeFault: () => this.#storeFault(),
    }, random.between(100, 800), until);
    await this.#world.run(until - this.#world.elapsed);

    this.#world.trace('faults end');
    const end = this.#world.elapsed;
    this.#failWrites = 0;
    this.#network.heal();
    this.#etcd?.heal();
    for (const client of this.#clients) client.stopped = true;
    for (const controller of this.#controllers) controller.start();
    for (const appliance of this.#appliances) {
      appliance.start();
      if (appliance.dataplane) appliance.dataplane.stalledUntil = 0;
    }
    if (!await this.#world.run(CONVERGENCE_MS, () => this.#lacking() === '')) throw new Violation(`${CONVERGENCE_MS / 1000} s after the last fault: ${this.#lacking()}`);
    const convergedMs = this.#world.elapsed - end;
    this.#world.trace('all is well');
    const sum = (of: 'acknowledged' | 'refused' | 'unknown'): number => this.#clients.reduce((total, client) => total + client[of], 0);
    return {
      digest: this.#world.digest(), controllers: this.#controllers.length, versions: this.#truth.version, acknowledged: sum('acknowledged'), refused: sum('refused'), unknown: sum('unknown'),
      marks: this.#marks, events: this.#world.lines, convergedMs,
    };
  }

  // ---- the store -------------------------------------------------------------------------------------------------------------

  /** A controller with a disk. */
  #ownStore(): (process: Process) => Promise<Store> {
    const { random } = this.#world;
    const disk = new StoreDisk(this.#world.newUuid(), (commit) => this.#judge(() => this.#durable(commit)));
    this.#sabotage.storeDisk?.(disk, this.#world);
    return async (process) => {
      await this.#world.pause(random.below(300), process);
      // A write that was under way when its controller died was carried out, or not.
      process.onDeath(() => disk.settle(random.chance(50)));
      const store = new SimulatedStore(disk, async () => {
        await this.#world.pause(random.chance(90) ? random.below(5) : random.below(400), process);
        if (this.#failWrites > 0) {
          this.#failWrites--;
          throw new Error('the disk is full');
        }
      });
      return store;
    };
  }

  /** Controllers that share etcd: the real engine of that store, on simulated members. */
  #sharedStore(): (process: Process) => Promise<Store> {
    const etcd = this.#etcd = new SimulatedEtcd(this.#world, this.#network, ETCD);
    this.#sabotage.etcd?.(etcd);
    etcd.onPut = (key, value) => {
      if (key < KEYS.log(0) || key >= KEYS.logEnd) return;
      const { version, commit } = LogEntry.decode(value);
      this.#judge(() => this.#durable(decodeCommit(version, commit)));
    };
    const credentials = (): never => { throw new Error('nothing is dialled in a simulation'); };
    return (process) => EtcdStore.open({ endpoints: ETCD, credentials, clock: process, newUuid: this.#world.newUuid, connect: (address) => etcd.connect(process, address) });
  }

  #storeFault(): void {
    const { random } = this.#world;
    const { engine, name, sync } = random.pick(this.#controllers);
    if (random.chance(20)) {
      const appliance = random.pick(APPLIANCES);
      this.#world.trace(`${name}: an operator wants a resync of ${appliance}`);
      return sync?.resync(appliance, random.chance(50));
    }
    if (this.#etcd && random.chance(20) && engine?.store instanceof EtcdStore) {
      this.#world.trace(`${name} writes a snapshot`);
      return void engine.store.snapshot().catch(() => {});
    }
    if (this.#etcd) return this.#etcd.fault();
    this.#failWrites = this.#world.random.between(1, 3);
    this.#world.trace(`store: the next ${this.#failWrites} writes fail`);
  }

  /** Who asks for it may be anybody, and would take an error for its own. */
  #judge(work: () => void): void {
    try {
      work();
    } catch (error) {
      this.#world.fail(error as Error);
    }
  }

  /** A commit is durable from now on. */
  #durable(commit: StoreCommit): void {
    this.#truth.add(commit);
    this.#world.trace(`store: version ${commit.version} is durable: ${commit.puts.length} put, ${commit.deletes.length} deleted`);
    for (const { scope, number, key, freed } of commit.numbers) {
      const before = this.#holders.get(`${scope} ${number}`);
      this.#holders.set(`${scope} ${number}`, { key: freed > 0 ? before?.key ?? '' : key, freed });
      if (freed > 0 || !before || before.key === key) continue;
      const appliance = scope.slice(0, scope.lastIndexOf('/'));
      const record = this.#records.get(appliance);
      if (before.freed === 0) throw new Violation(`version ${commit.version}: number ${number} of ${scope} is given to ${key}, while ${before.key} holds it`);
      if (record && record.holds < before.freed) {
        throw new Violation(`version ${commit.version}: number ${number} of ${scope} is given to ${key}, while ${appliance} is at version ${record.holds}, in which it means ${before.key} (free since version ${before.freed})`);
      }
    }
  }

  // ---- appliances ------------------------------------------------------------------------------------------------------------

  #started(name: string, live: Live): void {
    this.#sabotage.live?.(live);
    const record = this.#records.get(name)!;
    if (live.version !== 0 && live.version < record.holds && this.#scarce) throw new Violation(`${name} was at version ${record.holds}, and starts at version ${live.version}`);
    if (live.version !== 0 && live.version < record.holds) record.mayGoBack = true;
    if (live.version !== 0) record.holds = live.version;
  }

  #applied(name: string, live: Live, { what, mark, refusals }: Applied): void {
    this.#world.trace(`${name}: ${what}`);
    const record = this.#records.get(name)!;
    if (live.epoch !== undefined) record.mayGoBack = true;
    if (refusals.length > 0) throw new Violation(`${name} refuses ${refusals[0]!.reason} (batch ${refusals[0]!.batch}, record ${refusals[0]!.record}) of ${what}`);
    if (!mark) return this.#partial(name, live);
    this.#marks++;
    if (live.version < record.holds && record.holds !== Infinity && !record.mayGoBack) throw new Violation(`${name} goes back from version ${record.holds} to ${live.version}, without a resync`);
    record.holds = live.version;
    record.reached = Math.max(record.reached, live.version);
    record.mayGoBack = false;
    const expected = this.#truth.at(live.version).get(name);
    if (!expected) throw new Violation(`${name} is at version ${live.version}, in which there is no such appliance`);
    const text = live.tables.text();
    if (text !== expected.text) throw new Violation(`${name} says that it is at version ${live.version}, and is not:\n${difference(text, expected.text)}`);
    if (live.nameText() !== expected.names) throw new Violation(`${name} says that it is at version ${live.version}, and has other names:\n${difference(live.nameText(), expected.names)}`);
  }

  /** An operator was told that a version is live, everywhere but at some. */
  #saidLive(version: number, absent: readonly string[]): void {
    const { commits } = this.#truth;
    for (const name of this.#truth.at(version).keys()) {
      const touched = (commit: StoreCommit): boolean => commit.appliances.some(({ appliance }) => appliance === name);
      const required = commits.slice(0, version).findLast(touched)?.version ?? 0;
      // What was deleted since need not have come to it.
      const gone = commits.slice(version).some(({ deletes }) => deletes.some((row) => row.kind === 'virtual-router' && row.name.endsWith(`:${name}`)));
      const { reached } = this.#records.get(name)!;
      if (!gone && !absent.includes(name) && reached < required) throw new Violation(`version ${version} is said to be live, and ${name} was never at more than version ${reached}, not ${required}`);
    }
  }

  /** Between two versions: each record is as in some version from the one that was left on; in a resync, as in any. */
  #partial(name: string, live: Live): void {
    const oldest = live.version;
    const newest = this.#truth.version;
    for (const line of linesOf(live.tables)) {
      let version = newest;
      while (version > oldest && !this.#truth.at(version).get(name)?.lines.has(line)) version--;
      if (!this.#truth.at(version).get(name)?.lines.has(line)) throw new Violation(`${name} has "${line}", which is right in no version from ${oldest} to ${newest}`);
    }
  }

  // ---- the end ---------------------------------------------------------------------------------------------------------------

  /** What is not well yet. */
  #lacking(): string {
    const newest = this.#truth.version;
    for (const client of this.#clients) if (!client.idle) return `${client.name} waits for an answer`;
    for (const { name, engine } of this.#controllers) {
      if (!engine) return `${name} does not serve`;
      if (engine.version !== newest) return `${name} is at version ${engine.version}, not ${newest}`;
    }
    const expected = this.#truth.at(newest);
    for (const appliance of this.#appliances) {
      const { name, live } = appliance;
      const should = expected.get(name);
      if (!should) continue;
      const version = this.#truth.versionOf(name);
      if (!live) return `${name} does not run`;
      if (live.version !== version) return `${name} is at version ${live.version}, not ${version}`;
      const sessions = this.#controllers.map(({ sync }) => sync?.presence(name)?.session).filter((each) => each !== undefined);
      if (!sessions.some(({ state, live: known }) => state === 'in-sync' && known === version)) return `${name} is ${sessions.map((session) => `${session.state} at version ${session.live}`).join(', ') || 'in no session'}`;
      if (live.tables.text() !== should.text) return `${name} differs from a compile from scratch:\n${difference(live.tables.text(), should.text)}`;
    }
    return '';
  }
}
