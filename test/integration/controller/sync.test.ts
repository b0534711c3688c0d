// The sync server against appliances that keep tables as strictly as the core does.
import { X509Certificate } from 'node:crypto';
import { EventEmitter } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { status } from '@grpc/grpc-js';
import pino from 'pino';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { chapter } from '../../../examples/chapter.ts';
import type { Clock } from '../../../mgmt/clock.ts';
import { packAll, Packer } from '../../../mgmt/controller/compile/pack.ts';
import { SyncServer } from '../../../mgmt/controller/sync/server.ts';
import { Scene, until } from './scene.ts';
import { SimulatedAppliance, Tables } from './simulated-appliance.ts';

const USER = 'default-domain:k8s-ns-user-1';
const POOL = `${USER}:k8s-vn-ns-default-pod-network:pool-ns-default`;
const fip = (name: string, address: string, pod = 'pod-1') => ({ name: `${POOL}:${name}`, floatingIp: { address, virtualMachineInterfaces: [`${USER}:${pod}`] } });

let scene: Scene;
const appliances: SimulatedAppliance[] = [];
const appliance = (name: string): SimulatedAppliance => {
  const each = new SimulatedAppliance(name);
  appliances.push(each);
  return each;
};

test.before.each(async () => {
  scene = await Scene.open();
  await scene.put(...chapter());
});
test.after.each(async () => {
  for (const each of appliances.splice(0)) each.disconnect();
  await scene.close();
});

/** What an appliance should have, packed from scratch. */
function wanted(name: string): string {
  const tables = new Tables();
  const packer = new Packer();
  const state = scene.engine.compiler.appliances.get(name)!;
  for (const walk = packAll(state, packer); ;) {
    const done = walk.next().done;
    for (const batch of packer.take().batches) assert.equal(tables.applyBatch(batch).filter((code) => code !== 0), [], `batch of kind ${batch.kind} applies`);
    if (done) return tables.text();
  }
}

async function inSync(each: SimulatedAppliance): Promise<void> {
  await until(() => each.version === scene.engine.compiler.appliances.get(each.name)?.version, `${each.name} at the present version (is at ${each.version}, ${each.error?.details ?? 'no error'})`);
  assert.is(each.tables.text(), wanted(each.name));
  assert.equal(each.refusals, []);
}

test('a fresh appliance gets its whole state, then only what changes', async () => {
  const [compute, gateway] = [appliance('compute-1'), appliance('gateway-1')];
  compute.connect(scene.address, scene.pki);
  gateway.connect(scene.address, scene.pki);
  await inSync(compute);
  await inSync(gateway);
  assert.is(compute.resyncs, 1);
  const before = compute.received.length;
  await scene.put(fip('second', '101.101.101.9'));
  await inSync(compute);
  await inSync(gateway);
  assert.is(compute.resyncs, 1);
  const changes = compute.received.slice(before);
  assert.is(changes.length, 1, 'one change, one update');
  assert.equal(changes[0]!.update!.batches.map(({ kind, count }) => [kind, count]), [[5, 1], [1, 1]]);
  assert.equal(gateway.received.at(-1)!.update!.batches.map(({ kind, count }) => [kind, count]), [[1, 1]], 'the gateway has the tunnel already');
});

test('removal goes in the reverse order, and leaves nothing behind', async () => {
  const [compute, gateway] = [appliance('compute-1'), appliance('gateway-1')];
  compute.connect(scene.address, scene.pki);
  gateway.connect(scene.address, scene.pki);
  await inSync(compute);
  await scene.config.commit({ operations: ['pod-1', 'pod-2'].flatMap((pod) => [
    { delete: { kind: 'floating-ip', name: `${POOL}:${pod}` } },
    { delete: { kind: 'instance-ip', name: `${pod}-ip` } },
    { delete: { kind: 'virtual-machine-interface', name: `${USER}:${pod}` } },
  ]) });
  await inSync(compute);
  await inSync(gateway);
  assert.is(compute.tables.vrfs.size, 1, 'only the fabric VRF is left');
  assert.is(compute.tables.floating.size, 0);
});

test('an appliance that was away gets a delta, also from a restarted controller', async () => {
  const compute = appliance('compute-1');
  compute.connect(scene.address, scene.pki);
  await inSync(compute);
  compute.disconnect();
  await scene.put(fip('second', '101.101.101.9'));
  await scene.config.delete({ kind: 'floating-ip', name: `${POOL}:pod-2` });
  const wantedBefore = wanted('compute-1');
  await scene.restart();
  assert.is(wanted('compute-1'), wantedBefore, 'ids are the same after the restart');
  compute.connect(scene.address, scene.pki);
  await inSync(compute);
  assert.is(compute.resyncs, 1, 'no resync');
  assert.is(compute.received.filter((message) => message.welcome)[1]!.welcome!.resync, false);
});

test('an appliance that is at the present version gets nothing', async () => {
  const compute = appliance('compute-1');
  compute.connect(scene.address, scene.pki);
  await inSync(compute);
  compute.disconnect();
  await scene.restart();
  const before = compute.received.length;
  compute.connect(scene.address, scene.pki);
  await until(() => compute.received.length > before, 'welcome');
  await scene.put({ name: 'default-domain:elsewhere', project: {} });
  await new Promise((resolve) => setTimeout(resolve, 50));
  assert.equal(compute.received.slice(before).map((message) => message.message), ['welcome']);
});

test('a version that the log does not reach any more is answered by a resync that sweeps with force', async () => {
  const compute = appliance('compute-1');
  compute.connect(scene.address, scene.pki, { guard: 0.5 });
  await inSync(compute);
  compute.disconnect();
  compute.tables.routes.set('1 deadbeef/32', '1 0');
  compute.version = 0;
  compute.connect(scene.address, scene.pki, { guard: 0.5 });
  await inSync(compute);
  assert.is(compute.resyncs, 2);
  assert.is(compute.received.findLast((message) => message.endResync)!.endResync!.force, true);
});

test('state of another history is not touched until an operator says so, and is emptied first', async () => {
  const compute = appliance('compute-1');
  compute.connect(scene.address, scene.pki);
  await inSync(compute);
  compute.disconnect();
  await scene.restart('another.db');
  // The same objects in another order: other ids under the same names.
  const objects = chapter();
  await scene.put(...objects.slice(0, 7), ...objects.slice(10), ...objects.slice(7, 10));
  compute.connect(scene.address, scene.pki);
  await until(() => compute.ended, 'refusal');
  assert.is(compute.error!.code, 9);
  assert.match(compute.error!.details, /another history/);
  const [view] = (await scene.config.appliances({ appliance: 'compute-1' })).appliances;
  assert.match(view!.problem, /resync it with force/);
  await scene.config.resync({ appliance: 'compute-1', force: true });
  compute.connect(scene.address, scene.pki);
  await until(() => compute.resyncs === 3, 'two resyncs more');
  await inSync(compute);
  const order = compute.received.slice(compute.received.findLastIndex((message) => message.welcome)).map((message) => message.message);
  assert.equal(order.slice(0, 4), ['welcome', 'beginResync', 'endResync', 'beginResync'], 'swept empty before the first record comes');
});

test('a guard that refuses the sweep is shown, and force overcomes it', async () => {
  const compute = appliance('compute-1');
  // It has much, and does not know from whom.
  for (let at = 0; at < 300; at++) compute.tables.labels.set(1000 + at, 1);
  compute.connect(scene.address, scene.pki, { guard: 0.5 });
  const view = async () => (await scene.config.appliances({ appliance: 'compute-1' })).appliances[0]!;
  await until(() => compute.received.some((message) => message.endResync), 'end of resync');
  await new Promise((resolve) => setTimeout(resolve, 50));
  assert.is((await view()).state, 'resync');
  assert.match((await view()).problem, /would remove \d+ %/);
  await scene.put(fip('second', '101.101.101.9'));
  await until(() => [...compute.tables.floating.keys()].some((key) => key.startsWith('65656509')), 'changes go on meanwhile');
  await scene.config.resync({ appliance: 'compute-1', force: true });
  await inSync(compute);
  assert.is((await view()).state, 'in-sync');
});

test('a stalled appliance costs a bounded set of keys, and then gets the present only', async () => {
  const compute = appliance('compute-1');
  compute.connect(scene.address, scene.pki, { stalled: true });
  await until(() => scene.listening.sync.presence('compute-1')?.session !== undefined, 'session');
  const session = scene.listening.sync.presence('compute-1')!.session!;
  let updates = 0;
  for (let round = 0; round < 200; round++) {
    await scene.put(fip('flapping', `101.101.101.${10 + (round % 20)}`));
    updates = Math.max(updates, session.updates);
    assert.ok(session.pending < 200, `pending keys: ${session.pending}`);
    assert.ok(session.unacknowledged <= 4);
  }
  assert.ok(updates < 6, `${updates} updates were written to one that reads none`);
  compute.resume();
  await inSync(compute);
  assert.ok(compute.updates < 12, `${compute.updates} updates for 200 changes`);
});

test('refused records are shown by name, and vanish when they become live', async () => {
  const compute = appliance('compute-1');
  compute.connect(scene.address, scene.pki);
  await inSync(compute);
  // As if a table were full: the next floating IP is refused once.
  const apply = compute.tables.apply.bind(compute.tables);
  compute.tables.apply = (kind, record) => (kind === 5 ? 7 : apply(kind, record));
  await scene.put(fip('second', '101.101.101.9'));
  const refused = async () => (await scene.config.appliances({ appliance: 'compute-1' })).appliances[0]!.refused;
  await until(() => compute.refusals.length > 0, 'refusal');
  await new Promise((resolve) => setTimeout(resolve, 20));
  const [only, ...others] = await refused();
  assert.match(only!.record, /^floating-ip 101\.101\.101\.9 in vrf 2 of interface \d+$/);
  assert.is(only!.code, 7);
  assert.equal(others, []);
  compute.tables.apply = apply;
  await scene.put({ ...fip('second', '101.101.101.9'), floatingIp: { address: '101.101.101.9', direction: 'DIRECTION_INGRESS', virtualMachineInterfaces: [`${USER}:pod-1`] } });
  await until(() => compute.version === scene.engine.version, 'next version');
  await new Promise((resolve) => setTimeout(resolve, 20));
  assert.equal(await refused(), []);
});

test('only its own name, kind and layout are let in', async () => {
  const cases: [string, Parameters<SimulatedAppliance['connect']>[2], number, RegExp][] = [
    ['compute-1', { certificate: 'gateway-1' }, 7, /may not sync as "compute-1"/],
    ['compute-1', { certificate: 'operator' }, 7, /role "operator"/],
    ['compute-1', { kind: 'gateway' }, 9, /gateway by its profile, but a compute/],
    ['compute-1', { hello: { layoutVersion: 999 } }, 9, /memory layout 999/],
  ];
  for (const [name, options, code, text] of cases) {
    const each = appliance(name);
    each.connect(scene.address, scene.pki, options);
    await until(() => each.ended, String(text));
    assert.is(each.error!.code, code);
    assert.match(each.error!.details, text);
  }
});

test('an ack out of order ends the stream', async () => {
  const compute = appliance('compute-1');
  compute.connect(scene.address, scene.pki);
  await inSync(compute);
  compute.write({ ack: { nonce: 77, version: 1 } });
  await until(() => compute.ended, 'end of the stream');
  assert.match(compute.error!.details, /ack of nonce 77/);
});

test('a second stream of an appliance takes over', async () => {
  const [first, second] = [appliance('compute-1'), appliance('compute-1')];
  first.connect(scene.address, scene.pki);
  await inSync(first);
  second.connect(scene.address, scene.pki);
  await inSync(second);
  await until(() => first.ended, 'end of the first');
  assert.match(first.error!.details, /took over/);
  await scene.put(fip('second', '101.101.101.9'));
  await inSync(second);
});

test('a version is awaited until the appliances in session have it live; who is away is named', async () => {
  const waiting = async (version: number, name = '', ms = 20_000) => scene.config.awaitLive({ version, appliance: name }, { deadline: Date.now() + ms });
  const [compute, gateway] = [appliance('compute-1'), appliance('gateway-1')];
  assert.equal((await waiting(0)).absent.sort(), ['compute-1', 'gateway-1'], 'nobody is in session: nobody is waited for');
  compute.connect(scene.address, scene.pki);
  await inSync(compute);
  assert.equal(await waiting(0), { absent: ['gateway-1'], refused: [] });
  const { version } = await scene.config.commit({ operations: [{ put: fip('second', '101.101.101.9') }] });
  assert.equal(await waiting(version), { absent: ['gateway-1'], refused: [] });
  assert.is(compute.version, version);

  // One that is named is waited for while it is away, and while it does not read.
  const gave = (error: { code?: number }) => error.code;
  assert.is(await waiting(version, 'gateway-1', 300).then(() => 0, gave), status.DEADLINE_EXCEEDED);
  gateway.connect(scene.address, scene.pki, { stalled: true });
  await until(() => scene.listening.sync.presence('gateway-1')?.session !== undefined, 'the gateway is in session');
  assert.is(await waiting(version, '', 300).then(() => 0, gave), status.DEADLINE_EXCEEDED);
  const all = waiting(version);
  const [theGateway] = await Promise.all([waiting(version, 'gateway-1'), gateway.resume()]);
  assert.is(gateway.version >= version, true);
  assert.equal([theGateway, await all], [{ absent: [], refused: [] }, { absent: [], refused: [] }]);

  // Who leaves is no longer waited for.
  gateway.disconnect();
  await until(() => scene.listening.sync.presence('gateway-1')?.session === undefined, 'the gateway has left');
  gateway.connect(scene.address, scene.pki, { stalled: true });
  await until(() => scene.listening.sync.presence('gateway-1')?.session !== undefined, 'the gateway is back');
  const later = await scene.config.commit({ operations: [{ put: fip('third', '101.101.101.10') }] });
  const last = waiting(later.version);
  await until(() => compute.version === later.version, 'the compute has it');
  gateway.disconnect();
  assert.equal((await last).absent, ['gateway-1']);
  assert.is(scene.listening.sync.listenerCount('moved'), 0, 'nothing is left of calls that ended');
  assert.is(await waiting(later.version + 1).then(() => 0, gave), status.OUT_OF_RANGE);
  assert.is(await waiting(0, 'nobody').then(() => 0, gave), status.NOT_FOUND);
});

test('a stream that does not say who it is ends after 10 s', async () => {
  let [now, due] = [0, (): void => {}];
  const clock: Clock = { now: () => now, after: (ms, action) => (due = () => { now += ms; action(); }, () => { due = () => {}; }) };
  const sync = new SyncServer(scene.engine, 'controller', pino({ level: 'silent' }), { clock });
  const call = (): EventEmitter & { getPeer(): string } => Object.assign(new EventEmitter(), { getPeer: () => 'somebody' });
  const silent = call();
  const errors: unknown[] = [];
  silent.on('error', (error: unknown) => errors.push(error));
  sync.handlers.stream(silent as never);
  due();
  assert.is(now, 10_000);
  assert.equal(errors, [{ code: status.INVALID_ARGUMENT, details: 'the first message must be Hello, within 10 s' }]);
  // One that leaves before is not spoken to.
  const gone = call();
  gone.on('error', (error: unknown) => errors.push(error));
  sync.handlers.stream(gone as never);
  gone.emit('close');
  due();
  assert.is(errors.length, 1);
});

test('a deleted appliance is dismissed', async () => {
  const gateway = appliance('gateway-1');
  gateway.connect(scene.address, scene.pki);
  await inSync(gateway);
  await scene.config.delete({ kind: 'virtual-router', name: 'default-global-system-config:gateway-1' });
  await until(() => gateway.ended, 'dismissal');
  assert.match(gateway.error!.details, /was deleted/);
});

test('an appliance comes only with a certificate that it is enrolled with; what is blocked loses its session', async () => {
  const router = async () => scene.config.get({ kind: 'virtual-router', name: 'default-global-system-config:compute-1' });
  const enrol = async (enrolment: { blocked?: boolean; certificates?: string[] }) => { const now = await router(); await scene.put({ ...now, virtualRouter: { ...now.virtualRouter, enrolment } }); };
  const own = new X509Certificate(readFileSync(join(scene.pki, 'compute-1.crt'))).fingerprint256;
  await enrol({ certificates: [own.replace(/^../, own.startsWith('00') ? 'FF' : '00')] });
  const compute = appliance('compute-1');
  compute.connect(scene.address, scene.pki);
  await until(() => compute.ended, 'refusal');
  assert.match(compute.error!.details, /none of those that compute-1 is enrolled with/);
  await enrol({ certificates: [own.toLowerCase()] });
  compute.connect(scene.address, scene.pki);
  await inSync(compute);
  await enrol({ blocked: true });
  await until(() => compute.ended, 'the end of its session');
  assert.match(compute.error!.details, /compute-1 is blocked/);
});

test.run();
