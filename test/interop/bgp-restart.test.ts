// needs: netns, gobgp, frr, bird
//
// Restarts lose nothing, whoever it is that restarts: our engine (killed, or ended with us), or a peer.
import { setTimeout as sleep } from 'node:timers/promises';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { ReceivedChange } from '../../mgmt/controller/bgp/adj-rib-in.ts';
import type { BgpEngine } from '../../mgmt/controller/bgp/engine.ts';
import { formatKey, keyOf } from '../../mgmt/controller/model/address.ts';
import { Bird } from './bird.ts';
import { address, BgpLab, frrConfiguration, pathOf, peerOf, TARGET, until, type Link } from './bgp-lab.ts';
import { Frr } from './frr.ts';

const test = suite('BGP restarts');
const FIPS = Array.from({ length: 200 }, (_, at) => `101.101.101.${at}/32`);
const [FROM_FRR, FROM_BIRD] = ['192.0.2.0/24', '198.51.100.0/24'];
let lab: BgpLab;
let frrLink: Link;
let birdLink: Link;
let frr: Frr;
let bird: Bird;
let engine: BgpEngine;
const changes: ReceivedChange[] = [];

/** @param more prefixes that it tells besides. */
const birdConfiguration = ({ controller, router }: Link, more: readonly string[] = []): string => `router id ${router};
vpn4 table vt;
protocol device {}
protocol direct { ipv4; }
protocol static nh { ipv4; route 10.169.25.0/24 via ${controller}; }
protocol static vs { vpn4 { table vt; };
${[FROM_BIRD, ...more].map((prefix) => ` route ${router}:9 ${prefix} via ${router}%eth0 onlink mpls 4001 { bgp_ext_community.add((rt,64512,10000)); };`).join('\n')} }
protocol bgp wr { local ${router} as 64512; neighbor ${controller} as 64512; hold time 9; connect delay time 1; error wait time 1, 2; graceful restart on;
 vpn4 mpls { table vt; import all; export where source = RTS_STATIC; }; }
`;

test.before(async () => {
  lab = new BgpLab();
  [frrLink, birdLink] = [lab.router('frr'), lab.router('bird')];
  frr = new Frr({ namespaces: lab.namespaces, namespace: 'frr', directory: lab.folder('frr'), configuration: frrConfiguration(frrLink), red: ['192.0.2.1/24'] });
  bird = new Bird(lab.namespaces, 'bird', lab.folder('bird'));
  engine = await lab.engine();
  engine.on('received', (some) => changes.push(...some));
  await engine.announce({ announce: FIPS.map((prefix, at) => pathOf(prefix, { label: 1000 + at })), withdraw: [] });
  await engine.setPeers([peerOf(frrLink), peerOf(birdLink)]);
  await Promise.all([frr.start(), bird.start(birdConfiguration(birdLink))]);
  await allThere();
  await until(`${FROM_FRR} and ${FROM_BIRD}`, () => received(FROM_FRR) && received(FROM_BIRD));
});
test.after(async () => {
  await Promise.all([frr.stop(), bird.stop()]);
  await lab.close();
});

const received = (prefix: string) => [...engine.rib.paths()].some(({ path, stale }) => path.prefix === keyOf(prefix) && path.targets.includes(TARGET) && !stale);
const atBird = (): number => [...bird.show('show route table vt protocol wr').matchAll(/101\.101\.101\./g)].length;
/** How many floating IPs are at FRR, stale or not. */
const atFrr = async (): Promise<number> => [...(await frr.show('show bgp ipv4 vpn json')).matchAll(/"101\.101\.101\.\d+\/32"/g)].length / 2;
const allThere = (count = FIPS.length) => until(`${count} floating IPs at both`, async () => await atFrr() === count && atBird() === count);
const established = () => until('both sessions', async () => (await engine.peers()).every(({ state }) => state === 'established'));

/** Looks at the peers as fast as it can until `done`: their fewest routes. */
async function fewestUntil(done: () => boolean | Promise<boolean>): Promise<number> {
  let fewest = Infinity;
  do {
    fewest = Math.min(fewest, await atFrr(), atBird());
    await sleep(5);
  } while (!await done());
  return fewest;
}

const fresh = async (): Promise<boolean> => (await engine.peers()).every(({ state, families }) => state === 'established' && families[0]?.endOfRib) && engine.rib.stale.size === 0;

test('the engine is killed: peers keep every route, we keep theirs, and what changed meanwhile is told both ways', async () => {
  frr.red('addr add 203.0.113.1/24 dev inside');
  await until('203.0.113.0/24 from FRR', () => received('203.0.113.0/24'));
  changes.length = 0;
  const before = engine.pid!;
  process.kill(before, 'SIGKILL');
  await until('the loss is noticed', () => engine.pid !== before);
  // While it is down: one of theirs goes; one of ours goes, one changes, one comes.
  frr.red('addr del 203.0.113.1/24 dev inside');
  const meanwhile = engine.announce({ announce: [pathOf(FIPS[1]!, { label: 5001 }), pathOf('101.101.101.200/32')], withdraw: [pathOf(FIPS[0]!)] });
  assert.is(await fewestUntil(fresh), FIPS.length);
  await meanwhile;
  assert.equal(changes.map(({ before: was, after: is }) => [was && formatKey(was.prefix), is && formatKey(is.prefix)]), [['203.0.113.0/24', undefined]], 'our side noticed nothing else');
  assert.ok(received(FROM_FRR) && received(FROM_BIRD));
  await until('the changes at FRR', async () => (await frr.vpn(FIPS[0]!)).length === 0 && (await frr.vpn(FIPS[1]!))[0]?.label === 5001 && (await frr.vpn('101.101.101.200/32')).length === 1);
  await until('nothing stale at FRR', async () => !(await frr.vpn(FIPS[7]!))[0]!.stale);
  await allThere();
});

test('a peer that crashes and comes back: we keep its routes throughout', async () => {
  await established();
  changes.length = 0;
  await bird.kill();
  await until('the session is gone', async () => (await engine.peers()).some(({ state }) => state !== 'established'));
  assert.ok([...engine.rib.paths()].some(({ path }) => path.prefix === keyOf(FROM_BIRD)));
  await bird.start(birdConfiguration(birdLink));
  await until('the peer is back', fresh);
  await until(`${FROM_BIRD} again, fresh`, () => received(FROM_BIRD));
  assert.equal(changes.filter(({ after }) => !after), []);
  await allThere();
});

test('a peer that restarts gracefully: what it does not tell again goes, and nothing before it has told all', async () => {
  const more = Array.from({ length: 250 }, (_, at) => `203.0.113.${at}/32`);
  await bird.kill();
  await bird.start(birdConfiguration(birdLink, more));
  await until('all of them', () => more.every(received));
  await until('nothing stale', fresh);
  const [gone, ...kept] = more;
  changes.length = 0;
  await bird.kill();
  await until('the session is gone', async () => (await engine.peers()).some(({ state }) => state !== 'established'));
  await until('all is stale', () => !received(gone!));
  assert.is([...engine.rib.paths()].filter(({ path }) => more.includes(formatKey(path.prefix))).length, more.length, 'kept meanwhile');
  await bird.start(birdConfiguration(birdLink, kept));
  await until(`${gone} gone`, () => changes.length > 0);
  await until('nothing stale', fresh);
  assert.equal(changes.map(({ before, after }) => [before && formatKey(before.prefix), after]), [[gone, undefined]], 'and no other was touched');
  assert.ok([FROM_BIRD, ...kept].every(received));
});

test('a peer that says goodbye takes its routes with it, and tells them anew; FRR\'s stay', async () => {
  await established();
  changes.length = 0;
  await bird.stop(); // with a Cease
  await until(`${FROM_BIRD} gone`, () => [...engine.rib.paths()].every(({ path }) => path.peer !== address(birdLink.router)));
  assert.ok(received(FROM_FRR));
  await bird.start(birdConfiguration(birdLink));
  await until(`${FROM_BIRD} again`, () => received(FROM_BIRD));
  await until('nothing stale', fresh);
  await allThere();
});

test('the controller ends and another comes: with "keep" peers keep the routes, with "withdraw" they do not', async () => {
  await established();
  await engine.stop('keep');
  assert.is(await atFrr(), FIPS.length);
  const next = await lab.engine();
  await next.stop('withdraw'); // it had no peers: nobody hears of it
  assert.is(await atFrr(), FIPS.length);
  engine = await lab.engine();
  await engine.announce({ announce: [pathOf('101.101.101.1/32')], withdraw: [] });
  await engine.setPeers([peerOf(frrLink), peerOf(birdLink)]);
  await until('only what the new one announces', async () => await atFrr() === 1 && atBird() === 1);
  await engine.stop('withdraw');
  await until('nothing', async () => await atFrr() === 0 && atBird() === 0);
});

test.run();
