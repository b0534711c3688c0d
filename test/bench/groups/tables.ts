/**
 * What tables cost to write and to keep: a million routes of the Internet's lengths into one VRF (in order and shuffled, as
 * Poptrie and as DIR-24-8), single changes, withdrawals; floating IPs. Times are CPU time of this thread.
 */
import * as L from '../../../wasm-core/layout.ts';
import * as R from '../../../wasm-core/records.ts';
import { discards, iface, mask, Tables, vrf } from '../../unit/tables/harness.ts';
import { random } from '../../unit/tables/random.ts';
import { threadCpuNs } from '../cpu-clock.ts';
import type { Row } from '../rows.ts';

const ROUTES = 1_000_000;
const CHANGES = 20_000;
const FIPS = 65_536;
const BATCH = 200_000;
const NEXTHOPS = 4095;
/** Share of each prefix length, about as in a full table of the Internet, with 2 % longer ones. */
const SHARES: [length: number, perMille: number][] = [[24, 580], [23, 120], [22, 100], [21, 50], [20, 50], [19, 30], [18, 15], [17, 10], [16, 20], [12, 3], [28, 22]];

type Route = readonly [prefix: number, length: number, nexthop: number];

function internet(next: (below: number) => number): Route[] {
  const seen = new Set<number>();
  const routes: Route[] = [];
  while (routes.length < ROUTES) {
    let share = next(1000);
    const length = SHARES.find(([, perMille]) => (share -= perMille) < 0)![0];
    const prefix = ((0x01000000 + next(0xDE000000)) & mask(length)) >>> 0;
    if (seen.has(prefix * 64 + length)) continue;
    seen.add(prefix * 64 + length);
    routes.push([prefix, length, 1 + next(NEXTHOPS)]);
  }
  return routes;
}

/** CPU nanoseconds of this thread for one record, from its packing to the epoch that ends its batch. */
function write(tables: Tables, kind: number, size: number, count: number, batch: number, pack: (index: number, at: number) => void): number {
  const start = threadCpuNs();
  for (let done = 0; done < count; done += batch) {
    const n = Math.min(batch, count - done);
    for (let i = 0; i < n; i++) pack(done + i, L.COMMAND + i * size);
    const refused = tables.exports.apply(kind, n);
    tables.exports.advance();
    tables.exports.collect();
    if (refused !== 0) throw new Error(`${refused} of ${n} records were refused`);
  }
  return (threadCpuNs() - start) / count;
}

function writeRoutes(tables: Tables, routes: readonly Route[], batch: number, isWithdrawal = false): number {
  return write(tables, R.RECORD_ROUTE, R.RT_SIZE, routes.length, batch, (index, at) => {
    const [prefix, length, nexthop] = routes[index]!;
    tables.view.setUint32(at + R.RT_VRF, 1, true);
    tables.view.setUint32(at + R.RT_PREFIX, prefix);
    tables.view.setUint32(at + R.RT_NEXTHOP, isWithdrawal ? 0 : nexthop, true);
    tables.view.setUint32(at + R.RT_LENGTH, length, true);
  });
}

export async function tables(report: (row: Row) => void): Promise<void> {
  const next = random(2024);
  const shuffled = internet(next);
  const sorted = shuffled.toSorted((a, b) => a[0] - b[0] || a[1] - b[1]);
  const changes = Array.from({ length: CHANGES }, (): Route => {
    const [prefix, length] = shuffled[next(ROUTES)]!;
    return [prefix, length, 1 + next(NEXTHOPS)];
  });
  const fact = (name: string, value: number, unit: string): void => report({ name, value, unit });
  for (const [kindName, kind] of [['Poptrie', L.LPM_POPTRIE], ['DIR-24-8', L.LPM_DIR24]] as const) {
    for (const [order, routes] of [['in order', sorted], ['shuffled', shuffled]] as const) {
      const one = new Tables();
      one.apply(vrf(1, kind), ...discards(1, NEXTHOPS));
      fact(`${kindName}: 1 M routes ${order}, batches of ${BATCH}`, writeRoutes(one, routes, BATCH), 'ns/route');
      fact(`${kindName}: next hop of one route changes, batches of 1`, writeRoutes(one, changes, 1), 'ns/route');
      fact(`${kindName}: lookup table`, one.u32(L.VRFS + 2 ** L.VRF_SHIFT + L.VRF_BYTES) / ROUTES, 'bytes/route');
      fact(`${kindName}: 1 M routes withdrawn ${order}`, writeRoutes(one, routes, BATCH, true), 'ns/route');
    }
  }
  const fips = new Tables({ fipBuckets: FIPS });
  fips.apply(vrf(1), ...Array.from({ length: 100 }, (_, i) => iface({ id: 1 + i, vrf: 1 })));
  const writeFips = (batch: number, direction: number): number => write(fips, R.RECORD_FLOATING_IP, R.FL_SIZE, FIPS, batch, (index, at) => {
    fips.view.setUint32(at + R.FL_PUBLIC, 0x65000000 + index);
    fips.view.setUint32(at + R.FL_PRIVATE, 0x0A000000 + index);
    fips.view.setUint32(at + R.FL_VRF, 1, true);
    fips.view.setUint32(at + R.FL_INTERFACE, 1 + (index % 100) + direction * 65536, true);
    fips.view.setUint32(at + R.FL_ORDER, 0, true);
  });
  fact('floating IPs: 65,536 set', writeFips(FIPS, L.FIPD_BOTH), 'ns each');
  fact('floating IPs: 65,536 deleted', writeFips(FIPS, 0), 'ns each');
}
