/** kube-manager's inner part over a controller in the same memory: the real model judges transactions, the watch tells them at once. */
import { EventEmitter } from 'node:events';
import type { ClientReadableStream } from '@grpc/grpc-js';
import pino from 'pino';
import { refusalStatus } from '../../../mgmt/controller/api/errors.ts';
import { idOf, KINDS, toWire, type Kind, type Stored } from '../../../mgmt/controller/model/kinds.ts';
import { Objects } from '../../../mgmt/controller/model/objects.ts';
import { Refusal } from '../../../mgmt/controller/model/refusal.ts';
import { stage } from '../../../mgmt/controller/model/transaction.ts';
import type { ClusterSettings } from '../../../mgmt/kube-manager/config/settings.ts';
import { KubeCache } from '../../../mgmt/kube-manager/kubernetes/cache.ts';
import { Mirror } from '../../../mgmt/kube-manager/reconcile/mirror.ts';
import { Reconciler } from '../../../mgmt/kube-manager/reconcile/reconciler.ts';
import { questionOf } from '../../../mgmt/kube-manager/translate/facts.ts';
import { Translator } from '../../../mgmt/kube-manager/translate/translator.ts';
import { Config, type CommitRequest, type ConfigMethods, type Event } from '../../../proto/config.ts';
import { definitionOf, type Client, type Draft } from '../../../proto/load.ts';

export const SETTINGS: ClusterSettings = { domain: 'default-domain', clusterName: 'k8s', podSubnets: ['10.32.0.0/12'], serviceSubnets: ['10.96.0.0/12'], fabricSubnets: ['10.64.0.0/12'], publicPool: undefined };

const { requestSerialize, requestDeserialize } = definitionOf(Config)['commit']!;

export class World {
  readonly controller = new Objects();
  readonly cache: KubeCache;
  readonly mirror: Mirror;
  readonly translator: Translator;
  readonly reconciler: Reconciler;
  readonly settings: ClusterSettings;
  #version = 0;
  readonly #watchers = new Set<(event: Event) => void>();

  constructor(settings: ClusterSettings = SETTINGS) {
    this.settings = settings;
    const log = pino({ level: 'silent' });
    this.cache = new KubeCache((key) => {
      this.translator.touch(key);
      this.reconciler.schedule();
    });
    this.mirror = new Mirror(this.#client(), log, (id) => {
      const question = questionOf(id);
      if (question !== undefined) this.translator.touch(question);
      this.reconciler.objectChanged(id);
    });
    this.translator = new Translator(settings, this.cache, this.mirror);
    this.reconciler = new Reconciler({ config: this.#client(), translator: this.translator, mirror: this.mirror, cluster: settings.clusterName, log, mayWrite: () => true, onUnits: () => {}, onCommitted: () => {} });
  }

  async start(): Promise<void> {
    void this.mirror.run();
    await this.mirror.synced;
    this.reconciler.sweep();
    await this.settled();
  }

  /** Until nothing is left to do at once. */
  async settled(): Promise<void> {
    for (let quiet = 0; quiet < 3;) {
      await new Promise((resolve) => { setImmediate(resolve); });
      quiet = this.reconciler.depth === 0 ? quiet + 1 : 0;
    }
  }

  /** An operator's transaction. */
  commit(request: Draft<CommitRequest>): { version: number; objects: readonly Stored[] } {
    const { operations } = requestDeserialize(requestSerialize(request)) as CommitRequest;
    const staged = stage(this.controller, operations, this.#version + 1);
    if (staged.changes.length > 0) this.#version++;
    for (const { after, before } of staged.changes) {
      const event: Event = { version: this.#version, object: toWire(after ?? before!), deleted: after === undefined };
      for (const tell of this.#watchers) tell(event);
    }
    return { version: this.#version, objects: staged.objects };
  }

  /** Everything of ours as text, without what the controller gives: to compare with what should be. */
  ours(): Map<string, string> {
    const found = new Map<string, string>();
    for (const kind of Object.keys(KINDS) as Kind[]) {
      for (const object of this.controller.all(kind)) if (object.annotations?.['owner'] === 'k8s') found.set(idOf(kind, object.name), textOf(object.spec, object.annotations));
    }
    return found;
  }

  /** The same of a translation that knows nothing of the past. @param isHeld whether an object is held up: floating IPs do without it. */
  fromScratch(isHeld: (id: string) => boolean): Map<string, string> {
    const translator = new Translator(this.settings, this.cache, this.mirror);
    for (const kind of ['namespace', 'pod', 'service', 'nad', 'virtualnetwork', 'floatingippool', 'floatingip', 'bgprouter'] as const) for (const key of this.cache.keys(kind)) translator.touch(`${kind} ${key}`);
    // Networks and pools of ours are asked for before it is known that they should be: again, until nothing is new.
    for (let before = -1; ;) {
      translator.run();
      const ids = [...translator.ids()];
      if (ids.length === before) break;
      before = ids.length;
    }
    return new Map([...translator.ids()].map((id) => {
      const { object } = translator.desired(id)!;
      const spec = object.kind !== 'floating-ip' ? object.spec
        : { ...object.spec, virtualMachineInterfaces: object.spec.virtualMachineInterfaces.filter((name) => !isHeld(idOf('virtual-machine-interface', name)) || this.controller.get('virtual-machine-interface', name)) };
      return [id, textOf(spec, object.annotations)];
    }));
  }

  close(): Promise<void> {
    this.mirror.close();
    return this.reconciler.close();
  }

  #client(): Client<ConfigMethods> {
    const client = {
      commit: async (request: Draft<CommitRequest>) => {
        await Promise.resolve();
        try {
          const { version, objects } = this.commit(request);
          return { version, objects: objects.map(toWire) };
        } catch (error) {
          throw error instanceof Refusal ? refusalStatus(error) : error;
        }
      },
      list: async ({ kind }: { kind: Kind }) => {
        await Promise.resolve();
        return { objects: [...this.controller.all(kind)].map(toWire), nextPageToken: '', version: this.#version };
      },
      watch: () => {
        const events: Event[] = [];
        let wake = (): void => {};
        let ended = false;
        const tell = (event: Event): void => {
          events.push(event);
          wake();
        };
        this.#watchers.add(tell);
        const stream = Object.assign(new EventEmitter(), {
          cancel: () => {
            ended = true;
            this.#watchers.delete(tell);
            wake();
          },
          async *[Symbol.asyncIterator](): AsyncGenerator<Event> {
            while (!ended) {
              while (events.length > 0) yield events.shift()!;
              await new Promise<void>((resolve) => { wake = resolve; });
            }
          },
        });
        return stream as unknown as ClientReadableStream<Event>;
      },
    };
    return client as unknown as Client<ConfigMethods>;
  }
}

const GIVEN = new Set(['address', 'networkIpam', 'mac']);
const textOf = (spec: object, annotations: object): string => JSON.stringify([
  Object.entries(spec).filter(([key]) => !GIVEN.has(key)).sort(), Object.entries(annotations).filter(([key]) => key !== 'applied').sort(),
]);
