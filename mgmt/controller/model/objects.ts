/**
 * All objects in memory, with two indexes over them: who refers to whom, and who claims what must be unique (an address in a
 * network, a port of an appliance, …). Both follow every put and remove, so a question about them costs a lookup.
 */
import { idOf, type Kind, type Stored } from './kinds.ts';
import { MultiMap } from './multi-map.ts';
import { referencesOf } from './references.ts';
import { claimsOf } from './relations.ts';

/** What the compile step reads; `Objects` is one, and so is a view that records what was read. */
export interface ObjectView {
  get<K extends Kind>(kind: K, name: string): Stored<K> | undefined;
  /** Ids of the objects that refer to this one. */
  users(kind: Kind, name: string): ReadonlySet<string>;
}

export class Objects implements ObjectView {
  readonly #byKind = new Map<Kind, Map<string, Stored>>();
  readonly #byUuid = new Map<string, Stored>();
  readonly #users = new MultiMap<string, string>();
  readonly #claims = new MultiMap<string, string>();

  get<K extends Kind>(kind: K, name: string): Stored<K> | undefined {
    return this.#byKind.get(kind)?.get(name) as Stored<K> | undefined;
  }

  byUuid(uuid: string): Stored | undefined { return this.#byUuid.get(uuid); }

  /** Objects of a kind, in the order of their creation. */
  all<K extends Kind>(kind: K): Iterable<Stored<K>> {
    return (this.#byKind.get(kind)?.values() ?? []) as Iterable<Stored<K>>;
  }

  count(kind: Kind): number { return this.#byKind.get(kind)?.size ?? 0; }

  users(kind: Kind, name: string): ReadonlySet<string> { return this.#users.get(idOf(kind, name)); }

  /** Ids of the objects that claim this; more than one is a conflict. */
  claimants(claim: string): ReadonlySet<string> { return this.#claims.get(claim); }

  put(object: Stored): void {
    this.remove(object.kind, object.name);
    let named = this.#byKind.get(object.kind);
    if (!named) this.#byKind.set(object.kind, named = new Map());
    named.set(object.name, object);
    this.#byUuid.set(object.uuid, object);
    const id = idOf(object.kind, object.name);
    for (const reference of referencesOf(object)) this.#users.add(idOf(reference.kind, reference.name), id);
    for (const { claim } of claimsOf(object)) this.#claims.add(claim, id);
  }

  remove(kind: Kind, name: string): void {
    const object = this.#byKind.get(kind)?.get(name);
    if (!object) return;
    this.#byKind.get(kind)!.delete(name);
    this.#byUuid.delete(object.uuid);
    const id = idOf(kind, name);
    for (const reference of referencesOf(object)) this.#users.delete(idOf(reference.kind, reference.name), id);
    for (const { claim } of claimsOf(object)) this.#claims.delete(claim, id);
  }
}
