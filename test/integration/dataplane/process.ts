/** A real dataplane process under test: started, spoken to over its socket, and always ended. */
import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { credentials, type ClientDuplexStream } from '@grpc/grpc-js';
import { Dataplane, type ApplyReply, type ApplyRequest, type DataplaneMethods } from '../../../proto/dataplane.ts';
import { createClient, unixAddress, type Client, type Draft } from '../../../proto/load.ts';
import type { Ack, Name } from '../../../proto/sync.ts';
import type { PackedRecord } from '../../fixtures/records.ts';

const PROGRAM = new URL('../../../firmware/host/dataplane.ts', import.meta.url);
const PROFILE = new URL('../../../hw-profiles/virtual.json', import.meta.url);
const START_MS = 20_000;

export interface ProcessOptions {
  /** Replace fields of hw-profiles/virtual.json. */
  readonly profile?: object;
  /** Keeps the state of an earlier process. */
  readonly directory?: string;
  /** Words before the command: a network namespace. */
  readonly within?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** Further arguments. */
  readonly args?: readonly string[];
  /** Another program with the same arguments. */
  readonly program?: URL;
}

export class DataplaneProcess {
  readonly directory: string;
  readonly client: Client<DataplaneMethods>;
  readonly child: ChildProcess;
  log = '';
  #stream: ClientDuplexStream<Draft<ApplyRequest>, ApplyReply> | undefined;
  readonly #acks: ((ack: Ack) => void)[] = [];
  #nonce = 0;

  private constructor(directory: string, child: ChildProcess) {
    this.directory = directory;
    this.child = child;
    this.client = createClient(Dataplane, unixAddress(join(directory, 'dataplane.sock')), credentials.createInsecure());
  }

  static async start(options: ProcessOptions = {}): Promise<DataplaneProcess> {
    const directory = options.directory ?? mkdtempSync(join(tmpdir(), 'wrouter-dataplane-'));
    const profile = join(directory, 'profile.json');
    writeFileSync(profile, JSON.stringify({ ...JSON.parse(readFileSync(PROFILE, 'utf8')) as object, ...options.profile }));
    const [program = process.execPath, ...args] = [...(options.within ?? []), process.execPath, fileURLToPath(options.program ?? PROGRAM)];
    const child = spawn(program, [...args, '--profile', profile, '--state', join(directory, 'state'), '--socket', join(directory, 'dataplane.sock'), '--allow-faults', ...(options.args ?? [])], {
      stdio: ['ignore', 'ignore', 'pipe'], env: { ...process.env, ...options.env },
    });
    const started = new DataplaneProcess(directory, child);
    await new Promise<void>((resolve, reject) => {
      const limit = setTimeout(() => reject(new Error(`the dataplane is not up after ${START_MS} ms:\n${started.log}`)), START_MS);
      child.stderr?.setEncoding('utf8').on('data', (text: string) => {
        started.log += text;
        if (started.log.includes('dataplane is up')) resolve(clearTimeout(limit));
      });
      child.once('exit', (code) => reject(new Error(`the dataplane ended with ${code}:\n${started.log}`)));
    });
    return started;
  }

  /** Sends a message of the sync stream. */
  send(request: Draft<ApplyRequest>): void {
    this.#stream ??= this.#open();
    this.#stream.write(request);
  }

  /** Records and names as one Update; its Ack. */
  apply(records: readonly PackedRecord[], names: readonly Draft<Name>[] = [], version = 0): Promise<Ack> {
    const batches: { kind: number; count: number; records: Buffer }[] = [];
    for (const { kind, bytes } of records) {
      const last = batches.at(-1);
      if (last?.kind === kind) batches[batches.length - 1] = { kind, count: last.count + 1, records: Buffer.concat([last.records, bytes]) };
      else batches.push({ kind, count: 1, records: Buffer.from(bytes) });
    }
    return this.update({ version, batches, names });
  }

  update(update: { version: number; batches: readonly { kind: number; count: number; records: Buffer }[]; names?: readonly Draft<Name>[] }): Promise<Ack> {
    return this.#acknowledged((nonce) => ({ update: { nonce, ...update } }));
  }

  endResync(epoch: number, version: number, force = false): Promise<Ack> {
    return this.#acknowledged((nonce) => ({ endResync: { nonce, epoch, version, force } }));
  }

  /** Ends it and waits; removes its directory unless `keep`. Returns its exit code. */
  async stop(keep = false, signal: NodeJS.Signals = 'SIGTERM'): Promise<number | null> {
    this.client.close();
    const code = this.child.exitCode ?? await new Promise<number | null>((resolve) => {
      this.child.once('exit', (exit) => resolve(exit));
      this.child.kill(signal);
    });
    if (!keep) rmSync(this.directory, { recursive: true, force: true });
    return code;
  }

  #acknowledged(message: (nonce: number) => Draft<ApplyRequest>): Promise<Ack> {
    return new Promise((resolve) => {
      this.#acks.push(resolve);
      this.send(message(++this.#nonce));
    });
  }

  #open(): ClientDuplexStream<Draft<ApplyRequest>, ApplyReply> {
    const stream = this.client.apply();
    stream.on('data', ({ ack }: ApplyReply) => ack && this.#acks.shift()?.(ack));
    stream.on('error', () => {}); // a test that ends the process sees its stream break
    return stream;
  }
}
