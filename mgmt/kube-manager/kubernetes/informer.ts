/**
 * Follows one kind: a list in pages, then a watch with bookmarks from the list's version, taken up again where it broke. When that
 * version is too old (410) the list is read anew as mark and sweep: what is unchanged is not touched, only what is not there any more goes.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from 'pino';
import { ApiError, type KubeClient, type Raw } from './client.ts';
import type { KubeCache } from './cache.ts';
import { keyOf, READERS, type KubeKind, type KubeObjects } from './objects.ts';
import type { Resource } from './resources.ts';

const PAGE = 500;
/** The server ends a watch after this in good order, and it goes on from where it was: a kind that never changes has no bookmarks. */
const WATCH_SECONDS = 60;
/** Longer silence is a dead connection. */
const IDLE_MS = 90_000;
const [FIRST_PAUSE_MS, LAST_PAUSE_MS] = [100, 10_000];
/** A kind that this server does not have is looked for again: its definition may come. */
const ABSENT_PAUSE_MS = 5_000;

interface WatchEvent { readonly type: string; readonly object: Raw }
const metadataOf = (object: Raw): { resourceVersion?: string; namespace?: string; name?: string } => (object['metadata'] ?? {}) as ReturnType<typeof metadataOf>;

export class Informer<K extends KubeKind> {
  readonly kind: K;
  readonly #resource: Resource;
  readonly #client: KubeClient;
  readonly #cache: KubeCache;
  readonly #log: Logger;
  readonly #abort = new AbortController();
  readonly #synced = Promise.withResolvers<void>();
  #version = '';
  relists = 0;
  inContact = false;

  constructor(kind: K, resource: Resource, client: KubeClient, cache: KubeCache, log: Logger) {
    this.kind = kind;
    this.#resource = resource;
    this.#client = client;
    this.#cache = cache;
    this.#log = log.child({ kind });
  }

  /** Resolves when the kind has been listed once, or the server has no such kind. */
  get synced(): Promise<void> { return this.#synced.promise; }

  close(): void { this.#abort.abort(); }

  async run(): Promise<void> {
    for (let pause = FIRST_PAUSE_MS; !this.#abort.signal.aborted;) {
      try {
        if (this.#version === '') await this.#list();
        this.#synced.resolve();
        this.inContact = true;
        await this.#watch();
        pause = FIRST_PAUSE_MS;
        continue;
      } catch (error) {
        if (this.#abort.signal.aborted) return;
        this.inContact = false;
        if (error instanceof ApiError && error.code === 404) {
          await this.#absent().catch(() => {});
          pause = ABSENT_PAUSE_MS;
        } else if (error instanceof ApiError && error.code === 410) {
          this.#version = '';
          this.#log.info('the watch is too old; listing anew');
        } else {
          this.#log.warn({ error: (error as Error).message }, 'no contact with the API server');
        }
      }
      await sleep(pause * (0.5 + Math.random() / 2), undefined, { signal: this.#abort.signal }).catch(() => {});
      pause = Math.min(pause * 2, LAST_PAUSE_MS);
    }
  }

  get #path(): string { return `${this.#resource.root}/${this.#resource.plural}`; }

  async #list(): Promise<void> {
    const seen = new Set<string>();
    for (let next = ''; ;) {
      const page = await this.#client.get(`${this.#path}?limit=${PAGE}${next && `&continue=${encodeURIComponent(next)}`}`);
      for (const item of (page['items'] ?? []) as Raw[]) seen.add(this.#put(item));
      const { continue: following = '', resourceVersion = '' } = page['metadata'] as { continue?: string; resourceVersion?: string };
      next = following;
      // All pages are of one version.
      this.#version = resourceVersion;
      if (next === '') break;
      this.#version = '';
    }
    for (const key of [...this.#cache.keys(this.kind)]) if (!seen.has(key)) this.#cache.remove(this.kind, key);
    this.relists++;
  }

  async #watch(): Promise<void> {
    const query = `watch=1&allowWatchBookmarks=true&timeoutSeconds=${WATCH_SECONDS}&resourceVersion=${encodeURIComponent(this.#version)}`;
    for await (const line of this.#client.lines(`${this.#path}?${query}`, this.#abort.signal, IDLE_MS)) {
      if (line === '') continue;
      const { type, object } = JSON.parse(line) as WatchEvent;
      if (type === 'ERROR') throw new ApiError(Number(object['code'] ?? 0), String(object['reason'] ?? ''), String(object['message'] ?? 'the watch failed'));
      if (type === 'DELETED') {
        const { namespace = '', name = '' } = metadataOf(object);
        this.#cache.remove(this.kind, keyOf({ namespace, name }));
      } else if (type !== 'BOOKMARK') {
        this.#put(object);
      }
      this.#version = metadataOf(object).resourceVersion ?? this.#version;
    }
  }

  #put(raw: Raw): string {
    const object = READERS[this.#resource.reader](raw) as KubeObjects[K];
    this.#cache.put(this.kind, object);
    return keyOf(object);
  }

  /**
   * Its definition is not there (any more): then there are none of it. An API server that has just started does not know definitions
   * yet, and says the same: so the definition itself is asked for before anything goes.
   */
  async #absent(): Promise<void> {
    this.#version = '';
    if (this.#cache.count(this.kind) > 0) {
      const { root, plural } = this.#resource;
      const definition = `/apis/apiextensions.k8s.io/v1/customresourcedefinitions/${plural}.${root.split('/')[2]}`;
      const gone = await this.#client.get(definition).then(() => false, (error: unknown) => error instanceof ApiError && error.code === 404);
      if (!gone) return;
    }
    for (const key of [...this.#cache.keys(this.kind)]) this.#cache.remove(this.kind, key);
    this.#synced.resolve();
  }
}
