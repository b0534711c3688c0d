/**
 * Which records of an appliance changed: keys only, so that many changes of one record cost one record to send, and what is sent
 * is always the present. Grown beyond its limit, a set is "flooded": it stands for everything, and the appliance is resynced.
 */

export class KeySet {
  readonly vrfs = new Set<number>();
  readonly interfaces = new Set<number>();
  readonly nexthops = new Set<number>();
  /** Next-hop ids of ECMP groups whose slots changed. */
  readonly groups = new Set<number>();
  readonly labels = new Set<number>();
  /** See `floatingKey`. */
  readonly floating = new Set<string>();
  /** Prefix keys by VRF. */
  readonly routes = new Map<number, Set<number>>();
  flooded = false;
  readonly #limit: number;
  #routeCount = 0;

  constructor(limit: number = MAX_KEYS) { this.#limit = limit; }

  get size(): number {
    return this.vrfs.size + this.interfaces.size + this.nexthops.size + this.groups.size + this.labels.size + this.floating.size + this.#routeCount;
  }

  add(table: 'vrfs' | 'interfaces' | 'nexthops' | 'groups' | 'labels', id: number): void {
    if (!this.flooded) this[table].add(id);
  }

  addFloating(key: string): void {
    if (!this.flooded) this.floating.add(key);
  }

  get empty(): boolean { return !this.flooded && this.size === 0; }

  addRoute(vrf: number, prefix: number): void {
    if (this.flooded) return;
    let routes = this.routes.get(vrf);
    if (!routes) this.routes.set(vrf, routes = new Set());
    const before = routes.size;
    routes.add(prefix);
    this.#routeCount += routes.size - before;
    if (this.size > this.#limit) this.flood();
  }

  deleteRoute(vrf: number, prefix: number): void {
    const routes = this.routes.get(vrf);
    if (!routes?.delete(prefix)) return;
    this.#routeCount--;
    if (routes.size === 0) this.routes.delete(vrf);
  }

  /** Everything may have changed. */
  flood(): void {
    this.clear();
    this.flooded = true;
  }

  merge(other: KeySet): void {
    if (this.flooded) return;
    if (other.flooded) return this.flood();
    for (const table of ['vrfs', 'interfaces', 'nexthops', 'groups', 'labels'] as const) for (const key of other[table]) this[table].add(key);
    for (const key of other.floating) this.floating.add(key);
    for (const [vrf, routes] of other.routes) for (const prefix of routes) this.addRoute(vrf, prefix);
    if (this.size > this.#limit) this.flood();
  }

  clearRoutes(): void {
    this.routes.clear();
    this.#routeCount = 0;
  }

  clear(): void {
    for (const table of ['vrfs', 'interfaces', 'nexthops', 'groups', 'labels', 'floating'] as const) this[table].clear();
    this.clearRoutes();
    this.flooded = false;
  }

  /** For the store. A flooded set is null. */
  encode(): string | null {
    if (this.flooded) return null;
    return JSON.stringify([[...this.vrfs], [...this.interfaces], [...this.nexthops], [...this.groups], [...this.labels], [...this.floating], [...this.routes].map(([vrf, routes]) => [vrf, [...routes]])]);
  }

  static decode(text: string): KeySet {
    const [vrfs, interfaces, nexthops, groups, labels, floating, routes] = JSON.parse(text) as [number[], number[], number[], number[], number[], string[], [number, number[]][]];
    const keys = new KeySet();
    for (const [table, values] of [['vrfs', vrfs], ['interfaces', interfaces], ['nexthops', nexthops], ['groups', groups], ['labels', labels]] as const) for (const value of values) keys[table].add(value);
    for (const key of floating) keys.floating.add(key);
    for (const [vrf, prefixes] of routes) for (const prefix of prefixes) keys.addRoute(vrf, prefix);
    return keys;
  }
}

/** Beyond it a resync is cheaper than the bookkeeping: at most some MiB for a stalled appliance. */
export const MAX_KEYS = 65536;

/** Identity of a floating IP on an appliance (records.ts): public address, VRF, interface. */
export const floatingKey = (address: number, vrf: number, id: number): string => `${address} ${vrf} ${id}`;
export function splitFloatingKey(key: string): { public: number; vrf: number; interface: number } {
  const [address, vrf, id] = key.split(' ').map(Number);
  return { public: address!, vrf: vrf!, interface: id! };
}
