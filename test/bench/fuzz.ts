/** Mutated frames through the core, by the fuzzer of the tests: none may trap. */
import { fuzz } from '../fuzz/fuzz.ts';
import type { Row } from './rows.ts';

const FRAMES = 10_000_000;
const WORLD_FRAMES = 500_000;
const SEED = 1;

export async function fuzzRows(report: (row: Row) => void, frames = FRAMES): Promise<void> {
  const started = performance.now();
  let traps = 0;
  try {
    fuzz(frames, SEED, WORLD_FRAMES, () => {});
  } catch (error) {
    if (!(error instanceof WebAssembly.RuntimeError)) throw error;
    console.error(error.stack);
    traps++;
  }
  report({ name: `fuzz: traps in ${frames.toLocaleString('en-GB')} mutated frames`, value: traps, unit: 'traps', bar: { kind: '≤', limit: 0 } });
  report({ name: 'fuzz: every frame also checked for writes outside of it, and accounted for', value: (performance.now() - started) / 1000, unit: 's' });
}
