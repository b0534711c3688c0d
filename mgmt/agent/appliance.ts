/**
 * The agent of one appliance, as a loop of sessions: ask the dataplane what it holds, dial a controller, pass its stream on
 * until something breaks, begin again. It holds no truth of its own: killed at any time, it comes back to the same place.
 * Forwarding never depends on it.
 */
import type { Session as SessionView } from '../../proto/appliance.ts';
import type { DataplaneMethods, State } from '../../proto/dataplane.ts';
import type { Client, Draft } from '../../proto/load.ts';
import type { Status } from '../../proto/sync.ts';
import { pause, SYSTEM_CLOCK, type Clock } from '../clock.ts';
import { Rota } from './backoff.ts';
import { Pods } from './cni/pods.ts';
import { deviceNames } from './devices.ts';
import { Ports, POLL_MS } from './ports.ts';
import type { Refusals } from './refusals.ts';
import { Session } from './session.ts';
import type { ControllerConnection, DataplaneConnection, Transport } from './transport.ts';

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
  transport: Transport;
  refusals: Refusals;
  log: Log;
  /** It makes pods' interfaces when it is asked to (cni/). */
  servesPods?: boolean;
  /** Devices that a process sees; a test gives its own. */
  devices?: (pid: number) => Set<string> | null;
  /** A simulation gives its own. `random` is in [0, 1). */
  clock?: Clock;
  random?: () => number;
}

export class ApplianceAgent {
  readonly name: string;
  readonly refusals: Refusals;
  readonly ports: Ports;
  readonly pods: Pods;
  readonly dataplane: Client<DataplaneMethods>;
  readonly #options: ApplianceOptions;
  readonly #rota: Rota;
  readonly #stop = new AbortController();
  readonly #connection: DataplaneConnection;
  readonly #clock: Clock;
  #session: Session | undefined;
  #view: { controller: string; controllerName: string; since: string };
  #problem = 'starting';
  #lastStatus = '';
  #said = '';

  constructor(options: ApplianceOptions) {
    this.#options = options;
    this.name = options.name;
    this.refusals = options.refusals;
    this.#clock = options.clock ?? SYSTEM_CLOCK;
    this.#view = { controller: '', controllerName: '', since: this.#now() };
    this.#rota = new Rota(options.controllers, options.random);
    this.#connection = options.transport.dataplane();
    this.dataplane = this.#connection.calls;
    this.ports = new Ports(this.dataplane, options.devices ?? deviceNames, (text) => options.log.info(text), this.#clock);
    this.pods = new Pods(this.dataplane, this.#clock);
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
    this.#connection.close();
  }

  stop(): void {
    this.#stop.abort();
    this.#session?.end('the agent stops', STOP_MS);
  }

  // ---- dataplane -------------------------------------------------------------------------------------------------------
  /** The dataplane's state and its ports' names; null when it is away (after a short pause). */
  async #reachDataplane(): Promise<State | null> {
    try {
      const state = await this.dataplane.getState({}, { deadline: this.#clock.now() + DATAPLANE_MS });
      await this.ports.learn(state.pid);
      if (this.#options.servesPods) await this.pods.learn(state.version !== 0);
      return state;
    } catch (error) {
      this.ports.forget();
      this.pods.forget();
      this.#trouble(`the dataplane at ${this.#connection.address} does not answer: ${(error as Error).message}`);
      await this.#pause(DATAPLANE_AGAIN_MS);
      return null;
    }
  }

  // ---- controller ------------------------------------------------------------------------------------------------------
  /** One attempt at one controller, and the session that comes of it. */
  async #attempt(controller: string, state: State): Promise<void> {
    let connection: ControllerConnection;
    try {
      connection = this.#options.transport.controller(controller);
    } catch (error) {
      this.#rota.ended(0);
      this.#trouble(`no session with controller ${controller}: ${(error as Error).message}`);
      return;
    }
    let began = 0;
    const session = new Session(connection.stream, () => this.#connection.apply(), {
      name: this.name, kind: state.kind, profile: state.profile, software: this.#options.software,
      layoutVersion: state.layoutVersion, stateId: state.stateId, version: state.version,
    }, {
      welcomed: (welcome) => {
        began = this.#clock.now();
        this.#view = { controller, controllerName: welcome.controller, since: this.#now() };
        this.#problem = this.#said = this.#lastStatus = '';
        this.refusals.setHistory(welcome.stateId);
        this.#options.log.info(`in session with controller ${welcome.controller} at ${controller}, ${welcome.resync ? 'resync' : `from version ${state.version}`}`);
        void this.#report();
      },
      resyncBegun: () => {
        this.refusals.resyncBegun();
        this.pods.resyncBegun();
      },
      acknowledged: (ack, update) => {
        if (ack.error !== '') this.#options.log.warn(`the dataplane refused the message with nonce ${ack.nonce}: ${ack.error}`);
        if (update) {
          const opened = update();
          if (this.refusals.concerns(ack)) this.refusals.acknowledged(opened, ack);
          if (ack.error !== '') return;
          this.ports.named(opened.names);
          this.pods.named(opened.names);
        } else if (ack.error === '') {
          this.refusals.resyncEnded();
          this.ports.learn().catch((error: Error) => this.#options.log.warn(`ports: ${error.message}`));
          if (this.#options.servesPods) this.pods.learn(true).catch((error: Error) => this.#options.log.warn(`pods: ${error.message}`));
        }
      },
    }, this.#clock);
    this.#session = session;
    const reason = await session.ended;
    this.#session = undefined;
    connection.close();
    this.#rota.ended(began > 0 ? this.#clock.now() - began : 0);
    if (began > 0) this.#view = { controller: '', controllerName: '', since: this.#now() };
    this.#trouble(`no session with controller ${controller}: ${reason}`);
  }

  // ---- status ----------------------------------------------------------------------------------------------------------
  /** Looks at the ports, and tells the controller when something is different. */
  async #report(): Promise<void> {
    try {
      const [{ lcores }] = await Promise.all([this.dataplane.lcores({}, { deadline: this.#clock.now() + DATAPLANE_MS }), this.ports.look()]);
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
    await pause(this.#clock, ms, this.#stop.signal);
  }

  #now(): string { return new Date(this.#clock.now()).toISOString(); }
}
