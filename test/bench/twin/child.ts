/** The C twin as a long-lived child: one command at a time, so it never runs while this process measures. */
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import type { Interface } from 'node:readline';
import type { Pass, Side, Timed } from '../side.ts';

export class TwinSide implements Side {
  readonly name = 'C';
  readonly #child: ChildProcess;
  readonly #lines: AsyncIterator<string>;
  readonly #reader: Interface;

  /** @param program what buildTwin gave */
  constructor(program: string) {
    this.#child = spawn(program, { stdio: ['pipe', 'pipe', 'inherit'] });
    this.#child.on('error', (error) => { throw error; });
    if (!this.#child.stdout) throw new Error('the twin has no output');
    this.#reader = createInterface({ input: this.#child.stdout });
    this.#lines = this.#reader[Symbol.asyncIterator]();
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  /** Gives the twin a fresh memory with these regions. */
  async load(regions: readonly { address: number; bytes: Uint8Array }[]): Promise<void> {
    const total = regions.reduce((sum, { bytes }) => sum + 16 + bytes.length, 0);
    await this.#write(`image ${total}\n`);
    for (const { address, bytes } of regions) {
      const header = Buffer.alloc(16);
      header.writeBigUInt64LE(BigInt(address));
      header.writeBigUInt64LE(BigInt(bytes.length), 8);
      await this.#write(header);
      // A stream takes no shared memory: it goes over in copies.
      for (let at = 0; at < bytes.length; at += 1 << 20) await this.#write(Buffer.from(bytes.slice(at, at + (1 << 20))));
    }
    await this.#answer();
  }

  async call(name: string, ...values: readonly number[]): Promise<Timed> {
    await this.#write(`call ${[name, ...values].join(' ')}\n`);
    const [result = '', ns = ''] = (await this.#answer()).split(' ');
    return { result: BigInt(result), ns: Number(ns) };
  }

  async passes(count: number, { first, frames, pool, rounds, cold }: Pass): Promise<number[]> {
    await this.#write(`passes ${count} ${first} ${frames} ${pool} ${rounds} ${cold ? 1 : 0}\n`);
    return (await this.#answer()).trim().split(' ').map(Number);
  }

  async end(): Promise<void> {
    if (this.#child.exitCode !== null) return;
    const ended = once(this.#child, 'exit');
    this.#child.stdin?.end('end\n');
    await ended;
    this.#reader.close();
  }

  async #write(data: string | Uint8Array): Promise<void> {
    const { stdin } = this.#child;
    if (!stdin) throw new Error('the twin has no input');
    if (!stdin.write(data)) await once(stdin, 'drain');
  }

  async #answer(): Promise<string> {
    const { done, value } = await this.#lines.next();
    if (done) throw new Error(`the C twin ended (${this.#child.signalCode ?? `exit code ${this.#child.exitCode}`})`);
    return value;
  }
}
