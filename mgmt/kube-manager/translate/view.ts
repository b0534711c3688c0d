/** What a translation may look at. Whatever it asks is remembered: it is made again when an answer changes. */
import type { ClusterSettings } from '../config/settings.ts';
import type { KubeCache } from '../kubernetes/cache.ts';
import type { Backends, KubeKind, KubeObjects, Namespace } from '../kubernetes/objects.ts';
import type { Names } from './names.ts';

export interface NetworkFact { readonly shared: boolean; readonly projects: readonly string[] }
export interface PoolFact { readonly projects: readonly string[] }

/** What is asked of the controller's objects, whoever made them. */
export interface Facts {
  /** Whether there is an appliance of this name, and whether it takes workloads. */
  appliance(name: string): 'compute' | 'gateway' | undefined;
  network(name: string): NetworkFact | undefined;
  pool(name: string): PoolFact | undefined;
}

export interface View extends Facts {
  readonly settings: ClusterSettings;
  readonly names: Names;
  get<K extends KubeKind>(kind: K, key: string): KubeObjects[K] | undefined;
  namespaces(): readonly Namespace[];
  backends(service: string): readonly Backends[];
}

/** Stands for every namespace. */
export const ALL_NAMESPACES = 'namespace *';

/** A view whose questions are told to `asked`, as keys: "pod default/web-1", "pool default-domain:…", "namespace *". */
export function trackedView(settings: ClusterSettings, names: Names, cache: KubeCache, facts: Facts, asked: (key: string) => void): View {
  return {
    settings, names,
    get(kind, key) {
      asked(`${kind} ${key}`);
      return cache.get(kind, key);
    },
    namespaces() {
      asked(ALL_NAMESPACES);
      return [...cache.all('namespace')].sort((one, other) => (one.name < other.name ? -1 : 1));
    },
    backends(service) {
      asked(`backends ${service}`);
      return cache.backends(service);
    },
    appliance(name) {
      asked(`appliance ${name}`);
      return facts.appliance(name);
    },
    network(name) {
      asked(`network ${name}`);
      return facts.network(name);
    },
    pool(name) {
      asked(`pool ${name}`);
      return facts.pool(name);
    },
  };
}
