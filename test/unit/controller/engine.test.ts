// A commit that does not become durable leaves nothing: neither in the objects, nor in the compiled state, nor in the numbers. And
// engines over one log come to the same state, whoever of them commits when.
import { status } from '@grpc/grpc-js';
import * as fc from 'fast-check';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { refusalStatus } from '../../../mgmt/controller/api/errors.ts';
import { Announcements, importedPath } from '../../../mgmt/controller/bgp/paths.ts';
import type { Appliance } from '../../../mgmt/controller/compile/appliance.ts';
import { packAll, Packer } from '../../../mgmt/controller/compile/pack.ts';
import type { Path } from '../../../mgmt/controller/compile/types.ts';
import { readRecords, type Reading } from '../../../mgmt/controller/api/plan.ts';
import type { Compiler } from '../../../mgmt/controller/compile/compiler.ts';
import type { KeySet } from '../../../mgmt/controller/compile/keys.ts';
import { Engine } from '../../../mgmt/controller/engine.ts';
import { keyOf, parseAddress } from '../../../mgmt/controller/model/address.ts';
import { Refusal } from '../../../mgmt/controller/model/refusal.ts';
import { RANGES } from '../../../mgmt/controller/routing/numbering.ts';
import { decodeCommit, encodeCommit } from '../../../mgmt/controller/store/etcd-records.ts';
import { MirroredStore } from '../../../mgmt/controller/store/mirrored.ts';
import { SqliteStore } from '../../../mgmt/controller/store/sqlite.ts';
import { Overtaken, type SharedStore, type StoreCommit } from '../../../mgmt/controller/store/store.ts';
import type { Operation } from '../../../proto/config.ts';
import { MAX_INTERFACES } from '../../../wasm-core/layout.ts';
import { Tables } from '../../integration/controller/simulated-appliance.ts';
import { deletion, put } from './objects.ts';

const P = 'default-domain:p';
const COMPUTES = [1, 2, 3];
const compute = (at: number): Operation => put({ name: `default-global-system-config:c${at}`, virtualRouter: { kind: 'COMPUTE', profile: 'virtual', fabric: { port: 'f', address: `192.168.1.${10 + at}/24`, mac: '02:00:00:00:00:01' } } });
const network = (at: number, target: number): Operation => put({ name: `${P}:n${at}`, virtualNetwork: { subnets: [{ prefix: `10.${at}.0.0/24` }], routeTargets: target ? [`target:64512:${target}`] : [] } });
const vmi = (at: number, net: number, host: number): Operation => put({ name: `${P}:v${at}`, virtualMachineInterface: { virtualNetwork: `${P}:n${net}`, virtualRouter: host ? `default-global-system-config:c${host}` : '', port: host ? `tap${at}` : '' } });
const shared = (at: number, net: number, vmis: readonly number[]): Operation => put({ name: `ip-${at}`, instanceIp: { address: `10.${net}.0.${10 + at}`, virtualNetwork: `${P}:n${net}`, virtualMachineInterfaces: vmis.map((each) => `${P}:v${each}`) } });

const [two, three, four] = [fc.constantFrom(0, 1), fc.constantFrom(1, 2, 3), fc.constantFrom(1, 2, 3, 4)];
const operation: fc.Arbitrary<Operation> = fc.oneof(
  { weight: 3, arbitrary: fc.tuple(four, two, fc.constantFrom(0, 1, 2, 3)).map(([at, net, host]) => vmi(at, net, host)) },
  { weight: 5, arbitrary: fc.tuple(three, two, fc.subarray([1, 2, 3, 4])).map(([at, net, vmis]) => shared(at, net, vmis)) },
  { weight: 1, arbitrary: fc.tuple(two, fc.constantFrom(0, 1)).map(([at, target]) => network(at, target)) },
  { weight: 1, arbitrary: three.map(compute) },
  { weight: 2, arbitrary: four.map((at) => deletion('virtual-machine-interface', `${P}:v${at}`)) },
  { weight: 2, arbitrary: three.map((at) => deletion('instance-ip', `ip-${at}`)) },
  { weight: 1, arbitrary: three.map((at) => deletion('virtual-router', `default-global-system-config:c${at}`)) },
);
const operations = fc.array(operation, { minLength: 1, maxLength: 6 });
/** What routers may tell: a default route by two of them, which then share the traffic, and a workload's address. */
const TOLD = [['0.0.0.0/0', '192.168.9.1', 1], ['0.0.0.0/0', '192.168.9.2', 1], ['10.1.0.11/32', '192.168.9.1', 1], ['198.18.0.0/15', '192.168.1.9', 2]].map(([prefix, router, target]) => importedPath({
  family: 'ipv4-vpn', distinguisher: `${router}:1`, prefix: keyOf(String(prefix)), label: 2001, nextHop: parseAddress(String(router))!, targets: [`target:64512:${target}`], encapsulations: [], localPreference: 100,
  peer: parseAddress(String(router))!, asPath: [], origin: 0, since: 1,
}));
const told = fc.subarray(TOLD);
const steps = fc.array(fc.record({ operations, told: fc.option(told), fails: fc.boolean() }), { minLength: 1, maxLength: 25 });

/** Routers tell these and no others. */
async function tell(engine: Engine, paths: readonly Path[]): Promise<void> {
  const before = [...engine.compiler.imported];
  await engine.changeImported(before.filter((path) => !paths.includes(path)), paths.filter((path) => !before.includes(path)));
}

function whole(state: Appliance): string {
  const tables = new Tables();
  for (const packer = new Packer(), walk = packAll(state, packer); ;) {
    const done = walk.next().done;
    for (const batch of packer.take().batches) tables.applyBatch(batch);
    if (done) return tables.text();
  }
}

/** What is compiled, and what would be given out next. */
function stateOf({ compiler, numbering, version }: Engine): unknown {
  const copy = numbering.clone();
  return {
    version, compiled: [...compiler.appliances.values()].map((appliance) => [appliance.name, appliance.version, whole(appliance)]).sort(),
    next: COMPUTES.map((at) => (['vrf', 'interface', 'nexthop', 'label'] as const).map((space) => copy.take(`c${at}`, space, 'next'))),
  };
}

test('whatever fails, the state is what is read anew; and it is compiled back, not from scratch', async () => {
  let [failed, fromScratch] = [0, 0];
  await fc.assert(fc.asyncProperty(steps, async (sequence) => {
    const store = new SqliteStore(':memory:');
    try {
      const engine = await Engine.open(store);
      const durable = store.commit.bind(store);
      const announced = new Announcements();
      engine.on('committed', ({ exports }) => { if (exports) announced.change(exports.gone, exports.come); });
      await engine.commit([put({ name: P, project: {} }), network(0, 0), network(1, 0), ...COMPUTES.map(compute), ...[1, 2, 3, 4].map((at) => vmi(at, at % 2, 1 + (at % 3)))]);
      let heard: readonly Path[] = [];
      for (const { operations, told, fails } of sequence) {
        store.commit = fails ? () => Promise.reject(new Error('the disk is full')) : durable;
        const { compiler } = engine;
        const before = fails ? stateOf(engine) : undefined;
        const error = await (told ? tell(engine, told) : engine.commit(operations)).then(() => undefined, (each: unknown) => each);
        if (told && !error) heard = told;
        if (error && !(error instanceof Refusal) && !/the disk is full/.test(String(error))) throw error;
        if (!fails) continue;
        failed++;
        if (engine.compiler !== compiler) fromScratch++;
        assert.equal(stateOf(engine), before);
      }
      store.commit = durable;
      assert.equal([...engine.compiler.imported].map(({ id }) => id).sort(), heard.map(({ id }) => id).sort());
      const present = new Announcements();
      present.change([], engine.compiler.exported);
      assert.equal(new Map([...announced.announced].sort()), new Map([...present.announced].sort()), 'what routers were told is what is durable');
      assert.equal(stateOf(await Engine.open(store, { told: () => heard })), stateOf(engine), 'read anew with what routers told');
      await tell(engine, []);
      assert.equal(stateOf(await Engine.open(store)), stateOf(engine));
    } finally {
      store.close();
    }
  }), { numRuns: Number(process.env['RUNS'] ?? 60), interruptAfterTimeLimit: 60_000, markInterruptAsFailure: true });
  assert.ok(failed > 100, `${failed} failed`);
  assert.ok(fromScratch * 20 < failed, `${fromScratch} of ${failed} were compiled from scratch`);
});

test('a plan says what the same commit then does, and leaves nothing: neither state, nor numbers, nor routes to tell', async () => {
  let planned = 0;
  await fc.assert(fc.asyncProperty(steps, async (sequence) => {
    const store = new SqliteStore(':memory:');
    try {
      const engine = await Engine.open(store);
      await engine.commit([put({ name: P, project: {} }), network(0, 0), network(1, 0), ...COMPUTES.map(compute), ...[1, 2, 3, 4].map((at) => vmi(at, at % 2, 1 + (at % 3)))]);
      for (const { operations } of sequence) {
        const before = stateOf(engine);
        const touched = new Map<string, KeySet>();
        const read = (compiler: Compiler, appliance: string, keys: KeySet): Reading => {
          touched.set(appliance, keys);
          return readRecords(compiler, appliance, keys);
        };
        const plan = await engine.plan(operations, undefined, read).catch((error: unknown) => {
          if (error instanceof Refusal) return undefined;
          throw error;
        });
        assert.equal(stateOf(engine), before);
        assert.equal(engine.compiler.takeExports(), { gone: [], come: [] });
        const error = await engine.commit(operations).then(() => undefined, (each: unknown) => each);
        assert.is(error === undefined, plan !== undefined, String(error));
        if (!plan) continue;
        planned++;
        for (const reading of plan.after) assert.equal(readRecords(engine.compiler, reading.appliance, touched.get(reading.appliance)!), reading);
      }
    } finally {
      store.close();
    }
  }), { numRuns: Number(process.env['RUNS'] ?? 60), interruptAfterTimeLimit: 60_000, markInterruptAsFailure: true });
  assert.ok(planned > 50, `${planned} planned`);
});

test('a transaction for which an appliance has no number left is refused by name, and leaves nothing', async () => {
  const store = new SqliteStore(':memory:');
  const engine = await Engine.open(store);
  await engine.commit([put({ name: P, project: {} }), put({ name: `${P}:n0`, virtualNetwork: { subnets: [{ prefix: '10.0.0.0/16' }] } }), compute(1)]);
  const before = stateOf(engine);
  const placed = (at: number): Operation[] => [vmi(at, 0, 1), put({ name: `ip-${at}`, instanceIp: { address: `10.0.${10 + (at >>> 7)}.${1 + (at & 127)}`, virtualNetwork: `${P}:n0`, virtualMachineInterfaces: [`${P}:v${at}`] } })];
  await engine.commit(Array.from({ length: MAX_INTERFACES }, (_, at) => placed(at)).flat()).then(() => assert.unreachable(), (error: unknown) => {
    assert.ok(error instanceof Refusal);
    assert.is(refusalStatus(error).code, status.RESOURCE_EXHAUSTED);
    assert.match(error.message, /appliance c1 .*: all 8191 interface numbers are in use/);
  });
  assert.equal(stateOf(engine), before);
  store.close();
});

test('what is compiled anew beside what routers told keeps the slots of who shares the traffic', async () => {
  const store = new SqliteStore(':memory:');
  const engine = await Engine.open(store, { ranges: { ...RANGES, interface: { first: 1, last: 3, rest: 0 } } });
  // Without what routers told, these three would share it: the same group, with other members.
  const gateways = [1, 2, 3].map((at) => put({ name: `default-global-system-config:g${at}`, virtualRouter: {
    kind: 'GATEWAY', profile: 'virtual', fabric: { port: 'f', address: `192.168.1.${200 + at}/24`, mac: '02:00:00:00:00:02' }, routingInstances: [{ name: 'internet', routeTargets: ['target:64512:1'] }],
  } }));
  await engine.commit([put({ name: P, project: {} }), network(0, 1), compute(1), ...gateways, vmi(1, 0, 1), shared(1, 0, [1])]);
  // One tells first, so that the group goes, and comes again with two slots.
  await tell(engine, TOLD.slice(0, 1));
  await tell(engine, TOLD.slice(0, 2));
  const [before, { compiler }] = [stateOf(engine), engine];
  const groups = [...compiler.appliances.get('c1')!.nexthops.values()].filter(({ slots }) => slots.length > 0);
  assert.equal(groups.map(({ slots }) => slots.length), [2]);
  const refused = await engine.commit([vmi(2, 0, 1), vmi(3, 0, 1), shared(2, 0, [2, 3])]).then(() => undefined, (error: unknown) => error);
  assert.instance(refused, Refusal);
  assert.is.not(engine.compiler, compiler, 'compiled from scratch');
  assert.equal(stateOf(engine), before);
  assert.not(engine.numbering.hasJournal);
  const reopened = await Engine.open(store, { told: () => TOLD.slice(0, 2).reverse() });
  assert.equal(stateOf(reopened), before, 'also by a controller that starts');
  assert.not(reopened.numbering.hasJournal);
  store.close();
});

/** One of several stores over a log in memory, as etcd's are: others' commits wait until they are taken. */
class LogStore extends MirroredStore implements SharedStore {
  readonly stateId = 'one history';
  readonly inContact = true;
  readonly #log: Buffer[];
  constructor(log: Buffer[]) {
    super();
    this.#log = log;
  }

  async sync() { return this.#log.length > this.version; }
  close() {}

  async commit(commit: StoreCommit) {
    assert.is(commit.version, this.version + 1);
    if (this.#log.length > this.version) throw new Overtaken(commit.version);
    this.#log.push(encodeCommit(commit));
    this.mirror.apply(commit);
  }

  /** With all of the log taken: as it is when a store is opened. */
  all(): this {
    while (this.take());
    return this;
  }

  take() {
    const bytes = this.#log[this.version];
    if (!bytes) return undefined;
    const commit = decodeCommit(this.version + 1, bytes);
    this.mirror.apply(commit);
    return commit;
  }
}

test('two engines over one log, whoever commits: the same state, the same changes told, and mostly without compiling from scratch', async () => {
  const turns = fc.array(fc.record({ operations, who: fc.constantFrom(0, 1, 2) }), { minLength: 1, maxLength: 25 });
  let [followed, fromScratch] = [0, 0];
  await fc.assert(fc.asyncProperty(turns, async (sequence) => {
    const log: Buffer[] = [];
    const stores = [new LogStore(log), new LogStore(log)];
    const engines = [await Engine.open(stores[0]!), await Engine.open(stores[1]!)];
    const told: string[][] = [[], []];
    engines.forEach((engine, at) => engine.on('committed', ({ version, outcomes }) => {
      for (const { appliance, touched, gone } of outcomes) told[at]!.push(JSON.stringify([version, appliance.name, gone, touched.size]));
    }));
    const compilers = engines.map(({ compiler }) => compiler);
    const ask = (who: number, operations: readonly Operation[]): Promise<unknown> => engines[who]!.commit(operations).catch((error: unknown) => {
      if (!(error instanceof Refusal)) throw error;
    });
    await ask(0, [put({ name: P, project: {} }), network(0, 0), network(1, 0), ...COMPUTES.map(compute), ...[1, 2, 3, 4].map((at) => vmi(at, at % 2, 1 + (at % 3)))]);
    // 2: both at once.
    for (const { operations, who } of sequence) await Promise.all(who === 2 ? [ask(0, operations), ask(1, operations.toReversed())] : [ask(who, operations)]);
    // Who has nothing to say follows as well.
    for (const engine of engines) await engine.commit([], true);
    assert.equal(stateOf(engines[1]!), stateOf(engines[0]!));
    assert.equal(told[1]!.sort(), told[0]!.sort());
    assert.equal(stateOf(await Engine.open(new LogStore(log).all())), stateOf(engines[0]!));
    followed += log.length;
    fromScratch += engines.filter(({ compiler }, at) => compiler !== compilers[at]).length;
  }), { numRuns: Number(process.env['RUNS'] ?? 60), interruptAfterTimeLimit: 60_000, markInterruptAsFailure: true });
  assert.ok(fromScratch * 20 < followed, `${fromScratch} times from scratch in ${followed} commits`);
});

test('two engines over one log, whose routers tell each in its own time: in the end both have the same routes, and no number twice', async () => {
  const turns = fc.array(fc.record({ operations, told: fc.option(told), who: fc.constantFrom(0, 1) }), { minLength: 1, maxLength: 25 });
  await fc.assert(fc.asyncProperty(turns, async (sequence) => {
    const log: Buffer[] = [];
    const stores = [new LogStore(log), new LogStore(log)];
    const engines = [await Engine.open(stores[0]!), await Engine.open(stores[1]!)];
    const ask = (who: number, each: readonly Operation[]): Promise<unknown> => engines[who]!.commit(each).catch((error: unknown) => {
      if (!(error instanceof Refusal)) throw error;
    });
    await ask(0, [put({ name: P, project: {} }), network(0, 1), network(1, 0), ...COMPUTES.map(compute), ...[1, 2, 3, 4].map((at) => vmi(at, at % 2, 1 + (at % 3))), shared(1, 0, [1, 2])]);
    for (const { operations: each, told: paths, who } of sequence) await (paths ? tell(engines[who]!, paths) : ask(who, each));
    // In the end both hear the same; what each says about its numbers is heard by the other.
    for (let round = 0; round < 3; round++) {
      for (const engine of engines) {
        await tell(engine, TOLD);
        await engine.commit([], true);
      }
    }
    const compiled = engines.map((engine) => [...engine.compiler.appliances.values()].map((appliance) => [appliance.name, whole(appliance)]).sort());
    assert.equal(compiled[1], compiled[0]);
    const numbers = new Map<string, string>();
    for (const { scope, number, key, freed } of stores[0]!.all().numbers()) {
      if (freed > 0) continue;
      assert.is(numbers.get(`${scope} ${number}`), undefined, `${scope} ${number} is ${key}'s and another's`);
      numbers.set(`${scope} ${number}`, key);
    }
  }), { numRuns: Number(process.env['RUNS'] ?? 60), interruptAfterTimeLimit: 60_000, markInterruptAsFailure: true });
});

test.run();
