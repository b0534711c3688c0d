/** From the objects to what the BGP speaker of this controller is told: who it is, who its peers are, where tunnels may lead. */
import { parseAddress, parsePrefix } from '../model/address.ts';
import { asnOf } from '../model/defaults.ts';
import { BGP_ROUTERS, lastName, VROUTER_CONFIG, type Stored } from '../model/kinds.ts';
import type { Objects } from '../model/objects.ts';
import type { TunnelPolicy } from './paths.ts';
import type { Family, PeerSettings, Speaker } from './types.ts';

/** A peer, and the bgp-router that it is. */
export interface Neighbor extends PeerSettings { readonly name: string }

export interface BgpSettings {
  /** Undefined: this controller speaks no BGP. */
  readonly speaker: Speaker | undefined;
  readonly neighbors: readonly Neighbor[];
  readonly policy: TunnelPolicy;
  /** Why it does not speak although there are routers; '' = nothing is wrong. */
  readonly problem: string;
}

const PORT = 179;
const HOLD_TIME = 90;
const RESTART_TIME = 120;
/** Contrail's names of families, and ours. */
const FAMILIES: Readonly<Record<string, Family>> = { 'inet-vpn': 'ipv4-vpn', 'route-target': 'route-target', 'inet6-vpn': 'ipv6-vpn', 'e-vpn': 'evpn' };
const DEFAULT_FAMILIES = ['inet-vpn'];

/** @param controller its own name: it is the bgp-router of that name. */
export function bgpSettings(objects: Objects, controller: string): BgpSettings {
  const name = `${BGP_ROUTERS}:${controller}`;
  const own = objects.get('bgp-router', name);
  const routers = [...objects.all('bgp-router')].filter(({ spec }) => spec.kind === 'ROUTER');
  const policy: TunnelPolicy = {
    destinations: [
      ...(objects.get('global-vrouter-config', VROUTER_CONFIG)?.spec.dynamicTunnelNetworks ?? []).map((text) => parsePrefix(text)!),
      ...routers.map(({ spec }) => ({ address: parseAddress(spec.address)!, length: 32 })),
    ],
    own: new Set([...objects.all('virtual-router')].flatMap(({ spec }) => parsePrefix(spec.fabric?.address ?? '')?.address ?? [])),
  };
  const silent = (problem: string): BgpSettings => ({ speaker: undefined, neighbors: [], policy, problem });
  if (!own) return silent(routers.length === 0 ? '' : `there is no bgp-router ${name}: create it, as a CONTROL_NODE with this controller's address`);
  if (own.spec.kind !== 'CONTROL_NODE') return silent(`bgp-router ${name} bears this controller's name and is a ${own.spec.kind}: only a CONTROL_NODE can be one`);
  const address = parseAddress(own.spec.address)!;
  const peers = routers.filter((router) => own.spec.peers.includes(router.name) || router.spec.peers.includes(name));
  // Without peers there is nobody to speak to, and a speaker that listens is one that can be attacked.
  if (own.spec.adminDown || peers.length === 0) return silent('');
  return {
    speaker: { asn: own.spec.autonomousSystem || asnOf(objects), routerId: parseAddress(own.spec.identifier) || address, port: own.spec.port || PORT, addresses: [address] },
    neighbors: peers.filter(({ spec }) => !spec.adminDown).map((router) => neighborOf(router, own, objects)),
    policy,
    problem: '',
  };
}

function neighborOf({ name, spec }: Stored<'bgp-router'>, own: Stored<'bgp-router'>, objects: Objects): Neighbor {
  const familiesOf = (families: readonly string[]): readonly string[] => (families.length > 0 ? families : DEFAULT_FAMILIES);
  const theirs = familiesOf(spec.addressFamilies);
  return {
    name: lastName(name),
    address: parseAddress(spec.address)!,
    port: spec.port || PORT,
    asn: spec.autonomousSystem || asnOf(objects),
    families: familiesOf(own.spec.addressFamilies).filter((family) => theirs.includes(family)).map((family) => FAMILIES[family]!),
    holdTime: Math.min(spec.holdTime || HOLD_TIME, own.spec.holdTime || HOLD_TIME),
    password: spec.authKey,
    localAddress: parseAddress(own.spec.address)!,
    client: spec.routeReflectorClient,
    multihop: spec.multihop,
    restartTime: spec.restartTime || RESTART_TIME,
  };
}
