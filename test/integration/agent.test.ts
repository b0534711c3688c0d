// needs: linux
// limit: 300 s
/**
 * The agent process between a simulated controller (real gRPC and mutual TLS) and a simulated dataplane: whatever is cut or
 * killed, nothing is lost, and nothing is applied out of order.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import * as grpc from '@grpc/grpc-js';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { SimulatedController, History } from './agent/simulated-controller.ts';
import { BlackHole } from './agent/black-hole.ts';
import { bulk, Scene, routes, until } from './agent/scene.ts';

const test = suite<{ scene: Scene }>('agent', {} as { scene: Scene });
test.before.each(async (context) => { context.scene = await Scene.set(); });
test.after.each(({ scene }) => scene.end());

async function begin(scene: Scene): Promise<void> {
  await scene.startDataplane();
  await scene.startController();
  scene.startAgent();
}

test('a fresh appliance is resynced, then deltas follow; every message is acknowledged', async ({ scene }) => {
  for (let at = 0; at < 5; at++) scene.history.add(routes(at * 700, 700, 5));
  await begin(scene);
  await scene.settled();
  const { hello, resync, acks } = scene.controller.session!;
  assert.equal([hello.name, hello.kind, hello.profile, hello.layoutVersion, hello.stateId, hello.version, resync], ['compute', 'compute', 'virtual', 1, '', 0, true]);
  assert.is(scene.disk.applied[0], 'state history-a', 'the dataplane hears of another history first');

  for (let at = 0; at < 50; at++) scene.controller.change(routes(at * 10, 20, 6 + at));
  await scene.settled();
  assert.equal(scene.differences(), []);
  assert.equal(acks.map(({ nonce }) => nonce), acks.map((_, at) => at + 1));
  assert.equal(scene.disk.applied.slice(-50), Array.from({ length: 50 }, (_, at) => `update ${at + 6}`));
});

test('a refused record is told to the controller and logged once, stays visible over an agent restart, and goes when it is accepted', async ({ scene }) => {
  scene.history.add(routes(0, 100, 5));
  scene.faults.refuse = (key) => (key.startsWith('route 10.0.0.7/32') ? 'no next hop 5' : undefined);
  await begin(scene);
  await scene.settled();
  assert.equal(scene.controller.session!.acks[0]!.refusals, [{ batch: 0, record: 7, code: 3, reason: 'no next hop 5' }]);
  scene.controller.change(routes(0, 10, 6));
  await scene.settled();
  let operator = await scene.operations();
  const [refused, ...others] = (await operator.refusals()).records;
  assert.equal([refused?.key, refused?.reason, refused?.version, others.length], ['route 10.0.0.7/32 in VRF 1', 'no next hop 5', 2, 0]);
  assert.is(scene.log.match(/refused route/g)?.length, 1);

  await scene.killAgent();
  scene.log = '';
  scene.startAgent();
  operator = await scene.operations();
  assert.is((await operator.refusals()).records[0]?.key, 'route 10.0.0.7/32 in VRF 1');
  await scene.settled();
  scene.faults.refuse = () => undefined;
  scene.controller.change(routes(7, 1, 6));
  await scene.settled();
  assert.equal((await operator.refusals()).records, []);
  assert.is((await operator.getState()).session?.refusals, 0);
});

test('a resync that is cut leaves all that was there, and the next one makes it right', async ({ scene }) => {
  scene.history.add(routes(0, 5000, 5));
  await begin(scene);
  await scene.settled();

  scene.controller.kill();
  const old = scene.history;
  scene.history = new History('history-b');
  scene.history.add(routes(2000, 5000, 9));
  await scene.startController();
  scene.controller.stopResyncAfter = 2;
  await until(() => scene.controller.session?.acks.length === 2, 'two parts of the resync are live');
  scene.controller.kill();
  await until(() => /no session with controller/.test(scene.log), 'the agent notices');
  for (const key of old.table.keys()) assert.ok(scene.disk.table.has(key), `${key} forwards on`);

  await scene.startController();
  await scene.settled();
  assert.is(scene.controller.session!.hello.version, 0, 'a cut resync is no version');
  assert.ok(scene.controller.session!.resync);
  assert.equal(scene.differences(), []);
  assert.equal(scene.disk.applied.filter((entry) => /begin|end|state/.test(entry)), ['state history-a', 'begin 1', 'end 1', 'state history-b', 'begin 1', 'begin 1', 'end 1']);
});

test('a stalled dataplane stops the stream; the agent holds a bounded part of it, and loses nothing', async ({ scene }) => {
  scene.history.add(routes(0, 10, 5));
  await begin(scene);
  await scene.settled();
  const operator = await scene.operations();
  const before = scene.agentMemory();

  const stall = Promise.withResolvers<void>();
  scene.faults.stalled = stall.promise;
  for (let at = 0; at < 400; at++) scene.controller.change(bulk(at, 512 * 1024)); // 200 MiB in all
  await until(() => scene.controller.waiting > 0, 'the stream is full');
  let waiting = -1;
  await until(() => { const same = waiting === scene.controller.waiting; waiting = scene.controller.waiting; return same; }, 'it stands');
  await sleep(1000);
  assert.ok(scene.controller.waiting > 300, `only ${scene.controller.waiting} of 400 messages wait at the controller`);
  const session = (await operator.getState()).session!;
  assert.ok(session.inFlight <= 64 && session.inFlight > 0, `${session.inFlight} in flight`);
  const grown = (scene.agentMemory() - before) / 2 ** 20;
  assert.ok(grown < 100, `the agent grew by ${grown.toFixed()} MiB`);

  stall.resolve();
  await scene.settled();
  assert.equal(scene.differences(), []);
  assert.equal(scene.disk.applied.slice(-400), Array.from({ length: 400 }, (_, at) => `update ${at + 2}`));
});

test('a controller killed and started again goes on with deltas; forwarding state is untouched meanwhile', async ({ scene }) => {
  scene.history.add(routes(0, 100, 5));
  await begin(scene);
  await scene.settled();
  scene.controller.kill();
  await until(() => /no session with controller/.test(scene.log), 'the agent notices');
  const operator = await scene.operations();
  const state = await operator.getState();
  assert.is(state.session?.controller, '');
  assert.match(state.problem, /no session with controller/);
  assert.is(state.dataplane?.version, 1);

  scene.history.add(routes(0, 50, 6));
  scene.history.add(routes(50, 5, 7));
  await scene.startController();
  await scene.settled();
  assert.equal([scene.controller.session?.hello.version, scene.controller.session?.resync], [1, false]);
  assert.equal(scene.differences(), []);
  assert.equal(scene.disk.applied.slice(-2), ['update 2', 'update 3']);
});

test('a dataplane killed and started again, from an older state of its disk, is brought up to date', async ({ scene }) => {
  scene.history.add(routes(0, 100, 5));
  await begin(scene);
  await scene.settled();
  const [version, table] = [scene.disk.version, new Map(scene.disk.table)];
  for (let at = 0; at < 5; at++) scene.controller.change(routes(at, 10, 20 + at));
  await scene.settled();

  scene.dataplane.kill();
  scene.controller.change(routes(3, 5, 30));
  scene.disk.version = version;
  scene.disk.table = table;
  await scene.startDataplane();
  await scene.settled();
  assert.is(scene.controller.session?.hello.version, 1);
  assert.equal(scene.differences(), []);
  assert.equal(scene.disk.applied.slice(-6), [2, 3, 4, 5, 6, 7].map((at) => `update ${at}`));
});

test('an agent killed at any moment, again and again, comes back to where the dataplane is', async ({ scene }) => {
  scene.history.add(routes(0, 1000, 5));
  await begin(scene);
  let round = 0;
  for (; round < 4; round++) {
    for (let at = 0; at < 100; at++) {
      scene.controller.change(routes((at * 37) % 900, 300, 6 + round * 100 + at));
      if (at === 20 + 20 * round) await scene.killAgent();
      if (at % 10 === 0) await sleep(1);
    }
    scene.startAgent();
    if (round % 2 === 0) await until(() => scene.controller.session !== undefined, 'a session');
  }
  await scene.settled();
  assert.equal(scene.differences(), []);
  // Within a session versions rise by one; a session begins at the version after the one that its Hello named.
  const versions = scene.disk.applied.flatMap((entry) => (entry.startsWith('update ') && entry !== 'update 0' ? [Number(entry.slice(7))] : []));
  const steps = versions.slice(1).map((version, at) => version - versions[at]!);
  assert.ok(steps.every((step) => step === 1), `versions went ${versions.join(' ')}`);
});

test('with two controllers the agent moves to the one that lives, and resyncs to another history', async ({ scene }) => {
  scene.history.add(routes(0, 100, 5));
  await scene.startDataplane();
  await scene.startController();
  const other = new History('history-other');
  other.add(routes(500, 300, 8));
  const { controller: second, port } = await SimulatedController.start(other, '127.0.0.1:0', scene.folder);
  try {
    scene.startAgent(`${scene.controllerAddress},127.0.0.1:${port}`);
    await until(() => scene.controller.session !== undefined || second.session !== undefined, 'a session with either');
    const [lost, left, kept] = scene.controller.session ? [scene.controller, second, other] : [second, scene.controller, scene.history];
    lost.kill();
    await until(() => scene.disk.stateId === kept.stateId && scene.disk.version === kept.version, 'the state of the other');
    assert.ok(left.session?.resync);
    assert.equal([...scene.disk.table.keys()].sort(), [...kept.table.keys()].sort());
  } finally {
    second.kill();
  }
});

test('workloads\' ports follow the Names: attached where the device exists, detached when the name goes; profile ports stay', async ({ scene }) => {
  const name = (id: number, of: string, port: string) => ({ of: 'INTERFACE' as const, id, name: of, port });
  scene.history.add({ batches: [], names: [name(1, 'fabric', 'fabric0'), name(2, 'pod-1', 'lo'), name(3, 'pod-2', 'no-such-dev'), name(4, 'vlan', '')] });
  await begin(scene);
  await until(() => scene.dataplane.ports.has('lo'), 'the port is attached');
  assert.equal(scene.dataplane.ports.get('lo'), { name: 'lo', driver: '', device: 'lo', queues: 0 });
  const operator = await scene.operations();
  await until(() => scene.controller.session?.statuses.at(-1)?.ports.some((port) => port.name === 'no-such-dev') ?? false, 'the controller hears that one is missing');
  const shown = (await operator.ports()).ports.find((state) => state.port?.name === 'no-such-dev');
  assert.equal([shown?.up, shown?.problem], [false, 'there is no device "no-such-dev" yet']);

  await scene.killAgent(); // a fresh agent hears of no name again: it asks the dataplane
  scene.dataplane.ports.delete('lo');
  scene.startAgent();
  await until(() => scene.dataplane.ports.has('lo'), 'the port is attached again');
  await scene.settled();
  scene.controller.change({ batches: [], names: [name(2, '', '')] });
  await until(() => !scene.dataplane.ports.has('lo'), 'the port is detached');
  assert.ok(scene.dataplane.ports.has('fabric0'));
});

test('a controller that dies without a word is noticed within seconds', async ({ scene }) => {
  scene.history.add(routes(0, 10, 5));
  await scene.startDataplane();
  await scene.startController();
  const hole = await BlackHole.start(scene.controllerAddress);
  try {
    scene.startAgent(hole.address);
    await scene.settled();
    hole.swallow();
    await until(() => /no session with controller/.test(scene.log), 'the agent notices', 12);
  } finally {
    hole.end();
  }
});

test('only a certificate of the role operator or controller may look, and only a controller is dialled', async ({ scene }) => {
  scene.history.add(routes(0, 10, 5));
  await begin(scene);
  await scene.settled();
  const impostor = await scene.operations('impostor');
  const refused = await impostor.getState().catch((error: grpc.ServiceError) => error) as grpc.ServiceError;
  assert.is(refused.code, grpc.status.PERMISSION_DENIED);
  const state = await (await scene.operations()).getState();
  assert.equal([state.name, state.dataplane?.version, state.session?.controllerName, state.problem], ['compute', 1, 'simulated', '']);

  scene.controller.kill();
  const fake = await SimulatedController.start(scene.history, scene.controllerAddress, scene.folder, 'impostor');
  await until(() => /role \\"appliance\\" \(impostor\), not \\"controller\\"/.test(scene.log), () => `the agent refuses it; it said ${scene.log}`).finally(() => fake.controller.kill());
  assert.is(fake.controller.meetings.length, 0);
});

test('SIGTERM ends it cleanly within five seconds, in session or with a stalled dataplane', async ({ scene }) => {
  scene.history.add(routes(0, 10, 5));
  await begin(scene);
  await scene.settled();
  assert.is(await scene.killAgent('SIGTERM'), 0);
  scene.startAgent();
  await until(() => scene.controller.session !== undefined, 'a session');
  scene.faults.stalled = new Promise(() => {});
  scene.controller.change(routes(0, 10, 6));
  await until(() => scene.dataplane.received > 0, 'the dataplane has it');
  const asked = Date.now();
  await scene.killAgent('SIGTERM');
  assert.ok(Date.now() - asked < 5000);
});

test.run();
