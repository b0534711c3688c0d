/** A million routes from the controller to an appliance that has nothing yet. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Row } from '../rows.ts';
import { Random } from '../workload/random.ts';
import { makeRoutes } from '../workload/routes.ts';
import { gatewayHop, House, NETWORK, peakMemoryMiB } from './house.ts';
import { packRoutes } from './route-table.ts';

const ROUTES = 1_000_000;
const GATEWAYS = 16;
const TABLE = 'default-domain:k8s-ns-user-1:internet';
const LIMIT_S = 10;
const LIMIT_MIB = 1024;
const POLL_MS = 20;
const PATIENCE_MS = 120_000;

export async function routeRows(report: (row: Row) => void, count = ROUTES): Promise<void> {
  const { prefixes, lengths, nexthops } = makeRoutes(new Random(0x77726F75), count, GATEWAYS);
  const routes = packRoutes(Array.from(prefixes, (address, i) => ({ address, length: lengths[i] ?? 0, hop: (nexthops[i] ?? 1) - 1 })));
  const house = await House.open(GATEWAYS);
  const { controller, appliance } = house;
  try {
    const committed = performance.now();
    const nextHops = Array.from({ length: GATEWAYS }, (_, i) => ({ gateways: [gatewayHop(i)] }));
    const version = await house.put([{ name: TABLE, routeTable: { virtualNetwork: NETWORK, nextHops, ...routes } }]);
    report({ name: `${count.toLocaleString('en-GB')} routes: commit of their table`, value: (performance.now() - committed) / 1000, unit: 's' });

    await appliance.startDataplane();
    const started = performance.now();
    await appliance.startAgent();
    const inSession = await until(house, ({ inSession: yes }) => yes);
    const live = await until(house, ({ liveVersion }) => liveVersion >= version);
    const { totals } = await appliance.dataplane.getState();
    if ((totals['route'] ?? 0) < count) throw new Error(`acknowledged live, but the dataplane has ${totals['route']} of ${count} routes`);
    report({
      name: `${count.toLocaleString('en-GB')} routes: session of a fresh appliance begun to acknowledged live`, value: (live - inSession) / 1000, unit: 's', bar: { kind: '≤', limit: LIMIT_S },
    });
    report({ name: `${count.toLocaleString('en-GB')} routes: its agent started to acknowledged live`, value: (live - started) / 1000, unit: 's' });
    for (const [name, pid] of [['controller', controller.pid], ['agent', appliance.agentPid]] as const) {
      report({ name: `${count.toLocaleString('en-GB')} routes: most memory that the ${name} had`, value: peakMemoryMiB(pid), unit: 'MiB', bar: { kind: '≤', limit: LIMIT_MIB } });
    }
  } finally {
    await house.close();
  }
}

/** When the controller's view of the appliance is so. */
async function until(house: House, holds: (appliance: { inSession: boolean; liveVersion: number }) => boolean): Promise<number> {
  for (const started = performance.now(); performance.now() - started < PATIENCE_MS; await sleep(POLL_MS)) {
    const { appliances } = await house.controller.config.appliances({ appliance: 'compute-1' });
    if (appliances[0] !== undefined && holds(appliances[0])) return performance.now();
  }
  throw new Error(`not there after ${PATIENCE_MS / 1000} s: ${JSON.stringify(await house.controller.config.appliances())}`);
}
