/** From the engine's paths to ours. What we cannot use (another family, a missing next hop) is undefined, never a guess. */
import { codecOf, type Codec } from '../../../proto/load.ts';
import type * as api from '../../../proto/gobgp.ts';
import { isNetwork, parseAddress, prefixKey } from '../model/address.ts';
import { FAMILIES, type Family, type ReceivedPath, type VpnKey } from './types.ts';

const FILE = 'gobgp.proto';
const PREFIX = 'type.googleapis.com/apipb.';
const ROUTE_TARGET = 2;
const DEFAULT_LOCAL_PREFERENCE = 100;
/** Attributes and distinguishers repeat, and decoding them is most of the work. */
const MEMORY_SIZE = 8192;

/** A path that changed. One that is not withdrawn and yet has no path is there, but of no use to us. */
export interface DecodedPath { readonly peer: number; readonly key: VpnKey; readonly withdrawn: boolean; readonly stale: boolean; readonly path: ReceivedPath | undefined }

const codecs = new Map<string, Codec<unknown>>();
function unpack<T>(any: api.Any): T {
  const name = any.typeUrl.slice(PREFIX.length);
  let codec = codecs.get(name);
  if (!codec) codecs.set(name, codec = codecOf(FILE, `apipb.${name}`));
  return codec.decode(any.value) as T;
}
const isOf = (any: api.Any | null, name: string): any is api.Any => any !== null && any.typeUrl === PREFIX + name;

/** @returns undefined for what is no VPNv4 route of a peer, e.g. one of our own. */
export function decodePath(path: api.Path, now: number): DecodedPath | undefined {
  const peer = parseAddress(path.neighborIp);
  if (peer === undefined || familyOf(path.family) !== 'ipv4-vpn' || !isOf(path.nlri, 'LabeledVPNIPAddressPrefix')) return undefined;
  const nlri = unpack<api.LabeledVPNIPAddressPrefix>(path.nlri);
  const address = parseAddress(nlri.prefix);
  const distinguisher = nlri.rd && remembered(nlri.rd, decodeDistinguisher);
  if (address === undefined || nlri.prefixLen > 32 || !isNetwork({ address, length: nlri.prefixLen }) || !distinguisher) return undefined;
  const key = { family: 'ipv4-vpn', distinguisher, prefix: prefixKey(address, nlri.prefixLen) } as const;
  if (path.isWithdraw) return { peer, key, withdrawn: true, stale: false, path: undefined };
  const { nextHop, ...attributes } = decodeAttributes(path.pattrs);
  const label = nlri.labels[0];
  if (nextHop === undefined || label === undefined) return { peer, key, withdrawn: false, stale: path.stale, path: undefined };
  return { peer, key, withdrawn: false, stale: path.stale, path: { ...key, ...attributes, nextHop, label, peer, since: now } };
}

export function familyOf(family: api.Family | null): Family | undefined {
  const found = Object.entries(FAMILIES).find(([, { afi, safi }]) => afi === family?.afi && safi === family.safi);
  return found?.[0] as Family | undefined;
}

type Attributes = Omit<ReceivedPath, keyof VpnKey | 'nextHop' | 'label' | 'peer' | 'since'> & { nextHop: number | undefined };

function decodeAttributes(attributes: readonly api.Any[]): Attributes {
  const found: Attributes = { nextHop: undefined, localPreference: DEFAULT_LOCAL_PREFERENCE, origin: 0, asPath: [], targets: [], encapsulations: [] };
  for (const attribute of attributes) {
    // The next hop comes with the prefix, so it is never the same twice.
    if (isOf(attribute, 'MpReachNLRIAttribute')) found.nextHop = parseAddress(unpack<api.MpReachNLRIAttribute>(attribute).nextHops[0] ?? '');
    else Object.assign(found, remembered(attribute, decodeAttribute));
  }
  return found;
}

function decodeAttribute(attribute: api.Any): Partial<Attributes> {
  switch (attribute.typeUrl.slice(PREFIX.length)) {
    case 'LocalPrefAttribute': return { localPreference: unpack<api.LocalPrefAttribute>(attribute).localPref };
    case 'OriginAttribute': return { origin: unpack<api.OriginAttribute>(attribute).origin };
    case 'AsPathAttribute': return { asPath: unpack<api.AsPathAttribute>(attribute).segments.flatMap((segment) => segment.numbers) };
    case 'ExtendedCommunitiesAttribute': return decodeCommunities(attribute);
    default: return {};
  }
}

/** What was decoded lately, by its bytes. */
const memory = new Map<string, unknown>();
function remembered<T>(any: api.Any, decode: (any: api.Any) => T): T {
  const bytes = any.typeUrl + any.value.toString('latin1');
  const known = memory.get(bytes);
  if (known !== undefined) return known as T;
  const decoded = decode(any);
  if (memory.size >= MEMORY_SIZE) memory.clear();
  memory.set(bytes, decoded);
  return decoded;
}

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

function decodeDistinguisher(any: api.Any): string | undefined {
  if (!any.typeUrl.startsWith(`${PREFIX}RouteDistinguisher`)) return undefined;
  const { admin, assigned } = unpack<{ admin: number | string; assigned: number }>(any);
  return `${admin}:${assigned}`;
}
