/** docs/forwarding.md section 11: the ICMP error about a packet that died (RFC 792, 1191, 1812). */
import { isLaterFragment, payloadOf, PROTOCOL_ICMP, protocol, sealHeader, sourceOf, type ErrorRequest, type Packet } from './packet.ts';
import { checksum, write16, write32 } from './wire.ts';

const QUERIES = [0, 8, 13, 14];
const GREATEST_QUOTE = 576 - 28;

/** Whether an error may be sent about the packet at all. */
export function mayBeToldOf({ arrived, originated, broadcast }: Packet): boolean {
  if (originated || broadcast || isLaterFragment(arrived)) return false;
  if (protocol(arrived) !== PROTOCOL_ICMP) return true;
  const type = payloadOf(arrived)[0];
  return type !== undefined && QUERIES.includes(type);
}

/** The error packet, from an own address to the source of the packet that it quotes. */
export function icmpError(packet: Packet, error: ErrorRequest, from: number, identification: number): Uint8Array {
  const quote = packet.arrived.subarray(0, GREATEST_QUOTE);
  const bytes = new Uint8Array(28 + quote.length);
  bytes[0] = 0x45;
  bytes[1] = 0xc0;
  write16(bytes, 2, bytes.length);
  write16(bytes, 4, identification);
  bytes[8] = 64;
  bytes[9] = PROTOCOL_ICMP;
  write32(bytes, 12, from);
  write32(bytes, 16, sourceOf(packet.arrived));
  sealHeader(bytes);

  const icmp = bytes.subarray(20);
  icmp[0] = error.type;
  icmp[1] = error.code;
  write16(icmp, 6, error.mtu);
  icmp.set(quote, 8);
  write16(icmp, 2, checksum(icmp));
  return bytes;
}
