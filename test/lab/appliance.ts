/** One appliance of the lab: its hardware profile, its dataplane process where the devices are, its agent beside the controller. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { credentials } from '@grpc/grpc-js';
import { loadProfile } from '../../firmware/host/profile.ts';
import { Dataplane, type CountersReply, type DataplaneMethods, type TableReply } from '../../proto/dataplane.ts';
import { createClient, unixAddress, type Client } from '../../proto/load.ts';
import type { Network, Place, PortPlace } from './network.ts';
import { Child } from './process.ts';
import { signedCore } from './signed-core.ts';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));

/** Column → text. */
export type Row = Record<string, string>;

export interface ApplianceOptions {
  place: Place;
  /** As the controller and its certificate know it; the first of its place unless said otherwise. */
  name?: string;
  network: Pick<Network, 'command' | 'fabricMtu' | 'ports'>;
  /** Of the run: certificates, logs, sockets and states lie there. */
  directory: string;
  /** Of the controller, host:port. */
  controller: string;
  /** Where its agent serves operators, host:port. */
  operations: string;
  /** Socket where its agent serves the CNI plugin. */
  cni?: string;
  /** Accept injected faults. */
  faults?: boolean;
}

export class Appliance {
  readonly place: Place;
  /** As the controller and its certificate know it. */
  readonly name: string;
  readonly profile: string;
  readonly socket: string;
  /** Its own API, without the agent between. */
  readonly dataplane: Client<DataplaneMethods>;
  readonly #options: ApplianceOptions;
  readonly #directory: string;
  #dataplaneProcess: Child | undefined;
  #agentProcess: Child | undefined;

  constructor(options: ApplianceOptions) {
    this.#options = options;
    this.place = options.place;
    this.name = options.name ?? `${options.place}-1`;
    this.#directory = join(options.directory, this.name);
    mkdirSync(this.#directory, { recursive: true });
    this.profile = writeProfile(this.#directory, options);
    this.socket = join(this.#directory, 'dataplane.sock');
    this.dataplane = createClient(Dataplane, unixAddress(this.socket), credentials.createInsecure());
  }

  get agentPid(): number | undefined {
    return this.#agentProcess?.pid;
  }

  get running(): boolean {
    return this.#dataplaneProcess !== undefined;
  }

  async start(): Promise<void> {
    await this.startDataplane();
    await this.startAgent();
  }

  async startDataplane(): Promise<void> {
    const { network, faults = false, directory } = this.#options;
    const { file, keys } = signedCore(directory);
    const args = ['firmware/host/dataplane.ts', '--profile', this.profile, '--socket', this.socket, '--state', join(this.#directory, 'state'), '--core', file, '--core-keys', keys];
    const [command, rest] = network.command(this.place, process.execPath, [...args, ...(faults ? ['--allow-faults'] : [])].map(fromRoot));
    this.#dataplaneProcess = new Child({ name: `${this.name}-dataplane`, command, args: rest, directory });
    await this.#dataplaneProcess.ready(async () => {
      const down = (await this.dataplane.ports()).ports.find(({ up }) => !up);
      if (down !== undefined) throw new Error(`port ${down.port?.name} is not up: ${down.problem}`);
    });
  }

  async startAgent(): Promise<void> {
    const { controller, operations, directory, cni } = this.#options;
    const args = ['mgmt/agent/agent.ts', '--name', this.name, '--pki', join(directory, 'pki'), '--controller', controller, '--dataplane', this.socket,
      '--state', join(this.#directory, 'agent'), '--listen', operations, ...(cni === undefined ? [] : ['--cni', cni])];
    this.#agentProcess = new Child({ name: `${this.name}-agent`, command: process.execPath, args: args.map(fromRoot), directory });
  }

  /** A workload's port without a device, which the agent cannot find by itself. */
  async attach(port: PortPlace): Promise<void> {
    if (port.driver === 'socket') await this.dataplane.attachPort(port);
  }

  async killAgent(): Promise<void> {
    await this.#agentProcess?.kill();
  }

  async killDataplane(): Promise<void> {
    await this.#dataplaneProcess?.kill();
  }

  /** Rows of a table of the dataplane; columns: docs/tables.md. */
  async table(table: string, vrf = 0): Promise<Row[]> {
    const rows: Row[] = [];
    for await (const reply of this.dataplane.table({ table, vrf })) rows.push(...(reply as TableReply).rows.map((row) => row.fields));
    return rows;
  }

  /** Counters once nothing moves any more: lcores count without atomics, so a reading under way is not of one moment. */
  async quietCounters(): Promise<CountersReply> {
    let before = await this.dataplane.counters();
    for (let tries = 0; tries < 100; tries++) {
      await sleep(50);
      const now = await this.dataplane.counters();
      if (now.received === before.received && now.originated === before.originated) return now;
      before = now;
    }
    throw new Error(`${this.name} does not come to rest`);
  }

  /** The /32 of an address in whichever VRF has one, with its next hop. */
  async hostRoute(address: string): Promise<{ vrf: Row; nexthop: Row } | undefined> {
    for (const vrf of await this.table('vrf')) {
      const route = (await this.table('route', Number(vrf['id']))).find((row) => row['prefix'] === `${address}/32`);
      const nexthop = (await this.table('nexthop')).find((row) => row['id'] === route?.['nexthop']);
      if (nexthop !== undefined) return { vrf, nexthop };
    }
    return undefined;
  }

  async stop(): Promise<void> {
    this.dataplane.close();
    await this.#agentProcess?.stop();
    await this.#dataplaneProcess?.stop();
  }
}

/** The `virtual` hardware profile with the ports of this appliance; where there is a CNI socket, its frames are enough for 250 pods. */
function writeProfile(directory: string, { place: kind, network, cni }: ApplianceOptions): string {
  const virtual = loadProfile(join(ROOT, 'hw-profiles/virtual.json'));
  const ports = network.ports(kind).map((place) => ({
    ...virtual.workloadPorts, ...place, mtu: place.name === 'fabric' ? network.fabricMtu : virtual.workloadPorts.mtu,
  }));
  const pods = cni === undefined ? {} : { workloadPorts: { ...virtual.workloadPorts, ring: { receive: 64, transmit: 64 } } };
  const path = join(directory, 'profile.json');
  writeFileSync(path, `${JSON.stringify({ ...virtual, $schema: undefined, kind, ports, ...pods }, undefined, 2)}\n`);
  return path;
}

/** Scripts are named from the repository's root, wherever the lab was started. */
function fromRoot(argument: string): string {
  return argument.endsWith('.ts') ? join(ROOT, argument) : argument;
}
