// Controllers, store and appliances under faults, 200 seeds of it (10,000 and more: simulate.ts). A seed that fails here says how to see it
// again.
// limit: 400 s
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { simulate, type Result } from './simulation.ts';

const SEEDS = 200;

test(`${SEEDS} seeds: nothing acknowledged is lost, no state is forwarded by that no controller had, all appliances converge`, async () => {
  const results: Result[] = [];
  for (let seed = 1; seed <= SEEDS; seed++) results.push(await simulate(seed));
  const sum = (of: (result: Result) => number): number => results.reduce((total, result) => total + of(result), 0);
  // That seeds are worth something: much was done, refused, lost on the way, and compared.
  assert.ok(sum(({ acknowledged }) => acknowledged) > SEEDS * 10, 'acknowledged');
  assert.ok(sum(({ refused }) => refused) > SEEDS * 5, 'refused');
  assert.ok(sum(({ unknown }) => unknown) > SEEDS, 'left open by a fault');
  assert.ok(sum(({ marks }) => marks) > SEEDS * 10, 'states compared');
  assert.ok(results.filter(({ controllers }) => controllers === 2).length > SEEDS / 4, 'two controllers');
});

test('a run is a function of its seed', async () => {
  for (const seed of [1, 2, 3, 4]) {
    const [first, second] = [[] as string[], [] as string[]];
    const one = await simulate(seed, { tell: (line) => first.push(line) });
    const other = await simulate(seed, { tell: (line) => second.push(line) });
    const at = first.findIndex((line, index) => line !== second[index]);
    assert.is(at, -1, `seed ${seed}, line ${at + 1}: "${first[at]}", and the second time "${second[at]}"`);
    assert.is(other.digest, one.digest);
  }
  assert.is.not((await simulate(1)).digest, (await simulate(2)).digest);
});

test.run();
