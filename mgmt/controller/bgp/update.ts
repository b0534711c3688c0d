/**
 * From a BGP UPDATE (RFC 4271 section 4.3) to VPN routes: its VPNv4 prefixes (RFC 4760, RFC 4364), each with what the message says
 * of them all. The engine has taken the message, so that a wrong one is a fault of ours or its; what is right and yet of no use to us
 * (another family, a next hop of IPv6) is passed over, never guessed.
 */
import { formatAddress, maskOf, prefixKey } from '../model/address.ts';
import { FAMILIES, type ReceivedPath, type VpnKey } from './types.ts';

const HEADER = 19;
const UPDATE = 2;
const ATTRIBUTE = { origin: 1, asPath: 2, localPreference: 5, originator: 9, reach: 14, unreach: 15, extendedCommunities: 16, asPath4: 17 } as const;
const EXTENDED_LENGTH = 0x10;
const DISTINGUISHER = 8;
const BOTTOM_OF_STACK = 1;
/** Label fields that end a stack without that bit, where a withdrawal has them (RFC 8277 section 2.4 and its forerunner). */
const NO_LABEL: ReadonlySet<number> = new Set([0x800000, 0]);
const COMMUNITY = { target2: 0x0002, target4: 0x0202, targetAddress: 0x0102, encapsulation: 0x030c } as const;
const DEFAULT_LOCAL_PREFERENCE = 100;
const MEMORY_SIZE = 8192;

/** A route that changed. One that is not withdrawn and yet has no path is there, but of no use to us. */
export interface DecodedPath { readonly peer: number; readonly key: VpnKey; readonly withdrawn: boolean; readonly path: ReceivedPath | undefined }

export interface UpdateSource {
  /** Who sent it. */
  readonly peer: number;
  /** Whether its AS paths have numbers of 4 bytes (RFC 6793). */
  readonly fourByteAs: boolean;
  /** Our AS, and our identifier: a route that went through us is none. */
  readonly own: { readonly asn: number; readonly routerId: number };
  /** Milliseconds since 1970. */
  readonly now: number;
}

/** @param message with its header. @throws {RangeError} when it is cut short, or is no UPDATE. */
export function decodeUpdate(message: Buffer, { peer, fourByteAs, own, now }: UpdateSource): DecodedPath[] {
  const body = bodyOf(message);
  body.take(body.u16()); // withdrawn routes of IPv4, which have no VPN
  const attributes = new Bytes(body.take(body.u16()));
  let [reached, unreached]: (Bytes | undefined)[] = [];
  let [origin, localPreference, originator] = [0, DEFAULT_LOCAL_PREFERENCE, -1];
  let communities = NO_COMMUNITIES;
  let [path, path4]: [readonly number[], readonly number[]] = [[], []];
  while (attributes.left > 0) {
    const [flags, type] = [attributes.u8(), attributes.u8()];
    const value = new Bytes(attributes.take(flags & EXTENDED_LENGTH ? attributes.u16() : attributes.u8()));
    switch (type) {
      case ATTRIBUTE.origin: origin = value.u8(); break;
      case ATTRIBUTE.asPath: path = asPathOf(value, fourByteAs ? 4 : 2); break;
      case ATTRIBUTE.asPath4: path4 = asPathOf(value, 4); break;
      case ATTRIBUTE.localPreference: localPreference = value.u32(); break;
      case ATTRIBUTE.originator: originator = value.u32(); break;
      case ATTRIBUTE.extendedCommunities: communities = communitiesOf(value.bytes); break;
      case ATTRIBUTE.reach: reached = vpnOf(value); break;
      case ATTRIBUTE.unreach: unreached = vpnOf(value); break;
    }
  }
  const told: DecodedPath[] = [];
  while (unreached && unreached.left > 0) {
    const { distinguisher, prefix } = nlriOf(unreached);
    told.push({ peer, key: { family: 'ipv4-vpn', distinguisher, prefix }, withdrawn: true, path: undefined });
  }
  if (!reached) return told;
  const nextHop = nextHopOf(reached.take(reached.u8()));
  reached.u8(); // reserved
  const asPath = fourByteAs ? path : merged(path, path4);
  // RFC 4271 section 9.1.2, RFC 4456 section 8.
  const withdrawn = asPath.includes(own.asn) || originator === own.routerId;
  while (reached.left > 0) {
    const { distinguisher, prefix, label } = nlriOf(reached);
    const key = { family: 'ipv4-vpn', distinguisher, prefix } as const;
    told.push({
      peer, key, withdrawn,
      path: withdrawn || nextHop === undefined ? undefined : { ...key, label, nextHop, localPreference, origin, asPath, targets: communities.targets, encapsulations: communities.encapsulations, peer, since: now },
    });
  }
  return told;
}

function bodyOf(message: Buffer): Bytes {
  const whole = new Bytes(message);
  const header = whole.take(HEADER);
  if (header[HEADER - 1] !== UPDATE || header.readUInt16BE(16) !== message.length) throw new RangeError(`BGP: a message of type ${header[HEADER - 1]} and length ${header.readUInt16BE(16)} in ${message.length} bytes is no UPDATE`);
  return whole;
}

// ---- prefixes --------------------------------------------------------------------------------------------------------------

/** What follows the family of an attribute of RFC 4760, if that family is VPNv4. */
function vpnOf(value: Bytes): Bytes | undefined {
  const { afi, safi } = FAMILIES['ipv4-vpn'];
  const [its, sub] = [value.u16(), value.u8()];
  return its === afi && sub === safi ? value : undefined;
}

/** A distinguisher of zeros and an address (RFC 4364 section 4.3.2). */
const nextHopOf = (bytes: Buffer): number | undefined => (bytes.length === DISTINGUISHER + 4 ? bytes.readUInt32BE(DISTINGUISHER) : undefined);

/** Bits of all that follows, labels, distinguisher, prefix (RFC 8277 section 2, RFC 4364 section 4.3.4). The outermost label counts. */
function nlriOf(bytes: Bytes): { readonly distinguisher: string; readonly prefix: number; readonly label: number } {
  let length = bytes.u8();
  let label: number | undefined;
  for (let last = false; !last;) {
    const field = bytes.u24();
    label ??= NO_LABEL.has(field) ? 0 : field >>> 4;
    last = NO_LABEL.has(field) || (field & BOTTOM_OF_STACK) === BOTTOM_OF_STACK;
    length -= 24;
  }
  length -= 8 * DISTINGUISHER;
  if (length < 0 || length > 32) throw new RangeError(`BGP: a VPNv4 prefix of ${length} bits`);
  const distinguisher = distinguisherOf(bytes.take(DISTINGUISHER));
  let address = 0;
  for (let at = 0; at < 4; at++) address = address * 256 + (8 * at < length ? bytes.u8() : 0);
  return { distinguisher, prefix: prefixKey((address & maskOf(length)) >>> 0, length), label: label! };
}

/** Types 0 to 2 (RFC 4364 section 4.2); one of a later type by its number, so that routes stay apart. */
const distinguisherOf = remembering((bytes) => {
  const type = bytes.readUInt16BE(0);
  return type <= 2 ? administered(bytes, type) : `${type}:${bytes.toString('hex', 2)}`;
});

/** Administrator and assigned number after 2 bytes of a type: a 2-byte AS, an address, a 4-byte AS. */
function administered(bytes: Buffer, type: number): string {
  if (type === 0) return `${bytes.readUInt16BE(2)}:${bytes.readUInt32BE(4)}`;
  const administrator = bytes.readUInt32BE(2);
  return `${type === 1 ? formatAddress(administrator) : administrator}:${bytes.readUInt16BE(6)}`;
}

// ---- attributes ------------------------------------------------------------------------------------------------------------

/** Numbers of all segments, one after the other. */
function asPathOf(value: Bytes, size: 2 | 4): number[] {
  const numbers: number[] = [];
  while (value.left > 0) {
    value.u8(); // set or sequence
    for (let count = value.u8(); count > 0; count--) numbers.push(size === 4 ? value.u32() : value.u16());
  }
  return numbers;
}

/** The path where a router that knows 2 bytes alone was on the way (RFC 6793 section 4.2.3). */
const merged = (path: readonly number[], path4: readonly number[]): readonly number[] =>
  (path4.length > path.length ? path : [...path.slice(0, path.length - path4.length), ...path4]);

interface Communities { readonly targets: readonly string[]; readonly encapsulations: readonly number[] }
const NO_COMMUNITIES: Communities = { targets: [], encapsulations: [] };

/** Route targets (RFC 4360, RFC 5668) and tunnel types (RFC 9012), each in order. */
const communitiesOf = remembering((bytes): Communities => {
  const targets: string[] = [];
  const encapsulations: number[] = [];
  for (let at = 0; at + 8 <= bytes.length; at += 8) {
    const community = bytes.subarray(at, at + 8);
    const kind = community.readUInt16BE(0);
    if (kind === COMMUNITY.target2 || kind === COMMUNITY.targetAddress || kind === COMMUNITY.target4) targets.push(`target:${administered(community, kind >>> 8)}`);
    else if (kind === COMMUNITY.encapsulation) encapsulations.push(community.readUInt16BE(6));
  }
  return { targets: targets.sort(), encapsulations: encapsulations.sort((one, other) => one - other) };
});

// ---- bytes -----------------------------------------------------------------------------------------------------------------

/** Reads from front to end; a RangeError where there is no more. */
class Bytes {
  readonly bytes: Buffer;
  #at = 0;

  constructor(bytes: Buffer) { this.bytes = bytes; }

  get left(): number { return this.bytes.length - this.#at; }
  u8(): number { return this.bytes.readUInt8(this.#by(1)); }
  u16(): number { return this.bytes.readUInt16BE(this.#by(2)); }
  u24(): number { return this.bytes.readUIntBE(this.#by(3), 3); }
  u32(): number { return this.bytes.readUInt32BE(this.#by(4)); }
  /** Not copied. */
  take(count: number): Buffer {
    const at = this.#by(count);
    return this.bytes.subarray(at, at + count);
  }

  #by(count: number): number {
    const at = this.#at;
    if (this.left < count) throw new RangeError(`BGP: an UPDATE ends ${count - this.left} bytes too early`);
    this.#at = at + count;
    return at;
  }
}

/** What was opened lately, by its bytes: a router says the same of a hundred thousand prefixes. */
function remembering<T>(open: (bytes: Buffer) => T): (bytes: Buffer) => T {
  const memory = new Map<string, T>();
  return (bytes) => {
    const id = bytes.toString('latin1');
    let known = memory.get(id);
    if (known === undefined) {
      known = open(bytes);
      if (memory.size >= MEMORY_SIZE) memory.clear();
      memory.set(id, known);
    }
    return known;
  };
}
