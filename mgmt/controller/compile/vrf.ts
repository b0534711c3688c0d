/**
 * A VRF on one appliance. Routes that single paths brought lie in a map; static route tables stay packed beside it, and only
 * prefixes that they share with something else are in the map too (which then decides).
 */
import { NumberMap } from '../model/number-map.ts';
import type { Appliance } from './appliance.ts';
import type { Bulk } from './types.ts';

/** A route: next-hop id, and RTF_* above it. */
const FLAGS_SHIFT = 20;
export const routeValue = (nexthop: number, flags: number): number => nexthop | (flags << FLAGS_SHIFT);
export const nexthopOf = (value: number): number => value & ((1 << FLAGS_SHIFT) - 1);
export const flagsOf = (value: number): number => value >>> FLAGS_SHIFT;

/** A route table that the VRF imports, with the next-hop id here of each of its hops (0: leads nowhere from here). */
export interface ImportedBulk { readonly bulk: Bulk; readonly nexthops: readonly number[] }
/** Most VRFs import none: they share this. */
export const NO_BULKS: ReadonlyMap<string, ImportedBulk> = new Map();

export class VrfInstance {
  readonly appliance: Appliance;
  readonly name: string;
  readonly id: number;
  /** Units that need it. */
  users = 0;
  imports: readonly string[] = [];
  readonly routes = new NumberMap();
  /** By name, so that their order says nothing about history. */
  bulks: ReadonlyMap<string, ImportedBulk> = NO_BULKS;

  constructor(appliance: Appliance, name: string, id: number) {
    this.appliance = appliance;
    this.name = name;
    this.id = id;
  }

  /** The route of exactly this prefix, 0 = none. */
  route(prefix: number): number {
    return this.routes.get(prefix) ?? this.bulkRoute(prefix);
  }

  /** The route that route tables alone have of exactly this prefix, 0 = none. */
  bulkRoute(prefix: number): number {
    for (const { bulk, nexthops } of this.bulks.values()) {
      const at = indexOf(bulk.prefixes, prefix);
      if (at >= 0) return nexthops[bulk.index[at]!]!;
    }
    return 0;
  }

  /** How many routes there are (shared prefixes of route tables counted once). */
  get size(): number {
    let count = this.routes.size;
    for (const { bulk, nexthops } of this.bulks.values()) {
      if (nexthops.every((id) => id !== 0)) count += bulk.prefixes.length;
      else for (let at = 0; at < bulk.prefixes.length; at++) if (nexthops[bulk.index[at]!] !== 0) count++;
    }
    if (this.bulks.size === 0) return count;
    for (const prefix of this.routes.keys()) {
      for (const { bulk, nexthops } of this.bulks.values()) {
        const at = indexOf(bulk.prefixes, prefix);
        if (at >= 0 && nexthops[bulk.index[at]!] !== 0) count--;
      }
    }
    return count;
  }
}

/** Index of `key` in an ascending array, or -1. */
export function indexOf(keys: Float64Array, key: number): number {
  let [low, high] = [0, keys.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (keys[middle]! < key) low = middle + 1;
    else high = middle;
  }
  return low < keys.length && keys[low] === key ? low : -1;
}
