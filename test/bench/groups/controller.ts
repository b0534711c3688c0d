/** The controller at fleet size, and two of them when one fails; against the bars of its contract. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { Object as ConfigObject } from '../../../proto/config.ts';
import type { Draft } from '../../../proto/load.ts';
import { Pair } from '../../integration/controller/pair.ts';
import { Fleet } from '../fleet/fleet.ts';
import { FULL, outsideAddress, SPARE, workload, type FleetSize } from '../fleet/objects.ts';
import type { Group, Row } from '../rows.ts';

const CHANGES = 300;
const WARM_UP = 50;
const LIVE_MS = 30_000;
const START_MS = 300_000;
const STALLED = 100;
const CURVE = [10, 100, 1000];
const CURVE_CHANGES = 50;
const KILLS = 200;

type Report = (row: Row) => void;

export const controller: Group = { fleet: (report) => fleetRows(report, FULL), curve: (report) => curveRows(report), failover: failoverRows, kills: (report) => killRow(report) };

/** Everything that one fleet shows. */
export async function fleetRows(report: Report, size: FleetSize): Promise<void> {
  const fleet = await Fleet.make(size, ['compute', 'gateway']);
  const what = `${size.appliances} appliances, ${size.appliances * 10} networks, ${size.appliances * 100} floating IPs`;
  try {
    const { seconds, routes, nexthops } = fleet.compile();
    report({ name: `full compile: ${what}`, value: seconds, unit: 's', bar: { kind: '≤', limit: 5 } });
    report({ name: 'of which routes, on all appliances', value: routes, unit: 'routes' });
    report({ name: 'and next hops', value: nexthops, unit: 'next hops' });

    fleet.dial();
    await fleet.startReal();
    const started = performance.now();
    await fleet.controller.start(START_MS);
    await fleet.inSync(size.appliances);
    report({ name: 'controller cold start until all are in sync', value: (performance.now() - started) / 1000, unit: 's', bar: { kind: '≤', limit: 30 } });
    report({ name: 'controller RSS then', value: fleet.memory.now, unit: 'MiB', bar: { kind: '≤', limit: 1536 } });
    report({ name: 'controller RSS, most so far', value: fleet.memory.peak, unit: 'MiB', bar: { kind: '≤', limit: 1536 } });

    await changeOften(fleet, WARM_UP);
    const times = (await changeOften(fleet, CHANGES)).sort((one, other) => one - other);
    const quantile = (share: number): number => times[Math.ceil(share * times.length) - 1]!;
    report({ name: `floating IP: call to live in compute and gateway, p50 of ${times.length}`, value: quantile(0.5), unit: 'ms' });
    report({ name: 'floating IP: call to live in compute and gateway, p99', value: quantile(0.99), unit: 'ms', bar: { kind: '≤', limit: 50 } });

    const stalled = Math.min(STALLED, size.appliances >> 1);
    fleet.stall(stalled);
    await changeOften(fleet, CHANGES);
    const first = fleet.memory.now;
    await changeOften(fleet, CHANGES);
    const { now } = fleet.memory;
    report({ name: `controller RSS while ${stalled} appliances are stalled`, value: now, unit: 'MiB', bar: { kind: '≤', limit: 1536 } });
    report({ name: `growth of it over ${CHANGES} further changes`, value: now - first, unit: 'MiB', bar: { kind: '≤', limit: 16 } });
    fleet.resume();
    await fleet.inSync(size.appliances);
  } finally {
    await fleet.close();
  }
}

const floatingIp = (): Draft<ConfigObject> => {
  const { pool, interface: its } = workload(0);
  return { name: `${pool}:bench`, floatingIp: { address: outsideAddress(0, SPARE), virtualMachineInterfaces: [its] } };
};

/** A floating IP of a workload on the first compute comes and goes; ms each time from the call until it is live in every real appliance. */
async function changeOften({ controller: { config }, real }: Fleet, count: number): Promise<number[]> {
  const times: number[] = [];
  const live = async (version: number): Promise<void> => {
    await Promise.all(real.map(({ name }) => config.awaitLive({ version, appliance: name }, { deadline: Date.now() + LIVE_MS })));
  };
  for (let at = 0; at < count; at++) {
    const started = performance.now();
    await live((await config.commit({ operations: [{ put: floatingIp() }] })).version);
    times.push(performance.now() - started);
    await live((await config.commit({ operations: [{ delete: { kind: 'floating-ip', name: floatingIp().name! } }] })).version);
  }
  return times;
}

/** Work and bytes of one change, over fleets of different size. */
export async function curveRows(report: Report, sizes: readonly number[] = CURVE): Promise<void> {
  let least: { bytes: number; work: number } | undefined;
  for (const appliances of sizes) {
    const fleet = await Fleet.make({ appliances, gateways: 2 });
    try {
      fleet.dial();
      await fleet.controller.start(START_MS);
      await fleet.inSync(appliances);
      await changeOften(fleet, WARM_UP);
      await sleep(1000);
      const [before, processor] = [await fleet.received(), fleet.processorMs];
      await changeOften(fleet, CURVE_CHANGES);
      await fleet.inSync(appliances);
      const [after, work] = [await fleet.received(), (fleet.processorMs - processor) / CURVE_CHANGES / 2];
      const bytes = (after.bytes - before.bytes) / CURVE_CHANGES / 2;
      least ??= { bytes, work };
      const name = `one floating IP comes or goes, ${appliances} appliances`;
      report({ name: `${name}: bytes to appliances`, value: bytes, unit: 'bytes', against: { name: `${sizes[0]} appliances`, value: least.bytes }, ratio: bytes / least.bytes, bar: { kind: '≤', limit: 1.5 } });
      report({ name: `${name}: messages`, value: (after.messages - before.messages) / CURVE_CHANGES / 2, unit: 'messages' });
      report({ name: `${name}: processor time of the controller`, value: work, unit: 'ms', against: { name: `${sizes[0]} appliances`, value: least.work }, ratio: work / least.work, bar: { kind: '≤', limit: 2 } });
    } finally {
      await fleet.close();
    }
  }
}

/** One of two controllers is killed, cut off from etcd, and etcd stalls, all under load. */
export async function failoverRows(report: Report): Promise<void> {
  const pair = await Pair.open();
  try {
    const before = await pair.counters();
    const timed = async (name: string, work: () => Promise<void>): Promise<void> => {
      const started = performance.now();
      await work();
      report({ name, value: (performance.now() - started) / 1000, unit: 's', bar: { kind: '≤', limit: 2 } });
    };
    const victim = await pair.moved();
    const other = pair.other(victim);
    await timed('controller of two killed: a change through the other is live after', async () => {
      await victim.controller.kill();
      await pair.change(other);
    });
    await victim.controller.start();
    await timed('controller cut off from etcd: a change through the other is live after', async () => {
      other.relay.swallow();
      await pair.change(victim);
    });
    other.relay.heal();
    while (!(await pair.serving(other))) await sleep(50);
    pair.etcd.stall();
    while (await pair.holder()) await sleep(50);
    await timed('etcd stalled and goes on: a change is live after', async () => {
      pair.etcd.resume();
      await pair.change(other);
    });
    const { forwarded, lost } = await pair.settle(before);
    report({ name: 'frames forwarded meanwhile', value: forwarded / 1e6, unit: 'M' });
    report({ name: 'frames lost meanwhile', value: lost, unit: 'frames', bar: { kind: '≤', limit: 0 } });
    report({ name: 'resyncs of the appliance meanwhile', value: pair.resyncs - 1, unit: 'resyncs', bar: { kind: '≤', limit: 0 } });
  } finally {
    await pair.close();
  }
}

/** The store's own test, at length. */
export async function killRow(report: Report, kills = KILLS): Promise<void> {
  const test = fileURLToPath(new URL('../../integration/controller/store-kill.test.ts', import.meta.url));
  const child = spawn(process.execPath, [test], { stdio: ['ignore', 'ignore', 'inherit'], env: { ...process.env, KILLS: String(kills) } });
  const [code] = await once(child, 'exit') as [number | null];
  report({ name: `store killed at work with nothing acknowledged lost and nothing half, of ${kills}`, value: code === 0 ? kills : 0, unit: 'kills', bar: { kind: '≥', limit: kills } });
}
