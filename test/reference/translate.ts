/** docs/forwarding.md section 8.1 and 8.2: floating-IP translation and the TCP MSS. */
import {
  destinationOf, dropped, fragmentOffset, headerLength, isLaterFragment, payloadOf, PROTOCOL_DCCP, PROTOCOL_ICMP, PROTOCOL_TCP, PROTOCOL_UDP,
  PROTOCOL_UDPLITE, protocol, sealHeader, sourceOf, timeToLive, type Packet,
} from './packet.ts';
import { byteAt, follow, onesSum, read16, read32, write16, write32 } from './wire.ts';

const SOURCE = 12;
const DESTINATION = 16;
/** Where the L4 checksum that covers the addresses lies, by protocol. */
const CHECKSUM_FIELD: ReadonlyMap<number, number> = new Map([[PROTOCOL_TCP, 16], [PROTOCOL_UDP, 6], [PROTOCOL_UDPLITE, 6], [PROTOCOL_DCCP, 6]]);
const ICMP_ERRORS = [3, 5, 11, 12];
const ICMP_CHECKSUM = 2;
const TCP_CHECKSUM = 16;
const TCP_SYN = 0x02;

/** Writes the translated addresses that were chosen and mends every checksum that covers them. */
export function translate(packet: Packet): void {
  const { bytes, sourceTranslation: source, destinationTranslation: destination } = packet;
  if (source === undefined && destination === undefined) return;

  const field = CHECKSUM_FIELD.get(protocol(bytes));
  const checksummed = field !== undefined && !isLaterFragment(bytes);
  if (checksummed && payloadOf(bytes).length < field + 2) dropped('l4_truncated');

  const before = onesSum(bytes.subarray(SOURCE, SOURCE + 8));
  if (source !== undefined) write32(bytes, SOURCE, source.public);
  if (destination !== undefined) write32(bytes, DESTINATION, destination.private);
  const after = onesSum(bytes.subarray(SOURCE, SOURCE + 8));
  sealHeader(bytes);
  if (checksummed) followL4(bytes, headerLength(bytes) + field, before, after);
  if (protocol(bytes) === PROTOCOL_ICMP && !isLaterFragment(bytes)) translateQuote(payloadOf(bytes), packet);
}

/** The packet as it arrived, from what a neighbour in vain waited for: addresses and TTL put back; a lowered MSS stays, a piece stays a piece. */
export function asArrived({ bytes, arrived }: Packet): Uint8Array {
  const restored = bytes.slice();
  const before = onesSum(bytes.subarray(SOURCE, SOURCE + 8));
  restored.set(arrived.subarray(SOURCE, SOURCE + 8), SOURCE);
  restored[8] = timeToLive(arrived);
  sealHeader(restored);
  const field = CHECKSUM_FIELD.get(protocol(restored));
  const translated = sourceOf(bytes) !== sourceOf(arrived) || destinationOf(bytes) !== destinationOf(arrived);
  if (translated && field !== undefined && !isLaterFragment(restored))
    followL4(restored, headerLength(restored) + field, before, onesSum(restored.subarray(SOURCE, SOURCE + 8)));
  return restored;
}

/** An ICMP error quotes a packet of the other direction: its addresses are the mirror of ours. */
function translateQuote(icmp: Uint8Array, { sourceTranslation: source, destinationTranslation: destination }: Packet): void {
  if (icmp.length < 28 || !ICMP_ERRORS.includes(byteAt(icmp, 0))) return;
  const quote = icmp.subarray(8);
  if (byteAt(quote, 0) >>> 4 !== 4 || headerLength(quote) < 20) return;

  const messageBefore = sumWithout(icmp, ICMP_CHECKSUM);
  const headerBefore = sumWithout(quote.subarray(0, 20), 10);
  const addressesBefore = onesSum(quote.subarray(SOURCE, SOURCE + 8));
  let changed = false;
  if (destination !== undefined && read32(quote, SOURCE) === destination.public) {
    write32(quote, SOURCE, destination.private);
    changed = true;
  }
  if (source !== undefined && read32(quote, DESTINATION) === source.private) {
    write32(quote, DESTINATION, source.public);
    changed = true;
  }
  if (!changed) return;
  write16(quote, 10, follow(read16(quote, 10), headerBefore, sumWithout(quote.subarray(0, 20), 10)));

  const field = CHECKSUM_FIELD.get(protocol(quote));
  if (field !== undefined && fragmentOffset(quote) === 0 && quote.length >= headerLength(quote) + field + 2)
    followL4(quote, headerLength(quote) + field, addressesBefore, onesSum(quote.subarray(SOURCE, SOURCE + 8)));

  write16(icmp, ICMP_CHECKSUM, follow(read16(icmp, ICMP_CHECKSUM), messageBefore, sumWithout(icmp, ICMP_CHECKSUM)));
}

/** Lets an L4 checksum follow a change of the pseudo-header. UDP's zero means "none" and stays; its result is never zero (RFC 768). */
function followL4(packet: Uint8Array, at: number, before: number, after: number): void {
  const udp = protocol(packet) === PROTOCOL_UDP;
  if (udp && read16(packet, at) === 0) return;
  const result = follow(read16(packet, at), before, after);
  const zeroIsAllOnes = udp || protocol(packet) === PROTOCOL_UDPLITE;
  write16(packet, at, result === 0 && zeroIsAllOnes ? 0xffff : result);
}

function sumWithout(bytes: Uint8Array, field: number): number {
  const copy = bytes.slice();
  write16(copy, field, 0);
  return onesSum(copy);
}

/**
 * Lowers the MSS option of a TCP SYN.
 *
 * @param limit greatest MSS, 0 = no clamping
 */
export function clampMss(packet: Uint8Array, limit: number): void {
  if (limit === 0 || protocol(packet) !== PROTOCOL_TCP || isLaterFragment(packet)) return;
  const tcp = payloadOf(packet);
  if (tcp.length < 20 || (byteAt(tcp, 13) & TCP_SYN) === 0) return;
  const end = (byteAt(tcp, 12) >>> 4) * 4;
  if (end > tcp.length) return;
  for (let at = 20; at < end; ) {
    const kind = byteAt(tcp, at);
    if (kind === 0) return;
    if (kind === 1) {
      at += 1;
      continue;
    }
    const length = at + 1 < end ? byteAt(tcp, at + 1) : 0;
    if (length < 2 || at + length > end) return;
    if (kind === 2) {
      if (length === 4 && read16(tcp, at + 2) > limit) {
        const before = sumWithout(tcp, TCP_CHECKSUM);
        write16(tcp, at + 2, limit);
        write16(tcp, TCP_CHECKSUM, follow(read16(tcp, TCP_CHECKSUM), before, sumWithout(tcp, TCP_CHECKSUM)));
      }
      return;
    }
    at += length;
  }
}
