/** docs/forwarding.md section 8.3: fragmentation (RFC 791). */
import { fragmentOffset, headerLength, moreFragments, payloadOf, sealHeader } from './packet.ts';
import { byteAt, read16, write16 } from './wire.ts';

const RESERVED_BIT = 0x8000;
const MORE_FRAGMENTS = 0x2000;
const OPTION_COPIED = 0x80;

/** Cuts a packet into pieces of at most `mtu` bytes; one piece when it fits. */
export function fragment(packet: Uint8Array, mtu: number): Uint8Array[] {
  if (packet.length <= mtu) return [packet];
  const payload = payloadOf(packet);
  const pieces: Uint8Array[] = [];
  for (let at = 0; at < payload.length; ) {
    const header = at === 0 ? packet.slice(0, headerLength(packet)) : laterHeader(packet);
    const room = mtu - header.length;
    const rest = payload.length - at;
    const take = rest <= room ? rest : room - (room % 8);
    if (take <= 0) throw new RangeError(`MTU ${mtu} takes no fragment of a header of ${header.length} bytes`);
    pieces.push(makePiece(packet, header, payload.subarray(at, at + take), at, at + take === payload.length));
    at += take;
  }
  return pieces;
}

function makePiece(packet: Uint8Array, header: Uint8Array, data: Uint8Array, at: number, last: boolean): Uint8Array {
  const piece = new Uint8Array(header.length + data.length);
  piece.set(header);
  piece.set(data, header.length);
  const more = last ? moreFragments(packet) : true;
  write16(piece, 2, piece.length);
  write16(piece, 6, (read16(packet, 6) & RESERVED_BIT) | (more ? MORE_FRAGMENTS : 0) | (((fragmentOffset(packet) + at) / 8) & 0x1fff));
  sealHeader(piece);
  return piece;
}

/** The header of pieces after the first: only the options with the copied bit. */
function laterHeader(packet: Uint8Array): Uint8Array {
  const options: number[] = [];
  const end = headerLength(packet);
  for (let at = 20; at < end && byteAt(packet, at) !== 0; ) {
    const length = byteAt(packet, at) === 1 ? 1 : byteAt(packet, at + 1);
    if (byteAt(packet, at) & OPTION_COPIED) options.push(...packet.subarray(at, at + length));
    at += length;
  }
  while (options.length % 4 !== 0) options.push(0);
  const header = new Uint8Array(20 + options.length);
  header.set(packet.subarray(0, 20));
  header.set(options, 20);
  header[0] = 0x40 | (header.length / 4);
  return header;
}
