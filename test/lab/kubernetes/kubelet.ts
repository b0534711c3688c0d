/**
 * A kubelet as small as a test needs it: registers a node, gives each pod that is bound to it a network namespace through a CNI network,
 * tells the API server how the pod fares, and takes it away again.
 *
 * There are no images: a container is a web server on each of its TCP ports that says the pod's name (web.ts).
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { Namespaces } from '../netns.ts';
import type { Attachment, CniNetwork, Result } from './cni.ts';
import { KubernetesError, type KubernetesClient } from './client.ts';
import { nameOf, type Pod } from './objects.ts';

const WEB = fileURLToPath(new URL('web.ts', import.meta.url));
/** Before a pod's network is tried again, as kubelets do. */
const RETRY_MS = 1000;

export interface KubeletOptions {
  node: string;
  address: string;
  client: KubernetesClient;
  network: CniNetwork;
  namespaces: Namespaces;
  log: (text: string) => void;
  /** Is told each pod whose network is there, with the short name of its namespace, before anyone else is. */
  attached?: (pod: Pod, namespace: string) => void;
}

/** A pod on this node, from its namespace to its end. */
interface Sandbox {
  /** Short name of its namespace. */
  readonly name: string;
  readonly attachment: Attachment;
  readonly servers: ChildProcess[];
  pod: Pod;
  result?: Result;
  ending: boolean;
  /** What was asked of it is done one after the other. */
  work: Promise<void>;
}

export class Kubelet {
  readonly #options: KubeletOptions;
  readonly #sandboxes = new Map<string, Sandbox>();
  readonly #stop = new AbortController();

  constructor(options: KubeletOptions) {
    this.#options = options;
  }

  /** Registers the node once its network can take pods, then looks after pods. */
  async start(): Promise<void> {
    const { client, node, address, network } = this.#options;
    await network.status();
    const metadata = { name: node, labels: { 'kubernetes.io/hostname': node, 'kubernetes.io/os': 'linux' } };
    await client.post('/api/v1/nodes', { apiVersion: 'v1', kind: 'Node', metadata, spec: {} });
    await client.patch(`/api/v1/nodes/${node}/status`, { status: {
      addresses: [{ type: 'InternalIP', address }, { type: 'Hostname', address: node }], conditions: [condition('Ready')], allocatable: { pods: '1000' }, capacity: { pods: '1000' },
    } });
    void client.follow<Pod>(`/api/v1/pods?fieldSelector=spec.nodeName%3D${node}`, this.#stop.signal, (pod, gone) => this.#take(pod, gone));
  }

  /** Short name of a running pod's network namespace. */
  namespaceOf(pod: string): string | undefined {
    return [...this.#sandboxes.values()].find((sandbox) => nameOf(sandbox.pod) === pod)?.name;
  }

  /** Takes every pod's network down again; the API server learns nothing of it. */
  async stop(): Promise<void> {
    this.#stop.abort();
    await Promise.all([...this.#sandboxes.values()].map((sandbox) => this.#end(sandbox)));
  }

  #take(pod: Pod, gone: boolean): void {
    const uid = pod.metadata.uid!;
    const sandbox = this.#sandboxes.get(uid);
    const over = gone || pod.metadata.deletionTimestamp !== undefined || ['Succeeded', 'Failed'].includes(pod.status.phase ?? '');
    if (sandbox) {
      sandbox.pod = pod;
      if (over) void this.#end(sandbox).then(() => (gone ? undefined : this.#forget(pod)));
    } else if (over) {
      if (!gone) void this.#forget(pod);
    } else if (pod.spec.hostNetwork) {
      void this.#running(pod, [this.#options.address]);
    } else {
      const begun = this.#sandbox(pod);
      this.#sandboxes.set(uid, begun);
      begun.work = this.#begin(begun);
    }
  }

  #sandbox(pod: Pod): Sandbox {
    const { name, namespace, uid } = pod.metadata;
    const containerId = createHash('sha256').update(`${uid} ${Date.now()}`).digest('hex');
    const netns = `pod-${containerId.slice(0, 12)}`;
    const args = { IgnoreUnknown: '1', K8S_POD_NAMESPACE: namespace!, K8S_POD_NAME: name, K8S_POD_INFRA_CONTAINER_ID: containerId, K8S_POD_UID: uid! };
    const portMappings = pod.spec.containers.flatMap(({ ports = [] }) => ports).filter(({ hostPort }) => hostPort)
      .map(({ hostPort, containerPort, protocol = 'TCP' }) => ({ hostPort, containerPort, protocol: protocol.toLowerCase() }));
    return {
      name: netns, pod, servers: [], ending: false, work: Promise.resolve(),
      attachment: { containerId, namespace: this.#options.namespaces.path(netns), interfaceName: 'eth0', args, capabilities: portMappings.length > 0 ? { portMappings } : {} },
    };
  }

  async #begin(sandbox: Sandbox): Promise<void> {
    const { namespaces, network, log, node } = this.#options;
    await namespaces.create(sandbox.name);
    while (!sandbox.ending) {
      try {
        sandbox.result = await network.add(sandbox.attachment);
        break;
      } catch (error) {
        log(`${node}: ${nameOf(sandbox.pod)}: ${(error as Error).message}`);
        // A runtime takes back what may have been made before it tries again.
        await network.delete(sandbox.attachment).catch((failure: Error) => log(`${node}: ${nameOf(sandbox.pod)}: ${failure.message}`));
        await sleep(RETRY_MS);
      }
    }
    if (!sandbox.result) return;
    this.#options.attached?.(sandbox.pod, sandbox.name);
    await this.#serve(sandbox);
    const primary = sandbox.result.ips?.filter(({ interface: of = 0 }) => sandbox.result?.interfaces?.[of]?.name === sandbox.attachment.interfaceName || !sandbox.result?.interfaces) ?? [];
    await this.#running(sandbox.pod, primary.map(({ address }) => address.split('/')[0]!));
  }

  /** The containers: a web server on each TCP port. */
  async #serve({ name, pod, servers }: Sandbox): Promise<void> {
    const ports = pod.spec.containers.flatMap(({ ports = [] }) => ports).filter(({ protocol = 'TCP' }) => protocol === 'TCP');
    if (ports.length === 0) return;
    const [command, args] = this.#options.namespaces.command(name, process.execPath, [WEB, 'serve', pod.metadata.name, ...ports.map(({ containerPort }) => String(containerPort))]);
    const server = spawn(command, args, { stdio: ['ignore', 'pipe', 'ignore'] });
    servers.push(server);
    await Promise.race([once(server.stdout, 'data'), once(server, 'exit')]);
  }

  async #running({ metadata: { namespace, name }, spec }: Pod, addresses: string[]): Promise<void> {
    const status = {
      phase: 'Running', hostIP: this.#options.address, podIP: addresses[0], podIPs: addresses.map((ip) => ({ ip })), startTime: new Date().toISOString().replace(/\.\d+Z/, 'Z'),
      conditions: ['Initialized', 'PodScheduled', 'ContainersReady', 'Ready'].map(condition),
      containerStatuses: spec.containers.map((container) => ({ name: container.name, image: 'none', imageID: '', ready: true, restartCount: 0, state: { running: {} } })),
    };
    await this.#options.client.patch(`/api/v1/namespaces/${namespace}/pods/${name}/status`, { status }).catch((error: Error) => this.#complain(error));
  }

  /** Ends a pod's network, once. */
  async #end(sandbox: Sandbox): Promise<void> {
    const { network, namespaces } = this.#options;
    if (!sandbox.ending) {
      sandbox.ending = true;
      sandbox.work = sandbox.work.then(async () => {
        for (const server of sandbox.servers) server.kill('SIGKILL');
        await network.delete(sandbox.attachment);
        await namespaces.remove(sandbox.name);
        this.#sandboxes.delete(sandbox.pod.metadata.uid!);
      }).catch((error: Error) => this.#complain(error));
    }
    await sandbox.work;
  }

  /** The last word on a pod that is to go; one that has run to its end stays to be read. */
  async #forget({ metadata: { namespace, name, uid, deletionTimestamp } }: Pod): Promise<void> {
    if (deletionTimestamp === undefined) return;
    const path = `/api/v1/namespaces/${namespace}/pods/${name}`;
    await this.#options.client.delete(path, { gracePeriodSeconds: 0, preconditions: { uid: uid! } }).catch((error: Error) => this.#complain(error));
  }

  /** Somebody may have been faster. */
  #complain(error: Error): void {
    if (error instanceof KubernetesError && [404, 409].includes(error.status)) return;
    this.#options.log(`${this.#options.node}: ${error.message}`);
  }
}

function condition(type: string): { type: string; status: string; lastTransitionTime: string; reason?: string } {
  return { type, status: 'True', lastTransitionTime: new Date().toISOString().replace(/\.\d+Z/, 'Z'), ...(type === 'Ready' ? { reason: 'Lab' } : {}) };
}
