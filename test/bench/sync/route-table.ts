/** Packed routes of a route-table object (proto/config.proto). */

export interface StaticRoute {
  readonly address: number;
  readonly length: number;
  /** Index of the table's next hops. */
  readonly hop: number;
}

export function packRoutes(routes: readonly StaticRoute[]): { prefixes: Buffer; nextHopIndex: Buffer } {
  const sorted = routes.toSorted((one, other) => one.address - other.address || one.length - other.length);
  const prefixes = Buffer.alloc(sorted.length * 5);
  sorted.forEach(({ address, length }, i) => {
    prefixes.writeUInt32BE(address, i * 5);
    prefixes[i * 5 + 4] = length;
  });
  return { prefixes, nextHopIndex: Buffer.from(sorted.map(({ hop }) => hop)) };
}
