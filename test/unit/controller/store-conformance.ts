/** What every store must do: one list, by which each engine is judged. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { Store, StoreCommit, StoredRow } from '../../../mgmt/controller/store/store.ts';

/** A place that a store can be opened in again and again. */
export interface Provided { open(): Store | Promise<Store>; remove(): void | Promise<void> }
interface Context { provided: Provided; store: Store }

export const row = (name: string, version: number, bytes = `${name}@${version}`): StoredRow => ({ kind: 'project', name, uuid: `uuid-${name}`, version, bytes: Buffer.from(bytes) });
export const commit = (version: number, more: Partial<StoreCommit> = {}): StoreCommit => ({ version, puts: [], deletes: [], numbers: [], slots: [], appliances: [], ...more });
export const texts = (rows: Iterable<StoredRow> | undefined): string[] => [...rows ?? []].map(({ bytes }) => Buffer.from(bytes).toString());

/** Declares the suite: with files of its own, it runs when its file says so. */
export function conformance(name: string, provide: () => Provided | Promise<Provided>): void {
  const test = suite<Context>(`store ${name}`);
  test.before.each(async (context) => {
    context.provided = await provide();
    context.store = await context.provided.open();
  });
  test.after.each(async ({ provided, store }) => {
    store.close();
    await provided.remove();
  });
  const reopen = async (context: Context): Promise<Store> => {
    context.store.close();
    context.store = await context.provided.open();
    return context.store;
  };

  test('an empty store has an identity that stays, and version 0', async (context) => {
    const { stateId } = context.store;
    assert.ok(stateId.length > 8);
    assert.is(context.store.version, 0);
    assert.is((await reopen(context)).stateId, stateId);
  });

  test('objects, numbers and slots come back as they were committed last', async (context) => {
    await context.store.commit(commit(1, { puts: [row('b', 1), row('a', 1)], numbers: [{ scope: 'c1/vrf', number: 1, key: 'x', freed: 0 }], slots: [{ scope: 'c1', key: 'g', slots: ['m', ''] }] }));
    await context.store.commit(commit(2, { puts: [row('a', 2)], deletes: [row('b', 1)], numbers: [{ scope: 'c1/vrf', number: 1, key: '', freed: 2 }], slots: [{ scope: 'c1', key: 'g', slots: [] }], format: 5 }));
    const store = await reopen(context);
    assert.is(store.version, 2);
    assert.is(store.format, 5);
    assert.equal(texts(store.objects()), ['a@2']);
    assert.equal([...store.numbers()].map((each) => ({ ...each })), [{ scope: 'c1/vrf', number: 1, key: '', freed: 2 }]);
    assert.equal([...store.slots()], []);
  });

  test('objects come in the order of their creation', async ({ store }) => {
    await store.commit(commit(1, { puts: [row('z', 1)] }));
    await store.commit(commit(2, { puts: [row('a', 2)] }));
    await store.commit(commit(3, { puts: [row('z', 3)] }));
    assert.equal(texts(store.objects()), ['z@3', 'a@2']);
  });

  test('a commit out of turn is refused, and leaves nothing', async ({ store }) => {
    let error: unknown;
    await store.commit(commit(2, { puts: [row('a', 2)] })).catch((each: unknown) => { error = each; });
    assert.match(String(error), /version 2 on version 0/);
    assert.equal(texts(store.objects()), []);
  });

  test('history tells every step after a version, whole transactions at a time', async ({ store }) => {
    await store.commit(commit(1, { puts: [row('a', 1), row('b', 1)] }));
    await store.commit(commit(2, { puts: [row('c', 2), row('d', 2)] }));
    await store.commit(commit(3, { deletes: [row('a', 1)] }));
    assert.equal(texts(store.history(0, 100)), ['a@1', 'b@1', 'c@2', 'd@2', 'a@1']);
    assert.equal(texts(store.history(0, 3)), ['a@1', 'b@1'], 'not the half of version 2');
    assert.equal(texts(store.history(1, 1)), ['c@2', 'd@2'], 'but a version that is larger than the limit is taken whole');
    assert.equal(store.history(2, 100)!.map(({ deleted, version }) => [deleted, version]), [[true, 3]]);
    assert.is(store.history(4, 100), undefined, 'the future is not known');
    assert.equal(texts(store.versionsOf('project', 'a')), ['a@1', 'a@1']);
  });

  test('audit entries come back after a version, in order, and of commits that have one', async (context) => {
    await context.store.commit(commit(1, { audit: Buffer.from('one') }));
    await context.store.commit(commit(2, { puts: [row('a', 2)] }));
    await context.store.commit(commit(3, { audit: Buffer.from('three') }));
    const store = await reopen(context);
    const told = (version: number, limit: number) => store.audit(version, limit)?.map(({ version: each, bytes }) => [each, Buffer.from(bytes).toString()]);
    assert.equal(told(0, 10), [[1, 'one'], [3, 'three']]);
    assert.equal(told(0, 1), [[1, 'one']]);
    assert.equal(told(1, 10), [[3, 'three']]);
    assert.is(told(4, 10), undefined, 'not yet');
    assert.is(store.auditFloor, 0);
  });

  test('changes of an appliance since a version, as far as the log reaches', async (context) => {
    const { store } = context;
    await store.commit(commit(1, { appliances: [{ appliance: 'c1', keys: 'one' }] }));
    await store.commit(commit(2, { appliances: [{ appliance: 'c2', keys: 'other' }] }));
    await store.commit(commit(3, { appliances: [{ appliance: 'c1', keys: 'three' }] }));
    assert.equal(store.changesSince('c1', 1), ['three']);
    assert.equal(store.changesSince('c1', 0), ['one', 'three']);
    assert.equal(store.changesSince('c1', 3), []);
    assert.is(store.changesSince('c1', 4), undefined, 'a later version is another history');
    assert.is(store.changesSince('nobody', 1), undefined);
    await store.commit(commit(4, { appliances: [{ appliance: 'c1', keys: null }] }));
    assert.is(store.changesSince('c1', 3), undefined, 'too much changed in version 4');
    assert.equal(store.changesSince('c1', 4), []);
    assert.equal([...(await reopen(context)).appliances()].map((each) => ({ ...each })), [{ appliance: 'c1', version: 4, floor: 4 }, { appliance: 'c2', version: 2, floor: 1 }]);
  });

  test('the log of an appliance is bounded', async ({ store }) => {
    for (let version = 1; version <= 1300; version++) await store.commit(commit(version, { appliances: [{ appliance: 'c1', keys: `k${version}` }] }));
    assert.is(store.changesSince('c1', 100), undefined);
    const floor = [...store.appliances()][0]!.floor;
    assert.ok(floor >= 200, `floor ${floor}`);
    assert.is(store.changesSince('c1', floor)!.length, 1300 - floor);
  });

  test('by what its keys take as well; the newest change stays, however large', async ({ store }) => {
    const keys = 'k'.repeat(300_000);
    for (let version = 1; version <= 10; version++) await store.commit(commit(version, { appliances: [{ appliance: 'c1', keys }, { appliance: 'c2', keys: 'k' }] }));
    const floorOf = (name: string): number => [...store.appliances()].find(({ appliance }) => appliance === name)!.floor;
    assert.is(floorOf('c1'), 7);
    assert.is(floorOf('c2'), 0);
    assert.is(store.changesSince('c1', 6), undefined);
    assert.equal(store.changesSince('c1', 7), [keys, keys, keys]);
    const large = 'k'.repeat(3_000_000);
    await store.commit(commit(11, { appliances: [{ appliance: 'c1', keys: large }] }));
    assert.equal(store.changesSince('c1', 10), [large]);
  });

  test('history is bounded by what it takes; the newest version stays, however large', async (context) => {
    const large = Buffer.alloc(10 * 1024 * 1024);
    for (let version = 1; version <= 10; version++) await context.store.commit(commit(version, { puts: [{ ...row('a', version), bytes: large }] }));
    const check = (store: Store): void => {
      assert.is(store.history(3, 100), undefined);
      assert.is(store.history(4, 100)!.length, 6);
    };
    check(context.store);
    const store = await reopen(context);
    check(store);
    await store.commit(commit(11, { puts: [{ ...row('a', 11), bytes: Buffer.alloc(80 * 1024 * 1024) }] }));
    assert.is(store.history(9, 100), undefined);
    assert.is(store.history(10, 100)!.length, 1);
    assert.is([...store.objects()].length, 1);
  });

  test.run();
}
