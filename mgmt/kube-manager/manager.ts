/**
 * kube-manager as a whole: informers fill the cache, the translator makes the controller's objects of it, the reconciler writes them.
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
import { Mirror, questionOf } from './reconcile/mirror.ts';
import { isOurs, makerOf } from './reconcile/plan.ts';
import { Reconciler } from './reconcile/reconciler.ts';
import { StatusWriter } from './status/writer.ts';
import { Translator } from './translate/translator.ts';

export interface ManagerOptions {
  readonly settings: ClusterSettings;
  readonly kubernetes: KubeClient;
  readonly config: Client<ConfigMethods>;
  readonly log: Logger;
  /** Whether this replica may write. */
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
  #informers: readonly Informer<KubeKind>[] = [];
  #started = false;

  constructor(options: ManagerOptions) {
    const { settings, kubernetes, config, log, mayWrite } = this.#options = options;
    this.cache = new KubeCache((key) => {
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
      config, translator: this.translator, mirror: this.mirror, cluster: settings.clusterName, log, mayWrite,
      onUnits: (units) => {
        for (const unit of units) this.status.mark(unit);
      },
      onCommitted: () => {},
    });
    this.status = new StatusWriter({ client: kubernetes, cache: this.cache, translator: this.translator, mirror: this.mirror, reconciler: this.reconciler, mayWrite: () => this.#started && mayWrite(), log });
  }

  /** Reads everything once, then begins to write. Resolves then. @throws {FatalError} when the cluster's name is not for this cluster. */
  async start(): Promise<void> {
    const { kubernetes, log, settings } = this.#options;
    void this.mirror.run();
    const backends = await backendsResource(kubernetes);
    log.info({ from: `${backends.root}/${backends.plural}` }, 'backends of services');
    this.#informers = KUBE_KINDS.map((kind) => new Informer(kind, kind === 'backends' ? backends : RESOURCES[kind], kubernetes, this.cache, log));
    for (const informer of this.#informers) void informer.run();
    await Promise.all([this.mirror.synced, ...this.#informers.map(({ synced }) => synced)]);
    const uid = this.cache.get('namespace', 'kube-system')?.uid ?? '';
    const problem = identityProblem(this.mirror.objects, this.translator.names, uid);
    if (problem !== undefined) throw new FatalError(problem);
    this.#started = true;
    this.reconciler.sweep();
    for (const kind of KUBE_KINDS) for (const key of this.cache.keys(kind)) this.status.mark(`${kind} ${key}`);
    log.info({ cluster: settings.clusterName, pods: this.cache.count('pod'), services: this.cache.count('service') }, 'everything is read; writing begins');
  }

  /** Everything is read, and what can be in the controller is there. */
  get inSync(): boolean { return this.#started && this.reconciler.inSync; }
  get informers(): readonly Informer<KubeKind>[] { return this.#informers; }

  async close(): Promise<void> {
    for (const informer of this.#informers) informer.close();
    this.status.close();
    await this.reconciler.close();
    this.mirror.close();
  }
}
