/**
 * What Kubernetes is told: where pods and services are (network-status, status.loadBalancer), whether an object is what it asks to be
 * (a condition), and an Event for every refusal. Written only where it differs from what the object says already.
 */
import type { Logger } from 'pino';
import { idOf } from '../../controller/model/kinds.ts';
import type { KubeCache } from '../kubernetes/cache.ts';
import { ApiError, type KubeClient } from '../kubernetes/client.ts';
import { ANNOTATIONS, CONDITION, READY, type Custom, type KubeKind, type Named, type Service } from '../kubernetes/objects.ts';
import { pathOf, RESOURCES } from '../kubernetes/resources.ts';
import type { Mirror } from '../reconcile/mirror.ts';
import type { Reconciler } from '../reconcile/reconciler.ts';
import type { Problem } from '../translate/desired.ts';
import { splitKey, type Translator } from '../translate/translator.ts';

const PARALLEL = 16;
/** What does not stand for so long is not worth an Event: a pod before its namespace. */
const STANDS_MS = 1_000;
const RETRY_MS = 2_000;
const MAX_MESSAGE = 1_000;

type Told = Exclude<KubeKind, 'backends'>;
/** Kinds as Kubernetes calls them. */
const KINDS: { readonly [K in Told]: { readonly kind: string; readonly apiVersion: string } } = {
  namespace: { kind: 'Namespace', apiVersion: 'v1' }, pod: { kind: 'Pod', apiVersion: 'v1' }, service: { kind: 'Service', apiVersion: 'v1' },
  nad: { kind: 'NetworkAttachmentDefinition', apiVersion: 'k8s.cni.cncf.io/v1' },
  virtualnetwork: { kind: 'VirtualNetwork', apiVersion: 'wrouter.io/v1' }, floatingippool: { kind: 'FloatingIPPool', apiVersion: 'wrouter.io/v1' },
  floatingip: { kind: 'FloatingIP', apiVersion: 'wrouter.io/v1' }, bgprouter: { kind: 'BGPRouter', apiVersion: 'wrouter.io/v1' },
};
const OURS: ReadonlySet<string> = new Set(['virtualnetwork', 'floatingippool', 'floatingip', 'bgprouter']);

export interface WriterOptions {
  readonly client: KubeClient;
  readonly cache: KubeCache;
  readonly translator: Translator;
  readonly mirror: Mirror;
  readonly reconciler: Reconciler;
  readonly mayWrite: () => boolean;
  readonly log: Logger;
}

export class StatusWriter {
  readonly #options: WriterOptions;
  readonly #dirty = new Set<string>();
  /** What is wrong with an object, since when. */
  readonly #standing = new Map<string, { text: string; since: number }>();
  /** What was last written, by object: the watch may be behind. */
  readonly #written = new Map<string, string>();
  /** Objects that are being written: one write at a time each. */
  readonly #busy = new Set<string>();
  #ended = false;
  readonly counts = { writes: 0, events: 0 };

  constructor(options: WriterOptions) {
    this.#options = options;
  }

  /** A unit, or what the controller has of it, is another than before. */
  mark(unit: string): void {
    const [kind, key] = splitKey(unit);
    const object = kind === 'podaddress' ? 'pod' : kind;
    if (!Object.hasOwn(KINDS, object)) return;
    this.#dirty.add(`${object} ${key}`);
    this.#pump();
  }

  close(): void {
    this.#ended = true;
  }

  #pump(): void {
    if (this.#ended || !this.#options.mayWrite()) return;
    for (const object of this.#dirty) {
      if (this.#busy.size >= PARALLEL) return;
      if (this.#busy.has(object)) continue;
      this.#dirty.delete(object);
      this.#busy.add(object);
      this.#write(object).catch((error: unknown) => {
        // A deleted object has nothing to be told.
        if (error instanceof ApiError && error.code === 404) return;
        this.#options.log.warn({ object, error: (error as Error).message }, 'status is not written; trying again');
        this.#later(object, RETRY_MS);
      }).finally(() => {
        this.#busy.delete(object);
        this.#pump();
      });
    }
  }

  #later(object: string, ms: number): void {
    setTimeout(() => {
      if (this.#ended) return;
      this.#dirty.add(object);
      this.#pump();
    }, ms).unref();
  }

  async #write(id: string): Promise<void> {
    const [kind, key] = splitKey(id) as [Told, string];
    const object = this.#options.cache.get(kind, key);
    if (!object) {
      this.#standing.delete(id);
      for (const what of ['condition', 'network', 'ingress']) this.#written.delete(`${id} ${what}`);
      return;
    }
    await this.#problems(id, kind, object);
    if (kind === 'pod') await this.#network(id, object);
    if (kind === 'service') await this.#ingress(id, object as Service);
  }

  // ---- problems ------------------------------------------------------------------------------------------------------------

  async #problems(id: string, kind: Told, object: Named): Promise<void> {
    const units = kind === 'pod' ? [id, `podaddress ${splitKey(id)[1]}`] : [id];
    const { translator, reconciler } = this.#options;
    const found = units.flatMap((unit) => [...translator.problemsOf(unit), ...reconciler.problemsOf(unit)]);
    const text = found.map(messageOf).join('; ').slice(0, MAX_MESSAGE);
    const standing = this.#standing.get(id);
    if (text !== '' && standing?.text !== text) {
      this.#standing.set(id, { text, since: Date.now() });
      this.#later(id, STANDS_MS);
      return;
    }
    if (text === '') this.#standing.delete(id);
    else if (Date.now() - standing!.since < STANDS_MS) return this.#later(id, STANDS_MS);

    const wanted = text !== '' ? `False ${text}` : OURS.has(kind) || object.told.startsWith('False') ? 'True' : object.told;
    const details = OURS.has(kind) && text === '' ? this.#details(id, kind) : {};
    const written = `${object.uid} ${wanted} ${JSON.stringify(details)}`;
    if (this.#written.get(`${id} condition`) === written || wanted === object.told && Object.keys(details).length === 0) return;
    await this.#tell(kind, object, found[0], text, details);
    this.#written.set(`${id} condition`, written);
    if (text !== '') await this.#event(kind, object, found[0]!.rule, text);
  }

  async #tell(kind: Told, object: Named, first: Problem | undefined, text: string, details: object): Promise<void> {
    const path = pathOf(RESOURCES[kind], object.namespace, object.name);
    const good = text === '';
    this.counts.writes++;
    if (kind === 'nad') {
      // It has no status.
      await this.#options.client.patch(path, { metadata: { annotations: { [ANNOTATIONS.refused]: good ? null : text } } }, 'application/merge-patch+json');
      return;
    }
    const condition = {
      type: OURS.has(kind) ? READY : CONDITION, status: good ? 'True' : 'False', reason: good ? 'InSync' : first!.rule, message: good ? 'the controller has it' : text,
      lastTransitionTime: new Date().toISOString().replace(/\.\d+Z$/, 'Z'), ...(OURS.has(kind) ? { observedGeneration: (object as Custom).generation } : {}),
    };
    const patch = { status: { conditions: [condition], ...details } };
    // Other programs have conditions of the same object: those of Kubernetes' kinds are merged by their type.
    await this.#options.client.patch(`${path}/status`, patch, OURS.has(kind) ? 'application/merge-patch+json' : 'application/strategic-merge-patch+json');
  }

  /** What the controller gave one of our kinds. */
  #details(id: string, kind: Told): Record<string, string> {
    const object = this.#options.translator.objectsOf(id)[0];
    const stored = object && this.#options.mirror.get(idOf(object.kind, object.name));
    if (!stored) return {};
    return { objectName: stored.name, ...(kind === 'floatingip' && stored.kind === 'floating-ip' ? { address: stored.spec.address } : {}) };
  }

  async #event(kind: Told, object: Named, reason: string, message: string): Promise<void> {
    const now = new Date().toISOString().replace(/\.\d+Z$/, 'Z');
    const namespace = object.namespace || 'default';
    this.counts.events++;
    await this.#options.client.post(`/api/v1/namespaces/${namespace}/events`, {
      metadata: { namespace, name: `${object.name.slice(0, 200)}.${Date.now().toString(16)}${Math.floor(Math.random() * 2 ** 24).toString(16)}` },
      involvedObject: { ...KINDS[kind], ...(object.namespace ? { namespace: object.namespace } : {}), name: object.name, uid: object.uid },
      type: 'Warning', reason, message, firstTimestamp: now, lastTimestamp: now, count: 1, source: { component: 'wrouter-kube-manager' },
    }).catch((error: unknown) => {
      // In a namespace that is ending there are no new Events.
      if (!(error instanceof ApiError && (error.code === 403 || error.code === 404))) throw error;
    });
  }

  // ---- where it is ---------------------------------------------------------------------------------------------------------

  async #network(id: string, pod: Named): Promise<void> {
    const { translator, mirror } = this.#options;
    const status: object[] = [];
    for (const object of translator.objectsOf(id)) {
      if (object.kind !== 'virtual-machine-interface') continue;
      const stored = mirror.objects.get(object.kind, object.name);
      const address = mirror.objects.usersOfKind('instance-ip', object.kind, object.name)[0]?.spec.address;
      if (!stored || !address) return;
      const { network, interface: device, 'default-route': preferred } = object.annotations;
      status.push({
        name: network === 'default' ? 'cluster-wide-default' : network, interface: device, ips: [address], mac: stored.spec.mac,
        ...(preferred === 'true' || network === 'default' && !translator.objectsOf(id).some(({ annotations }) => annotations['default-route']) ? { default: true } : {}),
      });
    }
    const floating = translator.objectsOf(`podaddress ${splitKey(id)[1]}`)[0];
    const floatingAddress = floating && mirror.objects.get('floating-ip', floating.name)?.spec.address;
    const wanted: Record<string, string | null> = {
      ...(status.length > 0 ? { [ANNOTATIONS.networkStatus]: JSON.stringify(status) } : {}),
      ...(floatingAddress || pod.annotations[ANNOTATIONS.floatingAddress] ? { [ANNOTATIONS.floatingAddress]: floatingAddress ?? null } : {}),
    };
    const differing = Object.entries(wanted).filter(([key, value]) => (pod.annotations[key] ?? null) !== value);
    const written = `${pod.uid} ${JSON.stringify(differing)}`;
    if (differing.length === 0 || this.#written.get(`${id} network`) === written) return;
    this.counts.writes++;
    await this.#options.client.patch(pathOf(RESOURCES.pod, pod.namespace, pod.name), { metadata: { annotations: Object.fromEntries(differing) } }, 'application/merge-patch+json');
    this.#written.set(`${id} network`, written);
  }

  async #ingress(id: string, service: Service): Promise<void> {
    if (service.loadBalancerClass !== '' && !service.loadBalancerClass.startsWith('wrouter.io/')) return;
    const { translator, mirror } = this.#options;
    const addresses = service.type !== 'LoadBalancer' ? [] : translator.objectsOf(id)
      .flatMap((object) => (object.name.endsWith('-externalIP') ? mirror.objects.get('floating-ip', object.name)?.spec.address ?? [] : [])).sort();
    const written = `${service.uid} ${addresses.join()}`;
    if (addresses.join() === [...service.ingress].sort().join()) {
      this.#written.delete(`${id} ingress`);
      return;
    }
    if (this.#written.get(`${id} ingress`) === written) return;
    this.counts.writes++;
    await this.#options.client.patch(`${pathOf(RESOURCES.service, service.namespace, service.name)}/status`, { status: { loadBalancer: { ingress: addresses.length > 0 ? addresses.map((ip) => ({ ip })) : null } } }, 'application/merge-patch+json');
    this.#written.set(`${id} ingress`, written);
  }
}

const messageOf = ({ field, message }: Problem): string => (field ? `${field}: ${message}` : message);
