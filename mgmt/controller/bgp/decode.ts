/** From the engine's paths to ours. What we cannot use (another family, a missing next hop) is undefined, never a guess. */
import { codecOf, type Codec } from '../../../proto/load.ts';
import type * as api from '../../../proto/gobgp.ts';
import { isNetwork, parseAddress, prefixKey } from '../model/address.ts';
import { FAMILIES, type Family, type ReceivedPath, type VpnKey } from './types.ts';

const FILE = 'gobgp.proto';
const PREFIX = 'type.googleapis.com/apipb.';
const ROUTE_TARGET = 2;
const DEFAULT_LOCAL_PREFERENCE = 100;
/** Attributes repeat: those of one peer's routes are few, and decoding them is most of the work. */
const CACHE_SIZE = 4096;

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
  const distinguisher = nlri.rd && decodeDistinguisher(nlri.rd);
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
  let [nextHop, localPreference, origin]: [number | undefined, number, number] = [undefined, DEFAULT_LOCAL_PREFERENCE, 0];
  let asPath: readonly number[] = [];
  let communities: Communities = { targets: [], encapsulations: [] };
  for (const attribute of attributes) {
    switch (attribute.typeUrl.slice(PREFIX.length)) {
      case 'MpReachNLRIAttribute': nextHop = parseAddress(unpack<api.MpReachNLRIAttribute>(attribute).nextHops[0] ?? ''); break;
      case 'LocalPrefAttribute': localPreference = unpack<api.LocalPrefAttribute>(attribute).localPref; break;
      case 'OriginAttribute': origin = unpack<api.OriginAttribute>(attribute).origin; break;
      case 'AsPathAttribute': asPath = unpack<api.AsPathAttribute>(attribute).segments.flatMap((segment) => segment.numbers); break;
      case 'ExtendedCommunitiesAttribute': communities = decodeCommunities(attribute); break;
    }
  }
  return { nextHop, localPreference, origin, asPath, ...communities };
}

interface Communities { readonly targets: readonly string[]; readonly encapsulations: readonly number[] }
const cache = new Map<string, Communities>();

function decodeCommunities(attribute: api.Any): Communities {
  const bytes = attribute.value.toString('latin1');
  const known = cache.get(bytes);
  if (known) return known;
  const targets: string[] = [];
  const encapsulations: number[] = [];
  for (const community of unpack<api.ExtendedCommunitiesAttribute>(attribute).communities) {
    const target = decodeTarget(community);
    if (target) targets.push(target);
    else if (isOf(community, 'EncapExtended')) encapsulations.push(unpack<api.EncapExtended>(community).tunnelType);
  }
  const found = { targets: targets.sort(), encapsulations: encapsulations.sort((one, other) => one - other) };
  if (cache.size >= CACHE_SIZE) cache.clear();
  cache.set(bytes, found);
  return found;
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
