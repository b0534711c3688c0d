/**
 * A whole cluster: Kubernetes' API server and its controllers, our controller, kube-manager, a gateway and two compute appliances, a
 * kubelet for each compute; opened in one call and taken down in one.
 */
import { execFile } from 'node:child_process';
import { appendFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { createPki } from '../../../mgmt/pki/authority.ts';
import type { Object as ConfigObject } from '../../../proto/config.ts';
import type { Draft } from '../../../proto/load.ts';
import { Appliance } from '../appliance.ts';
import { Controller } from '../controller.ts';
import { freePorts } from '../free-ports.ts';
import { NamespaceHost } from '../hosts.ts';
import { ApiServer } from './api-server.ts';
import { build, isBuilt } from './build.ts';
import { CniNetwork } from './cni.ts';
import { KubeManager } from './kube-manager.ts';
import { Kubelet, type KubeletOptions } from './kubelet.ts';
import { ClusterNetwork, COMPUTES, EXTERNAL, FABRIC, GATEWAY, type Box } from './network.ts';
import { isReady, nameOf, type List, type Pod, type Service } from './objects.ts';
import { Scheduler } from './scheduler.ts';
import { until } from './until.ts';
import type { Answer } from './web.ts';

const execute = promisify(execFile);
const WEB = fileURLToPath(new URL('web.ts', import.meta.url));
const ROOT = fileURLToPath(new URL('../../../', import.meta.url));
/** Routes of the floating IPs' networks, as the gateway's VRF of the Internet imports them. */
export const INTERNET_TARGET = 'target:64512:101';
/** What the Internet reaches through the gateway. */
const FLOATING = ['101.101.101.0/24', '198.51.100.0/24', '192.0.2.0/24'];
const APPLIANCES = 'default-global-system-config';
const PATIENCE_MS = 60_000;

export class KubernetesLab {
  /** Keys, logs, states and sockets of this run; removed with it unless something failed. */
  readonly directory = mkdtempSync(join(tmpdir(), 'wrouter-kubernetes-'));
  readonly network = new ClusterNetwork(FLOATING);
  readonly controller: Controller;
  readonly gateway: Appliance;
  readonly computes: readonly Appliance[];
  /** For the `wrouter` command. */
  readonly contextFile = join(this.directory, 'context.json');
  api!: ApiServer;
  kubeManager!: KubeManager;
  #kubelets: Kubelet[] = [];
  #scheduler: Scheduler | undefined;

  private constructor(ports: readonly number[]) {
    const [controller, ...operations] = ports.map((port) => `127.0.0.1:${port}`) as [string, ...string[]];
    const { directory } = this;
    this.controller = new Controller(directory, controller);
    const [gateway, ...computes] = [GATEWAY, ...COMPUTES].map((box, at) => new Appliance({
      place: box.place, name: box.name, network: this.network.of(box), directory, controller, operations: operations[at]!, ...(box.place === 'compute' ? { cni: this.#cniSocket(box) } : {}),
    })) as [Appliance, ...Appliance[]];
    this.gateway = gateway;
    this.computes = computes;
    const appliances = Object.fromEntries([gateway, ...computes].map(({ name }, at) => [name, operations[at]!]));
    writeFileSync(this.contextFile, `${JSON.stringify({ pki: 'pki', as: 'operator', controller, appliances }, undefined, 2)}\n`);
  }

  /**
   * Brings everything up until pods can be made.
   *
   * @param step is told what was done, and gets the seconds that it took
   * @param options.attached as a kubelet's
   * @throws with the logs' ends; what had been started is taken down
   */
  static async open(step: (what: string, seconds: number) => void = () => {}, { attached }: Pick<KubeletOptions, 'attached'> = {}): Promise<KubernetesLab> {
    const timed = async (what: string, work: () => Promise<void>): Promise<void> => {
      const started = performance.now();
      await work();
      step(what, (performance.now() - started) / 1000);
    };
    if (!isBuilt()) await timed('kube-apiserver, built from source', build);
    const lab = new KubernetesLab(await freePorts(4));
    try {
      await timed('CNI plugin', async () => { await execute(process.execPath, [join(ROOT, 'mgmt/cni/build.ts')]); });
      await timed('Kubernetes API server', async () => { lab.api = await ApiServer.start({ directory: join(lab.directory, 'kubernetes') }); });
      await timed('controller, with the underlay\'s objects', () => lab.#startController());
      await timed('a gateway and two compute appliances', () => lab.#startAppliances());
      await timed('kube-manager', () => lab.#startKubeManager());
      await timed('kubelets and scheduler', () => lab.#startNodes(attached));
    } catch (error) {
      await lab.close({ keep: true });
      throw error;
    }
    return lab;
  }

  /** Applies a file of examples/kubernetes by kubectl. */
  async apply(example: string): Promise<void> {
    await this.api.kubectl('apply', '-f', join(ROOT, 'examples/kubernetes', example));
  }

  /** Pods of a label selector, or the one of a name, once that many are ready and none is ending. */
  async readyPods(namespace: string, selector: string, count: number, name?: string): Promise<Pod[]> {
    const query = [...(selector ? [`labelSelector=${encodeURIComponent(selector)}`] : []), ...(name ? [`fieldSelector=metadata.name%3D${name}`] : [])].join('&');
    return until(`${count} ready pods of ${namespace} ${name ?? selector}`, async () => {
      const { items } = await this.api.client.get<List<Pod>>(`/api/v1/namespaces/${namespace}/pods?${query}`);
      return items.length === count && items.every(isReady) && items;
    });
  }

  service(namespace: string, name: string): Promise<Service> {
    return this.api.client.get(`/api/v1/namespaces/${namespace}/services/${name}`);
  }

  /** Waits until a service's ClusterIP leads to that many pods in every appliance. */
  async backed(namespace: string, name: string, count: number): Promise<void> {
    const { spec: { clusterIP } } = await this.service(namespace, name);
    await until(`${namespace}/${name} ${clusterIP} with ${count} backends`, async () => (
      (await this.list('floating-ip')).some(({ name: full, floatingIp }) => (
        full.includes(namespace === 'default' ? ':k8s-default-service-network:' : `:k8s-${namespace}-service-network:`) && floatingIp?.address === clusterIP && floatingIp.virtualMachineInterfaces.length === count))));
    await this.live();
  }

  /** Objects of a kind in the controller. */
  async list(kind: string): Promise<ConfigObject[]> {
    const found: ConfigObject[] = [];
    for (let pageToken = ''; ; ) {
      const { objects, nextPageToken } = await this.controller.config.list({ kind, pageToken });
      found.push(...objects);
      if (nextPageToken === '') return found;
      pageToken = nextPageToken;
    }
  }

  /** A running pod as a host of its first address. */
  hostOf(pod: Pod): NamespaceHost {
    return new NamespaceHost(this.network.namespaces, this.#namespaceOf(pod), pod.status.podIP ?? '');
  }

  /** A command in a pod's network. */
  run(pod: Pod, command: string, args: string[]): string {
    return this.network.namespaces.run(this.#namespaceOf(pod), command, args);
  }

  /** Asks a web server of the lab by so many connections, one after the other; null for each without an answer. */
  async ask(from: NamespaceHost, url: string, count: number): Promise<(Answer | null)[]> {
    return JSON.parse(await from.run(process.execPath, [WEB, 'get', url, String(count)])) as (Answer | null)[];
  }

  #namespaceOf(pod: Pod): string {
    for (const kubelet of this.#kubelets) {
      const namespace = kubelet.namespaceOf(nameOf(pod));
      if (namespace !== undefined) return namespace;
    }
    throw new Error(`pod ${nameOf(pod)} has no namespace on ${COMPUTES.map(({ name }) => name).join(', ')}`);
  }

  /** Waits until the controller's newest version is live in every appliance. */
  async live(): Promise<void> {
    const { absent, refused } = await this.controller.config.awaitLive({}, { deadline: Date.now() + PATIENCE_MS });
    if (absent.length > 0 || refused.length > 0) throw new Error(`not live: ${[...absent.map((name) => `${name} is absent`), ...refused].join('; ')}`);
  }

  async #startController(): Promise<void> {
    await this.controller.issueCertificates([GATEWAY, ...COMPUTES].map(({ name }) => name));
    await createPki(join(this.directory, 'pki'), [{ name: 'kube-manager', role: 'cloud-admin' }]);
    await this.controller.start();
    await this.controller.config.commit({ operations: underlay().map((create) => ({ create })) });
  }

  async #startAppliances(): Promise<void> {
    await Promise.all([this.gateway, ...this.computes].map((appliance) => appliance.start()));
    await until('every appliance in sync', async () => {
      const { appliances } = await this.controller.config.appliances({});
      return appliances.length === 1 + COMPUTES.length && appliances.every(({ state }) => state === 'in-sync');
    });
  }

  async #startKubeManager(): Promise<void> {
    this.kubeManager = await KubeManager.prepare({ directory: this.directory, api: this.api, controller: this.controller.address });
    await this.kubeManager.start();
  }

  async #startNodes(attached: KubeletOptions['attached']): Promise<void> {
    const log = (text: string): void => appendFileSync(join(this.directory, 'kubelets.log'), `${new Date().toISOString()} ${text}\n`);
    this.#kubelets = COMPUTES.map((box) => new Kubelet({
      node: box.name, address: box.tunnel, client: this.api.client, namespaces: this.network.namespaces, log, ...(attached ? { attached } : {}),
      network: new CniNetwork({
        configuration: join(ROOT, 'deploy/cni/10-wrouter.conflist'), path: [join(ROOT, 'build/cni'), '/usr/lib/cni'], environment: { WROUTER_CNI_SOCKET: this.#cniSocket(box) },
        command: (program, args) => this.network.namespaces.command(box.name, program, args),
      }),
    }));
    await Promise.all(this.#kubelets.map((kubelet) => kubelet.start()));
    this.#scheduler = new Scheduler(this.api.client, COMPUTES.map(({ name }) => name), log);
    this.#scheduler.start();
  }

  #cniSocket({ name }: Box): string { return join(this.directory, `${name}-cni.sock`); }

  /** Takes all down again. `keep` leaves logs and states on disk. */
  async close({ keep = false }: { keep?: boolean } = {}): Promise<void> {
    this.#scheduler?.stop();
    await Promise.allSettled(this.#kubelets.map((kubelet) => kubelet.stop()));
    await Promise.allSettled([this.kubeManager?.stop(), this.gateway.stop(), ...this.computes.map((compute) => compute.stop()), this.api?.stop()]);
    await this.controller.stop();
    this.network.close();
    if (!keep) rmSync(this.directory, { recursive: true, force: true });
  }
}

/** The appliances, before there is any cluster. */
function underlay(): Draft<ConfigObject>[] {
  const fabric = ({ tunnel, mac }: Box): { port: string; address: string; mac: string; mtu: number } => ({ port: 'fabric', address: `${tunnel}/${FABRIC.length}`, mac, mtu: FABRIC.mtu });
  return [
    { name: `${APPLIANCES}:${GATEWAY.name}`, virtualRouter: {
      kind: 'GATEWAY', profile: 'virtual', fabric: fabric(GATEWAY),
      routingInstances: [{ name: 'internet', routeTargets: [INTERNET_TARGET] }],
      externalInterfaces: [{ name: 'external', port: 'external', address: `${EXTERNAL.address}/${EXTERNAL.length}`, mac: EXTERNAL.mac, routingInstance: 'internet' }],
    } },
    ...COMPUTES.map((box): Draft<ConfigObject> => ({ name: `${APPLIANCES}:${box.name}`, virtualRouter: { kind: 'COMPUTE', profile: 'virtual', fabric: fabric(box) } })),
  ];
}
