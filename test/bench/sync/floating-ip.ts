/**
 * How long a floating IP takes from the call of the config API until the API says that every lcore of its appliance translates by
 * it: a client that commits, and then awaits the version.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import v8 from 'node:v8';
import type { Draft } from '../../../proto/load.ts';
import type { Object as ConfigObject } from '../../../proto/config.ts';
import type { Row } from '../rows.ts';
import { House, NETWORK, POD } from './house.ts';
import { waitedMs } from './process-usage.ts';

const CHANGES = 500;
/** Until the processes run by optimised code, as they do all day. */
const WARM_UP = 300;
const LIMIT_MS = 10;
/** Somewhat above the 1 Mpps of the bar: what comes while the lcore has to wait for its processor is lost. */
const LOAD_RATE = 1_200_000;
const POOL = `${NETWORK}:pool-ns-default`;
/** The chapter's own floating IP of the pod. */
const CHAPTER_FIP = `${POOL}:${POD.name}`;
const OUTSIDE = '20.0.0.9';

export async function floatingIpRows(report: (row: Row) => void, changes = CHANGES): Promise<void> {
  // As the processes that it measures: the client's own pauses are none of theirs.
  v8.setFlagsFromString('--semi-space-growth-factor=1');
  const house = await House.open();
  try {
    await house.startAppliance();
    await house.live(await house.commit([{ delete: { kind: 'floating-ip', name: CHAPTER_FIP } }]));
    await measure(house, WARM_UP);
    reportTimes(report, 'idle', await measure(house, changes));

    await house.live(await house.put([floatingIp(0)]));
    await underLoad(report, house, 'under load', changes, LOAD_RATE);
    await underLoad(report, house, 'lcore and its processor saturated', changes);
  } finally {
    await house.close();
  }
}

/** By a floating IP of its own: the measured ones come and go beside it. Without a rate it has no bars. */
async function underLoad(report: (row: Row) => void, house: House, when: string, changes: number, rate?: number): Promise<void> {
  await house.startLoad(rate);
  await sleep(1000);
  let times: Times[] = [];
  const load = await house.measureLoad(async () => {
    times = await measure(house, changes);
  });
  await house.stopLoad();
  reportTimes(report, when, times, rate !== undefined);
  report({ name: `load meanwhile, ${when}: 60-byte frames, pod to tunnel, one lcore`, value: load.packets / load.seconds / 1e6, unit: 'Mpps', ...(rate === undefined ? {} : { bar: { kind: '≥', limit: 1 } }) });
}

/** Milliseconds of one change; `waited`: how long the four processes together stood ready without a processor meanwhile. */
interface Times { readonly all: number; readonly waited: number }

function reportTimes(report: (row: Row) => void, when: string, times: readonly Times[], hasBar = true): void {
  const what = `floating IP: commit called to live in every lcore, ${when}`;
  report({ name: `${what}, p50 of ${times.length}`, value: quantile(times.map(({ all }) => all), 0.5), unit: 'ms' });
  report({ name: `${what}, p99 of ${times.length}`, value: quantile(times.map(({ all }) => all), 0.99), unit: 'ms', ...(hasBar ? { bar: { kind: '≤', limit: LIMIT_MS } } : {}) });
  // On a machine that others use as well: at least this much of it is ours.
  report({ name: `${what}, p99 without waits for a processor`, value: quantile(times.map(({ all, waited }) => Math.max(0, all - waited)), 0.99), unit: 'ms' });
}

function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? Number.NaN;
}

/** Creates a floating IP, waits for it, sees the dataplane translate by it, deletes it. */
async function measure(house: House, changes: number): Promise<Times[]> {
  const times: Times[] = [];
  const pids = await house.pids();
  for (let i = 1; i <= changes; i++) {
    const object = floatingIp(i % 200 + 10);
    const [started, waited] = [performance.now(), waitedMs(pids)];
    const version = await house.put([object]);
    await house.live(version);
    times.push({ all: performance.now() - started, waited: waitedMs(pids) - waited });
    await assertTranslates(house, object.floatingIp?.address ?? '');
    await house.live(await house.commit([{ delete: { kind: 'floating-ip', name: object.name ?? '' } }]));
  }
  return times;
}

/** Of the pod; lower addresses go first, and what a load uses has the highest. */
function floatingIp(last: number): Draft<ConfigObject> {
  const host = last === 0 ? 253 : last;
  return { name: `${POOL}:bench-${host}`, floatingIp: { address: `101.101.101.${host}`, virtualMachineInterfaces: [`default-domain:k8s-ns-user-1:${POD.name}`] } };
}

/** What a packet of the pod would leave with; not timed. */
async function assertTranslates(house: House, address: string): Promise<void> {
  const { frame, verdict, text } = await house.appliance.dataplane.trace({ interface: POD.port, frame: await podFrame(house) });
  // A neighbour that is asked for right now holds the packet; it is translated all the same.
  const bytes = Buffer.from(address.split('.').map(Number));
  if (verdict === 'transmit' ? !frame.includes(bytes) : !text.includes(address)) throw new Error(`${address} is live, but a packet of the pod is not translated to it:\n${text}`);
}

async function podFrame(house: House): Promise<Buffer> {
  const frame = Buffer.alloc(60);
  const mac = (await house.appliance.table('interface')).find((row) => row['port'] === POD.port)?.['mac'] ?? '';
  frame.write(mac.replaceAll(':', ''), 'hex');
  frame.set([2, 0, 0, 0, 0, 1], 6);
  frame.writeUInt16BE(0x0800, 12);
  const ip = frame.subarray(14, 34);
  ip.set([0x45, 0, 0, 46, 0, 0, 0, 0, 64, 17]);
  ip.set(POD.address.split('.').map(Number), 12);
  ip.set(OUTSIDE.split('.').map(Number), 16);
  let sum = 0;
  for (let at = 0; at < 20; at += 2) sum += ip.readUInt16BE(at);
  ip.writeUInt16BE(~((sum & 0xFFFF) + (sum >>> 16)) & 0xFFFF, 10);
  frame.writeUInt16BE(26, 38);
  return frame;
}
