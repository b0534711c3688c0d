/**
 * One life of the gobgpd process: started in a folder of its own that only it and we can enter, with no more rights than to take
 * port 179, and gone when we are. It is never asked to end in its own way unless its routes are to go with it: killed, it leaves
 * peers the routes that graceful restart keeps.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { chmodSync, chownSync, existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Logger } from 'pino';

const PROGRAM = 'gobgpd';
const PATH = [...(process.env.PATH ?? '').split(delimiter), '/usr/bin', '/usr/sbin'];
const SETPRIV = '/usr/bin/setpriv';
/** Debian's user without any file of its own. */
const USER = 'nobody';
const PRIVATE = 0o077;
/** Its garbage collector's patience, in per cent of what lives: a tenth less work at 100,000 routes, for some memory. */
const GOGC = '400';
/** Relative to its working directory: the folders above need not let it pass. */
const SOCKET = 'gobgp.sock';

export interface DaemonOptions {
  /** Private to the engine: the socket is in it. */
  readonly directory: string;
  /** Put before the command, e.g. `ip vrf exec management`. */
  readonly launcher: readonly string[];
  readonly log: Logger;
}

export class Daemon {
  /** Of its gRPC API. */
  readonly socket: string;
  /** How it ended. */
  readonly ended: Promise<string>;
  readonly #process: ChildProcess;
  readonly #stop: () => void;

  /** @throws when there is no gobgpd. */
  constructor({ directory, launcher, log }: DaemonOptions) {
    const program = PATH.map((folder) => join(folder, PROGRAM)).find((path) => existsSync(path));
    if (!program) throw new Error(`BGP needs ${PROGRAM} (Debian package gobgpd), which is in none of ${PATH.join(', ')}`);
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    this.socket = join(directory, SOCKET);
    rmSync(this.socket, { force: true });
    const confined = confinement(directory);
    const [command, ...args] = [...launcher, ...confined, program, '--log-plain', '--log-level', 'info', '--pprof-disable', '--api-hosts', `unix://${SOCKET}`];
    const umask = process.umask(PRIVATE); // a child inherits it, and the socket must be ours alone
    try {
      this.#process = spawn(command!, args, { stdio: ['ignore', 'pipe', 'pipe'], env: { PATH: PATH.join(delimiter), GOGC }, cwd: directory });
    } finally {
      process.umask(umask);
    }
    for (const stream of [this.#process.stdout!, this.#process.stderr!]) createInterface({ input: stream }).on('line', (line) => log.debug({ engine: PROGRAM }, line));
    this.#stop = () => this.#process.kill('SIGKILL');
    process.once('exit', this.#stop);
    this.ended = new Promise((resolve) => {
      this.#process.once('error', (error) => resolve(error.message));
      this.#process.once('exit', (code, signal) => resolve(signal === null ? `exit code ${code}` : `signal ${signal}`));
    });
    void this.ended.then(() => process.removeListener('exit', this.#stop));
  }

  get pid(): number | undefined { return this.#process.pid; }

  /** Ends it without a word to peers: they keep our routes as long as graceful restart says. */
  async kill(): Promise<void> {
    this.#stop();
    await this.ended;
  }

  /** Ends it with a Cease to every peer: they take our routes away. */
  async cease(): Promise<void> {
    this.#process.kill('SIGTERM');
    const insist = setTimeout(this.#stop, 5000);
    await this.ended;
    clearTimeout(insist);
  }
}

/** What takes the rights of root away; nothing where we have none, and where the system lacks setpriv it still dies with us. */
function confinement(directory: string): string[] {
  if (!existsSync(SETPRIV)) return [];
  const dying = [SETPRIV, '--pdeathsig', 'KILL'];
  const [uid, gid] = process.getuid?.() === 0 ? identityOf(USER) : [];
  if (uid === undefined || gid === undefined) return dying;
  chownSync(directory, uid, gid);
  chmodSync(directory, 0o700);
  const capability = '+net_bind_service';
  return [...dying, '--reuid', String(uid), '--regid', String(gid), '--clear-groups', '--no-new-privs',
    '--inh-caps', `-all,${capability}`, '--ambient-caps', `-all,${capability}`, '--bounding-set', `-all,${capability}`];
}

function identityOf(user: string): number[] {
  const row = readFileSync('/etc/passwd', 'utf8').split('\n').find((line) => line.startsWith(`${user}:`));
  return row?.split(':').slice(2, 4).map(Number) ?? [];
}
