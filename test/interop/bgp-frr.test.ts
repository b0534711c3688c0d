// needs: netns, gobgp, frr
//
// Our BGP speaker and FRRouting: floating IPs go out as VPN routes, routes of FRR's VRF come in.
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { BgpEngine } from '../../mgmt/controller/bgp/engine.ts';
import type { ReceivedChange } from '../../mgmt/controller/bgp/adj-rib-in.ts';
import type { VpnPath } from '../../mgmt/controller/bgp/types.ts';
import { formatKey, keyOf, prefixKey } from '../../mgmt/controller/model/address.ts';
import { address, BgpLab, COMPUTE, frrConfiguration, pathOf, peerOf, TARGET, until, type Link } from './bgp-lab.ts';
import { Frr } from './frr.ts';

const test = suite('BGP with FRRouting');
const FIP = '101.101.101.3/32';
let lab: BgpLab;
let link: Link;
let frr: Frr;
let engine: BgpEngine;
const changes: ReceivedChange[] = [];

test.before(async () => {
  lab = new BgpLab();
  link = lab.router('frr');
  frr = new Frr({ namespaces: lab.namespaces, namespace: 'frr', directory: lab.folder('frr'), configuration: frrConfiguration(link), red: ['192.0.2.1/24'] });
  engine = await lab.engine();
  engine.on('received', (some) => changes.push(...some));
  await engine.setPeers([peerOf(link)]);
  await frr.start();
  await established();
});
test.after(async () => {
  await frr.stop();
  await lab.close();
});

const established = (): Promise<unknown> => until('session with FRR', async () => (await frr.peer(link.controller)).state === 'Established');
const atFrr = (prefix: string) => until(`${prefix} at FRR`, async () => (await frr.vpn(prefix)).at(0));
const goneAtFrr = (prefix: string) => until(`${prefix} gone at FRR`, async () => (await frr.vpn(prefix)).length === 0);
const received = (prefix: string) => [...engine.rib.paths()].map(({ path }) => path).find((path) => path.prefix === keyOf(prefix));

test('a floating IP is announced with label, target, compute as next hop and encapsulation', async () => {
  await engine.announce({ announce: [pathOf(FIP)], withdraw: [] });
  const { rd, label, nextHop, communities, localPreference, asPath } = await atFrr(FIP);
  assert.equal({ rd, label, nextHop, communities, localPreference, asPath },
    { rd: `${COMPUTE}:5`, label: 20, nextHop: COMPUTE, communities: 'RT:64512:10000 ET:11', localPreference: 100, asPath: 'Local' });
  await until('import into VRF red', async () => (await frr.show(`show bgp vrf red ipv4 unicast ${FIP} json`)).includes('"valid":true'));
});

test('distinguishers and targets of every type arrive as they are', async () => {
  const forms: [string, string, string][] = [['65001:70000', 'target:65001:70000', 'RT:65001:70000'], ['4200000001:9', 'target:4200000001:9', 'RT:4200000001:9'], ['10.1.1.1:9', 'target:10.1.1.1:9', 'RT:10.1.1.1:9']];
  const paths = forms.map(([distinguisher, target], at) => pathOf(`101.101.102.${at}/32`, { distinguisher, targets: [target], label: 1048575, encapsulations: [2, 13] }));
  await engine.announce({ announce: paths, withdraw: [] });
  for (const [at, [distinguisher, , text]] of forms.entries()) {
    const { rd, label, communities } = await atFrr(`101.101.102.${at}/32`);
    assert.equal([rd, label], [distinguisher, 1048575]);
    assert.ok(communities.includes(text) && communities.includes('ET:2') && communities.includes('ET:13'), communities);
  }
  await engine.announce({ announce: [], withdraw: paths });
  for (const at of forms.keys()) await goneAtFrr(`101.101.102.${at}/32`);
});

test('a changed label replaces, a withdrawal takes away, and only that', async () => {
  await engine.announce({ announce: [pathOf(FIP), pathOf('101.101.101.4/32', { label: 21 })], withdraw: [] });
  await engine.announce({ announce: [pathOf(FIP, { label: 22 })], withdraw: [] });
  await until('label 22 at FRR', async () => (await frr.vpn(FIP))[0]?.label === 22);
  await engine.announce({ announce: [], withdraw: [pathOf(FIP)] });
  await goneAtFrr(FIP);
  assert.is((await atFrr('101.101.101.4/32')).label, 21);
});

test('what is wrong is refused before it reaches the engine, and nothing of its batch is done', async () => {
  const wrong: VpnPath[] = [pathOf('101.101.103.1/32', { label: 2 ** 20 }), { ...pathOf('101.101.103.1/32'), prefix: prefixKey(address('101.101.103.1'), 24) }, pathOf('101.101.103.1/32', { distinguisher: 'x' }), pathOf('101.101.103.1/32', { nextHop: 0 }), pathOf('101.101.103.1/32', { targets: [] })];
  for (const path of wrong) {
    let refused = '';
    await engine.announce({ announce: [pathOf('101.101.103.2/32'), path], withdraw: [pathOf('101.101.101.4/32')] }).catch((error: Error) => { refused = error.name; });
    assert.is(refused, 'BgpRefusal');
  }
  await engine.announce({ announce: [pathOf('101.101.103.3/32')], withdraw: [] });
  await atFrr('101.101.103.3/32');
  assert.equal(await frr.vpn('101.101.103.2/32'), []);
  assert.is((await frr.vpn('101.101.101.4/32')).length, 1);
});

test('a route that the engine itself refuses is named, and the others of its batch go out', async () => {
  const refused: string[] = [];
  engine.on('refused', ({ path }) => refused.push(formatKey(path.prefix)));
  const batch = Array.from({ length: 9 }, (_, at) => pathOf(`101.101.105.${at}/32`));
  Object.assign(batch[4]!, { family: 'none' }); // which our types forbid, and the engine has no table for
  await engine.announce({ announce: batch, withdraw: [] });
  for (const at of batch.keys()) if (at !== 4) await atFrr(`101.101.105.${at}/32`);
  assert.equal(refused, ['101.101.105.4/32']);
  await engine.announce({ announce: [], withdraw: batch.filter((_, at) => at !== 4) });
  await goneAtFrr('101.101.105.8/32');
});

test('routes of its VRF come in with label, target, next hop; and go', async () => {
  const path = await until('192.0.2.0/24 from FRR', () => { const found = received('192.0.2.0/24'); return found?.targets.includes(TARGET) && found; });
  assert.equal({ ...path, since: 0 }, {
    family: 'ipv4-vpn', distinguisher: `${link.router}:1`, prefix: keyOf('192.0.2.0/24'), label: 2001, nextHop: address(link.router), targets: [TARGET],
    encapsulations: [], localPreference: 100, peer: address(link.router), asPath: [], origin: 2, since: 0,
  });
  assert.ok(Math.abs(Date.now() - path.since) < 60_000);
  frr.red('addr add 198.51.100.1/24 dev inside');
  await until('198.51.100.0/24 from FRR', () => received('198.51.100.0/24'));
  frr.red('addr del 198.51.100.1/24 dev inside');
  await until('198.51.100.0/24 withdrawn', () => received('198.51.100.0/24') === undefined);
  const last = changes.filter(({ before, after }) => (after ?? before)!.prefix === keyOf('198.51.100.0/24')).at(-1);
  assert.is(last?.after, undefined);
});

test('a session that flaps loses nothing on either side', async () => {
  await engine.announce({ announce: [pathOf(FIP)], withdraw: [] });
  await atFrr(FIP);
  const sessions: boolean[] = [];
  engine.on('session', ({ up }) => sessions.push(up));
  await frr.show('clear bgp *');
  await until('the session comes back', () => sessions.includes(true));
  await established();
  assert.is((await atFrr(FIP)).stale, false);
  await until('192.0.2.0/24 again', () => received('192.0.2.0/24'));
});

test('state: the peer is established, has told everything, restarts gracefully', async () => {
  const [peer] = await engine.peers();
  assert.equal([peer!.address, peer!.state, peer!.routerId], [address(link.router), 'established', link.router]);
  assert.ok(peer!.establishedSince > 0);
  const [vpn] = peer!.families;
  assert.equal({ ...vpn, received: 0, accepted: 0, advertised: 0 }, { family: 'ipv4-vpn', received: 0, accepted: 0, advertised: 0, endOfRib: true, gracefulRestart: true });
});

test('a peer that is taken away takes its routes with it; another password keeps it away', async () => {
  await engine.setPeers([peerOf(link, { password: 'not what FRR has' })]);
  assert.equal([...engine.rib.paths()], []);
  await goneAtFrr(FIP);
  await engine.setPeers([]);
  assert.equal(await engine.peers(), []);
  await engine.setPeers([peerOf(link)]);
  await atFrr(FIP);
});

test.run();
