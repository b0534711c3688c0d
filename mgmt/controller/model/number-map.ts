/**
 * Numbers by number, for tables of which a fleet has millions of entries: keys are whole numbers from 0 to 2^53 - 1 (prefixes, tunnels),
 * which a Map would keep as objects of their own. Open addressing with linear probing over one array of doubles, key beside value:
 * a third of the memory, and nothing in it that a garbage collection must look at.
 */
export class NumberMap {
  #slots = emptySlots(FEWEST);
  /** Bits of a hash that are dropped: the rest is a place. */
  #shift = 32 - Math.log2(FEWEST);
  #size = 0;

  get size(): number { return this.#size; }

  get(key: number): number | undefined {
    const at = this.#find(key);
    return this.#slots[at] === key ? this.#slots[at + 1] : undefined;
  }

  has(key: number): boolean { return this.#slots[this.#find(key)] === key; }

  set(key: number, value: number): void {
    const at = this.#find(key);
    this.#slots[at + 1] = value;
    if (this.#slots[at] === key) return;
    this.#slots[at] = key;
    // Three quarters full at most: each search ends at an empty place.
    if (++this.#size * 8 > this.#slots.length * 3) this.#resize(this.#slots.length);
  }

  /** Whether it was there. */
  delete(key: number): boolean {
    const slots = this.#slots;
    let hole = this.#find(key);
    if (slots[hole] !== key) return false;
    this.#size--;
    // What comes after it moves up, unless it is where it wants to be: so no search ends too early.
    for (let at = this.#after(hole); slots[at] !== EMPTY; at = this.#after(at)) {
      const wanted = this.#place(slots[at]!);
      if (hole <= at ? hole < wanted && wanted <= at : hole < wanted || wanted <= at) continue;
      slots[hole] = slots[at]!;
      slots[hole + 1] = slots[at + 1]!;
      hole = at;
    }
    slots[hole] = EMPTY;
    return true;
  }

  clear(): void {
    this.#slots = emptySlots(FEWEST);
    this.#shift = 32 - Math.log2(FEWEST);
    this.#size = 0;
  }

  /** A list of its own, in no order that means anything. */
  keys(): number[] {
    const keys: number[] = [];
    for (let at = 0; at < this.#slots.length; at += 2) if (this.#slots[at] !== EMPTY) keys.push(this.#slots[at]!);
    return keys;
  }

  /** Index of the key, or of the empty place where it would be. */
  #find(key: number): number {
    const slots = this.#slots;
    let at = this.#place(key);
    while (slots[at] !== key && slots[at] !== EMPTY) at = this.#after(at);
    return at;
  }

  /** Fibonacci hashing, over both halves of the key. */
  #place(key: number): number { return (Math.imul(key ^ Math.imul(key / 2 ** 32, 0x85ebca6b), 0x9e3779b1) >>> this.#shift) * 2; }

  #after(at: number): number { return at + 2 < this.#slots.length ? at + 2 : 0; }

  /** @param places pairs that there is room for */
  #resize(places: number): void {
    const before = this.#slots;
    const slots = this.#slots = emptySlots(places);
    this.#shift = 32 - Math.log2(places);
    for (let at = 0; at < before.length; at += 2) {
      if (before[at] === EMPTY) continue;
      const to = this.#find(before[at]!);
      slots[to] = before[at]!;
      slots[to + 1] = before[at + 1]!;
    }
  }
}

const FEWEST = 4;
/** No key, and no small integer either: the engine then keeps the array as plain doubles from the beginning. */
const EMPTY = -0.5;
const emptySlots = (places: number): number[] => new Array<number>(places * 2).fill(EMPTY);
