/** drops, counters, lcores: where packets went, and what the work cost. */
import type { Command } from 'commander';
import type { CountersReply, DropLogEntry, LcoresReply, NamedCounter } from '../../../proto/dataplane.ts';
import { count, list, rate, show, table, UsageError, type Column } from '../output.ts';
import { openViews, type GlobalOptions } from '../target.ts';

/** Packets a second of one counter between two readings; undefined without an earlier one. */
function perSecond(now: NamedCounter, before: readonly NamedCounter[] | undefined, seconds: number): string | undefined {
  if (!before || seconds <= 0) return undefined;
  return rate((now.packets - (before.find(({ id }) => id === now.id)?.packets ?? 0)) / seconds);
}

const secondsBetween = (now: CountersReply, before: CountersReply | undefined): number => (before ? (now.timeUs - before.timeUs) / 1e6 : 0);

const COLUMNS: Column[] = [{ key: 'name' }, { key: 'packets', number: true }, { key: 'bytes', number: true }, { key: 'pps', number: true }, { key: 'text', title: 'MEANING' }];

function named(title: string, now: CountersReply, before: CountersReply | undefined, which: 'vrfs' | 'nexthops' | 'nodes' | 'drops', bytes = 'BYTES'): string {
  const seconds = secondsBetween(now, before);
  const rows = now[which].filter(({ packets }) => packets > 0)
    .map((each) => ({ name: each.name || String(each.id), packets: each.packets, bytes: each.bytes || undefined, pps: perSecond(each, before?.[which], seconds), text: each.text }));
  return `${title}\n${table(COLUMNS.map((column) => (column.key === 'bytes' ? { ...column, title: bytes } : column)), rows, '  none')}`;
}

/** received + originated = transmitted + dropped + held, and by how much that fails now. */
export function balance({ received, originated, transmitted, dropped, held }: CountersReply): string {
  const missing = received + originated - transmitted - dropped - held;
  return `${count(received)} received + ${count(originated)} originated = ${count(transmitted)} transmitted + ${count(dropped)} dropped + ${count(held)} held`
    + (missing === 0 ? '' : `  (${count(missing)} on the way)`);
}

/** Time of the data plane's clock as seconds, and what died then. */
function logLine(entry: DropLogEntry): Record<string, string | number> {
  return {
    time: (entry.timeUs / 1e6).toFixed(6), reason: entry.reason, node: entry.node, interface: entry.interfaceName || entry.interface,
    vrf: entry.vrf, nexthop: entry.nexthop, lcore: entry.lcore, packet: entry.summary,
  };
}

function positive(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1) throw new UsageError(`"${text}" is not a whole number above 0`);
  return value;
}

export function counterCommands(program: Command, global: () => GlobalOptions): void {
  program.command('drops').description('dropped packets by reason; with --log, the last ones')
    .option('--all', 'also reasons that never occurred, if the appliance tells them')
    .option('--log [n]', 'the last n dropped packets (20): when, where, why, which', (text: string) => positive(text))
    .addHelpText('after', `
Examples:
  wrouter drops --watch       what is dropped now, a second
  wrouter drops --log 50      the last fifty packets that died, with their addresses
The reasons are explained in docs/drops.md.`)
    .action(async ({ all, log }: { all?: true; log?: number | true }) => {
      const views = openViews(global());
      try {
        if (log !== undefined) {
          const last = log === true ? 20 : log;
          await show<DropLogEntry[]>({
            read: async () => (await views.dropLog({ last })).entries,
            json: (entries) => entries,
            text: (entries) => table(['time', 'reason', 'node', 'interface', 'vrf', 'nexthop', 'lcore', 'packet'].map((key) => ({ key })), entries.map(logLine), 'nothing was dropped'),
          }, global());
          return;
        }
        await show<CountersReply>({
          read: () => views.counters(),
          json: ({ drops, dropped }) => ({ dropped, drops: drops.filter(({ packets }) => all || packets > 0) }),
          text: (now, before) => {
            const rows = now.drops.filter(({ packets }) => all || packets > 0).sort((a, b) => b.packets - a.packets)
              .map((each) => ({ reason: each.name, packets: each.packets, pps: perSecond(each, before?.drops, secondsBetween(now, before)), text: each.text }));
            return table([{ key: 'reason' }, { key: 'packets', number: true }, { key: 'pps', number: true }, { key: 'text', title: 'MEANING' }], rows, 'nothing was dropped');
          },
        }, global());
      } finally {
        views.close();
      }
    });

  program.command('counters').description('totals, and packets per node, VRF, next hop and drop reason; with --watch, rates')
    .action(async () => {
      const views = openViews(global());
      try {
        await show<CountersReply>({
          read: () => views.counters(),
          json: (now) => now,
          text: (now, before) => [
            balance(now), named('NODES', now, before, 'nodes', 'VECTORS'), named('VRFS', now, before, 'vrfs'), named('NEXT HOPS', now, before, 'nexthops'), named('DROPS', now, before, 'drops'),
          ].join('\n\n'),
        }, global());
      } finally {
        views.close();
      }
    });

  program.command('lcores').description('lcores: their queues, packets per round, system calls per packet, restarts')
    .action(async () => {
      const views = openViews(global());
      try {
        await show<LcoresReply & { at: number }>({
          read: async () => ({ ...(await views.lcores()), at: performance.now() }),
          json: ({ lcores }) => lcores,
          text: lcoreTable,
        }, global());
      } finally {
        views.close();
      }
    });
}

function lcoreTable(now: LcoresReply & { at: number }, before: (LcoresReply & { at: number }) | undefined): string {
  const rows = now.lcores.map((lcore) => {
    const last = before?.lcores.find(({ id }) => id === lcore.id);
    const calls = lcore.polls + lcore.kicks;
    return {
      id: lcore.id, state: lcore.state, queues: lcore.queues.join(' '), packets: lcore.packets, pps: last && rate(((lcore.packets - last.packets) * 1000) / (now.at - before!.at)),
      'per-round': lcore.runs ? (lcore.packets / lcore.runs).toFixed(1) : undefined, polls: lcore.polls, kicks: lcore.kicks,
      calls: lcore.packets ? (calls / lcore.packets).toFixed(3) : undefined, restarts: lcore.restarts,
      gap: lcore.restarts ? `${lcore.lastRestartGapMs.toFixed(1)} ms` : undefined,
    };
  });
  return table([
    { key: 'id', number: true }, { key: 'state' }, { key: 'queues' }, { key: 'packets', number: true }, { key: 'pps', number: true }, { key: 'per-round', title: 'PACKETS/ROUND', number: true },
    { key: 'polls', number: true }, { key: 'kicks', number: true }, { key: 'calls', title: 'CALLS/PACKET', number: true }, { key: 'restarts', number: true }, { key: 'gap', title: 'LAST GAP' },
  ], rows, list([['lcores', 'none']]));
}
