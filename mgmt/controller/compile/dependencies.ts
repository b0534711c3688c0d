/**
 * Which units must be evaluated anew when an object changes: those that read it, or that asked who refers to something that it
 * referred to or refers to now. What a unit reads is recorded while it is evaluated, so nothing has to be declared.
 */
import type { Kind, Stored } from '../model/kinds.ts';
import type { ObjectView } from '../model/objects.ts';
import { MultiMap } from '../model/multi-map.ts';
import { eachReference } from '../model/references.ts';
import type { Change } from '../model/transaction.ts';

/** Readers of objects of one kind, or of their users, by the objects' names. Most have one reader. */
type Readers = MultiMap<string, Reader>;

/** Who reads; `reads` are names, each after the readers that it is among. A fleet has a million of these, so they are no objects of their own. */
export interface Reader { reads: (Readers | string)[] }

class ReadersByKind {
  readonly #byKind = new Map<Kind, Readers>();

  find(kind: Kind): Readers | undefined { return this.#byKind.get(kind); }

  add(kind: Kind, name: string, reader: Reader): void {
    let readers = this.#byKind.get(kind);
    if (!readers) this.#byKind.set(kind, readers = new MultiMap());
    if (readers.add(name, reader)) reader.reads.push(readers, name);
  }
}

export class Dependencies<Unit extends Reader> {
  readonly #objects = new ReadersByKind();
  /** Users change when references do, not when the object does. */
  readonly #users = new ReadersByKind();

  /** Evaluates a unit; what it reads from the view is recorded in the place of what it read before. */
  record<T>(unit: Unit, view: ObjectView, evaluate: (view: ObjectView) => T): T {
    const [objects, users] = [this.#objects, this.#users];
    this.forget(unit);
    return evaluate({
      get<K extends Kind>(kind: K, name: string): Stored<K> | undefined {
        if (name !== '') objects.add(kind, name, unit);
        return view.get(kind, name);
      },
      users(kind, name) {
        users.add(kind, name, unit);
        return view.users(kind, name);
      },
      usersOfKind(of, kind, name) {
        users.add(kind, name, unit);
        const found = view.usersOfKind(of, kind, name);
        for (const user of found) objects.add(user.kind, user.name, unit);
        return found;
      },
    });
  }

  forget(unit: Unit): void {
    const { reads } = unit;
    for (let at = 0; at < reads.length; at += 2) (reads[at] as Readers).delete(reads[at + 1] as string, unit);
    unit.reads = [];
  }

  /** Adds the units that a change may concern. */
  collectAffected({ kind, name, before, after }: Change, into: Set<Unit>): void {
    const readers: Set<Reader> = into; // only units are ever recorded
    this.#objects.find(kind)?.collect(name, readers);
    for (const object of [before, after]) {
      if (object) eachReference(object, (to, its) => this.#users.find(to)?.collect(its, readers));
    }
  }
}
