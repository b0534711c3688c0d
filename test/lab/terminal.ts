/** Plain ANSI output: colours where the terminal has them, columns, numbers for people. */

const coloured = process.env['NO_COLOR'] === undefined && (process.stdout.isTTY === true || process.env['FORCE_COLOR'] === '1');
const paint = (code: number) => (text: string): string => (coloured ? `\x1b[${code}m${text}\x1b[0m` : text);

export const bold = paint(1);
export const dim = paint(2);
export const red = paint(31);
export const green = paint(32);
export const cyan = paint(36);

/** Width on the screen. All characters of ours are one column wide. */
function width(text: string): number {
  return [...text.replace(/\x1b\[\d+m/g, '')].length;
}

export function pad(text: string, columns: number): string {
  return text + ' '.repeat(Math.max(0, columns - width(text)));
}

export function padLeft(text: string, columns: number): string {
  return ' '.repeat(Math.max(0, columns - width(text))) + text;
}

/** Rows under dimmed headings; a column whose heading begins with ">" is aligned right (numbers). */
export function table(headings: readonly string[], rows: readonly (readonly string[])[]): string[] {
  const right = headings.map((heading) => heading.startsWith('>'));
  const titles = headings.map((heading) => heading.replace(/^>/, ''));
  const widths = titles.map((title, column) => Math.max(width(title), ...rows.map((row) => width(row[column] ?? ''))));
  const line = (cells: readonly string[]): string =>
    cells.map((cell, column) => (right[column] ? padLeft(cell, widths[column]!) : pad(cell, widths[column]!))).join('  ').trimEnd();
  return [dim(line(titles)), ...rows.map(line)];
}

/** 1234567 → "1,234,567". */
export function count(value: number): string {
  return Math.round(value).toLocaleString('en-US');
}

/** Bits per second with a unit: 612_000_000 → "612 Mbit/s". */
export function bitRate(bitsPerSecond: number): string {
  const units = ['bit/s', 'kbit/s', 'Mbit/s', 'Gbit/s'];
  let [value, unit] = [bitsPerSecond, 0];
  while (value >= 1000 && unit < units.length - 1) [value, unit] = [value / 1000, unit + 1];
  return `${value >= 100 || unit === 0 ? value.toFixed(0) : value.toPrecision(3)} ${units[unit]!}`;
}

export function milliseconds(value: number): string {
  return `${value >= 10 ? value.toFixed(0) : value.toFixed(2)} ms`;
}

/** One screen that is drawn over itself, in the terminal's alternate buffer; `close` gives the terminal back as it was. */
export class Screen {
  constructor() {
    process.stdout.write('\x1b[?1049h\x1b[?25l');
  }

  draw(lines: readonly string[]): void {
    const visible = lines.slice(0, (process.stdout.rows ?? 40) - 1);
    process.stdout.write(`\x1b[H${visible.map((line) => `${line}\x1b[K\n`).join('')}\x1b[J`);
  }

  close(): void {
    process.stdout.write('\x1b[?25h\x1b[?1049l');
  }
}
