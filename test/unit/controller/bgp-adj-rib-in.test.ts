// What peers told, over the loss of a session and of the engine.
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { AdjRibIn } from '../../../mgmt/controller/bgp/adj-rib-in.ts';
import type { DecodedPath } from '../../../mgmt/controller/bgp/update.ts';
import type { ReceivedPath } from '../../../mgmt/controller/bgp/types.ts';
import { keyOf } from '../../../mgmt/controller/model/address.ts';

const path = (prefix: string, settings: Partial<ReceivedPath> = {}): ReceivedPath => ({
  family: 'ipv4-vpn', distinguisher: '1:1', prefix: keyOf(prefix), label: 2001, nextHop: 1, targets: ['target:1:1'], encapsulations: [], localPreference: 100,
  peer: 1, asPath: [], origin: 0, since: 1, ...settings,
});
const told = (one: ReceivedPath): DecodedPath => ({ peer: one.peer, key: one, withdrawn: false, path: one });
const withdrawn = (one: ReceivedPath): DecodedPath => ({ peer: one.peer, key: one, withdrawn: true, path: undefined });
/** With sessions of peers 1 and 2. */
function up(): AdjRibIn {
  const rib = new AdjRibIn();
  rib.setSession(1, true);
  rib.setSession(2, true);
  return rib;
}
const stale = (rib: AdjRibIn): boolean[] => [...rib.paths()].map((each) => each.stale);
const [A, B] = [path('198.51.100.0/24'), path('203.0.113.0/24')];

test('new, the same again, changed, withdrawn, withdrawn again', () => {
  const rib = up();
  assert.equal(rib.apply([told(A)]), [{ before: undefined, after: A }]);
  assert.equal(rib.apply([told({ ...A, since: 2 })]), []);
  const changed = { ...A, label: 2002, since: 3 };
  assert.equal(rib.apply([told(changed)]), [{ before: A, after: changed }]);
  assert.equal(rib.apply([withdrawn(A)]), [{ before: changed, after: undefined }]);
  assert.equal(rib.apply([withdrawn(A)]), []);
});

test('a path that turns into one of no use is gone, and counts as told', () => {
  const rib = up();
  rib.apply([told(A)]);
  assert.equal(rib.apply([{ ...told(A), path: undefined }]), [{ before: A, after: undefined }]);
  assert.is(rib.freshOf(1), 1);
  assert.equal([...rib.paths()], []);
});

test('equal keys of two peers are two paths', () => {
  const rib = up();
  rib.apply([told(A), told({ ...A, peer: 2 })]);
  assert.equal(rib.apply([withdrawn(A)]).length, 1);
  assert.equal([...rib.paths()].map(({ path: { peer } }) => peer), [2]);
});

test('a lost engine changes nothing; what is not told again goes with the sweep, what is told again is no change', () => {
  const rib = up();
  rib.apply([told(A), told(B), told({ ...A, peer: 2 })]);
  rib.engineLost();
  assert.equal([...rib.stale], [1, 2]);
  assert.equal(stale(rib), [true, true, true]);
  rib.setSession(1, true);
  assert.equal(rib.apply([told({ ...A, since: 9 })]), []);
  assert.is(rib.freshOf(1), 1);
  assert.equal(rib.sweep(1, 'of lost sessions'), [], 'the engine of now knows nothing of it');
  assert.equal([...rib.stale], [1, 2]);
  assert.equal(rib.sweep(1, 'of former engines'), [{ before: B, after: undefined }]);
  assert.equal([...rib.paths()].map(({ path: each }) => [each.peer, each.since]), [[1, 1], [2, 1]]);
  assert.equal([...rib.stale], [2]);
});

test('a lost session changes nothing either; what the next one tells again is fresh, the rest goes with the sweep', () => {
  const rib = up();
  rib.apply([told(A), told(B)]);
  rib.setSession(1, false);
  assert.equal([[...rib.stale], stale(rib), rib.freshOf(1)], [[1], [true, true], 0]);
  rib.setSession(1, true);
  assert.equal([stale(rib), rib.freshOf(1)], [[true, true], 0]);
  assert.equal(rib.apply([told(B)]), []);
  assert.equal(rib.sweep(1, 'of former engines'), []);
  assert.equal(rib.sweep(1, 'of lost sessions'), [{ before: A, after: undefined }]);
  assert.equal([[...rib.stale], stale(rib)], [[], [false]]);
});

test('a session that is lost while routes of a former engine are kept takes only its own', () => {
  const rib = new AdjRibIn();
  rib.restore([A, B]);
  rib.setSession(1, true);
  rib.apply([told(A)]);
  rib.setSession(1, false);
  assert.equal(rib.sweep(1, 'of lost sessions'), [{ before: A, after: undefined }]);
  assert.equal([...rib.stale], [1]);
  assert.equal(rib.sweep(1, 'of former engines'), [{ before: B, after: undefined }]);
});

test('what comes while no session is up is late: stale at once, and not taken for what the next session tells', () => {
  const rib = up();
  rib.setSession(1, false);
  rib.apply([told(A)]);
  assert.equal([[...rib.stale], stale(rib)], [[1], [true]]);
  rib.setSession(1, true);
  assert.equal(stale(rib), [true]);
  assert.equal(rib.sweep(1, 'of lost sessions'), [{ before: A, after: undefined }]);
});

test('a peer that is none any more takes all with it', () => {
  const rib = up();
  rib.apply([told(A), told(B)]);
  assert.is(rib.drop(1).length, 2);
  assert.is(rib.stale.size, 0);
  assert.equal([...rib.paths()], []);
});

test.run();
