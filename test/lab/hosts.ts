/**
 * The lab's hosts, one interface over two kinds: a network namespace with the kernel's own stack, or the lab's host in TypeScript.
 */
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { HostStack, PingResult } from './host-stack.ts';
import type { Namespaces } from './netns.ts';
import { receiveTransfer, sendTransfer, type TransferResult } from './transfer.ts';

const TRANSFER = fileURLToPath(new URL('transfer.ts', import.meta.url));
const execute = promisify(execFile);

/** Of requests numbered from 1 to the last that was answered. */
export interface ProbeResult {
  sent: number;
  /** Numbers without an answer, in runs: [first, count]. */
  lost: [number, number][];
  duplicates: number;
}

export interface LabHost {
  readonly name: string;
  readonly address: string;
  /** Sends `count` echo requests, one per interval. */
  ping(to: string, count: number, intervalMs: number): Promise<PingResult>;
  /** Takes transfers on a TCP port until the returned function is called. */
  serve(port: number): Promise<() => Promise<void>>;
  /** Sends `bytes` to a host that serves, and compares what it got. */
  send(to: string, port: number, bytes: number): Promise<TransferResult>;
}

/** A host whose network is a namespace; commands and servers run in it. */
export class NamespaceHost implements LabHost {
  readonly name: string;
  readonly address: string;
  readonly #namespaces: Namespaces;

  constructor(namespaces: Namespaces, name: string, address: string) {
    this.name = name;
    this.address = address;
    this.#namespaces = namespaces;
  }

  async ping(to: string, count: number, intervalMs: number): Promise<PingResult> {
    // Its exit code only says whether all were answered, which the count says as well.
    const output = await this.run('ping', ['-n', '-c', String(count), '-i', String(intervalMs / 1000), '-W', '1', to]).catch((error: { stdout?: string }) => error.stdout ?? '');
    const roundTripMs = [...output.matchAll(/icmp_seq=\d+ ttl=\d+ time=([\d.]+) ms$/gm)].map((match) => Number(match[1]));
    return { sent: count, received: roundTripMs.length, roundTripMs };
  }

  serve(port: number): Promise<() => Promise<void>> {
    return this.#background(TRANSFER, ['serve', String(port)]);
  }

  async send(to: string, port: number, bytes: number): Promise<TransferResult> {
    return JSON.parse(await this.run(process.execPath, [TRANSFER, 'send', to, String(port), String(bytes)])) as TransferResult;
  }

  /**
   * Sends an echo request each millisecond while `meanwhile` runs, and for half a second after. The far end answers from its kernel, so
   * that a busy machine's processes lose nothing by themselves.
   */
  async probe(to: string, meanwhile: () => Promise<void>): Promise<ProbeResult> {
    const [command, args] = this.#namespaces.command(this.name, 'ping', ['-n', '-i', '0.001', to]);
    const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'inherit'] });
    const output = text(child.stdout);
    try {
      await sleep(500);
      await meanwhile();
      await sleep(500);
    } finally {
      child.kill('SIGINT');
    }
    return judgeProbes([...(await output).matchAll(/icmp_seq=(\d+) ttl=/g)].map((match) => Number(match[1])));
  }

  /** Runs a command here to its end; returns what it printed. */
  async run(command: string, args: string[]): Promise<string> {
    return (await execute(...this.#namespaces.command(this.name, command, args), { maxBuffer: 64 << 20 })).stdout;
  }

  /** Starts a script of the lab, waits until it prints a line. */
  async #background(script: string, args: string[]): Promise<() => Promise<void>> {
    const [command, rest] = this.#namespaces.command(this.name, process.execPath, [script, ...args]);
    const child = spawn(command, rest, { stdio: ['ignore', 'pipe', 'inherit'] });
    const ended = once(child, 'exit');
    const first = await Promise.race([once(child.stdout, 'data'), ended]);
    if (child.exitCode !== null) throw new Error(`${script} ${args.join(' ')} in ${this.name} ended with exit code ${String(first[0])}`);
    return async () => {
      child.kill();
      await ended;
    };
  }
}

/** A host in this process. */
export class StackHost implements LabHost {
  readonly name: string;
  readonly address: string;
  readonly #stack: HostStack;

  constructor(stack: HostStack, name: string, address: string) {
    this.#stack = stack;
    this.name = name;
    this.address = address;
  }

  ping(to: string, count: number, intervalMs: number): Promise<PingResult> {
    return this.#stack.ping(to, count, intervalMs);
  }

  async serve(port: number): Promise<() => Promise<void>> {
    this.#stack.listen(port, (connection) => {
      receiveTransfer(connection).catch(() => connection.destroy());
    });
    return async () => this.#stack.unlisten(port);
  }

  async send(to: string, port: number, bytes: number): Promise<TransferResult> {
    return sendTransfer(await this.#stack.connect(to, port), bytes);
  }
}

/** ping numbers with 16 bits; a probe of more than a minute would wrap. */
function judgeProbes(answered: number[]): ProbeResult {
  const numbers = new Set(answered);
  const sent = Math.max(0, ...numbers);
  const lost: [number, number][] = [];
  for (let number = 1; number <= sent; number++) {
    if (numbers.has(number)) continue;
    const last = lost.at(-1);
    if (last !== undefined && last[0] + last[1] === number) last[1]++;
    else lost.push([number, 1]);
  }
  return { sent, lost, duplicates: answered.length - numbers.size };
}
