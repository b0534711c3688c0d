/**
 * Network namespaces of one run. Their names bear the run's process id (`wr-<pid>-gateway`), so that several labs can stand side by
 * side, and so that a later run can tell which ones a killed run has left behind. A namespace has no way out: nothing but the veth
 * pairs that `link` makes joins it to anything.
 *
 * Calls are synchronous `ip` commands: bringing a lab up takes tens of milliseconds, and taking it down must also work in an
 * `exit` handler. `create` and `remove` are for namespaces that come and go by the dozen while the lab runs.
 */
import { execFile, execFileSync, type ExecFileSyncOptionsWithStringEncoding } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { promisify } from 'node:util';

const PREFIX = 'wr-';
const DIRECTORY = '/run/netns';
/** In a namespace: its announcements would only be noise in the drop counters. */
const WITHOUT_IPV6 = 'for f in /proc/sys/net/ipv6/conf/*/disable_ipv6; do [ -e $f ] && echo 1 > $f; done; true';

const execute = promisify(execFile);

export interface LinkEnd {
  /** Short name as given to `add`. */
  namespace: string;
  device: string;
  mac?: string;
}

export class Namespaces {
  readonly #prefix = `${PREFIX}${process.pid}-`;
  readonly #names = new Set<string>();
  readonly #exit = (): void => this.close();

  constructor() {
    removeStale();
    process.once('exit', this.#exit);
  }

  /** The name that `ip netns` knows. */
  full(name: string): string {
    return this.#prefix + name;
  }

  /** The file that stands for it. */
  path(name: string): string {
    return `${DIRECTORY}/${this.full(name)}`;
  }

  /** Makes a namespace with its loopback up and IPv6 off. */
  add(name: string): void {
    ip(['netns', 'add', this.full(name)]);
    this.#names.add(name);
    this.ip(name, 'link set dev lo up');
    this.run(name, 'sh', ['-c', WITHOUT_IPV6]);
  }

  /** The same as `add`, while this process goes on. */
  async create(name: string): Promise<void> {
    this.#names.add(name);
    await execute('sh', ['-c', `ip netns add "$0" && ip netns exec "$0" sh -c 'ip link set dev lo up; ${WITHOUT_IPV6}'`, this.full(name)]);
  }

  /** Removes one and its links. */
  async remove(name: string): Promise<void> {
    this.#names.delete(name);
    await execute('ip', ['netns', 'del', this.full(name)]);
  }

  /**
   * Joins two namespaces by a veth pair, both ends up.
   *
   * @param queues of each direction: an AF_XDP port must serve every one of them
   */
  link(a: LinkEnd, b: LinkEnd, options: { mtu?: number; queues?: number } = {}): void {
    const { mtu = 1500, queues = 1 } = options;
    const end = ({ namespace, device, mac }: LinkEnd): string[] => [
      'name', device, 'netns', this.full(namespace), ...(mac === undefined ? [] : ['address', mac]),
      'mtu', String(mtu), 'numtxqueues', String(queues), 'numrxqueues', String(queues),
    ];
    ip(['link', 'add', ...end(a), 'type', 'veth', 'peer', ...end(b)]);
    for (const { namespace, device } of [a, b]) {
      // A veth leaves checksums unfinished and segments uncut where both ends are kernels. An XDP port sees the frames as
      // they are, so the sender must finish them: TCP fails without this while ping works.
      this.run(namespace, 'ethtool', ['-K', device, 'tx', 'off', 'gso', 'off', 'tso', 'off']);
      this.ip(namespace, `link set dev ${device} up`);
    }
  }

  /** `ip` inside a namespace, e.g. `ip("internet", "route add default via 203.0.113.1")`. */
  ip(name: string, command: string): string {
    return ip(['-n', this.full(name), ...command.split(' ')]);
  }

  /** A command inside a namespace, to its end; returns what it printed. */
  run(name: string, command: string, args: string[], options: { input?: string; timeoutMs?: number } = {}): string {
    return run('ip', ['netns', 'exec', this.full(name), command, ...args], options);
  }

  /** Command line that runs something inside a namespace; the process keeps its pid through it. */
  command(name: string, command: string, args: string[]): [string, string[]] {
    return ['ip', ['netns', 'exec', this.full(name), command, ...args]];
  }

  /** Removes them all, and with them their links. Processes inside keep running without a network: stop them first. */
  close(): void {
    process.removeListener('exit', this.#exit);
    for (const name of this.#names) remove(this.full(name));
    this.#names.clear();
  }
}

/** Takes away what runs left behind that were killed: their namespaces and the processes in them. */
function removeStale(): void {
  if (!existsSync(DIRECTORY)) return;
  for (const name of readdirSync(DIRECTORY)) {
    const pid = name.match(/^wr-(\d+)-/)?.[1];
    if (pid === undefined || Number(pid) === process.pid || isNode(pid)) continue;
    try {
      for (const inside of ip(['netns', 'pids', name]).split(/\s+/)) if (inside !== '') process.kill(Number(inside), 'SIGKILL');
    } catch {
      // Gone meanwhile.
    }
    remove(name);
  }
}

/** A process id can have been given to another program since; the runs that make namespaces are Node's. */
function isNode(pid: string): boolean {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('node');
  } catch {
    return false;
  }
}

function remove(name: string): void {
  try {
    ip(['netns', 'del', name]);
  } catch {
    // Another run found it stale as well.
  }
}

function ip(args: string[]): string {
  return run('ip', args);
}

function run(command: string, args: string[], { input, timeoutMs = 20_000 }: { input?: string; timeoutMs?: number } = {}): string {
  const options: ExecFileSyncOptionsWithStringEncoding = { encoding: 'utf8', stdio: ['pipe', 'pipe', 'pipe'], timeout: timeoutMs };
  if (input !== undefined) options.input = input;
  try {
    return execFileSync(command, args, options);
  } catch (error) {
    const { stderr } = error as { stderr?: string };
    throw new Error(`${command} ${args.join(' ')}: ${stderr?.trim() || (error as Error).message}`);
  }
}
