/**
 * What the engine reports of its sessions, as BMP writes it (RFC 7854): sessions that come up and go down, and between them each
 * UPDATE as it came from the peer, in the order in which all of it happened.
 */

const VERSION = 3;
const COMMON_HEADER = 6;
const PEER_HEADER = 42;
/** Offsets within the per-peer header (section 4.2). */
const PEER = { flags: 1, address: 22 } as const;
const FLAG = { ipv6: 0x80, legacyAsPath: 0x20 } as const;
const TYPE = { routeMonitoring: 0, peerDown: 2, peerUp: 3, initiation: 4 } as const;
const SYSTEM_NAME = 2;
/** A BGP message has at most 4 KiB, and no message here more than two of them. */
const LONGEST = 65_536;

export type BmpMessage =
  /** The first of a connection: what the engine was told to call itself. */
  | { readonly kind: 'initiation'; readonly systemName: string }
  | { readonly kind: 'session'; readonly peer: number; readonly up: boolean }
  /** @property fourByteAs whether AS numbers of its paths have 4 bytes. */
  | { readonly kind: 'update'; readonly peer: number; readonly fourByteAs: boolean; readonly update: Buffer };

/** What a connection brings in pieces, as messages. */
export class BmpReader {
  #rest: Buffer = Buffer.alloc(0);

  /** Messages that are whole with these bytes; those that we have no use for are passed over. @throws when it is no BMP. */
  read(bytes: Buffer): BmpMessage[] {
    const buffer = this.#rest.length > 0 ? Buffer.concat([this.#rest, bytes]) : bytes;
    const messages: BmpMessage[] = [];
    let at = 0;
    while (buffer.length - at >= COMMON_HEADER) {
      const length = buffer.readUInt32BE(at + 1);
      if (buffer[at] !== VERSION || length < COMMON_HEADER || length > LONGEST) throw new Error(`BMP: version ${buffer[at]}, length ${length}; it should be version ${VERSION} and ${COMMON_HEADER} to ${LONGEST}`);
      if (buffer.length - at < length) break;
      const message = messageOf(buffer[at + 5]!, buffer.subarray(at + COMMON_HEADER, at + length));
      if (message) messages.push(message);
      at += length;
    }
    this.#rest = buffer.subarray(at);
    return messages;
  }
}

function messageOf(type: number, body: Buffer): BmpMessage | undefined {
  if (type === TYPE.initiation) return { kind: 'initiation', systemName: systemNameOf(body) };
  if (type !== TYPE.routeMonitoring && type !== TYPE.peerUp && type !== TYPE.peerDown) return undefined;
  if (body.length < PEER_HEADER) throw new Error(`BMP: a message of type ${type} has ${body.length} bytes, less than the header of its peer`);
  const flags = body[PEER.flags]!;
  if (flags & FLAG.ipv6) return undefined; // none of our sessions
  const peer = body.readUInt32BE(PEER.address);
  if (type !== TYPE.routeMonitoring) return { kind: 'session', peer, up: type === TYPE.peerUp };
  return { kind: 'update', peer, fourByteAs: (flags & FLAG.legacyAsPath) === 0, update: body.subarray(PEER_HEADER) };
}

/** Of the information that an Initiation bears (section 4.4): type, length, value. */
function systemNameOf(body: Buffer): string {
  for (let at = 0; at + 4 <= body.length; at += 4 + body.readUInt16BE(at + 2)) {
    if (body.readUInt16BE(at) === SYSTEM_NAME) return body.toString('utf8', at + 4, at + 4 + body.readUInt16BE(at + 2));
  }
  return '';
}
