/** What the bench prints and writes. */

export interface Row {
  readonly name: string;
  readonly value: number;
  readonly unit: string;
  /** What the value is compared with, where there is such a thing: its name and figure in the same unit. */
  readonly against?: { readonly name: string; readonly value: number };
  /** value : against, or the median of the rounds' ratios. */
  readonly ratio?: number;
  /** Bar of the ratio, or of the value where nothing is compared. */
  readonly bar?: { readonly kind: '≤' | '≥'; readonly limit: number };
}

/** Parts of a group by name, each of which stands for itself. */
export type Group = Readonly<Record<string, (report: (row: Row) => void) => Promise<void>>>;

/** Whether the row's bar is met; undefined without one. */
export function isMet({ value, ratio, bar }: Row): boolean | undefined {
  if (!bar) return undefined;
  const measured = ratio ?? value;
  return bar.kind === '≤' ? measured <= bar.limit : measured >= bar.limit;
}

/** Rows as `--json` writes them. */
export function toJson(rows: readonly Row[]): string {
  const plain = rows.map((row) => ({
    name: row.name, value: row.value, unit: row.unit, against: row.against ?? null, ratio: row.ratio ?? null,
    bar: row.bar ? `${row.bar.kind} ${row.bar.limit}` : null, met: isMet(row) ?? null,
  }));
  return `${JSON.stringify(plain, null, 2)}\n`;
}

/** Rows as a table for people. */
export function toTable(rows: readonly Row[]): string {
  const cells = rows.map((row) => [
    row.name, `${figure(row.value)} ${row.unit}`, row.against ? `${row.against.name} ${figure(row.against.value)}` : '',
    row.ratio === undefined ? '' : row.ratio.toFixed(3), row.bar ? `${row.bar.kind} ${row.bar.limit}` : '',
    { true: 'met', false: 'MISSED', undefined: '' }[String(isMet(row)) as 'true' | 'false' | 'undefined'],
  ]);
  const all = [['', 'value', 'against', 'ratio', 'bar', ''], ...cells];
  const widths = all[0]?.map((_, column) => Math.max(...all.map((line) => line[column]?.length ?? 0))) ?? [];
  return all.map((line) => line.map((cell, column) => (column === 0 ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0))).join('  ').trimEnd()).join('\n');
}

function figure(value: number): string {
  if (value >= 1000) return Math.round(value).toLocaleString('en-GB');
  return value >= 100 ? value.toFixed(0) : value >= 10 ? value.toFixed(1) : value.toFixed(2);
}
