/** The live view: what both appliances forward, second by second, under a trickle of traffic, until it is told to stop. */
import { setTimeout as sleep } from 'node:timers/promises';
import { drawing } from './drawing.ts';
import type { Lab } from './lab.ts';
import { ADDRESSES } from './network.ts';
import { dropLines, interfaceLines, lcoreLines, rates, read, totalLines, type Reading } from './readings.ts';
import { bitRate, bold, count, dim, milliseconds, Screen } from './terminal.ts';

const TRANSFER_BYTES = 8 << 20;
const PORT = 8081;

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
      if (screen !== undefined) screen.draw(page(lab, up, before, now, traffic));
      else for (const line of summary(before, now, traffic)) console.log(line);
      before = now;
    }
  } finally {
    screen?.close();
    await Promise.allSettled(generators);
  }
}

function page(lab: Lab, upSeconds: number, before: Reading[], now: Reading[], traffic: Traffic): string[] {
  const clock = new Date(upSeconds * 1000).toISOString().slice(11, 19);
  return [
    `${bold('wrouter lab')}   up ${clock}   ${dim('Ctrl-C takes everything down')}`,
    '',
    ...drawing(lab),
    '',
    ...interfaceLines(before, now),
    '',
    ...lcoreLines(before, now),
    '',
    `ping  internet → ${lab.pods[0]!.floatingIp}   ${traffic.answered} of ${traffic.pings} answered   ${milliseconds(traffic.lastMs)}`,
    `TCP   ${lab.pods[1]!.name} → internet, ${TRANSFER_BYTES >> 20} MiB each   ${traffic.intact} of ${traffic.transfers} intact   ${bitRate(traffic.lastBitsPerSecond)}`,
    '',
    ...totalLines(now),
    '',
    ...dropLines(now),
    '',
    dim('Look closer from another terminal:'),
    `  export WROUTER_CONTEXT=${lab.contextFile}`,
    `  npm run -s wrouter -- vif --on ${lab.compute.name}`,
    `  npm run -s wrouter -- trace --on ${lab.gateway.name} -i external --src ${ADDRESSES.internet} --dst ${lab.pods[0]!.floatingIp} --tcp 443`,
    '  npm run -s wrouter -- --help',
  ];
}

function summary(before: Reading[], now: Reading[], traffic: Traffic): string[] {
  return now.map((reading, i) => {
    const { packets, bits, drops } = rates(before[i]!, reading);
    return `${reading.appliance}  ${count(packets)} packets/s  ${bitRate(bits)}  ${count(drops)} drops/s  ping ${traffic.answered}/${traffic.pings}  TCP ${traffic.intact}/${traffic.transfers} intact`;
  });
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
