/** Paths that routers hear of, and what changed of them: a path that goes and comes back within a transaction did not change. */
import type { Numbering } from '../routing/numbering.ts';
import type { ExportChanges, ExportedPath, Path } from './types.ts';

export class Exports {
  readonly #numbering: Numbering;
  /** With the number of each one's VRF. */
  readonly #paths = new Map<Path, number>();
  /** Their VRFs may have no number yet. */
  readonly #added = new Set<Path>();
  #gone = new Map<string, ExportedPath>();
  #come = new Map<string, ExportedPath>();

  constructor(numbering: Numbering) {
    this.#numbering = numbering;
  }

  get all(): ExportedPath[] { return Array.from(this.#paths, ([path, vrf]) => exportedOf(path, vrf)); }

  add(path: Path): void {
    if (path.vrf !== '' && path.label !== 0) this.#added.add(path);
  }

  remove(path: Path): void {
    const vrf = this.#paths.get(path);
    if (vrf === undefined) return;
    this.#paths.delete(path);
    this.#note(exportedOf(path, vrf), this.#come, this.#gone);
  }

  /** Looks the numbers of added paths' VRFs up; to be called while all VRFs of the transaction are there. */
  number(): void {
    for (const path of this.#added) {
      const vrf = this.#numbering.find(path.appliance, 'vrf', path.vrf);
      if (vrf === undefined) throw new Error(`${path.appliance} has no VRF ${path.vrf}, which ${path.source} is exported from`);
      this.#paths.set(path, vrf);
      this.#note(exportedOf(path, vrf), this.#gone, this.#come);
    }
    this.#added.clear();
  }

  /** What changed since the last call. */
  take(): ExportChanges {
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
