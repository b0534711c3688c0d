// needs: netns, gobgp, frr, bird
//
// Kinds of sessions: an external peer of a 4-byte AS with MD5 (BIRD), clients of route reflection (BIRD and FRR), and another
// speaker of ours that asks for routes by target (RFC 4684, which neither FRR nor BIRD of this age speaks).
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { BgpEngine } from '../../mgmt/controller/bgp/engine.ts';
import { formatAddress, formatKey, keyOf } from '../../mgmt/controller/model/address.ts';
import { Bird } from './bird.ts';
import { address, ASN, BgpLab, COMPUTE, frrConfiguration, pathOf, peerOf, TARGET, until, type Link } from './bgp-lab.ts';
import { Frr } from './frr.ts';

const test = suite('BGP peers');
const FIP = '101.101.101.3/32';
const FROM_BIRD = '198.51.100.0/24';
const FAR_ASN = 4200000001;
let lab: BgpLab;
let engine: BgpEngine;

test.before(async () => {
  lab = new BgpLab();
  engine = await lab.engine();
  await engine.announce({ announce: [pathOf(FIP)], withdraw: [] });
});
test.after(() => lab.close());

/** As `gobgp -j global rib` tells it. */
interface GobgpPath {
  'neighbor-ip': string;
  nlri: { labels: number[] };
  attrs: { type: number; nexthop?: string; value?: unknown; as_paths?: { asns: number[] }[] }[];
}

const received = (prefix: string, by: BgpEngine = engine) => [...by.rib.paths()].map(({ path }) => path).find((path) => path.prefix === keyOf(prefix));

function birdConfiguration({ controller, router }: Link, { asn, password }: { asn: number; password: string }): string {
  return `router id ${router};
vpn4 table vt;
protocol device {}
protocol direct { ipv4; }
protocol static nh { ipv4; route 10.169.0.0/16 via ${controller}; }
protocol static vs { vpn4 { table vt; };
 route ${router}:9 ${FROM_BIRD} via ${router}%eth0 onlink mpls 4001 { bgp_ext_community.add((rt,64512,10000)); bgp_ext_community.add((generic,0x30c0000,11)); }; }
protocol bgp wr { local ${router} as ${asn}; neighbor ${controller} as ${ASN}; hold time 9; connect delay time 1; error wait time 1, 2; graceful restart on;
 ${password === '' ? '' : `password "${password}";`}
 vpn4 mpls { table vt; gateway recursive; import all; export where source = RTS_STATIC; }; } # computes are not on its subnet
`;
}

async function withBird(name: string, session: { asn: number; password: string }, settings: Parameters<typeof peerOf>[1], run: (bird: Bird, link: Link) => Promise<void>): Promise<void> {
  const link = lab.router(name);
  const bird = new Bird(lab.namespaces, name, lab.folder(name));
  try {
    await engine.setPeers([peerOf(link, settings)]);
    await bird.start(birdConfiguration(link, session));
    await run(bird, link);
  } finally {
    await bird.stop();
  }
}

test('external peer of a 4-byte AS with MD5: next hop kept, AS path told', async () => {
  await withBird('far', { asn: FAR_ASN, password: 'swordfish' }, { asn: FAR_ASN, password: 'swordfish' }, async (bird, link) => {
    const path = await until('BIRD\'s route', () => received(FROM_BIRD));
    assert.equal([path.distinguisher, path.label, path.nextHop, path.targets, path.encapsulations, path.asPath], [`${link.router}:9`, 4001, address(link.router), [TARGET], [11], [FAR_ASN]]);
    const text = await until('the floating IP at BIRD', () => { const shown = bird.show(`show route table vt all`); return shown.includes(FIP) && shown; });
    const route = text.slice(text.indexOf(`${COMPUTE}:5 ${FIP}`));
    assert.match(route, new RegExp(`BGP.as_path: ${ASN}`));
    assert.match(route, `BGP.next_hop: ${COMPUTE}`);
    assert.match(route, 'BGP.mpls_label_stack: 20');
    assert.match(route, '(rt, 64512, 10000)');
    await engine.announce({ announce: [pathOf('101.101.101.9/32', { label: 99 })], withdraw: [pathOf(FIP)] });
    await until('the change at BIRD', () => { const shown = bird.show('show route table vt'); return !shown.includes(FIP) && shown.includes('101.101.101.9/32'); });
    await engine.announce({ announce: [pathOf(FIP)], withdraw: [pathOf('101.101.101.9/32')] });
  });
});

test('clients of route reflection hear of each other, next hop and label kept', async () => {
  const [one, other] = [lab.router('client'), lab.router('pe')];
  const bird = new Bird(lab.namespaces, 'client', lab.folder('client'));
  const frr = new Frr({ namespaces: lab.namespaces, namespace: 'pe', directory: lab.folder('pe'), configuration: frrConfiguration(other), red: ['192.0.2.1/24'] });
  try {
    await engine.setPeers([peerOf(one, { client: true }), peerOf(other, { client: true })]);
    await Promise.all([bird.start(birdConfiguration(one, { asn: ASN, password: '' })), frr.start()]);
    const path = await until('BIRD\'s route at FRR', async () => (await frr.vpn(FROM_BIRD)).at(0));
    assert.equal([path.rd, path.label, path.nextHop], [`${one.router}:9`, 4001, one.router]);
    const text = await until('FRR\'s route at BIRD', () => { const shown = bird.show('show route table vt all'); return shown.includes(`${other.router}:1 192.0.2.0/24`) && shown; });
    const route = text.slice(text.indexOf(`${other.router}:1 192.0.2.0/24`));
    assert.match(route, `BGP.next_hop: ${other.router}`);
    assert.match(route, 'BGP.mpls_label_stack: 2001');
  } finally {
    await Promise.all([bird.stop(), frr.stop()]);
  }
});

test('a peer that asks by route target gets what it asks for, as it asks', async () => {
  const link = lab.router('second');
  const second = await lab.engine({ routerId: address(link.router) }, 'second');
  const families = ['ipv4-vpn', 'route-target'] as const;
  const BLUE = 'target:64512:20000';
  await engine.announce({ announce: [pathOf('101.101.104.1/32', { targets: [BLUE] })], withdraw: [] });
  await engine.setPeers([peerOf(link, { families, client: true })]);
  await second.setWantedTargets([TARGET]);
  await second.setPeers([{ ...peerOf(link, { families }), address: address(link.controller) }]);
  await until('the red route', () => received(FIP, second));
  await engine.announce({ announce: [pathOf('101.101.104.2/32', { targets: [BLUE] }), pathOf('101.101.104.3/32')], withdraw: [] });
  await until('another red route', () => received('101.101.104.3/32', second));
  assert.equal([...second.rib.paths()].map(({ path }) => formatKey(path.prefix)).sort(), [FIP, '101.101.104.3/32'].sort());
  await second.setWantedTargets([TARGET, BLUE]);
  await until('blue routes', () => received('101.101.104.1/32', second) && received('101.101.104.2/32', second));
  await second.setWantedTargets([BLUE]);
  await until('no red routes', () => !received(FIP, second) && !received('101.101.104.3/32', second));
  assert.ok(received('101.101.104.1/32', second));
});

test('what we read of UPDATEs is what GoBGP reads', async () => {
  const link = lab.router('third');
  const third = await lab.engine({ routerId: address(link.router), asn: FAR_ASN }, 'third');
  const distinguishers = ['64512:4294967295', '10.0.0.7:65535', '4200000001:7', '0:0'];
  const targets = ['target:64512:10000', 'target:10.0.0.9:5', 'target:4200000001:3', 'target:1:4294967295'];
  const told = Array.from({ length: 200 }, (_, at) => pathOf('0.0.0.0/0', {
    prefix: keyOf(at === 0 ? '0.0.0.0/0' : `198.18.${at}.0/${24 + at % 9}`), distinguisher: distinguishers[at % 4]!, label: 16 + at * 5000, nextHop: address('10.169.128.1') + at,
    targets: targets.filter((_, bit) => ((at % 15 + 1) >> bit) & 1), encapsulations: at % 3 === 0 ? [] : at % 3 === 1 ? [11] : [2, 13],
  }));
  await third.announce({ announce: told, withdraw: [] });
  await engine.setPeers([peerOf(link, { asn: FAR_ASN })]);
  await third.setPeers([{ ...peerOf(link), address: address(link.controller) }]);
  const ours = await until('all of them', () => { const all = [...engine.rib.paths()].filter(({ path }) => path.peer === address(link.router)); return all.length === told.length && all; });
  const table = lab.namespaces.run('controller', 'gobgp', ['--target', `unix://${lab.folder('engine-controller')}/gobgp.sock`, '-j', 'global', 'rib', '-a', 'vpnv4']);
  const theirs = Object.entries(JSON.parse(table) as Record<string, GobgpPath[]>).flatMap(([prefix, paths]) => paths.filter((path) => path['neighbor-ip'] === link.router).map((path) => {
    const attribute = (type: number) => path.attrs.find((each) => each.type === type);
    return {
      prefix, label: path.nlri.labels[0], nextHop: attribute(14)?.nexthop, origin: attribute(1)?.value, asPath: attribute(2)?.as_paths?.flatMap(({ asns }) => asns),
      communities: ((attribute(16)?.value ?? []) as { type: number; subtype?: number; value?: string; tunnel_type?: number }[]).map(({ value, tunnel_type: tunnel }) => value ?? tunnel).map(String).sort(),
    };
  }));
  /** It writes AS numbers of 4 bytes in two halves (RFC 5396), here those in front of a colon. */
  const asdot = (text: string): string => text.replace(/^(\d{6,}):/, (_, asn: string) => `${Number(asn) >>> 16}.${Number(asn) & 0xffff}:`);
  const byPrefix = <T extends { prefix: string }>(paths: T[]): T[] => paths.sort((one, other) => (one.prefix < other.prefix ? -1 : 1));
  assert.equal(byPrefix(ours.map(({ path }) => ({
    prefix: asdot(`${path.distinguisher}:${formatKey(path.prefix)}`), label: path.label, nextHop: formatAddress(path.nextHop), origin: path.origin, asPath: path.asPath,
    communities: [...path.targets.map((target) => asdot(target.slice('target:'.length))), ...path.encapsulations.map(String)].sort(),
  }))), byPrefix(theirs));
});

test('the engine runs without root\'s rights, and its socket is for us alone', async () => {
  const status = lab.namespaces.run('controller', 'cat', [`/proc/${engine.pid}/status`]);
  assert.match(status, /^Uid:\t65534\t65534/m);
  assert.match(status, /^CapEff:\t0000000000000400$/m, 'CAP_NET_BIND_SERVICE only');
  assert.match(lab.namespaces.run('controller', 'stat', ['-c', '%a %F', `${lab.folder('engine-controller')}/gobgp.sock`]), '700 socket');
  assert.match(lab.namespaces.run('controller', 'stat', ['-c', '%a', lab.folder('engine-controller')]), '700');
});

test.run();
