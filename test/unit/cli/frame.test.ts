import fc from 'fast-check';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { checksum, ethernetFrame, hexBytes, ipv4Packet, mac, tunnelled } from '../../../mgmt/cli/frame.ts';
import { portsOf, hexDump } from '../../../mgmt/cli/commands/trace.ts';
import { UsageError } from '../../../mgmt/cli/output.ts';

const plain = { ttl: 64, dontFragment: false } as const;
const address = fc.tuple(fc.nat(255), fc.nat(255), fc.nat(255), fc.nat(255)).map((bytes) => bytes.join('.'));

test('the header of RFC 1071 section 3: sum of 00 01 f2 03 f4 f5 f6 f7 is ddf2', () => {
  assert.is(checksum(Buffer.from('0001f203f4f5f6f7', 'hex')), ~0xddf2 & 0xffff);
});

test('a TCP SYN, byte by byte', () => {
  const packet = ipv4Packet({ ...plain, protocol: 'tcp', source: '10.32.0.3', destination: '8.8.8.8', destinationPort: 443 });
  assert.is(packet.toString('hex'), '45000028000000004006609e0a20000308080808' + 'a02801bb00000000000000005002fffff3cc0000');
});

test('every checksum of every built packet verifies to zero, or is the 0xffff that a UDP zero becomes (RFC 768)', () => {
  fc.assert(fc.property(fc.record({ source: address, destination: address, protocol: fc.constantFrom('tcp' as const, 'udp' as const, 'icmp' as const), sourcePort: fc.nat(65535), destinationPort: fc.nat(65535), ttl: fc.nat(255), length: fc.integer({ min: 40, max: 2000 }), dontFragment: fc.boolean() }), (asked) => {
    const packet = ipv4Packet(asked);
    assert.is(packet.length, asked.length);
    assert.is(checksum(packet.subarray(0, 20)), 0);
    const body = packet.subarray(20);
    if (asked.protocol === 'icmp') return assert.is(checksum(body), 0);
    const pseudo = Buffer.concat([packet.subarray(12, 20), Buffer.of(0, packet[9]!, body.length >> 8, body.length & 0xff)]);
    if (asked.protocol === 'udp') assert.is.not(body.readUInt16BE(6), 0, 'zero would mean "no checksum"');
    return assert.is(checksum(Buffer.concat([pseudo, body])), 0);
  }));
});

test('a tunnelled packet: outer IPv4, GRE for MPLS, one label at the bottom of the stack (RFC 4023, RFC 3032)', () => {
  const inner = ipv4Packet({ ...plain, protocol: 'icmp', source: '198.51.100.9', destination: '101.101.101.3' });
  const packet = tunnelled(inner, { source: '10.169.25.204', destination: '10.169.25.20', label: 17 });
  assert.equal([packet.readUInt16BE(2), packet[9], checksum(packet.subarray(0, 20))], [28 + inner.length, 47, 0]);
  assert.is(packet.subarray(20, 28).toString('hex'), '0000884700011140');
  assert.ok(packet.subarray(28).equals(inner));
  assert.throws(() => tunnelled(inner, { source: '10.0.0.1', destination: '10.0.0.2', label: 2 ** 20 }), /label 1048576/);
});

test('an Ethernet frame, plain and tagged', () => {
  const [to, from] = [mac('02:00:00:00:00:01'), mac('02:00:00:00:00:02')];
  assert.is(ethernetFrame(to, from, 0, Buffer.of(0x45)).toString('hex'), '020000000001020000000002080045');
  assert.is(ethernetFrame(to, from, 300, Buffer.of(0x45)).toString('hex'), '0200000000010200000000028100012c080045');
});

test('what is wrong is named', () => {
  const bad = (change: object) => () => ipv4Packet({ ...plain, protocol: 'tcp', source: '10.0.0.1', destination: '10.0.0.2', ...change });
  assert.throws(bad({ source: '10.0.0' }), (error: Error) => error instanceof UsageError && /the source "10.0.0" is not an IPv4 address/.test(error.message));
  assert.throws(bad({ destination: 'pod-1' }), /the destination "pod-1"/);
  assert.throws(bad({ length: 39 }), /length 39 is not between 40 \(an empty tcp packet\)/);
  assert.throws(() => mac('02:00'), /"02:00" is not a MAC address/);
});

test('hex in the shapes that people paste', () => {
  const bytes = Buffer.from('0200000000010200000000020800450000280000', 'hex');
  for (const text of [
    bytes.toString('hex'), bytes.toString('hex').replace(/(..)/g, '$1 '), bytes.toString('hex').replace(/(..)(?=.)/g, '$1:'),
    hexDump(bytes), // ours
    '0x0000:  0200 0000 0001 0200 0000 0002 0800 4500  ..............E.\n0x0010:  0028 0000                                .(..', // tcpdump -xx
  ]) assert.is(hexBytes(text).toString('hex'), bytes.toString('hex'), text);
  assert.throws(() => hexBytes('020'), /not whole bytes of hex: "020"/);
  for (const text of ['zz', '']) assert.throws(() => hexBytes(text), (error: Error) => error instanceof UsageError);
});

test('a hex dump reads back', () => {
  fc.assert(fc.property(fc.uint8Array({ minLength: 1, maxLength: 200 }), (bytes) => { assert.ok(hexBytes(hexDump(Buffer.from(bytes))).equals(Buffer.from(bytes))); }));
});

test('ports', () => {
  assert.equal(portsOf(true), {});
  assert.equal(portsOf('443'), { destinationPort: 443 });
  assert.equal(portsOf('41000:53'), { sourcePort: 41000, destinationPort: 53 });
  assert.throws(() => portsOf('1:2:3'), /neither PORT nor SOURCE:DESTINATION/);
  assert.throws(() => portsOf('65536'), /between 0 and 65535/);
});

test.run();
