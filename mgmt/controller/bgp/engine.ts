/**
 * The BGP speaker of the controller. Whoever uses it says what shall be (peers, routes, wanted route targets) and hears what came
 * in; that a gobgpd does the speaking, dies, hangs and is started again shows only as an event.
 *
 * After a start the order is fixed: routes first, peers second. A peer takes what it kept of us away as soon as we have said that
 * we are done, and the engine says so right after a session's first routes; so there must be no session before there are routes.
 */
import { EventEmitter } from 'node:events';
import { existsSync } from 'node:fs';
import { status } from '@grpc/grpc-js';
import type { Logger } from 'pino';
import { formatAddress } from '../model/address.ts';
import { AdjRibIn, type ReceivedChange } from './adj-rib-in.ts';
import { Daemon } from './daemon.ts';
import { Gobgp } from './gobgp.ts';
import { MonitoringPort } from './monitoring-port.ts';
import { vpnKey, type PathChanges, type PeerSettings, type PeerStatus, type ReceivedPath, type Speaker, type VpnKey, type VpnPath } from './types.ts';
import { checkKey, checkPath, checkPeer, checkSpeaker, describeKey, isTarget, BgpRefusal } from './validate.ts';

const SOCKET_MS = 5000;
const SOCKET_POLL_MS = 5;
const HEALTH_MS = 5000;
/** A life that lasted this long was a success, whatever ended it. */
const LASTING_MS = 10_000;
const LONGEST_PAUSE_MS = 5000;
/** Routes that one upload carries. */
const UPLOAD = 20_000;
const SWEEP_MS = 200;
/**
 * A peer has told everything when its End-of-RIB is in, its session is so old, and nothing has come for so long. The marker alone
 * does not say it: the engine takes it for given when the peer claims to have restarted too (RFC 4724's bit R), and FRR does that
 * for two minutes after its start.
 */
const SETTLED_MS = 8000;
const QUIET_MS = 2000;
/** Where the speaker listens on every address. */
const LOOPBACK = '127.0.0.1';
/** Of a peer that restarts without saying how long it may take. */
const DEFAULT_RESTART_S = 120;

export interface BgpEngineOptions {
  /** Where the engine's socket is; nothing else must be in it. */
  readonly directory: string;
  readonly log: Logger;
  /** Put before the engine's command, e.g. `ip vrf exec management`. */
  readonly launcher?: readonly string[];
}

interface Events {
  /** Routes that came, changed or went, in the order of their coming. */
  received: [readonly ReceivedChange[]];
  session: [{ peer: number; up: boolean }];
  /** The engine has all our routes and peers. */
  up: [];
  /** It is gone; a new one starts. Peers keep our routes, we keep theirs. */
  down: [{ why: string }];
  /** A route that it does not take although it looks right to us. */
  refused: [{ path: VpnPath; why: string }];
}

/** Without a path: a withdrawal. */
interface Change { readonly key: VpnKey; readonly path: VpnPath | undefined }

export class BgpEngine extends EventEmitter<Events> {
  readonly rib = new AdjRibIn();
  readonly #options: Required<BgpEngineOptions>;
  readonly #peers = new Map<number, PeerSettings>();
  readonly #paths = new Map<string, VpnPath>();
  #targets: ReadonlySet<string> = new Set();
  /** What the engine of now has been told. */
  #told: { peers: Map<number, PeerSettings>; targets: ReadonlySet<string> } = { peers: new Map(), targets: new Set() };
  #speaker: Speaker | undefined;
  /** Where engines report, one after the other. */
  #port: MonitoringPort | undefined;
  #daemon: Daemon | undefined;
  /** Set while the engine has what it shall have, up to `#changed`. */
  #gobgp: Gobgp | undefined;
  #changed = new Map<string, Change>();
  #waiting: { readonly resolve: () => void; readonly reject: (error: Error) => void }[] = [];
  #pumping = false;
  #settling: Promise<unknown> = Promise.resolve();
  #stopping = false;
  #running: Promise<void> = Promise.resolve();
  #sweeping: NodeJS.Timeout | undefined;
  #lostAt = Date.now();
  /** Why it ended last: said once, however often it happens. */
  #ended = '';
  /** When a peer's session came up, and when it told something last; of this life. */
  readonly #establishedAt = new Map<number, number>();
  readonly #heardAt = new Map<number, number>();

  constructor({ directory, log, launcher = [] }: BgpEngineOptions) {
    super();
    this.#options = { directory, log, launcher };
  }

  /** Starts speaking. Resolves when the engine is up, rejects when it ended before; trying goes on until `stop`. @throws {BgpRefusal} */
  async start(speaker: Speaker): Promise<void> {
    checkSpeaker(speaker);
    this.#speaker = speaker;
    this.#stopping = false;
    const first = new Promise<void>((resolve, reject) => {
      this.once('up', resolve);
      this.once('down', ({ why }) => reject(new Error(`the BGP engine does not start: ${why}`)));
    });
    this.#running = this.#supervise();
    this.#sweeping ??= setInterval(() => void this.#sweep(), SWEEP_MS);
    await first;
  }

  /** @param routes whether peers keep our routes (we come back within the restart time) or take them away. */
  async stop(routes: 'keep' | 'withdraw'): Promise<void> {
    this.#stopping = true;
    if (routes === 'keep') await this.#daemon?.kill();
    else await this.#daemon?.cease();
    clearInterval(this.#sweeping);
    this.#sweeping = undefined;
    await this.#running;
    this.#port?.close();
    this.#port = undefined;
    for (const { reject } of this.#waiting.splice(0)) reject(new Error('the BGP engine was stopped'));
  }

  /** Before `start`: what peers had told, and we still forward by. */
  restore(paths: Iterable<ReceivedPath>): void { this.rib.restore(paths); }

  /** The process that speaks now, undefined between two of them. */
  get pid(): number | undefined { return this.#daemon?.pid; }
  /** What shall be announced. */
  get announced(): ReadonlyMap<string, VpnPath> { return this.#paths; }

  // ---- what shall be ---------------------------------------------------------------------------------------------------------

  /** Exactly these peers. One whose settings changed is left and met anew. @throws {BgpRefusal} then nothing has changed. */
  async setPeers(peers: readonly PeerSettings[]): Promise<void> {
    if (!this.#speaker) throw new Error('start the engine before it gets peers');
    for (const peer of peers) checkPeer(peer, this.#speaker);
    const wanted = new Map(peers.map((peer) => [peer.address, peer]));
    if (wanted.size !== peers.length) throw new BgpRefusal('BGP peers', 'an address is there twice');
    this.#peers.clear();
    for (const peer of peers) this.#peers.set(peer.address, peer);
    await this.#reconcile();
  }

  /**
   * Announces and withdraws. Resolves when an engine has taken it, this one or the next; rejects when there is none to come.
   *
   * @throws {BgpRefusal} then nothing of it is done.
   */
  async announce({ announce, withdraw }: PathChanges): Promise<void> {
    for (const path of announce) checkPath(path);
    for (const key of withdraw) checkKey(key);
    for (const key of withdraw) {
      const id = vpnKey(key);
      if (this.#paths.delete(id)) this.#changed.set(id, { key, path: undefined });
    }
    for (const path of announce) {
      const id = vpnKey(path);
      this.#paths.set(id, path);
      this.#changed.set(id, { key: path, path });
    }
    if (this.#changed.size === 0) return;
    const done = new Promise<void>((resolve, reject) => this.#waiting.push({ resolve, reject }));
    void this.#pump();
    await done;
  }

  /** Route targets that peers shall send us routes of, where they speak the route-target family. @throws {BgpRefusal} */
  async setWantedTargets(targets: Iterable<string>): Promise<void> {
    const wanted = new Set(targets);
    for (const target of wanted) if (!isTarget(target)) throw new BgpRefusal('wanted route targets', `${JSON.stringify(target)} is not a route target like target:64512:100`);
    this.#targets = wanted;
    await this.#reconcile();
  }

  /** Brings the engine's peers and memberships to what they shall be; one such work at a time. */
  #reconcile(): Promise<void> {
    const work = this.#settling.then(async () => {
      const gobgp = this.#gobgp;
      if (!gobgp) return; // the next one gets it all
      const refused = await this.#settle(gobgp, false).catch((error: { code?: number }) => {
        if (error.code === status.UNAVAILABLE) return []; // it is gone
        throw error;
      });
      if (refused.length > 0) throw new BgpRefusal('BGP engine', refused.join('; '));
    });
    this.#settling = work.catch(() => undefined);
    return work;
  }

  /** @returns what it refuses, peer by peer: one bad peer must not keep the others away. */
  async #settle(gobgp: Gobgp, restarting: boolean): Promise<string[]> {
    const refused: string[] = [];
    const { asn, routerId } = this.#speaker!;
    const [wanted, told] = [this.#targets, this.#told.targets];
    this.#told.targets = wanted;
    await gobgp.writeMemberships(asn, routerId, [...new Set([...wanted, ...told])].filter((target) => wanted.has(target) !== told.has(target)).map((target) => ({ target, wanted: wanted.has(target) })));
    for (const [address, peer] of [...this.#told.peers]) {
      if (JSON.stringify(peer) === JSON.stringify(this.#peers.get(address))) continue;
      this.#told.peers.delete(address);
      await gobgp.deletePeer(address);
      this.#sessionChanged(address, false);
      this.#emitReceived(this.rib.drop(address));
    }
    for (const [address, peer] of [...this.#peers]) {
      if (this.#told.peers.has(address)) continue;
      this.#told.peers.set(address, peer);
      await gobgp.addPeer(peer, restarting).catch((error: { code?: number; message: string }) => {
        if (error.code !== status.UNKNOWN) throw error;
        this.#options.log.error({ peer: formatAddress(address), why: error.message }, 'BGP engine refuses a peer');
        this.#told.peers.delete(address);
        refused.push(`peer ${formatAddress(address)}: ${error.message}`);
      });
    }
    return refused;
  }

  // ---- what is ---------------------------------------------------------------------------------------------------------------

  /** Every peer that shall be, in the order of addresses; idle while there is no engine. */
  async peers(): Promise<PeerStatus[]> {
    const told = await this.#gobgp?.peers().catch(() => []);
    const known = new Map((told ?? []).map((peer) => [peer.address, peer]));
    return [...this.#peers.values()].sort((one, other) => one.address - other.address).map(({ address, asn }) =>
      known.get(address) ?? { address, asn, state: 'idle', routerId: '', establishedSince: 0, flaps: 0, families: [] });
  }

  // ---- lives -----------------------------------------------------------------------------------------------------------------

  async #supervise(): Promise<void> {
    const { log } = this.#options;
    for (let failures = 0; !this.#stopping;) {
      const began = performance.now();
      const why = await this.#live().catch((error: unknown) => (error instanceof Error ? error.message : String(error)));
      this.#daemon = undefined;
      if (this.#gobgp) this.#lostAt = Date.now();
      this.#gobgp = undefined;
      if (this.#stopping) return;
      this.rib.engineLost();
      this.#establishedAt.clear();
      this.#heardAt.clear();
      failures = performance.now() - began >= LASTING_MS ? 0 : failures + 1;
      const pause = failures === 0 ? 0 : Math.min(LONGEST_PAUSE_MS, 50 * 2 ** Math.min(failures, 10));
      log[why === this.#ended ? 'debug' : 'warn']({ why, pause }, 'BGP engine ended; it starts again');
      this.#ended = why;
      this.emit('down', { why });
      await new Promise((resolve) => setTimeout(resolve, pause));
    }
  }

  /** One engine from its start to its end; returns how it ended. */
  async #live(): Promise<string> {
    const { log, directory, launcher } = this.#options;
    const daemon = new Daemon({ directory, launcher, log });
    this.#daemon = daemon;
    let ended = '';
    void daemon.ended.then((how) => { ended = how; });
    const deadline = performance.now() + SOCKET_MS;
    while (!existsSync(daemon.socket) && !ended && performance.now() < deadline) await new Promise((resolve) => setTimeout(resolve, SOCKET_POLL_MS));
    if (ended) return ended;
    const gobgp = new Gobgp(daemon.socket, log);
    const timers: NodeJS.Timeout[] = [];
    try {
      await this.#fill(gobgp, daemon);
      timers.push(setInterval(() => void this.#checkHealth(gobgp, daemon), HEALTH_MS));
      return await daemon.ended;
    } finally {
      for (const timer of timers) clearInterval(timer);
      gobgp.close();
      await daemon.kill();
    }
  }

  async #fill(gobgp: Gobgp, daemon: Daemon): Promise<void> {
    const speaker = this.#speaker!;
    const [port] = await Promise.all([this.#listen(), gobgp.start(speaker)]);
    await gobgp.watch(port, speaker, {
      received: (paths) => {
        for (const { peer } of paths) this.#heardAt.set(peer, performance.now());
        this.#emitReceived(this.rib.apply(paths.filter(({ peer }) => this.#peers.has(peer))));
      },
      session: (peer, up) => {
        if (this.#peers.has(peer)) this.#sessionChanged(peer, up);
      },
    }, (why) => {
      this.#options.log.debug({ why }, 'BGP engine broke off its reports');
      void daemon.kill();
    });
    this.#changed = new Map([...this.#paths].map(([id, path]) => [id, { key: path, path }]));
    while (this.#changed.size > 0) await this.#flush(gobgp);
    const settling = this.#settling.then(async () => {
      this.#told = { peers: new Map(), targets: new Set() };
      await this.#settle(gobgp, true);
      this.#gobgp = gobgp;
    });
    this.#settling = settling.catch(() => undefined);
    await settling;
    for (const address of this.rib.stale) if (!this.#peers.has(address)) this.#emitReceived(this.rib.drop(address));
    this.#options.log.info({ pid: daemon.pid, paths: this.#paths.size, peers: this.#peers.size }, 'BGP engine is up');
    this.#ended = '';
    this.emit('up');
    void this.#pump();
  }

  /** An address that the engine has: one of its sessions', as a VRF need have no loopback address. */
  async #listen(): Promise<MonitoringPort> {
    const [address] = this.#speaker!.addresses;
    return this.#port ??= await MonitoringPort.open(this.#options.launcher, address === undefined ? LOOPBACK : formatAddress(address));
  }

  /** An engine that does not answer is worth as much as none. */
  async #checkHealth(gobgp: Gobgp, daemon: Daemon): Promise<void> {
    try {
      await gobgp.answers(HEALTH_MS * 3);
    } catch (error) {
      this.#options.log.warn({ err: error }, 'BGP engine does not answer');
      await daemon.kill();
    }
  }

  // ---- routes out ------------------------------------------------------------------------------------------------------------

  async #pump(): Promise<void> {
    if (this.#pumping) return;
    this.#pumping = true;
    try {
      while (this.#gobgp && this.#changed.size > 0) await this.#flush(this.#gobgp);
    } catch (error) {
      this.#options.log.warn({ err: error }, 'BGP engine was lost while it was written to'); // the next one gets everything
    } finally {
      this.#pumping = false;
    }
  }

  /** Writes what changed; tells those who wait for it when it is all in. */
  async #flush(gobgp: Gobgp): Promise<void> {
    const [changed, waiting] = [this.#changed, this.#waiting];
    [this.#changed, this.#waiting] = [new Map(), []];
    try {
      const entries = [...changed.values()];
      for (let at = 0; at < entries.length; at += UPLOAD) await this.#write(gobgp, entries.slice(at, at + UPLOAD));
    } catch (error) {
      this.#waiting.unshift(...waiting);
      throw error;
    }
    for (const { resolve } of waiting) resolve();
  }

  /** The engine does not say which route it refuses, and forgets what came after it: so halves are tried until it is found. */
  async #write(gobgp: Gobgp, entries: readonly Change[]): Promise<void> {
    try {
      await gobgp.write(entries.flatMap(({ path }) => path ?? []), entries.flatMap(({ key, path }) => (path ? [] : key)));
    } catch (error) {
      const { code, message } = error as { code?: number; message: string };
      if (code !== status.UNKNOWN) throw error;
      if (entries.length > 1) {
        const half = entries.length >>> 1;
        await this.#write(gobgp, entries.slice(0, half));
        await this.#write(gobgp, entries.slice(half));
        return;
      }
      const [entry] = entries as [Change];
      this.#options.log.error({ route: describeKey(entry.key), why: message }, 'BGP engine refuses a route');
      if (entry.path) this.emit('refused', { path: entry.path, why: message });
    }
  }

  // ---- routes in -------------------------------------------------------------------------------------------------------------

  #sessionChanged(peer: number, up: boolean): void {
    if (up) this.#establishedAt.set(peer, performance.now());
    else this.#establishedAt.delete(peer);
    this.rib.setSession(peer, up);
    this.emit('session', { peer, up });
    if (!up) void this.#sweep();
  }

  /** Takes away what peers do not tell again. */
  async #sweep(): Promise<void> {
    if (this.rib.stale.size === 0) return;
    const gobgp = this.#gobgp;
    const told = await gobgp?.peers().catch(() => []);
    if (this.#gobgp !== gobgp) return;
    const statuses = new Map((told ?? []).map((status) => [status.address, status]));
    for (const address of [...this.rib.stale]) {
      const status = statuses.get(address);
      if (status && this.#hasForgotten(status)) this.#emitReceived(this.rib.sweep(address, 'of lost sessions'));
      const late = Date.now() - this.#lostAt >= this.#restartMs(address);
      if (!late && !(status && this.#hasToldAll(status))) continue;
      const gone = this.rib.sweep(address, 'of former engines');
      if (late && gone.length > 0) this.#options.log.warn({ peer: formatAddress(address), routes: gone.length }, 'BGP peer did not tell routes again in time; they go');
      this.#emitReceived(gone);
    }
  }

  /**
   * Whether the engine has no more of a peer than what we heard in the session of now: it then knows nothing of sessions before, or
   * no longer. As long as it waits for a peer that restarts gracefully it does.
   */
  #hasForgotten({ address, state, families }: PeerStatus): boolean {
    const up = state === 'established';
    if (up !== this.#establishedAt.has(address)) return false; // the report of it is on its way
    if (up && this.#since(this.#heardAt, address, 0) < QUIET_MS && this.#since(this.#establishedAt, address, 0) < this.#restartMs(address)) return false;
    return this.rib.freshOf(address) >= acceptedOf(families);
  }

  /** Whether a peer whose routes a former engine had has told all of them again. */
  #hasToldAll({ address, state, families }: PeerStatus): boolean {
    return state === 'established' && families.some(({ family, endOfRib }) => family === 'ipv4-vpn' && endOfRib) && this.rib.freshOf(address) >= acceptedOf(families)
      && this.#since(this.#establishedAt, address, Infinity) >= SETTLED_MS && this.#since(this.#heardAt, address, 0) >= QUIET_MS;
  }

  #since(times: ReadonlyMap<number, number>, address: number, missing: number): number { return performance.now() - (times.get(address) ?? missing); }
  #restartMs(address: number): number { return (this.#peers.get(address)?.restartTime || DEFAULT_RESTART_S) * 1000; }

  #emitReceived(changes: readonly ReceivedChange[]): void {
    if (changes.length > 0) this.emit('received', changes);
  }
}

const acceptedOf = (families: PeerStatus['families']): number => families.find(({ family }) => family === 'ipv4-vpn')?.accepted ?? 0;
