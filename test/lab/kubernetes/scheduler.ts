/** Binds pods to nodes in turn, unless they select one by its name. No resources, no taints: the lab's nodes have room. */
import type { KubernetesClient } from './client.ts';
import type { Pod } from './objects.ts';

const HOSTNAME = 'kubernetes.io/hostname';

export class Scheduler {
  readonly #client: KubernetesClient;
  readonly #nodes: readonly string[];
  readonly #log: (text: string) => void;
  readonly #stop = new AbortController();
  #turn = 0;

  constructor(client: KubernetesClient, nodes: readonly string[], log: (text: string) => void) {
    this.#client = client;
    this.#nodes = nodes;
    this.#log = log;
  }

  start(): void {
    void this.#client.follow<Pod>('/api/v1/pods?fieldSelector=spec.nodeName%3D', this.#stop.signal, (pod, gone) => {
      if (!gone && pod.spec.nodeName === undefined && pod.metadata.deletionTimestamp === undefined) void this.#bind(pod);
    });
  }

  stop(): void { this.#stop.abort(); }

  async #bind({ metadata: { name, namespace, uid }, spec }: Pod): Promise<void> {
    const node = spec.nodeSelector?.[HOSTNAME] ?? this.#nodes[this.#turn++ % this.#nodes.length]!;
    const binding = { apiVersion: 'v1', kind: 'Binding', metadata: { name, namespace, uid }, target: { apiVersion: 'v1', kind: 'Node', name: node } };
    // Refused where the pod is bound or gone already.
    await this.#client.post(`/api/v1/namespaces/${namespace}/pods/${name}/binding`, binding).catch((error: Error) => this.#log(`scheduler: ${error.message}`));
  }
}
