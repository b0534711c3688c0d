/**
 * Measures, and says how the figures stand to the bars.
 *
 *   npm run bench                                  every group
 *   npm run bench -- --only forwarding             one group
 *   npm run bench -- --only forwarding --json FILE writes [{name, value, unit, against, ratio, bar, met}] too
 *
 * Exit code 0 when the measurement itself is sound: a missed bar is a result, not an error. Timings of a busy machine are noise;
 * ratios are medians of interleaved rounds.
 */
import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { toJson, toTable } from './rows.ts';
import type { Row } from './rows.ts';

type Group = (report: (row: Row) => void) => Promise<void>;

const GROUPS: Record<string, () => Promise<Group>> = {
  bgp: async () => (await import('./groups/bgp.ts')).bgp,
  forwarding: async () => (await import('./groups/forwarding.ts')).forwarding,
  sync: async () => (await import('./groups/sync.ts')).sync,
  tables: async () => (await import('./groups/tables.ts')).tables,
};

const { values: options } = parseArgs({ options: { only: { type: 'string' }, json: { type: 'string' } } });
if (options.only !== undefined && !Object.hasOwn(GROUPS, options.only)) {
  console.error(`--only ${options.only}: there is no such group; groups are ${Object.keys(GROUPS).join(', ')}`);
  process.exit(2);
}

const rows: Row[] = [];
for (const [name, load] of Object.entries(GROUPS)) {
  if (options.only !== undefined && options.only !== name) continue;
  const group = await load();
  await group((row) => {
    rows.push(row);
    if (process.stderr.isTTY) process.stderr.write(`${row.name}: ${row.value.toFixed(2)} ${row.unit}\n`);
  });
}
console.log(toTable(rows));
if (options.json !== undefined) writeFileSync(options.json, toJson(rows));
