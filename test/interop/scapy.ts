/** Scapy at a host of the lab: makes frames that a kernel would not, and judges those that arrive. */
import { spawn, type ChildProcess } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { Namespaces } from '../lab/netns.ts';

const SCRIPT = fileURLToPath(new URL('judge.py', import.meta.url));

/** A frame that arrived; `valid` when scapy, computing lengths and checksums itself, builds the same bytes. */
export type Arrival = Record<string, unknown> & { valid: boolean };

export class Scapy {
  readonly #process: ChildProcess;
  readonly #lines: AsyncIterator<string>;

  private constructor(namespaces: Namespaces, namespace: string, device: string) {
    // Debian's scapy belongs to this very python3; another one may come first in PATH.
    const [command, args] = namespaces.command(namespace, '/usr/bin/python3', [SCRIPT, device]);
    this.#process = spawn(command, args, { stdio: ['pipe', 'pipe', 'inherit'] });
    this.#lines = createInterface({ input: this.#process.stdout! })[Symbol.asyncIterator]();
  }

  static async start(namespaces: Namespaces, namespace: string, device = 'eth0'): Promise<Scapy> {
    const scapy = new Scapy(namespaces, namespace, device);
    await scapy.#answer();
    return scapy;
  }

  /** From now on: which of the frames that arrive are meant (an expression over `p`), and what is wanted of each. */
  async listen(match: string, fields: Record<string, string>): Promise<void> {
    await this.#ask({ listen: { match, fields } });
  }

  /** Sends frames, each an expression in scapy's language. */
  async send(...frames: string[]): Promise<void> {
    await this.#ask({ send: frames });
  }

  /** What arrived since `listen`, after waiting for `count` of them. */
  async collect(count: number, seconds = 2): Promise<Arrival[]> {
    return (await this.#ask({ collect: { count, seconds } })) as Arrival[];
  }

  stop(): void {
    this.#process.kill();
  }

  #ask(request: unknown): Promise<unknown> {
    this.#process.stdin!.write(`${JSON.stringify(request)}\n`);
    return this.#answer();
  }

  async #answer(): Promise<unknown> {
    const { done, value } = await this.#lines.next();
    if (done === true) throw new Error('scapy ended; what it wrote is above');
    return JSON.parse(value);
  }
}
