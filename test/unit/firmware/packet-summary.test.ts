// One line about a packet.
import * as fc from 'fast-check';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { arpSummary, frameSummary, ipv4Summary, packetSummary } from '../../../firmware/host/packet-summary.ts';
import { BROADCAST, ETHERTYPE_ARP, TCP_ACK, TCP_SYN, arp, counting, ethernet, gre, icmp, ipv4, mpls, tcp, udp } from '../../fixtures/frame.ts';

const flow = { src: '10.32.0.3', dst: '8.8.8.8' };
const mac = '02:00:00:00:00:01';
const syn = ipv4({ ...flow, protocol: 6 }, tcp({ ...flow, sport: 41000, dport: 443, flags: TCP_SYN }));
const question = arp({ op: 1, senderMac: mac, sender: '10.32.0.3', target: '10.32.0.1' });

test('TCP with its flags', () => {
  assert.is(ipv4Summary(syn), '10.32.0.3 > 8.8.8.8 TCP 41000 > 443 S');
  assert.is(ipv4Summary(ipv4({ ...flow, protocol: 6 }, tcp({ ...flow, sport: 1, dport: 2, flags: TCP_SYN | TCP_ACK }))), '10.32.0.3 > 8.8.8.8 TCP 1 > 2 S.');
});

test('UDP, ICMP, others', () => {
  assert.is(ipv4Summary(ipv4({ ...flow, protocol: 17 }, udp({ ...flow, sport: 53, dport: 5353 }, counting(3)))), '10.32.0.3 > 8.8.8.8 UDP 53 > 5353');
  assert.is(ipv4Summary(ipv4({ ...flow, protocol: 1 }, icmp({ type: 8, rest: 0x00070009 }, counting(3)))), '10.32.0.3 > 8.8.8.8 ICMP echo request id 7 seq 9');
  assert.is(ipv4Summary(ipv4({ ...flow, protocol: 99 }, counting(3))), '10.32.0.3 > 8.8.8.8 protocol 99');
});

test('an ICMP error tells what it is about', () => {
  assert.is(ipv4Summary(ipv4({ src: '1.1.1.1', dst: '10.32.0.3', protocol: 1 }, icmp({ type: 3, code: 4, rest: 1472 }, syn))),
    '1.1.1.1 > 10.32.0.3 ICMP unreachable: fragmentation needed MTU 1472 about (10.32.0.3 > 8.8.8.8 TCP 41000 > 443 S)');
});

test('a tunnel tells what is inside', () => {
  assert.is(ipv4Summary(ipv4({ src: '192.0.2.1', dst: '192.0.2.2', protocol: 47 }, gre({}, mpls({ label: 17 }, syn)))),
    '192.0.2.1 > 192.0.2.2 GRE MPLS 17: 10.32.0.3 > 8.8.8.8 TCP 41000 > 443 S');
});

test('fragments', () => {
  assert.is(ipv4Summary(ipv4({ ...flow, protocol: 17, offset: 185 }, counting(100))), '10.32.0.3 > 8.8.8.8 UDP fragment at 1480, 100 bytes, the last');
  assert.match(ipv4Summary(ipv4({ ...flow, protocol: 17, mf: true }, udp({ ...flow, sport: 1, dport: 2 }, counting(8)))), /UDP 1 > 2, first fragment$/);
});

test('ARP', () => {
  assert.is(arpSummary(question), `ARP who has 10.32.0.1, tell 10.32.0.3 at ${mac}`);
  assert.is(arpSummary(arp({ op: 1, senderMac: mac, sender: '10.32.0.3', target: '10.32.0.3' })), `ARP announcement of 10.32.0.3 at ${mac}`);
  assert.is(arpSummary(arp({ op: 2, senderMac: mac, sender: '10.32.0.1', target: '10.32.0.3' })), `ARP 10.32.0.1 is at ${mac}, to 10.32.0.3`);
});

test('frames', () => {
  assert.is(frameSummary(ethernet({ dst: BROADCAST, src: mac, vlan: 30, type: ETHERTYPE_ARP }, question)), `VLAN 30 ARP who has 10.32.0.1, tell 10.32.0.3 at ${mac}`);
  assert.is(frameSummary(ethernet({ dst: mac, src: mac, type: 0x86DD }, counting(40))), `${mac} > ${mac} EtherType 0x86dd`);
});

test('whatever a packet died as is recognised', () => {
  assert.is(packetSummary(syn), ipv4Summary(syn));
  assert.is(packetSummary(question), arpSummary(question));
  // A MAC that begins like an IPv4 header is no IPv4 header.
  const frame = ethernet({ dst: '46:00:00:00:00:01', src: mac }, syn);
  assert.is(packetSummary(frame), ipv4Summary(syn));
});

test('any bytes have a line, without an exception and without undefined', () => {
  const whole = [syn, question, ethernet({ dst: mac, src: mac }, ipv4({ src: '192.0.2.1', dst: '192.0.2.2', protocol: 47 }, gre({ flags: 0xA000, optional: counting(8) }, mpls({ label: 17 }, syn))))];
  fc.assert(fc.property(fc.constantFrom(...whole), fc.nat(120), fc.array(fc.tuple(fc.nat(119), fc.nat(255)), { maxLength: 4 }), (bytes, length, changes) => {
    const cut = bytes.slice(0, length);
    for (const [at, value] of changes) if (at < cut.length) cut[at] = value;
    const line = packetSummary(cut);
    return line.length > 0 && !line.includes('undefined') && !line.includes('NaN') && !line.includes('\n');
  }));
  fc.assert(fc.property(fc.uint8Array({ maxLength: 120 }), (bytes) => {
    const line = packetSummary(bytes);
    return line.length > 0 && !line.includes('undefined') && !line.includes('NaN');
  }));
});

test.run();
