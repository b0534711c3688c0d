// What the engine is fed with: bytes as the RFCs draw them, and refusals of what it would take in silence.
import fc from 'fast-check';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { PeerSettings, Speaker, VpnPath } from '../../../mgmt/controller/bgp/types.ts';
import { BgpRefusal, checkKey, checkPath, checkPeer, checkSpeaker } from '../../../mgmt/controller/bgp/validate.ts';
import { encodeAttributes, encodeDistinguisher, encodeMembership, encodeNlri, encodeTarget } from '../../../mgmt/controller/bgp/wire.ts';
import { formatKey, keyOf, maskOf, parseAddress, prefixKey } from '../../../mgmt/controller/model/address.ts';

const address = (text: string): number => parseAddress(text)!;
const PATH: VpnPath = {
  family: 'ipv4-vpn', distinguisher: '10.169.25.20:5', prefix: keyOf('101.101.101.3/32'), label: 20, nextHop: address('10.169.25.20'),
  targets: ['target:64512:8000001'], encapsulations: [11], localPreference: 100,
};
const SPEAKER: Speaker = { asn: 64512, routerId: 1, port: 179, addresses: [] };
const PEER: PeerSettings = { address: address('192.168.0.204'), port: 179, asn: 64512, families: ['ipv4-vpn'], holdTime: 90, password: '', localAddress: 0, client: false, multihop: 0, restartTime: 120 };
const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

test('NLRI: bits, label with bottom of stack, distinguisher, prefix (RFC 8277, RFC 4364)', () => {
  assert.is(hex(encodeNlri(PATH, 20)), '78' + '000141' + '0001' + '0aa91914' + '0005' + '65656503');
  assert.is(hex(encodeNlri({ ...PATH, prefix: keyOf('10.32.0.0/12') }, 1048575)), '64' + 'fffff1' + '00010aa919140005' + '0a20');
  assert.is(hex(encodeNlri({ ...PATH, prefix: keyOf('0.0.0.0/0') }, 16)), '58' + '000101' + '00010aa919140005');
  assert.is(hex(encodeNlri({ ...PATH, distinguisher: '64512:7' })).slice(0, 24), '78' + '800000' + '0000fc0000000007', 'a withdrawal has no label');
});

test('NLRI decodes to what went in, for every prefix', () => {
  fc.assert(fc.property(fc.nat(0xffffffff), fc.integer({ min: 0, max: 32 }), fc.integer({ min: 16, max: 1048575 }), (bits, length, label) => {
    const prefix = prefixKey((bits & maskOf(length)) >>> 0, length);
    const nlri = encodeNlri({ ...PATH, prefix }, label);
    assert.is(nlri[0]! - 88, length);
    assert.is(nlri.length, 12 + Math.ceil(length / 8));
    assert.is(nlri.readUIntBE(1, 3), (label << 4) | 1);
    const octets = [...nlri.subarray(12), 0, 0, 0, 0].slice(0, 4);
    assert.is(`${octets.join('.')}/${length}`, formatKey(prefix));
  }));
});

test('distinguishers and targets of all three types', () => {
  assert.is(hex(encodeDistinguisher('64512:4294967295')), '0000fc00ffffffff');
  assert.is(hex(encodeDistinguisher('10.0.0.1:65535')), '00010a000001ffff');
  assert.is(hex(encodeDistinguisher('4200000001:9')), '0002fa56ea010009');
  assert.is(hex(encodeTarget('target:64512:8000001')), '0002fc00007a1201');
  assert.is(hex(encodeTarget('target:10.0.0.1:7')), '01020a0000010007');
  assert.is(hex(encodeTarget('target:4200000001:9')), '0202fa56ea010009');
  assert.is(hex(encodeMembership(64512, 'target:64512:1')), '60' + '0000fc00' + '0002fc0000000001');
});

test('attributes: origin, empty AS path, next hop, local preference, targets and encapsulation', () => {
  assert.equal(encodeAttributes(PATH).map(hex), ['40010100', '400200', '4003040aa91914', '40050400000064', 'c01010' + '0002fc00007a1201' + '030c00000000000b']);
  const many = encodeAttributes({ ...PATH, targets: Array.from({ length: 40 }, (_, at) => `target:1:${at}`) });
  assert.is(hex(many[4]!).slice(0, 8), 'd0100148', 'extended length');
});

test('what the engine would take in silence is refused by name', () => {
  const wrong: [Partial<VpnPath>, RegExp][] = [
    [{ label: 0 }, /label 0 is not between 16 and 1048575/], [{ label: 15 }, /label 15/], [{ label: 2 ** 20 }, /label 1048576/], [{ label: 20.5 }, /label 20.5/],
    [{ prefix: prefixKey(address('10.0.0.1'), 24) }, /10.0.0.1\/24: the prefix has bits beyond its length/],
    [{ prefix: -1 }, /prefix key -1/], [{ prefix: prefixKey(0, 33) }, /prefix key 33/], [{ prefix: NaN }, /prefix key NaN/],
    [{ distinguisher: '' }, /"" is not a route distinguisher/], [{ distinguisher: '10.0.0.1:65536' }, /distinguisher/], [{ distinguisher: '65536:65536' }, /distinguisher/], [{ distinguisher: '10.0.0:5' }, /distinguisher/],
    [{ nextHop: 0 }, /next hop 0.0.0.0 is not a unicast/], [{ nextHop: address('224.0.0.1') }, /next hop 224.0.0.1/], [{ nextHop: -1 }, /next hop -1/],
    [{ targets: [] }, /no route target/], [{ targets: ['vrf red'] }, /"vrf red" is not a route target/], [{ targets: ['target:0:1', 'target:0:1'] }, /twice/],
    [{ targets: Array.from({ length: 201 }, (_, at) => `target:1:${at}`) }, /201 route targets/],
    [{ encapsulations: [1] }, /tunnel type 1 is none of 2 \(gre\)/], [{ localPreference: -1 }, /local preference -1/],
  ];
  for (const [settings, reason] of wrong) assert.throws(() => checkPath({ ...PATH, ...settings }), (error: unknown) => error instanceof BgpRefusal && reason.test(error.message), String(reason));
  assert.throws(() => checkKey({ ...PATH, distinguisher: 'x' }), /distinguisher/);
  checkPath(PATH);
});

test('peers and speaker', () => {
  checkSpeaker(SPEAKER);
  checkPeer(PEER, SPEAKER);
  checkPeer({ ...PEER, asn: 4200000001, multihop: 3 }, SPEAKER);
  const peers: [Partial<PeerSettings>, RegExp][] = [
    [{ asn: 0 }, /0 is not an AS number/], [{ asn: 23456 }, /23456/], [{ asn: 2 ** 32 }, /AS number/], [{ families: [] }, /no address family/], [{ holdTime: 2 }, /hold time 2/],
    [{ password: 'é' }, /printable ASCII/], [{ password: 'x'.repeat(81) }, /at most 80/], [{ client: true, asn: 65001 }, /own AS 64512, not of 65001/],
    [{ multihop: 2 }, /external peers only/], [{ restartTime: 4096 }, /restart time 4096/], [{ address: address('224.0.0.1') }, /224.0.0.1: its address/],
  ];
  for (const [settings, reason] of peers) assert.throws(() => checkPeer({ ...PEER, ...settings }, SPEAKER), reason);
  for (const [settings, reason] of [[{ asn: -1 }, /AS number/], [{ routerId: 0 }, /router id/], [{ port: 0 }, /TCP port/], [{ addresses: [0] }, /listen/]] as const) {
    assert.throws(() => checkSpeaker({ ...SPEAKER, ...settings }), reason);
  }
});

test.run();
