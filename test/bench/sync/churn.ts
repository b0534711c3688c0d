/** Routes that change while a load runs over them: nothing may be lost, nothing may leave by a next hop that it never had. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { CountersReply } from '../../../proto/dataplane.ts';
import type { Draft } from '../../../proto/load.ts';
import type { Object as ConfigObject } from '../../../proto/config.ts';
import type { Row } from '../rows.ts';
import { median } from '../side.ts';
import { gatewayHop, House, NETWORK, tunnelOf, type Load } from './house.ts';
import { packRoutes, type StaticRoute } from './route-table.ts';
import { UNDERLAY } from '../../../examples/chapter.ts';

/** Second bytes of destinations below it have one route each that stays; the others have 64 each that change. */
const STABLE = 96;
const SUBNETS = 256;
const CHANGING_PER_SUBNET = 64;
const CHANGING_LENGTH = 22;
/** Changed in turn, one after the other: 10 of them every second, 1,024 routes each. */
const TABLES = 10;
const CHANGES_PER_SECOND = 10_240;
const TURN_MS = 1000 / (CHANGES_PER_SECOND / ((SUBNETS - STABLE) * CHANGING_PER_SUBNET / TABLES));
const ROUNDS = 7;
const ROUND_MS = 2000;
const BASE = 20 * 2 ** 24;
const TABLE = 'default-domain:k8s-ns-user-1:table';

export async function churnRows(report: (row: Row) => void, rounds = ROUNDS, roundMs = ROUND_MS): Promise<void> {
  const house = await House.open(2);
  const { dataplane } = house.appliance;
  const sides = Array.from({ length: TABLES }, () => 0);
  try {
    await house.startAppliance();
    await house.put([stableTable()]);
    await house.live(await house.put(sides.map((side, table) => changingTable(table, side))));
    await house.startLoad();
    await sleep(1000); // neighbours resolved, code optimised
    const before = await dataplane.counters();
    const [still, moving]: [Load[], Load[]] = [[], []];
    let changes = 0;
    let seconds = 0;
    for (let round = 0; round < rounds; round++) {
      still.push(await house.measureLoad(() => sleep(roundMs)));
      moving.push(await house.measureLoad(async () => {
        const started = performance.now();
        changes += await churn(house, sides, roundMs);
        seconds += (performance.now() - started) / 1000;
      }));
    }
    await house.live(await house.version());
    const after = await dataplane.counters();
    await house.stopLoad();
    const rest = await house.appliance.quietCounters();
    const { taken, seen } = await dataplane.generator({ port: UNDERLAY.compute.port });

    report({ name: 'route changes live under load', value: changes / seconds, unit: '1/s', bar: { kind: '≥', limit: 10_000 } });
    report({ name: 'churn: packets forwarded meanwhile', value: seen.reduce((sum, { packets }) => sum + packets, 0) / 1e6, unit: 'M' });
    report({ name: 'churn: packets lost (drops, and those received that neither left nor dropped)', value: lost(before, after) + unaccounted(rest, taken), unit: 'packets', bar: { kind: '≤', limit: 0 } });
    report({ name: 'churn: packets by a next hop that their route never had', value: seen.reduce((sum, each) => sum + (valid(each.subnet, each.tunnel) ? 0 : each.packets), 0), unit: 'packets', bar: { kind: '≤', limit: 0 } });
    report({ name: 'churn: subnets of changing routes that used both next hops', value: usedBoth(seen), unit: `of ${SUBNETS - STABLE}` });
    const perCpu = ({ packets, cpuSeconds }: Load): number => packets / cpuSeconds / 1e6;
    const perSecond = ({ packets, seconds: wall }: Load): number => packets / wall / 1e6;
    for (const [name, rate, bar] of [['second of the lcore\'s CPU time', perCpu, { kind: '≥', limit: 0.95 }], ['second', perSecond, undefined]] as const) {
      report({
        name: `churn: packets per ${name}`, value: median(moving.map(rate)), unit: 'M', against: { name: 'still', value: median(still.map(rate)) },
        ratio: median(moving.map((load, i) => rate(load) / rate(still[i] ?? load))), ...(bar === undefined ? {} : { bar }),
      });
    }
  } finally {
    await house.close();
  }
}

/** Turns one table after another to its other next hops, each waited for until it is live; returns how many routes changed. */
async function churn(house: House, sides: number[], forMs: number): Promise<number> {
  const started = performance.now();
  const underWay: Promise<void>[] = [];
  let changes = 0;
  for (let turn = 0; turn * TURN_MS < forMs; turn++) {
    await sleep(Math.max(0, started + turn * TURN_MS - performance.now()));
    const table = turn % TABLES;
    const side = sides[table] = 1 - (sides[table] ?? 0);
    const object = changingTable(table, side);
    changes += (object.routeTable?.prefixes?.length ?? 0) / 5;
    underWay.push(house.put([object]).then((version) => house.live(version)));
  }
  await Promise.all(underWay);
  return changes;
}

function stableTable(): Draft<ConfigObject> {
  return tableObject('stable', Array.from({ length: STABLE }, (_, subnet) => ({ address: BASE + subnet * 2 ** 16, length: 16, hop: subnet & 1 })));
}

function changingTable(table: number, side: number): Draft<ConfigObject> {
  const routes: StaticRoute[] = [];
  for (let i = table; i < (SUBNETS - STABLE) * CHANGING_PER_SUBNET; i += TABLES) {
    routes.push({ address: BASE + STABLE * 2 ** 16 + i * 2 ** (32 - CHANGING_LENGTH), length: CHANGING_LENGTH, hop: (i ^ side) & 1 });
  }
  return tableObject(`changing-${table}`, routes);
}

function tableObject(name: string, routes: readonly StaticRoute[]): Draft<ConfigObject> {
  return { name: `${TABLE}-${name}`, routeTable: { virtualNetwork: NETWORK, nextHops: [{ gateways: [gatewayHop(0)] }, { gateways: [gatewayHop(1)] }], ...packRoutes(routes) } };
}

function valid(subnet: number, tunnel: number): boolean {
  return subnet < STABLE ? tunnel === tunnelOf(subnet & 1) : tunnel === tunnelOf(0) || tunnel === tunnelOf(1);
}

function usedBoth(seen: readonly { subnet: number; tunnel: number }[]): number {
  const tunnels = new Map<number, Set<number>>();
  for (const { subnet, tunnel } of seen) if (subnet >= STABLE) tunnels.set(subnet, (tunnels.get(subnet) ?? new Set()).add(tunnel));
  return [...tunnels.values()].filter(({ size }) => size === 2).length;
}

function lost(before: CountersReply, after: CountersReply): number {
  return after.dropped - before.dropped;
}

/** At rest: received and originated, but neither sent, dropped nor held; sent, but not come out at the sink. */
function unaccounted({ received, originated, transmitted, dropped, held }: CountersReply, taken: number): number {
  return Math.abs(received + originated - transmitted - dropped - held) + Math.abs(transmitted - taken);
}
