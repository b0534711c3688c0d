/**
 * What is true, whatever anybody in the simulation believes: the durable commits in their order, and for each version what a
 * compile from scratch makes of it. It knows nothing of sessions, deltas or restarts.
 */
import { packAll, Packer } from '../../mgmt/controller/compile/pack.ts';
import { Compiler } from '../../mgmt/controller/compile/compiler.ts';
import { decodeObject } from '../../mgmt/controller/model/codec.ts';
import { idOf, type Stored } from '../../mgmt/controller/model/kinds.ts';
import { Objects } from '../../mgmt/controller/model/objects.ts';
import { claimsOf, claimText } from '../../mgmt/controller/model/relations.ts';
import type { Change } from '../../mgmt/controller/model/transaction.ts';
import { Numbering, type NumberRow, type Ranges, type SlotsRow } from '../../mgmt/controller/routing/numbering.ts';
import { Mirror } from '../../mgmt/controller/store/mirror.ts';
import type { StoreCommit, StoredRow } from '../../mgmt/controller/store/store.ts';
import { Tables } from '../integration/controller/simulated-appliance.ts';

/** What an appliance should be at a version. */
export interface Expected { readonly text: string; readonly lines: ReadonlySet<string>; readonly names: string }
/** All appliances of a version. */
type Compiled = ReadonlyMap<string, Expected>;

interface Snapshot { readonly objects: readonly StoredRow[]; readonly numbers: readonly NumberRow[]; readonly slots: readonly SlotsRow[]; compiled: Compiled | undefined }

/** An invariant does not hold. */
export class Violation extends Error {}

export class Truth {
  readonly commits: StoreCommit[] = [];
  readonly #ranges: Ranges;
  readonly #mirror = new Mirror();
  readonly #snapshots: Snapshot[] = [{ objects: [], numbers: [], slots: [], compiled: new Map() }];
  readonly #decoded = new WeakMap<StoredRow, Stored>();

  constructor(ranges: Ranges) { this.#ranges = ranges; }

  get version(): number { return this.commits.length; }

  /** A commit has become durable. */
  add(commit: StoreCommit): void {
    if (commit.version !== this.version + 1) throw new Violation(`version ${commit.version} became durable after version ${this.version}`);
    this.commits.push(commit);
    this.#mirror.apply(commit);
    const { objects, numbers, slots } = this.#mirror;
    this.#snapshots.push({ objects: [...objects.values()], numbers: [...numbers.values()], slots: [...slots.values()], compiled: undefined });
  }

  /** An object as it was at a version. */
  objectAt(version: number, id: string): StoredRow | undefined {
    return this.#snapshots[version]?.objects.find(({ kind, name }) => idOf(kind, name) === id);
  }

  /** The last version that changed an appliance. */
  versionOf(appliance: string): number { return this.#mirror.appliances.get(appliance)?.version ?? 0; }

  /** Appliances as they should be at a version. */
  at(version: number): Compiled {
    const snapshot = this.#snapshots[version];
    if (!snapshot) throw new Violation(`nobody has committed version ${version}; ${this.version} is the newest`);
    return snapshot.compiled ??= this.#compile(version, snapshot);
  }

  #compile(version: number, { objects: rows, numbers, slots }: Snapshot): Compiled {
    const objects = new Objects();
    for (const row of rows) {
      let object = this.#decoded.get(row);
      if (!object) this.#decoded.set(row, object = decodeObject(row.bytes));
      objects.put(object);
    }
    for (const row of rows) {
      for (const claim of claimsOf(this.#decoded.get(row)!)) {
        if (objects.claimants(claim).size > 1) throw new Violation(`version ${version}: ${claimText(claim)} belongs to ${[...objects.claimants(claim)].join(' and ')}`);
      }
    }
    const numbering = new Numbering(this.#ranges);
    numbering.restore(numbers, slots);
    const compiler = new Compiler(objects, numbering);
    const all: Change[] = (['virtual-router', 'virtual-network', 'virtual-machine-interface', 'route-table'] as const)
      .flatMap((kind) => [...objects.all(kind)].map((object) => ({ kind, name: object.name, before: undefined, after: object })));
    compiler.apply(all, version);
    const journal = numbering.takeJournal();
    if (journal.numbers.length + journal.slots.length > 0) {
      throw new Violation(`version ${version}: the store lacks numbers that its state needs, or holds some that nothing needs: ${JSON.stringify(journal)}`);
    }
    return new Map([...compiler.appliances].map(([name, appliance]) => {
      const tables = new Tables();
      const names = new Map<string, string>();
      for (const packer = new Packer(), walk = packAll(appliance, packer); ;) {
        const done = walk.next().done;
        const packed = packer.take();
        for (const batch of packed.batches) {
          if (tables.applyBatch(batch).some((code) => code !== 0)) throw new Violation(`version ${version}: the state of ${name} has records that refer to nothing`);
        }
        for (const { of, id, name: text, port } of packed.names) if (text !== '') names.set(`${of} ${id}`, `${text} ${port}`);
        if (done) break;
      }
      const text = tables.text();
      return [name, { text, lines: new Set(linesOf(tables)), names: [...names].map(([key, value]) => `${key} = ${value}`).sort().join('\n') }];
    }));
  }
}

/** A line for each thing that may be there or not: slots of a group one by one. */
export function linesOf(tables: Tables): string[] {
  const lines = tables.all.flatMap(([table, map]) => [...map].map(([key, value]) => `${table} ${String(key)} = ${String(value)}`));
  for (const [id, slots] of tables.slots) slots.forEach((member, slot) => { if (member !== 0) lines.push(`e ${id}/${slot} = ${member}`); });
  return lines;
}

/** The lines in which two texts differ. */
export function difference(is: string, should: string): string {
  const [one, other] = [new Set(is.split('\n')), new Set(should.split('\n'))];
  const [more, less] = [[...one].filter((line) => !other.has(line)), [...other].filter((line) => !one.has(line))];
  return [...more.map((line) => `  has    ${line}`), ...less.map((line) => `  lacks  ${line}`)].slice(0, 20).join('\n');
}
