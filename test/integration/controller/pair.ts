/**
 * Two controller processes over one etcd, each with a relay of its own in between, and a compute appliance that knows both: agent
 * and dataplane as real processes, a pod's load running to a sink on the fabric (the chapter of examples/).
 */
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { chapter, UNDERLAY } from '../../../examples/chapter.ts';
import { clientCredentials } from '../../../mgmt/pki/credentials.ts';
import { createPki } from '../../../mgmt/pki/authority.ts';
import type { Operation } from '../../../proto/config.ts';
import type { CountersReply } from '../../../proto/dataplane.ts';
import type { Draft } from '../../../proto/load.ts';
import { Appliance } from '../../lab/appliance.ts';
import { Controller } from '../../lab/controller.ts';
import { BlackHole } from '../agent/black-hole.ts';
import { TestEtcd } from './etcd.ts';
import { healthOf } from './health.ts';

const POD = UNDERLAY.pods[0];
/** Behind the gateway's default route: by a tunnel, translated to the pod's floating IP. */
const LOAD = `${POD.address}>20.0.0.0/8,60`;
const POOL = 'default-domain:k8s-ns-user-1:k8s-vn-ns-default-pod-network:pool-ns-default';
const LIVE_MS = 60_000;

export interface Member { readonly controller: Controller; readonly relay: BlackHole }

/** Frames between two readings. */
export interface Traffic { readonly forwarded: number; readonly lost: number }

export class Pair {
  readonly directory = mkdtempSync(join(tmpdir(), 'wrouter-pair-'));
  readonly members: readonly Member[];
  readonly appliance: Appliance;
  readonly #etcd: TestEtcd;
  #changes = 0;

  private constructor(etcd: TestEtcd, relays: readonly BlackHole[], addresses: readonly string[]) {
    this.#etcd = etcd;
    this.members = relays.map((relay, at) => ({
      relay, controller: new Controller(this.directory, addresses[at]!, { name: `controller-${at + 1}`, store: `etcd://${relay.address}`, storePki: etcd.pki }),
    }));
    const network = { fabricMtu: 1600, ports: () => [], command: (_: unknown, program: string, args: string[]): [string, string[]] => [program, args] };
    this.appliance = new Appliance({ place: 'compute', network, directory: this.directory, controller: addresses.slice(0, 2).join(), operations: addresses[2]!, faults: true });
  }

  /** Everything in session, and the load running. */
  static async open(): Promise<Pair> {
    const etcd = await TestEtcd.start();
    const relays = [await BlackHole.start(etcd.endpoints[0]!), await BlackHole.start(etcd.endpoints[0]!)];
    const pair = new Pair(etcd, relays, await freeAddresses(3));
    try {
      await createPki(etcd.pki, pair.members.map(({ controller }) => ({ name: controller.name, role: 'controller' as const })));
      for (const { controller } of pair.members) await controller.issueCertificates(['compute-1']);
      await Promise.all(pair.members.map(({ controller }) => controller.start()));
      await pair.members[0]!.controller.config.commit({ operations: chapter().map((put) => ({ put })) });
      await pair.#startAppliance();
    } catch (error) {
      await pair.close();
      throw error;
    }
    return pair;
  }

  get etcd(): TestEtcd { return this.#etcd; }

  async #startAppliance(): Promise<void> {
    const { appliance } = this;
    await appliance.startDataplane();
    await appliance.dataplane.attachPort({ name: UNDERLAY.compute.port, driver: 'generator', device: 'sink' });
    await appliance.startAgent();
    await this.change(this.members[0]!);
    const state = await appliance.dataplane.attachPort({ name: POD.port, driver: 'generator', device: LOAD });
    if (!state.up || state.interface === 0) throw new Error(`the load's port is not up: ${JSON.stringify(state)}`);
    await this.#flowing();
  }

  /** Waits until the gateway's MAC is known, and for half a second everything leaves. */
  async #flowing(): Promise<void> {
    let [before, steady] = [await this.counters(), 0];
    for (const end = Date.now() + LIVE_MS; steady < 5; ) {
      if (Date.now() > end) throw new Error(`the load does not flow after ${LIVE_MS} ms: ${JSON.stringify(before.drops)}`);
      await sleep(100);
      const now = await this.counters();
      steady = now.dropped === before.dropped && now.transmitted > before.transmitted ? steady + 1 : 0;
      before = now;
    }
  }

  /** The member that the appliance is in session with. */
  async holder(): Promise<Member | undefined> {
    for (const member of this.members) {
      try {
        const { appliances } = await member.controller.config.appliances({ appliance: 'compute-1' }, { deadline: Date.now() + 1000 });
        if (appliances[0]?.inSession) return member;
      } catch {
        // Not this one: it is away.
      }
    }
    return undefined;
  }

  /** Waits until a member other than `not` holds the appliance. */
  async moved(not?: Member): Promise<Member> {
    for (const end = Date.now() + LIVE_MS; Date.now() < end; await sleep(10)) {
      const holder = await this.holder();
      if (holder && holder !== not) return holder;
    }
    throw new Error(`compute-1 is with no other controller after ${LIVE_MS} ms\n${readFileSync(join(this.directory, 'compute-1-agent.log'), 'utf8')}`);
  }

  other({ controller }: Member): Member { return this.members.find((member) => member.controller !== controller)!; }

  /** Makes a floating IP of the pod through a member, again while that says UNAVAILABLE, and waits until every lcore translates by it. */
  async change({ controller }: Member): Promise<void> {
    const at = 10 + this.#changes++ % 200;
    const address = `101.101.101.${at}`;
    const put = { name: `${POOL}:change-${at}`, floatingIp: { address, virtualMachineInterfaces: [`default-domain:k8s-ns-user-1:${POD.name}`] } };
    const version = await insist(controller, [{ put }]);
    for (const end = Date.now() + LIVE_MS; Date.now() < end; await sleep(2)) {
      if ((await this.appliance.dataplane.getState()).version < version) continue;
      if ((await this.appliance.table('floating-ip')).some((row) => row['public'] === address)) return;
    }
    throw new Error(`${address} is not live ${LIVE_MS} ms after its commit`);
  }

  /** Whether a controller says that it serves; false too when it does not answer. */
  serving({ controller }: Member): Promise<boolean> {
    return healthOf(controller.address, clientCredentials(join(this.directory, 'pki'), 'operator', 'controller'));
  }

  /** What must be there all the time: routes and floating IPs of the chapter, as text. */
  async standing(): Promise<string[]> {
    const floating = (await this.appliance.table('floating-ip')).map((row) => `${row['public']} → ${row['private']}`);
    const routes: string[] = [];
    for (const vrf of await this.appliance.table('vrf')) {
      for (const row of await this.appliance.table('route', Number(vrf['id']))) routes.push(`${vrf['name']} ${row['prefix']} ${row['text']}`);
    }
    return [...floating, ...routes].filter((line) => !line.includes('101.101.101.') || UNDERLAY.pods.some((pod) => line.startsWith(pod.floatingIp))).sort();
  }

  /** How often the agent was told to begin from nothing. */
  get resyncs(): number { return readFileSync(join(this.directory, 'compute-1-agent.log'), 'utf8').split(', resync').length - 1; }

  counters(): Promise<CountersReply> { return this.appliance.dataplane.counters(); }

  /** Stops the load; what came in and neither left nor waits is lost, and so is what was dropped since `before`. */
  async settle(before: CountersReply): Promise<Traffic> {
    await this.appliance.dataplane.detachPort({ name: POD.port });
    const rest = await this.appliance.quietCounters();
    const { taken } = await this.appliance.dataplane.generator({ port: UNDERLAY.compute.port });
    const vanished = Math.abs(rest.received + rest.originated - rest.transmitted - rest.dropped - rest.held) + Math.abs(rest.transmitted - taken);
    return { forwarded: rest.transmitted - before.transmitted, lost: rest.dropped - before.dropped + vanished };
  }

  async close(): Promise<void> {
    this.#etcd.resume();
    await this.appliance.stop();
    for (const { controller, relay } of this.members) {
      await controller.stop();
      relay.end();
    }
    await this.#etcd.close();
    rmSync(this.directory, { recursive: true, force: true });
  }
}

/** As a client does that was told UNAVAILABLE; the version. */
async function insist(controller: Controller, operations: readonly Draft<Operation>[]): Promise<number> {
  for (const end = Date.now() + LIVE_MS; ; await sleep(20)) {
    try {
      return (await controller.config.commit({ operations })).version;
    } catch (error) {
      if (Date.now() > end || (error as { code?: number }).code !== 14) throw error;
    }
  }
}

async function freeAddresses(count: number): Promise<string[]> {
  const servers = Array.from({ length: count }, () => createServer().listen(0, '127.0.0.1'));
  await Promise.all(servers.map((server) => once(server, 'listening')));
  const addresses = servers.map((server) => `127.0.0.1:${(server.address() as AddressInfo).port}`);
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return addresses;
}
