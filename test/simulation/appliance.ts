/** An appliance in the simulation: the real agent between the network and a model of the dataplane; each killed and started at will. */
import type { DataplaneMethods } from '../../proto/dataplane.ts';
import { ApplianceAgent } from '../../mgmt/agent/appliance.ts';
import { Refusals } from '../../mgmt/agent/refusals.ts';
import type { Transport } from '../../mgmt/agent/transport.ts';
import type { Client } from '../../proto/load.ts';
import { SimulatedDataplane, StateDisk, type DataplaneHost, type Live } from './dataplane.ts';
import type { SimulatedController } from './controller.ts';
import { type End, type Network } from './network.ts';
import { Process, type World } from './world.ts';

/** Nothing can be written there, which the agent must not mind: refusals are in memory only. */
const NOWHERE = '/nonexistent/refusals.json';

export class SimulatedAppliance {
  readonly name: string;
  readonly kind: 'compute' | 'gateway';
  readonly #world: World;
  readonly #network: Network;
  readonly #controllers: readonly SimulatedController[];
  readonly #host: DataplaneHost;
  readonly disk = new StateDisk();
  #agent: Process | undefined;
  #dataplane: SimulatedDataplane | undefined;
  #restartAgent = (): void => {};
  #restartDataplane = (): void => {};

  constructor(world: World, network: Network, name: string, kind: 'compute' | 'gateway', controllers: readonly SimulatedController[], host: DataplaneHost) {
    this.#world = world;
    this.#network = network;
    this.name = name;
    this.kind = kind;
    this.#controllers = controllers;
    this.#host = host;
  }

  /** What it forwards by; undefined while the dataplane is away. */
  get live(): Live | undefined { return this.#dataplane?.live; }
  get dataplane(): SimulatedDataplane | undefined { return this.#dataplane; }

  start(): void {
    this.startDataplane();
    this.startAgent();
  }

  startDataplane(): void {
    this.#restartDataplane();
    if (this.#dataplane) return;
    const dataplane = this.#dataplane = new SimulatedDataplane(this.#world, `${this.name}-dataplane`, this.kind, this.disk, this.#host);
    this.#world.trace(`${this.name}: the dataplane starts at version ${dataplane.live.version}`);
  }

  startAgent(): void {
    this.#restartAgent();
    if (this.#agent) return;
    const process = this.#agent = new Process(this.#world, this.name);
    this.#world.trace(`${this.name}: the agent starts`);
    const say = (text: string): void => this.#world.trace(`${this.name} logs: ${text}`);
    const agent = new ApplianceAgent({
      name: this.name, software: 'simulated', controllers: this.#controllers.map(({ name }) => name), transport: this.#transport(process),
      refusals: new Refusals(NOWHERE, () => {}), log: { info: say, warn: say }, devices: () => null, clock: process, random: () => this.#world.random.bits() / 2 ** 32,
    });
    void agent.run();
  }

  killAgent(restartMs: number): void {
    if (!this.#agent) return;
    this.#world.trace(`${this.name}: the agent is killed`);
    this.#agent.kill();
    this.#agent = undefined;
    this.#restartAgent = this.#world.after(restartMs, () => this.startAgent());
  }

  killDataplane(restartMs: number): void {
    if (!this.#dataplane) return;
    this.#world.trace(`${this.name}: the dataplane is killed`);
    this.#dataplane.process.kill();
    this.#dataplane = undefined;
    this.#restartDataplane = this.#world.after(restartMs, () => this.startDataplane());
  }

  /** All of it is off at once; what was not on the disk yet may be lost. */
  losePower(restartMs: number): void {
    this.killAgent(restartMs + 50);
    this.killDataplane(restartMs);
    this.disk.losePower(this.#world);
  }

  #transport(process: Process): Transport {
    const network = this.#network;
    const near = (): number => this.#world.random.below(2);
    return {
      dataplane: () => {
        const name = `${this.name}-dataplane`;
        const call = <T>(work: (dataplane: SimulatedDataplane) => Promise<T>, deadline: number | Date | undefined): Promise<T> => {
          const dataplane = this.#dataplane;
          return network.call(process, dataplane?.process, name, () => work(dataplane!), Number(deadline ?? Infinity), near);
        };
        const unused = (): never => { throw new Error('the agent does not call this by itself'); };
        const calls: Client<DataplaneMethods> = {
          getState: (_, options) => call((dataplane) => dataplane.calls.getState(), options?.deadline),
          ports: (_, options) => call((dataplane) => dataplane.calls.ports(), options?.deadline),
          lcores: (_, options) => call((dataplane) => dataplane.calls.lcores(), options?.deadline),
          attachPort: (port, options) => call((dataplane) => dataplane.calls.attachPort(port), options?.deadline),
          detachPort: (request, options) => call((dataplane) => dataplane.calls.detachPort(request), options?.deadline),
          table: ((_: unknown, options?: { deadline?: number }) => once(call(async (dataplane) => dataplane.calls.table(), options?.deadline))) as unknown as Client<DataplaneMethods>['table'],
          apply: unused, counters: unused, dropLog: unused, trace: unused, generator: unused, injectFault: unused, pods: unused,
          close() {},
        };
        return {
          address: name, calls,
          apply: () => {
            const dataplane = this.#dataplane;
            return network.connect(process, dataplane?.process, name, (end) => dataplane!.accept(end), near);
          },
          close() {},
        };
      },
      controller: (address) => {
        const controller = this.#controllers.find(({ name }) => name === address)!;
        const accept = (end: End): void => controller.accept(end, this.name);
        return { stream: network.connect(process, controller.process, address, accept), close() {} };
      },
    };
  }
}

async function* once<T>(items: Promise<Iterable<T>>): AsyncGenerator<T> { yield* await items; }
