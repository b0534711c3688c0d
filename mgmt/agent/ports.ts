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
        while (await this.#step());
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
      if (!wanted.has(name)) return this.#detach(name, 'no interface bears it any more');
      if (devices && !devices.has(device)) return this.#detach(name, `its device "${device}" is gone`);
    }
    for (const name of wanted) {
      if (this.#states.has(name) || devices?.has(name) === false || this.#waits(name)) continue;
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

/** An interface's Name: no name removes it, no port means a VLAN sub-interface. */
function take(wanted: Map<number, string>, { id, name, port }: Name): void {
  if (name !== '' && port !== '') wanted.set(id, port);
  else wanted.delete(id);
}
