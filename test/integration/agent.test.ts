// needs: openssl, linux
// limit: 180 s
/**
 * The agent process between a simulated controller (real gRPC and mutual TLS) and a simulated dataplane: whatever is cut or
 * killed, nothing is lost, and nothing is applied out of order.
 */
import { readdirSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import * as grpc from '@grpc/grpc-js';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { SimulatedController, History } from './agent/simulated-controller.ts';
import { Scene, routes, until } from './agent/scene.ts';

const test = suite<{ scene: Scene }>('agent', {} as { scene: Scene });
test.before.each((context) => { context.scene = new Scene(); });
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

test.run();
