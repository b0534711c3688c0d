/**
 * From Kubernetes objects to the controller's, piece by piece. A unit is what one Kubernetes object makes ("pod default/web-1"): a pure
 * function of what it asks its view. It is made again when an answer changes, so the sum of all units is, at every time, what a
 * translation from scratch would give.
 */
import { MultiMap } from '../../controller/model/multi-map.ts';
import type { ClusterSettings } from '../config/settings.ts';
import type { KubeCache } from '../kubernetes/cache.ts';
import type { KubeKind } from '../kubernetes/objects.ts';
import { translateCluster } from './cluster.ts';
import { translateBgpRouter } from './bgp-router.ts';
import { desiredId, type Desired, type Output, type Problem } from './desired.ts';
import { questionOf, standing, type Known } from './facts.ts';
import { translateFloatingIp, translatePodAddress } from './floating-ip.ts';
import { Names } from './names.ts';
import { translateNamespace } from './namespace.ts';
import { translateAttachment, translateNetwork } from './network.ts';
import { translatePod } from './pod.ts';
import { translatePool } from './pool.ts';
import { translateService } from './service.ts';
import { ALL_NAMESPACES, trackedView, type Facts, type View } from './view.ts';

type Translate = (view: View, key: string) => Output;

/** The kinds of units: of two that make an object of the same name, the earlier one has it. */
const UNITS = {
  cluster: translateCluster,
  namespace: translateNamespace,
  nad: translateAttachment,
  virtualnetwork: translateNetwork,
  floatingippool: translatePool,
  bgprouter: translateBgpRouter,
  pod: translatePod,
  service: translateService,
  podaddress: translatePodAddress,
  floatingip: translateFloatingIp,
} as const satisfies Readonly<Record<string, Translate>>;
export type UnitKind = keyof typeof UNITS;
const RANK = new Map(Object.keys(UNITS).map((kind, at) => [kind, at]));

/** The units that a Kubernetes object makes. */
const UNITS_OF: { readonly [K in KubeKind]: readonly UnitKind[] } = {
  namespace: ['namespace'], pod: ['pod', 'podaddress'], service: ['service'], backends: [], nad: ['nad'], virtualnetwork: ['virtualnetwork'], floatingippool: ['floatingippool'], floatingip: ['floatingip'], bgprouter: ['bgprouter'],
};
export const CLUSTER = 'cluster ';

export const splitKey = (key: string): [string, string] => [key.slice(0, key.indexOf(' ')), key.slice(key.indexOf(' ') + 1)];

export class Translator {
  readonly names: Names;
  readonly #settings: ClusterSettings;
  readonly #cache: KubeCache;
  readonly #facts: Facts;
  readonly #outputs = new Map<string, Output>();
  /** What each unit asked, and who asked what. */
  readonly #asked = new Map<string, ReadonlySet<string>>();
  readonly #askers = new Map<string, Set<string>>();
  /** Objects by id, with the units that make them: usually one. */
  readonly #makers = new Map<string, Map<string, Desired>>();
  /** Floating IPs by the interfaces that they should lead to. */
  readonly #floatingIps = new MultiMap<string, string>();
  readonly #dirty = new Set<string>();

  constructor(settings: ClusterSettings, cache: KubeCache, known: Known) {
    this.#settings = settings;
    this.#cache = cache;
    this.#facts = standing(known, (id, { annotations }) => annotations?.['owner'] === 'k8s' && annotations['cluster'] === settings.clusterName && !this.#makers.has(id));
    this.names = new Names(settings);
    this.#dirty.add(CLUSTER);
  }

  /** Something is another than it was: "pod default/web-1", "network default-domain:…". */
  touch(key: string): void {
    const [kind, name] = splitKey(key);
    if (Object.hasOwn(UNITS_OF, kind)) for (const unit of UNITS_OF[kind as KubeKind]) this.#dirty.add(`${unit} ${name}`);
    for (const asker of this.#askers.get(key) ?? []) this.#dirty.add(asker);
    if (kind === 'namespace') for (const asker of this.#askers.get(ALL_NAMESPACES) ?? []) this.#dirty.add(asker);
  }

  get pending(): number { return this.#dirty.size; }

  /** Makes again what was touched. @returns the units that came out otherwise, and ids of objects that are, or may be, others than before. */
  run(): { units: ReadonlySet<string>; ids: ReadonlySet<string> } {
    const [units, ids] = [new Set<string>(), new Set<string>()];
    for (const unit of this.#dirty) {
      // Taken out first: what it changes may touch it again, or another one that has been made already.
      this.#dirty.delete(unit);
      const output = this.#make(unit);
      if (output === NOTHING) this.#forget(unit);
      const before = this.#outputs.get(unit);
      if (JSON.stringify(before ?? NOTHING) === JSON.stringify(output)) continue;
      units.add(unit);
      for (const object of before?.objects ?? []) {
        const id = desiredId(object);
        for (const name of interfacesOf(object)) this.#floatingIps.delete(name, id);
        this.#makers.get(id)?.delete(unit);
        if (this.#makers.get(id)?.size === 0) this.#makers.delete(id);
        ids.add(id);
        this.#ask(id);
      }
      for (const object of output.objects) {
        const id = desiredId(object);
        let makers = this.#makers.get(id);
        if (!makers) this.#makers.set(id, makers = new Map());
        makers.set(unit, object);
        for (const name of interfacesOf(object)) this.#floatingIps.add(name, id);
        ids.add(id);
        this.#ask(id);
      }
      if (output.objects.length === 0 && output.problems.length === 0) this.#outputs.delete(unit);
      else this.#outputs.set(unit, output);
    }
    return { units, ids };
  }

  /** The object of an id as it should be, and the unit that makes it. Undefined: there should be none. */
  desired(id: string): { readonly unit: string; readonly object: Desired } | undefined {
    const makers = this.#makers.get(id);
    if (!makers) return undefined;
    const [unit] = [...makers.keys()].sort(byRank);
    return { unit: unit!, object: makers.get(unit!)! };
  }

  /** Ids of the floating IPs that should lead to an interface. */
  floatingIpsOf(name: string): Iterable<string> { return this.#floatingIps.get(name); }

  /** Ids of all that should be. */
  ids(): Iterable<string> { return this.#makers.keys(); }

  objectsOf(unit: string): readonly Desired[] { return this.#outputs.get(unit)?.objects ?? []; }

  /** What is wrong with a unit's Kubernetes object, with names that another one has already. */
  problemsOf(unit: string): readonly Problem[] {
    const output = this.#outputs.get(unit);
    if (!output) return [];
    const taken = output.objects.flatMap((object): Problem[] => {
      const maker = this.desired(desiredId(object))!.unit;
      return maker === unit ? [] : [{ field: 'metadata.name', rule: 'NameTaken', message: `${object.kind} ${object.name} is made by ${maker.trim()} already; choose another name` }];
    });
    return [...output.problems, ...taken];
  }

  /** An object should be, or should not: who asked about it asks again. */
  #ask(id: string): void {
    const question = questionOf(id);
    if (question === undefined) return;
    for (const asker of this.#askers.get(question) ?? []) this.#dirty.add(asker);
  }

  #make(unit: string): Output {
    const [kind, key] = splitKey(unit);
    const asked = new Set<string>();
    const output = UNITS[kind as UnitKind](trackedView(this.#settings, this.names, this.#cache, this.#facts, (question) => asked.add(question)), key);
    this.#remember(unit, asked);
    return output.objects.length === 0 && output.problems.length === 0 && asked.size === 1 && unit !== CLUSTER ? NOTHING : output;
  }

  #remember(unit: string, asked: ReadonlySet<string>): void {
    const before = this.#asked.get(unit);
    for (const key of before ?? []) {
      if (asked.has(key)) continue;
      const askers = this.#askers.get(key)!;
      askers.delete(unit);
      if (askers.size === 0) this.#askers.delete(key);
    }
    for (const key of asked) {
      let askers = this.#askers.get(key);
      if (!askers) this.#askers.set(key, askers = new Set());
      askers.add(unit);
    }
    this.#asked.set(unit, asked);
  }

  /** A unit whose Kubernetes object is gone needs no memory: the object's coming touches it. */
  #forget(unit: string): void {
    this.#remember(unit, new Set());
    this.#asked.delete(unit);
  }
}

const interfacesOf = (object: Desired): readonly string[] => (object.kind === 'floating-ip' ? object.spec.virtualMachineInterfaces : []);

const NOTHING: Output = { objects: [], problems: [] };

/** Order of units: cluster, namespaces, networks, then the rest; by name within a kind. */
export function byRank(one: string, other: string): number {
  const [kind, otherKind] = [splitKey(one)[0], splitKey(other)[0]];
  return RANK.get(kind)! - RANK.get(otherKind)! || (one < other ? -1 : one > other ? 1 : 0);
}
