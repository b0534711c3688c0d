// needs: netns, gobgp, frr, bird, openvswitch
// limit: 300 s
//
// The floating-IP chapter with a gateway of another maker: FRR learns a floating IP's route from our controller, Open vSwitch forwards by
// what FRR learned, and a packet from the Internet reaches a pod and finds its way back. Then restarts under traffic, a second gateway
// that shares it, and our own gateway in their place.
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { assertTransfers } from '../lab/assert-transfers.ts';
import { until } from './bgp-lab.ts';
import { birdConfiguration, ChapterLab, COMPUTE, controlNode, CONTROLLER, GATEWAY, INTERNET, OWN, ownGateway, PODS, router, SECOND } from './chapter-lab.ts';

const test = suite('the chapter');
const PORT = 8080;
let lab: ChapterLab;
let failed = true;

test.before(async () => {
  lab = new ChapterLab();
  await lab.open();
  await lab.forward(GATEWAY, () => lab.learnedByFrr());
  await lab.frr.start();
  lab.frr.red(`route add default via ${INTERNET} dev inside`);
  await lab.put(controlNode, router(GATEWAY));
});
test.after(async () => { await lab.close({ keep: failed }); });

const neighbors = async () => (await lab.controller.routing.bgpNeighbors({})).neighbors;
const established = () => until('every session', async () => (await neighbors()).every(({ state }) => state === 'established'));

async function pings(): Promise<void> {
  // Open vSwitch drops what comes before it knows the neighbour.
  await until('the first answer', async () => (await lab.internet.ping(PODS[0].floatingIp, 1, 200)).received === 1, 5000).catch(() => undefined);
  for (const [at, { floatingIp, name }] of PODS.entries()) {
    assert.is((await lab.internet.ping(floatingIp, 5, 20)).received, 5, `internet to ${name}\n${await lab.drops()}`);
    assert.is((await lab.pods[at]!.ping(INTERNET, 5, 20)).received, 5, `${name} to internet\n${await lab.drops()}`);
  }
}

const transfers = () => assertTransfers(lab.internet, lab.pods[0]!, PODS[0].floatingIp);

test('BGP is up, and FRR has the floating IP with the compute as next hop, its label, target and encapsulation', async () => {
  const path = await until(`${PODS[0].floatingIp} at FRR`, async () => (await lab.frr.vpn(`${PODS[0].floatingIp}/32`)).at(0));
  assert.is(path.nextHop, COMPUTE);
  assert.match(path.rd, new RegExp(`^${COMPUTE}:\\d+$`));
  assert.ok(path.label >= 16);
  assert.match(path.communities, /RT:64512:101 .*ET:11/);
  await established();
  const { speaker, problem } = await lab.controller.routing.bgpNeighbors({});
  assert.equal([speaker?.address, speaker?.autonomousSystem, problem], [CONTROLLER, 64512, '']);
});

test('its default route is in the VRF of the floating IPs, by a tunnel that made itself, and shows who told it', async () => {
  const [path] = await until('a default route', async () => { const paths = await lab.paths('0.0.0.0/0'); return paths.length > 0 && paths; });
  assert.equal([path!.active, path!.protocolNextHop, path!.label, path!.tunnel, path!.external], [true, GATEWAY.tunnel, GATEWAY.label, 'MPLSoGRE', true]);
  assert.equal(path!.announcements.map(({ neighbor, routeDistinguisher }) => [neighbor, routeDistinguisher]), [['gateway', `${GATEWAY.tunnel}:1`]]);
  await until('the tunnel in the compute appliance', async () => (await lab.tunnels(lab.compute)).includes(`${GATEWAY.tunnel} ${GATEWAY.label}`));
  const { tunnels } = await lab.controller.routing.tunnels({});
  assert.equal(tunnels.map(({ destination, sources, router: at }) => [destination, sources, at]), [[GATEWAY.tunnel, [COMPUTE], 'gateway']]);
});

test('ping from the Internet to the floating IPs, and back', pings);
test('TCP through the floating IP, both ways', transfers);

/** Both directions under a ping each millisecond, and the floating IP watched at FRR, while something ends. */
async function underTraffic(meanwhile: () => Promise<void>): Promise<void> {
  let [watching, missing] = [true, 0];
  const watched = (async () => {
    while (watching) {
      if ((await lab.frr.vpn(`${PODS[0].floatingIp}/32`)).length === 0) missing++;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  })();
  let outward: Promise<{ sent: number; lost: unknown[] }> | undefined;
  const inward = await lab.internet.probe(PODS[0].floatingIp, async () => {
    outward = lab.pods[1]!.probe(INTERNET, meanwhile);
    await outward;
  });
  watching = false;
  await watched;
  for (const [way, { sent, lost }] of [['inward', inward], ['outward', await outward!]] as const) {
    assert.ok(sent > 500, `${way}: only ${sent} sent`);
    assert.equal(lost, [], `${way}: lost of ${sent}\n${lab.controller.tail()}`);
  }
  assert.is(missing, 0, 'the route was always at FRR');
}

test('GoBGP is killed under traffic: nothing is lost, FRR keeps the routes', async () => {
  const before = lab.speakerPid();
  await underTraffic(async () => {
    process.kill(before, 'SIGKILL');
    await until('another GoBGP', () => lab.speakerPid() !== before);
    await established();
  });
  assert.is((await lab.frr.vpn(`${PODS[0].floatingIp}/32`))[0]?.stale, false);
});

test('the controller is killed under traffic, and comes back: nothing is lost, FRR keeps the routes', async () => {
  await underTraffic(async () => {
    await lab.controller.kill();
    await new Promise((resolve) => setTimeout(resolve, 1000));
    await lab.controller.start();
    await established();
    await lab.inSync(lab.compute);
  });
  await until('nothing stale', async () => (await neighbors()).every(({ stale }) => stale === 0) && !(await lab.frr.vpn(`${PODS[0].floatingIp}/32`))[0]?.stale);
  assert.equal((await lab.paths('0.0.0.0/0')).map(({ protocolNextHop }) => protocolNextHop), [GATEWAY.tunnel]);
});

test('what the gateway withdrew while the controller was away goes when it is back', async () => {
  await lab.controller.kill();
  lab.frr.red(`route del default via ${INTERNET} dev inside`);
  await lab.controller.start();
  assert.equal((await lab.paths('0.0.0.0/0')).length, 1, 'kept until the gateway has told everything');
  await until('the default route goes', async () => (await lab.paths('0.0.0.0/0')).length === 0);
  await until('and its tunnel', async () => !(await lab.tunnels(lab.compute)).includes(`${GATEWAY.tunnel} ${GATEWAY.label}`));
  assert.equal((await lab.controller.routing.tunnels({})).tunnels, []);
  lab.frr.red(`route add default via ${INTERNET} dev inside`);
  await until('the tunnel comes back', async () => (await lab.tunnels(lab.compute)).includes(`${GATEWAY.tunnel} ${GATEWAY.label}`));
  await pings();
});

test('BIRD as a second gateway shares the traffic; when it goes, the other has it all', async () => {
  await lab.forward(SECOND, () => lab.learnedByBird());
  await lab.bird.start(birdConfiguration);
  await lab.put(router(SECOND));
  await until('both default routes', async () => (await lab.paths('0.0.0.0/0')).filter(({ active }) => active).length === 2);
  await until('both tunnels', async () => { const tunnels = await lab.tunnels(lab.compute); return [GATEWAY, SECOND].every(({ tunnel, label }) => tunnels.includes(`${tunnel} ${label}`)); });
  await until('the floating IP at BIRD', () => lab.learnedByBird().some(({ prefix }) => prefix === `${PODS[0].floatingIp}/32`));
  await lab.internet.ping(PODS[0].floatingIp, 2, 200);
  const carried = (place: typeof GATEWAY): number => Number(new RegExp(`n_packets=(\\d+)[^\\n]*mpls_label=${place.label}`).exec(lab.flows(place))?.[1]);
  const before = [carried(GATEWAY), carried(SECOND)];
  const stop = await lab.internet.serve(PORT);
  try {
    // Connections of many ports spread over both; each stays with one.
    for (let at = 0; at < 12; at++) assert.ok((await lab.pods[at % 2]!.send(INTERNET, PORT, 64 << 10)).intact);
  } finally {
    await stop();
  }
  const grown = [carried(GATEWAY) - before[0]!, carried(SECOND) - before[1]!];
  assert.ok(grown.every((packets) => packets > 20), `packets by each gateway: ${grown.join(', ')}`);
  await lab.controller.config.delete({ kind: 'bgp-router', name: router(SECOND).name! });
  await until('one default route', async () => (await lab.paths('0.0.0.0/0')).length === 1);
  await until('one tunnel', async () => !(await lab.tunnels(lab.compute)).includes(`${SECOND.tunnel} ${SECOND.label}`));
  await pings();
});

test('our own gateway in their place', async () => {
  await lab.put(ownGateway);
  await lab.own.start();
  await lab.inSync(lab.own);
  await lab.controller.config.delete({ kind: 'bgp-router', name: router(GATEWAY).name! });
  await until('its default route alone', async () => { const paths = await lab.paths('0.0.0.0/0'); return paths.length === 1 && paths[0]!.protocolNextHop === OWN.tunnel; });
  await until('no BGP', async () => (await lab.controller.routing.bgpNeighbors({})).speaker === null);
  await until('the floating IP is gone at FRR', async () => (await lab.frr.vpn(`${PODS[0].floatingIp}/32`)).length === 0);
  await lab.inSync(lab.compute);
  lab.namespaces.ip('internet', `route replace 101.101.101.0/24 via ${OWN.external}`);
  await pings();
  await transfers();
  failed = false;
});

test.run();
