// Changes fall into a resync at any place: whatever version the stream then says, the appliance has what that version is, and the
// walk over the state misses nothing that keeps leading where it leads, wherever it is kept meanwhile.
import * as fc from 'fast-check';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { Compiler } from '../../../mgmt/controller/compile/compiler.ts';
import type { Appliance } from '../../../mgmt/controller/compile/appliance.ts';
import { packAll, Packer } from '../../../mgmt/controller/compile/pack.ts';
import { keyOf } from '../../../mgmt/controller/model/address.ts';
import { Objects } from '../../../mgmt/controller/model/objects.ts';
import { Refusal } from '../../../mgmt/controller/model/refusal.ts';
import { stage } from '../../../mgmt/controller/model/transaction.ts';
import { Numbering } from '../../../mgmt/controller/routing/numbering.ts';
import { Session, type SessionSizes } from '../../../mgmt/controller/sync/session.ts';
import type { Operation } from '../../../proto/config.ts';
import type { Draft } from '../../../proto/load.ts';
import type { Batch, ControllerMessage } from '../../../proto/sync.ts';
import { RESULT_NOT_FOUND } from '../../../wasm-core/records.ts';
import { Tables } from '../../integration/controller/simulated-appliance.ts';
import { deletion, put } from './objects.ts';

const P = 'default-domain:p';
const NETWORK = `${P}:n`;
const VMIS = ['a', 'b'].map((name) => `${P}:${name}`);

/** Leads to nothing, or to an interface. */
const hop = (at: number) => (at === 0 ? { discard: true } : { virtualMachineInterface: VMIS[at - 1]! });
const network = (routes: readonly { readonly host: number; readonly to: number }[]): Operation => put({ name: NETWORK, virtualNetwork: {
  subnets: [{ prefix: '10.0.0.0/24' }], staticRoutes: routes.map(({ host, to }) => ({ prefix: `10.0.0.${host}/32`, ...hop(to) })),
} });
const table = (name: string, hosts: readonly number[], to: number): Operation => put({ name: `${P}:${name}`, routeTable: {
  virtualNetwork: NETWORK, prefixes: Buffer.concat([...hosts].sort((one, other) => one - other).map((host) => Buffer.from([10, 0, 0, host, 32]))), nextHops: [hop(to)],
} });
const vmi = (at: number, host: string): Operation => put({ name: VMIS[at]!, virtualMachineInterface: { virtualNetwork: NETWORK, virtualRouter: host && `default-global-system-config:${host}`, port: host && `tap${at}` } });
const compute = (name: string, address: number): Operation => put({ name: `default-global-system-config:${name}`, virtualRouter: { kind: 'COMPUTE', profile: 'virtual', fabric: { port: 'f', address: `192.168.1.${address}/24`, mac: '02:00:00:00:00:01' } } });
const BEGINNING = [put({ name: P, project: {} }), compute('c1', 11), compute('c2', 12), network([]), vmi(0, 'c1'), vmi(1, 'c1'),
  ...VMIS.map((name, at) => put({ name: `ip-${at}`, instanceIp: { address: `10.0.0.${3 + at}`, virtualNetwork: NETWORK, virtualMachineInterfaces: [name] } }))];

/** Objects compiled, and one appliance that reads its stream when it is told to. */
class World {
  readonly #objects = new Objects();
  readonly #compiler = new Compiler(this.#objects, new Numbering());
  /** The appliance's whole state in each version that changed it. */
  readonly #states = new Map<number, string>();
  readonly #stream: Draft<ControllerMessage>[] = [];
  readonly #tables = new Tables();
  #version = 0;
  /** That the appliance is at. */
  #live = 0;
  session: Session | undefined;
  /** A transaction that would delete the appliance. */
  underWay = false;
  compared = 0;

  get state(): Appliance { return this.#compiler.appliances.get('c1')!; }
  get isOver(): boolean { return this.#stream.length === 0; }

  commit(operations: readonly Operation[]): void {
    const { changes } = stage(this.#objects, operations, this.#version + 1);
    const outcome = this.#compiler.apply(changes, ++this.#version).find(({ appliance }) => appliance.name === 'c1');
    if (!outcome) return;
    this.#states.set(this.#version, whole(this.state));
    this.session?.changed(outcome.touched);
  }

  /** True: nothing was wrong with it. */
  tryCommit(operations: readonly Operation[]): boolean {
    try {
      this.commit(operations);
      return true;
    } catch (error) {
      if (error instanceof Refusal) return false;
      throw error;
    }
  }

  /** The appliance comes. */
  open(sizes: SessionSizes = { updateBytes: 64 }, sweepFirst = false): void {
    this.session = new Session({
      state: () => (this.underWay ? undefined : this.state), settled: () => !this.underWay, live: () => {}, retryLater: () => {},
      write: (message) => { this.#stream.push(message); return true; },
    }, { kind: 'resync', force: true, sweepFirst }, sizes);
  }

  /** The appliance takes one message, and acknowledges it. */
  take(): Draft<ControllerMessage> {
    const message = this.#stream.shift()!;
    const { beginResync, update, endResync } = message;
    if (beginResync) {
      this.#live = 0;
      this.#tables.mark();
      return message;
    }
    for (const batch of update?.batches ?? []) for (const code of this.#tables.applyBatch(batch as Batch)) assert.ok(code === 0 || code === RESULT_NOT_FOUND, `result ${code} in kind ${batch.kind}`);
    if (endResync) this.#tables.sweep();
    const { nonce = 0, version = 0 } = update ?? endResync!;
    // A part of several bears the version before it.
    if (version > 0 && version !== this.#live) {
      this.compared++;
      assert.is(this.#tables.text(), this.#states.get(version), `what is said to be version ${version}`);
    }
    this.#live = version || this.#live;
    this.session!.acknowledged({ nonce, version, refusals: [], error: '' });
    return message;
  }

  finish(): void {
    while (!this.isOver) this.take();
    assert.is(this.session!.state, 'in-sync');
    assert.is(this.#tables.text(), whole(this.state));
  }
}

function whole(state: Appliance): string {
  const tables = new Tables();
  for (const packer = new Packer(), walk = packAll(state, packer); ;) {
    const done = walk.next().done;
    for (const batch of packer.take().batches) tables.applyBatch(batch);
    if (done) return tables.text();
  }
}

const HOSTS = Array.from({ length: 60 }, (_, at) => at + 20);

/** Does something whenever the appliance has taken a message of a resync, each time in another run. */
function atEachMoment(before: readonly Operation[], change: readonly Operation[], kept: readonly number[]): void {
  for (let moment = 0, moved = false; !moved || moment < 10; moment++) {
    const world = new World();
    world.commit(BEGINNING);
    world.commit(before);
    world.open();
    for (let taken = 0; taken < moment && !world.isOver; taken++) world.take();
    moved = world.isOver;
    const instance = [...world.state.instances.values()].find(({ name }) => name === `${NETWORK}:n`)!;
    const routes = (): number[] => kept.map((host) => instance.route(keyOf(`10.0.0.${host}/32`)));
    const were = routes();
    assert.not(were.includes(0));
    const had = instance.routes.size;
    world.commit(change);
    assert.equal(routes(), were, 'they lead where they led');
    assert.is.not(instance.routes.size, had, 'but are kept elsewhere');
    world.finish();
  }
}

test('a resync misses no route that moves out of a route table, and leads where it led', () => {
  atEachMoment([table('t', HOSTS, 0)], [network(HOSTS.slice(50).map((host) => ({ host, to: 0 })))], HOSTS);
});

test('a resync misses no route that moves into a route table, and leads where it led', () => {
  atEachMoment([table('t', HOSTS, 0), network(HOSTS.slice(0, 10).map((host) => ({ host, to: 0 })))], [network([])], HOSTS);
});

test('a resync misses no route that a route table hands over with its last breath', () => {
  atEachMoment([table('t', HOSTS, 0)], [table('t', HOSTS.slice(0, 50), 0), network(HOSTS.slice(50).map((host) => ({ host, to: 0 })))], HOSTS);
});

test('a resync that is to begin while a transaction is under way begins after it', () => {
  for (const sweepFirst of [false, true]) {
    const world = new World();
    world.commit(BEGINNING);
    world.open({}, sweepFirst);
    if (!sweepFirst) world.finish();
    world.underWay = true;
    // The end of the sweep is acknowledged, or an operator wants it.
    if (sweepFirst) for (let message = 0; message < 2; message++) world.take();
    else world.session!.resync(true);
    world.underWay = false;
    world.session!.pump();
    assert.is(world.session!.state, 'resync');
    world.finish();
  }
});

test('a resync that an operator wants of an appliance with another history comes after its sweep', () => {
  const world = new World();
  world.commit(BEGINNING);
  world.underWay = true; // so that nothing is sent yet
  world.open({}, true);
  world.session!.resync(true);
  world.underWay = false;
  world.session!.pump();
  const [begin, end] = [world.take(), world.take()];
  assert.is(begin.beginResync?.epoch, 1);
  assert.equal([end.endResync?.version, end.endResync?.force], [0, true], 'nothing between');
  world.finish();
});

test('whatever changes fall into resyncs, a version that is said is that version', () => {
  const few = fc.subarray(HOSTS.slice(0, 12));
  const to = fc.integer({ min: 0, max: 2 });
  const operation = fc.oneof(
    { weight: 4, arbitrary: fc.array(fc.record({ host: fc.constantFrom(...HOSTS.slice(0, 12)), to }), { maxLength: 6 }).map((routes) => network([...new Map(routes.map((route) => [route.host, route])).values()])) },
    { weight: 4, arbitrary: fc.tuple(fc.constantFrom('t', 'u'), few, to).map(([name, hosts, hop]) => table(name, hosts, hop)) },
    { weight: 1, arbitrary: fc.constantFrom('t', 'u').map((name) => deletion('route-table', `${P}:${name}`)) },
    { weight: 2, arbitrary: fc.tuple(fc.constantFrom(0, 1), fc.constantFrom('', 'c1', 'c1', 'c2')).map(([at, host]) => vmi(at, host)) },
  );
  const step = fc.record({ operations: fc.array(operation, { minLength: 1, maxLength: 3 }), taken: fc.integer({ min: 0, max: 6 }), resync: fc.integer({ min: 0, max: 2 }).map((dice) => dice === 0) });
  let [compared, committed, refused] = [0, 0, 0];
  const sizes = fc.record({ updateBytes: fc.constantFrom(64, 200, 300, 1000), maxKeys: fc.constantFrom(8, 1000) });
  fc.assert(fc.property(sizes, fc.array(step, { minLength: 1, maxLength: 30 }), (its, steps) => {
    const world = new World();
    world.commit(BEGINNING);
    world.open(its);
    for (const { operations, taken, resync } of steps) {
      if (world.tryCommit(operations)) committed++;
      else refused++;
      if (resync) world.session!.resync(true);
      for (let at = 0; at < taken && !world.isOver; at++) world.take();
    }
    world.finish();
    compared += world.compared;
  }), { includeErrorInReport: true, numRuns: Number(process.env['RUNS'] ?? 500), interruptAfterTimeLimit: 60_000, markInterruptAsFailure: true });
  assert.ok(compared > 400, `${compared} versions compared`);
  assert.ok(committed > refused, `${committed} committed, ${refused} refused`);
});

test.run();
