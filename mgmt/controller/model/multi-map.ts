/**
 * Keys with values, of which most keys have one: that one stands in the place of a set of its own, which would be ten times as large.
 * Indexes of a fleet have millions of such keys.
 */
export class MultiMap<Key, Value extends string | object> {
  readonly #values = new Map<Key, Value | Set<Value>>();

  keys(): Iterable<Key> { return this.#values.keys(); }
  has(key: Key): boolean { return this.#values.has(key); }
  get size(): number { return this.#values.size; }

  get(key: Key): ReadonlySet<Value> {
    const found = this.#values.get(key);
    return found instanceof Set ? found : new Set(found === undefined ? [] : [found]);
  }

  /** Adds the values of a key to a set. */
  collect(key: Key, into: Set<Value>): void {
    const found = this.#values.get(key);
    if (found instanceof Set) for (const value of found) into.add(value);
    else if (found !== undefined) into.add(found);
  }

  /** The same into a list. */
  append(key: Key, into: Value[]): void {
    const found = this.#values.get(key);
    if (found instanceof Set) into.push(...found);
    else if (found !== undefined) into.push(found);
  }

  /** Whether it is new. */
  add(key: Key, value: Value): boolean {
    const found = this.#values.get(key);
    if (found === value || found instanceof Set && found.has(value)) return false;
    if (found instanceof Set) found.add(value);
    else this.#values.set(key, found === undefined ? value : new Set([found, value]));
    return true;
  }

  /** Whether the key has no value any more. */
  delete(key: Key, value: Value): boolean {
    const found = this.#values.get(key);
    if (found instanceof Set) {
      found.delete(value);
      if (found.size === 1) this.#values.set(key, found.values().next().value!);
    } else if (found === value) {
      this.#values.delete(key);
    }
    return !this.#values.has(key);
  }
}
