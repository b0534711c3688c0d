/** All paths and route tables by the targets that they bear, and the VRFs that import each: what a route reflector has. */
import type { Bulk, Path } from './types.ts';
import type { VrfInstance } from './vrf.ts';

interface Target {
  readonly paths: Map<number, Set<Path>>;
  readonly bulks: Set<Bulk>;
  readonly importers: Set<VrfInstance>;
}

export class PathTable {
  readonly #targets = new Map<string, Target>();
  /** Real route targets that a VRF somewhere imports: what routers shall send. Another set after every change. */
  #wanted: ReadonlySet<string> | undefined;

  addPath(path: Path): void {
    for (const name of path.targets) {
      const { paths } = this.#target(name);
      const same = paths.get(path.prefix);
      if (same) same.add(path);
      else paths.set(path.prefix, new Set([path]));
    }
  }

  removePath(path: Path): void {
    for (const name of path.targets) {
      const target = this.#target(name);
      const same = target.paths.get(path.prefix);
      if (same?.delete(path) && same.size === 0) target.paths.delete(path.prefix);
      this.#tidy(name, target);
    }
  }

  addBulk(bulk: Bulk): void { for (const name of bulk.targets) this.#target(name).bulks.add(bulk); }

  removeBulk(bulk: Bulk): void {
    for (const name of bulk.targets) {
      const target = this.#target(name);
      target.bulks.delete(bulk);
      this.#tidy(name, target);
    }
  }

  get wanted(): ReadonlySet<string> {
    return this.#wanted ??= new Set([...this.#targets].filter(([name, { importers }]) => name.startsWith('target:') && importers.size > 0).map(([name]) => name));
  }

  join(instance: VrfInstance, targets: readonly string[]): void {
    for (const name of targets) {
      const { importers } = this.#target(name);
      if (importers.size === 0) this.#wanted = undefined;
      importers.add(instance);
    }
  }

  leave(instance: VrfInstance, targets: readonly string[]): void {
    for (const name of targets) {
      const target = this.#target(name);
      if (target.importers.delete(instance) && target.importers.size === 0) this.#wanted = undefined;
      this.#tidy(name, target);
    }
  }

  /** VRFs that import any of these. */
  importers(targets: readonly string[]): Iterable<VrfInstance> {
    if (targets.length === 1) return this.#targets.get(targets[0]!)?.importers ?? [];
    return new Set(targets.flatMap((name) => [...this.#targets.get(name)?.importers ?? []]));
  }

  /** Paths to a prefix that a VRF may take. */
  candidates(targets: readonly string[], prefix: number): Set<Path> {
    const found = new Set<Path>();
    for (const name of targets) for (const path of this.#targets.get(name)?.paths.get(prefix) ?? []) found.add(path);
    return found;
  }

  /** Every prefix for which there is a path. */
  *prefixes(targets: readonly string[]): Iterable<number> {
    for (const name of targets) yield* this.#targets.get(name)?.paths.keys() ?? [];
  }

  /** Route tables by name. */
  bulks(targets: readonly string[]): Map<string, Bulk> {
    const found = new Map<string, Bulk>();
    for (const name of targets) for (const bulk of this.#targets.get(name)?.bulks ?? []) found.set(bulk.name, bulk);
    return new Map([...found].sort(([one], [other]) => (one < other ? -1 : 1)));
  }

  #target(name: string): Target {
    let target = this.#targets.get(name);
    if (!target) this.#targets.set(name, target = { paths: new Map(), bulks: new Set(), importers: new Set() });
    return target;
  }

  #tidy(name: string, { paths, bulks, importers }: Target): void {
    if (paths.size === 0 && bulks.size === 0 && importers.size === 0) this.#targets.delete(name);
  }
}
