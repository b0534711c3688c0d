/** Random records: no trap, and the tables are what the accepted ones say. */
// limit: 600 s
import { parseArgs } from 'node:util';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { releaseMemory } from '../fixtures/release-memory.ts';
import { ApplyFuzzer } from './apply.ts';

const { values: options } = parseArgs({ options: { seed: { type: 'string', default: '1' }, worlds: { type: 'string', default: '12' } } });
const STEPS = 400;
const CHECK_EVERY = 20;
const RESYNC_EVERY = 100;

test('random records leave the tables as the accepted ones say', () => {
  const results = new Map<number, number>();
  for (let seed = Number(options.seed); seed < Number(options.seed) + Number(options.worlds); seed += 1) {
    releaseMemory();
    const fuzzer = new ApplyFuzzer(seed);
    for (let step = 1; step <= STEPS; step += 1) {
      try {
        fuzzer.step();
        if (step % RESYNC_EVERY === 0) fuzzer.resync();
        if (step % CHECK_EVERY === 0) fuzzer.check();
      } catch (error) {
        throw new Error(`seed ${seed}, step ${step}: ${error instanceof Error ? error.message : String(error)}`);
      }
    }
    for (const [result, count] of fuzzer.results) results.set(result, (results.get(result) ?? 0) + count);
  }
  const accepted = results.get(0) ?? 0;
  assert.ok(accepted > 5_000, `only ${accepted} records were accepted: the fuzzer does not reach the tables`);
  console.log([...results].sort(([a], [b]) => a - b).map(([result, count]) => `result ${result}: ${count}`).join(', '));
});

test.run();
