/** A whole lab: network, controller, two appliances, hosts; opened in one call and taken down in one. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Appliance } from './appliance.ts';
import { Controller } from './controller.ts';
import { freePorts } from './free-ports.ts';
import type { LabHost } from './hosts.ts';
import { NamespaceNetwork, SocketNetwork, networkKind, type Network, type NetworkOptions, type PortPlace } from './network.ts';
import { createObjects } from './scenario.ts';

export interface Pod {
  name: string;
  host: LabHost;
  /** Of the compute appliance, towards it. */
  port: PortPlace;
  floatingIp: string;
}

export interface LabOptions extends NetworkOptions {
  kind?: Network['kind'];
  /** The dataplanes accept injected faults. */
  faults?: boolean;
  /** The compute's agent serves pods at `cniSocket`. */
  cni?: boolean;
  /** false: the gateway's place stays empty, for something else to stand in. */
  gateway?: boolean;
}

export class Lab {
  /** Certificates, logs, states and sockets of this run; removed with it unless something failed. */
  readonly directory = mkdtempSync(join(tmpdir(), 'wrouter-lab-'));
  readonly network: Network;
  readonly controller: Controller;
  readonly gateway: Appliance;
  readonly compute: Appliance;
  readonly pods: Pod[] = [];
  /** For the `wrouter` command: where everyone is, and the operator's certificate. */
  readonly contextFile: string;
  readonly cniSocket = join(this.directory, 'cni.sock');

  private constructor(network: Network, ports: number[], { faults = false, cni = false }: LabOptions) {
    this.network = network;
    // Interrupted on the way up: nobody will look for the logs.
    process.once('exit', (code) => {
      if (code === 130) rmSync(this.directory, { recursive: true, force: true });
    });
    const [controller, gateway, compute] = ports.map((port) => `127.0.0.1:${port}`) as [string, string, string];
    const { directory } = this;
    this.controller = new Controller(directory, controller);
    this.gateway = new Appliance({ place: 'gateway', network, directory, controller, operations: gateway, faults });
    this.compute = new Appliance({ place: 'compute', network, directory, controller, operations: compute, faults, ...(cni && { cni: this.cniSocket }) });
    this.contextFile = join(directory, 'context.json');
    const context = { pki: 'pki', as: 'operator', controller, appliances: { [this.gateway.name]: gateway, [this.compute.name]: compute } };
    writeFileSync(this.contextFile, `${JSON.stringify(context, undefined, 2)}\n`);
  }

  get internet(): LabHost {
    return this.network.internet;
  }

  /**
   * Brings everything up until routes are live in both appliances.
   *
   * @param step is told what was done, and gets the seconds that it took
   * @throws with the logs' ends; what had been started is taken down
   */
  static async open(options: LabOptions, step: (what: string, seconds: number) => void = () => {}): Promise<Lab> {
    const { kind = networkKind().kind, gateway = true } = options;
    const timed = async (what: string, work: () => Promise<void>): Promise<void> => {
      const started = performance.now();
      await work();
      step(what, (performance.now() - started) / 1000);
    };
    const network = kind === 'namespaces' ? new NamespaceNetwork(options) : await SocketNetwork.open();
    const lab = new Lab(network, await freePorts(3), options);
    try {
      await timed('certificates of one authority', () => lab.controller.issueCertificates([lab.gateway.name, lab.compute.name]));
      await timed('controller', () => lab.controller.start());
      await timed('objects, and a wire for each pod', () => lab.#configure());
      await timed('appliances', () => lab.#startAppliances(gateway));
      await timed('everything live in every lcore', () => lab.inSync());
    } catch (error) {
      await lab.close({ keep: true });
      throw error;
    }
    return lab;
  }

  async #configure(): Promise<void> {
    for (const { floatingIp, ...place } of await createObjects(this.controller.config, this.network.fabricMtu)) {
      const { host, port } = await this.network.addPod(place);
      this.pods.push({ name: place.name, host, port, floatingIp });
    }
  }

  async #startAppliances(gateway: boolean): Promise<void> {
    await Promise.all([this.compute.start(), ...(gateway ? [this.gateway.start()] : [])]);
    for (const { port } of this.pods) await this.compute.attach(port);
  }

  /** Waits until every started appliance has acknowledged everything and has all of its ports up. */
  async inSync(timeoutMs = 60_000): Promise<void> {
    const deadline = performance.now() + timeoutMs;
    for (;;) {
      const problem = await this.#problem();
      if (problem === undefined) return;
      if (performance.now() > deadline) throw new Error(`not live after ${timeoutMs / 1000} s: ${problem}`);
      await sleep(25);
    }
  }

  async #problem(): Promise<string | undefined> {
    const { appliances } = await this.controller.config.appliances();
    for (const appliance of [this.gateway, this.compute].filter(({ running }) => running)) {
      const seen = appliances.find(({ name }) => name === appliance.name);
      if (seen?.state !== 'in-sync') return `${appliance.name} is ${seen?.state ?? 'unknown to the controller'}: ${seen?.problem ?? ''}`;
      const { ports } = await appliance.dataplane.ports();
      const wanted = this.network.ports(appliance.place).map(({ name }) => name).concat(appliance === this.compute ? this.pods.map(({ name }) => name) : []);
      for (const name of wanted) {
        const state = ports.find(({ port }) => port?.name === name);
        if (!state?.up || state.interface === 0) return `port ${name} of ${appliance.name}: ${state?.problem || (state?.up ? 'no interface yet' : 'not attached')}`;
      }
    }
    return undefined;
  }

  /** Takes all down again. `keep` leaves logs and states on disk. */
  async close({ keep = false }: { keep?: boolean } = {}): Promise<void> {
    await Promise.allSettled([this.gateway.stop(), this.compute.stop()]);
    await this.controller.stop();
    this.network.close();
    if (!keep) rmSync(this.directory, { recursive: true, force: true });
  }
}
