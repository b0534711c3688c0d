/**
 * BGP in our own words. What drives an engine (engine.ts) and what comes out of it is made of these, so that no engine's API
 * shows beyond its adapter. Addresses and prefixes are numbers as in model/address.ts; route targets and distinguishers are
 * texts ("target:64512:100", "10.169.25.20:5").
 */

/** Address families by what they carry. The last two are spoken and not yet filled: their paths are no `VpnPath`s. */
export const FAMILIES = { 'ipv4-vpn': { afi: 1, safi: 128 }, 'route-target': { afi: 1, safi: 132 }, 'ipv6-vpn': { afi: 2, safi: 128 }, 'evpn': { afi: 25, safi: 70 } } as const;
export type Family = keyof typeof FAMILIES;

/** Tunnel types of the encapsulation extended community (RFC 9012, IANA). */
export const TUNNEL = { gre: 2, vxlan: 8, mplsInGre: 11, mplsInUdp: 13 } as const;

export interface Speaker {
  /** 2 or 4 bytes (RFC 6793). */
  readonly asn: number;
  readonly routerId: number;
  /** TCP port, -1: accepts no connections. */
  readonly port: number;
  /** Addresses to listen on; empty: all. */
  readonly addresses: readonly number[];
}

export interface PeerSettings {
  readonly address: number;
  /** TCP port that it listens on. */
  readonly port: number;
  readonly asn: number;
  readonly families: readonly Family[];
  /** Seconds; a third of it is the keepalive interval. */
  readonly holdTime: number;
  /** Of TCP MD5 (RFC 2385), '' = none. */
  readonly password: string;
  /** Where the session starts from, 0 = as the kernel chooses. */
  readonly localAddress: number;
  /** A client of route reflection (RFC 4456), internal peers only. */
  readonly client: boolean;
  /** Routers between us and an external peer that is not on our subnet: its TTL, 0 = it is. */
  readonly multihop: number;
  /** Seconds that each side keeps the other's routes when the session is lost (RFC 4724), 0 = not at all. */
  readonly restartTime: number;
}

/** A VPN route that goes out (RFC 4364). */
export interface VpnPath {
  readonly family: 'ipv4-vpn';
  readonly distinguisher: string;
  /** model/address.ts: address * 64 + length. */
  readonly prefix: number;
  readonly label: number;
  readonly nextHop: number;
  readonly targets: readonly string[];
  readonly encapsulations: readonly number[];
  readonly localPreference: number;
}

/** What a route is known by, to whoever announces it. */
export type VpnKey = Pick<VpnPath, 'family' | 'distinguisher' | 'prefix'>;
export const vpnKey = ({ distinguisher, prefix }: Omit<VpnKey, 'family'>): string => `${distinguisher} ${prefix}`;

/** A VPN route that came in. */
export interface ReceivedPath extends VpnPath {
  /** Who sent it. */
  readonly peer: number;
  readonly asPath: readonly number[];
  /** 0 IGP, 1 EGP, 2 incomplete. */
  readonly origin: number;
  /** Milliseconds since 1970 when it came in this form. */
  readonly since: number;
}

/** What a route that came in is known by: peers may tell the same one. */
export const receivedKey = (path: ReceivedPath): string => `${path.peer} ${vpnKey(path)}`;

export interface PathChanges {
  readonly announce: readonly VpnPath[];
  readonly withdraw: readonly VpnKey[];
}

/** A peer's session as it is now. */
export interface PeerStatus {
  readonly address: number;
  readonly asn: number;
  readonly state: 'idle' | 'connect' | 'active' | 'open-sent' | 'open-confirm' | 'established';
  readonly routerId: string;
  /** Milliseconds since 1970, 0 = never. */
  readonly establishedSince: number;
  readonly flaps: number;
  /** Received: those too that went through us before. Accepted: those that are routes. */
  readonly families: readonly { readonly family: Family; readonly received: number; readonly accepted: number; readonly advertised: number; readonly endOfRib: boolean; readonly gracefulRestart: boolean }[];
}
