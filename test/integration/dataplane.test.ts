// limit: 240 s
//
// A dataplane process as its agent sees it: the gRPC service on one side, socket ports on the other, no privileges. What it
// acknowledges is live, what it refuses is named, what was live survives it, and a broken lcore is replaced under traffic.
import { statSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { RESULT_NO_NEXTHOP } from '../../wasm-core/records.ts';
import { counting, ethernet, ipv4, udp, type Bytes } from '../fixtures/frame.ts';
import { nexthop, route, vrf } from '../fixtures/records.ts';
import { DataplaneProcess } from './dataplane/process.ts';
import { LEFT, RIGHT, ROUTER, ROUTER_NAMES, VRF } from './dataplane/router.ts';
import { Wire } from './dataplane/wire.ts';
import { NHK_INTERFACE } from '../../wasm-core/layout.ts';

const RING = { receive: 1024, transmit: 1024 };
const HOST_MAC = '02:00:00:00:02:09';

/** The router with a neighbour that is known: no ARP in these tests. */
const TABLES = [...ROUTER, nexthop({ id: 9, kind: NHK_INTERFACE, interface: RIGHT.id, remote: RIGHT.host, mac: HOST_MAC }), route({ vrf: VRF, prefix: `${RIGHT.host}/32`, nexthop: 9 })];

interface World { left: Wire; right: Wire; dataplane: DataplaneProcess }

function frame(sequence: number, destination = RIGHT.host): Bytes {
  const addresses = { src: LEFT.host, dst: destination };
  return ethernet({ dst: LEFT.mac, src: '02:00:00:00:01:09' }, ipv4({ ...addresses, protocol: 17, id: sequence & 0xFFFF }, udp({ ...addresses, sport: 1, dport: 2 }, counting(64))));
}

const portsOf = (left: Wire, right: Wire): object[] => [['left', left], ['right', right]].map(([name, wire]) => ({
  name, driver: 'socket', device: (wire as Wire).device, queues: 1, ring: RING, mtu: 1500,
}));

/** Sends `count` frames, some each millisecond, and waits for them; returns how many came through. */
async function stream({ left, right }: World, count: number, perMillisecond = 2): Promise<number> {
  right.clear();
  for (let sent = 0; sent < count; sent++) {
    left.send(frame(sent));
    if (sent % perMillisecond === perMillisecond - 1) await sleep(1);
  }
  return right.arrived(count, 3000);
}

function dataplaneSuite(title: string, env: Readonly<Record<string, string>>): void {
  const test = suite<World>(title);
  test.before(async (world) => {
    world.left = await Wire.open();
    world.right = await Wire.open();
    world.dataplane = await DataplaneProcess.start({ profile: { ports: portsOf(world.left, world.right) }, env });
    const ack = await world.dataplane.apply(TABLES, ROUTER_NAMES, 1);
    assert.equal(ack, { nonce: 1, version: 1, refusals: [], error: '' });
  });
  test.after(async ({ left, right, dataplane }) => {
    left?.close();
    right?.close();
    assert.is(await dataplane?.stop(), 0, 'SIGTERM is a clean end');
  });

  test('forwards what was acknowledged, byte for byte', async (world) => {
    world.left.send(frame(7));
    assert.is(await world.right.arrived(1), 1);
    const addresses = { src: LEFT.host, dst: RIGHT.host };
    const expected = ethernet({ dst: HOST_MAC, src: RIGHT.mac }, ipv4({ ...addresses, protocol: 17, id: 7, ttl: 63 }, udp({ ...addresses, sport: 1, dport: 2 }, counting(64))));
    assert.ok(world.right.frames[0]!.equals(expected));
  });

  test('every frame comes through, and the counters add up', async (world) => {
    assert.is(await stream(world, 2000), 2000);
    const counters = await world.dataplane.client.counters();
    assert.is(counters.received, 2001);
    assert.is(counters.transmitted, 2001);
    assert.equal([counters.dropped, counters.held], [0, 0]);
    assert.equal(counters.interfaces.map(({ name, rxPackets, txPackets }) => [name, rxPackets, txPackets]), [['plain:left', 2001, 0], ['plain:right', 0, 2001]]);
  });

  for (const fault of ['trap', 'hang'] as const) {
    test(`a ${fault} costs what was in flight, and another instance goes on`, async (world) => {
      const { client } = world.dataplane;
      const before = (await client.lcores()).lcores[0]!;
      const sent = 600;
      const streaming = stream(world, sent, 1);
      await sleep(150);
      await client.injectFault({ lcore: 0, fault });
      const received = await streaming;
      const after = (await client.lcores()).lcores[0]!;
      assert.is(after.restarts, before.restarts + 1);
      assert.ok(received > sent / 2, `${received} of ${sent} frames after a ${fault}`);
      assert.is(world.right.frames.at(-1)!.readUInt16BE(18), sent - 1, 'the last frame sent has arrived');
      assert.is(await stream(world, 500), 500, 'nothing is lost after it');
      const counters = await client.counters();
      assert.is(counters.received + counters.originated, counters.transmitted + counters.dropped + counters.held);
      assert.equal(counters.drops.filter(({ name }) => name !== 'lcore_restart'), []);
    });
  }

  test('ports come and go while the others forward: nothing is lost', async (world) => {
    const { client } = world.dataplane;
    const extra = await Wire.open();
    try {
      const streaming = stream(world, 2000, 1);
      let changes = 0;
      let done = false;
      void streaming.then(() => {
        done = true;
      });
      while (!done) {
        const attached = await client.attachPort({ name: 'extra', driver: 'socket', device: extra.device });
        assert.ok(attached.up, attached.problem);
        assert.is((await client.ports()).ports.length, 3);
        await client.detachPort({ name: 'extra' });
        changes++;
      }
      assert.is(await streaming, 2000);
      assert.ok(changes >= 3, `${changes} changes`);
    } finally {
      extra.close();
    }
  });
  test.run();
}

dataplaneSuite('dataplane, lcores move the datagrams', {});
dataplaneSuite('dataplane without a C library', { WROUTER_PORTABLE: '1' });

const service = suite<{ dataplane: DataplaneProcess }>('dataplane service');
service.before.each(async (world) => {
  world.dataplane = await DataplaneProcess.start();
});
service.after.each(async ({ dataplane }) => {
  await dataplane.stop();
});

service('the socket is its owner\'s alone', ({ dataplane }) => {
  assert.is(statSync(join(dataplane.directory, 'dataplane.sock')).mode & 0o777, 0o600);
});

service('a refused record is named, the others are live', async ({ dataplane }) => {
  const ack = await dataplane.apply([...TABLES, route({ vrf: VRF, prefix: '10.3.0.0/24', nexthop: 77 }), route({ vrf: VRF, prefix: '10.4.0.0/24', nexthop: 9 })], ROUTER_NAMES, 3);
  assert.is(ack.version, 3);
  assert.equal(ack.refusals.map(({ code, reason }) => ({ code, reason })), [
    { code: RESULT_NO_NEXTHOP, reason: 'route 10.3.0.0/24 in VRF 1: there is no next hop 77; it must come first' },
  ]);
  assert.is((await dataplane.client.getState()).totals['route'], 4);
});

service('a batch that cannot be records is refused as a whole, and nothing of its message is live', async ({ dataplane }) => {
  const [good] = [vrf({ id: 5 })];
  const ack = await dataplane.update({ version: 2, batches: [{ kind: good.kind, count: 1, records: Buffer.from(good.bytes) }, { kind: 1, count: 2, records: Buffer.alloc(31) }] });
  assert.is(ack.error, 'batch 1: 2 records of 16 bytes (route) are 32 bytes, not 31');
  assert.is(ack.version, 0);
  assert.is((await dataplane.client.getState()).totals['vrf'], 0);
  const unknown = await dataplane.update({ version: 2, batches: [{ kind: 99, count: 0, records: Buffer.alloc(0) }] });
  assert.match(unknown.error, /no record kind 99/);
});

service('a resync sweeps what it did not bring, within the guard', async ({ dataplane }) => {
  const many = Array.from({ length: 200 }, (_, i) => route({ vrf: VRF, prefix: `10.9.${i}.0/24`, nexthop: 9 }));
  await dataplane.apply([...TABLES, ...many], ROUTER_NAMES, 4);
  dataplane.send({ stateId: 'history' });
  dataplane.send({ beginResync: { epoch: 11 } });
  assert.is((await dataplane.apply([...TABLES, ...many.slice(0, 50)], ROUTER_NAMES)).version, 0);
  assert.is((await dataplane.client.getState()).version, 0, 'no version until the end');
  assert.match((await dataplane.endResync(12, 5)).error, /epoch 12, but 11 is under way/);
  assert.match((await dataplane.endResync(11, 5)).error, /150 of 203 records of the table "route"/);
  assert.is((await dataplane.client.getState()).totals['route'], 203, 'nothing was swept');
  assert.equal(await dataplane.endResync(11, 5, true), { nonce: 5, version: 5, refusals: [], error: '' });
  const { totals, version, stateId } = await dataplane.client.getState();
  assert.equal([totals['route'], version, stateId], [53, 5, 'history']);
});

service('ports: those of nobody, of another driver, of the profile', async ({ dataplane }) => {
  const { client } = dataplane;
  await assertFails(client.attachPort({ name: 'x', driver: 'dpdk' }), /there is no driver "dpdk"/);
  await assertFails(client.detachPort({ name: 'x' }), /there is no port "x"/);
  const { problem, up } = await client.attachPort({ name: 'x', driver: 'socket', device: 'nonsense' });
  assert.not(up);
  assert.match(problem, /"nonsense" is no pair of endpoints; right would be/);
  await assertFails(client.trace({ interface: 'nowhere', frame: Buffer.alloc(60) }), /there is no interface "nowhere"/);
});

service('a new Apply stream ends the one before', async ({ dataplane }) => {
  const first = dataplane.client.apply();
  const ended = new Promise<Error>((resolve) => first.once('error', resolve));
  first.write({ stateId: 'a' });
  await sleep(50);
  await dataplane.apply([vrf({ id: 1 })], [], 1);
  assert.match((await ended).message, /another Apply stream took over/);
});
service.run();

const restart = suite('dataplane restart');
restart('killed and started again, it forwards by its last good state before anybody answers', async () => {
  const [left, right] = [await Wire.open(), await Wire.open()];
  const profile = { ports: portsOf(left, right) };
  const first = await DataplaneProcess.start({ profile });
  let second: DataplaneProcess | undefined;
  try {
    first.send({ stateId: 'history' });
    await first.apply(TABLES, ROUTER_NAMES, 41);
    await first.apply([route({ vrf: VRF, prefix: '10.9.0.0/16', nexthop: 9 })], [], 42);
    await first.stop(true, 'SIGKILL');
    second = await DataplaneProcess.start({ profile, directory: first.directory });
    left.send(frame(1));
    left.send(frame(2, '10.9.8.7'));
    assert.is(await right.arrived(2), 2);
    const { version, stateId, restored } = await second.client.getState();
    assert.equal([version, stateId, restored], [42, 'history', true]);
    second.send({ beginResync: { epoch: 1 } });
    await second.apply(ROUTER, ROUTER_NAMES);
    await second.stop(true, 'SIGKILL');
    second = await DataplaneProcess.start({ profile, directory: first.directory });
    assert.is((await second.client.getState()).version, 0, 'a resync that was cut is begun anew');
    right.clear();
    left.send(frame(3));
    assert.is(await right.arrived(1), 1, 'and what was there forwards');
  } finally {
    left.close();
    right.close();
    await second?.stop();
  }
});
restart.run();

async function assertFails(call: Promise<unknown>, text: RegExp): Promise<void> {
  const error = await call.then(() => undefined, (failure: Error) => failure);
  assert.instance(error, Error);
  assert.match((error as Error).message, text);
}
