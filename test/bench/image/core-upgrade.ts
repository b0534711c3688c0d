/** What packets notice of another core: at full load between two ports in memory; and over AF_XDP, through a gateway, a tunnel and a floating IP. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { credentials } from '@grpc/grpc-js';
import { ForwardingCore, type ForwardingCoreMethods } from '../../../proto/core.ts';
import { createClient, unixAddress, type Client } from '../../../proto/load.ts';
import { DataplaneProcess } from '../../integration/dataplane/process.ts';
import { LEFT, RIGHT, ROUTER, ROUTER_NAMES } from '../../integration/dataplane/router.ts';
import type { NamespaceHost } from '../../lab/hosts.ts';
import { Lab } from '../../lab/lab.ts';
import { networkKind } from '../../lab/network.ts';
import { otherCore, signedCore } from '../../lab/signed-core.ts';
import type { Row } from '../rows.ts';
import { median } from '../side.ts';

const UPGRADES = { memory: 20, xdp: 5 };
const WATCH_MS = 300;
const LONGEST_PAUSE_MS = 1;
/** A flow of numbered datagrams: payload bytes, and bits a second (some 12,500 packets). */
const FLOW = { bytes: 200, rate: '20M' };
/** What ARP explains. */
const EXPLAINED = new Set(['neighbour_queue_full', 'arp_learnt']);

export async function coreUpgradeRows(report: (row: Row) => void): Promise<void> {
  await inMemory(report);
  await overXdp(report);
}

const clientOf = (socket: string): Client<ForwardingCoreMethods> => createClient(ForwardingCore, unixAddress(socket), credentials.createInsecure());

/** @returns each lcore's pause of each upgrade, ms */
async function upgrade(core: Client<ForwardingCoreMethods>, directory: string, times: number): Promise<number[]> {
  const pauses: number[] = [];
  for (let i = 0; i < times; i++) {
    const { pauseUs, rolledBack } = await core.upgradeCore({ core: otherCore(directory, `bench-${i}`), watchMs: WATCH_MS });
    if (rolledBack !== '') throw new Error(`upgrade ${i}: ${rolledBack}`);
    pauses.push(...pauseUs.map((us) => us / 1000));
  }
  return pauses;
}

function pauseRows(what: string, pauses: readonly number[]): Row[] {
  return [
    { name: `${what}: pause of an lcore, median of ${pauses.length}`, value: median(pauses), unit: 'ms' },
    { name: `${what}: pause of an lcore, longest of ${pauses.length}`, value: Math.max(...pauses), unit: 'ms', bar: { kind: '≤', limit: LONGEST_PAUSE_MS } },
  ];
}

async function inMemory(report: (row: Row) => void): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), 'wrouter-bench-core-'));
  const { file, keys } = signedCore(directory);
  const dataplane = await DataplaneProcess.start({ directory, args: ['--core', file, '--core-keys', keys] });
  const core = clientOf(join(directory, 'dataplane.sock'));
  try {
    const { client } = dataplane;
    await dataplane.apply(ROUTER, ROUTER_NAMES);
    await client.attachPort({ name: RIGHT.port, driver: 'generator', device: 'sink' });
    await client.attachPort({ name: LEFT.port, driver: 'generator', device: `${LEFT.host}>10.2.0.64/29,60` });
    await sleep(1000);
    const before = await client.counters();
    const pauses = await upgrade(core, directory, UPGRADES.memory);
    const after = await client.counters();
    const dropped = (reading: typeof before): number => reading.drops.reduce((sum, { name, packets }) => sum + (EXPLAINED.has(name) ? 0 : packets), 0);
    const seconds = (after.timeUs - before.timeUs) / 1e6;
    report({ name: 'core upgrade at full load in memory: forwarded meanwhile', value: (after.transmitted - before.transmitted) / seconds / 1e6, unit: 'Mpps' });
    report({ name: `core upgrade at full load in memory: packets lost by ${UPGRADES.memory} upgrades`, value: dropped(after) - dropped(before), unit: 'packets', bar: { kind: '≤', limit: 0 } });
    pauseRows('core upgrade at full load in memory', pauses).forEach(report);
  } finally {
    core.close();
    await dataplane.stop();
    rmSync(directory, { recursive: true, force: true });
  }
}

interface IperfReport { end: { sum: { packets: number; lost_packets: number }; streams: { udp: { out_of_order: number } }[] } }

async function overXdp(report: (row: Row) => void): Promise<void> {
  const { kind, reason } = networkKind();
  if (kind !== 'namespaces') {
    console.error(`left out: core upgrade over AF_XDP (${reason ?? 'no network namespaces'})`);
    return;
  }
  const lab = await Lab.open({ kind });
  try {
    const pod = lab.pods[0]!;
    const [internet, server] = [lab.internet as NamespaceHost, pod.host as NamespaceHost];
    const serving = server.run('iperf3', ['-s', '-1', '-p', '5301']);
    await sleep(500);
    const flow = internet.run('iperf3', ['-c', pod.floatingIp, '-p', '5301', '-u', '-b', FLOW.rate, '-l', String(FLOW.bytes), '-t', '12', '-w', '4M', '--json']);
    await sleep(1000);
    const pauses: number[] = [];
    for (const appliance of [lab.gateway, lab.compute]) {
      const core = clientOf(appliance.socket);
      try {
        pauses.push(...await upgrade(core, lab.directory, UPGRADES.xdp));
      } finally {
        core.close();
      }
    }
    const { end: { sum, streams } } = JSON.parse(await flow) as IperfReport;
    await serving;
    const what = 'core upgrade of gateway and compute over AF_XDP';
    report({ name: `${what}: of ${sum.packets.toLocaleString('en-GB')} datagrams to a floating IP lost`, value: sum.lost_packets, unit: 'packets', bar: { kind: '≤', limit: 0 } });
    report({ name: `${what}: overtaken`, value: streams[0]?.udp.out_of_order ?? Number.NaN, unit: 'packets', bar: { kind: '≤', limit: 0 } });
    pauseRows(what, pauses).forEach(report);
  } finally {
    await lab.close();
  }
}
