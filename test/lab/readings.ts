/** Counters of an appliance at a moment, and what happened between two moments, as lines for people. */
import type { CountersReply, Lcore } from '../../proto/dataplane.ts';
import type { Appliance } from './appliance.ts';
import { bitRate, count, dim, green, red, table } from './terminal.ts';

/** Cumulative counts. */
export interface Reading {
  appliance: string;
  counters: CountersReply;
  lcores: Lcore[];
  /** Frames that came while the kernel had no room for them; the data plane never saw them. */
  missed: number;
}

export async function read({ name, dataplane }: Appliance): Promise<Reading> {
  const [counters, { lcores }, { ports }] = await Promise.all([dataplane.counters(), dataplane.lcores(), dataplane.ports()]);
  return { appliance: name, counters, lcores, missed: ports.reduce((sum, port) => sum + port.missed, 0) };
}

/** Per second, over all interfaces: packets and bits received, packets dropped. */
export function rates(before: Reading, now: Reading): { packets: number; bits: number; drops: number } {
  const seconds = secondsBetween(before, now);
  const bytes = ({ counters }: Reading): number => counters.interfaces.reduce((sum, { rxBytes }) => sum + rxBytes, 0);
  return {
    packets: (now.counters.received - before.counters.received) / seconds,
    bits: (8 * (bytes(now) - bytes(before))) / seconds,
    drops: (now.counters.dropped - before.counters.dropped) / seconds,
  };
}

export function interfaceLines(before: readonly Reading[], now: readonly Reading[]): string[] {
  const rows = now.flatMap((reading, i) => {
    const seconds = secondsBetween(before[i]!, reading);
    return reading.counters.interfaces.map((current) => {
      const past = before[i]!.counters.interfaces.find(({ id }) => id === current.id) ?? current;
      const rate = (key: 'rxPackets' | 'rxBytes' | 'txPackets' | 'txBytes'): number => (current[key] - past[key]) / seconds;
      return [reading.appliance, current.name, count(rate('rxPackets')), bitRate(8 * rate('rxBytes')), count(rate('txPackets')), bitRate(8 * rate('txBytes')), count(current.drops)];
    });
  });
  return table(['appliance', 'interface', '>rx packets/s', '>rx', '>tx packets/s', '>tx', '>drops'], rows);
}

export function lcoreLines(before: readonly Reading[], now: readonly Reading[]): string[] {
  const rows = now.flatMap((reading, i) => {
    const seconds = secondsBetween(before[i]!, reading);
    const vector = packetsPerVector(before[i]!, reading);
    return reading.lcores.map((lcore) => {
      const past = before[i]!.lcores.find(({ id }) => id === lcore.id) ?? lcore;
      const packets = lcore.packets - past.packets;
      const calls = lcore.polls + lcore.kicks - past.polls - past.kicks;
      return [reading.appliance, String(lcore.id), lcore.state === 'stopped' ? red(lcore.state) : green(lcore.state), count(packets / seconds),
        vector, packets === 0 ? '' : (calls / packets).toFixed(3), String(lcore.restarts)];
    });
  });
  return table(['appliance', '>lcore', 'state', '>packets/s', '>packets per vector', '>system calls per packet', '>restarts'], rows);
}

export function totalLines(now: readonly Reading[]): string[] {
  const rows = now.map(({ appliance, counters, missed }) =>
    [appliance, ...[counters.received, counters.originated, counters.transmitted, counters.dropped, counters.held, missed].map(count)]);
  return table(['appliance', '>received', '>originated', '>transmitted', '>dropped', '>held', '>missed by the kernel'], rows);
}

export function dropLines(now: readonly Reading[]): string[] {
  const rows = now.flatMap(({ appliance, counters }) =>
    counters.drops.filter(({ packets }) => packets > 0).map((drop) => [appliance, drop.name, count(drop.packets), dim(drop.text)]));
  return rows.length === 0 ? [dim('no packet was dropped')] : table(['dropped by', 'reason', '>packets', ''], rows);
}

/** Packets that died of a reason that drops.json does not know: there must be none. */
export function unnamedDrops({ drops }: CountersReply): number {
  return drops.filter(({ text }) => text === '').reduce((sum, { packets }) => sum + packets, 0);
}

/** Of all lcores: what one round through the graph carried. */
function packetsPerVector(before: Reading, now: Reading): string {
  const receive = ({ counters }: Reading): { packets: number; bytes: number } => counters.nodes.find(({ name }) => name === 'receive') ?? { packets: 0, bytes: 0 };
  const vectors = receive(now).bytes - receive(before).bytes; // proto/dataplane.proto: a node's "bytes" are vectors
  return vectors === 0 ? '' : ((receive(now).packets - receive(before).packets) / vectors).toFixed(1);
}

function secondsBetween(before: Reading, now: Reading): number {
  return Math.max(0.001, (now.counters.timeUs - before.counters.timeUs) / 1e6);
}
