/**
 * The agent of one appliance, as a loop of sessions: ask the dataplane what it holds, dial a controller, pass its stream on
 * until something breaks, begin again. It holds no truth of its own: killed at any time, it comes back to the same place.
 * Forwarding never depends on it.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import * as grpc from '@grpc/grpc-js';
import type { Session as SessionView } from '../../proto/appliance.ts';
import { Dataplane, type DataplaneMethods, type State } from '../../proto/dataplane.ts';
import { CHANNEL_OPTIONS, createClient, pathOf, unixAddress, type Client, type Draft } from '../../proto/load.ts';
import { Sync, type Status } from '../../proto/sync.ts';
import { Rota } from './backoff.ts';
import { deviceNames } from './devices.ts';
import { Ports, POLL_MS } from './ports.ts';
import type { Refusals } from './refusals.ts';
import { Session, type RawStream } from './session.ts';

const STATUS_MS = 1000;
/** How long the dataplane is given to answer, and how soon it is asked again. */
const DATAPLANE_MS = 5000;
const DATAPLANE_AGAIN_MS = 200;
/** What the dataplane has to finish with when the agent stops. */
const STOP_MS = 3000;

export interface Log { info(text: string): void; warn(text: string): void }

export interface ApplianceOptions {
  name: string;
  software: string;
  controllers: readonly string[];
  /** Credentials towards controllers; read again for every connection, so that renewed certificates are taken up. */
  credentials: () => grpc.ChannelCredentials;
  /** Path of the dataplane's socket. */
  dataplane: string;
  refusals: Refusals;
  log: Log;
  /** Devices that a process sees; a test gives its own. */
  devices?: (pid: number) => Set<string> | null;
}

const untouched = (bytes: Buffer): Buffer => bytes;

export class ApplianceAgent {
  readonly name: string;
  readonly refusals: Refusals;
  readonly ports: Ports;
  readonly dataplane: Client<DataplaneMethods>;
  readonly #options: ApplianceOptions;
  readonly #rota: Rota;
  readonly #stop = new AbortController();
  /** Raw streams to the dataplane; its other calls go through `dataplane`. */
  readonly #channel: grpc.Client;
  #session: Session | undefined;
  #view: { controller: string; controllerName: string; since: string } = { controller: '', controllerName: '', since: new Date().toISOString() };
  #problem = 'starting';
  #lastStatus = '';
  #said = '';

  constructor(options: ApplianceOptions) {
    this.#options = options;
    this.name = options.name;
    this.refusals = options.refusals;
    this.#rota = new Rota(options.controllers);
    const address = unixAddress(options.dataplane);
    // A dataplane that writes a large batch does not answer pings meanwhile; that it died, its socket tells at once.
    const patient: grpc.ChannelOptions = { 'grpc.keepalive_time_ms': 15_000, 'grpc.keepalive_timeout_ms': 15_000, 'grpc.initial_reconnect_backoff_ms': 100, 'grpc.max_reconnect_backoff_ms': 1000 };
    this.dataplane = createClient(Dataplane, address, grpc.credentials.createInsecure(), patient);
    this.#channel = new grpc.Client(address, grpc.credentials.createInsecure(), { ...CHANNEL_OPTIONS, ...patient });
    this.ports = new Ports(this.dataplane, options.devices ?? deviceNames, (text) => options.log.info(text));
  }

  /** Why the dataplane or every controller is away; empty in session. */
  get problem(): string { return this.#problem; }

  view(): Draft<SessionView> {
    const session = this.#session;
    return {
      ...this.#view, controllers: [...this.#rota.controllers], refusals: this.refusals.count,
      resync: session?.resync ?? false, inFlight: session?.inFlight ?? 0, messages: session?.messages ?? 0, bytes: session?.bytes ?? 0,
    };
  }

  /** What is there now. */
  health(): { dataplane: boolean; controller: boolean } {
    return { dataplane: this.ports.known, controller: this.#view.controller !== '' };
  }

  /** Runs until `stop`. */
  async run(): Promise<void> {
    const watching = [this.#every(POLL_MS, () => this.ports.reconcile()), this.#every(STATUS_MS, () => this.#report())];
    while (!this.#stop.signal.aborted) {
      const { controller, waitMs } = this.#rota.attempt();
      await this.#pause(waitMs);
      const state = await this.#reachDataplane();
      if (state && !this.#stop.signal.aborted) await this.#attempt(controller, state);
    }
    await Promise.all(watching);
    this.dataplane.close();
    this.#channel.close();
  }

  stop(): void {
    this.#stop.abort();
    this.#session?.end('the agent stops', STOP_MS);
  }

  // ---- dataplane -------------------------------------------------------------------------------------------------------
  /** The dataplane's state and its ports' names; null when it is away (after a short pause). */
  async #reachDataplane(): Promise<State | null> {
    try {
      const state = await this.dataplane.getState({}, { deadline: Date.now() + DATAPLANE_MS });
      await this.ports.learn(state.pid);
      return state;
    } catch (error) {
      this.ports.forget();
      this.#trouble(`the dataplane at ${this.#options.dataplane} does not answer: ${(error as Error).message}`);
      await this.#pause(DATAPLANE_AGAIN_MS);
      return null;
    }
  }

  // ---- controller ------------------------------------------------------------------------------------------------------
  /** One attempt at one controller, and the session that comes of it. */
  async #attempt(controller: string, state: State): Promise<void> {
    let credentials: grpc.ChannelCredentials;
    try {
      credentials = this.#options.credentials();
    } catch (error) {
      this.#rota.ended(0);
      this.#trouble(`no session with controller ${controller}: ${(error as Error).message}`);
      return;
    }
    const channel = new grpc.Client(controller, credentials, { ...CHANNEL_OPTIONS, 'grpc.use_local_subchannel_pool': 1 });
    const dial = (client: grpc.Client, path: string): RawStream => client.makeBidiStreamRequest(path, untouched, untouched, new grpc.Metadata());
    let began = 0;
    const session = new Session(dial(channel, pathOf(Sync, 'stream')), () => dial(this.#channel, pathOf(Dataplane, 'apply')), {
      name: this.name, kind: state.kind, profile: state.profile, software: this.#options.software,
      layoutVersion: state.layoutVersion, stateId: state.stateId, version: state.version,
    }, {
      welcomed: (welcome) => {
        began = Date.now();
        this.#view = { controller, controllerName: welcome.controller, since: new Date().toISOString() };
        this.#problem = this.#said = this.#lastStatus = '';
        this.refusals.setHistory(welcome.stateId);
        this.#options.log.info(`in session with controller ${welcome.controller} at ${controller}, ${welcome.resync ? 'resync' : `from version ${state.version}`}`);
        void this.#report();
      },
      resyncBegun: () => this.refusals.resyncBegun(),
      acknowledged: (ack, update) => {
        if (ack.error !== '') this.#options.log.warn(`the dataplane refused the message with nonce ${ack.nonce}: ${ack.error}`);
        if (update) {
          const opened = update();
          if (this.refusals.concerns(ack)) this.refusals.acknowledged(opened, ack);
          if (ack.error === '') this.ports.named(opened.names);
        } else if (ack.error === '') {
          this.refusals.resyncEnded();
          this.ports.learn().catch((error: Error) => this.#options.log.warn(`ports: ${error.message}`));
        }
      },
    });
    this.#session = session;
    const reason = await session.ended;
    this.#session = undefined;
    channel.close();
    this.#rota.ended(began > 0 ? Date.now() - began : 0);
    if (began > 0) this.#view = { controller: '', controllerName: '', since: new Date().toISOString() };
    this.#trouble(`no session with controller ${controller}: ${reason}`);
  }

  // ---- status ----------------------------------------------------------------------------------------------------------
  /** Looks at the ports, and tells the controller when something is different. */
  async #report(): Promise<void> {
    try {
      const [{ lcores }] = await Promise.all([this.dataplane.lcores({}, { deadline: Date.now() + DATAPLANE_MS }), this.ports.look()]);
      const status: Draft<Status> = {
        ports: this.ports.list().map((state) => ({ name: state.port?.name ?? '', up: state.up, driver: state.port?.driver ?? '', mac: state.mac, problem: state.problem })),
        lcores: lcores.length,
      };
      const text = JSON.stringify(status);
      if (text !== this.#lastStatus && this.#session?.status(status)) this.#lastStatus = text;
    } catch {
      // The dataplane is away: the session's own loop says so.
    }
  }

  /** Said once while it stays the same. */
  #trouble(text: string): void {
    this.#problem = text;
    if (text !== this.#said && !this.#stop.signal.aborted) this.#options.log.warn(text);
    this.#said = text;
  }

  async #every(ms: number, action: () => Promise<void>): Promise<void> {
    while (!this.#stop.signal.aborted) {
      await this.#pause(ms);
      await action();
    }
  }

  /** Sleeps, shorter when the agent stops. */
  async #pause(ms: number): Promise<void> {
    await sleep(ms, undefined, { signal: this.#stop.signal }).catch(() => {});
  }
}
