/** What is on a wire of the lab, as tshark reads it: an implementation of every header here that is not ours. */
import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import type { Namespaces } from '../lab/netns.ts';

/** A value per occurrence: `ip.src` of a tunnelled packet has two, the outer and the inner. */
export type Packet = Record<string, string[]>;

export class Capture {
  readonly #process: ChildProcess;
  readonly #file: string;

  private constructor(process: ChildProcess, file: string) {
    this.#process = process;
    this.#file = file;
  }

  /** Captures on a device of a namespace into a file until `stop`; returns once it sees packets. */
  static async start(namespaces: Namespaces, namespace: string, device: string, file: string): Promise<Capture> {
    const [command, args] = namespaces.command(namespace, 'dumpcap', ['-q', '-i', device, '-B', '64', '-w', file]);
    const child = spawn(command, args, { stdio: ['ignore', 'ignore', 'pipe'] });
    let said = '';
    const started = new Promise<void>((resolve, reject) => {
      child.stderr.on('data', (chunk) => {
        said += String(chunk);
        if (said.includes('File:')) resolve(); // the last thing before its loop
      });
      child.once('exit', (code) => reject(new Error(`dumpcap on ${device} in ${namespace} ended with exit code ${code}: ${said}`)));
    });
    await started;
    return new Capture(child, file);
  }

  async stop(): Promise<void> {
    if (this.#process.exitCode !== null) return;
    this.#process.kill('SIGINT');
    await once(this.#process, 'exit');
  }

  /** The packets that match a display filter, each with these fields (names of tshark's field reference). */
  packets(filter: string, fields: readonly string[]): Packet[] {
    const checks = ['ip', 'tcp', 'udp'].flatMap((protocol) => ['-o', `${protocol}.check_checksum:TRUE`]);
    const args = ['-n', '-r', this.#file, '-Y', filter, ...checks, '-T', 'fields', '-E', 'separator=/t', '-E', 'occurrence=a', '-E', 'aggregator=,',
      ...fields.flatMap((field) => ['-e', field])];
    const text = execFileSync('tshark', args, { encoding: 'utf8', maxBuffer: 256 << 20, stdio: ['ignore', 'pipe', 'ignore'] });
    return text.split('\n').filter((line) => line !== '').map((line) => {
      const values = line.split('\t');
      return Object.fromEntries(fields.map((field, i) => [field, values[i] === undefined || values[i] === '' ? [] : values[i].split(',')]));
    });
  }
}
