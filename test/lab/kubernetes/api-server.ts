/**
 * A Kubernetes API server for a run: etcd, kube-apiserver and kube-controller-manager on loopback, with certificates and tokens of
 * their own. They are built from Debian's source once (build-api-server.sh), into a cache outside the tree.
 */
import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { freePorts } from '../free-ports.ts';
import { Child } from '../process.ts';
import { build, cacheDirectory } from './build.ts';
import { writeClusterKeys } from './certificates.ts';
import { KubernetesClient } from './client.ts';

const READY_MS = 120_000;
/**
 * Without what wants a cloud, disks, or nodes that answer: the pod garbage collector deletes pods of nodes that it does not know, node
 * lifecycle taints nodes whose kubelet gives no sign of life.
 */
const CONTROLLERS = '*,-podgc,-nodelifecycle,-cloud-node-lifecycle,-ttl,-nodeipam,-route,-service,-attachdetach';

const execute = promisify(execFile);

export interface ApiServerOptions {
  /** For logs, keys and etcd's data; the caller's to remove. */
  directory: string;
  /** With kube-controller-manager: Deployments, endpoints, the end of namespaces. */
  controllers?: boolean;
}

export class ApiServer {
  readonly url: string;
  readonly certificateAuthority: string;
  /** Of a cluster administrator, with a token. */
  readonly kubeconfig: string;
  readonly client: KubernetesClient;
  readonly #directory: string;
  readonly #controllers: boolean;
  readonly #ports: readonly [number, number, number];
  readonly #token = randomBytes(16).toString('hex');
  #etcd: Child | undefined;
  #server: Child | undefined;
  #manager: Child | undefined;

  private constructor({ directory, controllers = true }: ApiServerOptions, ports: readonly [number, number, number]) {
    this.#directory = directory;
    this.#controllers = controllers;
    this.#ports = ports;
    this.url = `https://127.0.0.1:${ports[0]}`;
    this.certificateAuthority = join(directory, 'ca.crt');
    this.kubeconfig = join(directory, 'admin.kubeconfig');
    this.client = new KubernetesClient({ url: this.url, certificateAuthority: this.certificateAuthority, token: this.#token });
  }

  /** Builds what must be built; the API answers when it is returned. */
  static async start(options: ApiServerOptions): Promise<ApiServer> {
    await build();
    mkdirSync(options.directory, { recursive: true });
    await writeClusterKeys(options.directory);
    const server = new ApiServer(options, await freePorts(3) as [number, number, number]);
    try {
      await server.#start();
    } catch (error) {
      await server.stop();
      throw error;
    }
    return server;
  }

  async #start(): Promise<void> {
    writeFileSync(join(this.#directory, 'tokens.csv'), `${this.#token},admin,1,system:masters\n`, { mode: 0o600 });
    this.writeKubeconfig(this.kubeconfig, this.#token);
    this.#startEtcd();
    await this.startServer();
    if (this.#controllers) this.#startManager();
  }

  /** A kubeconfig for a token, such as one that `token` gave. */
  writeKubeconfig(path: string, token: string): void {
    const config = {
      apiVersion: 'v1', kind: 'Config', 'current-context': 'lab',
      clusters: [{ name: 'lab', cluster: { server: this.url, 'certificate-authority': this.certificateAuthority } }],
      users: [{ name: 'lab', user: { token } }],
      contexts: [{ name: 'lab', context: { cluster: 'lab', user: 'lab' } }],
    };
    writeFileSync(path, `${JSON.stringify(config, undefined, 2)}\n`, { mode: 0o600 });
  }

  /** A token of a service account, which must exist. */
  async token(namespace: string, account: string): Promise<string> {
    const { status } = await this.client.post<{ status: { token: string } }>(`/api/v1/namespaces/${namespace}/serviceaccounts/${account}/token`,
      { apiVersion: 'authentication.k8s.io/v1', kind: 'TokenRequest', spec: { expirationSeconds: 86_400 } });
    return status.token;
  }

  /** Runs kubectl as the administrator; returns what it printed. */
  async kubectl(...args: string[]): Promise<string> {
    // It keeps what it discovered for ten minutes, by host and port: those of another run may have been the same.
    const own = ['--kubeconfig', this.kubeconfig, '--cache-dir', join(this.#directory, 'kubectl-cache')];
    try {
      return (await execute('kubectl', [...own, ...args], { maxBuffer: 64 << 20 })).stdout;
    } catch (error) {
      const { stderr } = error as { stderr?: string };
      throw new Error(`kubectl ${args.join(' ')}: ${stderr?.trim() || (error as Error).message}`);
    }
  }

  /** Of etcd, whose plain HTTP gateway takes JSON. */
  async #etcdCall(path: string, body: unknown): Promise<Record<string, unknown>> {
    const answer = await fetch(`http://127.0.0.1:${this.#ports[1]}/v3/${path}`, { method: 'POST', body: JSON.stringify(body) });
    const result = await answer.json() as Record<string, unknown>;
    if (!answer.ok) throw new Error(`etcd ${path}: ${JSON.stringify(result)}`);
    return result;
  }

  /** Makes etcd forget everything before now. */
  async compact(): Promise<void> {
    const { header } = await this.#etcdCall('maintenance/status', {}) as { header: { revision: string } };
    await this.#etcdCall('kv/compaction', { revision: header.revision, physical: true });
  }

  /** As a crash; etcd keeps everything. */
  async killServer(): Promise<void> { await this.#server?.kill(); }

  /** Starts it (again), and waits until it answers. */
  async startServer(): Promise<void> {
    const [port, etcd] = this.#ports;
    this.#server = this.#spawn('kube-apiserver', [
      `--etcd-servers=http://127.0.0.1:${etcd}`, '--bind-address=127.0.0.1', '--advertise-address=127.0.0.1', `--secure-port=${port}`, '--endpoint-reconciler-type=none',
      `--tls-cert-file=${this.#file('server.crt')}`, `--tls-private-key-file=${this.#file('server.key')}`, `--client-ca-file=${this.certificateAuthority}`,
      `--token-auth-file=${this.#file('tokens.csv')}`, '--authorization-mode=RBAC', '--service-account-issuer=https://kubernetes.default.svc',
      `--service-account-key-file=${this.#file('sa.pub')}`, `--service-account-signing-key-file=${this.#file('sa.key')}`,
      '--service-cluster-ip-range=10.96.0.0/12', '--allow-privileged=true', '--max-requests-inflight=1600', '--max-mutating-requests-inflight=800',
      '--disable-admission-plugins=ServiceAccount', // pods need no token, and must not wait for one
    ]);
    await this.#server.ready(async () => {
      const ready = await this.client.text('/readyz');
      if (ready !== 'ok') throw new Error(`/readyz says ${ready}`);
    }, READY_MS);
  }

  async stop(): Promise<void> {
    this.client.close();
    await this.#manager?.kill();
    await this.#server?.kill(); // asked to end, it waits a minute for open watches
    await this.#etcd?.kill();
  }

  #startEtcd(): void {
    const [, client, peer] = this.#ports.map((port) => `http://127.0.0.1:${port}`) as [string, string, string];
    this.#etcd = new Child({ name: 'etcd', command: 'etcd', directory: this.#directory, args: [
      '--name', 'lab', '--data-dir', this.#file('etcd'), '--listen-client-urls', client, '--advertise-client-urls', client,
      '--listen-peer-urls', peer, '--initial-advertise-peer-urls', peer, '--initial-cluster', `lab=${peer}`, '--unsafe-no-fsync', '--log-level', 'warn',
    ] });
  }

  #startManager(): void {
    this.#manager = this.#spawn('kube-controller-manager', [
      `--kubeconfig=${this.kubeconfig}`, '--port=0', '--secure-port=0', '--leader-elect=false', `--controllers=${CONTROLLERS}`,
      `--service-account-private-key-file=${this.#file('sa.key')}`, `--root-ca-file=${this.certificateAuthority}`, '--kube-api-qps=500', '--kube-api-burst=1000',
    ]);
  }

  #spawn(program: string, args: string[]): Child {
    return new Child({ name: program, command: join(cacheDirectory(), 'bin', program), args, directory: this.#directory });
  }

  #file(name: string): string { return join(this.#directory, name); }
}
