/** Open vSwitch's userspace datapath as the interop test has it: decap, push a label, GRE. Its packets are received on the sender's processor, at no cost of its own. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { OpenVSwitch } from '../../interop/openvswitch.ts';
import type { Namespaces } from '../../lab/netns.ts';
import { threadTimes } from '../sync/process-usage.ts';
import { FORWARDING_PROCESSOR, processSeconds, type Contestant, type Usage } from './contestant.ts';
import { buildPath, DESTINATIONS, FABRIC_LENGTH, INSIDE, INSIDE_MAC, LOCAL, OUTSIDE, REMOTE, SINK, SOURCE_MAC, TUNNEL_BYTES } from './path.ts';

export class OpenVSwitchTunnel implements Contestant {
  readonly name = 'Open vSwitch';
  readonly place = 'openvswitch';
  readonly overhead = TUNNEL_BYTES;
  readonly #vswitch: OpenVSwitch;
  readonly #directory: string;
  readonly #pid: number;

  private constructor(vswitch: OpenVSwitch, directory: string, pid: number) {
    this.#vswitch = vswitch;
    this.#directory = directory;
    this.#pid = pid;
  }

  static async start(namespaces: Namespaces): Promise<OpenVSwitchTunnel> {
    const name = 'openvswitch';
    buildPath(namespaces, name);
    namespaces.ip(SINK, `address add ${REMOTE}/${FABRIC_LENGTH} dev ${name}`); // answers ARP
    const directory = mkdtempSync(join(tmpdir(), 'wrouter-bench-ovs-'));
    const vswitch = new OpenVSwitch(namespaces, name, directory);
    try {
      await vswitch.start({
        namespace: name, fabricDevice: OUTSIDE, local: `${LOCAL}/${FABRIC_LENGTH}`, remote: REMOTE, insideDevice: INSIDE, insideMac: SOURCE_MAC, routerMac: INSIDE_MAC,
        out: [{ prefix: DESTINATIONS, label: 100 }], in: 200,
      });
      const pid = Number(readFileSync(join(directory, 'ovs-vswitchd.pid'), 'utf8'));
      execFileSync('taskset', ['--all-tasks', '--cpu-list', '--pid', String(FORWARDING_PROCESSOR), String(pid)], { stdio: 'ignore' });
      return new OpenVSwitchTunnel(vswitch, directory, pid);
    } catch (error) {
      vswitch.stop();
      rmSync(directory, { recursive: true, force: true });
      throw error;
    }
  }

  async usage(): Promise<Usage> {
    return { cpu: threadTimes(this.#pid).reduce((sum, { nanoseconds }) => sum + nanoseconds, 0), user: processSeconds(this.#pid).user * 1e9 };
  }

  async stop(): Promise<void> {
    this.#vswitch.stop();
    rmSync(this.#directory, { recursive: true, force: true });
  }
}
