// limit: 60 s
//
// The golden frames are what the fixtures say, and a core that forwards otherwise is found out.
import { readFileSync } from 'node:fs';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { instantiate, loadCore } from '../../../firmware/host/core.ts';
import { GOLDEN_FILE, loadGolden, rehearse, setStage, type Golden } from '../../../firmware/rehearsal/golden.ts';
import { goldenText, makeGolden } from '../../fixtures/write-golden.ts';

const { module } = loadCore();
const stageOf = (golden: Golden) => setStage(golden, (memory) => instantiate(module, memory));

test('golden.json is what the present fixtures and core make of it', () => {
  assert.is(goldenText(makeGolden()), readFileSync(GOLDEN_FILE, 'utf8'), 'else: node test/fixtures/write-golden.ts');
});

test('this tree\'s core passes', () => {
  const golden = loadGolden();
  rehearse(golden, stageOf(golden));
});

test('another outcome is named by its frame', () => {
  const golden = loadGolden();
  const at = golden.steps.findIndex(({ out }) => out.length > 0);
  const step = golden.steps[at]!;
  for (const changed of [{ ...step, out: [] }, { ...step, drops: [[1, 1] as const] }]) {
    const other = { ...golden, steps: golden.steps.with(at, changed) };
    assert.throws(() => rehearse(other, stageOf(other)), (error: Error) => error.message.startsWith(`golden frame "${step.name}": `));
  }
});

test.run();
