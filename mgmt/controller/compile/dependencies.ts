/**
 * Which units must be evaluated anew when an object changes: those that read it, or that asked who refers to something that it
 * referred to or refers to now. What a unit reads is recorded while it is evaluated, so nothing has to be declared.
 */
import { idOf, type Kind, type Stored } from '../model/kinds.ts';
import { MultiMap } from '../model/multi-map.ts';
import type { ObjectView } from '../model/objects.ts';
import { referencesOf } from '../model/references.ts';
import type { Change } from '../model/transaction.ts';

/** "users of" an object is a dependency of its own: it changes when references do, not when the object does. */
const usersOf = (kind: Kind, name: string): string => `users of ${idOf(kind, name)}`;

export class Dependencies {
  readonly #readers = new MultiMap<string, string>();
  readonly #reads = new Map<string, readonly string[]>();

  /** Evaluates a unit; what it reads from the view is recorded in the place of what it read before. */
  record<T>(unit: string, view: ObjectView, evaluate: (view: ObjectView) => T): T {
    const reads = new Set<string>();
    const result = evaluate({
      get<K extends Kind>(kind: K, name: string): Stored<K> | undefined {
        if (name !== '') reads.add(idOf(kind, name));
        return view.get(kind, name);
      },
      users(kind, name) {
        reads.add(usersOf(kind, name));
        return view.users(kind, name);
      },
    });
    this.#replace(unit, reads);
    return result;
  }

  forget(unit: string): void { this.#replace(unit, new Set()); }

  /** Units that a change may concern. */
  affected({ kind, name, before, after }: Change): Set<string> {
    const units = new Set<string>(this.#readers.get(idOf(kind, name)));
    const references = [...before ? referencesOf(before) : [], ...after ? referencesOf(after) : []];
    for (const reference of references) this.#readers.collect(usersOf(reference.kind, reference.name), units);
    return units;
  }

  #replace(unit: string, reads: Set<string>): void {
    for (const key of this.#reads.get(unit) ?? []) if (!reads.has(key)) this.#readers.delete(key, unit);
    for (const key of reads) this.#readers.add(key, unit);
    if (reads.size > 0) this.#reads.set(unit, [...reads]);
    else this.#reads.delete(unit);
  }
}
