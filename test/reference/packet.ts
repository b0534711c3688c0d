/** A packet on its way through the reference forwarder, and the two ways in which the way ends early. */
import { readFileSync } from 'node:fs';
import type { FloatingIp } from './tables.ts';
import { byteAt, checksum, read16, read32, write16 } from './wire.ts';

export const PROTOCOL_ICMP = 1;
export const PROTOCOL_TCP = 6;
export const PROTOCOL_UDP = 17;
export const PROTOCOL_DCCP = 33;
export const PROTOCOL_GRE = 47;
export const PROTOCOL_SCTP = 132;
export const PROTOCOL_UDPLITE = 136;

export interface Packet {
  /** The (inner) IPv4 packet, exactly its total length; changed on the way. */
  bytes: Uint8Array;
  /** The same as it arrived: what an ICMP error quotes. */
  readonly arrived: Uint8Array;
  readonly receivedBy: number;
  readonly originated: boolean;
  readonly broadcast: boolean;
  /** Source of the tunnel packet that it came in. */
  readonly tunnelledFrom: number | undefined;
  vrf: number;
  /** Floating IPs that may translate its source, in order. */
  candidates: FloatingIp[];
  sourceTranslation: FloatingIp | undefined;
  destinationTranslation: FloatingIp | undefined;
  /** VRF translations so far. */
  translations: number;
}

/** An ICMP error that a drop asks for. */
export interface ErrorRequest {
  readonly type: number;
  readonly code: number;
  readonly mtu: number;
}

const drops: unknown = JSON.parse(readFileSync(new URL('../../wasm-core/drops.json', import.meta.url), 'utf8'));
if (!Array.isArray(drops)) throw new TypeError('wasm-core/drops.json is not a list');

/** Drop reasons, code → name. */
export const DROP_NAMES: ReadonlyMap<number, string> = new Map(drops.map((drop: { code: number; name: string }) => [drop.code, drop.name]));
const KNOWN = new Set(DROP_NAMES.values());

/** Thrown where a packet dies. */
export class Dropped extends Error {
  readonly reason: string;
  readonly error: ErrorRequest | undefined;

  constructor(reason: string, error?: ErrorRequest) {
    super(reason);
    if (!KNOWN.has(reason)) throw new RangeError(`"${reason}" is no drop reason of wasm-core/drops.json`);
    this.reason = reason;
    this.error = error;
  }
}

export function dropped(reason: string): never {
  throw new Dropped(reason);
}

export function droppedWithError(reason: string, type: number, code: number, mtu = 0): never {
  throw new Dropped(reason, { type, code, mtu });
}

export const headerLength = (packet: Uint8Array): number => (byteAt(packet, 0) & 0x0f) * 4;
export const totalLength = (packet: Uint8Array): number => read16(packet, 2);
export const dontFragment = (packet: Uint8Array): boolean => (read16(packet, 6) & 0x4000) !== 0;
export const moreFragments = (packet: Uint8Array): boolean => (read16(packet, 6) & 0x2000) !== 0;
/** In bytes. */
export const fragmentOffset = (packet: Uint8Array): number => (read16(packet, 6) & 0x1fff) * 8;
export const isLaterFragment = (packet: Uint8Array): boolean => fragmentOffset(packet) !== 0;
export const isFragment = (packet: Uint8Array): boolean => isLaterFragment(packet) || moreFragments(packet);
export const timeToLive = (packet: Uint8Array): number => byteAt(packet, 8);
export const protocol = (packet: Uint8Array): number => byteAt(packet, 9);
export const sourceOf = (packet: Uint8Array): number => read32(packet, 12);
export const destinationOf = (packet: Uint8Array): number => read32(packet, 16);
export const payloadOf = (packet: Uint8Array): Uint8Array => packet.subarray(headerLength(packet));

/** Writes the header checksum, computed over the whole header. */
export function sealHeader(packet: Uint8Array): void {
  write16(packet, 10, 0);
  write16(packet, 10, checksum(packet.subarray(0, headerLength(packet))));
}
