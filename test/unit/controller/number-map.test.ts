import { test } from 'uvu';
import * as assert from 'uvu/assert';
import fc from 'fast-check';
import { NumberMap } from '../../../mgmt/controller/model/number-map.ts';
import { isExternal, labelOf, parseTunnelKey, remoteOf, tunnelKey, tunnelNumber } from '../../../mgmt/controller/routing/tunnel-key.ts';

/** Few keys that meet in the same places, and any others: the greatest that fit. */
const key = fc.oneof(fc.integer({ min: 0, max: 40 }), fc.integer({ min: 0, max: 40 }).map((each) => each * 2 ** 32), fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER }));
const step = fc.oneof(
  fc.record({ set: key, to: fc.integer() }),
  fc.record({ delete: key }),
  fc.constant({ clear: true }),
);

test('numbers by number: whatever is done to it, it holds what a Map holds', () => {
  fc.assert(fc.property(fc.array(step, { maxLength: 200, size: 'max' }), (steps) => {
    const [map, model] = [new NumberMap(), new Map<number, number>()];
    for (const each of steps) {
      if ('set' in each) [map.set(each.set, each.to), model.set(each.set, each.to)];
      else if ('delete' in each) assert.is(map.delete(each.delete), model.delete(each.delete));
      else if (model.size > 150) [map.clear(), model.clear()];
      assert.is(map.size, model.size);
    }
    assert.equal(map.keys().sort((one, other) => one - other), [...model.keys()].sort((one, other) => one - other));
    for (const [known, value] of model) assert.is(map.get(known), value);
    for (const each of steps) if ('delete' in each) assert.is(map.has(each.delete), model.has(each.delete));
  }), { numRuns: 300 });
});

test('the number of a tunnel and its key say the same', () => {
  const tunnel = fc.record({ remote: fc.integer({ min: 0, max: 2 ** 32 - 1 }), label: fc.integer({ min: 0, max: 2 ** 20 - 1 }), external: fc.boolean() });
  fc.assert(fc.property(tunnel, fc.constantFrom('178257922 1600 0', '4294967295 9000 178257921'), ({ remote, label, external }, underlay) => {
    const number = tunnelNumber(remote, label, external);
    assert.equal([remoteOf(number), labelOf(number), isExternal(number)], [remote, label, external]);
    const text = tunnelKey(number, underlay);
    assert.is(text, ['tunnel', remote, label, external ? 'external' : 'internal', underlay].join(' '));
    assert.equal(parseTunnelKey(text), { tunnel: number, underlayAt: text.length - underlay.length });
  }));
  assert.is(parseTunnelKey('vrf tunnel'), undefined);
});

test.run();
