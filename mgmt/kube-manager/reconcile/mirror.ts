/**
 * The controller's objects as far as they matter here, kept by its watch: ours, and those that ours refer to or that are asked about.
 * What our own transactions return is taken in at once, before the watch tells it.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { status, type ClientReadableStream } from '@grpc/grpc-js';
import type { Logger } from 'pino';
import type { ConfigMethods, Event, Object as ConfigObject } from '../../../proto/config.ts';
import type { Client } from '../../../proto/load.ts';
import { fromWire, idOf, splitId, virtualRouterName, type Kind, type Stored } from '../../controller/model/kinds.ts';
import { Objects } from '../../controller/model/objects.ts';
import type { NetworkFact, PoolFact } from '../translate/view.ts';

/** Kinds that are followed; not those of millions of routes. */
export const FOLLOWED = [
  'project', 'network-ipam', 'virtual-network', 'network-policy', 'floating-ip-pool', 'floating-ip', 'virtual-machine', 'virtual-machine-interface', 'instance-ip', 'virtual-router', 'bgp-router',
] as const satisfies readonly Kind[];
const IS_FOLLOWED = new Set<Kind>(FOLLOWED);
const PAUSE_MS = 500;
const PAGE = 2000;

export class Mirror {
  readonly objects = new Objects();
  readonly #config: Client<ConfigMethods>;
  readonly #log: Logger;
  readonly #changed: (id: string) => void;
  /** Versions at which objects went, until the watch has passed them: what it tells of them from before is old. */
  readonly #gone = new Map<string, number>();
  #stream: ClientReadableStream<Event> | undefined;
  #ended = false;
  #synced = Promise.withResolvers<void>();
  #inContact = false;

  /** @param changed is told every object that came, changed or went. */
  constructor(config: Client<ConfigMethods>, log: Logger, changed: (id: string) => void) {
    this.#config = config;
    this.#log = log;
    this.#changed = changed;
  }

  /** Resolves when everything has been listed once. */
  get synced(): Promise<void> { return this.#synced.promise; }
  get inContact(): boolean { return this.#inContact; }

  /** Follows the controller until `close`. */
  async run(): Promise<void> {
    while (!this.#ended) {
      try {
        const version = await this.#list();
        this.#synced.resolve();
        this.#inContact = true;
        await this.#watch(version);
      } catch (error) {
        if (this.#ended) return;
        const { code, message } = error as { code?: unknown; message: string };
        if (code !== status.OUT_OF_RANGE) this.#log.warn({ error: message }, 'no contact with the controller');
      }
      this.#inContact = false;
      if (!this.#ended) await sleep(PAUSE_MS);
    }
  }

  close(): void {
    this.#ended = true;
    this.#stream?.cancel();
  }

  get(id: string): Stored | undefined { return this.objects.get(...splitId(id)); }

  /** Takes in what a transaction of ours made. */
  apply(version: number, made: readonly ConfigObject[], deleted: readonly string[]): void {
    for (const object of made) this.#put(object);
    for (const id of deleted) this.remove(id, version);
  }

  remove(id: string, version: number): void {
    this.#gone.set(id, Math.max(version, this.#gone.get(id) ?? 0));
    if (!this.get(id)) return;
    this.objects.remove(...splitId(id));
    this.#changed(id);
  }

  // ---- what the translation asks -------------------------------------------------------------------------------------------

  appliance(name: string): 'compute' | 'gateway' | undefined {
    const router = this.objects.get('virtual-router', virtualRouterName(name));
    return router && (router.spec.kind === 'COMPUTE' ? 'compute' : 'gateway');
  }

  network(name: string): NetworkFact | undefined { return this.objects.get('virtual-network', name)?.spec; }
  pool(name: string): PoolFact | undefined { return this.objects.get('floating-ip-pool', name)?.spec; }

  // ---- following -----------------------------------------------------------------------------------------------------------

  /** Lists every kind; what is not there any more goes. @returns the version to watch from. */
  async #list(): Promise<number> {
    let from: number | undefined;
    for (const kind of FOLLOWED) {
      const seen = new Set<string>();
      let [pageToken, version] = ['', 0];
      do {
        const page = await this.#config.list({ kind, pageToken, pageSize: PAGE });
        version = page.version;
        // The oldest page's version: what happened during the listing is told by the watch, again or for the first time.
        from = Math.min(from ?? version, version);
        for (const object of page.objects) {
          this.#put(object);
          seen.add(object.name);
        }
        pageToken = page.nextPageToken;
      } while (pageToken !== '');
      for (const { name } of [...this.objects.all(kind)]) if (!seen.has(name)) this.remove(idOf(kind, name), version);
    }
    return from ?? 0;
  }

  async #watch(version: number): Promise<void> {
    const stream = this.#stream = this.#config.watch({ version });
    stream.on('error', () => {}); // told by the iteration
    for await (const event of stream as AsyncIterable<Event>) {
      const object = event.object && fromWire(event.object);
      if (!object || !IS_FOLLOWED.has(object.kind)) continue;
      const id = idOf(object.kind, object.name);
      if (!event.deleted) this.#put(event.object!);
      else if ((this.get(id)?.version ?? 0) <= event.version) this.remove(id, event.version);
      if ((this.#gone.get(id) ?? Infinity) <= event.version) this.#gone.delete(id);
    }
  }

  #put(message: ConfigObject): void {
    const object = fromWire(message);
    if (!object) return;
    const id = idOf(object.kind, object.name);
    const current = this.get(id);
    if (current ? current.version >= object.version : (this.#gone.get(id) ?? 0) >= object.version) return;
    this.#gone.delete(id);
    this.objects.put(object);
    this.#changed(id);
  }
}
