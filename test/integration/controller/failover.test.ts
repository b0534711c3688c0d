// Two controllers for one appliance that forwards at full load: one is killed, one is cut off from etcd, etcd stalls. No route goes, no packet is lost, and changes go on.
// needs: etcd
// limit: 300 s
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { setTimeout as sleep } from 'node:timers/promises';
import { Pair, type Member } from './pair.ts';

const test = suite<{ pair: Pair }>('failover');
test.before(async (context) => { context.pair = await Pair.open(); });
test.after(async ({ pair }) => pair.close());

/** Carries `event` out under load, with an eye on what must not go away; nothing may be lost, and the appliance never starts from nothing. */
async function undisturbed(pair: Pair, event: () => Promise<void>): Promise<void> {
  const [before, standing, resyncs] = [await pair.counters(), await pair.standing(), pair.resyncs];
  assert.ok(standing.length >= 9, standing.join('\n'));
  let ended = false;
  const watching = (async () => {
    for (; !ended; await sleep(20)) assert.equal(await pair.standing(), standing);
  })();
  try {
    await event();
  } finally {
    ended = true;
  }
  await watching;
  const after = await pair.counters();
  assert.is(after.dropped - before.dropped, 0, `drops: ${JSON.stringify(after.drops)}`);
  assert.ok(after.transmitted - before.transmitted > 10_000, 'the load went on');
  assert.is(pair.resyncs, resyncs, 'no controller sent everything again');
}

async function said(pair: Pair, member: Member, serving: boolean): Promise<void> {
  for (const end = Date.now() + 20_000; (await pair.serving(member)) !== serving; await sleep(20)) assert.ok(Date.now() < end, `health: ${serving ? 'SERVING' : 'NOT_SERVING'}`);
}

test('the controller that has the appliance is killed: the other takes over from the same version', async ({ pair }) => {
  await undisturbed(pair, async () => {
    const victim = await pair.moved();
    await victim.controller.kill();
    const other = pair.other(victim);
    await pair.change(other);
    assert.is(await pair.moved(victim), other);
    await victim.controller.start();
    await said(pair, victim, true);
    // What only one of two says is what both know.
    await pair.change(victim);
    await pair.change(other);
  });
});

test('it is cut off from etcd: it says so, lets the appliance go, withdraws nothing, and comes back', async ({ pair }) => {
  await undisturbed(pair, async () => {
    const victim = await pair.moved();
    const other = pair.other(victim);
    victim.relay.swallow();
    await pair.change(other);
    assert.is(await pair.moved(victim), other);
    await said(pair, victim, false);
    assert.ok(await pair.serving(other), 'the other serves');
    const refused = await victim.controller.config.commit({ operations: [{ put: { name: 'default-domain:lost', project: {} } }] }).then(() => undefined, (error: { code: number; details: string }) => error);
    assert.is(refused?.code, 14, 'a change here is refused');
    assert.match(refused!.details, /etcd .* did not answer/);
    victim.relay.heal();
    await said(pair, victim, true);
    await pair.change(victim);
  });
});

test('etcd stalls: neither serves, the appliance forwards on by what it has; afterwards changes go on', async ({ pair }) => {
  await undisturbed(pair, async () => {
    pair.etcd.stall();
    for (const member of pair.members) await said(pair, member, false);
    for (const end = Date.now() + 20_000; await pair.holder(); await sleep(20)) assert.ok(Date.now() < end, 'sync streams end');
    pair.etcd.resume();
    for (const member of pair.members) {
      await said(pair, member, true);
      await pair.change(member);
    }
  });
});

test('in all, every frame that came in went out', async ({ pair }) => {
  const { forwarded, lost } = await pair.settle({ ...(await pair.counters()), transmitted: 0 });
  assert.is(lost, 0);
  assert.ok(forwarded > 100_000, `${forwarded} forwarded`);
});

test.run();
