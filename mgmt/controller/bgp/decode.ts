/**
 * From the engine's paths to ours. What we cannot use (another family, a missing next hop) is undefined, never a guess.
 *
 * A router tells a hundred thousand of them in one go, and the engine each in a message of its own. So they are read field by field,
 * and what repeats (attributes, distinguishers, addresses of peers and next hops) is known by its bytes and opened once.
 */
import protobuf from 'protobufjs';
import { codecOf, type Codec } from '../../../proto/load.ts';
import type * as api from '../../../proto/gobgp.ts';
import { isNetwork, parseAddress, prefixKey } from '../model/address.ts';
import { FAMILIES, type Family, type ReceivedPath, type VpnKey } from './types.ts';

const FILE = 'gobgp.proto';
const PREFIX = 'type.googleapis.com/apipb.';
const ROUTE_TARGET = 2;
const DEFAULT_LOCAL_PREFERENCE = 100;
const MEMORY_SIZE = 8192;

/** A path that changed. One that is not withdrawn and yet has no path is there, but of no use to us. */
export interface DecodedPath { readonly peer: number; readonly key: VpnKey; readonly withdrawn: boolean; readonly stale: boolean; readonly path: ReceivedPath | undefined }

// ---- fields ----------------------------------------------------------------------------------------------------------------

/** Numbers of the fields that are read here (gobgp.proto); a message's others are passed over. */
const PATH = { nlri: 1, attribute: 2, isWithdraw: 5, family: 9, stale: 13, neighbor: 15 } as const;
const ANY = { typeUrl: 1, value: 2 } as const;
const FAMILY = { afi: 1, safi: 2 } as const;
const VPN_PREFIX = { labels: 1, distinguisher: 2, length: 3, prefix: 4 } as const;
const MP_REACH = { nextHops: 2 } as const;
/** A tag is the number of a field times 8, and its wire type. */
const [NUMBER, WIRE_TYPE, LENGTH_DELIMITED] = [3, 7, 2];
const EMPTY: Buffer = Buffer.alloc(0);

const { Reader } = protobuf;
/** What lies in a field of bytes; not copied. */
const bytesOf = (reader: protobuf.Reader): Buffer => reader.bytes() as Buffer;

function openAny(bytes: Buffer): api.Any {
  const reader = Reader.create(bytes);
  let typeUrl = '';
  let value = EMPTY;
  while (reader.pos < reader.len) {
    const tag = reader.uint32();
    switch (tag >>> NUMBER) {
      case ANY.typeUrl: typeUrl = reader.string(); break;
      case ANY.value: value = bytesOf(reader); break;
      default: reader.skipType(tag & WIRE_TYPE);
    }
  }
  return { typeUrl, value };
}

/** The value of an Any, if it is of this type: asked of every path, so nothing is made of the others. */
function valueOf(any: Buffer, type: Buffer): Buffer | undefined {
  const reader = Reader.create(any);
  let isIt = false;
  let value = EMPTY;
  while (reader.pos < reader.len) {
    const tag = reader.uint32();
    switch (tag >>> NUMBER) {
      case ANY.typeUrl: isIt = type.equals(bytesOf(reader)); break;
      case ANY.value: value = bytesOf(reader); break;
      default: reader.skipType(tag & WIRE_TYPE);
    }
  }
  return isIt ? value : undefined;
}

const codecs = new Map<string, Codec<unknown>>();
function unpack<T>(any: api.Any): T {
  const name = any.typeUrl.slice(PREFIX.length);
  let codec = codecs.get(name);
  if (!codec) codecs.set(name, codec = codecOf(FILE, `apipb.${name}`));
  return codec.decode(any.value) as T;
}
const isOf = (any: api.Any, name: string): boolean => any.typeUrl === PREFIX + name;

/** What was opened lately, by its bytes; a memory for each kind of thing. */
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

// ---- paths -----------------------------------------------------------------------------------------------------------------

/**
 * @param bytes an apipb.Path
 * @param now milliseconds since 1970
 * @returns undefined for what is no VPNv4 route of a peer, e.g. one of our own.
 * @throws when the bytes are no such message.
 */
export function decodePath(bytes: Buffer, now: number): DecodedPath | undefined {
  const reader = Reader.create(bytes);
  let nlri: Prefix | undefined;
  let [peer, nextHop]: (number | undefined)[] = [];
  let [isVpn, isWithdraw, stale] = [false, false, false];
  const attributes: Partial<Attributes>[] = [];
  while (reader.pos < reader.len) {
    const tag = reader.uint32();
    switch (tag >>> NUMBER) {
      case PATH.nlri: nlri = openNlri(bytesOf(reader)); break;
      case PATH.attribute: {
        const attribute = bytesOf(reader);
        // The next hop comes with the prefix, so that attribute is never the same twice.
        const reach = openReach(attribute);
        if (reach) nextHop = reach.nextHop;
        else attributes.push(attributesOf(attribute));
        break;
      }
      case PATH.isWithdraw: isWithdraw = reader.bool(); break;
      case PATH.family: isVpn = isVpnFamily(bytesOf(reader)); break;
      case PATH.stale: stale = reader.bool(); break;
      case PATH.neighbor: peer = addressOf(bytesOf(reader)); break;
      default: reader.skipType(tag & WIRE_TYPE);
    }
  }
  if (peer === undefined || !isVpn || !nlri) return undefined;
  const { distinguisher, prefix, label } = nlri;
  const key = { family: 'ipv4-vpn', distinguisher, prefix } as const;
  if (isWithdraw) return { peer, key, withdrawn: true, stale: false, path: undefined };
  if (nextHop === undefined || label === undefined) return { peer, key, withdrawn: false, stale, path: undefined };
  const { localPreference, origin, asPath, targets, encapsulations }: Attributes = Object.assign({ ...NO_ATTRIBUTES }, ...attributes);
  return { peer, key, withdrawn: false, stale, path: { family: 'ipv4-vpn', distinguisher, prefix, localPreference, origin, asPath, targets, encapsulations, nextHop, label, peer, since: now } };
}

export function familyOf(family: api.Family | null): Family | undefined {
  const found = Object.entries(FAMILIES).find(([, { afi, safi }]) => afi === family?.afi && safi === family.safi);
  return found?.[0] as Family | undefined;
}

const isVpnFamily = remembering((bytes) => {
  const reader = Reader.create(bytes);
  let [afi, safi] = [0, 0];
  while (reader.pos < reader.len) {
    const tag = reader.uint32();
    switch (tag >>> NUMBER) {
      case FAMILY.afi: afi = reader.int32(); break;
      case FAMILY.safi: safi = reader.int32(); break;
      default: reader.skipType(tag & WIRE_TYPE);
    }
  }
  return familyOf({ afi, safi }) === 'ipv4-vpn';
});

/** Of peers and next hops; NaN stands for what is none, so that it is remembered too. */
const addressOrNaN = remembering((bytes) => parseAddress(bytes.toString('utf8')) ?? NaN);
function addressOf(bytes: Buffer): number | undefined {
  const address = addressOrNaN(bytes);
  return Number.isNaN(address) ? undefined : address;
}

interface Prefix { readonly distinguisher: string; readonly prefix: number; readonly label: number | undefined }

const VPN_PREFIX_TYPE = Buffer.from(`${PREFIX}LabeledVPNIPAddressPrefix`);
const REACH_TYPE = Buffer.from(`${PREFIX}MpReachNLRIAttribute`);

/** @returns undefined for what is no VPNv4 prefix. */
function openNlri(any: Buffer): Prefix | undefined {
  const value = valueOf(any, VPN_PREFIX_TYPE);
  if (!value) return undefined;
  const reader = Reader.create(value);
  let [label, address]: (number | undefined)[] = [];
  let [distinguisher, length] = ['', 0];
  while (reader.pos < reader.len) {
    const tag = reader.uint32();
    switch (tag >>> NUMBER) {
      case VPN_PREFIX.labels: {
        // The first of them, whether they are packed or not.
        const first = (tag & WIRE_TYPE) === LENGTH_DELIMITED ? firstOf(bytesOf(reader)) : reader.uint32();
        label ??= first;
        break;
      }
      case VPN_PREFIX.distinguisher: distinguisher = distinguisherOf(bytesOf(reader)); break;
      case VPN_PREFIX.length: length = reader.uint32(); break;
      case VPN_PREFIX.prefix: address = parseAddress(reader.string()); break;
      default: reader.skipType(tag & WIRE_TYPE);
    }
  }
  if (address === undefined || length > 32 || !isNetwork({ address, length }) || distinguisher === '') return undefined;
  return { distinguisher, prefix: prefixKey(address, length), label };
}

const firstOf = (packed: Buffer): number | undefined => (packed.length > 0 ? Reader.create(packed).uint32() : undefined);

/**
 * The first next hop of an MpReachNLRIAttribute; undefined for other attributes. All prefixes of the message that the route came in
 * follow it, so nothing behind it is looked at.
 */
function openReach(any: Buffer): { readonly nextHop: number | undefined } | undefined {
  const value = valueOf(any, REACH_TYPE);
  if (!value) return undefined;
  const reader = Reader.create(value);
  while (reader.pos < reader.len) {
    const tag = reader.uint32();
    if (tag >>> NUMBER === MP_REACH.nextHops) return { nextHop: addressOf(bytesOf(reader)) };
    reader.skipType(tag & WIRE_TYPE);
  }
  return { nextHop: undefined };
}

// ---- attributes ------------------------------------------------------------------------------------------------------------

type Attributes = Omit<ReceivedPath, keyof VpnKey | 'nextHop' | 'label' | 'peer' | 'since'>;
const NO_ATTRIBUTES: Attributes = { localPreference: DEFAULT_LOCAL_PREFERENCE, origin: 0, asPath: [], targets: [], encapsulations: [] };

const attributesOf = remembering((bytes): Partial<Attributes> => {
  const attribute = openAny(bytes);
  switch (attribute.typeUrl.slice(PREFIX.length)) {
    case 'LocalPrefAttribute': return { localPreference: unpack<api.LocalPrefAttribute>(attribute).localPref };
    case 'OriginAttribute': return { origin: unpack<api.OriginAttribute>(attribute).origin };
    case 'AsPathAttribute': return { asPath: unpack<api.AsPathAttribute>(attribute).segments.flatMap((segment) => segment.numbers) };
    case 'ExtendedCommunitiesAttribute': return decodeCommunities(attribute);
    default: return {};
  }
});

function decodeCommunities(attribute: api.Any): { targets: readonly string[]; encapsulations: readonly number[] } {
  const targets: string[] = [];
  const encapsulations: number[] = [];
  for (const community of unpack<api.ExtendedCommunitiesAttribute>(attribute).communities) {
    const target = decodeTarget(community);
    if (target) targets.push(target);
    else if (isOf(community, 'EncapExtended')) encapsulations.push(unpack<api.EncapExtended>(community).tunnelType);
  }
  return { targets: targets.sort(), encapsulations: encapsulations.sort((one, other) => one - other) };
}

function decodeTarget(community: api.Any): string | undefined {
  if (isOf(community, 'IPv4AddressSpecificExtended')) {
    const { subType, address, localAdmin } = unpack<api.IPv4AddressSpecificExtended>(community);
    return subType === ROUTE_TARGET ? `target:${address}:${localAdmin}` : undefined;
  }
  if (!isOf(community, 'TwoOctetAsSpecificExtended') && !isOf(community, 'FourOctetAsSpecificExtended')) return undefined;
  const { subType, asn, localAdmin } = unpack<api.TwoOctetAsSpecificExtended>(community);
  return subType === ROUTE_TARGET ? `target:${asn}:${localAdmin}` : undefined;
}

/** '' for what is none. */
const distinguisherOf = remembering((bytes) => {
  const any = openAny(bytes);
  if (!any.typeUrl.startsWith(`${PREFIX}RouteDistinguisher`)) return '';
  const { admin, assigned } = unpack<{ admin: number | string; assigned: number }>(any);
  return `${admin}:${assigned}`;
});
