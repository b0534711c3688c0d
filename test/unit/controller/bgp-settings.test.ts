// Who a controller speaks BGP with, from the objects: names, associations from either end, defaults, and why it does not.
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { bgpSettings } from '../../../mgmt/controller/bgp/settings.ts';
import { checkPeer, checkSpeaker } from '../../../mgmt/controller/bgp/validate.ts';
import { formatAddress, formatPrefix } from '../../../mgmt/controller/model/address.ts';
import { BGP_ROUTERS, SYSTEM, VROUTER_CONFIG } from '../../../mgmt/controller/model/kinds.ts';
import { Objects } from '../../../mgmt/controller/model/objects.ts';
import { stage } from '../../../mgmt/controller/model/transaction.ts';
import { put, type DraftObject } from './objects.ts';

type Router = NonNullable<DraftObject['bgpRouter']>;
const named = (name: string, bgpRouter: Router): DraftObject => ({ name: `${BGP_ROUTERS}:${name}`, bgpRouter });
const control = (settings: Router = {}): DraftObject => named('controller-1', { kind: 'CONTROL_NODE', address: '10.169.25.19', ...settings });
const router = (settings: Router = {}, name = 'mx'): DraftObject => named(name, { kind: 'ROUTER', address: '192.168.0.204', ...settings });
const PEERS = { peers: [`${BGP_ROUTERS}:controller-1`] };

function settingsOf(...objects: DraftObject[]) {
  const all = new Objects();
  stage(all, objects.map(put), 1);
  const settings = bgpSettings(all, 'controller-1');
  if (settings.speaker) {
    checkSpeaker(settings.speaker);
    for (const neighbor of settings.neighbors) checkPeer(neighbor, settings.speaker);
  }
  return settings;
}

test('the chapter: control node and router, associated from either end', () => {
  for (const objects of [[control(), router(PEERS)], [router(), control({ peers: [`${BGP_ROUTERS}:mx`] })]]) {
    const { speaker, neighbors, problem } = settingsOf(...objects);
    assert.equal([speaker!.asn, formatAddress(speaker!.routerId), speaker!.port, speaker!.addresses.map(formatAddress)], [64512, '10.169.25.19', 179, ['10.169.25.19']]);
    assert.equal(neighbors.map(({ name, address, asn, families, holdTime, restartTime, port, localAddress }) => [name, formatAddress(address), asn, families, holdTime, restartTime, port, formatAddress(localAddress)]),
      [['mx', '192.168.0.204', 64512, ['ipv4-vpn'], 90, 120, 179, '10.169.25.19']]);
    assert.is(problem, '');
  }
});

test('what is set is taken: AS numbers, identifier, ports, times, families of both, key, reflection', () => {
  const { speaker, neighbors } = settingsOf(
    { name: SYSTEM, globalSystemConfig: { autonomousSystem: 4200000001 } },
    control({ identifier: '10.0.0.9', port: 1179, holdTime: 30, addressFamilies: ['route-target', 'inet-vpn'] }),
    router({ ...PEERS, autonomousSystem: 65001, port: 2179, addressFamilies: ['inet-vpn', 'e-vpn'], authKey: 'secret', multihop: 4, restartTime: 60 }),
    router({ ...PEERS, address: '192.168.0.205', routeReflectorClient: true, holdTime: 9, addressFamilies: ['inet-vpn', 'route-target'] }, 'inside'),
  );
  assert.equal([speaker!.asn, formatAddress(speaker!.routerId), speaker!.port], [4200000001, '10.0.0.9', 1179]);
  const [outside, inside] = ['mx', 'inside'].map((name) => neighbors.find((neighbor) => neighbor.name === name)!);
  assert.equal([outside!.asn, outside!.port, outside!.families, outside!.password, outside!.multihop, outside!.restartTime, outside!.holdTime], [65001, 2179, ['ipv4-vpn'], 'secret', 4, 60, 30]);
  assert.equal([inside!.asn, inside!.client, inside!.holdTime, inside!.families], [4200000001, true, 9, ['route-target', 'ipv4-vpn']]);
});

test('a controller without peers does not speak, nor one that is down; a router that is down is no neighbour', () => {
  assert.is(settingsOf(control()).speaker, undefined);
  assert.is(settingsOf(control(), router()).speaker, undefined, 'not associated');
  assert.is(settingsOf(control({ adminDown: true }), router(PEERS)).speaker, undefined);
  const { speaker, neighbors } = settingsOf(control(), router({ ...PEERS, adminDown: true }));
  assert.ok(speaker);
  assert.equal(neighbors, []);
});

test('routers without a control node of this name are a problem that says what to do; no routers are none', () => {
  assert.is(settingsOf().problem, '');
  assert.match(settingsOf(router()).problem, /there is no bgp-router .*:controller-1: create it, as a CONTROL_NODE/);
  assert.match(settingsOf(named('controller-1', { kind: 'ROUTER', address: '10.1.1.1' })).problem, /is a ROUTER/);
});

test('tunnels may lead to routers and into the networks that are allowed, and never to our own appliances', () => {
  const { policy } = settingsOf(control(), router(PEERS), { name: VROUTER_CONFIG, globalVrouterConfig: { dynamicTunnelNetworks: ['172.16.0.0/12'] } },
    { name: `${SYSTEM}:compute-1`, virtualRouter: { kind: 'COMPUTE', profile: 'virtual', fabric: { port: 'f', address: '10.169.25.20/24', mac: '02:00:00:00:00:01' } } });
  assert.equal(policy.destinations.map(formatPrefix), ['172.16.0.0/12', '192.168.0.204/32']);
  assert.equal([...policy.own].map(formatAddress), ['10.169.25.20']);
});

test.run();
