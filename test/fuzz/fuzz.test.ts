/** Ten million mutated frames; `fuzz.ts` is the same without an end. */
// limit: 600 s
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { fuzz } from './fuzz.ts';

const FRAMES = 10_000_000;

test(`${FRAMES} mutated frames: no trap, no write outside a packet, every frame and packet accounted for`, () => {
  const sums = fuzz(FRAMES, 1, 500_000, () => {});
  assert.ok((sums.get('received') ?? 0) >= FRAMES);
  assert.ok((sums.get('transmitted') ?? 0) > FRAMES / 10, `only ${sums.get('transmitted')} got through: the mutations are too wild to test the way out`);
  const unnamed = [...sums.keys()].filter((name) => name.startsWith('unnamed'));
  assert.equal(unnamed, [], 'packets died of reasons without a name');
});

test.run();
