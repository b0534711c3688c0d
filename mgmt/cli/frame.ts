/** Builds the Ethernet frame that `trace` sends through the graph: IPv4 with TCP, UDP or ICMP, checksums right, tunnelled on request. */
import { isIPv4 } from 'node:net';
import { UsageError } from './output.ts';

export interface Packet {
  source: string;
  destination: string;
  /** TCP and UDP: ports; ICMP: an echo request. */
  protocol: 'tcp' | 'udp' | 'icmp';
  sourcePort?: number;
  destinationPort?: number;
  ttl: number;
  /** Total length of the IPv4 packet; the payload is filled up to it. */
  length?: number;
  dontFragment: boolean;
}

/** Arrives by a tunnel: MPLS over GRE between these outer addresses (RFC 4023). */
export interface Tunnel { source: string; destination: string; label: number }

const PROTOCOLS = { icmp: 1, tcp: 6, udp: 17 } as const;
const GRE = 47;
const L4_BYTES = { icmp: 8, tcp: 20, udp: 8 } as const;

/** Internet checksum (RFC 1071) of `bytes` after `sum`. */
export function checksum(bytes: Buffer, sum = 0): number {
  let total = sum;
  for (let at = 0; at + 1 < bytes.length; at += 2) total += bytes.readUInt16BE(at);
  if (bytes.length % 2) total += bytes[bytes.length - 1]! << 8;
  while (total > 0xffff) total = (total & 0xffff) + Math.floor(total / 0x10000);
  return ~total & 0xffff;
}

export function address(text: string, what: string): Buffer {
  if (!isIPv4(text)) throw new UsageError(`${what} "${text}" is not an IPv4 address`);
  return Buffer.from(text.split('.').map(Number));
}

/** Six bytes of "02:00:00:00:00:01". */
export function mac(text: string): Buffer {
  if (!/^([0-9a-f]{2}:){5}[0-9a-f]{2}$/i.test(text)) throw new UsageError(`"${text}" is not a MAC address such as 02:00:00:00:00:01`);
  return Buffer.from(text.replaceAll(':', ''), 'hex');
}

function ipv4Header(source: Buffer, destination: Buffer, protocol: number, ttl: number, length: number, dontFragment: boolean): Buffer {
  const header = Buffer.alloc(20);
  header.writeUInt8(0x45, 0);
  header.writeUInt16BE(length, 2);
  header.writeUInt16BE(dontFragment ? 0x4000 : 0, 6);
  header.writeUInt8(ttl, 8);
  header.writeUInt8(protocol, 9);
  source.copy(header, 12);
  destination.copy(header, 16);
  header.writeUInt16BE(checksum(header), 10);
  return header;
}

export function ipv4Packet(packet: Packet): Buffer {
  const { protocol, sourcePort = 41000, destinationPort = 443 } = packet;
  const least = 20 + L4_BYTES[protocol];
  const length = packet.length ?? least;
  if (length < least || length > 65535) throw new UsageError(`length ${length} is not between ${least} (an empty ${protocol} packet) and 65535`);
  const source = address(packet.source, 'the source');
  const destination = address(packet.destination, 'the destination');
  const body = Buffer.alloc(length - 20);
  const number = PROTOCOLS[protocol];
  if (protocol === 'icmp') {
    body.writeUInt8(8, 0); // echo request
    body.writeUInt16BE(1, 6);
    body.writeUInt16BE(checksum(body), 2);
  } else {
    body.writeUInt16BE(sourcePort, 0);
    body.writeUInt16BE(destinationPort, 2);
    if (protocol === 'tcp') {
      body.writeUInt8(5 << 4, 12);
      body.writeUInt8(0x02, 13); // SYN
      body.writeUInt16BE(65535, 14);
    } else {
      body.writeUInt16BE(body.length, 4);
    }
    const pseudo = Buffer.concat([source, destination, Buffer.of(0, number, body.length >> 8, body.length & 0xff)]);
    const sum = checksum(Buffer.concat([pseudo, body]));
    body.writeUInt16BE(protocol === 'udp' && sum === 0 ? 0xffff : sum, protocol === 'tcp' ? 16 : 6);
  }
  return Buffer.concat([ipv4Header(source, destination, number, packet.ttl, length, packet.dontFragment), body]);
}

/** `inner` in MPLS over GRE, as another appliance sends it. */
export function tunnelled(inner: Buffer, { source, destination, label }: Tunnel): Buffer {
  if (!Number.isInteger(label) || label < 0 || label > 0xfffff) throw new UsageError(`label ${label} is not between 0 and 1048575`);
  const shim = Buffer.alloc(8);
  shim.writeUInt16BE(0x8847, 2); // GRE without options, payload MPLS
  shim.writeUInt32BE(label * 0x1000 + 0x100 + 64, 4); // bottom of stack, TTL 64
  return Buffer.concat([ipv4Header(address(source, "the tunnel's source"), address(destination, "the tunnel's destination"), GRE, 64, 28 + inner.length, true), shim, inner]);
}

/** An Ethernet frame with an IPv4 packet, with an 802.1Q tag when `vlan` is not 0. */
export function ethernetFrame(destination: Buffer, source: Buffer, vlan: number, packet: Buffer): Buffer {
  const tag = vlan === 0 ? Buffer.alloc(0) : Buffer.of(0x81, 0x00, vlan >> 8, vlan & 0xff);
  return Buffer.concat([destination, source, tag, Buffer.of(0x08, 0x00), packet]);
}

/** Bytes of "45 00 00…", "4500…" or a hex dump with offsets ("0000  45 00 …", "0x0000:  4500 …"). */
export function hexBytes(text: string): Buffer {
  const digits = text.split('\n').map((line) => line.replace(/^\s*(0x[0-9a-f]+:|[0-9a-f]{4,8}:?\s{2})/i, '').replace(/\s{2,}\S*[^0-9a-f\s].*$/i, '')).join('').replace(/[\s:]/g, '');
  if (digits === '' || !/^([0-9a-f]{2})+$/i.test(digits)) throw new UsageError(`not whole bytes of hex: "${text.slice(0, 40)}${text.length > 40 ? '…' : ''}"`);
  return Buffer.from(digits, 'hex');
}
