import fc from 'fast-check';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { Dataplane } from '../../../proto/dataplane.ts';
import { definitionOf } from '../../../proto/load.ts';
import { Sync } from '../../../proto/sync.ts';
import { fieldsOf, oneofOf, renumber } from '../../../mgmt/agent/wire.ts';

const { responseSerialize: encode } = definitionOf(Sync)['stream']!;
const { requestSerialize: encodeRequest } = definitionOf(Dataplane)['apply']!;

const update = fc.record({
  nonce: fc.nat(), version: fc.maxSafeNat(),
  batches: fc.array(fc.record({ kind: fc.nat(10), count: fc.nat(1000), records: fc.uint8Array({ maxLength: 5000 }).map((bytes) => Buffer.from(bytes)) }), { maxLength: 4 }),
  names: fc.array(fc.record({ of: fc.constant('INTERFACE'), id: fc.nat(8191), name: fc.string(), port: fc.string() }), { maxLength: 4 }),
});
const passed = fc.oneof(
  update.map((value) => ({ number: 3, as: 2, message: { update: value } })),
  fc.record({ epoch: fc.maxSafeNat() }).map((value) => ({ number: 2, as: 1, message: { beginResync: value } })),
  fc.record({ nonce: fc.nat(), epoch: fc.nat(), version: fc.maxSafeNat(), force: fc.boolean() }).map((value) => ({ number: 4, as: 3, message: { endResync: value } })),
);

test('what is passed on is, byte for byte, what an opened and packed message would be', () => {
  fc.assert(fc.property(passed, ({ number, as, message }) => {
    const bytes = encode(message);
    const field = oneofOf(bytes, [1, 2, 3, 4])!;
    assert.is(field.number, number);
    const expected = encodeRequest(message);
    const sent = renumber(bytes, field, as);
    assert.is(sent, bytes, 'in place');
    assert.ok(sent.equals(expected));
  }));
});

test('fields that a later version adds beside it are left behind', () => {
  const bytes = encode({ beginResync: { epoch: 300 } });
  const later = Buffer.concat([Buffer.of(0x78, 0x05), bytes, Buffer.of(0xfa, 0x01, 0x02, 0xaa, 0xbb)]); // 15: varint, 31: two bytes
  assert.equal([...fieldsOf(later)].map(({ number }) => number), [15, 2, 31]);
  assert.ok(renumber(later, oneofOf(later, [2])!, 1).equals(encodeRequest({ beginResync: { epoch: 300 } })));
});

test('of a oneof that came twice the last counts', () => {
  const twice = Buffer.concat([encode({ beginResync: { epoch: 1 } }), encode({ endResync: { nonce: 9 } })]);
  assert.is(oneofOf(twice, [2, 3, 4])!.number, 4);
});

test('cut anywhere, a message is refused with the place or reads as shorter whole fields; nothing is read beyond it', () => {
  fc.assert(fc.property(passed, fc.nat(), ({ message }, at) => {
    const bytes = encode(message);
    const cut = bytes.subarray(0, at % Math.max(1, bytes.length));
    try {
      for (const { end } of fieldsOf(cut)) assert.ok(end <= cut.length);
      assert.is(cut.length, 0, 'a single field that is cut cannot be whole');
    } catch (error) {
      assert.instance(error, RangeError);
    }
  }));
});

test('bytes of no message are refused, never looped over', () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => {
    try {
      let end = 0;
      for (const field of fieldsOf(Buffer.from(bytes))) { assert.ok(field.end > end); end = field.end; }
    } catch (error) {
      assert.instance(error, RangeError);
    }
  }));
});

test.run();
