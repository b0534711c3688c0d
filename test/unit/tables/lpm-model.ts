/** Longest prefix match as plainly as can be said: a map per length, tried from 32 down. */
import { mask } from './harness.ts';

export class LpmModel {
  readonly #byLength = Array.from({ length: 33 }, () => new Map<number, number>());
  size = 0;

  set(prefix: number, length: number, nexthop: number): void {
    const map = this.#byLength[length]!;
    if (!map.has(prefix)) this.size++;
    map.set(prefix, nexthop);
  }

  delete(prefix: number, length: number): boolean {
    const was = this.#byLength[length]!.delete(prefix);
    if (was) this.size--;
    return was;
  }

  get(prefix: number, length: number): number | undefined {
    return this.#byLength[length]!.get(prefix);
  }

  /** [next hop, match length] or undefined. */
  lookup(address: number): [number, number] | undefined {
    for (let length = 32; length >= 0; length--) {
      const nexthop = this.#byLength[length]!.get((address & mask(length)) >>> 0);
      if (nexthop !== undefined) return [nexthop, length];
    }
    return undefined;
  }

  *routes(): Generator<[prefix: number, length: number, nexthop: number]> {
    for (let length = 0; length <= 32; length++) for (const [prefix, nexthop] of this.#byLength[length]!) yield [prefix, length, nexthop];
  }
}
