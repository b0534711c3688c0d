/** Tables for people, JSON and YAML for scripts, and a screen that is drawn again and again for `--watch`. */
import { stringify } from 'yaml';
import { setTimeout as sleep } from 'node:timers/promises';

/** The command line is wrong: said without a stack, exit code 2. */
export class UsageError extends Error {}

export interface Column {
  key: string;
  /** Heading; the key in capitals when left out. */
  title?: string;
  /** Numbers are flush right, with thousands apart. */
  number?: boolean;
}
export type Row = Readonly<Record<string, string | number | undefined>>;

/** A table; columns in which no row has anything are left out. `empty` is said when there are no rows. */
export function table(columns: readonly Column[], rows: readonly Row[], empty: string): string {
  if (rows.length === 0) return empty;
  const shown = columns.filter(({ key }) => rows.some((row) => row[key] !== undefined && row[key] !== ''));
  const cells = rows.map((row) => shown.map(({ key, number }) => cell(row[key], number)));
  const heads = shown.map(({ key, title }) => title ?? key.toUpperCase());
  const widths = heads.map((head, at) => Math.max(head.length, ...cells.map((line) => line[at]!.length)));
  const line = (texts: readonly string[]): string => texts
    .map((text, at) => (shown[at]!.number ? text.padStart(widths[at]!) : text.padEnd(widths[at]!))).join('  ').trimEnd();
  return [line(heads), ...cells.map(line)].join('\n');
}

function cell(value: string | number | undefined, number = false): string {
  if (value === undefined) return '';
  return number && typeof value === 'number' ? count(value) : String(value);
}

/** "12 345 678"; fractions with one digit. */
export function count(value: number): string {
  const text = Number.isInteger(value) ? String(value) : value.toFixed(1);
  return text.replace(/\B(?=(\d{3})+(?!\d))/g, ' ');
}

/** A rate with a unit's prefix: "1.25 M". Three digits are enough for the eye. */
export function rate(perSecond: number): string {
  const [divisor, prefix] = perSecond >= 1e9 ? [1e9, ' G'] : perSecond >= 1e6 ? [1e6, ' M'] : perSecond >= 1e4 ? [1e3, ' k'] : [1, ''];
  return `${(perSecond / divisor).toFixed(divisor === 1 ? 0 : 2)}${prefix}`;
}

/** Names and values below each other; what is empty is left out. */
export function list(pairs: readonly (readonly [string, string | number | undefined])[]): string {
  const shown = pairs.filter(([, value]) => value !== undefined && value !== '');
  const width = Math.max(0, ...shown.map(([name]) => name.length));
  return shown.map(([name, value]) => `${name.padEnd(width)}  ${value}`).join('\n');
}

export interface OutputOptions { output: 'table' | 'json' | 'yaml'; watch?: number | undefined }

/** What a command shows: a reading, as JSON or as text; with a reading before, the text has rates. */
export interface View<Reading> {
  read(): Promise<Reading>;
  json(now: Reading): unknown;
  text(now: Reading, before: Reading | undefined): string;
}

/** Shows a view once, or until interrupted every `watch` seconds. JSON under --watch is a line a reading. */
export async function show<Reading>(view: View<Reading>, { output, watch }: OutputOptions): Promise<void> {
  let before: Reading | undefined;
  for (;;) {
    const now = await view.read();
    if (output === 'json') console.log(JSON.stringify(view.json(now), bytesAsHex, watch === undefined ? 2 : 0));
    else if (output === 'yaml') console.log(`${watch === undefined ? '' : '---\n'}${stringify(JSON.parse(JSON.stringify(view.json(now), bytesAsHex))).trimEnd()}`);
    else if (watch === undefined) console.log(view.text(now, undefined));
    else screen(view.text(now, before));
    if (watch === undefined) return;
    before = now;
    await sleep(watch * 1000);
  }
}

/** Draws from the top left and clears what was longer before: no flicker. Not a terminal: one after another. */
function screen(text: string): void {
  if (!process.stdout.isTTY) {
    console.log(`${text}\n`);
    return;
  }
  const lines = text.split('\n').slice(0, Math.max(1, (process.stdout.rows ?? 1000) - 1));
  process.stdout.write(`\x1b[H${lines.map((line) => `${line}\x1b[K\n`).join('')}\x1b[J`);
}

/** Buffers as hex: what people compare with a capture. */
function bytesAsHex(_key: string, value: unknown): unknown {
  const { type, data } = (value ?? {}) as { type?: unknown; data?: unknown };
  return type === 'Buffer' && Array.isArray(data) ? Buffer.from(data as number[]).toString('hex') : value;
}
