/**
 * Controller, agent and dataplane of one compute appliance as real processes, with the floating-IP chapter configured. Its wires
 * are generator ports: load from a pod, and a sink on the fabric that answers ARP and counts by which tunnel packets leave.
 */
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { chapter, UNDERLAY } from '../../../examples/chapter.ts';
import type { Object as ConfigObject, Operation } from '../../../proto/config.ts';
import type { Draft } from '../../../proto/load.ts';
import { Appliance } from '../../lab/appliance.ts';
import { Controller } from '../../lab/controller.ts';
import { busiestSeconds, threadTimes, type ThreadTime } from './process-usage.ts';

export const POD = UNDERLAY.pods[0];
export const SYSTEM = 'default-global-system-config';
export const COMPUTE = `${SYSTEM}:compute-1`;
export const NETWORK = 'default-domain:k8s-ns-user-1:k8s-vn-ns-default-pod-network';
/** Where generated packets go. */
export const LOAD = '20.0.0.0/8';
const ROUTING_INSTANCE = 'internet';
const FABRIC = '10.169.25.';
/** Of gateway n; none of them is a process here, only their addresses count. */
const FIRST_GATEWAY = 204;

export interface Load {
  readonly packets: number;
  readonly seconds: number;
  /** Processor time of the lcore's thread, seconds. */
  readonly cpuSeconds: number;
}

export class House {
  readonly directory = mkdtempSync(join(tmpdir(), 'wrouter-bench-'));
  readonly controller: Controller;
  readonly appliance: Appliance;

  private constructor(controller: string, operations: string, more: readonly string[]) {
    this.controller = new Controller(this.directory, controller, undefined, more);
    const network = { fabricMtu: 1600, ports: () => [], command: (_: unknown, program: string, args: string[]): [string, string[]] => [program, args] };
    this.appliance = new Appliance({ place: 'compute', network, directory: this.directory, controller, operations, faults: true });
  }

  /** A controller with the chapter's objects and `gateways` gateways; the appliance is not started. @param more arguments of the controller. */
  static async open(gateways = 2, more: readonly string[] = []): Promise<House> {
    const [controller = '', operations = ''] = await freeAddresses(2);
    const house = new House(controller, operations, more);
    try {
      await house.controller.issueCertificates(['compute-1']);
      await house.controller.start();
      await house.put(chapter());
      await house.put(Array.from({ length: gateways - 1 }, (_, i) => gatewayObject(i + 1)));
    } catch (error) {
      await house.close();
      throw error;
    }
    return house;
  }

  /** Starts dataplane and agent, and waits until all is live; with the fabric's sink attached. */
  async startAppliance(): Promise<void> {
    await this.appliance.startDataplane();
    await this.appliance.dataplane.attachPort({ name: UNDERLAY.compute.port, driver: 'generator', device: 'sink' });
    await this.appliance.startAgent();
    await this.live(await this.version());
  }

  async put(objects: readonly Draft<ConfigObject>[]): Promise<number> {
    return this.commit(objects.map((put) => ({ put })));
  }

  /** Returns the version of the transaction. */
  async commit(operations: readonly Draft<Operation>[]): Promise<number> {
    return (await this.controller.config.commit({ operations: [...operations] })).version;
  }

  /** The version that the appliance should be at. */
  async version(): Promise<number> {
    const { appliances } = await this.controller.config.appliances({ appliance: 'compute-1' });
    return appliances[0]?.version ?? 0;
  }

  /** Waits until a version is live in every lcore: the controller's word, as an operator gets it. */
  async live(version: number, timeoutMs = 60_000): Promise<void> {
    const { refused } = await this.controller.config.awaitLive({ version, appliance: 'compute-1' }, { deadline: Date.now() + timeoutMs });
    if (refused.length > 0) throw new Error(`the appliance refused ${refused.join('; ')}`);
  }

  /** Packets from the pod to all of LOAD: so many a second, or as many as the lcore takes. */
  async startLoad(packetsPerSecond?: number): Promise<void> {
    const rate = packetsPerSecond === undefined ? '' : `,${packetsPerSecond}`;
    const state = await this.appliance.dataplane.attachPort({ name: POD.port, driver: 'generator', device: `${POD.address}>${LOAD},60${rate}` });
    if (!state.up || state.interface === 0) throw new Error(`the load's port is not up: ${JSON.stringify(state)}`);
  }

  async stopLoad(): Promise<void> {
    await this.appliance.dataplane.detachPort({ name: POD.port });
  }

  /** What comes out at the fabric while `work` runs. */
  async measureLoad(work: () => Promise<unknown>): Promise<Load> {
    const { pid } = await this.appliance.dataplane.getState();
    const read = async (): Promise<{ packets: number; at: number; threads: ThreadTime[] }> => {
      const { taken } = await this.appliance.dataplane.generator({ port: UNDERLAY.compute.port });
      return { packets: taken, at: performance.now(), threads: threadTimes(pid) };
    };
    const before = await read();
    await work();
    const after = await read();
    return { packets: after.packets - before.packets, seconds: (after.at - before.at) / 1000, cpuSeconds: busiestSeconds(before.threads, after.threads) };
  }

  /** Of this process, the controller, the agent and the dataplane. */
  async pids(): Promise<number[]> {
    const { pid } = await this.appliance.dataplane.getState();
    return [process.pid, this.controller.pid, this.appliance.agentPid, pid].filter((each) => each !== undefined);
  }

  async close(): Promise<void> {
    await this.appliance.stop();
    await this.controller.stop();
    rmSync(this.directory, { recursive: true, force: true });
  }
}

/** Name, tunnel address and what a route table calls it. */
export function gatewayHop(index: number): { virtualRouter: string; routingInstance: string } {
  return { virtualRouter: `${SYSTEM}:gateway-${index + 1}`, routingInstance: ROUTING_INSTANCE };
}

/** As the sink counts it. */
export function tunnelOf(index: number): number {
  return (FIRST_GATEWAY + index) & 15;
}

/** A gateway like the chapter's, on the next addresses. */
function gatewayObject(index: number): Draft<ConfigObject> {
  const hex = (FIRST_GATEWAY + index).toString(16);
  return {
    name: gatewayHop(index).virtualRouter,
    virtualRouter: {
      kind: 'GATEWAY', profile: 'virtual', fabric: { port: 'fabric', address: `${FABRIC}${FIRST_GATEWAY + index}/24`, mac: `02:00:00:00:25:${hex}` },
      routingInstances: [{ name: ROUTING_INSTANCE, virtualNetworks: [NETWORK] }],
      externalInterfaces: [{ name: 'external', port: 'external', address: `203.0.113.${1 + index}/24`, mac: `02:00:00:00:71:${hex}`, routingInstance: ROUTING_INSTANCE }],
    },
  };
}

/** Largest resident size that a process has had, MiB. */
export function peakMemoryMiB(pid: number | undefined): number {
  const text = readFileSync(`/proc/${pid ?? 0}/status`, 'latin1');
  return Number(/^VmHWM:\s+(\d+) kB$/m.exec(text)?.[1]) / 1024;
}

async function freeAddresses(count: number): Promise<string[]> {
  const servers = Array.from({ length: count }, () => createServer().listen(0, '127.0.0.1'));
  await Promise.all(servers.map((server) => once(server, 'listening')));
  const addresses = servers.map((server) => `127.0.0.1:${(server.address() as AddressInfo).port}`);
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return addresses;
}
