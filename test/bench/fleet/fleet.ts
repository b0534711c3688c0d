/** A controller process with a fleet's objects, and its appliances: simulated ones in few processes, some real ones if wanted. */
import { fork, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { Appliance } from '../../lab/appliance.ts';
import { Controller } from '../../lab/controller.ts';
import type { Place } from '../../lab/network.ts';
import type { Compiled } from './compile.ts';
import { applianceNames, type FleetSize } from './objects.ts';
import type { Command, Counts } from './streams.ts';

const WORKERS = 2;
const PATIENCE_MS = 300_000;
/** The answer is about all appliances: asked for more often, it would be what is measured. */
const POLL_MS = 500;
const here = (file: string): string => fileURLToPath(new URL(file, import.meta.url));

export class Fleet {
  readonly size: FleetSize;
  readonly directory = mkdtempSync(join(tmpdir(), 'wrouter-fleet-'));
  readonly controller: Controller;
  readonly real: readonly Appliance[];
  readonly #simulated: readonly string[];
  #workers: ChildProcess[] = [];

  private constructor(size: FleetSize, real: readonly Place[], addresses: readonly string[]) {
    this.size = size;
    this.controller = new Controller(this.directory, addresses[0]!);
    const network = { fabricMtu: 1600, ports: () => [], command: (_: unknown, program: string, args: string[]): [string, string[]] => [program, args] };
    this.real = real.map((place, at) => new Appliance({ place, network, directory: this.directory, controller: addresses[0]!, operations: addresses[at + 1]!, faults: true }));
    this.#simulated = applianceNames(size).filter((name) => !this.real.some((appliance) => appliance.name === name));
  }

  /** Objects in a store, certificates issued; nothing runs. `real`: the first appliance of that kind is a real one. */
  static async make(size: FleetSize, real: readonly Place[] = []): Promise<Fleet> {
    const fleet = new Fleet(size, real, await freeAddresses(1 + real.length));
    try {
      await fleet.controller.issueCertificates(applianceNames(size));
      fleet.#child('make.ts', String(size.appliances), String(size.gateways));
    } catch (error) {
      await fleet.close();
      throw error;
    }
    return fleet;
  }

  /** Compiles the objects in a process of its own. */
  compile(): Compiled { return JSON.parse(this.#child('compile.ts')) as Compiled; }

  #child(script: string, ...args: string[]): string {
    const { status, stdout, stderr } = spawnSync(process.execPath, [here(script), join(this.directory, 'controller.db'), ...args], { encoding: 'utf8', maxBuffer: 2 ** 20 });
    if (status !== 0) throw new Error(`${script} ended with ${status}: ${stderr}`);
    return stdout;
  }

  /** Simulated appliances begin to dial, and go on until there is a controller. */
  dial(): void {
    const pki = join(this.directory, 'pki');
    this.#workers = Array.from({ length: WORKERS }, (_, worker) => fork(here('streams.ts'), [this.controller.address, pki, ...this.#simulated.filter((__, at) => at % WORKERS === worker)], { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] }));
  }

  /** Real appliances; their fabric and plain side are sinks. */
  async startReal(): Promise<void> {
    for (const appliance of this.real) {
      await appliance.startDataplane();
      for (const name of appliance.place === 'gateway' ? ['fabric', 'external'] : ['fabric']) await appliance.dataplane.attachPort({ name, driver: 'generator', device: 'sink' });
      await appliance.startAgent();
    }
  }

  /** Waits until the controller says of `count` appliances that they are in sync. */
  async inSync(count: number): Promise<void> {
    let found = 0;
    for (const started = performance.now(); performance.now() - started < PATIENCE_MS; await sleep(POLL_MS)) {
      const { appliances } = await this.controller.config.appliances({});
      found = appliances.filter(({ state }) => state === 'in-sync').length;
      if (found >= count) return;
    }
    throw new Error(`${found} of ${count} appliances are in sync after ${PATIENCE_MS / 1000} s`);
  }

  /** The first `count` simulated computes read no more, until `resume`. */
  stall(count: number): void { this.#tell({ stall: this.#simulated.slice(0, count) }); }
  resume(): void { this.#tell({ resume: true }); }

  /** What simulated appliances have received. */
  async received(): Promise<Counts> {
    const all = await Promise.all(this.#workers.map(async (worker) => {
      const answer = once(worker, 'message');
      worker.send({ count: true } satisfies Command);
      return (await answer)[0] as Counts;
    }));
    return all.reduce((sum, each) => ({ messages: sum.messages + each.messages, bytes: sum.bytes + each.bytes }));
  }

  #tell(command: Command): void { for (const worker of this.#workers) worker.send(command); }

  /** Of the controller, MiB. */
  get memory(): { now: number; peak: number } {
    const text = readFileSync(`/proc/${this.controller.pid}/status`, 'latin1');
    const mebibytes = (name: string): number => Number(new RegExp(`^${name}:\\s+(\\d+) kB$`, 'm').exec(text)?.[1]) / 1024;
    return { now: mebibytes('VmRSS'), peak: mebibytes('VmHWM') };
  }

  /** Processor time of the controller so far, ms. */
  get processorMs(): number {
    const fields = readFileSync(`/proc/${this.controller.pid}/stat`, 'latin1').split(') ')[1]!.split(' ');
    return (Number(fields[11]) + Number(fields[12])) * 10;
  }

  async close(): Promise<void> {
    for (const worker of this.#workers) worker.kill('SIGKILL');
    for (const appliance of this.real) await appliance.stop();
    await this.controller.stop();
    rmSync(this.directory, { recursive: true, force: true });
  }
}

async function freeAddresses(count: number): Promise<string[]> {
  const servers = Array.from({ length: count }, () => createServer().listen(0, '127.0.0.1'));
  await Promise.all(servers.map((server) => once(server, 'listening')));
  const addresses = servers.map((server) => `127.0.0.1:${(server.address() as AddressInfo).port}`);
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return addresses;
}
