/** The Kubernetes objects that are known, by kind and key; who listens is told which changed. */
import { isDeepStrictEqual } from 'node:util';
import { KUBE_KINDS, keyOf, type Backends, type KubeKind, type KubeObjects } from './objects.ts';

/** "pod default/web-1": what changed. The backends of a service are one thing, whatever slices they come in: "backends default/web". */
export type Touched = (key: string) => void;

export class KubeCache {
  readonly #kinds = Object.fromEntries(KUBE_KINDS.map((kind) => [kind, new Map()])) as { [K in KubeKind]: Map<string, KubeObjects[K]> };
  readonly #backends = new Map<string, Map<string, Backends>>();
  readonly #touched: Touched;

  constructor(touched: Touched) {
    this.#touched = touched;
  }

  get<K extends KubeKind>(kind: K, key: string): KubeObjects[K] | undefined { return this.#kinds[kind].get(key); }
  all<K extends KubeKind>(kind: K): Iterable<KubeObjects[K]> { return this.#kinds[kind].values(); }
  keys(kind: KubeKind): Iterable<string> { return this.#kinds[kind].keys(); }
  count(kind: KubeKind): number { return this.#kinds[kind].size; }

  /** Slices of a service in the order of their names. */
  backends(service: string): readonly Backends[] {
    return [...this.#backends.get(service)?.values() ?? []].sort((one, other) => (one.name < other.name ? -1 : 1));
  }

  /** @returns whether anything that is read of it changed. */
  put<K extends KubeKind>(kind: K, object: KubeObjects[K]): boolean {
    const key = keyOf(object);
    const before = this.#kinds[kind].get(key);
    if (before && isDeepStrictEqual(before, object)) return false;
    this.#kinds[kind].set(key, object);
    this.#tell(kind, key, before, object);
    return true;
  }

  remove(kind: KubeKind, key: string): void {
    const before = this.#kinds[kind].get(key);
    if (!before) return;
    this.#kinds[kind].delete(key);
    this.#tell(kind, key, before, undefined);
  }

  #tell(kind: KubeKind, key: string, before: KubeObjects[KubeKind] | undefined, after: KubeObjects[KubeKind] | undefined): void {
    if (kind !== 'backends') return this.#touched(`${kind} ${key}`);
    for (const [slice, put] of [[before, false], [after, true]] as const) {
      if (!slice) continue;
      const service = `${slice.namespace}/${(slice as Backends).service}`;
      let slices = this.#backends.get(service);
      if (put) {
        if (!slices) this.#backends.set(service, slices = new Map());
        slices.set(key, slice as Backends);
      } else {
        slices?.delete(key);
        if (slices?.size === 0) this.#backends.delete(service);
      }
      this.#touched(`backends ${service}`);
    }
  }
}
