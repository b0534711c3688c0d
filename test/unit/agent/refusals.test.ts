import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { Ack, Update } from '../../../proto/sync.ts';
import { keyOf, KEPT, Refusals, SIZES } from '../../../mgmt/agent/refusals.ts';
import * as R from '../../../wasm-core/records.ts';

interface Context { folder: string; path: string; log: string[]; refusals: Refusals }
const test = suite<Context>('refusals', {} as Context);
test.before.each((context) => {
  context.folder = mkdtempSync(join(tmpdir(), 'wrouter-refusals-'));
  context.path = join(context.folder, 'refusals.json');
  context.log = [];
  context.refusals = new Refusals(context.path, (text) => context.log.push(text));
  context.refusals.setHistory('a');
});
test.after.each(({ folder }) => rmSync(folder, { recursive: true }));

function labels(version: number, ...numbers: number[]): Update {
  const records = Buffer.alloc(numbers.length * R.LB_SIZE);
  numbers.forEach((label, at) => records.writeUInt32LE(label, at * R.LB_SIZE + R.LB_LABEL));
  return { nonce: version, version, batches: [{ kind: R.RECORD_LABEL, count: numbers.length, records }], names: [] };
}
const ack = (version: number, refused: number[] = [], reason = 'no next hop 0', error = ''): Ack =>
  ({ nonce: version, version, refusals: refused.map((record) => ({ batch: 0, record, code: R.RESULT_NO_NEXTHOP, reason })), error });
const keys = (refusals: Refusals): string[] => refusals.list().map(({ key }) => key);

test('a refused record is kept and logged once; the same reason again is not news, another one is', ({ refusals, log }) => {
  refusals.acknowledged(labels(1, 16, 17), ack(1, [1]));
  const since = refusals.list()[0]!.since;
  refusals.acknowledged(labels(2, 17), ack(2, [0]));
  assert.equal(keys(refusals), ['label 17']);
  assert.equal([refusals.list()[0]!.since, refusals.list()[0]!.version], [since, 2]);
  assert.equal(log, ['refused label 17: no next hop 0 (code 3, version 1)']);
  refusals.acknowledged(labels(3, 17), ack(3, [0], 'out of range'));
  assert.is(log.length, 2);
});

test('it goes when the record is accepted, not when a message is refused as a whole', ({ refusals }) => {
  refusals.acknowledged(labels(1, 16, 17), ack(1, [0, 1]));
  refusals.acknowledged(labels(2, 16), ack(2, [], '', 'wrong epoch'));
  assert.is(refusals.count, 2);
  refusals.acknowledged(labels(3, 16, 18), ack(3));
  assert.equal(keys(refusals), ['label 17']);
});

test('a removal that finds nothing is no refusal, and ends one', ({ refusals, log }) => {
  const nothing = { ...ack(2, [0]), refusals: ack(2, [0]).refusals.map((refusal) => ({ ...refusal, code: R.RESULT_NOT_FOUND })) };
  assert.is(refusals.concerns(nothing), false);
  refusals.acknowledged(labels(1, 16), ack(1, [0]));
  refusals.acknowledged(labels(2, 16), nothing);
  assert.equal([refusals.count, log.length], [0, 1]);
});

test('a whole resync leaves only what it refused itself; one that is cut leaves all', ({ refusals }) => {
  refusals.acknowledged(labels(1, 16, 17), ack(1, [0, 1]));
  refusals.resyncBegun();
  refusals.acknowledged(labels(0, 17, 20), ack(0, [0]));
  assert.equal(keys(refusals), ['label 16', 'label 17']);
  refusals.resyncEnded();
  assert.equal(keys(refusals), ['label 17']);
});

test('it outlives the agent, but not the history that it belongs to', ({ refusals, path }) => {
  refusals.acknowledged(labels(1, 16), ack(1, [0]));
  const again = new Refusals(path, () => {});
  again.setHistory('a');
  assert.equal(again.list(), refusals.list());
  again.setHistory('b');
  assert.is(again.count, 0);
  assert.is(new Refusals(path, () => {}).count, 0);
});

test('a file that is not ours is reported and forgotten', ({ path, log }) => {
  writeFileSync(path, '{"stateId": "a", "records"');
  const again = new Refusals(path, (text) => log.push(text));
  assert.is(again.count, 0);
  assert.match(log[0]!, /refusals.json is not readable, earlier refusals are forgotten/);
  again.acknowledged(labels(1, 16), ack(1, [0]));
  assert.is(JSON.parse(readFileSync(path, 'utf8')).records.length, 1);
});

test('the first thousand are kept, the rest is counted', ({ refusals, log }) => {
  const numbers = Array.from({ length: KEPT + 50 }, (_, at) => 16 + at);
  refusals.acknowledged(labels(1, ...numbers), ack(1, numbers.map((_, at) => at)));
  assert.equal([refusals.list().length, refusals.count], [KEPT, KEPT + 50]);
  assert.is(log.filter((text) => /counted only/.test(text)).length, 1);
});

test('the words for a record name what makes it that record', () => {
  const record = (kind: number, write: (bytes: Buffer) => void): string => { const bytes = Buffer.alloc(SIZES[kind]!); write(bytes); return keyOf(kind, bytes); };
  assert.is(record(R.RECORD_ROUTE, (r) => { r.writeUInt32LE(5, R.RT_VRF); r.set([101, 101, 101, 3], R.RT_PREFIX); r[R.RT_LENGTH] = 32; }), 'route 101.101.101.3/32 in VRF 5');
  assert.is(record(R.RECORD_NEXTHOP, (r) => r.writeUInt32LE(70000, R.NX_ID)), 'next hop 70000');
  assert.is(record(R.RECORD_ECMP, (r) => { r.writeUInt32LE(9, R.EC_NEXTHOP); r.writeUInt32LE(3, R.EC_SLOT); }), 'slot 3 of ECMP next hop 9');
  assert.is(record(R.RECORD_FLOATING_IP, (r) => { r.set([1, 2, 3, 4], R.FL_PUBLIC); r.writeUInt32LE(6, R.FL_VRF); r.writeUInt16LE(7, R.FL_INTERFACE); }), 'floating IP 1.2.3.4 of interface 7 in VRF 6');
  assert.is(record(R.RECORD_INTERFACE, (r) => r.writeUInt32LE(3, R.IX_ID)), 'interface 3');
  assert.is(record(R.RECORD_VRF, (r) => r.writeUInt32LE(65535, R.VR_ID)), 'VRF 65535');
  assert.is(keyOf(99, Buffer.alloc(0)), 'record of the unknown kind 99');
});

test.run();
