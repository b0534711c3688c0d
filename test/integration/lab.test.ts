// needs: netns, tshark
// limit: 400 s
//
// The whole house in network namespaces: what it promises to hosts, what is on its wires by tshark's judgement, and what the traffic
// notices of changes, and of the end of a controller, an agent, an lcore, an appliance.
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import * as assert from 'uvu/assert';
import { Capture, type Packet } from '../interop/capture.ts';
import { assertTransfers } from '../lab/assert-transfers.ts';
import type { LabHost } from '../lab/hosts.ts';
import type { Lab } from '../lab/lab.ts';
import { ADDRESSES, MACS } from '../lab/network.ts';
import { dropLines, read, totalLines, unnamedDrops } from '../lab/readings.ts';
import { labSuite, type Bench } from '../lab/suite.ts';

const test = labSuite('lab', { faults: true, tappedFabric: true });
const IN_ORDER = ['1'];

test('ping reaches the floating IP, and the outside from every pod', async ({ lab, internet }) => {
  for (const { host, floatingIp, name } of lab.pods) {
    await reaches(lab, internet, floatingIp, `internet to ${name}`);
    await reaches(lab, host, ADDRESSES.internet, `${name} to internet`);
  }
});

test('a pod reaches the other by its floating IP', async ({ lab }) => {
  const [first, second] = lab.pods;
  await reaches(lab, first!.host, second!.floatingIp, 'pod to pod');
});

test('TCP, 20 MiB each way, arrives intact, and on the wires is what should be there', async ({ lab, namespaces, internet, pod, floatingIp }) => {
  const file = (name: string): string => join(lab.directory, `${name}.pcapng`);
  const captures = {
    fabric: await Capture.start(namespaces, 'fabric', 'compute', file('fabric')),
    internet: await Capture.start(namespaces, 'internet', 'eth0', file('internet')),
    pod: await Capture.start(namespaces, 'pod-1', 'eth0', file('pod')),
  };
  try {
    await assertTransfers(internet, pod, floatingIp);
    await sleep(300);
  } finally {
    for (const capture of Object.values(captures)) await capture.stop();
  }
  const toPod = (await lab.gateway.hostRoute(floatingIp))?.nexthop['label'];
  const tunnelled = captures.fabric.packets('ip', ['ip.src', 'ip.dst', 'ip.proto', 'ip.ttl', 'ip.flags.df', 'gre.proto', 'mpls.label', 'mpls.bottom', ...CHECKSUMS]);
  assert.ok(tunnelled.length > 30_000, `${tunnelled.length} packets on the fabric`);
  for (const packet of tunnelled) {
    const inward = packet['ip.dst']![0] === ADDRESSES.computeTunnel;
    const [outside, inside] = [[ADDRESSES.gatewayTunnel, ADDRESSES.computeTunnel], [ADDRESSES.internet, floatingIp]] as const;
    const order = <T>(pair: readonly [T, T] | readonly T[]): readonly T[] => (inward ? pair : [...pair].reverse());
    assert.equal(packet['ip.src'], [order(outside)[0], order(inside)[0]]);
    assert.equal(packet['ip.dst'], [order(outside)[1], order(inside)[1]]);
    assert.equal(packet['ip.proto'], ['47', '6']);
    assert.is(packet['ip.ttl']![0], '64');
    assert.is(packet['ip.flags.df']![0], '1');
    assert.equal(packet['gre.proto'], ['0x8847']);
    if (inward) assert.equal(packet['mpls.label'], [toPod]);
    assert.equal(packet['mpls.bottom'], IN_ORDER);
    assertChecksums(packet);
  }
  const outside = captures.internet.packets('ip', ['ip.src', 'ip.dst', ...CHECKSUMS]);
  assert.ok(outside.length > 30_000, `${outside.length} packets outside`);
  for (const packet of outside) {
    assert.equal([packet['ip.src']![0], packet['ip.dst']![0]].sort(), [floatingIp, ADDRESSES.internet].sort());
    assertChecksums(packet);
  }
  const within = captures.pod.packets('ip', ['ip.src', 'ip.dst', ...CHECKSUMS]);
  assert.ok(within.length > 30_000, `${within.length} packets at the pod`);
  for (const packet of within) {
    assert.equal([packet['ip.src']![0], packet['ip.dst']![0]].sort(), [pod.address, ADDRESSES.internet].sort());
    assertChecksums(packet);
  }
  assert.is((await internet.ping(pod.address, 1, 20)).received, 0, 'the pod\'s own address is not reachable from outside');
});

test('the controller killed and restarted: no packet lost', async (bench) => {
  await withoutLoss(bench, async () => {
    await bench.lab.controller.kill();
    await sleep(1_000);
    await bench.lab.controller.start();
    await bench.lab.inSync();
  });
});

for (const name of ['compute', 'gateway'] as const) {
  test(`the agent of ${name} killed and restarted: no packet lost`, async (bench) => {
    await withoutLoss(bench, async () => {
      await bench.lab[name].killAgent();
      await sleep(500);
      await bench.lab[name].startAgent();
      await bench.lab.inSync();
    });
  });
}

for (const fault of ['trap', 'hang']) {
  test(`an lcore of compute is replaced after a ${fault}`, async (bench) => {
    const { compute } = bench.lab;
    const restarts = (await compute.dataplane.lcores()).lcores[0]!.restarts;
    const { sent, lost } = await bench.internet.probe(bench.floatingIp, async () => {
      await compute.dataplane.injectFault({ lcore: 0, fault });
      await until(async () => (await compute.dataplane.lcores()).lcores[0]!.restarts > restarts);
    });
    const losses = lost.reduce((sum, [, count]) => sum + count, 0);
    // At one probe a millisecond, fewer than a pause of 50 ms would cost if its packets were not kept in the rings.
    assert.ok(losses < 50, `${losses} of ${sent} probes lost: ${JSON.stringify(lost)}`);
    await reaches(bench.lab, bench.internet, bench.floatingIp, `after the ${fault}`);
  });
}

test('a floating IP taken away and given back: announced outside, and the other one\'s packets are not touched', async (bench) => {
  const { lab, internet, namespaces } = bench;
  const capture = await Capture.start(namespaces, 'internet', 'eth0', join(lab.directory, 'announcement.pcapng'));
  const { config } = lab.controller;
  const { floatingIp } = lab.pods[1]!;
  const object = (await config.list({ kind: 'floating-ip' })).objects.find((candidate) => candidate.floatingIp?.address === floatingIp)!;
  await withoutLoss(bench, async () => {
    await config.delete({ kind: 'floating-ip', name: object.name });
    await lab.inSync();
    assert.is((await internet.ping(floatingIp, 2, 20)).received, 0);
    await config.commit({ operations: [{ create: { name: object.name, floatingIp: object.floatingIp } }] });
    await lab.inSync();
    await reaches(lab, internet, floatingIp, 'given back');
  }).finally(() => capture.stop());
  const announcements = capture.packets(`arp.isgratuitous && arp.src.proto_ipv4 == ${floatingIp}`, ['eth.dst', 'arp.src.hw_mac']);
  assert.ok(announcements.length > 0, 'gratuitous ARP (RFC 5227) on the gateway\'s plain side');
  for (const packet of announcements) assert.equal(packet, { 'eth.dst': ['ff:ff:ff:ff:ff:ff'], 'arp.src.hw_mac': [MACS.gatewayExternal] });
});

test('an appliance that restarts while no controller answers forwards by its last good state', async ({ lab, internet, floatingIp }) => {
  await lab.controller.kill();
  await lab.compute.killAgent();
  await lab.compute.killDataplane();
  assert.is((await internet.ping(floatingIp, 2, 20)).received, 0);
  await lab.compute.start();
  assert.is((await lab.compute.dataplane.getState()).restored, true);
  await until(async () => (await internet.ping(floatingIp, 1, 20)).received === 1);
  await lab.controller.start();
  await lab.inSync();
  await reaches(lab, internet, floatingIp, 'back in session');
});

test('every packet was counted, and no drop is without a name', async ({ lab }) => {
  for (const appliance of [lab.gateway, lab.compute]) {
    const { name } = appliance;
    const counters = await appliance.quietCounters();
    const { received, originated, transmitted, dropped, held } = counters;
    assert.is(received + originated, transmitted + dropped + held, name);
    assert.is(unnamedDrops(counters), 0, name);
  }
});

test.run();

const CHECKSUMS = ['ip.checksum.status', 'tcp.checksum.status'];

/** tshark's verdict is "1" for a right checksum. */
function assertChecksums(packet: Packet): void {
  for (const field of CHECKSUMS) for (const status of packet[field]!) assert.is(status, '1', `${field} of ${JSON.stringify(packet)}`);
}

async function reaches(lab: Lab, from: LabHost, to: string, what: string): Promise<void> {
  const { sent, received } = await from.ping(to, 5, 20);
  assert.is(received, sent, `${what}\n${await tellLosses(lab)}`);
}

async function until(holds: () => Promise<boolean>): Promise<void> {
  for (let tries = 0; tries < 50; tries++) {
    if (await holds()) return;
    await sleep(200);
  }
  assert.unreachable('it never held');
}

/** Runs `meanwhile` under a stream of requests through the floating IP, one a millisecond, each answered the same way back. */
async function withoutLoss({ lab, internet, floatingIp }: Bench, meanwhile: () => Promise<void>): Promise<void> {
  const { sent, lost, duplicates } = await internet.probe(floatingIp, meanwhile);
  assert.ok(sent > 100, `${sent} probes`);
  assert.equal(lost, [], `${sent} probes; ${await tellLosses(lab)}`);
  assert.is(duplicates, 0);
}

/** Where a packet may have gone, for the message of a failed test. */
async function tellLosses(lab: Lab): Promise<string> {
  const readings = await Promise.all([lab.gateway, lab.compute].map(read));
  const restarts = readings.flatMap(({ appliance, lcores }) => lcores.map((lcore) => `${appliance}: ${lcore.restarts} restarts of lcore ${lcore.id}`));
  return [...totalLines(readings), ...dropLines(readings), ...restarts].join('\n');
}
