/** kube-manager as a process of the lab: with a service account's rights alone, as its manifests give them. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { freePorts } from '../free-ports.ts';
import { Child } from '../process.ts';
import type { ApiServer } from './api-server.ts';

const ROOT = fileURLToPath(new URL('../../../', import.meta.url));
const MAIN = join(ROOT, 'mgmt/kube-manager/kube-manager.ts');
const MANIFESTS = join(ROOT, 'deploy/kube-manager');
const READY_MS = 60_000;
const ACCOUNT = { namespace: 'kube-system', name: 'kube-manager' } as const;

export interface KubeManagerOptions {
  /** Of the run; its folder `pki` has the certificate kube-manager. */
  directory: string;
  api: ApiServer;
  /** Of the controller, host:port. */
  controller: string;
  /** Settings by environment, with Contrail's names. */
  environment?: Record<string, string>;
}

export class KubeManager {
  /** Where it serves metrics and health. */
  readonly url: string;
  readonly #options: KubeManagerOptions;
  #process: Child | undefined;

  private constructor(options: KubeManagerOptions, port: number) {
    this.#options = options;
    this.url = `http://127.0.0.1:${port}`;
  }

  /** Applies the manifests: our kinds, and the rights of its account. */
  static async prepare(options: KubeManagerOptions): Promise<KubeManager> {
    const { api, directory } = options;
    for (const part of ['crds', 'rbac']) if (existsSync(join(MANIFESTS, part))) await api.kubectl('apply', '-f', join(MANIFESTS, part));
    const token = await api.token(ACCOUNT.namespace, ACCOUNT.name);
    api.writeKubeconfig(join(directory, 'kube-manager.kubeconfig'), token);
    const [port] = await freePorts(1);
    return new KubeManager(options, port!);
  }

  get pid(): number | undefined { return this.#process?.pid; }
  tail(): string { return this.#process?.tail() ?? ''; }

  /** Waits until everything of the cluster is in the controller. */
  async start(): Promise<void> {
    const { directory, controller, environment = {} } = this.#options;
    const [host, port] = controller.split(':') as [string, string];
    this.#process = new Child({ name: 'kube-manager', command: process.execPath, args: [MAIN], directory, environment: {
      KUBECONFIG: join(directory, 'kube-manager.kubeconfig'), CONFIG_NODES: host, CONFIG_API_PORT: port, WROUTER_PKI: join(directory, 'pki'),
      KUBEMANAGER_HTTP_SERVER_PORT: new URL(this.url).port, ...environment,
    } });
    await this.#process.ready(async () => {
      const { ok, status } = await fetch(`${this.url}/readyz`);
      if (!ok) throw new Error(`/readyz says ${status}`);
    }, READY_MS);
  }

  async kill(): Promise<void> { await this.#process?.kill(); }
  async stop(): Promise<void> { await this.#process?.stop(); }
}
