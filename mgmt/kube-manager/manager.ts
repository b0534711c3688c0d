/**
 * kube-manager as a whole: informers fill the cache, the translator makes the controller's objects of it, the reconciler writes them,
 * the status writer tells Kubernetes what became of it. A replica that may not write reads all the same, and goes on at once when it may.
 */
import type { Logger } from 'pino';
import type { ConfigMethods } from '../../proto/config.ts';
import type { Client } from '../../proto/load.ts';
import type { ClusterSettings } from './config/settings.ts';
import { KubeCache } from './kubernetes/cache.ts';
import type { KubeClient } from './kubernetes/client.ts';
import { Informer } from './kubernetes/informer.ts';
import { KUBE_KINDS, type KubeKind } from './kubernetes/objects.ts';
import { backendsResource, RESOURCES } from './kubernetes/resources.ts';
import { identityProblem } from './reconcile/identity.ts';
import { Mirror } from './reconcile/mirror.ts';
import { isOurs, makerOf } from './reconcile/plan.ts';
import { Reconciler } from './reconcile/reconciler.ts';
import { Latency } from './status/latency.ts';
import type { Metric } from './status/metrics.ts';
import { StatusWriter } from './status/writer.ts';
import { questionOf } from './translate/facts.ts';
import { Translator } from './translate/translator.ts';

export interface ManagerOptions {
  readonly settings: ClusterSettings;
  readonly kubernetes: KubeClient;
  readonly config: Client<ConfigMethods>;
  readonly log: Logger;
  /** Whether this replica may write, now. */
  readonly mayWrite: () => boolean;
}

/** Why it cannot go on: somebody has to change a setting. */
export class FatalError extends Error {}

export class Manager {
  readonly cache: KubeCache;
  readonly translator: Translator;
  readonly mirror: Mirror;
  readonly reconciler: Reconciler;
  readonly status: StatusWriter;
  readonly #options: ManagerOptions;
  readonly #latency: Latency;
  #informers: readonly Informer<KubeKind>[] = [];
  #started = false;

  constructor(options: ManagerOptions) {
    const { settings, kubernetes, config, log, mayWrite } = this.#options = options;
    const writing = (): boolean => this.#started && mayWrite();
    this.#latency = new Latency(config);
    this.cache = new KubeCache((key) => {
      this.#latency.touched(key);
      this.translator.touch(key);
      this.reconciler.schedule();
      // Somebody may have changed what is said of it.
      this.status.mark(key);
    });
    this.mirror = new Mirror(config, log, (id) => {
      const question = questionOf(id);
      if (question !== undefined) this.translator.touch(question);
      this.reconciler.objectChanged(id);
      const stored = this.mirror.get(id);
      if (stored && isOurs(stored, settings.clusterName)) this.status.mark(makerOf(stored));
    });
    this.translator = new Translator(settings, this.cache, this.mirror);
    this.reconciler = new Reconciler({
      config, translator: this.translator, mirror: this.mirror, cluster: settings.clusterName, log, mayWrite: writing,
      onUnits: (units) => {
        for (const unit of units) this.status.mark(unit);
      },
      onCommitted: (version, units) => this.#latency.write(version, units),
    });
    this.status = new StatusWriter({ client: kubernetes, cache: this.cache, translator: this.translator, mirror: this.mirror, reconciler: this.reconciler, mayWrite: writing, log });
  }

  /** Reads everything once. Resolves then. @throws {FatalError} when the cluster's name is not for this cluster. */
  async start(): Promise<void> {
    const { kubernetes, log, settings } = this.#options;
    void this.mirror.run();
    const backends = await backendsResource(kubernetes);
    log.info({ from: `${backends.root}/${backends.plural}` }, 'backends of services');
    this.#informers = KUBE_KINDS.map((kind) => new Informer(kind, kind === 'backends' ? backends : RESOURCES[kind], kubernetes, this.cache, log));
    for (const informer of this.#informers) void informer.run();
    await Promise.all([this.mirror.synced, ...this.#informers.map(({ synced }) => synced)]);
    this.#started = true;
    log.info({ cluster: settings.clusterName, pods: this.cache.count('pod'), services: this.cache.count('service') }, 'everything is read');
    this.mayWriteNow();
  }

  /** This replica may write (again): everything is compared once. @throws {FatalError} as `start`. */
  mayWriteNow(): void {
    const { settings, mayWrite } = this.#options;
    if (!this.#started || !mayWrite()) return;
    const problem = identityProblem(this.mirror.objects, this.translator.names, this.cache.get('namespace', 'kube-system')?.uid ?? '');
    if (problem !== undefined) throw new FatalError(problem);
    this.reconciler.sweep();
    for (const kind of KUBE_KINDS) for (const key of this.cache.keys(kind)) this.status.mark(`${kind} ${key}`);
    this.#options.log.info({ cluster: settings.clusterName }, 'writing');
  }

  /** Everything is read, and what can be in the controller is there. */
  get inSync(): boolean {
    const inSync = this.#started && this.reconciler.inSync;
    if (inSync) this.#latency.idle();
    return inSync;
  }

  /** Everything is read. */
  get started(): boolean { return this.#started; }

  get metrics(): readonly Metric[] {
    const { reconciler, status, cache, mirror } = this;
    const byKind = (value: (informer: Informer<KubeKind>) => number): Metric['value'] => ({ label: 'kind', values: Object.fromEntries(this.#informers.map((informer) => [informer.kind, value(informer)])) });
    return [
      { name: 'queue_depth', type: 'gauge', help: 'Objects that are to be looked at.', value: reconciler.depth },
      { name: 'refused', type: 'gauge', help: 'Kubernetes objects that the controller refuses.', value: reconciler.refusedUnits },
      { name: 'waiting', type: 'gauge', help: 'Kubernetes objects that wait for another one.', value: reconciler.waitingUnits },
      { name: 'in_sync', type: 'gauge', help: '1: what can be in the controller is there.', value: Number(this.inSync) },
      { name: 'leader', type: 'gauge', help: '1: this replica writes.', value: Number(this.#options.mayWrite()) },
      { name: 'controller_in_contact', type: 'gauge', help: '1: the controller is followed.', value: Number(mirror.inContact) },
      { name: 'api_in_contact', type: 'gauge', help: '1: this kind is followed at the API server.', value: byKind(({ inContact }) => Number(inContact)) },
      { name: 'relists_total', type: 'counter', help: 'Lists of a kind, the first included.', value: byKind(({ relists }) => relists) },
      { name: 'objects', type: 'gauge', help: 'Kubernetes objects that are known.', value: byKind(({ kind }) => cache.count(kind)) },
      { name: 'transactions_total', type: 'counter', help: 'Transactions written to the controller.', value: reconciler.counts.transactions },
      { name: 'operations_total', type: 'counter', help: 'Operations in them.', value: reconciler.counts.operations },
      { name: 'refusals_total', type: 'counter', help: 'Refusals by the controller, attempts included.', value: reconciler.counts.refusals },
      { name: 'conflicts_total', type: 'counter', help: 'Transactions that somebody else was faster than.', value: reconciler.counts.conflicts },
      { name: 'status_writes_total', type: 'counter', help: 'Writes of status and annotations to the API server.', value: status.counts.writes },
      { name: 'events_total', type: 'counter', help: 'Events written.', value: status.counts.events },
      { name: 'event_to_controller_seconds', type: 'histogram', help: 'From a Kubernetes event to the controller\'s transaction.', value: this.#latency.committed },
      { name: 'event_to_live_seconds', type: 'histogram', help: 'From a Kubernetes event until it is live in every appliance that it touches.', value: this.#latency.live },
    ];
  }

  async close(): Promise<void> {
    for (const informer of this.#informers) informer.close();
    this.status.close();
    await this.reconciler.close();
    this.mirror.close();
  }
}
