/** A controller, a scripted Kubernetes API server, and kube-manager between the two, in one process. */
import { join } from 'node:path';
import pino from 'pino';
import { readSettings } from '../../../mgmt/kube-manager/config/settings.ts';
import { KubeClient } from '../../../mgmt/kube-manager/kubernetes/client.ts';
import { Manager } from '../../../mgmt/kube-manager/manager.ts';
import type { Kind, Stored } from '../../../mgmt/controller/model/kinds.ts';
import { Scene, until } from '../controller/scene.ts';
import { ScriptedApi, type KubeObject } from './scripted-api.ts';

export const PATHS = {
  namespace: '/api/v1/namespaces', pod: '/api/v1/pods', service: '/api/v1/services', endpoints: '/api/v1/endpoints', event: '/api/v1/events',
  slice: '/apis/discovery.k8s.io/v1/endpointslices', nad: '/apis/k8s.cni.cncf.io/v1/network-attachment-definitions',
  virtualnetwork: '/apis/wrouter.io/v1/virtualnetworks', floatingippool: '/apis/wrouter.io/v1/floatingippools', floatingip: '/apis/wrouter.io/v1/floatingips', bgprouter: '/apis/wrouter.io/v1/bgprouters',
} as const;

export class KubeScene {
  readonly scene: Scene;
  readonly api: ScriptedApi;
  manager!: Manager;
  #client!: KubeClient;

  private constructor(scene: Scene, api: ScriptedApi) {
    this.scene = scene;
    this.api = api;
  }

  static async open(): Promise<KubeScene> {
    const scene = await Scene.open();
    const api = await ScriptedApi.start(join(scene.folder, 'api'));
    const kube = new KubeScene(scene, api);
    await scene.put(...['compute-1', 'compute-2'].map((name, at) => ({
      name: `default-global-system-config:${name}`,
      virtualRouter: { kind: 'COMPUTE' as const, profile: 'lab', fabric: { port: 'fabric0', address: `10.169.25.${20 + at}/24`, mac: `02:00:00:00:25:${20 + at}` } },
    })));
    for (const name of ['default', 'kube-system']) kube.put('namespace', { metadata: { name } });
    return kube;
  }

  /** @param flags of the command line */
  async start(...flags: string[]): Promise<void> {
    const settings = readSettings([
      '--kubernetes-api-server', '127.0.0.1', '--kubernetes-api-secure-port', String(this.api.port), '--kubernetes-ca', this.api.certificate, '--token', 'secret',
      '--vnc-endpoint-ip', this.scene.address, '--pki', this.scene.pki, '--identity', 'operator', ...flags,
    ], {});
    this.#client = new KubeClient(settings.kubernetes);
    const log = pino({ level: process.env['LOG_LEVEL'] ?? 'silent' });
    this.manager = new Manager({ settings, kubernetes: this.#client, config: this.scene.config, log, mayWrite: () => true });
    await this.manager.start();
  }

  async stop(): Promise<void> {
    await this.manager.close();
    this.#client.close();
  }

  put(kind: keyof typeof PATHS, object: KubeObject): void { this.api.put(PATHS[kind], object); }
  delete(kind: keyof typeof PATHS, key: string): void { this.api.delete(PATHS[kind], key); }
  get(kind: keyof typeof PATHS, key: string): KubeObject | undefined { return this.api.get(PATHS[kind], key); }

  /** The controller's object. */
  stored<K extends Kind>(kind: K, name: string): Stored<K> | undefined { return this.scene.engine.objects.get(kind, name); }
  names(kind: Kind): string[] { return [...this.scene.engine.objects.all(kind)].map(({ name }) => name).sort(); }

  async until(check: () => boolean, what: string): Promise<void> { await until(check, what, 30_000); }

  async close(): Promise<void> {
    await this.stop().catch(() => {});
    await this.api.down();
    await this.scene.close();
  }
}

/** A pod that is bound to a node. */
export const pod = (namespace: string, name: string, node = 'compute-1', annotations: Record<string, string> = {}, more: Record<string, unknown> = {}): KubeObject => ({
  metadata: { namespace, name, annotations }, spec: { nodeName: node, ...more }, status: { phase: 'Pending' },
});
