/**
 * Measures, and says how the figures stand to the bars.
 *
 *   npm run bench                                  every group
 *   npm run bench -- --only forwarding             one group
 *   npm run bench -- --only sync/floating-ip       one part of it
 *   npm run bench -- --only forwarding --json FILE writes [{name, value, unit, against, ratio, bar, met}] too
 *
 * Exit code 0 when the measurement itself is sound: a missed bar is a result, not an error. Timings of a busy machine are noise;
 * ratios are medians of interleaved rounds.
 */
import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { toJson, toTable } from './rows.ts';
import type { Group, Row } from './rows.ts';

const GROUPS: Record<string, () => Promise<Group>> = {
  bgp: async () => (await import('./groups/bgp.ts')).bgp,
  controller: async () => (await import('./groups/controller.ts')).controller,
  forwarding: async () => (await import('./groups/forwarding.ts')).forwarding,
  image: async () => (await import('./groups/image.ts')).image,
  kubernetes: async () => (await import('./groups/kubernetes.ts')).kubernetes,
  sync: async () => (await import('./groups/sync.ts')).sync,
  tables: async () => ({ tables: (await import('./groups/tables.ts')).tables }),
};

const { values: options } = parseArgs({ options: { only: { type: 'string' }, json: { type: 'string' } } });
const [wantedGroup, wantedPart] = options.only?.split('/') ?? [];
if (wantedGroup !== undefined && !Object.hasOwn(GROUPS, wantedGroup)) refuse(`there is no such group; groups are ${Object.keys(GROUPS).join(', ')}`);

const rows: Row[] = [];
for (const [name, load] of Object.entries(GROUPS)) {
  if (wantedGroup !== undefined && wantedGroup !== name) continue;
  const group = await load();
  if (wantedPart !== undefined && !Object.hasOwn(group, wantedPart)) refuse(`${name} has no such part; parts are ${Object.keys(group).join(', ')}`);
  for (const [part, measure] of Object.entries(group)) {
    if (wantedPart === undefined || wantedPart === part) await measure(take);
  }
}
console.log(toTable(rows));
if (options.json !== undefined) writeFileSync(options.json, toJson(rows));

function take(row: Row): void {
  rows.push(row);
  if (process.stderr.isTTY) process.stderr.write(`${row.name}: ${row.value.toFixed(2)} ${row.unit}\n`);
}

function refuse(why: string): never {
  console.error(`--only ${options.only}: ${why}`);
  process.exit(2);
}
