/** vif and ports: interfaces as packets see them, ports as the system does. */
import type { Command } from 'commander';
import type { CountersReply, InterfaceCounters, PortState } from '../../../proto/dataplane.ts';
import { list, rate, show, table, type Column, type Row } from '../output.ts';
import { openViews, rowsOf, type GlobalOptions } from '../target.ts';

interface Interface { row: Row; counters: InterfaceCounters | undefined; port: PortState | undefined }
interface Reading { timeUs: number; interfaces: Interface[] }

const COLUMNS: Column[] = [
  { key: 'id', number: true }, { key: 'name' }, { key: 'kind' }, { key: 'state' }, { key: 'port' }, { key: 'driver' }, { key: 'vrf', number: true },
  { key: 'address' }, { key: 'workload' }, { key: 'mac' },
  { key: 'rx-packets', number: true }, { key: 'rx-bytes', number: true }, { key: 'tx-packets', number: true }, { key: 'tx-bytes', number: true }, { key: 'drops', number: true },
];
const RATES: Column[] = ['rx-pps', 'rx-bit/s', 'tx-pps', 'tx-bit/s', 'drops/s'].map((key) => ({ key, number: true }));

/** What changed between two readings of one interface, a second. */
export function ratesOf(now: InterfaceCounters, before: InterfaceCounters, seconds: number): Record<string, number> {
  const each = (key: 'rxPackets' | 'rxBytes' | 'txPackets' | 'txBytes' | 'drops'): number => (now[key] - before[key]) / seconds;
  return { 'rx-pps': each('rxPackets'), 'rx-bit/s': each('rxBytes') * 8, 'tx-pps': each('txPackets'), 'tx-bit/s': each('txBytes') * 8, 'drops/s': each('drops') };
}

function flat({ row, counters, port }: Interface): Row {
  return {
    ...row, driver: port?.port?.driver, mode: port?.mode,
    ...(counters && { 'rx-packets': counters.rxPackets, 'rx-bytes': counters.rxBytes, 'tx-packets': counters.txPackets, 'tx-bytes': counters.txBytes, drops: counters.drops }),
  };
}

/** One interface in full, as `vif --get` shows it. */
function block(entry: Interface): string {
  const row = flat(entry);
  return list([
    ['interface', `${row['id']} ${row['name'] ?? ''}`], ['kind', row['kind']], ['state', row['state']],
    ['port', [row['port'], row['driver'], row['mode']].filter(Boolean).join(', ')], ['problem', entry.port?.problem],
    ['vrf', [row['vrf'], row['vrf-name']].filter((part) => part !== undefined).join(' ')],
    ['address', row['address']], ['workload', row['workload']], ['mac', row['mac']], ['mtu', row['mtu']], ['vlan', row['vlan']], ['parent', row['parent']], ['flags', row['flags']],
    ['received', entry.counters && `${entry.counters.rxPackets} packets, ${entry.counters.rxBytes} bytes`],
    ['transmitted', entry.counters && `${entry.counters.txPackets} packets, ${entry.counters.txBytes} bytes`],
    ['drops', entry.counters?.drops],
  ]);
}

export function interfaceCommands(program: Command, global: () => GlobalOptions): void {
  program.command('vif [interface]').description('interfaces with their VRF, addresses, port and counters; with --watch, rates')
    .addHelpText('after', `
Examples:
  wrouter vif                 all interfaces
  wrouter vif pod-1           one, in full (by its number, name, or the end of its name)
  wrouter vif --watch         packets and bits a second`)
    .action(async (wanted: string | undefined) => {
      const views = openViews(global());
      try {
        await show<Reading>({
          read: async () => {
            const [rows, counters, { ports }] = await Promise.all([rowsOf(views, { table: 'interface' }), views.counters(), views.ports()]);
            return { timeUs: counters.timeUs, interfaces: rows.filter((row) => isCalled(row, wanted)).map((row) => joined(row, counters, ports)) };
          },
          json: ({ interfaces }) => interfaces.map(flat),
          text: (now, before) => {
            if (now.interfaces.length === 0) return wanted ? `no interface "${wanted}"` : 'no interfaces';
            if (wanted !== undefined && before === undefined) return now.interfaces.map(block).join('\n\n');
            return table([...COLUMNS, ...(before ? RATES : [])], now.interfaces.map((entry) => ({ ...flat(entry), ...(before && shownRates(entry, now, before)) })), '');
          },
        }, global());
      } finally {
        views.close();
      }
    });

  program.command('ports').description('ports: driver, mode, queues, and why one is not up')
    .action(async () => {
      const views = openViews(global());
      try {
        await show<PortState[]>({
          read: async () => (await views.ports()).ports,
          json: (ports) => ports,
          text: (ports) => table(
            [{ key: 'name' }, { key: 'state' }, { key: 'driver' }, { key: 'device' }, { key: 'mode' }, { key: 'mac' }, { key: 'mtu', number: true }, { key: 'queues' }, { key: 'interface', number: true }, { key: 'missed', number: true }, { key: 'tx-errors', number: true }, { key: 'problem' }],
            ports.map(({ port, up, mode, mac, mtu, queues, interface: bound, missed, txErrors, problem }) => ({
              name: port?.name, state: up ? 'up' : 'down', driver: port?.driver, device: port?.device, mode, mac, mtu: mtu || undefined, queues: queues.join(' '), interface: bound || undefined, missed: missed || undefined, 'tx-errors': txErrors || undefined, problem,
            })), 'no ports'),
        }, global());
      } finally {
        views.close();
      }
    });
}

function isCalled(row: Row, wanted: string | undefined): boolean {
  const name = String(row['name'] ?? '');
  return wanted === undefined || String(row['id']) === wanted || name === wanted || name.endsWith(`:${wanted}`) || row['port'] === wanted;
}

function joined(row: Row, counters: CountersReply, ports: readonly PortState[]): Interface {
  return { row, counters: counters.interfaces.find(({ id }) => id === Number(row['id'])), port: ports.find(({ port }) => port?.name === row['port']) };
}

function shownRates(entry: Interface, now: Reading, before: Reading): Row {
  const last = before.interfaces.find(({ row }) => row['id'] === entry.row['id'])?.counters;
  const seconds = (now.timeUs - before.timeUs) / 1e6;
  if (!entry.counters || !last || seconds <= 0) return {};
  return Object.fromEntries(Object.entries(ratesOf(entry.counters, last, seconds)).map(([key, value]) => [key, rate(value)]));
}
