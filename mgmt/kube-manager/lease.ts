/**
 * Which of several replicas writes: the one that holds a Lease (coordination.k8s.io/v1), by the rules of Kubernetes' own leader election.
 * Whoever holds it renews it; who cannot, stops writing some seconds before another may begin. No clock is compared with another
 * machine's: a replica takes the Lease when it has seen it unchanged for as long as it says.
 */
import { randomUUID } from 'node:crypto';
import { pause, SYSTEM_CLOCK, type Clock } from '../clock.ts';
import { ApiError, type KubeClient, type Raw } from './kubernetes/client.ts';

const LEASE_MS = 15_000;
/** After the last renewal the holder counts itself out. */
const DEADLINE_MS = 10_000;
const RETRY_MS = 2_000;

/** The wall clock may be set back; what is held must end all the same. */
const STEADY_CLOCK: Clock = { ...SYSTEM_CLOCK, now: () => performance.now() };

export interface LeaseOptions {
  readonly namespace: string;
  readonly name: string;
  /** What this replica calls itself; a process's own mark is added. */
  readonly holder: string;
  readonly log: { info(text: string): void; warn(text: string): void };
}

type Client = Pick<KubeClient, 'get' | 'post' | 'put'>;

export class Lease {
  /** Is told when it is taken, and when it is lost or given back. */
  onChange: (held: boolean) => void = () => {};
  readonly #client: Client;
  readonly #options: LeaseOptions;
  readonly #clock: Clock;
  readonly #identity: string;
  readonly #stop = new AbortController();
  /** The Lease as it was last seen to change, and when. */
  #seen = { version: '', at: 0 };
  #until = -Infinity;
  #held = false;
  #expiry = (): void => {};
  #running: Promise<void> | undefined;
  #problem = '';

  constructor(client: Client, options: LeaseOptions, clock = STEADY_CLOCK) {
    this.#client = client;
    this.#options = options;
    this.#clock = clock;
    this.#identity = `${options.holder}_${randomUUID()}`;
  }

  /** Whether this replica may write, now. */
  get held(): boolean { return this.#held && this.#clock.now() < this.#until; }

  /** Takes it as soon as it may, and keeps it, until `release`. */
  run(): Promise<void> {
    return this.#running ??= this.#run();
  }

  /** Gives it back, so that another replica need not wait. */
  async release(): Promise<void> {
    const held = this.held;
    this.#stop.abort();
    this.#lose('given back');
    await this.#running;
    if (!held) return;
    try {
      const lease = await this.#client.get(this.#path);
      const spec = specOf(lease);
      if (spec['holderIdentity'] === this.#identity) await this.#client.put(this.#path, { ...lease, spec: { ...spec, holderIdentity: '', leaseDurationSeconds: 1 } });
    } catch (error) {
      this.#options.log.warn(`Lease ${this.#options.namespace}/${this.#options.name} is not given back, others wait for its end: ${(error as Error).message}`);
    }
  }

  async #run(): Promise<void> {
    while (!this.#stop.signal.aborted) {
      const asked = this.#clock.now();
      try {
        if (await this.#take()) this.#keep(asked + DEADLINE_MS);
        else this.#lose('another replica has it');
        this.#problem = '';
      } catch (error) {
        // Held it is until its deadline: the API server may be back by then.
        const { message } = error as Error;
        if (message !== this.#problem) this.#options.log.warn(`Lease ${this.#options.namespace}/${this.#options.name}: ${message}`);
        this.#problem = message;
      }
      await pause(this.#clock, RETRY_MS, this.#stop.signal);
    }
  }

  /** One attempt; whether it is ours now. */
  async #take(): Promise<boolean> {
    const now = new Date().toISOString().replace('Z', '000Z'); // microseconds, as MicroTime has them
    const mine = { holderIdentity: this.#identity, leaseDurationSeconds: LEASE_MS / 1000, renewTime: now };
    let lease: Raw;
    try {
      lease = await this.#client.get(this.#path);
    } catch (error) {
      if (!isCode(error, 404)) throw error;
      const { namespace, name } = this.#options;
      return this.#write(() => this.#client.post(this.#collection, {
        apiVersion: 'coordination.k8s.io/v1', kind: 'Lease', metadata: { namespace, name }, spec: { ...mine, acquireTime: now, leaseTransitions: 0 },
      }));
    }
    const spec = specOf(lease);
    const holder = spec['holderIdentity'];
    const version = String((lease['metadata'] as Raw | undefined)?.['resourceVersion']);
    if (version !== this.#seen.version) this.#seen = { version, at: this.#clock.now() };
    if (holder === this.#identity) return this.#write(() => this.#client.put(this.#path, { ...lease, spec: { ...spec, ...mine } }));
    const free = typeof holder !== 'string' || holder === '' || this.#clock.now() >= this.#seen.at + 1000 * Number(spec['leaseDurationSeconds'] ?? LEASE_MS / 1000);
    if (!free) return false;
    const transitions = Number(spec['leaseTransitions'] ?? 0) + 1;
    return this.#write(() => this.#client.put(this.#path, { ...lease, spec: { ...spec, ...mine, acquireTime: now, leaseTransitions: transitions } }));
  }

  /** False when another replica was faster. */
  async #write(write: () => Promise<unknown>): Promise<boolean> {
    if (this.#stop.signal.aborted) return false;
    try {
      await write();
      return true;
    } catch (error) {
      if (isCode(error, 409)) return false;
      throw error;
    }
  }

  #keep(until: number): void {
    if (this.#stop.signal.aborted || this.#clock.now() >= until) return;
    this.#until = until;
    this.#expiry();
    this.#expiry = this.#clock.after(until - this.#clock.now(), () => this.#lose('it could not be renewed in time'), true);
    if (this.#held) return;
    this.#held = true;
    this.#options.log.info(`Lease ${this.#options.namespace}/${this.#options.name} is held: this replica writes`);
    this.onChange(true);
  }

  #lose(why: string): void {
    if (!this.#held) return;
    this.#held = false;
    this.#expiry();
    this.#options.log.info(`Lease ${this.#options.namespace}/${this.#options.name} is held no more: ${why}`);
    this.onChange(false);
  }

  get #collection(): string { return `/apis/coordination.k8s.io/v1/namespaces/${this.#options.namespace}/leases`; }
  get #path(): string { return `${this.#collection}/${this.#options.name}`; }
}

const specOf = (lease: Raw): Raw => (lease['spec'] ?? {}) as Raw;
const isCode = (error: unknown, code: number): boolean => error instanceof ApiError && error.code === code;
