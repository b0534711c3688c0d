/** A real dataplane process with two AF_XDP ports: floating IP of the source, route, MPLS over GRE; and its twin, whose lcore is in C. */
import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import * as L from '../../../wasm-core/layout.ts';
import type { Draft } from '../../../proto/load.ts';
import type { Name } from '../../../proto/sync.ts';
import { floatingIp as fip, iface, nexthop, route, vrf, type PackedRecord } from '../../fixtures/records.ts';
import { DataplaneProcess, type ProcessOptions } from '../../integration/dataplane/process.ts';
import type { Namespaces } from '../../lab/netns.ts';
import { threadTimes } from '../sync/process-usage.ts';
import { buildLcoreTwin } from '../twin/build.ts';
import { FORWARDING_PROCESSOR, processSeconds, type Contestant, type Usage } from './contestant.ts';
import {
  buildPath, DESTINATIONS, FABRIC_MTU, floatingIp, INSIDE, INSIDE_MAC, LOCAL, OUTSIDE, OUTSIDE_MAC, podAddress, PODS, REMOTE, ROUTER_ADDRESS, SINK_MAC, SOURCE_MAC, TUNNEL_BYTES,
} from './path.ts';
import { TWIN_CONSTANTS, TWIN_LIBRARY } from './twin-constants.ts';

const TWIN_PROGRAM = new URL('./twin-dataplane.ts', import.meta.url);
const FABRIC = 1;
const WORKLOAD = 2;
const FABRIC_VRF = 0;
const POD_VRF = 1;
const PUBLIC_VRF = 2;
const TUNNEL = 1;
const TO_PODS = 2;
const LABEL = 100;
const RING = { receive: 2048, transmit: 2048 };

const RECORDS: readonly PackedRecord[] = [
  ...[FABRIC_VRF, POD_VRF, PUBLIC_VRF].map((id) => vrf({ id })),
  iface({ id: FABRIC, kind: L.IFK_FABRIC, flags: L.IFF_UP, vrf: FABRIC_VRF, mac: OUTSIDE_MAC, mtu: FABRIC_MTU, address: LOCAL }),
  iface({
    id: WORKLOAD, kind: L.IFK_WORKLOAD, flags: L.IFF_UP | L.IFF_SOURCE_CHECK, vrf: POD_VRF, mac: INSIDE_MAC, address: ROUTER_ADDRESS, mask: '255.240.0.0',
    workload: podAddress(0),
  }),
  nexthop({
    id: TUNNEL, kind: L.NHK_TUNNEL_GRE, flags: L.NHF_EXTERNAL, interface: FABRIC, remote: REMOTE, local: LOCAL, value: LABEL, mac: SINK_MAC,
  }),
  nexthop({ id: TO_PODS, kind: L.NHK_INTERFACE, flags: L.NHF_FIP, interface: WORKLOAD, remote: podAddress(0), mac: SOURCE_MAC }),
  route({ vrf: POD_VRF, prefix: '10.32.0.0/12', nexthop: TO_PODS }),
  route({ vrf: PUBLIC_VRF, prefix: DESTINATIONS, nexthop: TUNNEL }),
  ...Array.from({ length: PODS }, (_, pod) => fip({
    public: floatingIp(pod), private: podAddress(pod), vrf: PUBLIC_VRF, interface: WORKLOAD, direction: L.FIPD_BOTH,
  })),
];

const NAMES: readonly Draft<Name>[] = [
  ...[FABRIC_VRF, POD_VRF, PUBLIC_VRF].map((id): Draft<Name> => ({ of: 'VRF', id, name: ['fabric', 'pods', 'public'][id]! })),
  { of: 'INTERFACE', id: FABRIC, name: 'bench:fabric', port: 'fabric' },
  { of: 'INTERFACE', id: WORKLOAD, name: 'bench:pods', port: 'pods' },
];

export class Wrouter implements Contestant {
  readonly name: string;
  readonly place: string;
  readonly overhead = TUNNEL_BYTES;
  readonly #dataplane: DataplaneProcess;
  readonly #receiver: number;

  private constructor(name: string, dataplane: DataplaneProcess, receiver: number) {
    this.name = name;
    this.place = name;
    this.#dataplane = dataplane;
    this.#receiver = receiver;
  }

  static start(namespaces: Namespaces): Promise<Wrouter> {
    return Wrouter.#start(namespaces, 'wrouter', {});
  }

  /** The same appliance on the same rings, but lcore and core are C. */
  static startTwin(namespaces: Namespaces): Promise<Wrouter> {
    return Wrouter.#start(namespaces, 'twin', { program: TWIN_PROGRAM, env: { [TWIN_LIBRARY]: buildLcoreTwin(TWIN_CONSTANTS) } });
  }

  static async #start(namespaces: Namespaces, name: string, options: ProcessOptions): Promise<Wrouter> {
    buildPath(namespaces, name);
    const ports = [['pods', INSIDE, 1500], ['fabric', OUTSIDE, FABRIC_MTU]].map(([name, device, mtu]) => ({ name, driver: 'af_xdp', device, queues: 1, ring: RING, mtu }));
    const dataplane = await DataplaneProcess.start({
      within: ['ip', 'netns', 'exec', namespaces.full(name), 'taskset', '--cpu-list', String(FORWARDING_PROCESSOR)], profile: { lcores: 1, ports }, ...options,
    });
    try {
      const { refusals } = await dataplane.apply(RECORDS, NAMES, 1);
      if (refusals.length > 0) throw new Error(`the dataplane refused records: ${JSON.stringify(refusals)}`);
      for (const { port, up, problem } of (await dataplane.client.ports()).ports) if (!up) throw new Error(`port ${port?.name} is not up: ${problem}`);
      return new Wrouter(name, dataplane, receiveOnForwardingProcessor(namespaces, name));
    } catch (error) {
      await dataplane.stop();
      throw error;
    }
  }

  get pid(): number {
    return this.#dataplane.child.pid!;
  }

  async usage(): Promise<Usage> {
    const pid = this.#dataplane.child.pid!;
    const { lcores } = await this.#dataplane.client.lcores();
    const lcore = lcores[0]!;
    return {
      cpu: [pid, this.#receiver].flatMap(threadTimes).reduce((sum, { nanoseconds }) => sum + nanoseconds, 0),
      receive: threadTimes(this.#receiver).reduce((sum, { nanoseconds }) => sum + nanoseconds, 0),
      lcore: threadTimes(pid).find(({ thread }) => programOf(`${pid}/task/${thread}`) === 'lcore-0')?.nanoseconds ?? Number.NaN,
      user: processSeconds(pid).user * 1e9,
      calls: lcore.polls + lcore.kicks,
      runs: lcore.runs,
    };
  }

  async stop(): Promise<void> {
    await this.#dataplane.stop();
  }
}

/**
 * A veth with an XDP program receives in a softirq on the sender's processor. As a thread of its own (threaded NAPI) it works, and is
 * counted, on the forwarding processor, as the kernel's receiving side does.
 * @returns the kernel thread's id
 */
function receiveOnForwardingProcessor(namespaces: Namespaces, name: string): number {
  const threads = (): string[] => readdirSync('/proc').filter((pid) => /^\d+$/.test(pid) && programOf(pid).startsWith(`napi/${INSIDE}-`));
  const others = new Set(threads());
  namespaces.run(name, 'sh', ['-c', `echo 1 > /sys/class/net/${INSIDE}/threaded`]);
  const thread = threads().find((pid) => !others.has(pid));
  if (thread === undefined) throw new Error(`${INSIDE} has no receiving thread: threaded NAPI needs Linux 5.12`);
  execFileSync('taskset', ['--cpu-list', '--pid', String(FORWARDING_PROCESSOR), thread], { stdio: 'ignore' });
  return Number(thread);
}

function programOf(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/comm`, 'latin1').trimEnd();
  } catch {
    return ''; // ended meanwhile
  }
}
