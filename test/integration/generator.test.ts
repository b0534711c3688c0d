// Generator ports: test load through a real dataplane, seen to come out where it should, beside a queue that is never empty.
import { setTimeout as sleep } from 'node:timers/promises';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { DataplaneProcess } from './dataplane/process.ts';
import { LEFT, RIGHT, ROUTER, ROUTER_NAMES } from './dataplane/router.ts';

const test = suite<{ dataplane: DataplaneProcess }>('generator ports', {} as { dataplane: DataplaneProcess });

test.before(async (context) => {
  context.dataplane = await DataplaneProcess.start();
  const ack = await context.dataplane.apply(ROUTER, ROUTER_NAMES);
  assert.equal(ack.refusals, []);
});
test.after(async ({ dataplane }) => {
  await dataplane?.stop();
});

test('what is no load is refused with what would be right', async ({ dataplane }) => {
  for (const device of ['', '10.1.0.9', '10.1.0.9>10.2.0.0/33', '10.1.0.9>10.2.0.0/24,59', '10.1.0.999>10.2.0.0/24', '10.1.0.9>10.2.0.0/24,60,0', '10.1.0.9>10.2.0.0/24,60,1e6']) {
    const { up, problem } = await dataplane.client.attachPort({ name: LEFT.port, driver: 'generator', device });
    assert.is(up, false, device);
    assert.match(problem, /is no load; right would be "sink", or "10\.32\.0\.3>20\.0\.0\.0\/8,60,1000000"/);
  }
});

test('load comes out where it is routed; ARP gets through beside it', async ({ dataplane: { client } }) => {
  assert.ok((await client.attachPort({ name: RIGHT.port, driver: 'generator', device: 'sink' })).up);
  assert.ok((await client.attachPort({ name: LEFT.port, driver: 'generator', device: `${LEFT.host}>10.2.0.64/29,60` })).up);
  for (let waited = 0; (await client.generator({ port: RIGHT.port })).seen.length === 0 && waited < 10_000; waited += 20) await sleep(20);
  await client.detachPort({ name: LEFT.port });
  await sleep(200);
  const { generated, taken, arp, other, seen } = await client.generator({ port: RIGHT.port });
  const { transmitted, drops } = await client.counters();
  assert.is(generated, 0);
  assert.is(other, 0);
  assert.is(seen.length, 1, 'one subnet, no tunnel');
  assert.is(seen[0]?.subnet, 2);
  assert.is(seen[0]?.tunnel, 0);
  assert.is(seen[0]!.packets + arp, taken);
  assert.is(taken, transmitted, 'all that was sent came out');
  // A machine that takes the processor away for long has the watchdog replace the lcore, and it says so.
  const restarts = (await client.lcores()).lcores[0]!.restarts;
  const named = ['neighbour_queue_full', 'arp_learnt', ...restarts > 0 ? ['lcore_restart'] : []];
  assert.equal(drops.map(({ name }) => name).filter((name) => !named.includes(name)), []);
});

test('load at a rate never exceeds it, and goes on by itself while nothing else happens', async ({ dataplane: { client } }) => {
  const RATE = 100_000;
  assert.ok((await client.attachPort({ name: LEFT.port, driver: 'generator', device: `${LEFT.host}>10.2.0.64/29,60,${RATE}` })).up);
  const started = performance.now();
  const counts: number[] = [];
  while (counts.length < 3) {
    await sleep(100);
    counts.push((await client.generator({ port: LEFT.port })).generated);
  }
  const seconds = (performance.now() - started) / 1000;
  await client.detachPort({ name: LEFT.port });
  assert.ok(counts[0]! > 0 && counts[1]! > counts[0]! && counts[2]! > counts[1]!, `it goes on: ${counts.join()}`);
  assert.ok(counts[2]! <= RATE * (seconds + 1), `${counts[2]} packets in ${seconds} s`);
});

test('only generator ports have such counts', async ({ dataplane }) => {
  await dataplane.client.generator({ port: 'nowhere' }).then(() => assert.unreachable(), (error: Error) => assert.match(error.message, /there is no generator port "nowhere"/));
});

test.run();
