// Controllers over one etcd: the same state from each, nothing acknowledged lost, nothing done twice, whoever is killed or stalls.
// needs: etcd
// limit: 300 s
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { Appliance } from '../../../mgmt/controller/compile/appliance.ts';
import { packAll, Packer } from '../../../mgmt/controller/compile/pack.ts';
import { Engine } from '../../../mgmt/controller/engine.ts';
import { decodeObject } from '../../../mgmt/controller/model/codec.ts';
import { EtcdUnavailable } from '../../../mgmt/controller/store/etcd-client.ts';
import { KEYS } from '../../../mgmt/controller/store/etcd-records.ts';
import { EtcdStore } from '../../../mgmt/controller/store/etcd.ts';
import type { HistoryRow, Store } from '../../../mgmt/controller/store/store.ts';
import { createPki } from '../../../mgmt/pki/authority.ts';
import type { Operation } from '../../../proto/config.ts';
import { deletion, put } from '../../unit/controller/objects.ts';
import { commit, row, texts } from '../../unit/controller/store-conformance.ts';
import { TestEtcd } from './etcd.ts';
import { until } from './scene.ts';
import { Tables } from './simulated-appliance.ts';

const KILLS = Number(process.env['KILLS'] ?? 8);
const WRITER = fileURLToPath(new URL('./shared-writer.ts', import.meta.url));
const P = 'default-domain:p';

const test = suite<{ etcd: TestEtcd; opened: Store[] }>('two controllers');
test.before.each(async (context) => {
  context.etcd = await TestEtcd.start();
  context.opened = [];
});
test.after.each(async ({ etcd, opened }) => {
  for (const store of opened) store.close();
  await etcd.close();
});

const openStore = async ({ etcd, opened }: { etcd: TestEtcd; opened: Store[] }): Promise<EtcdStore> => {
  const store = await etcd.open();
  opened.push(store);
  return store;
};
const openEngine = async (context: { etcd: TestEtcd; opened: Store[] }): Promise<Engine> => Engine.open(await openStore(context));

/** All that a controller would send to an appliance. */
function whole(state: Appliance): string {
  const tables = new Tables();
  for (const packer = new Packer(), walk = packAll(state, packer); ;) {
    const done = walk.next().done;
    for (const batch of packer.take().batches) tables.applyBatch(batch);
    if (done) return tables.text();
  }
}

/** All that must be the same whichever controller one asks. */
function stateOf({ store, compiler }: Engine): unknown {
  const sorted = (rows: Iterable<object>): string[] => [...rows].map((each) => JSON.stringify(each, Object.keys(each).sort())).sort();
  return {
    stateId: store.stateId, version: store.version, format: store.format, objects: texts(store.objects()),
    numbers: sorted(store.numbers()), slots: sorted(store.slots()), appliances: sorted(store.appliances()),
    history: store.history(0, 1e6)!.map(({ kind, name, version, deleted }) => [kind, name, version, deleted]),
    changes: [...store.appliances()].map(({ appliance, floor }) => [appliance, store.changesSince(appliance, floor)]),
    compiled: [...compiler.appliances.values()].map((appliance) => [appliance.name, appliance.version, whole(appliance)]).sort(),
  };
}

const compute = (at: number) => put({ name: `default-global-system-config:c${at}`, virtualRouter: { kind: 'COMPUTE', profile: 'virtual', fabric: { port: 'f', address: `192.168.1.${10 + at}/24`, mac: '02:00:00:00:00:01' } } });
const network = (at: number) => put({ name: `${P}:n${at}`, virtualNetwork: { subnets: [{ prefix: `10.${at}.0.0/24` }] } });
const workload = (net: number, at: number, host: number) => [
  put({ name: `${P}:v${net}-${at}`, virtualMachineInterface: { virtualNetwork: `${P}:n${net}`, virtualRouter: `default-global-system-config:c${host}`, port: `tap${net}-${at}` } }),
  put({ name: `ip-${net}-${at}`, instanceIp: { virtualNetwork: `${P}:n${net}`, virtualMachineInterfaces: [`${P}:v${net}-${at}`] } }),
];

test('both write at once, to the same appliances: one history, one set of numbers, the same compiled state, also for a third', async (context) => {
  const engines = await Promise.all([openEngine(context), openEngine(context)]);
  await engines[0]!.commit([put({ name: P, project: {} }), ...[1, 2, 3].map(compute), ...[0, 1, 2, 3].map(network)]);
  const write = async (engine: Engine, own: number): Promise<number[]> => {
    const versions: number[] = [];
    for (let at = 0; at < 25; at++) {
      // Each has two networks of its own; interfaces of all of them take numbers at the same three appliances.
      const net = own * 2 + (at % 2);
      const operations = at % 5 === 4
        ? [deletion('instance-ip', `ip-${net}-${at - 2}`), deletion('virtual-machine-interface', `${P}:v${net}-${at - 2}`)]
        : workload(net, at, 1 + (at % 3));
      versions.push((await engine.commit(operations)).version);
    }
    return versions;
  };
  const versions = (await Promise.all([write(engines[0]!, 0), write(engines[1]!, 1)])).flat();
  assert.is(new Set(versions).size, 50, 'no version was given to two transactions');
  const last = Math.max(...versions);
  await until(() => engines.every((engine) => engine.version === last), 'both know the last version', 30_000);
  const [one, other, third] = [...engines, await openEngine(context)].map((engine) => stateOf(engine));
  assert.equal(other, one);
  assert.equal(third, one, 'and whoever reads it anew');
});

test('what one commits the other tells its sessions, and by the same keys', async (context) => {
  const [writer, reader] = [await openEngine(context), await openEngine(context)];
  const heard: [number, string, unknown][] = [];
  for (const engine of [writer, reader]) {
    engine.on('committed', ({ version, outcomes }) => { for (const { appliance, touched, gone } of outcomes) heard.push([version, `${appliance.name} ${gone}`, touched.encode()]); });
  }
  await writer.commit([put({ name: P, project: {} }), network(0), compute(1)]);
  await writer.commit(workload(0, 1, 1));
  await writer.commit([deletion('instance-ip', 'ip-0-1'), deletion('virtual-machine-interface', `${P}:v0-1`)]);
  await writer.commit([deletion('virtual-router', 'default-global-system-config:c1')]);
  await until(() => reader.version === writer.version, 'the reader follows');
  const tell = (lines: typeof heard) => lines.map((line) => JSON.stringify(line)).sort();
  assert.ok(heard.length >= 6, `${heard.length} outcomes`);
  const sorted = tell(heard);
  for (let at = 0; at < sorted.length; at += 2) assert.is(sorted[at], sorted[at + 1], 'each outcome was told twice, once by each controller');
});

test('a commit of several MiB is whole for the other, and after a restart', async (context) => {
  const [one, other] = [await openStore(context), await openStore(context)];
  const bytes = Buffer.alloc(3_500_000, 'wide ');
  await one.commit(commit(1, { puts: [{ ...row('big', 1), bytes }] }));
  let waiting = false;
  other.on('waiting', () => { waiting = true; });
  await until(() => waiting || other.take() !== undefined, 'the other hears of it');
  other.take();
  for (const store of [other, await openStore(context)]) {
    assert.is(store.version, 1);
    assert.ok(Buffer.from([...store.objects()][0]!.bytes).equals(bytes));
  }
  await one.snapshot();
  assert.ok(Buffer.from([...(await openStore(context)).objects()][0]!.bytes).equals(bytes), 'and out of a snapshot');
});

test('a snapshot and the log after it are the state; the log is cut, and the other follows on', async (context) => {
  const [one, other] = [await openStore(context), await openStore(context)];
  const megabyte = Buffer.alloc(1_000_000, 'x');
  for (let version = 1; version <= 75; version++) {
    await one.commit(commit(version, {
      puts: [{ ...row(`big${version % 3}`, version), bytes: megabyte }, row(`small${version}`, version)],
      numbers: [{ scope: 'c1/vrf', number: version, key: `k${version}`, freed: 0 }], appliances: [{ appliance: 'c1', keys: `k${version}` }],
    }));
  }
  await one.snapshot();
  const state = (store: Store): unknown => ({
    version: store.version, objects: [...store.objects()].map(({ kind, name, version, bytes }) => [kind, name, version, bytes.length]),
    numbers: [...store.numbers()].length, known: store.changesSince('c1', 74), floor: store.history(0, 10), recent: store.history(70, 100)!.length,
  });
  const third = await openStore(context);
  assert.equal(state(third), state(one));
  assert.is(third.history(0, 10), undefined, 'the beginning is no longer in the log');
  assert.is(third.changesSince('c1', 0), undefined, 'nor what it changed');
  await one.commit(commit(76, { puts: [row('last', 76)] }));
  await until(() => { while (other.take()); return other.version === 76; }, 'the other follows');
  assert.equal((state(other) as { objects: unknown }).objects, (state(one) as { objects: unknown }).objects);
});

test('etcd stalls: a clear error in bounded time; then the change is there once or not at all, and both agree', async (context) => {
  const [one, other] = [await openEngine(context), await openEngine(context)];
  await one.commit([put({ name: P, project: {} }), network(0)]);
  const { etcd } = context;
  for (let round = 1; round <= 2; round++) {
    const before = one.version;
    etcd.stall();
    const since = performance.now();
    const error = await one.commit([network(round)]).then(() => undefined, (each: unknown) => each);
    const took = performance.now() - since;
    assert.instance(error, EtcdUnavailable);
    assert.match(String(error), /did not answer a transaction in \d+ ms/);
    assert.ok((error as EtcdUnavailable).uncertain, 'it says that it does not know');
    assert.ok(took < 20_000, `after ${took} ms`);
    assert.is(one.objects.get('virtual-network', `${P}:n${round}`), undefined, 'what is not durable is not shown');
    etcd.resume();
    // The same again, as a client would: it must not be there twice.
    await one.commit([network(round)]);
    await one.commit([network(round + 100)]);
    await until(() => other.version === one.version, 'both agree', 30_000);
    assert.equal(stateOf(other), stateOf(one));
    const steps = one.store.versionsOf('virtual-network', `${P}:n${round}`);
    assert.is(steps.length, 1, 'one change, once');
    assert.is(one.version, before + 2);
  }
});

test('etcd is killed under writes and comes back: what was acknowledged is there once', async (context) => {
  const [one, other] = [await openEngine(context), await openEngine(context)];
  await one.commit([put({ name: P, project: {} })]);
  const acknowledged = new Map<number, number>();
  let ending = false;
  const writing = (async () => {
    for (let count = 1; !ending; count++) {
      await one.commit([put({ name: `${P}:n`, virtualNetwork: { routeTargets: [`target:64512:${count}`] } })])
        .then(({ version }) => acknowledged.set(count, version), (error: unknown) => assert.instance(error, EtcdUnavailable));
    }
  })();
  for (let kill = 0; kill < 3; kill++) {
    const seen = acknowledged.size;
    await until(() => acknowledged.size > seen + 20, 'writes go on', 60_000);
    await context.etcd.kill();
    context.etcd.restart();
  }
  const seen = acknowledged.size;
  await until(() => acknowledged.size > seen + 20, 'writes go on', 60_000);
  ending = true;
  await writing;
  await until(() => other.version === one.version, 'both agree', 30_000);
  assert.equal(stateOf(other), stateOf(one));
  checkHistory(other.store.history(0, 1e6)!, 'p', acknowledged, 1);
});

/** Each acknowledged count is in the history, in its version, and no count twice; every step writes all of its parts. */
function checkHistory(history: readonly HistoryRow[], project: string, acknowledged: ReadonlyMap<number, number>, parts: number): void {
  const found = new Map<number, number[]>();
  for (const step of history) {
    const object = decodeObject(step.bytes);
    if (object.kind !== 'virtual-network' || !object.name.startsWith(`default-domain:${project}:`)) continue;
    const count = Number(object.spec.routeTargets[0]!.split(':')[2]);
    found.set(count, [...found.get(count) ?? [], step.version]);
  }
  for (const [count, version] of acknowledged) assert.equal(found.get(count), Array.from({ length: parts }, () => version), `${project}: count ${count}, acknowledged in version ${version}`);
  for (const [count, versions] of found) assert.ok(versions.length === parts && new Set(versions).size === 1, `${project}: count ${count} in versions ${versions.join()}`);
}

test(`${KILLS} kills of one of two controllers that both write: nothing acknowledged is lost, half or twice; the other goes on`, async (context) => {
  const { etcd } = context;
  const acknowledged = new Map([['a', new Map<number, number>()], ['b', new Map<number, number>()]]);
  const next = new Map([['a', 1], ['b', 1]]);
  const children = new Map<string, ChildProcess>();
  const problems: string[] = [];
  const start = (name: string): void => {
    const child = spawn(process.execPath, [WRITER, `etcd://${etcd.endpoints.join(',')}`, etcd.pki, name, String(next.get(name))], { stdio: ['ignore', 'pipe', 'inherit'] });
    children.set(name, child);
    let text = '';
    child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
      const lines = (text + chunk).split('\n');
      text = lines.pop()!;
      for (const line of lines) {
        const [version, count] = line.split(' ').map(Number);
        if (Number.isNaN(version)) problems.push(line);
        else acknowledged.get(name)!.set(count!, version!);
        next.set(name, count! + 1000);
      }
    });
  };
  const kill = async (name: string): Promise<void> => {
    const child = children.get(name)!;
    const ended = once(child, 'close');
    child.kill('SIGKILL');
    await ended;
  };
  try {
    for (const name of ['a', 'b']) start(name);
    for (let at = 0; at < KILLS; at++) {
      const [victim, other] = at % 2 === 0 ? ['a', 'b'] as const : ['b', 'a'] as const;
      const [seen, others] = [acknowledged.get(victim)!.size, acknowledged.get(other)!.size];
      await until(() => acknowledged.get(victim)!.size > seen + 3 && acknowledged.get(other)!.size > others + 3, 'both write', 30_000);
      await new Promise((resolve) => setTimeout(resolve, Math.random() * 30));
      await kill(victim);
      const alone = acknowledged.get(other)!.size;
      await until(() => acknowledged.get(other)!.size > alone + 3, `${other} goes on alone`, 30_000);
      start(victim);
    }
  } finally {
    await Promise.all([...children.keys()].map(kill));
  }
  assert.equal(problems, [], 'contention is nobody\'s error');
  const engine = await openEngine(context);
  const history = engine.store.history(0, 1e6)!;
  for (const [name, counts] of acknowledged) checkHistory(history, name, counts, 3);
  assert.is(history.at(-1)!.version, engine.version);
});

test('who holds the turn and is gone holds up nobody for longer than a moment', async (context) => {
  const engine = await openEngine(context);
  await engine.commit([put({ name: P, project: {} })]);
  await context.etcd.put(KEYS.turn, 'somebody who was killed before its lease ended');
  await engine.commit([network(1)]);
  assert.ok(engine.objects.get('virtual-network', `${P}:n1`));
  assert.is(await context.etcd.get(KEYS.turn), undefined, 'and it is nobody\'s turn');
});

test('contact: lost when etcd is stalled, there again with what was missed', async (context) => {
  const [writer, store] = [await openEngine(context), await openStore(context)];
  const said: boolean[] = [];
  store.on('contact', () => said.push(store.inContact));
  context.etcd.stall();
  await until(() => said.length === 1, 'it notices');
  context.etcd.resume();
  await writer.commit([put({ name: P, project: {} })]);
  await until(() => said.length === 2, 'it notices');
  assert.equal(said, [false, true]);
  await until(() => store.take() !== undefined || store.version > 0, 'the change comes');
});

test('a certificate of another authority opens nothing', async ({ etcd }) => {
  const foreign = join(etcd.folder, 'foreign');
  await createPki(foreign, [{ name: 'controller', role: 'controller' }]);
  const error = await EtcdStore.open({ endpoints: etcd.endpoints, credentials: () => etcd.credentials(foreign) }).then(() => undefined, (each: unknown) => each);
  assert.instance(error, EtcdUnavailable);
  assert.match(String(error), /did not answer a transaction in 5000 ms/);
});

test('restored from a backup, it says so and writes no more; deleting the identity makes a new one', async (context) => {
  const store = await openStore(context);
  for (let version = 1; version <= 3; version++) await store.commit(commit(version, { puts: [row('a', version)] }));
  const { stateId } = store;
  const errors: Error[] = [];
  store.on('lost', (error) => errors.push(error));
  await context.etcd.goBack(1, row('a', 1));
  const error = await store.commit(commit(4)).then(() => undefined, (each: unknown) => each);
  assert.match(String(error), /gone back to version 1, this controller knows 3: it was restored from a backup; restart this controller/);
  assert.is(errors.length, 1);
  const again = await openStore(context);
  assert.is(again.version, 1);
  assert.is(again.stateId === stateId, false, 'whatever appliances hold is of another history');
});

test.run();

/** As a client does: how long members take to agree on a leader is up to them. */
async function insist(engine: Engine, operation: Operation): Promise<void> {
  for (let tries = 1; ; tries++) {
    try {
      await engine.commit([operation]);
      return;
    } catch (error) {
      if (!(error instanceof EtcdUnavailable) || tries === 5) throw error;
    }
  }
}

const cluster = suite('three members');
cluster('the one in use stalls, then another is killed: changes go on', async () => {
  const etcd = await TestEtcd.start(3);
  const opened: Store[] = [];
  try {
    const [one, other] = [await openEngine({ etcd, opened }), await openEngine({ etcd, opened })];
    await one.commit([put({ name: P, project: {} })]);
    etcd.stall(0);
    await insist(one, network(1));
    await insist(other, network(2));
    await until(() => one.version === other.version, 'both agree', 30_000);
    etcd.resume(0);
    await etcd.kill(1);
    await insist(one, network(3));
    await insist(other, network(4));
    await until(() => one.version === other.version, 'both agree', 30_000);
    assert.equal(stateOf(other), stateOf(one));
  } finally {
    for (const store of opened) store.close();
    await etcd.close();
  }
});
cluster.run();
