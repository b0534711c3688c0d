/** The live view: what both appliances forward, second by second, under a trickle of traffic, until it is told to stop. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { CountersReply, Lcore } from '../../proto/dataplane.ts';
import type { Appliance } from './appliance.ts';
import type { Lab } from './lab.ts';
import { drawing } from './drawing.ts';
import { bitRate, bold, count, dim, green, milliseconds, red, Screen, table } from './terminal.ts';

const TRANSFER_BYTES = 8 << 20;
const PORT = 8081;

/** Cumulative counts of one appliance at one moment. */
interface Reading {
  counters: CountersReply;
  lcores: Lcore[];
}

interface Traffic {
  pings: number;
  answered: number;
  lastMs: number;
  transfers: number;
  intact: number;
  lastBitsPerSecond: number;
}

/** Shows until `stop` is aborted. On a terminal one screen, redrawn every second; otherwise lines, every ten. */
export async function live(lab: Lab, stop: AbortSignal): Promise<void> {
  const traffic: Traffic = { pings: 0, answered: 0, lastMs: 0, transfers: 0, intact: 0, lastBitsPerSecond: 0 };
  const generators = [ping(lab, traffic, stop), transfer(lab, traffic, stop)];
  const screen = process.stdout.isTTY ? new Screen() : undefined;
  const appliances = [lab.gateway, lab.compute];
  const started = Date.now();
  try {
    let before = await Promise.all(appliances.map(read));
    while (!stop.aborted) {
      await pause(screen === undefined ? 10_000 : 1_000, stop);
      const now = await Promise.all(appliances.map(read));
      const up = Math.round((Date.now() - started) / 1000);
      if (screen !== undefined) screen.draw(page(lab, up, appliances, before, now, traffic));
      else for (const line of summary(appliances, before, now, traffic)) console.log(line);
      before = now;
    }
  } finally {
    screen?.close();
    await Promise.allSettled(generators);
  }
}

async function read({ dataplane }: Appliance): Promise<Reading> {
  const [counters, { lcores }] = await Promise.all([dataplane.counters(), dataplane.lcores()]);
  return { counters, lcores };
}

function page(lab: Lab, upSeconds: number, appliances: Appliance[], before: Reading[], now: Reading[], traffic: Traffic): string[] {
  const clock = new Date(upSeconds * 1000).toISOString().slice(11, 19);
  return [
    `${bold('wrouter lab')}   up ${clock}   ${dim('Ctrl-C takes everything down')}`,
    '',
    ...drawing(lab),
    '',
    ...interfaceLines(appliances, before, now),
    '',
    ...lcoreLines(appliances, before, now),
    '',
    `ping  internet → ${lab.pods[0]!.floatingIp}   ${traffic.answered} of ${traffic.pings} answered   ${milliseconds(traffic.lastMs)}`,
    `TCP   ${lab.pods[1]!.name} → internet, ${TRANSFER_BYTES >> 20} MiB each   ${traffic.intact} of ${traffic.transfers} intact   ${bitRate(traffic.lastBitsPerSecond)}`,
    '',
    ...dropLines(appliances, now),
    '',
    ...appliances.map((appliance) => dim(`operate  npm run wrouter -- --dataplane ${appliance.socket} …`)),
    dim(`logs     ${lab.directory}`),
  ];
}

function summary(appliances: Appliance[], before: Reading[], now: Reading[], traffic: Traffic): string[] {
  return appliances.map((appliance, i) => {
    const { packets, bits, drops } = rates(before[i]!, now[i]!);
    return `${appliance.name}  ${count(packets)} packets/s  ${bitRate(bits)}  ${count(drops)} drops/s  ping ${traffic.answered}/${traffic.pings}  TCP ${traffic.intact}/${traffic.transfers} intact`;
  });
}

function rates(before: Reading, now: Reading): { packets: number; bits: number; drops: number } {
  const seconds = secondsBetween(before, now);
  const bytes = ({ counters }: Reading): number => counters.interfaces.reduce((sum, { rxBytes }) => sum + rxBytes, 0);
  return {
    packets: (now.counters.received - before.counters.received) / seconds,
    bits: (8 * (bytes(now) - bytes(before))) / seconds,
    drops: (now.counters.dropped - before.counters.dropped) / seconds,
  };
}

function secondsBetween(before: Reading, now: Reading): number {
  return Math.max(0.001, (now.counters.timeUs - before.counters.timeUs) / 1e6);
}

function interfaceLines(appliances: Appliance[], before: Reading[], now: Reading[]): string[] {
  const rows = appliances.flatMap(({ name }, i) => {
    const seconds = secondsBetween(before[i]!, now[i]!);
    return now[i]!.counters.interfaces.map((current) => {
      const past = before[i]!.counters.interfaces.find(({ id }) => id === current.id) ?? current;
      const rate = (key: 'rxPackets' | 'rxBytes' | 'txPackets' | 'txBytes'): number => (current[key] - past[key]) / seconds;
      return [name, current.name, count(rate('rxPackets')), bitRate(8 * rate('rxBytes')), count(rate('txPackets')), bitRate(8 * rate('txBytes')), count(current.drops)];
    });
  });
  return table(['appliance', 'interface', '>rx packets/s', '>rx', '>tx packets/s', '>tx', '>drops'], rows);
}

function lcoreLines(appliances: Appliance[], before: Reading[], now: Reading[]): string[] {
  const rows = appliances.flatMap(({ name }, i) => {
    const seconds = secondsBetween(before[i]!, now[i]!);
    return now[i]!.lcores.map((lcore) => {
      const past = before[i]!.lcores.find(({ id }) => id === lcore.id) ?? lcore;
      const packets = lcore.packets - past.packets;
      const calls = lcore.polls + lcore.kicks - past.polls - past.kicks;
      const runs = lcore.runs - past.runs;
      return [name, String(lcore.id), lcore.state === 'stopped' ? red(lcore.state) : green(lcore.state), count(packets / seconds),
        runs === 0 ? '' : (packets / runs).toFixed(1), packets === 0 ? '' : (calls / packets).toFixed(3), String(lcore.restarts)];
    });
  });
  return table(['appliance', '>lcore', 'state', '>packets/s', '>per vector', '>system calls per packet', '>restarts'], rows);
}

function dropLines(appliances: Appliance[], now: Reading[]): string[] {
  const rows = appliances.flatMap(({ name }, i) =>
    now[i]!.counters.drops.filter(({ packets }) => packets > 0).map((drop) => [name, drop.name, count(drop.packets), dim(drop.text)]));
  return rows.length === 0 ? [dim('no packet dropped')] : table(['dropped', 'reason', '>packets', ''], rows);
}

async function ping(lab: Lab, traffic: Traffic, stop: AbortSignal): Promise<void> {
  while (!stop.aborted) {
    const { received, roundTripMs } = await lab.internet.ping(lab.pods[0]!.floatingIp, 1, 1000);
    traffic.pings++;
    traffic.answered += received;
    traffic.lastMs = roundTripMs[0] ?? 0;
    await pause(500, stop);
  }
}

async function transfer(lab: Lab, traffic: Traffic, stop: AbortSignal): Promise<void> {
  const close = await lab.internet.serve(PORT);
  try {
    while (!stop.aborted) {
      traffic.transfers++;
      const result = await lab.pods[1]!.host.send(lab.internet.address, PORT, TRANSFER_BYTES).catch(() => undefined);
      if (result?.intact) traffic.intact++;
      if (result !== undefined) traffic.lastBitsPerSecond = (8 * result.bytes) / result.seconds;
      await pause(2_000, stop);
    }
  } finally {
    await close();
  }
}

async function pause(milliseconds: number, stop: AbortSignal): Promise<void> {
  await sleep(milliseconds, undefined, { signal: stop }).catch(() => {});
}
