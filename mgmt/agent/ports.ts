/**
 * Workloads' ports: every Name of an interface that bears a port wants it attached, once a device of that name exists. Ports
 * of the hardware profile are the dataplane's own; ports without a device (socket, memory) belong to whoever attached them.
 */
import type { DataplaneMethods, PortState, TableReply } from '../../proto/dataplane.ts';
import type { Client } from '../../proto/load.ts';
import type { Name } from '../../proto/sync.ts';
import { SYSTEM_CLOCK, type Clock } from '../clock.ts';

/** How often devices are looked for: half of it is what a new workload waits on average. */
export const POLL_MS = 200;
/** An attachment that failed is tried again after this time. */
const RETRY_MS = 2000;

const WITHOUT_DEVICE = new Set(['socket', 'memory', 'generator']);

export class Ports {
  readonly #dataplane: Client<DataplaneMethods>;
  readonly #devices: (pid: number) => Set<string> | null;
  readonly #log: (text: string) => void;
  readonly #clock: Clock;
  #pid = 0;
  /** Port of each interface; null until the dataplane told. */
  #wanted: Map<number, string> | null = null;
  /** Names that became live while the dataplane was being asked: newer than its answer may be. */
  readonly #learning = new Set<Name[]>();
  /** What the dataplane has; refreshed by every look at it. */
  #states = new Map<string, PortState>();
  #problems = new Map<string, { text: string; again: number }>();
  /** Ports whose devices are being made or taken away. */
  readonly #held = new Set<string>();
  readonly #watching = new Set<() => void>();
  #working = false;
  #asked = false;

  constructor(dataplane: Client<DataplaneMethods>, devices: (pid: number) => Set<string> | null, log: (text: string) => void, clock: Clock = SYSTEM_CLOCK) {
    this.#clock = clock;
    this.#dataplane = dataplane;
    this.#devices = devices;
    this.#log = log;
  }

  /** False while the dataplane is away. */
  get known(): boolean { return this.#wanted !== null; }

  /** As of the last look; ports that wait for their device, or could not be attached, are not up and say why. */
  list(): PortState[] {
    const missing = [...new Set(this.#wanted?.values() ?? [])].filter((name) => !this.#states.has(name));
    return [...this.#states.values(), ...missing.map((name): PortState => ({
      port: { name, driver: '', device: name, queues: 0 }, up: false, mac: '', mtu: 0, mode: '', queues: [], interface: 0, profile: false, missed: 0, txErrors: 0,
      problem: this.#problems.get(name)?.text ?? `there is no device "${name}" yet`,
    }))];
  }

  /** Learns from the dataplane (of process `pid`) what it was told by Names, now and before this agent started. */
  async learn(pid = this.#pid): Promise<void> {
    this.#pid = pid;
    const wanted = new Map<number, string>();
    const since: Name[] = [];
    this.#learning.add(since);
    try {
      for await (const { rows } of this.#dataplane.table({ table: 'interface' }, { deadline: this.#clock.now() + 10_000 }) as AsyncIterable<TableReply>) {
        for (const { fields } of rows) if (fields['port']) wanted.set(Number(fields['id']), fields['port']);
      }
    } finally {
      this.#learning.delete(since);
    }
    for (const name of since) take(wanted, name);
    this.#wanted = wanted;
    await this.look();
  }

  /** Nothing is known of a dataplane that went away. */
  forget(): void {
    this.#wanted = null;
    this.#states.clear();
    this.#problems.clear();
    this.#changed();
  }

  /** The dataplane's process, 0 while it is not known. */
  get pid(): number { return this.#pid; }

  /** Detaches a port whose device is about to change, and keeps it out until `bring` or `free`; resolved when the dataplane does not have it. */
  async hold(name: string): Promise<void> {
    this.#held.add(name);
    this.#problems.delete(name);
    void this.reconcile();
    await this.#until(() => !this.#states.has(name));
  }

  /** Attaches a port whose device was made; resolved when it is live with its interface in every lcore. @throws why it cannot be, or what `signal` was aborted with */
  async bring(name: string, signal: AbortSignal): Promise<void> {
    this.free(name);
    await this.#until(() => {
      const state = this.#states.get(name);
      if (isLive(state)) return true;
      const problem = state === undefined ? this.#problems.get(name)?.text : state.mode === '' ? state.problem : undefined;
      if (problem !== undefined && this.known) throw new Error(`port "${name}": ${problem}`);
      return false;
    }, signal);
  }

  /** A port is attached again as soon as it is wanted and has a device. */
  free(name: string): void {
    this.#held.delete(name);
    void this.reconcile();
  }

  /** Names that became live. */
  named(names: readonly Name[]): void {
    const ours = names.filter(({ of }) => of === 'INTERFACE');
    if (ours.length === 0) return;
    for (const since of this.#learning) since.push(...ours);
    if (!this.#wanted) return;
    for (const name of ours) take(this.#wanted, name);
    void this.reconcile();
  }

  /** Asks the dataplane for its ports, then sees to what differs. */
  async look(): Promise<void> {
    const { ports } = await this.#dataplane.ports({}, { deadline: this.#clock.now() + 5000 });
    this.#states = new Map(ports.map((state) => [state.port?.name ?? '', state]));
    this.#changed();
    await this.reconcile();
  }

  /** Attaches what is wanted and exists, detaches what is neither. One round at a time; a later call during one is not lost. */
  async reconcile(): Promise<void> {
    this.#asked = true;
    if (this.#working) return;
    this.#working = true;
    try {
      while (this.#asked) {
        this.#asked = false;
        while (await this.#step()) this.#changed();
      }
    } finally {
      this.#working = false;
    }
  }

  /** The next difference; false when there is none that can be seen to now. */
  async #step(): Promise<boolean> {
    if (!this.#wanted) return false;
    const devices = this.#devices(this.#pid);
    const wanted = new Set(this.#wanted.values());
    for (const [name, state] of this.#states) {
      const driver = state.port?.driver ?? '';
      if (state.profile || WITHOUT_DEVICE.has(driver) || this.#waits(name)) continue;
      const device = state.port?.device || name;
      if (this.#held.has(name)) return this.#detach(name, 'its device is about to change');
      if (!wanted.has(name)) return this.#detach(name, 'no interface bears it any more');
      if (devices && !devices.has(device)) return this.#detach(name, `its device "${device}" is gone`);
    }
    for (const name of wanted) {
      if (this.#states.has(name) || this.#held.has(name) || devices?.has(name) === false || this.#waits(name)) continue;
      return this.#attach(name);
    }
    return false;
  }

  async #attach(name: string): Promise<boolean> {
    try {
      const state = await this.#dataplane.attachPort({ name, device: name }, { deadline: this.#clock.now() + 10_000 });
      this.#states.set(name, state);
      this.#problems.delete(name);
      this.#log(`attached port "${name}"${state.mode ? ` (${state.port?.driver}, ${state.mode})` : ''}`);
    } catch (error) {
      this.#trouble(name, `cannot be attached: ${(error as Error).message}`);
    }
    return true;
  }

  async #detach(name: string, why: string): Promise<boolean> {
    try {
      await this.#dataplane.detachPort({ name }, { deadline: this.#clock.now() + 10_000 });
      this.#states.delete(name);
      this.#problems.delete(name);
      this.#log(`detached port "${name}": ${why}`);
    } catch (error) {
      this.#trouble(name, `cannot be detached: ${(error as Error).message}`);
    }
    return true;
  }

  /** Resolved once `isSo`, which is asked whenever something may have changed. @throws what it throws, or what `signal` was aborted with */
  #until(isSo: () => boolean, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const settle = (end: () => void): void => {
        this.#watching.delete(look);
        signal?.removeEventListener('abort', look);
        end();
      };
      const look = (): void => {
        try {
          signal?.throwIfAborted();
          if (isSo()) settle(resolve);
        } catch (error) {
          settle(() => reject(error as Error));
        }
      };
      this.#watching.add(look);
      signal?.addEventListener('abort', look);
      look();
    });
  }

  #changed(): void {
    for (const look of [...this.#watching]) look();
  }

  /** True while the last failure is too recent to try again. */
  #waits(name: string): boolean {
    return (this.#problems.get(name)?.again ?? 0) > this.#clock.now();
  }

  /** Said once for each text. */
  #trouble(name: string, text: string): void {
    if (this.#problems.get(name)?.text !== text) this.#log(`port "${name}" ${text}`);
    this.#problems.set(name, { text, again: this.#clock.now() + RETRY_MS });
  }
}

/** Open, and bound to an interface: every lcore sends to it. */
export const isLive = (state: PortState | undefined): boolean => state !== undefined && state.mode !== '' && state.interface !== 0;

/** An interface's Name: no name removes it, no port means a VLAN sub-interface. */
function take(wanted: Map<number, string>, { id, name, port }: Name): void {
  if (name !== '' && port !== '') wanted.set(id, port);
  else wanted.delete(id);
}
