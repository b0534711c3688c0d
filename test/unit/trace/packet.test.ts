// Packets of a walk: an answer's checksums verify, whatever it answers; frames hold the packet that went in.
import fc from 'fast-check';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { checksum, ipv4Packet, tunnelled as byCommandLine } from '../../../mgmt/cli/frame.ts';
import { arpRequest, destinationOf, ipv4Frame, macBytes, packetOf, replyTo, sourceOf, tunnelled } from '../../../mgmt/trace/packet.ts';

const address = fc.tuple(fc.nat(255), fc.nat(255), fc.nat(255), fc.nat(255)).map((bytes) => bytes.join('.'));
const packet = fc.record({
  source: address, destination: address, protocol: fc.constantFrom('tcp' as const, 'udp' as const, 'icmp' as const), sourcePort: fc.nat(65535), destinationPort: fc.nat(65535),
  ttl: fc.integer({ min: 1, max: 255 }), length: fc.integer({ min: 40, max: 200 }), dontFragment: fc.boolean(),
});
const MACS = [macBytes('02:00:00:00:00:01'), macBytes('02:00:00:00:00:02')] as const;

function l4Sum(bytes: Uint8Array): number {
  const body = Buffer.from(bytes.subarray(20));
  if (bytes[9] === 1) return checksum(body);
  return checksum(Buffer.concat([bytes.subarray(12, 20), Buffer.of(0, bytes[9]!, body.length >> 8, body.length & 0xff), body]));
}

test('an answer goes back whence the packet came, with checksums that verify', () => {
  fc.assert(fc.property(packet, (asked) => {
    const sent = ipv4Packet(asked);
    const reply = replyTo(sent)!;
    assert.equal([sourceOf(reply), destinationOf(reply), reply[8]], [asked.destination, asked.source, 64]);
    assert.is(checksum(Buffer.from(reply.subarray(0, 20))), 0);
    assert.is(l4Sum(reply), 0);
    const ports = (bytes: Uint8Array): number[] => [Buffer.from(bytes).readUInt16BE(20), Buffer.from(bytes).readUInt16BE(22)];
    if (asked.protocol === 'icmp') assert.is(reply[20], 0);
    else assert.equal(ports(reply), [asked.destinationPort, asked.sourcePort]);
    if (asked.protocol === 'tcp') assert.is(reply[33], 0x12, 'SYN is answered by SYN, ACK');
  }));
});

test('what nobody answers', () => {
  const echo = ipv4Packet({ source: '192.0.2.1', destination: '192.0.2.2', protocol: 'icmp', ttl: 64, dontFragment: false });
  assert.is(replyTo(replyTo(echo)!), undefined, 'an echo reply');
  const other = Uint8Array.from(echo);
  other[9] = 89;
  assert.is(replyTo(other), undefined, 'OSPF');
});

test('a frame holds the packet, tagged or not, and no padding', () => {
  fc.assert(fc.property(packet, fc.nat(4095), fc.nat(30), (asked, vlan, padding) => {
    const sent = Uint8Array.from(ipv4Packet(asked));
    const frame = ipv4Frame(...MACS, vlan, sent);
    assert.equal(packetOf(Uint8Array.of(...frame, ...new Uint8Array(padding))), sent);
  }));
  assert.is(packetOf(arpRequest(MACS[0], Uint8Array.of(192, 0, 2, 1), Uint8Array.of(192, 0, 2, 2), 0)), undefined);
});

test('a router that is not ours tunnels as the command line does', () => {
  const inner = ipv4Packet({ source: '192.0.2.1', destination: '192.0.2.2', protocol: 'udp', ttl: 64, dontFragment: false });
  assert.equal(Buffer.from(tunnelled(inner, '10.0.0.1', '10.0.0.2', 0xabcde)), byCommandLine(inner, { source: '10.0.0.1', destination: '10.0.0.2', label: 0xabcde }));
});

test.run();
