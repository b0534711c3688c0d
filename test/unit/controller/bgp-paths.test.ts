// Routing state to VPN routes and back, driven by fabricated state: whatever the order of changes, what is announced and what is
// imported is what the present alone would give.
import fc from 'fast-check';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { AdjRibIn, type ReceivedChange } from '../../../mgmt/controller/bgp/adj-rib-in.ts';
import { Announcements, announcementOf, importedPath, Imports, preferenceOf, unusable, type TunnelPolicy } from '../../../mgmt/controller/bgp/paths.ts';
import { vpnKey, type ReceivedPath, type VpnPath } from '../../../mgmt/controller/bgp/types.ts';
import { checkPath } from '../../../mgmt/controller/bgp/validate.ts';
import { PREFERENCE, vrfTarget, type ExportedPath } from '../../../mgmt/controller/compile/types.ts';
import { keyOf, parseAddress, parsePrefix } from '../../../mgmt/controller/model/address.ts';

const address = (text: string): number => parseAddress(text)!;
const COMPUTE = address('10.169.25.20');
const GATEWAY = address('192.168.0.204');
const POLICY: TunnelPolicy = { destinations: [parsePrefix('192.168.0.0/24')!], own: new Set([COMPUTE]) };

const exported = (settings: Partial<ExportedPath> = {}): ExportedPath =>
  ({ id: 'fip', prefix: keyOf('101.101.101.3/32'), targets: ['target:64512:8000001'], preference: PREFERENCE.workload, tunnelAddress: COMPUTE, label: 20, vrf: 5, ...settings });

const received = (settings: Partial<ReceivedPath> = {}): ReceivedPath => ({
  family: 'ipv4-vpn', distinguisher: '192.168.0.204:1', prefix: keyOf('0.0.0.0/0'), label: 2001, nextHop: GATEWAY, targets: ['target:64512:8000001'],
  encapsulations: [], localPreference: 100, peer: GATEWAY, asPath: [], origin: 0, since: 1, ...settings,
});
const came = (after: ReceivedPath): ReceivedChange => ({ before: undefined, after });
const went = (before: ReceivedPath): ReceivedChange => ({ before, after: undefined });

// ---- out -------------------------------------------------------------------------------------------------------------------

test('a floating IP goes out with its compute as next hop and in the distinguisher', () => {
  const path = announcementOf(exported())!;
  assert.equal(path, {
    family: 'ipv4-vpn', distinguisher: '10.169.25.20:5', prefix: keyOf('101.101.101.3/32'), label: 20, nextHop: COMPUTE,
    targets: ['target:64512:8000001'], encapsulations: [11], localPreference: 110,
  });
  checkPath(path);
});

test('what leads nowhere by a tunnel, and what only our own VRFs import, is not announced', () => {
  assert.is(announcementOf(exported({ label: 0 })), undefined);
  assert.is(announcementOf(exported({ tunnelAddress: 0 })), undefined);
  assert.is(announcementOf(exported({ targets: [vrfTarget('red')] })), undefined);
  assert.equal(announcementOf(exported({ targets: [vrfTarget('red'), 'target:1:2', 'target:1:1'] }))!.targets, ['target:1:1', 'target:1:2']);
});

test('two interfaces of one appliance with one address are one route; the other takes over', () => {
  const announcements = new Announcements();
  const [one, other] = [exported({ id: 'one', label: 30 }), exported({ id: 'other', label: 20 })];
  assert.equal(announcements.change([], [one]).announce.map(({ label }) => label), [30]);
  assert.equal(announcements.change([], [other]).announce.map(({ label }) => label), [20]);
  assert.equal(announcements.change([other], []), { announce: [announcementOf(one)], withdraw: [] });
  const preferred = exported({ id: 'preferred', label: 40, preference: PREFERENCE.connected });
  assert.equal(announcements.change([], [preferred]).announce.map(({ label }) => label), [40], 'preference goes before labels');
  assert.equal(announcements.change([preferred], []).announce.map(({ label }) => label), [30]);
  assert.equal(announcements.change([one], []).withdraw.map(vpnKey), ['10.169.25.20:5 ' + keyOf('101.101.101.3/32')]);
});

test('a path that goes and comes back within a change is no change; a label that changes is one announcement', () => {
  const announcements = new Announcements();
  announcements.change([], [exported()]);
  assert.equal(announcements.change([exported()], [exported({ id: 'again' })]), { announce: [], withdraw: [] });
  const changes = announcements.change([exported({ id: 'again' })], [exported({ label: 21 })]);
  assert.equal([changes.announce.length, changes.withdraw.length], [1, 0]);
});

test('announced by differences = announced from scratch', () => {
  const path = fc.record({
    prefix: fc.constantFrom('101.101.101.3/32', '10.32.0.3/32', '0.0.0.0/0').map(keyOf),
    targets: fc.subarray(['target:64512:1', 'target:64512:2', 'vrf red']),
    preference: fc.constantFrom(10, 20, 100), tunnelAddress: fc.constantFrom(0, COMPUTE, COMPUTE + 1), label: fc.constantFrom(0, 20, 21), vrf: fc.constantFrom(1, 2),
  }).map((settings): ExportedPath => ({ id: JSON.stringify(settings), ...settings }));
  fc.assert(fc.property(fc.array(fc.uniqueArray(path, { selector: ({ id }) => id, maxLength: 12 }), { minLength: 1, maxLength: 12 }), fc.boolean(), (states, whole) => {
    const announcements = new Announcements();
    const peer = new Map<string, VpnPath>();
    let before: ExportedPath[] = [];
    for (const state of states) {
      const gone = before.filter(({ id }) => !state.some((each) => each.id === id));
      const come = state.filter(({ id }) => !before.some((each) => each.id === id));
      const { announce, withdraw } = whole ? announcements.replace(state) : announcements.change(gone, come);
      for (const key of withdraw) assert.ok(peer.delete(vpnKey(key)), 'withdraws only what is announced');
      for (const each of announce) peer.set(vpnKey(each), each);
      const fresh = new Announcements();
      fresh.change([], state);
      assert.equal(new Map([...peer].sort()), new Map([...fresh.announced].sort()));
      before = state;
    }
  }), { numRuns: 300 });
});

// ---- in --------------------------------------------------------------------------------------------------------------------

test('a route that came in is a way through a tunnel to its next hop, for whoever imports its targets', () => {
  const imports = new Imports(POLICY);
  const changes = imports.change([came(received())], 7);
  assert.is(changes.come.length, 1);
  const [path] = changes.come;
  assert.equal([path!.prefix, path!.targets, path!.tunnelAddress, path!.label], [keyOf('0.0.0.0/0'), ['target:64512:8000001'], GATEWAY, 2001]);
  assert.equal(path!.nexthop, { kind: 'tunnel', remote: GATEWAY, label: 2001, external: true });
  assert.equal([changes.opened, changes.closed], [[GATEWAY], []]);
  assert.equal(imports.tunnels, [{ remote: GATEWAY, routes: 1, since: 7 }]);
});

test('the tunnel goes with its last route', () => {
  const imports = new Imports(POLICY);
  const [one, other] = [received(), received({ prefix: keyOf('198.51.100.0/24') })];
  imports.change([came(one), came(other)], 7);
  assert.equal(imports.change([went(one)], 8).closed, []);
  assert.equal(imports.tunnels, [{ remote: GATEWAY, routes: 1, since: 7 }]);
  assert.equal(imports.change([went(other)], 9).closed, [GATEWAY]);
  assert.equal([imports.tunnels, imports.paths], [[], []]);
});

test('one route by two reflectors is one path, until both have withdrawn it', () => {
  const imports = new Imports(POLICY);
  const [one, other] = [received({ peer: 1 }), received({ peer: 2 })];
  assert.is(imports.change([came(one), came(other)], 1).come.length, 1);
  assert.is(imports.change([went(one)], 1).gone.length, 0);
  assert.is(imports.change([went(other)], 1).gone.length, 1);
});

test('what cannot be used says why', () => {
  assert.is(unusable(received(), POLICY), undefined);
  assert.is(unusable(received({ encapsulations: [2] }), POLICY), undefined);
  assert.is(unusable(received({ encapsulations: [8, 11] }), POLICY), undefined);
  assert.match(unusable(received({ nextHop: COMPUTE }), POLICY)!, 'our own appliances');
  assert.match(unusable(received({ nextHop: address('10.0.0.1') }), POLICY)!, '10.0.0.1 is in no destination network');
  assert.match(unusable(received({ label: 3 }), POLICY)!, 'label 3');
  assert.match(unusable(received({ encapsulations: [8] }), POLICY)!, 'tunnel type 8');
  assert.match(unusable(received({ targets: [] }), POLICY)!, 'no route target');
});

test('a destination network that is taken away closes its tunnels; one that comes opens them', () => {
  const imports = new Imports(POLICY);
  imports.change([came(received())], 1);
  const closed = imports.setPolicy({ ...POLICY, destinations: [] }, 2);
  assert.equal([closed.gone.length, closed.closed], [1, [GATEWAY]]);
  const opened = imports.setPolicy(POLICY, 3);
  assert.equal([opened.come.length, opened.opened], [1, [GATEWAY]]);
  assert.equal(imports.setPolicy({ ...POLICY }, 4), { gone: [], come: [], opened: [], closed: [] });
  assert.equal(imports.tunnels, [{ remote: GATEWAY, routes: 1, since: 3 }]);
});

test('preference: local preference, then AS path, then origin; a workload and a static route go before, a blackhole behind', () => {
  const path = { localPreference: 100, asPath: [65001], origin: 0 };
  const order = [{ ...path, localPreference: 2 ** 32 - 1 }, { ...path, localPreference: 101, asPath: [1, 2, 3] }, { ...path, asPath: [] }, path, { ...path, origin: 2 }, { ...path, asPath: [1, 2] }, { ...path, localPreference: 0, asPath: Array<number>(5000).fill(1) }].map(preferenceOf);
  assert.equal(order, [...order].sort((one, other) => one - other));
  assert.is(new Set(order).size, order.length);
  assert.ok(order.every((each) => each > PREFERENCE.static && each < PREFERENCE.gateway && each < PREFERENCE.subnet));
  assert.is(preferenceOf(path), preferenceOf({ ...path, asPath: [65002] }), 'equal ones share');
});

test('the same route of two peers is one path that names both; one of them may go', () => {
  const imports = new Imports(POLICY);
  const [one, other] = [received({ peer: 1 }), received({ peer: 2, since: 2 })];
  const [path] = imports.change([came(one), came(other)], 1).come;
  assert.equal(imports.from(path!.id), [one, other]);
  assert.equal(imports.change([went(one)], 1).gone, []);
  assert.equal(imports.from(path!.id), [other]);
  assert.is(imports.size, 1);
  assert.equal([...imports.unused()], []);
  imports.change([came(received({ peer: 3, label: 3 }))], 1);
  assert.match([...imports.unused()][0]!.why, /label 3/);
});

test('imported by differences = imported from scratch', () => {
  const path = fc.record({
    peer: fc.constantFrom(1, 2), distinguisher: fc.constantFrom('1:1', '1:2'), prefix: fc.constantFrom('0.0.0.0/0', '198.51.100.0/24').map(keyOf),
    label: fc.constantFrom(2001, 2001, 2002, 0), nextHop: fc.constantFrom(GATEWAY, GATEWAY, GATEWAY + 1, COMPUTE), localPreference: fc.constantFrom(100, 200),
  }).map(received);
  const policies: TunnelPolicy[] = [POLICY, { ...POLICY, destinations: [] }, { destinations: [parsePrefix('0.0.0.0/0')!], own: new Set() }];
  const step = fc.oneof({ weight: 6, arbitrary: fc.array(fc.tuple(path, fc.boolean()), { maxLength: 6 }) }, { weight: 1, arbitrary: fc.constantFrom(...policies) });
  fc.assert(fc.property(fc.array(step, { minLength: 1, maxLength: 15 }), (steps) => {
    const imports = new Imports(POLICY);
    const rib = new AdjRibIn();
    const held = new Map<string, ReturnType<typeof importedPath>>();
    const open = new Set<number>();
    let policy = POLICY;
    for (const each of steps) {
      const changes = Array.isArray(each)
        ? imports.change(rib.apply(each.map(([one, withdrawn]) => ({ peer: one.peer, key: one, withdrawn, stale: false, path: withdrawn ? undefined : one }))), 1)
        : imports.setPolicy(policy = each, 1);
      for (const gone of changes.gone) assert.ok(held.delete(gone.id), 'only what came goes');
      for (const come of changes.come) held.set(come.id, come);
      for (const remote of changes.closed) assert.ok(open.delete(remote));
      for (const remote of changes.opened) open.add(remote);
      const fresh = new Imports(policy);
      fresh.change([...rib.paths()].map((entry) => came(entry.path)), 1);
      assert.equal(imports.paths, fresh.paths);
      assert.equal([...held.values()].sort((one, other) => one.prefix - other.prefix || (one.id < other.id ? -1 : 1)), fresh.paths);
      assert.equal([imports.tunnels, [...open].sort()], [fresh.tunnels, fresh.tunnels.map(({ remote }) => remote)]);
    }
  }), { numRuns: 300 });
});

test.run();
