/**
 * FRRouting as a provider-edge router of another maker: zebra and bgpd inside a namespace of the lab, with a VRF `red` whose
 * backend is a network namespace of its own (the kernel here has no VRF devices). Control plane only: what it learns is looked at
 * where its bgpd keeps it.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import type { Namespaces } from '../lab/netns.ts';
import { Child } from '../lab/process.ts';

const DAEMONS = '/usr/lib/frr';
/** Bytes; with less its zebra loses routes that the kernel gets by the ten thousand. */
const NETLINK_BUFFER = 1 << 28;

export interface FrrOptions {
  namespaces: Namespaces;
  /** Namespace that it runs in; it must have its address already. */
  namespace: string;
  directory: string;
  /** `router bgp …` and what belongs to it. */
  configuration: string;
  /** Prefixes of its VRF `red`, as devices' addresses there. */
  red?: string[];
}

/** As `show bgp ipv4 vpn PREFIX json` tells it. */
export interface FrrPath {
  rd: string;
  valid: boolean;
  stale: boolean;
  label: number;
  nextHop: string;
  communities: string;
  localPreference: number;
  asPath: string;
}

export class Frr {
  readonly #options: FrrOptions;
  #child: Child | undefined;
  #vty: Vty | undefined;

  constructor(options: FrrOptions) {
    this.#options = options;
    mkdirSync(options.directory, { recursive: true });
  }

  async start(): Promise<void> {
    const { namespaces, namespace, directory, configuration, red = [] } = this.#options;
    writeFileSync(join(directory, 'zebra.conf'), 'hostname zebra\n');
    writeFileSync(join(directory, 'bgpd.conf'), `hostname bgpd\n${configuration}\n`);
    const daemon = (name: string, more: string): string =>
      `setpriv --pdeathsig KILL ${DAEMONS}/${name} ${more} -u root -g frrvty --vty_socket ${directory} -z ${directory}/zserv.api -P 0 -f ${directory}/${name}.conf -i ${directory}/${name}.pid & pids="$pids $!"`;
    // `ip netns exec` has given us a mount namespace: here zebra must see no namespaces but red.
    writeFileSync(join(directory, 'run.sh'), `set -e
mount -t tmpfs tmpfs /run/netns
ip netns add red
ip -n red link set lo up
ip link add red0 type veth peer name inside netns red
ip link set red0 up
ip -n red link set inside up
${red.map((address) => `ip -n red addr add ${address} dev inside`).join('\n')}
pids=
${daemon('zebra', `-n -s ${NETLINK_BUFFER}`)}
while [ ! -S ${directory}/zserv.api ]; do sleep 0.02; done
${daemon('bgpd', '-p 179')}
trap 'kill -KILL $pids' EXIT
trap 'exit 0' TERM
wait
`);
    const [command, args] = namespaces.command(namespace, 'sh', [join(directory, 'run.sh')]);
    this.#child = new Child({ name: `frr-${namespace}`, command, args, directory });
    await this.#child.ready(async () => {
      this.#vty = await Vty.open(join(directory, 'bgpd.vty'));
    });
  }

  /** A command of its command line, with what it prints. */
  async show(command: string): Promise<string> {
    if (!this.#vty) throw new Error('FRR does not run');
    return this.#vty.run(command);
  }

  /** Its VPN routes to a prefix. */
  async vpn(prefix: string): Promise<FrrPath[]> {
    const text = await this.show(`show bgp ipv4 vpn ${prefix} json`);
    const found: FrrPath[] = [];
    for (const [rd, { paths }] of Object.entries(JSON.parse(text || '{}') as Record<string, { paths?: RawPath[] }>)) {
      for (const path of paths ?? []) {
        found.push({
          rd, valid: path.valid ?? false, stale: path.stale ?? false, label: path.remoteLabel ?? -1, nextHop: path.nexthops?.[0]?.ip ?? '',
          communities: path.extendedCommunity?.string ?? '', localPreference: path.locPrf ?? 0, asPath: path.aspath?.string ?? '',
        });
      }
    }
    return found;
  }

  /** How many VPN routes it has of a peer, and the state of the session. */
  async peer(address: string): Promise<{ state: string; prefixes: number }> {
    const { peers = {} } = JSON.parse(await this.show('show bgp ipv4 vpn summary json') || '{}') as { peers?: Record<string, { state: string; pfxRcd?: number }> };
    return { state: peers[address]?.state ?? 'none', prefixes: peers[address]?.pfxRcd ?? 0 };
  }

  /** How many routes of its VRF `red` it has to export. */
  async exported(): Promise<number> {
    const { ipv4Unicast } = JSON.parse(await this.show('show bgp vrf red ipv4 unicast statistics json') || '{}') as { ipv4Unicast?: { totalPrefixes?: number }[] };
    return ipv4Unicast?.[0]?.totalPrefixes ?? 0;
  }

  /** Configuration commands, from `configure terminal` on. */
  async configure(...commands: string[]): Promise<void> {
    for (const command of ['configure terminal', ...commands, 'end']) await this.show(command);
  }

  /** Adds or removes an address in VRF red: a connected route that it exports. */
  red(command: string): void {
    const { namespaces, namespace } = this.#options;
    const pid = String(this.#child?.pid);
    namespaces.run(namespace, 'nsenter', ['-t', pid, '-m', 'ip', '-n', 'red', ...command.split(' ')]);
  }

  tail(): string { return this.#child?.tail() ?? ''; }

  async stop(): Promise<void> {
    this.#vty?.close();
    await this.#child?.stop();
  }
}

interface RawPath {
  valid?: boolean; stale?: boolean; remoteLabel?: number; locPrf?: number;
  nexthops?: { ip: string }[]; extendedCommunity?: { string: string }; aspath?: { string: string };
}

/**
 * FRR's own protocol between its shell and its daemons: a command and a zero byte there; text, three zero bytes and a status
 * byte back. A shell process for each question would take longer than what is measured.
 */
class Vty {
  readonly #socket: Socket;
  #buffer = Buffer.alloc(0);
  #waiting: ((text: string) => void) | undefined;
  #last: Promise<unknown> = Promise.resolve();

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.on('data', (chunk) => {
      this.#buffer = Buffer.concat([this.#buffer, chunk]);
      const end = this.#buffer.length - 4;
      if (end < 0 || this.#buffer[end] !== 0 || this.#buffer[end + 1] !== 0 || this.#buffer[end + 2] !== 0) return;
      const text = this.#buffer.subarray(0, end).toString();
      this.#buffer = Buffer.alloc(0);
      this.#waiting?.(text);
    });
  }

  static async open(path: string): Promise<Vty> {
    const socket = connect(path);
    await new Promise<void>((resolve, reject) => socket.once('connect', resolve).once('error', reject));
    const vty = new Vty(socket);
    await vty.run('enable');
    return vty;
  }

  /** One command after the other, whoever asks. */
  run(command: string): Promise<string> {
    const answer = this.#last.then(() => this.#ask(command));
    this.#last = answer.catch(() => undefined);
    return answer;
  }

  #ask(command: string): Promise<string> {
    return new Promise((resolve, reject) => {
      const limit = setTimeout(() => reject(new Error(`FRR does not answer ${JSON.stringify(command)}`)), 10_000);
      this.#waiting = (text) => {
        clearTimeout(limit);
        resolve(text);
      };
      this.#socket.write(`${command}\0`);
    });
  }

  close(): void { this.#socket.destroy(); }
}
