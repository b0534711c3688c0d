/**
 * From objects to the state of every appliance.
 *
 *   objects ──► units (an interface, an appliance, a network, a route table), each evaluated alone to a Contribution
 *           ──► elements of one appliance (interfaces, labels, floating IPs)     paths, which bear route targets ──► routers (BGP)
 *           ──► VRFs, where units need them                              ◄──────  imported by target             ◄── routers' paths
 *           ──► routes: per VRF and prefix the best of what it imports
 *
 * Work grows with what a change touches: only units that read a changed object are evaluated, and only routes whose paths changed
 * are decided anew. The outcome is a function of the objects, of what routers told, and of the numbers that were given out, never of
 * the order of edits: a property test compares it with a compile from scratch.
 */
import { RTF_ANNOUNCE } from '../../../wasm-core/records.ts';
import type { Kind } from '../model/kinds.ts';
import type { ObjectView } from '../model/objects.ts';
import type { Change } from '../model/transaction.ts';
import type { Numbering } from '../routing/numbering.ts';
import { Appliance } from './appliance.ts';
import { Dependencies, type Reader } from './dependencies.ts';
import { evaluateInterface } from './evaluate/interface.ts';
import { evaluateNetwork } from './evaluate/network.ts';
import { evaluateRouteTable } from './evaluate/route-table.ts';
import { evaluateVirtualRouter, FABRIC_VRF } from './evaluate/virtual-router.ts';
import { Exports } from './exports.ts';
import { MAX_KEYS, type KeySet } from './keys.ts';
import { inOrder } from './path.ts';
import { candidates, PathTable, type PathsByPrefix } from './paths.ts';
import { instanceTarget, NOTHING, vrfTarget, type Bulk, type Contribution, type ExportChanges, type ExportedPath, type Nexthop, type Path, type VrfSettings } from './types.ts';
import { indexOf, NO_BULKS, nexthopOf, routeValue, type ImportedBulk, type VrfInstance } from './vrf.ts';

type Evaluate = (name: string, view: ObjectView, numbering: Numbering) => Contribution;

/** What the object that it is named after, and what that needs, adds to the state. */
interface Unit extends Reader { readonly kind: Kind; readonly name: string; contribution: Contribution }

const UNITS: { readonly [K in Kind]?: Evaluate } = {
  'virtual-router': evaluateVirtualRouter,
  'virtual-network': evaluateNetwork,
  'virtual-machine-interface': evaluateInterface,
  'route-table': evaluateRouteTable,
};

const NO_SETTINGS: Omit<VrfSettings, 'name'> = { imports: [], flags: 0, kind: 0, mss: 0 };
/** Most members of an ECMP group that the core takes. */
const MAX_MEMBERS = 256;

/** What a transaction did to an appliance. `gone`: it is no more. */
export interface Outcome { readonly appliance: Appliance; readonly touched: KeySet; readonly gone: boolean }

export class Compiler {
  readonly appliances = new Map<string, Appliance>();
  readonly #objects: ObjectView;
  readonly #numbering: Numbering;
  readonly #dependencies = new Dependencies<Unit>();
  readonly #units = new Map<Kind, Map<string, Unit>>();
  readonly #paths = new PathTable();
  readonly #settings = new Map<string, VrfSettings>();
  /** Instances of each VRF, for changes of its settings. */
  readonly #instances = new Map<string, Set<VrfInstance>>();
  /** Prefixes to decide anew; 'all' of a VRF. */
  readonly #dirty = new Map<VrfInstance, Set<number> | 'all'>();
  /** Appliances that the transaction under way may touch. */
  readonly #concerned = new Set<string>();
  /** Paths that routers told, by id. */
  readonly #imported = new Map<string, Path>();
  readonly #exports: Exports;

  /** @param objects the live objects: read whenever a unit is evaluated. */
  constructor(objects: ObjectView, numbering: Numbering) {
    this.#objects = objects;
    this.#numbering = numbering;
    this.#exports = new Exports(numbering);
  }

  /** Paths that routers told: they belong to no unit, and a compile from scratch must be given them with its objects. */
  get imported(): Iterable<Path> { return this.#imported.values(); }

  /** Route targets that any VRF imports. The same set as long as it has the same members. */
  get wantedTargets(): ReadonlySet<string> { return this.#paths.wanted; }

  /** Every path that routers hear of. */
  get exported(): readonly ExportedPath[] { return this.#exports.all; }

  /** What changes of them is noted from here on. */
  noteExports(): void { this.#exports.note(); }

  /** What changed of them since the last call, or since `noteExports`; before that, everything. */
  takeExports(): ExportChanges { return this.#exports.take(); }

  /**
   * Works changes in that the objects already show.
   *
   * @param version of the transaction, for the appliances that it touches.
   * @param told paths that routers told. A compile from scratch is given them here, with the objects: ECMP groups remember who was in
   * them, and without these paths others would have been.
   * @throws {Exhausted} when an appliance has no number left; the state is then unusable: compile from scratch.
   */
  apply(changes: Iterable<Change>, version: number, told: Iterable<Path> = []): Outcome[] {
    this.#numbering.version = version;
    const units = new Set<Unit>();
    for (const change of changes) {
      if (UNITS[change.kind]) units.add(this.#unit(change.kind, change.name));
      this.#dependencies.collectAffected(change, units);
    }
    const replaced: { before: Contribution; after: Contribution }[] = [];
    for (const unit of units) {
      const before = unit.contribution;
      const after = keepSame(before, this.#evaluate(unit));
      if (after === NOTHING && before !== NOTHING && unit.kind === 'virtual-network') this.#numbering.release('', 'route-target', unit.name);
      unit.contribution = after;
      replaced.push({ before, after });
      for (const { appliance } of [before, after]) if (appliance) this.#concerned.add(appliance);
    }

    // Appliances and VRFs first, so that everything else finds its place; what goes, goes last.
    for (const { before, after } of replaced) if (after.underlay) this.#enterAppliance(after, before);
    for (const { before, after } of replaced) this.#changeSettings(before.settings, after.settings);
    for (const { after } of replaced) for (const vrf of after.vrfs) this.#enterVrf(after.appliance, vrf);
    for (const { before, after } of replaced) this.#changePaths(before, after);
    for (const { before, after } of replaced) this.#changeElements(before, after);
    this.#import(told);
    this.#decide();
    this.#exports.number();
    for (const { before } of replaced) for (const vrf of before.vrfs) this.#leaveVrf(before.appliance, vrf);

    const outcomes: Outcome[] = [];
    for (const { before, after } of replaced) {
      if (before.underlay && after.appliance !== before.appliance) outcomes.push(this.#removeAppliance(before.appliance));
    }
    outcomes.push(...this.#settle(version));
    return outcomes;
  }

  /**
   * Works in what routers told: paths that went and that came. They lead out of every appliance by a tunnel of its own.
   *
   * @param version, @throws as `apply`.
   */
  changeImported(gone: Iterable<Path>, come: Iterable<Path>, version: number): Outcome[] {
    this.#numbering.version = version;
    for (const { id } of gone) {
      const path = this.#imported.get(id);
      if (!path) continue;
      this.#imported.delete(id);
      this.#removePath(path);
    }
    this.#import(come);
    this.#decide();
    return this.#settle(version);
  }

  #import(paths: Iterable<Path>): void {
    for (const path of paths) {
      if (this.#imported.has(path.id)) continue;
      this.#imported.set(path.id, path);
      this.#addPath(path);
    }
  }

  /** Appliances that were touched, at their new version. */
  #settle(version: number): Outcome[] {
    const outcomes: Outcome[] = [];
    for (const name of this.#concerned) {
      const appliance = this.appliances.get(name);
      if (!appliance) continue;
      appliance.sweep();
      if (appliance.touched.empty) continue;
      appliance.version = version;
      outcomes.push({ appliance, touched: appliance.takeTouched(), gone: false });
    }
    this.#concerned.clear();
    return outcomes;
  }

  // ---- units -----------------------------------------------------------------------------------------------------------------

  #unit(kind: Kind, name: string): Unit {
    let named = this.#units.get(kind);
    if (!named) this.#units.set(kind, named = new Map());
    let unit = named.get(name);
    if (!unit) named.set(name, unit = { kind, name, contribution: NOTHING, reads: [] });
    return unit;
  }

  #evaluate(unit: Unit): Contribution {
    const { kind, name } = unit;
    const evaluate = UNITS[kind]!;
    const contribution = this.#dependencies.record(unit, this.#objects, (view) => evaluate(name, view, this.#numbering));
    if (contribution === NOTHING && !this.#objects.get(kind, name)) {
      this.#dependencies.forget(unit);
      this.#units.get(kind)!.delete(name);
    }
    return contribution;
  }

  #enterAppliance(after: Contribution, before: Contribution): void {
    const known = this.appliances.get(after.appliance);
    if (!known) {
      this.appliances.set(after.appliance, new Appliance(after.appliance, after.underlay!, this.#numbering));
      return;
    }
    if (JSON.stringify(before.underlay) === JSON.stringify(after.underlay)) return;
    known.underlay = after.underlay!;
    // Every tunnel of it looks different now.
    for (const instance of known.instances.values()) this.#dirty.set(instance, 'all');
  }

  #removeAppliance(name: string): Outcome {
    const appliance = this.appliances.get(name)!;
    this.appliances.delete(name);
    this.#numbering.releaseAll(name);
    return { appliance, touched: appliance.touched, gone: true };
  }

  // ---- VRFs ------------------------------------------------------------------------------------------------------------------

  #changeSettings(before: readonly VrfSettings[], after: readonly VrfSettings[]): void {
    for (const settings of after) {
      const known = this.#settings.get(settings.name);
      if (known && JSON.stringify(known) === JSON.stringify(settings)) continue;
      this.#settings.set(settings.name, settings);
      for (const instance of this.#instances.get(settings.name) ?? []) this.#set(instance.appliance, settings);
    }
    for (const { name } of before) if (!after.some((settings) => settings.name === name)) this.#settings.delete(name);
  }

  /** Gives an appliance's VRF its settings; a change of imports makes all its routes be decided anew. */
  #set(appliance: Appliance, settings: VrfSettings): VrfInstance {
    const instance = appliance.putVrf(settings, settings.name === FABRIC_VRF);
    const imports = [...settings.imports, vrfTarget(settings.name), instanceTarget(appliance.name, settings.name)];
    if (imports.join('\n') === instance.imports.join('\n')) return instance;
    this.#paths.leave(instance, instance.imports);
    instance.imports = imports;
    this.#paths.join(instance, imports);
    this.#dirty.set(instance, 'all');
    return instance;
  }

  #enterVrf(applianceName: string, vrf: string): void {
    const appliance = this.appliances.get(applianceName);
    if (!appliance) throw new Error(`no appliance ${applianceName} for VRF ${vrf}`);
    let instance = appliance.instances.get(vrf);
    if (!instance) {
      instance = this.#set(appliance, this.#settings.get(vrf) ?? { ...NO_SETTINGS, name: vrf });
      const all = this.#instances.get(vrf);
      if (all) all.add(instance);
      else this.#instances.set(vrf, new Set([instance]));
    }
    instance.users++;
  }

  #leaveVrf(applianceName: string, vrf: string): void {
    const appliance = this.appliances.get(applianceName)!;
    const instance = appliance.instances.get(vrf)!;
    if (--instance.users > 0) return;
    this.#paths.leave(instance, instance.imports);
    for (const prefix of instance.routes.keys()) {
      appliance.release(nexthopOf(instance.routes.get(prefix)!));
      appliance.touched.addRoute(instance.id, prefix);
    }
    instance.routes.clear();
    for (const { bulk, nexthops } of instance.bulks.values()) this.#dropBulk(instance, bulk, nexthops);
    instance.bulks = NO_BULKS;
    this.#dirty.delete(instance);
    const all = this.#instances.get(vrf)!;
    all.delete(instance);
    if (all.size === 0) this.#instances.delete(vrf);
    appliance.removeVrf(instance);
  }

  // ---- elements --------------------------------------------------------------------------------------------------------------

  #changeElements(before: Contribution, after: Contribution): void {
    const [from, to] = [this.appliances.get(before.appliance), this.appliances.get(after.appliance)];
    const same = from === to;
    const unchanged = <T>(list: readonly T[], element: T): boolean => same && list.some((other) => JSON.stringify(other) === JSON.stringify(element));
    if (to) {
      for (const element of after.interfaces) if (!unchanged(before.interfaces, element)) to.putInterface(element);
      // A label's next hop may look different without the label's element being another: the underlay changed, or an interface.
      for (const element of after.labels) to.putLabel(element);
      for (const element of after.floating) if (!unchanged(before.floating, element)) to.putFloating(element);
    }
    if (!from) return;
    const kept = new Set(same ? after.floating.map((element) => to!.floatingKey(element)) : []);
    for (const element of before.floating) {
      const key = from.floatingKey(element);
      if (!kept.has(key)) from.removeFloating(key);
    }
    for (const element of before.labels) if (!same || !after.labels.some((other) => other.label === element.label)) from.removeLabel(element);
    for (const element of before.interfaces) if (!same || !after.interfaces.some((other) => other.key === element.key)) from.removeInterface(element.key);
  }

  // ---- paths and routes ------------------------------------------------------------------------------------------------------

  #changePaths(before: Contribution, after: Contribution): void {
    // Sets are worth their while only where there was something before, which a compile from scratch has not.
    const were = before.paths.length > 0 ? new Set(before.paths) : NO_PATHS;
    const are = before.paths.length > 0 ? new Set(after.paths) : NO_PATHS;
    for (const path of were) {
      if (are.has(path)) continue;
      this.#removePath(path);
      this.#exports.remove(path);
    }
    for (const path of after.paths) {
      if (were.has(path)) continue;
      this.#addPath(path);
      this.#exports.add(path);
    }
    if (before.bulk !== after.bulk) this.#changeBulk(before.bulk, after.bulk);
  }

  #addPath(path: Path): void {
    this.#paths.addPath(path);
    this.#mark(path);
  }

  #removePath(path: Path): void {
    this.#mark(path);
    this.#paths.removePath(path);
  }

  #mark(path: Path): void {
    for (const instance of this.#paths.importers(path.targets)) this.#markPrefix(instance, path.prefix);
  }

  #markPrefix(instance: VrfInstance, prefix: number): void {
    const dirty = this.#dirty.get(instance);
    if (dirty === 'all') return;
    if (dirty) dirty.add(prefix);
    else this.#dirty.set(instance, new Set([prefix]));
  }

  /** Appliance by appliance: the tables of one are in the processor's caches, those of a fleet are not. */
  #decide(): void {
    const byAppliance = new Map<Appliance, VrfInstance[]>();
    for (const instance of this.#dirty.keys()) {
      const instances = byAppliance.get(instance.appliance);
      if (instances) instances.push(instance);
      else byAppliance.set(instance.appliance, [instance]);
    }
    for (const [{ name }, instances] of byAppliance) {
      this.#concerned.add(name);
      for (const instance of instances) this.#decideRoutes(instance, this.#dirty.get(instance)!);
    }
    this.#dirty.clear();
  }

  #decideRoutes(instance: VrfInstance, prefixes: ReadonlySet<number> | 'all'): void {
    const tables = this.#paths.of(instance.imports);
    if (prefixes === 'all') this.#refreshBulks(instance);
    if (prefixes === 'all' && instance.routes.size === 0 && instance.bulks.size < 2) this.#decideFirst(instance, tables);
    else for (const prefix of prefixes === 'all' ? this.#single(instance, tables) : prefixes) this.#decideRoute(instance, prefix, candidates(tables, prefix));
  }

  /** All routes of a VRF that has none: table by table, without a list of their prefixes. */
  #decideFirst(instance: VrfInstance, tables: readonly PathsByPrefix[]): void {
    tables.forEach((table, at) => {
      for (const prefix of table.keys()) {
        if (!tables.some((other, its) => its < at && other.has(prefix))) this.#decideRoute(instance, prefix, candidates(tables, prefix));
      }
    });
  }

  /** VRFs that are known, with the targets of what each takes, on any appliance. */
  get vrfs(): Map<string, readonly string[]> {
    const found = new Map([...this.#settings.values()].map(({ name, imports }): [string, string[]] => [name, [...imports, vrfTarget(name)]]));
    for (const [name, instances] of this.#instances) for (const { appliance } of instances) found.get(name)?.push(instanceTarget(appliance.name, name));
    return found;
  }

  /** Prefixes that there are single paths to under these targets, in their order. */
  prefixesOf(targets: readonly string[]): number[] { return [...new Set(this.#paths.of(targets).flatMap((table) => [...table.keys()]))].sort((one, other) => one - other); }

  /** Every single path to a prefix under these targets, the best first. */
  pathsTo(targets: readonly string[], prefix: number): Path[] {
    return inOrder(candidates(this.#paths.of(targets), prefix)).sort((one, other) => one.preference - other.preference);
  }

  /** Paths that a VRF would use for a prefix: the best ones of what it imports. */
  bestPaths(instance: VrfInstance, prefix: number): readonly Path[] { return this.#bestOf(instance, prefix, candidates(this.#paths.of(instance.imports), prefix)); }

  #bestOf(instance: VrfInstance, prefix: number, single: readonly Path[]): readonly Path[] {
    if (instance.bulks.size === 0) return this.#best(instance, single);
    const found = [...single];
    for (const { bulk } of instance.bulks.values()) {
      const at = indexOf(bulk.prefixes, prefix);
      if (at >= 0) found.push(...bulk.hops[bulk.index[at]!]!);
    }
    return this.#best(instance, found);
  }

  #best(instance: VrfInstance, paths: readonly Path[]): readonly Path[] {
    if (paths.length === 1) return this.#usable(instance, paths[0]!) ? paths : [];
    const usable = paths.filter((path) => this.#usable(instance, path));
    const preference = usable.reduce((best, path) => Math.min(best, path.preference), Infinity);
    const best = usable.filter((path) => path.preference === preference);
    return best.length > 1 ? inOrder(best) : best;
  }

  /** A gateway neither sends to itself what it advertises, nor to another gateway: two of them would play ball with it. */
  #usable({ appliance }: VrfInstance, path: Path): boolean {
    if (path.appliance === '' || path.appliance === appliance.name) return path.nexthop.kind !== 'vrf';
    return path.label !== 0 && (path.nexthop.kind !== 'vrf' || !appliance.underlay.isGateway);
  }

  /** What a path is on an appliance: its own next hop at home, a tunnel elsewhere. */
  nexthopOn(appliance: Appliance, path: Path): Nexthop {
    if (path.appliance === '' || path.appliance === appliance.name) return path.nexthop;
    const { nexthop, tunnelAddress: remote, label } = path;
    return { kind: 'tunnel', remote, label, external: isExternal(nexthop) };
  }

  /** The same, acquired. */
  #acquireOne(appliance: Appliance, path: Path): number {
    const { nexthop } = path;
    if (path.appliance === '' || path.appliance === appliance.name) return appliance.acquire(nexthop);
    return appliance.acquireTunnel(path.tunnelAddress, path.label, isExternal(nexthop));
  }

  /** Acquires the next hop of paths that share the traffic. */
  #acquire(appliance: Appliance, paths: readonly Path[], groupKey: () => string): number {
    if (paths.length === 1) return this.#acquireOne(appliance, paths[0]!);
    const members = new Map<string, Nexthop>();
    for (const path of paths) {
      const nexthop = this.nexthopOn(appliance, path);
      if (members.size < MAX_MEMBERS) members.set(appliance.nexthopKey(nexthop), nexthop);
    }
    const [first] = members.values();
    if (!first) return 0;
    return members.size === 1 ? appliance.acquire(first) : appliance.acquireGroup(groupKey(), [...members.values()]);
  }

  /** @param single paths to the prefix that do not come from a route table. */
  #decideRoute(instance: VrfInstance, prefix: number, single: readonly Path[]): void {
    const { appliance } = instance;
    const own = instance.routes.get(prefix);
    const before = own ?? instance.bulkRoute(prefix);
    if (single.length === 0 && [...instance.bulks.values()].filter(({ bulk }) => indexOf(bulk.prefixes, prefix) >= 0).length < 2) {
      // A route table alone decides: its packed form is enough.
      if (own !== undefined) {
        instance.routes.delete(prefix);
        appliance.release(nexthopOf(own));
      }
    } else {
      const paths = this.#bestOf(instance, prefix, single);
      const nexthop = this.#acquire(appliance, paths, () => `${instance.id} ${prefix}`);
      const announce = appliance.underlay.isGateway && paths.some((path) => path.floating && path.appliance !== appliance.name);
      if (nexthop !== 0) instance.routes.set(prefix, routeValue(nexthop, announce ? RTF_ANNOUNCE : 0));
      else instance.routes.delete(prefix);
      if (own !== undefined) appliance.release(nexthopOf(own));
    }
    if (instance.route(prefix) !== before) appliance.touched.addRoute(instance.id, prefix);
  }

  // ---- route tables ----------------------------------------------------------------------------------------------------------

  #changeBulk(before: Bulk | undefined, after: Bulk | undefined): void {
    const concerned = new Set<VrfInstance>([...before ? this.#paths.importers(before.targets) : [], ...after ? this.#paths.importers(after.targets) : []]);
    if (before) {
      this.#paths.removeBulk(before);
      this.#exports.removeBulk(before);
    }
    if (after) {
      this.#paths.addBulk(after);
      this.#exports.addBulk(after);
    }
    for (const instance of concerned) {
      this.#refreshBulks(instance);
      for (const prefix of this.#single(instance, this.#paths.of(instance.imports))) this.#markPrefix(instance, prefix);
    }
  }

  /** Brings the route tables of a VRF up to date. */
  #refreshBulks(instance: VrfInstance): void {
    const { appliance } = instance;
    const wanted = this.#paths.bulks(instance.imports);
    if (wanted.size === 0 && instance.bulks.size === 0) return;
    const before = new Map(instance.bulks);
    const bulks = new Map<string, ImportedBulk>();
    const released: number[] = [];
    for (const [name, bulk] of wanted) {
      const nexthops = bulk.hops.map((hop, at) => this.#acquire(appliance, this.#best(instance, hop), () => `${name} ${instance.id} ${at}`));
      bulks.set(name, { bulk, nexthops });
      const known = before.get(name);
      this.#touchDifference(instance, known?.bulk, known?.nexthops ?? [], bulk, nexthops);
      if (known) released.push(...known.nexthops);
      before.delete(name);
    }
    for (const { bulk, nexthops } of before.values()) {
      this.#touchDifference(instance, bulk, nexthops, undefined, []);
      released.push(...nexthops);
    }
    instance.bulks = bulks.size > 0 ? bulks : NO_BULKS;
    for (const id of released) if (id !== 0) appliance.release(id);
    this.#concerned.add(appliance.name);
  }

  /** Prefixes that are decided one by one: those with paths of their own, and those of several route tables. */
  #single(instance: VrfInstance, paths: readonly PathsByPrefix[]): Set<number> {
    const found = new Set(instance.routes.keys());
    for (const table of paths) for (const prefix of table.keys()) found.add(prefix);
    if (instance.bulks.size < 2) return found;
    const tables = [...instance.bulks.values()].map(({ bulk }) => bulk.prefixes).sort((one, other) => one.length - other.length);
    tables.forEach((few, at) => {
      for (const many of tables.slice(at + 1)) for (const prefix of few) if (indexOf(many, prefix) >= 0) found.add(prefix);
    });
    return found;
  }

  /** Notes which prefixes lead elsewhere than before; more than a set of keys holds floods it. */
  #touchDifference(instance: VrfInstance, before: Bulk | undefined, from: readonly number[], after: Bulk | undefined, to: readonly number[]): void {
    const { touched } = instance.appliance;
    const same = before && after && before.prefixes === after.prefixes && before.index === after.index && from.every((id, at) => id === to[at]) && from.length === to.length;
    if (same || touched.flooded) return;
    const [none, noIndex] = [new Float64Array(0), new Uint8Array(0)];
    const [old, young] = [before?.prefixes ?? none, after?.prefixes ?? none];
    const [oldIndex, youngIndex] = [before?.index ?? noIndex, after?.index ?? noIndex];
    if (Math.abs(old.length - young.length) > MAX_KEYS) return touched.flood();
    let [at, next] = [0, 0];
    while ((at < old.length || next < young.length) && !touched.flooded) {
      const [oldKey, youngKey] = [at < old.length ? old[at]! : Infinity, next < young.length ? young[next]! : Infinity];
      const prefix = Math.min(oldKey, youngKey);
      const was = oldKey === prefix ? from[oldIndex[at]!]! : 0;
      const is = youngKey === prefix ? to[youngIndex[next]!]! : 0;
      if (was !== is) touched.addRoute(instance.id, prefix);
      if (oldKey === prefix) at++;
      if (youngKey === prefix) next++;
    }
  }

  #dropBulk(instance: VrfInstance, bulk: Bulk, nexthops: readonly number[]): void {
    this.#touchDifference(instance, bulk, nexthops, undefined, []);
    for (const id of nexthops) if (id !== 0) instance.appliance.release(id);
  }
}

/** Whether a tunnel to what does this leads out of the house. */
const isExternal = (nexthop: Nexthop): boolean => nexthop.kind === 'vrf' || nexthop.kind === 'tunnel' && nexthop.external;

const NO_PATHS: ReadonlySet<Path> = new Set();

/** What an evaluation gave again stays the same object, and no path comes twice: path tables hold paths and route tables by identity. */
function keepSame(before: Contribution, after: Contribution): Contribution {
  if (before.paths.length === 0 && areDistinct(after.paths) && !before.bulk) return after;
  const known = new Map(before.paths.map((path) => [path.id, path]));
  const paths = [...new Map(after.paths.map((path) => [path.id, path]))].map(([id, path]) => known.get(id) ?? path);
  if (!after.bulk) return { ...after, paths };
  return { ...after, paths, bulk: before.bulk && sameBulk(before.bulk, after.bulk) ? before.bulk : after.bulk };
}

/** Whether no two paths are to the same prefix. Most units have two or three. */
function areDistinct(paths: readonly Path[]): boolean {
  if (paths.length > 8) return new Set(paths.map(({ prefix }) => prefix)).size === paths.length;
  return paths.every(({ prefix }, at) => !paths.some((other, its) => its < at && other.prefix === prefix));
}

function sameBulk(one: Bulk, other: Bulk): boolean {
  const shape = ({ targets, hops, advertised }: Bulk): string => JSON.stringify([targets, advertised, hops.map((hop) => hop.map((path) => path.id))]);
  return one.prefixes === other.prefixes && one.index === other.index && shape(one) === shape(other);
}
