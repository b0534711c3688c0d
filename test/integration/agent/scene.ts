/** A controller, a dataplane (both simulated) and the real agent process between them, in a folder of their own. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { Appliance, type ApplianceMethods } from '../../../proto/appliance.ts';
import { createClient, type Client } from '../../../proto/load.ts';
import { RECORD_ROUTE, RT_LENGTH, RT_NEXTHOP, RT_PREFIX, RT_SIZE, RT_VRF } from '../../../wasm-core/records.ts';
import { createPki } from '../../../mgmt/pki/authority.ts';
import { clientCredentials } from '../../../mgmt/pki/credentials.ts';
import { History, SimulatedController, type Change } from './simulated-controller.ts';
import { Disk, Faults, SimulatedDataplane } from './simulated-dataplane.ts';

const AGENT = fileURLToPath(new URL('../../../mgmt/agent/agent.ts', import.meta.url));

export class Scene {
  readonly folder = mkdtempSync(join(tmpdir(), 'wrouter-agent-'));
  /** Of the dataplane; a test may put a real one there. */
  socket = join(this.folder, 'dataplane.sock');
  readonly disk = new Disk();
  readonly faults = new Faults();
  history = new History('history-a');
  dataplane!: SimulatedDataplane;
  controller!: SimulatedController;
  /** All that the agent logged. */
  log = '';
  #port = 0;
  #agent: ChildProcess | undefined;
  #operator: Client<ApplianceMethods> | undefined;

  /** A scene with certificates; nothing runs yet. */
  static async set(): Promise<Scene> {
    const scene = new Scene();
    await createPki(scene.folder, [
      { name: 'controller', role: 'controller' }, { name: 'compute', role: 'appliance' },
      { name: 'alice', role: 'operator' }, { name: 'impostor', role: 'appliance' },
    ]);
    return scene;
  }

  async startDataplane(): Promise<void> { this.dataplane = await SimulatedDataplane.start(this.socket, this.disk, this.faults); }

  /** At the same address again after a kill. */
  async startController(): Promise<void> {
    ({ controller: this.controller, port: this.#port } = await SimulatedController.start(this.history, `127.0.0.1:${this.#port}`, this.folder));
  }

  get controllerAddress(): string { return `127.0.0.1:${this.#port}`; }

  startAgent(controllers = this.controllerAddress): void {
    this.#agent = spawn(process.execPath, [AGENT, '--name', 'compute', '--controller', controllers, '--pki', this.folder, '--dataplane', this.socket,
      '--state', join(this.folder, 'state'), '--listen', '127.0.0.1:0'], { stdio: ['ignore', 'inherit', 'pipe'] });
    this.#agent.stderr!.setEncoding('utf8').on('data', (text: string) => { this.log += text; });
  }

  async killAgent(signal: NodeJS.Signals = 'SIGKILL'): Promise<number | null> {
    const agent = this.#agent;
    this.#agent = undefined;
    this.#operator?.close();
    this.#operator = undefined;
    if (!agent || agent.exitCode !== null) return agent?.exitCode ?? null;
    agent.kill(signal);
    await once(agent, 'exit');
    return agent.exitCode;
  }

  /** A client of the agent's operations server, as `name`. */
  async operations(name = 'alice'): Promise<Client<ApplianceMethods>> {
    await until(() => /operators are served at [^"]+:\d+"/.test(this.log), 'the agent listens');
    const port = this.log.match(/operators are served at [^"]+:(\d+)"/g)!.at(-1)!.match(/(\d+)"$/)![1]!;
    const client = createClient(Appliance, `127.0.0.1:${port}`, clientCredentials(this.folder, name, 'appliance', 'compute'));
    this.#operator?.close();
    this.#operator = client;
    return client;
  }

  /** Resident memory of the agent, bytes. */
  agentMemory(): number {
    return Number(/VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${this.#agent!.pid}/status`, 'utf8'))![1]) * 1024;
  }

  /** Until the dataplane holds exactly what the controller has, and the controller knows. */
  async settled(): Promise<void> {
    await until(() => this.disk.version === this.history.version && this.disk.stateId === this.history.stateId && !this.disk.resyncing, () =>
      `version ${this.history.version} live (the dataplane is at ${this.disk.stateId} ${this.disk.version}${this.disk.resyncing ? ', in resync' : ''})`);
    await until(() => this.controller.session?.acks.at(-1)?.version === this.history.version || this.controller.session?.hello.version === this.history.version, 'the controller has the last Ack');
  }

  /** What differs between the two tables: empty when nothing was lost, added or is older. */
  differences(): string[] {
    const found: string[] = [];
    for (const [key, { bytes }] of this.history.table) {
      const there = this.disk.table.get(key);
      if (there?.hex !== bytes.toString('hex')) found.push(`${key}: ${there ? 'another content' : 'missing'}`);
    }
    for (const key of this.disk.table.keys()) if (!this.history.table.has(key)) found.push(`${key}: should not be there`);
    return found;
  }

  async end(): Promise<void> {
    await this.killAgent();
    this.controller?.kill();
    this.dataplane?.kill();
    rmSync(this.folder, { recursive: true });
  }
}

/** Waits for a condition; after `seconds` it fails by the name of what was awaited. */
export async function until(condition: () => boolean, what: string | (() => string), seconds = 20): Promise<void> {
  for (const deadline = Date.now() + seconds * 1000; !condition(); await sleep(5)) {
    if (Date.now() > deadline) throw new Error(`waited ${seconds} s in vain: ${typeof what === 'string' ? what : what()}`);
  }
}

/** `count` routes 10.x.y.z/32 from number `first` on, to one next hop. */
export function routes(first: number, count: number, nexthop: number): Change {
  const records = Buffer.alloc(count * RT_SIZE);
  for (let at = 0; at < count; at++) {
    const record = records.subarray(at * RT_SIZE);
    record.writeUInt32LE(1, RT_VRF);
    record.writeUInt32BE(0x0a000000 + first + at, RT_PREFIX);
    record.writeUInt32LE(nexthop, RT_NEXTHOP);
    record.writeUInt8(32, RT_LENGTH);
  }
  return { batches: [{ kind: RECORD_ROUTE, count, records }], names: [] };
}

/** One record of a kind that nobody knows, as large as one likes: a load on the stream, not on the simulations. */
export function bulk(seed: number, bytes: number): Change {
  return { batches: [{ kind: 99, count: 1, records: Buffer.alloc(bytes, seed) }], names: [] };
}
