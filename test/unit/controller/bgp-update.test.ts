// UPDATEs of routers as routes: each prefix with what the message says of them all, whatever else is in it; and nothing that is not in it.
import fc from 'fast-check';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { decodeUpdate, type DecodedPath, type UpdateSource } from '../../../mgmt/controller/bgp/update.ts';
import { encodeDistinguisher, encodeNlri, encodeTarget } from '../../../mgmt/controller/bgp/wire.ts';
import { keyOf, maskOf, parseAddress, prefixKey } from '../../../mgmt/controller/model/address.ts';

const OWN = { asn: 64512, routerId: parseAddress('10.169.25.19')! };
const SOURCE: UpdateSource = { peer: parseAddress('192.0.2.1')!, fourByteAs: true, own: OWN, now: 1_700_000_000_000 };

const u16 = (value: number): Buffer => Buffer.from([value >>> 8, value & 255]);
const u32 = (value: number): Buffer => Buffer.concat([u16(value >>> 16), u16(value & 0xffff)]);
/** With a length of one byte where it is enough, or of two. */
function attribute(type: number, value: Buffer, extended = value.length > 255): Buffer {
  return Buffer.concat([Buffer.from([extended ? 0xd0 : 0xc0, type]), extended ? u16(value.length) : Buffer.from([value.length]), value]);
}
function update(attributes: Buffer[], { type = 2, withdrawn = Buffer.alloc(0) } = {}): Buffer {
  const all = Buffer.concat(attributes);
  const body = Buffer.concat([u16(withdrawn.length), withdrawn, u16(all.length), all]);
  return Buffer.concat([Buffer.alloc(16, 255), u16(19 + body.length), Buffer.from([type]), body]);
}
const VPN = Buffer.from([0, 1, 128]);
const hop = (address: number): Buffer => Buffer.concat([Buffer.alloc(8), u32(address)]);
const reach = (nextHop: Buffer, nlri: Buffer[], family = VPN): Buffer => attribute(14, Buffer.concat([family, Buffer.from([nextHop.length]), nextHop, Buffer.from([0]), ...nlri]));
const unreach = (nlri: Buffer[], family = VPN): Buffer => attribute(15, Buffer.concat([family, ...nlri]));
const origin = (value: number): Buffer => attribute(1, Buffer.from([value]));
const asPath = (segments: readonly number[][], size: 2 | 4 = 4, type = 2): Buffer =>
  attribute(type, Buffer.concat(segments.map((numbers) => Buffer.concat([Buffer.from([2, numbers.length]), ...numbers.map(size === 4 ? u32 : u16)]))));
const encapsulation = (type: number): Buffer => Buffer.concat([Buffer.from('030c00000000', 'hex'), u16(type)]);

const distinguishers = fc.oneof(
  fc.tuple(fc.nat(65535), fc.nat(0xffffffff)).map(([admin, assigned]) => `${admin}:${assigned}`),
  fc.tuple(fc.ipV4(), fc.nat(65535)).map(([admin, assigned]) => `${admin}:${assigned}`),
  fc.tuple(fc.integer({ min: 65536, max: 0xffffffff }), fc.nat(65535)).map(([admin, assigned]) => `${admin}:${assigned}`),
);
const keys = fc.record({ distinguisher: distinguishers, bits: fc.nat(0xffffffff), length: fc.integer({ min: 0, max: 32 }) })
  .map(({ distinguisher, bits, length }) => ({ family: 'ipv4-vpn' as const, distinguisher, prefix: prefixKey((bits & maskOf(length)) >>> 0, length) }));
const asn = fc.nat(0xffffffff).filter((number) => number !== OWN.asn);
const told = fc.record({
  routes: fc.array(fc.tuple(keys, fc.integer({ min: 1, max: 0xfffff })), { maxLength: 30 }),
  gone: fc.array(keys, { maxLength: 10 }),
  nextHop: fc.nat(0xffffffff), origin: fc.nat(2), localPreference: fc.option(fc.nat(0xffffffff), { nil: undefined }), segments: fc.array(fc.array(asn, { maxLength: 4 }), { maxLength: 3 }),
  targets: fc.uniqueArray(distinguishers.map((text) => `target:${text}`), { maxLength: 40 }), encapsulations: fc.uniqueArray(fc.nat(65535), { maxLength: 3 }),
});

test('every prefix of a message is told, with what the message says of all', () => {
  fc.assert(fc.property(told, fc.boolean(), (its, extended) => {
    const message = update([
      unreach(its.gone.map((key) => encodeNlri(key))),
      origin(its.origin), asPath(its.segments), attribute(4, u32(7)), attribute(99, Buffer.alloc(300)),
      ...(its.localPreference === undefined ? [] : [attribute(5, u32(its.localPreference), extended)]),
      attribute(16, Buffer.concat([...its.targets.map(encodeTarget), Buffer.from('4006000000000001', 'hex'), ...its.encapsulations.map(encapsulation)])),
      reach(hop(its.nextHop), its.routes.map(([key, label]) => encodeNlri(key, label))),
    ]);
    const expected: DecodedPath[] = [
      ...its.gone.map((key) => ({ peer: SOURCE.peer, key, withdrawn: true, path: undefined })),
      ...its.routes.map(([key, label]) => ({
        peer: SOURCE.peer, key, withdrawn: false,
        path: {
          ...key, label, nextHop: its.nextHop, localPreference: its.localPreference ?? 100, origin: its.origin, asPath: its.segments.flat(), targets: [...its.targets].sort(),
          encapsulations: [...its.encapsulations].sort((one, other) => one - other), peer: SOURCE.peer, since: SOURCE.now,
        },
      })),
    ];
    assert.equal(decodeUpdate(message, SOURCE), expected);
  }));
});

const KEY = { family: 'ipv4-vpn', distinguisher: '64512:7', prefix: keyOf('198.51.100.0/24') } as const;
const NLRI = encodeNlri(KEY, 2001);
const HOP = hop(parseAddress('10.169.128.1')!);
const only = (message: Buffer, source: Partial<UpdateSource> = {}): DecodedPath | undefined => decodeUpdate(message, { ...SOURCE, ...source })[0];

test('what went through us is none: our AS in its path, or our identifier as originator', () => {
  for (const attributes of [[asPath([[65001, OWN.asn]])], [asPath([[65001]]), attribute(9, u32(OWN.routerId))]]) {
    assert.equal(only(update([...attributes, reach(HOP, [NLRI])])), { peer: SOURCE.peer, key: KEY, withdrawn: true, path: undefined });
  }
  assert.ok(only(update([asPath([[65001]]), attribute(9, u32(OWN.routerId + 1)), reach(HOP, [NLRI])]))?.path);
});

test('a path of 2-byte numbers takes the long ones from beside it (RFC 6793)', () => {
  const path = (two: number[], four?: number[]) => only(update([asPath([two], 2), ...(four ? [asPath([four], 4, 17)] : []), reach(HOP, [NLRI])]), { fourByteAs: false })?.path?.asPath;
  assert.equal(path([65001, 23456, 23456], [4200000001, 4200000002]), [65001, 4200000001, 4200000002]);
  assert.equal(path([65001, 65002]), [65001, 65002]);
  assert.equal(path([65001], [1, 2, 3]), [65001], 'longer than the path that it belongs to');
});

test('label stacks, withdrawals\' labels, host bits', () => {
  const nlri = (labels: string, prefix = 'c63364', length = 24) => Buffer.concat([Buffer.from([labels.length * 4 + 64 + length]), Buffer.from(labels, 'hex'), encodeDistinguisher(KEY.distinguisher), Buffer.from(prefix, 'hex')]);
  assert.is(only(update([reach(HOP, [nlri('007d10' + '007d21')])]))?.path?.label, 2001, 'the outermost');
  assert.is(only(update([reach(HOP, [nlri('000000')])]))?.path?.label, 0);
  for (const labels of ['800000', '000000', '007d11']) assert.equal(only(update([unreach([nlri(labels)])])), { peer: SOURCE.peer, key: KEY, withdrawn: true, path: undefined });
  assert.equal(only(update([reach(HOP, [nlri('007d11', 'c6336f', 20)])]))?.key.prefix, keyOf('198.51.96.0/20'));
});

test('distinguishers of unknown types keep routes apart; a next hop that is no address of IPv4 makes them useless', () => {
  const of = (distinguisher: string) => only(update([reach(HOP, [Buffer.concat([Buffer.from('70007d11' + distinguisher + 'c63364', 'hex')])])]))?.key.distinguisher;
  assert.equal([of('0003010203040506'), of('0003010203040507')], ['3:010203040506', '3:010203040507']);
  assert.equal(only(update([reach(Buffer.alloc(24), [NLRI])])), { peer: SOURCE.peer, key: KEY, withdrawn: false, path: undefined });
});

test('other families, and messages without VPN routes, tell nothing', () => {
  const evpn = Buffer.from([0, 25, 70]);
  assert.equal(decodeUpdate(update([reach(HOP, [Buffer.alloc(9, 3)], evpn), unreach([Buffer.alloc(5, 9)], evpn)]), SOURCE), []);
  assert.equal(decodeUpdate(update([], { withdrawn: Buffer.from([24, 10, 0, 0]) }), SOURCE), []);
  assert.equal(decodeUpdate(update([unreach([])]), SOURCE), [], 'End-of-RIB');
});

test('a message that ends too early, or is none, is a RangeError and never a route', () => {
  const whole = update([origin(0), asPath([[65001]]), reach(HOP, [NLRI, NLRI]), unreach([encodeNlri(KEY)])]);
  assert.is(decodeUpdate(whole, SOURCE).length, 3);
  for (let length = 0; length < whole.length; length++) assert.throws(() => decodeUpdate(whole.subarray(0, length), SOURCE), (error: unknown) => error instanceof RangeError);
  assert.throws(() => decodeUpdate(update([], { type: 4 }), SOURCE), /is no UPDATE/);
  assert.throws(() => decodeUpdate(update([reach(HOP, [NLRI.subarray(0, -1)])]), SOURCE), RangeError);
  assert.throws(() => decodeUpdate(update([reach(HOP, [Buffer.concat([Buffer.from([88 + 33]), NLRI.subarray(1)])])]), SOURCE), /33 bits/);
  fc.assert(fc.property(fc.uint8Array({ maxLength: 120 }), (noise) => {
    try {
      decodeUpdate(update([Buffer.from(noise)]), SOURCE);
    } catch (error) {
      assert.instance(error, RangeError);
    }
  }));
});

test.run();
