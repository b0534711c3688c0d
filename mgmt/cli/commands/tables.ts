/** rt, nh, mpls, fip, neigh, vrf: one table each, in the columns of docs/tables.md; what a later data plane adds comes after. */
import { isIPv4 } from 'node:net';
import type { Command } from 'commander';
import { show, table, UsageError, type Column, type Row } from '../output.ts';
import { openViews, rowsOf, type GlobalOptions, type Views } from '../target.ts';

const NUMBERS = new Set(['id', 'vrf', 'nexthop', 'label', 'mtu', 'routes', 'bytes', 'mss', 'order', 'references', 'interface', 'vlan', 'age-ms', 'held']);

export const COLUMNS: Readonly<Record<string, readonly string[]>> = {
  vrf: ['id', 'name', 'kind', 'routes', 'bytes', 'mss', 'flags'],
  route: ['prefix', 'nexthop', 'kind', 'text', 'flags'],
  nexthop: ['id', 'kind', 'text', 'interface', 'remote', 'local', 'label', 'vrf', 'members', 'mac', 'mtu', 'flags', 'references'],
  label: ['label', 'nexthop', 'kind', 'text'],
  'floating-ip': ['public', 'private', 'interface', 'interface-name', 'vrf', 'vrf-name', 'direction', 'order'],
  neighbour: ['interface', 'interface-name', 'address', 'mac', 'state', 'age-ms', 'held'],
};

/** Known columns in their order, then whatever else the rows have. */
export function columnsOf(name: string, rows: readonly Row[]): Column[] {
  const known = COLUMNS[name] ?? [];
  const others = [...new Set(rows.flatMap((row) => Object.keys(row)))].filter((key) => !known.includes(key));
  return [...known, ...others].map((key) => ({ key, number: NUMBERS.has(key) }));
}

/** Four bytes of "10.0.0.1" or of the address in "10.0.0.0/8". */
export function addressBytes(text: string): Buffer {
  const address = text.split('/')[0]!;
  if (!isIPv4(address)) throw new UsageError(`"${text}" is not an IPv4 address or prefix`);
  return Buffer.from(address.split('.').map(Number));
}

/** A VRF by its number, or by its name or the end of it ("k8s-default-pod-network"). */
async function vrfId(views: Views, text: string): Promise<number> {
  if (/^\d+$/.test(text)) return Number(text);
  const vrfs = await rowsOf(views, { table: 'vrf' });
  const found = vrfs.filter(({ name }) => name === text || String(name).endsWith(`:${text}`));
  if (found.length === 1) return Number(found[0]!['id']);
  const names = vrfs.map(({ id, name }) => `${id} ${name ?? ''}`.trim()).join(', ');
  throw new UsageError(found.length ? `"${text}" is the end of ${found.length} VRFs' names: ${names}` : `no VRF "${text}"; there are ${names || 'none'}`);
}

interface Kept { key: string; value: string | undefined }

/** Prints the rows of a table, of one value when asked. */
async function print(options: GlobalOptions, name: string, empty: string, request: (views: Views) => Promise<{ vrf?: number; prefix?: Buffer }>, kept?: Kept): Promise<void> {
  const views = openViews(options);
  try {
    const asked = { table: name, ...(await request(views)) };
    await show<Row[]>({
      read: async () => (await rowsOf(views, asked)).filter((row) => kept?.value === undefined || String(row[kept.key]) === kept.value),
      json: (rows) => rows,
      text: (rows) => table(columnsOf(name, rows), rows, empty),
    }, options);
  } finally {
    views.close();
  }
}

export function tableCommands(program: Command, global: () => GlobalOptions): void {
  const all = async (): Promise<{}> => ({});

  program.command('rt <vrf> [prefix]').description('routes of a VRF; with an address, the one that it matches')
    .addHelpText('after', `
Examples:
  wrouter rt 2                                    all routes of VRF 2
  wrouter rt k8s-default-pod-network 10.32.0.3    the route that 10.32.0.3 takes`)
    .action((vrf: string, prefix: string | undefined) => print(global(), 'route', prefix ? `no route to ${prefix} in VRF ${vrf}` : `VRF ${vrf} has no routes`,
      async (views) => ({ vrf: await vrfId(views, vrf), ...(prefix === undefined ? {} : { prefix: addressBytes(prefix) }) })));

  program.command('nh [id]').description('next hops')
    .addHelpText('after', '\nExample:\n  wrouter nh 17    tunnel, interface or group number 17, and how many refer to it')
    .action((id: string | undefined) => print(global(), 'nexthop', id ? `no next hop ${id}` : 'no next hops', all, { key: 'id', value: id }));

  program.command('mpls [label]').description('MPLS labels and their next hops')
    .action((label: string | undefined) => print(global(), 'label', label ? `no label ${label}` : 'no labels', all, { key: 'label', value: label }));

  program.command('fip [address]').description('floating IPs: public address, private address, interface')
    .action((address: string | undefined) => print(global(), 'floating-ip', address ? `no floating IP ${address}` : 'no floating IPs', all, { key: 'public', value: address }));

  program.command('neigh').description('neighbours: addresses resolved by ARP, or given by the controller')
    .action(() => print(global(), 'neighbour', 'no neighbours', all));

  program.command('vrf [id]').description('VRFs: lookup structure, routes, memory')
    .action((id: string | undefined) => print(global(), 'vrf', id ? `no VRF ${id}` : 'no VRFs', all, { key: 'id', value: id }));
}
