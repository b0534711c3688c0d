/** Packets as a walk handles them: taken out of frames, put into frames, answered. Bytes only, so that it runs anywhere. */

const ETHERNET = 14;
const TAG = 4;
const TYPE_IPV4 = 0x0800;
const TYPE_ARP = 0x0806;
const TYPE_VLAN = 0x8100;
const [ICMP, TCP, UDP, GRE] = [1, 6, 17, 47];
const TTL = 64;
const [SYN, ACK] = [0x02, 0x10];

const u16 = (b: Uint8Array, at: number): number => ((b[at] ?? 0) << 8) | (b[at + 1] ?? 0);
function write16(b: Uint8Array, at: number, value: number): void {
  b[at] = value >>> 8;
  b[at + 1] = value & 0xff;
}

/** Four bytes of "10.32.0.3". */
export const addressBytes = (text: string): Uint8Array => Uint8Array.from(text.split('.'), Number);
/** Six bytes of "02:00:00:00:00:01". */
export const macBytes = (text: string): Uint8Array => Uint8Array.from(text.split(':'), (part) => Number.parseInt(part, 16));

/** The IPv4 packet of an Ethernet frame, without padding; undefined when there is none. */
export function packetOf(frame: Uint8Array): Uint8Array | undefined {
  const at = u16(frame, 12) === TYPE_VLAN ? ETHERNET + TAG : ETHERNET;
  return u16(frame, at - 2) === TYPE_IPV4 ? Uint8Array.from(frame.subarray(at, at + u16(frame, at + 2))) : undefined;
}

export const sourceOf = (packet: Uint8Array): string => packet.subarray(12, 16).join('.');
export const destinationOf = (packet: Uint8Array): string => packet.subarray(16, 20).join('.');
export const isTunnelled = (packet: Uint8Array): boolean => packet[9] === GRE;

/** An Ethernet frame, with an 802.1Q tag when `vlan` is not 0. */
export function frameOf(destination: Uint8Array, source: Uint8Array, vlan: number, type: number, payload: Uint8Array): Uint8Array {
  const tag = vlan === 0 ? [] : [TYPE_VLAN >>> 8, TYPE_VLAN & 0xff, vlan >>> 8, vlan & 0xff];
  return Uint8Array.of(...destination, ...source, ...tag, type >>> 8, type & 0xff, ...payload);
}

export const ipv4Frame = (destination: Uint8Array, source: Uint8Array, vlan: number, packet: Uint8Array): Uint8Array => frameOf(destination, source, vlan, TYPE_IPV4, packet);

/** An ARP request (RFC 826) of a neighbour for the interface's own address: who asks is learnt. */
export function arpRequest(mac: Uint8Array, address: Uint8Array, target: Uint8Array, vlan: number): Uint8Array {
  return frameOf(new Uint8Array(6).fill(0xff), mac, vlan, TYPE_ARP, Uint8Array.of(0, 1, 8, 0, 6, 4, 0, 1, ...mac, ...address, 0, 0, 0, 0, 0, 0, ...target));
}

/** Replaces a word and lets the checksum at `sum` follow (RFC 1624 equation 3); a UDP checksum of 0 stays. */
function replace16(b: Uint8Array, at: number, value: number, sum: number): void {
  const before = u16(b, at);
  write16(b, at, value);
  if (sum < 0) return;
  let total = (~u16(b, sum) & 0xffff) + (~before & 0xffff) + value;
  while (total > 0xffff) total = (total & 0xffff) + (total >>> 16);
  write16(b, sum, ~total & 0xffff);
}

/**
 * What the far end answers: addresses and ports swapped, a SYN acknowledged, an echo request replied to. Undefined: nobody answers such a packet.
 * @param packet a whole IPv4 packet as it arrived
 */
export function replyTo(packet: Uint8Array): Uint8Array | undefined {
  const reply = Uint8Array.from(packet); // a Buffer's slice would share its bytes
  reply.set(packet.subarray(16, 20), 12);
  reply.set(packet.subarray(12, 16), 16); // swapped words have the sum that they had
  replace16(reply, 8, (TTL << 8) | packet[9]!, 10);
  const l4 = (packet[0]! & 15) * 4;
  const protocol = packet[9]!;
  if (protocol === TCP || protocol === UDP) {
    write16(reply, l4, u16(packet, l4 + 2));
    write16(reply, l4 + 2, u16(packet, l4));
    if (protocol === TCP && (packet[l4 + 13]! & SYN) !== 0) replace16(reply, l4 + 12, u16(packet, l4 + 12) | ACK, l4 + 16);
    return reply;
  }
  if (protocol !== ICMP || packet[l4] !== 8) return undefined;
  replace16(reply, l4, packet[l4 + 1]!, l4 + 2); // type 0
  return reply;
}

/** `inner` in MPLS over GRE (RFC 4023), as a router that is not ours sends it. */
export function tunnelled(inner: Uint8Array, source: string, destination: string, label: number): Uint8Array {
  const length = 28 + inner.length;
  const header = Uint8Array.of(0x45, 0, length >>> 8, length & 0xff, 0, 0, 0x40, 0, TTL, GRE, 0, 0, ...addressBytes(source), ...addressBytes(destination));
  let total = 0;
  for (let at = 0; at < header.length; at += 2) total += u16(header, at);
  while (total > 0xffff) total = (total & 0xffff) + (total >>> 16);
  write16(header, 10, ~total & 0xffff);
  return Uint8Array.of(...header, 0, 0, 0x88, 0x47, label >>> 12, (label >>> 4) & 0xff, ((label & 15) << 4) | 1, TTL, ...inner);
}
