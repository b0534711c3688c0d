/** All paths and route tables by the targets that they bear, and the VRFs that import each: what a route reflector has. */
import { MultiMap } from '../model/multi-map.ts';
import type { Bulk, Path } from './types.ts';
import type { VrfInstance } from './vrf.ts';

export type PathsByPrefix = MultiMap<number, Path>;

/** Paths to a prefix, each once although it may bear several targets. */
export function candidates(tables: readonly PathsByPrefix[], prefix: number): Path[] {
  let found: Path[] = [];
  for (const table of tables) {
    const before = found.length;
    table.append(prefix, found);
    if (before > 0 && found.length > before) found = [...new Set(found)];
  }
  return found;
}

export class PathTable {
  /** By target, then by prefix. */
  readonly #paths = new Map<string, PathsByPrefix>();
  readonly #bulks = new MultiMap<string, Bulk>();
  readonly #importers = new MultiMap<string, VrfInstance>();
  /** Real route targets that a VRF somewhere imports: what routers shall send. Another set after every change. */
  #wanted: ReadonlySet<string> | undefined;

  addPath(path: Path): void {
    for (const name of path.targets) {
      let paths = this.#paths.get(name);
      if (!paths) this.#paths.set(name, paths = new MultiMap());
      paths.add(path.prefix, path);
    }
  }

  removePath(path: Path): void {
    for (const name of path.targets) {
      const paths = this.#paths.get(name);
      if (paths?.delete(path.prefix, path) && paths.size === 0) this.#paths.delete(name);
    }
  }

  addBulk(bulk: Bulk): void { for (const name of bulk.targets) this.#bulks.add(name, bulk); }
  removeBulk(bulk: Bulk): void { for (const name of bulk.targets) this.#bulks.delete(name, bulk); }

  get wanted(): ReadonlySet<string> {
    return this.#wanted ??= new Set([...this.#importers.keys()].filter((name) => name.startsWith('target:')));
  }

  join(instance: VrfInstance, targets: readonly string[]): void {
    for (const name of targets) {
      if (!this.#importers.has(name)) this.#wanted = undefined;
      this.#importers.add(name, instance);
    }
  }

  leave(instance: VrfInstance, targets: readonly string[]): void {
    for (const name of targets) if (this.#importers.delete(name, instance)) this.#wanted = undefined;
  }

  /** VRFs that import any of these. */
  importers(targets: readonly string[]): Iterable<VrfInstance> {
    if (targets.length === 1) return this.#importers.get(targets[0]!);
    const found = new Set<VrfInstance>();
    for (const name of targets) this.#importers.collect(name, found);
    return found;
  }

  /** Paths by prefix, for each of the targets that any path bears: good until paths come or go. */
  of(targets: readonly string[]): PathsByPrefix[] { return targets.flatMap((name) => this.#paths.get(name) ?? []); }

  /** Route tables by name. */
  bulks(targets: readonly string[]): Map<string, Bulk> {
    const found = new Set<Bulk>();
    for (const name of targets) this.#bulks.collect(name, found);
    return new Map([...found].map((bulk) => [bulk.name, bulk] as const).sort(([one], [other]) => (one < other ? -1 : 1)));
  }
}
