/** The whole scenario as a user starts it: from a built checkout until the last check of the walk holds. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { Row } from '../rows.ts';

const ROOT = fileURLToPath(new URL('../../../', import.meta.url));
const LIMIT_S = 240;

export async function onceRows(report: (row: Row) => void): Promise<void> {
  const started = performance.now();
  const child = spawn(process.execPath, ['firmware/bootstrap.mjs', 'test/lab/start.ts', '--once'], { cwd: ROOT, stdio: ['ignore', 'ignore', 'inherit'] });
  const [code] = await once(child, 'exit') as [number | null];
  report({ name: 'npm start -- --once, of a built checkout', value: (performance.now() - started) / 1000, unit: 's', bar: { kind: '≤', limit: LIMIT_S } });
  report({ name: 'npm start -- --once: exit code', value: code ?? Number.NaN, unit: '', bar: { kind: '≤', limit: 0 } });
}
