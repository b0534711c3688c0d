import fc from 'fast-check';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { Rota } from '../../../mgmt/agent/backoff.ts';

test('every controller is tried at once before the first pause; pauses grow to five seconds', () => {
  const rota = new Rota(['a', 'b', 'c'], () => 0.999);
  const attempts = Array.from({ length: 30 }, () => { const attempt = rota.attempt(); rota.ended(0); return attempt; });
  assert.equal(attempts.slice(0, 3).map(({ controller, waitMs }) => [controller, waitMs]), [['c', 0], ['a', 0], ['b', 0]]);
  const pauses = attempts.filter((_, at) => at > 0 && at % 3 === 0).map(({ waitMs }) => Math.round(waitMs));
  assert.equal(pauses, [100, 200, 400, 800, 1599, 3198, 4998, 4998, 4998]);
  assert.ok(attempts.every(({ waitMs }, at) => waitMs === 0 || at % 3 === 0), 'one pause a round');
});

test('a pause is jittered over its second half', () => {
  fc.assert(fc.property(fc.float({ min: 0, max: 1, maxExcluded: true, noNaN: true }), fc.integer({ min: 1, max: 20 }), (random, failures) => {
    const rota = new Rota(['a'], () => random);
    for (let at = 0; at < failures; at++) rota.ended(0);
    const whole = Math.min(5000, 100 * 2 ** (failures - 1));
    const { waitMs } = rota.attempt();
    assert.ok(waitMs >= whole / 2 && waitMs <= whole);
  }));
});

test('a session that lasted is dialled again at once; a short one sends on to the next', () => {
  const rota = new Rota(['a', 'b'], () => 0);
  rota.ended(60_000);
  assert.equal(rota.attempt(), { controller: 'a', waitMs: 0 });
  rota.ended(500);
  assert.equal(rota.attempt(), { controller: 'b', waitMs: 0 });
});

test.run();
