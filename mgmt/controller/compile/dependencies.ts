/**
 * Which units must be evaluated anew when an object changes: those that read it, or that asked who refers to something that it
 * referred to or refers to now. What a unit reads is recorded while it is evaluated, so nothing has to be declared.
 */
import type { Kind, Stored } from '../model/kinds.ts';
import type { ObjectView } from '../model/objects.ts';
import { referencesOf } from '../model/references.ts';
import type { Change } from '../model/transaction.ts';

/** Who reads. */
export interface Reader { reads: readonly Source[] }

/** What is read: an object, or its users (which change when references do, not when the object does). */
class Source {
  readonly #name: string;
  readonly #siblings: Map<string, Source>;
  /** Most sources have one reader. */
  #readers: Reader | Set<Reader> | undefined;

  constructor(name: string, siblings: Map<string, Source>) {
    this.#name = name;
    this.#siblings = siblings;
    siblings.set(name, this);
  }

  add(reader: Reader): void {
    const known = this.#readers;
    if (known === undefined) this.#readers = reader;
    else if (known instanceof Set) known.add(reader);
    else if (known !== reader) this.#readers = new Set([known, reader]);
  }

  /** Goes with its last reader. */
  delete(reader: Reader): void {
    const known = this.#readers;
    if (known instanceof Set) known.delete(reader);
    if (known === reader || known instanceof Set && known.size === 0) this.#siblings.delete(this.#name);
  }

  collect(into: Set<Reader>): void {
    const known = this.#readers;
    if (known instanceof Set) for (const reader of known) into.add(reader);
    else if (known) into.add(known);
  }
}

/** Sources by kind and name. */
class Sources {
  readonly #byKind = new Map<Kind, Map<string, Source>>();

  find(kind: Kind, name: string): Source | undefined { return this.#byKind.get(kind)?.get(name); }

  take(kind: Kind, name: string): Source {
    let named = this.#byKind.get(kind);
    if (!named) this.#byKind.set(kind, named = new Map());
    return named.get(name) ?? new Source(name, named);
  }
}

export class Dependencies<Unit extends Reader> {
  readonly #objects = new Sources();
  readonly #users = new Sources();

  /** Evaluates a unit; what it reads from the view is recorded in the place of what it read before. */
  record<T>(unit: Unit, view: ObjectView, evaluate: (view: ObjectView) => T): T {
    const [objects, users] = [this.#objects, this.#users];
    const reads = new Set<Source>();
    const result = evaluate({
      get<K extends Kind>(kind: K, name: string): Stored<K> | undefined {
        if (name !== '') reads.add(objects.take(kind, name));
        return view.get(kind, name);
      },
      users(kind, name) {
        reads.add(users.take(kind, name));
        return view.users(kind, name);
      },
      usersOfKind(of, kind, name) {
        reads.add(users.take(kind, name));
        const found = view.usersOfKind(of, kind, name);
        for (const user of found) reads.add(objects.take(user.kind, user.name));
        return found;
      },
    });
    this.#replace(unit, reads);
    return result;
  }

  forget(unit: Unit): void { this.#replace(unit, new Set()); }

  /** Adds the units that a change may concern. */
  collectAffected({ kind, name, before, after }: Change, into: Set<Unit>): void {
    const readers: Set<Reader> = into; // only units are ever recorded
    this.#objects.find(kind, name)?.collect(readers);
    for (const object of [before, after]) {
      if (object) for (const reference of referencesOf(object)) this.#users.find(reference.kind, reference.name)?.collect(readers);
    }
  }

  #replace(unit: Unit, reads: ReadonlySet<Source>): void {
    for (const source of reads) source.add(unit);
    for (const source of unit.reads) if (!reads.has(source)) source.delete(unit);
    unit.reads = [...reads];
  }
}
