// What peers told, over the loss of a session and of the engine.
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { AdjRibIn } from '../../../mgmt/controller/bgp/adj-rib-in.ts';
import type { DecodedPath } from '../../../mgmt/controller/bgp/decode.ts';
import type { ReceivedPath } from '../../../mgmt/controller/bgp/types.ts';
import { keyOf } from '../../../mgmt/controller/model/address.ts';

const path = (prefix: string, settings: Partial<ReceivedPath> = {}): ReceivedPath => ({
  family: 'ipv4-vpn', distinguisher: '1:1', prefix: keyOf(prefix), label: 2001, nextHop: 1, targets: ['target:1:1'], encapsulations: [], localPreference: 100,
  peer: 1, asPath: [], origin: 0, since: 1, ...settings,
});
const told = (one: ReceivedPath, stale = false): DecodedPath => ({ peer: one.peer, key: one, withdrawn: false, stale, path: one });
const withdrawn = (one: ReceivedPath): DecodedPath => ({ peer: one.peer, key: one, withdrawn: true, stale: false, path: undefined });
const [A, B] = [path('198.51.100.0/24'), path('203.0.113.0/24')];

test('new, the same again, changed, withdrawn, withdrawn again', () => {
  const rib = new AdjRibIn();
  assert.equal(rib.apply([told(A)]), [{ before: undefined, after: A }]);
  assert.equal(rib.apply([told({ ...A, since: 2 })]), []);
  const changed = { ...A, label: 2002, since: 3 };
  assert.equal(rib.apply([told(changed)]), [{ before: A, after: changed }]);
  assert.equal(rib.apply([withdrawn(A)]), [{ before: changed, after: undefined }]);
  assert.equal(rib.apply([withdrawn(A)]), []);
});

test('a path that turns into one of no use is gone, and counts as told', () => {
  const rib = new AdjRibIn();
  rib.apply([told(A)]);
  assert.equal(rib.apply([{ ...told(A), path: undefined }]), [{ before: A, after: undefined }]);
  assert.is(rib.freshOf(1), 1);
  assert.equal([...rib.paths()], []);
});

test('equal keys of two peers are two paths', () => {
  const rib = new AdjRibIn();
  rib.apply([told(A), told({ ...A, peer: 2 })]);
  assert.equal(rib.apply([withdrawn(A)]).length, 1);
  assert.equal([...rib.paths()].map(({ path: { peer } }) => peer), [2]);
});

test('a lost engine changes nothing; what is not told again goes with the sweep, what is told again is no change', () => {
  const rib = new AdjRibIn();
  rib.apply([told(A), told(B), told({ ...A, peer: 2 })]);
  rib.markStale();
  assert.equal([...rib.stale], [1, 2]);
  assert.equal([...rib.paths()].map(({ stale }) => stale), [true, true, true]);
  assert.equal(rib.apply([told({ ...A, since: 9 })]), []);
  assert.is(rib.freshOf(1), 1);
  assert.equal(rib.sweep(1), [{ before: B, after: undefined }]);
  assert.equal([...rib.paths()].map(({ path: each }) => [each.peer, each.since]), [[1, 1], [2, 1]]);
  assert.equal([...rib.stale], [2]);
});

test('a peer that restarts gracefully is stale in the engine already: no change, and not fresh', () => {
  const rib = new AdjRibIn();
  rib.apply([told(A)]);
  assert.equal(rib.apply([told(A, true)]), []);
  assert.equal([...rib.paths()].map(({ stale }) => stale), [true]);
  assert.is(rib.stale.size, 0, 'the engine itself will say what becomes of it');
  assert.equal(rib.apply([told(A)]), []);
  assert.is(rib.freshOf(1), 1);
});

test('a peer that is none any more takes all with it', () => {
  const rib = new AdjRibIn();
  rib.apply([told(A), told(B)]);
  assert.is(rib.drop(1).length, 2);
  assert.equal([...rib.paths()], []);
});

test.run();
