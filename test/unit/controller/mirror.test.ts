// A mirror keeps as much history as its bounds say, whole versions at a time.
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { Mirror } from '../../../mgmt/controller/store/mirror.ts';
import { commit, row, texts } from './store-conformance.ts';

test('ten thousand versions of history', () => {
  const mirror = new Mirror();
  for (let version = 1; version <= 10_250; version++) mirror.apply(commit(version, { puts: [row('a', version), row('b', version)] }));
  assert.is(mirror.historyFloor, 250);
  assert.is(mirror.history(249, 10), undefined);
  assert.equal(texts(mirror.history(250, 2)), ['a@251', 'b@251']);
  assert.equal(texts(mirror.history(250, 3)), ['a@251', 'b@251'], 'not the half of version 252');
  assert.is(mirror.history(250, 1e6)!.length, 20_000);
  assert.equal(texts(mirror.versionsOf('project', 'a')).slice(0, 2), ['a@10250', 'a@10249']);
});

test('or 64 MiB of it; the newest version stays, however large', () => {
  const mirror = new Mirror();
  const large = Buffer.alloc(10 * 1024 * 1024);
  for (let version = 1; version <= 10; version++) mirror.apply(commit(version, { puts: [{ ...row('a', version), bytes: large }] }));
  assert.is(mirror.historyFloor, 4);
  assert.is(mirror.history(4, 100)!.length, 6);
  mirror.apply(commit(11, { puts: [{ ...row('a', 11), bytes: Buffer.alloc(80 * 1024 * 1024) }] }));
  assert.is(mirror.historyFloor, 10);
  assert.is(mirror.history(10, 100)!.length, 1);
});

test('a snapshot of the state, and the log after it, lead to the same whatever of the log it already had', () => {
  const commits = [
    commit(1, { puts: [row('a', 1), row('b', 1)], appliances: [{ appliance: 'c1', keys: 'one' }] }),
    commit(2, { deletes: [row('a', 1)], appliances: [{ appliance: 'c1', keys: null }] }),
    commit(3, { puts: [row('a', 3)], numbers: [{ scope: 'c1/vrf', number: 1, key: 'k', freed: 0 }], slots: [{ scope: 'c1', key: 'g', slots: ['m'] }] }),
    commit(4, { numbers: [{ scope: 'c1/vrf', number: 1, key: '', freed: 4 }], slots: [{ scope: 'c1', key: 'g', slots: [] }], appliances: [{ appliance: 'c1', keys: 'four' }] }),
  ];
  const state = ({ objects, numbers, slots, appliances }: Mirror): unknown => [[...objects], [...numbers], [...slots], [...appliances]];
  const right = new Mirror();
  for (const each of commits) right.apply(each);
  // It says that it is of version `from`, but was read up to version `to`.
  for (let from = 0; from <= commits.length; from++) {
    for (let to = from; to <= commits.length; to++) {
      const mirror = new Mirror();
      for (const each of commits.slice(0, to)) mirror.apply(each);
      mirror.version = from;
      for (const each of commits.slice(from)) mirror.apply(each);
      assert.equal(state(mirror), state(right), `from ${from}, read up to ${to}`);
    }
  }
});

test.run();
