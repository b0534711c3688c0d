/** etcd for a test: one member or several on loopback, with certificates of an authority of their own, in a folder that goes. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ChannelCredentials } from '@grpc/grpc-js';
import { EtcdClient, type EtcdOptions } from '../../../mgmt/controller/store/etcd-client.ts';
import { encodeCommit, Head, KEYS, LogEntry } from '../../../mgmt/controller/store/etcd-records.ts';
import type { StoredRow } from '../../../mgmt/controller/store/store.ts';
import { EtcdStore } from '../../../mgmt/controller/store/etcd.ts';
import { createPki } from '../../../mgmt/pki/authority.ts';
import { clientCredentials } from '../../../mgmt/pki/credentials.ts';
import { freePorts } from '../../lab/free-ports.ts';

const START_MS = 20_000;

interface Member { readonly client: number; readonly peer: number; process: ChildProcess | undefined }

export class TestEtcd {
  readonly folder = mkdtempSync(join(tmpdir(), 'wrouter-etcd-'));
  readonly pki = join(this.folder, 'pki');
  readonly #members: Member[] = [];

  /** Answers when it is returned. */
  static async start(members = 1): Promise<TestEtcd> {
    const etcd = new TestEtcd();
    await createPki(etcd.pki, [{ name: 'etcd', role: 'store' }, { name: 'controller', role: 'controller' }]);
    const ports = await freePorts(members * 2);
    for (let at = 0; at < members; at++) etcd.#members.push({ client: ports[at * 2]!, peer: ports[at * 2 + 1]!, process: undefined });
    for (let at = 0; at < members; at++) etcd.#spawn(at);
    await etcd.answers();
    return etcd;
  }

  get endpoints(): string[] { return this.#members.map(({ client }) => `127.0.0.1:${client}`); }
  get options(): EtcdOptions { return { endpoints: this.endpoints, credentials: () => this.credentials() }; }
  credentials(pki = this.pki): ChannelCredentials { return clientCredentials(pki, 'controller', 'store'); }
  open(): Promise<EtcdStore> { return EtcdStore.open(this.options); }

  async put(key: string, value: string): Promise<void> {
    const client = new EtcdClient(this.options);
    await client.put(key, Buffer.from(value));
    client.close();
  }

  async get(key: string): Promise<string | undefined> {
    const client = new EtcdClient(this.options);
    const { responses } = await client.txn({ success: [{ requestRange: { key: Buffer.from(key) } }] });
    client.close();
    return responses[0]?.responseRange?.kvs[0]?.value.toString();
  }

  /** Forgets all that it holds. */
  async wipe(): Promise<void> {
    const client = new EtcdClient(this.options);
    await client.txn({ success: [{ requestDeleteRange: { key: Buffer.from('wrouter/'), rangeEnd: Buffer.from('wrouter0') } }] });
    client.close();
  }

  /** Makes it what a backup from version 1, which put `only`, would: with a history of its own, as docs/store.md asks for. */
  async goBack(version: 1, only: StoredRow): Promise<void> {
    await this.wipe();
    const client = new EtcdClient(this.options);
    const value = LogEntry.encode({ version, id: 'backup', parts: 0, commit: encodeCommit({ version, puts: [only], deletes: [], numbers: [], slots: [], appliances: [] }) });
    await client.txn({ success: [
      { requestPut: { key: Buffer.from(KEYS.head), value: Head.encode({ version, id: 'backup' }) } },
      { requestPut: { key: Buffer.from(KEYS.log(version)), value } },
    ] });
    client.close();
  }

  async answers(): Promise<void> {
    const client = new EtcdClient(this.options);
    try {
      await client.txn({}, START_MS);
    } finally {
      client.close();
    }
  }

  async kill(at = 0): Promise<void> {
    const { process } = this.#members[at]!;
    if (!process || process.exitCode !== null || process.signalCode !== null) return;
    process.ref();
    const ended = once(process, 'exit');
    process.kill('SIGKILL');
    await ended;
  }

  restart(at = 0): void { this.#spawn(at); }
  stall(at = 0): void { this.#members[at]!.process!.kill('SIGSTOP'); }
  resume(at = 0): void { this.#members[at]!.process!.kill('SIGCONT'); }

  async close(): Promise<void> {
    for (const at of this.#members.keys()) await this.kill(at);
    rmSync(this.folder, { recursive: true, force: true });
  }

  /** The same for the end of the process, which waits for nothing. */
  abandon(): void {
    for (const { process } of this.#members) process?.kill('SIGKILL');
    rmSync(this.folder, { recursive: true, force: true, maxRetries: 5 });
  }

  #spawn(at: number): void {
    const member = this.#members[at]!;
    const cluster = this.#members.map(({ peer }, each) => `m${each}=http://127.0.0.1:${peer}`).join(',');
    const [client, peer] = [`https://127.0.0.1:${member.client}`, `http://127.0.0.1:${member.peer}`];
    member.process = spawn('etcd', [
      '--name', `m${at}`, '--data-dir', join(this.folder, `m${at}`), '--log-level', 'error', '--logger', 'zap',
      '--listen-client-urls', client, '--advertise-client-urls', client, '--listen-peer-urls', peer, '--initial-advertise-peer-urls', peer,
      '--initial-cluster', cluster, '--initial-cluster-token', this.folder,
      '--cert-file', join(this.pki, 'etcd.crt'), '--key-file', join(this.pki, 'etcd.key'), '--trusted-ca-file', join(this.pki, 'ca.crt'), '--client-cert-auth',
    ], { stdio: ['ignore', 'ignore', process.env['LOG_LEVEL'] ? 'inherit' : 'ignore'] });
    member.process.unref();
  }
}
