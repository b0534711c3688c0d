/** VPN routes as BGP writes them: what our engine is fed with. Everything here was checked before (validate.ts). */
import { keyAddress, keyLength, parseAddress } from '../model/address.ts';
import type { VpnKey, VpnPath } from './types.ts';

/** Label field of a withdrawal (RFC 8277 section 2.4). */
const WITHDRAWN = 0x800000;
const BOTTOM_OF_STACK = 1;
const ROUTE_TARGET = 0x02;
const ENCAPSULATION = 0x030c;
const WELL_KNOWN = 0x40;
const OPTIONAL_TRANSITIVE = 0xc0;
const EXTENDED_LENGTH = 0x10;
const ATTRIBUTE = { origin: 1, asPath: 2, nextHop: 3, localPreference: 5, extendedCommunities: 16 } as const;

/** Length in bits, label, distinguisher, prefix (RFC 4364 section 4.3.4, RFC 8277). */
export function encodeNlri(key: VpnKey, label?: number): Buffer {
  const length = keyLength(key.prefix);
  const bytes = Math.ceil(length / 8);
  const nlri = Buffer.alloc(12 + bytes);
  nlri[0] = 88 + length;
  nlri.writeUIntBE(label === undefined ? WITHDRAWN : label * 16 + BOTTOM_OF_STACK, 1, 3);
  encodeDistinguisher(key.distinguisher).copy(nlri, 4);
  const address = keyAddress(key.prefix);
  for (let at = 0; at < bytes; at++) nlri[12 + at] = address >>> (24 - 8 * at);
  return nlri;
}

/** All but the NLRI: origin, AS path, next hop, local preference, extended communities (RFC 4271 section 4.3, RFC 4360). */
export function encodeAttributes({ nextHop, localPreference, targets, encapsulations }: Omit<VpnPath, keyof VpnKey | 'label'>): Buffer[] {
  const communities = Buffer.concat([...targets.map(encodeTarget), ...encapsulations.map(encodeEncapsulation)]);
  return [
    attribute(WELL_KNOWN, ATTRIBUTE.origin, Buffer.from([0])),
    attribute(WELL_KNOWN, ATTRIBUTE.asPath, Buffer.alloc(0)),
    attribute(WELL_KNOWN, ATTRIBUTE.nextHop, u32(nextHop)),
    attribute(WELL_KNOWN, ATTRIBUTE.localPreference, u32(localPreference)),
    attribute(OPTIONAL_TRANSITIVE, ATTRIBUTE.extendedCommunities, communities),
  ];
}

/** Origin AS and route target (RFC 4684 section 4). */
export function encodeMembership(asn: number, target: string): Buffer {
  return Buffer.concat([Buffer.from([96]), u32(asn), encodeTarget(target)]);
}

/** Attributes of a membership: it is the engine's own, so its address is the next hop. */
export const encodeMembershipAttributes = (nextHop: number): Buffer[] => [
  attribute(WELL_KNOWN, ATTRIBUTE.origin, Buffer.from([0])),
  attribute(WELL_KNOWN, ATTRIBUTE.asPath, Buffer.alloc(0)),
  attribute(WELL_KNOWN, ATTRIBUTE.nextHop, u32(nextHop)),
];

/** Types 0 to 2 (RFC 4364 section 4.2). */
export function encodeDistinguisher(text: string): Buffer {
  const colon = text.lastIndexOf(':');
  return administered(text.slice(0, colon), Number(text.slice(colon + 1)), (type) => type);
}

/** "target:64512:100" (RFC 4360 section 4, RFC 5668 for 4-byte AS numbers). */
export function encodeTarget(text: string): Buffer {
  const colon = text.lastIndexOf(':');
  return administered(text.slice('target:'.length, colon), Number(text.slice(colon + 1)), (type) => type * 256 + ROUTE_TARGET);
}

/** RFC 9012 section 4.1. */
function encodeEncapsulation(tunnelType: number): Buffer {
  const community = Buffer.alloc(8);
  community.writeUInt16BE(ENCAPSULATION, 0);
  community.writeUInt16BE(tunnelType, 6);
  return community;
}

/** Eight bytes: type, administrator (2-byte AS, address, 4-byte AS: types 0, 1, 2), assigned number. */
function administered(administrator: string, assigned: number, typeField: (type: number) => number): Buffer {
  const bytes = Buffer.alloc(8);
  const type = administrator.includes('.') ? 1 : Number(administrator) < 65536 ? 0 : 2;
  bytes.writeUInt16BE(typeField(type), 0);
  if (type === 0) {
    bytes.writeUInt16BE(Number(administrator), 2);
    bytes.writeUInt32BE(assigned, 4);
  } else {
    bytes.writeUInt32BE(type === 1 ? parseAddress(administrator)! : Number(administrator), 2);
    bytes.writeUInt16BE(assigned, 6);
  }
  return bytes;
}

function attribute(flags: number, type: number, value: Buffer): Buffer {
  if (value.length < 256) return Buffer.concat([Buffer.from([flags, type, value.length]), value]);
  return Buffer.concat([Buffer.from([flags | EXTENDED_LENGTH, type, value.length >>> 8, value.length & 255]), value]);
}

function u32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}
