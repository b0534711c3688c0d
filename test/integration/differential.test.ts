/**
 * The core against the reference forwarder, over random tables and random and mutated frames: the same bytes by the same
 * ports, the same drop reasons, the same counters.
 *
 *   node test/integration/differential.test.ts --seed 7               replays one world
 *   node test/integration/differential.test.ts --worlds 10000         a long run; `--first N` begins elsewhere
 */
// limit: 900 s
import { parseArgs } from 'node:util';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { makeScenario, runScenario } from '../differential/scenario.ts';

const { values: options } = parseArgs({
  options: {
    seed: { type: 'string' },
    first: { type: 'string', default: '1' },
    worlds: { type: 'string', default: '150' },
    frames: { type: 'string', default: '800' },
  },
});
const frames = Number(options.frames);
const first = Number(options.seed ?? options.first);
const worlds = options.seed === undefined ? Number(options.worlds) : 1;

test(`${worlds} worlds from seed ${first}: core and reference agree`, () => {
  let [played, records, refused] = [0, 0, 0];
  for (let seed = first; seed < first + worlds; seed += 1) {
    const result = runScenario(makeScenario(seed, frames));
    assert.is(result.failure, '');
    played += result.frames;
    records += result.records;
    refused += result.refused.length;
  }
  console.log(`compared ${played} frames one by one and most again in vectors; the core refused ${refused} of ${records} records`);
  assert.ok(refused < records * 0.2, `the core refused ${refused} of ${records} generated records`);
});

test.run();
