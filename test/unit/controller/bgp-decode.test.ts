// What the engine tells of peers' routes: every path is read as it was written, whatever else a later engine writes beside it, and
// what is no VPNv4 route of a peer is none.
import fc from 'fast-check';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { codecOf, type Draft } from '../../../proto/load.ts';
import type { Any, Path } from '../../../proto/gobgp.ts';
import { decodePath, type DecodedPath } from '../../../mgmt/controller/bgp/decode.ts';
import { formatAddress, maskOf, prefixKey } from '../../../mgmt/controller/model/address.ts';

const codec = <T>(name: string) => codecOf<T>('gobgp.proto', `apipb.${name}`);
const any = (name: string, value: object): Any => ({ typeUrl: `type.googleapis.com/apipb.${name}`, value: codec<object>(name).encode(value) });
const NOW = 1_700_000_000_000;
const VPN = { afi: 1, safi: 128 };

interface Told { peer: number; address: number; length: number; labels: number[]; admin: number; assigned: number; nextHop: number; localPreference: number | undefined; origin: number; asPath: number[]; targets: number[]; encapsulations: number[]; stale: boolean; withdrawn: boolean }
const u32 = fc.nat(0xffffffff);
const told: fc.Arbitrary<Told> = fc.record({
  peer: u32, address: u32, length: fc.integer({ min: 0, max: 32 }), labels: fc.array(fc.nat(0xfffff), { maxLength: 3 }), admin: fc.nat(65535), assigned: u32, nextHop: u32,
  localPreference: fc.option(u32, { nil: undefined }), origin: fc.nat(2), asPath: fc.array(u32, { maxLength: 5 }), targets: fc.uniqueArray(fc.nat(9), { maxLength: 4 }), encapsulations: fc.uniqueArray(fc.nat(13), { maxLength: 2 }),
  stale: fc.boolean(), withdrawn: fc.boolean(),
}).map((path) => ({ ...path, address: (path.address & maskOf(path.length)) >>> 0 }));

function nlriOf({ labels, admin, assigned, length, address }: Told): Any {
  return any('LabeledVPNIPAddressPrefix', { labels, rd: any('RouteDistinguisherTwoOctetASN', { admin, assigned }), prefixLen: length, prefix: formatAddress(address) });
}

function write(path: Told, settings: Draft<Path> = {}): Buffer {
  const communities = [...path.targets.map((localAdmin) => any('TwoOctetAsSpecificExtended', { subType: 2, asn: 64512, localAdmin })), ...path.encapsulations.map((tunnelType) => any('EncapExtended', { tunnelType }))];
  const attributes = [
    any('OriginAttribute', { origin: path.origin }), any('AsPathAttribute', { segments: [{ type: 2, numbers: path.asPath }] }),
    any('MpReachNLRIAttribute', { nextHops: [formatAddress(path.nextHop), '192.0.2.99'] }), any('ExtendedCommunitiesAttribute', { communities }), any('MultiExitDiscAttribute', { med: 7 }),
    ...(path.localPreference === undefined ? [] : [any('LocalPrefAttribute', { localPref: path.localPreference })]),
  ];
  return codec<Path>('Path').encode({
    nlri: nlriOf(path), pattrs: path.withdrawn ? [] : attributes, family: VPN, isWithdraw: path.withdrawn, stale: path.stale, neighborIp: formatAddress(path.peer), sourceAsn: 65001, sourceId: '1.2.3.4', ...settings,
  });
}

function expected(path: Told): DecodedPath {
  const { peer, withdrawn, asPath, origin, nextHop, labels: [label] } = path;
  const key = { family: 'ipv4-vpn', distinguisher: `${path.admin}:${path.assigned}`, prefix: prefixKey(path.address, path.length) } as const;
  if (withdrawn) return { peer, key, withdrawn, stale: false, path: undefined };
  if (label === undefined) return { peer, key, withdrawn, stale: path.stale, path: undefined };
  const numbers = [...path.encapsulations].sort((one, other) => one - other);
  return { peer, key, withdrawn, stale: path.stale, path: { ...key, localPreference: path.localPreference ?? 100, origin, asPath, targets: path.targets.map((number) => `target:64512:${number}`).sort(), encapsulations: numbers, nextHop, label, peer, since: NOW } };
}

test('every path is read as it was written, also when what it holds was read before', () => {
  fc.assert(fc.property(told, (path) => {
    const bytes = write(path);
    assert.equal(decodePath(bytes, NOW), expected(path));
    assert.equal(decodePath(bytes, NOW), expected(path));
  }));
});

test('fields that we do not know are passed over, wherever they are', () => {
  // Numbers of every wire type: age (a message), a number, eight and four bytes.
  const unknown = Buffer.from('1a020801' + '3801' + 'f1010102030405060708' + 'fd0101020304', 'hex');
  fc.assert(fc.property(told, (path) => {
    assert.equal(decodePath(Buffer.concat([unknown, write(path), unknown]), NOW), expected(path));
  }));
});

test('more different attributes and next hops than are remembered', () => {
  const base: Told = { peer: 1, address: 0, length: 32, labels: [16], admin: 1, assigned: 1, nextHop: 0, localPreference: 100, origin: 0, asPath: [], targets: [1], encapsulations: [], stale: false, withdrawn: false };
  for (let at = 0; at < 20_000; at += 7) {
    const path = { ...base, address: at, nextHop: 0x0a000000 + at * 5, localPreference: at * 3, assigned: at };
    assert.equal(decodePath(write(path), NOW), expected(path));
  }
  assert.equal(decodePath(write(base), NOW), expected(base));
});

test('what is no VPNv4 route of a peer is none; one without a next hop is there, and of no use', () => {
  const path: Told = { peer: 0x0a000001, address: 0x0a200000, length: 12, labels: [2001], admin: 64512, assigned: 7, nextHop: 0x0a000002, localPreference: 100, origin: 0, asPath: [65001], targets: [1], encapsulations: [11], stale: false, withdrawn: false };
  const prefix = (settings: object): Any => any('LabeledVPNIPAddressPrefix', { labels: [16], rd: any('RouteDistinguisherIPAddress', { admin: '10.0.0.1', assigned: 5 }), prefixLen: 12, prefix: '10.32.0.0', ...settings });
  assert.is(decodePath(write(path, { nlri: prefix({}) }), NOW)?.key.distinguisher, '10.0.0.1:5');
  const none: [string, Draft<Path>][] = [
    ['our own', { neighborIp: '<nil>' }], ['without a peer', { neighborIp: '' }], ['another family', { family: { afi: 2, safi: 128 } }], ['no family', { family: null as unknown as object }],
    ['no prefix', { nlri: null as unknown as object }], ['another kind of prefix', { nlri: any('OriginAttribute', { origin: 1 }) }], ['host bits', { nlri: prefix({ prefix: '10.33.0.1' }) }],
    ['33 bits', { nlri: prefix({ prefixLen: 33 }) }], ['an address of IPv6', { nlri: prefix({ prefix: '2001:db8::' }) }], ['no distinguisher', { nlri: prefix({ rd: null }) }], ['what is no distinguisher', { nlri: prefix({ rd: any('OriginAttribute', { origin: 1 }) }) }],
  ];
  for (const [what, settings] of none) assert.is(decodePath(write(path, settings), NOW), undefined, what);
  assert.equal(decodePath(write(path, { pattrs: [any('OriginAttribute', { origin: 1 })] }), NOW), { ...expected(path), path: undefined });
  assert.equal(decodePath(write(path, { pattrs: [any('MpReachNLRIAttribute', { nextHops: ['2001:db8::1'] })] }), NOW), { ...expected(path), path: undefined });
  assert.throws(() => decodePath(write(path).subarray(0, -3), NOW));
});

test.run();
