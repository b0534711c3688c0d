/**
 * All objects in memory, with two indexes over them: who refers to whom, and who claims what must be unique (an address in a
 * network, a port of an appliance, …). Both follow every put and remove, so a question about them costs a lookup.
 */
import { idOf, type Kind, type Stored } from './kinds.ts';
import { MultiMap } from './multi-map.ts';
import { eachReference } from './references.ts';
import { claimsOf, type ClaimKey, type ClaimKind } from './relations.ts';

/** What the compile step reads; `Objects` is one, and so is a view that records what was read. */
export interface ObjectView {
  get<K extends Kind>(kind: K, name: string): Stored<K> | undefined;
  /** Ids of the objects that refer to this one. */
  users(kind: Kind, name: string): ReadonlySet<string>;
  /** Those of them that are of a kind. */
  usersOfKind<K extends Kind>(of: K, kind: Kind, name: string): Stored<K>[];
}

export class Objects implements ObjectView {
  readonly #byKind = new Map<Kind, Map<string, Stored>>();
  readonly #byUuid = new Map<string, Stored>();
  /** By kind and name, so that no index has strings of its own. */
  readonly #users = new Map<Kind, MultiMap<string, Stored>>();
  /** By kind, owner and value. */
  readonly #claims = new Map<ClaimKind, Map<string, MultiMap<string | number, Stored>>>();

  get<K extends Kind>(kind: K, name: string): Stored<K> | undefined {
    return this.#byKind.get(kind)?.get(name) as Stored<K> | undefined;
  }

  byUuid(uuid: string): Stored | undefined { return this.#byUuid.get(uuid); }

  /** Objects of a kind, in the order of their creation. */
  all<K extends Kind>(kind: K): Iterable<Stored<K>> {
    return (this.#byKind.get(kind)?.values() ?? []) as Iterable<Stored<K>>;
  }

  count(kind: Kind): number { return this.#byKind.get(kind)?.size ?? 0; }

  users(kind: Kind, name: string): ReadonlySet<string> {
    const ids = new Set<string>();
    for (const user of this.#users.get(kind)?.get(name) ?? []) ids.add(idOf(user.kind, user.name));
    return ids;
  }

  usersOfKind<K extends Kind>(of: K, kind: Kind, name: string): Stored<K>[] {
    const users: Stored[] = [];
    this.#users.get(kind)?.append(name, users);
    return users.filter((user) => user.kind === of) as Stored<K>[];
  }

  isUsed(kind: Kind, name: string): boolean { return this.#users.get(kind)?.has(name) ?? false; }

  /** Ids of the objects that claim this; more than one is a conflict. */
  claimants({ kind, owner, value }: ClaimKey): ReadonlySet<string> {
    const ids = new Set<string>();
    for (const object of this.#claims.get(kind)?.get(owner)?.get(value) ?? []) ids.add(idOf(object.kind, object.name));
    return ids;
  }

  isClaimed({ kind, owner, value }: ClaimKey): boolean { return this.#claims.get(kind)?.get(owner)?.has(value) ?? false; }

  put(object: Stored): void {
    this.remove(object.kind, object.name);
    let named = this.#byKind.get(object.kind);
    if (!named) this.#byKind.set(object.kind, named = new Map());
    named.set(object.name, object);
    this.#byUuid.set(object.uuid, object);
    eachReference(object, (to, name) => {
      let users = this.#users.get(to);
      if (!users) this.#users.set(to, users = new MultiMap());
      users.add(name, object);
    });
    for (const { kind, owner, value } of claimsOf(object)) {
      let owners = this.#claims.get(kind);
      if (!owners) this.#claims.set(kind, owners = new Map());
      let values = owners.get(owner);
      if (!values) owners.set(owner, values = new MultiMap());
      values.add(value, object);
    }
  }

  remove(kind: Kind, name: string): void {
    const object = this.#byKind.get(kind)?.get(name);
    if (!object) return;
    this.#byKind.get(kind)!.delete(name);
    this.#byUuid.delete(object.uuid);
    eachReference(object, (to, its) => { this.#users.get(to)!.delete(its, object); });
    for (const { kind: of, owner, value } of claimsOf(object)) {
      const owners = this.#claims.get(of)!;
      const values = owners.get(owner)!;
      if (values.delete(value, object) && values.size === 0) owners.delete(owner);
    }
  }
}
