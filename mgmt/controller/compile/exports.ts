/** Paths that routers hear of, and what changed of them: a path that goes and comes back within a transaction did not change. */
import type { Numbering } from '../routing/numbering.ts';
import type { Bulk, ExportChanges, ExportedPath, Path } from './types.ts';

export class Exports {
  readonly #numbering: Numbering;
  /** With the number of each one's VRF. */
  readonly #paths = new Map<Path, number>();
  /** Route tables that are advertised, with a path for each prefix and next hop. */
  readonly #bulks = new Map<Bulk, readonly ExportedPath[]>();
  /** Their VRFs may have no number yet. */
  readonly #added = new Set<Path>();
  readonly #addedBulks = new Set<Bulk>();
  #gone = new Map<string, ExportedPath>();
  #come = new Map<string, ExportedPath>();
  /** Until somebody asks what changed, nothing is noted: everything is new. */
  #noting = false;

  constructor(numbering: Numbering) {
    this.#numbering = numbering;
  }

  get all(): ExportedPath[] { return [...Array.from(this.#paths, ([path, vrf]) => exportedOf(path, vrf)), ...[...this.#bulks.values()].flat()]; }

  add(path: Path): void {
    if (path.vrf !== '' && path.label !== 0) this.#added.add(path);
  }

  remove(path: Path): void {
    const vrf = this.#paths.get(path);
    if (vrf === undefined) return;
    this.#paths.delete(path);
    if (this.#noting) this.#note(exportedOf(path, vrf), this.#come, this.#gone);
  }

  addBulk(bulk: Bulk): void {
    if (bulk.advertised) this.#addedBulks.add(bulk);
  }

  removeBulk(bulk: Bulk): void {
    if (this.#noting) for (const path of this.#bulks.get(bulk) ?? []) this.#note(path, this.#come, this.#gone);
    this.#bulks.delete(bulk);
  }

  /** Looks the numbers of added paths' VRFs up; to be called while all VRFs of the transaction are there. */
  number(): void {
    for (const path of this.#added) {
      const vrf = this.#numbering.find(path.appliance, 'vrf', path.vrf);
      if (vrf === undefined) throw new Error(`${path.appliance} has no VRF ${path.vrf}, which ${path.source} is exported from`);
      this.#paths.set(path, vrf);
      if (this.#noting) this.#note(exportedOf(path, vrf), this.#gone, this.#come);
    }
    this.#added.clear();
    for (const bulk of this.#addedBulks) {
      const paths = this.#routesOf(bulk);
      this.#bulks.set(bulk, paths);
      if (this.#noting) for (const path of paths) this.#note(path, this.#gone, this.#come);
    }
    this.#addedBulks.clear();
  }

  #routesOf({ name, targets, prefixes, index, hops }: Bulk): ExportedPath[] {
    // What leads nowhere by a tunnel is nothing to a router.
    const reachable = hops.map((hop) => hop.flatMap((path) => {
      const vrf = path.label === 0 ? undefined : this.#numbering.find(path.appliance, 'vrf', path.vrf);
      return vrf === undefined ? [] : [{ ...exportedOf(path, vrf), targets }];
    }));
    return Array.from(prefixes, (prefix, at) => reachable[index[at]!]!.map((path) => ({ ...path, prefix, id: `${name} ${prefix} ${targets.join()} ${path.id}` }))).flat();
  }

  /** From here on changes are noted. */
  note(): void { this.#noting = true; }

  /** What changed since the last call, or since `note`; before that, everything. */
  take(): ExportChanges {
    if (!this.#noting) {
      this.#noting = true;
      return { gone: [], come: this.all };
    }
    const changes = { gone: [...this.#gone.values()], come: [...this.#come.values()] };
    this.#gone = new Map();
    this.#come = new Map();
    return changes;
  }

  /** The same path the other way round undoes it. */
  #note(path: ExportedPath, opposite: Map<string, ExportedPath>, own: Map<string, ExportedPath>): void {
    if (opposite.get(path.id)?.vrf === path.vrf) opposite.delete(path.id);
    else own.set(path.id, path);
  }
}

const exportedOf = ({ id, prefix, targets, preference, tunnelAddress, label }: Path, vrf: number): ExportedPath => ({ id, prefix, targets, preference, tunnelAddress, label, vrf });
