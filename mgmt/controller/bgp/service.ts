/**
 * BGP of a running controller: between its engine, whose versions say what routers shall hear, and the speaker, which says what
 * they told.
 *
 *   Engine ── committed: exported paths ──► Announcements ──► BgpEngine ──► routers
 *   Engine ◄── changeImported ── Imports ◄── received ── BgpEngine
 *                                   └──► ReceivedRoutes (disk)
 *
 * Nothing is announced before it is durable. Without peers nothing of it runs.
 */
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from 'pino';
import type { Path } from '../compile/types.ts';
import type { Engine } from '../engine.ts';
import type { Kind } from '../model/kinds.ts';
import type { ReceivedChange } from './adj-rib-in.ts';
import { BgpEngine } from './engine.ts';
import type { LastRun } from './last-run.ts';
import { Announcements, type Imports, type DynamicTunnel } from './paths.ts';
import type { ReceivedRoutes } from './received-routes.ts';
import { bgpSettings, type BgpSettings, type Neighbor } from './settings.ts';
import type { Family, PathChanges, PeerStatus, ReceivedPath, VpnPath } from './types.ts';
import { checkPath, checkPeer, checkSpeaker } from './validate.ts';

/** Kinds that say who speaks with whom. */
const SETTINGS: ReadonlySet<Kind> = new Set(['bgp-router', 'global-system-config', 'global-vrouter-config', 'virtual-router']);
/**
 * Between transactions of what routers tell without a pause; and while a router tells its whole table: what a transaction costs
 * along the way (numbers, records of the store, the appliances' lookup tables that are rebuilt in parts) then comes twice a second.
 */
const BURST_MS = 50;
const [FLOOD_ROUTES, FLOOD_MS] = [200, 500];
/** Prefixes of one transaction: whoever waits for the controller meanwhile waits for no more than this. */
const MOST_PREFIXES = 10_000;
/** After the store did not take what routers told. */
const RETRY_MS = 1000;

export interface BgpServiceOptions {
  /** Compiled with what routers told the last run. */
  readonly engine: Engine;
  readonly lastRun: LastRun;
  /** Of the controller: its bgp-router has it too. */
  readonly name: string;
  /** For the speaker's socket. */
  readonly directory: string;
  /** Put before the speaker's command, e.g. `ip vrf exec management`. */
  readonly launcher: readonly string[];
  readonly log: Logger;
}

/** A peer as it is set, and as it is. */
export interface NeighborState extends PeerStatus { readonly name: string; readonly holdTime: number; readonly restartTime: number; readonly wanted: readonly Family[] }

type Pending = Map<string, { readonly path: Path; readonly present: boolean }>;

export class BgpService {
  readonly #options: BgpServiceOptions;
  readonly #received: ReceivedRoutes;
  readonly #imports: Imports;
  #announcements = new Announcements();
  #speaker: BgpEngine | undefined;
  #settings: BgpSettings;
  #wanted: ReadonlySet<string> | undefined;
  #problem = '';
  /** Starting, stopping and telling peers, one after the other. */
  #work: Promise<void> = Promise.resolve();
  /** What routers told and the engine has not yet: by id, whether it is there now. */
  #pending: Pending = new Map();
  /** What came in and is not on the disk yet. */
  #unwritten: ReceivedChange[] = [];
  #pumping = false;
  #closing = false;

  private constructor(options: BgpServiceOptions) {
    const { engine, name, lastRun } = options;
    this.#options = options;
    this.#received = lastRun.received;
    this.#settings = bgpSettings(engine.objects, name);
    this.#imports = lastRun.imports(this.#settings.policy);
  }

  /** To be called before appliances come: what the engine lacks of what routers told the last run is worked in, and they have that. */
  static async open(options: BgpServiceOptions): Promise<BgpService> {
    const { engine, lastRun: { received, routes } } = options;
    const service = new BgpService(options);
    const [has, wanted] = [new Map([...engine.compiler.imported].map((path) => [path.id, path])), new Map(service.#imports.paths.map((path) => [path.id, path]))];
    const gone = [...has.values()].filter(({ id }) => !wanted.has(id));
    const come = [...wanted.values()].filter(({ id }) => !has.has(id));
    // Appliances may have something else of it: routes whose file is lost, or that were not worked in when the last run ended. So they do
    // when what was compiled took other numbers than the store has.
    const anew = engine.numbering.hasJournal || !received.workedIn && (routes.length > 0 || engine.hasUnusedNexthops);
    if (anew || gone.length + come.length > 0) await engine.changeImported(gone, come, anew);
    received.markWorkedIn();
    engine.on('committed', ({ changes, exports }) => {
      if (changes.some(({ kind }) => SETTINGS.has(kind))) service.#reconfigure();
      if (!service.#speaker) return;
      service.#announce(exports ? service.#announcements.change(exports.gone, exports.come) : service.#announcements.replace(engine.compiler.exported));
      service.#tellWanted();
    });
    service.#enqueue(() => service.#begin(routes)); // whoever waits for the controller need not wait for its speaker
    return service;
  }

  /** Peers keep our routes for the restart time, appliances theirs. */
  async close(): Promise<void> {
    this.#closing = true;
    await this.#work;
    await this.#speaker?.stop('keep');
    this.#received.close();
  }

  // ---- what is ---------------------------------------------------------------------------------------------------------------

  /** What keeps it from speaking, with what would help; '' = nothing. */
  get problem(): string { return this.#settings.problem || this.#problem; }
  get settings(): BgpSettings { return this.#settings; }
  get pid(): number | undefined { return this.#speaker?.pid; }
  get tunnels(): readonly DynamicTunnel[] { return this.#imports.tunnels; }

  /** Routes that go out, paths that came in and are used, routes that came in and are not. */
  get totals(): { announced: number; received: number; unused: number } {
    return { announced: this.#announcements.announced.size, received: this.#imports.size, unused: [...this.#imports.unused()].length };
  }

  async neighbors(): Promise<NeighborState[]> {
    const states = new Map((await this.#speaker?.peers() ?? []).map((peer) => [peer.address, peer]));
    return this.#settings.neighbors.map(({ name, address, asn, holdTime, restartTime, families: wanted }) => ({
      address, asn, state: 'idle', routerId: '', establishedSince: 0, flaps: 0, families: [], ...states.get(address), name, holdTime, restartTime, wanted,
    }));
  }

  /** How many routes of a peer are kept although it has not told them again since it, or we, restarted. */
  staleOf(peer: number): number {
    let count = 0;
    for (const { path, stale } of this.#speaker?.rib.paths() ?? []) if (stale && path.peer === peer) count++;
    return count;
  }

  /** What routers told that became this path. */
  announcersOf(path: Path): readonly ReceivedPath[] { return this.#imports.from(path.id); }
  neighbor(address: number): Neighbor | undefined { return this.#settings.neighbors.find((neighbor) => neighbor.address === address); }

  // ---- settings --------------------------------------------------------------------------------------------------------------

  async #begin(restored: readonly ReceivedPath[]): Promise<void> {
    const { speaker, problem } = this.#settings;
    if (problem) this.#options.log.error({ problem }, 'BGP does not run');
    if (speaker) await this.#start(restored);
    else this.#forget(restored);
  }

  #reconfigure(): void {
    const before = this.#settings;
    const after = bgpSettings(this.#options.engine.objects, this.#options.name);
    this.#settings = after;
    if (after.problem && after.problem !== before.problem) this.#options.log.error({ problem: after.problem }, 'BGP does not run');
    const { gone, come } = this.#imports.setPolicy(after.policy, Date.now());
    this.#note(gone, come);
    if (!sameAs(before.speaker, after.speaker)) this.#enqueue(() => this.#restart());
    else if (!sameAs(before.neighbors, after.neighbors)) this.#enqueue(async () => this.#speaker?.setPeers(this.#settings.neighbors));
  }

  #enqueue(work: () => Promise<unknown>): void {
    this.#work = this.#work.then(work).then(() => undefined, (error: unknown) => {
      this.#options.log.error({ err: error }, 'BGP settings');
      this.#problem = (error as Error).message;
    });
  }

  async #restart(): Promise<void> {
    const former = this.#speaker;
    this.#speaker = undefined;
    if (former) {
      await former.stop('withdraw');
      this.#forget([...former.rib.paths()].map(({ path }) => path));
    }
    if (this.#settings.speaker && !this.#closing) await this.#start([]);
  }

  /** Routes first, peers second (engine.ts); that the program is missing, or does not start, is a condition and no end. */
  async #start(restored: readonly ReceivedPath[]): Promise<void> {
    const { engine, directory, launcher, log } = this.#options;
    const { speaker, neighbors } = this.#settings as { speaker: NonNullable<BgpSettings['speaker']>; neighbors: BgpSettings['neighbors'] };
    checkSpeaker(speaker);
    for (const neighbor of neighbors) checkPeer(neighbor, speaker);
    const started = new BgpEngine({ directory: join(directory, 'speaker'), launcher, log });
    started.restore(restored);
    started.on('received', (changes) => this.#hear(changes));
    started.on('session', ({ peer, up }) => log.info({ peer: this.neighbor(peer)?.name, up }, 'BGP session'));
    started.on('up', () => { this.#problem = ''; });
    started.on('down', ({ why }) => { this.#problem = `the BGP speaker does not run: ${why}`; });
    started.on('refused', ({ why }) => { this.#problem = `a route is not announced: ${why}`; });
    // Or something would be announced that is not durable.
    await engine.whenSettled(() => {
      this.#speaker = started;
      this.#announcements = new Announcements();
      this.#announce(this.#announcements.change([], engine.compiler.exported));
      this.#wanted = undefined;
      this.#tellWanted();
    });
    const up = started.start(speaker).catch((error: Error) => { this.#problem = error.message; });
    await started.setPeers(neighbors);
    await up;
  }

  #tellWanted(): void {
    const { wantedTargets } = this.#options.engine.compiler;
    if (wantedTargets === this.#wanted) return;
    this.#wanted = wantedTargets;
    this.#speaker?.setWantedTargets(wantedTargets).catch((error: unknown) => this.#options.log.error({ err: error }, 'BGP route targets'));
  }

  // ---- out -------------------------------------------------------------------------------------------------------------------

  /** One route that may not be spoken keeps no other from being told. */
  #announce({ announce, withdraw }: PathChanges): void {
    if (!this.#speaker) return;
    const right = announce.filter((path) => this.#isRight(path));
    if (right.length + withdraw.length === 0) return;
    this.#speaker.announce({ announce: right, withdraw }).catch((error: unknown) => {
      if (!this.#closing) this.#options.log.error({ err: error }, 'BGP announcements');
    });
  }

  #isRight(path: VpnPath): boolean {
    try {
      checkPath(path);
      return true;
    } catch (error) {
      this.#problem = `a route is not announced: ${(error as Error).message}`;
      this.#options.log.error({ err: error }, 'BGP announcements');
      return false;
    }
  }

  // ---- in --------------------------------------------------------------------------------------------------------------------

  #forget(paths: readonly ReceivedPath[]): void {
    this.#hear(paths.map((before) => ({ before, after: undefined })));
  }

  #hear(changes: readonly ReceivedChange[]): void {
    for (const change of changes) this.#unwritten.push(change);
    const { gone, come, opened, closed } = this.#imports.change(changes, Date.now());
    if (opened.length + closed.length > 0) this.#options.log.debug({ opened, closed }, 'dynamic tunnels');
    this.#note(gone, come);
  }

  #note(gone: readonly Path[], come: readonly Path[]): void {
    for (const path of gone) this.#pending.set(path.id, { path, present: false });
    for (const path of come) this.#pending.set(path.id, { path, present: true });
    if (this.#pending.size + this.#unwritten.length > 0) void this.#pump();
  }

  /** Works in what has come: the first at once, what follows it in bursts, since a transaction costs as much for one route as for many. */
  async #pump(): Promise<void> {
    if (this.#pumping) return;
    this.#pumping = true;
    try {
      // What comes in one go is one transaction.
      await new Promise<void>((resolve) => setImmediate(resolve));
      while (!this.#closing) {
        const routes = this.#pending.size;
        const all = await this.#workIn();
        if (this.#pending.size + this.#unwritten.length === 0) break;
        await sleep(!all ? 0 : routes < FLOOD_ROUTES ? BURST_MS : FLOOD_MS);
      }
      if (!this.#closing) this.#received.markWorkedIn();
    } catch (error) {
      this.#options.log.warn({ err: error }, 'what routers told is not worked in yet');
      setTimeout(() => void this.#pump(), RETRY_MS).unref();
    } finally {
      this.#pumping = false;
    }
  }

  /** @returns whether it was all that was there. */
  async #workIn(): Promise<boolean> {
    this.#received.write(this.#unwritten, this.#imports.received);
    this.#unwritten = [];
    const { taken, left } = this.#take();
    this.#pending = left;
    const paths = (present: boolean): Path[] => [...taken.values()].filter((each) => each.present === present).map(({ path }) => path);
    try {
      await this.#options.engine.changeImported(paths(false), paths(true));
    } catch (error) {
      // What came later counts.
      this.#pending = new Map([...taken, ...this.#pending]);
      throw error;
    }
    return left.size === 0;
  }

  /** What is pending of as many prefixes as one transaction takes. All of a prefix goes together: a path and what takes its place. */
  #take(): { taken: Pending; left: Pending } {
    if (this.#pending.size <= MOST_PREFIXES) return { taken: this.#pending, left: new Map() };
    const prefixes = new Set<number>();
    const [taken, left]: [Pending, Pending] = [new Map(), new Map()];
    for (const [id, each] of this.#pending) {
      if (prefixes.size < MOST_PREFIXES) prefixes.add(each.path.prefix);
      (prefixes.has(each.path.prefix) ? taken : left).set(id, each);
    }
    return { taken, left };
  }
}

const sameAs = (one: unknown, other: unknown): boolean => JSON.stringify(one) === JSON.stringify(other);
