// Generated from routing.proto by proto/generate.ts: do not edit.
import type { ServerStream, Service, Unary } from './load.ts';

export interface RoutingMethods {
  bgpNeighbors: Unary<BgpNeighborsRequest, BgpNeighborsReply>;
  /** All paths of a VRF, on whichever appliance it is: those in use first. */
  vrfRoutes: ServerStream<VrfRoutesRequest, VrfRoutesReply>;
  tunnels: Unary<TunnelsRequest, TunnelsReply>;
}
export const Routing: Service<RoutingMethods> = { file: 'routing.proto', name: 'wrouter.routing.v1.Routing' };

export interface BgpNeighborsRequest {}

export interface BgpNeighborsReply {
  /** absent: this controller speaks no BGP */
  speaker: Speaker | null;
  neighbors: Neighbor[];
  /** why it does not speak, or not all, with what would help */
  problem: string;
}

export interface Speaker {
  controller: string;
  autonomousSystem: number;
  identifier: string;
  address: string;
  /** routes */
  announced: number;
  /** paths of VPN routes in use */
  received: number;
  /** routes that came in and cannot be used */
  unused: number;
}

export interface Neighbor {
  /** of the bgp-router */
  name: string;
  address: string;
  autonomousSystem: number;
  /** idle | connect | active | open-sent | open-confirm | established */
  state: string;
  /** RFC 3339, of the session; empty: there is none */
  since: string;
  identifier: string;
  /** seconds, as offered */
  holdTime: number;
  flaps: number;
  /** negotiated */
  families: NeighborFamily[];
  /** families */
  offered: string[];
  /** routes kept since its session or we restarted, and not told again yet */
  stale: number;
}

export interface NeighborFamily {
  /** inet-vpn */
  family: string;
  received: number;
  advertised: number;
  gracefulRestart: boolean;
  endOfRib: boolean;
}

export interface VrfRoutesRequest {
  /** its name, or the end of it */
  vrf: string;
  /** only this one; a bare address: its longest match */
  prefix: string;
}

export interface VrfRoutesReply {
  /** its whole name */
  vrf: string;
  routes: VrfRoute[];
}

export interface VrfRoute {
  prefix: string;
  paths: VrfPath[];
}

export interface VrfPath {
  /** used where others of the prefix are not; several share the traffic */
  active: boolean;
  /** tunnel address; empty: local wherever the VRF is */
  protocolNextHop: string;
  label: number;
  /** MPLSoGRE */
  tunnel: string;
  routeTargets: string[];
  /** appliance, or "router 192.168.0.204" */
  origin: string;
  /** object that it was made from; "bgp RD" for a route of a router */
  source: string;
  /** at its appliance: "interface …", "vrf …", "discard" */
  nextHop: string;
  /** leads to the outside */
  external: boolean;
  /** routers hear of it */
  advertised: boolean;
  /** what routers told */
  announcements: Announcement[];
}

export interface Announcement {
  /** bgp-router that told it */
  neighbor: string;
  routeDistinguisher: string;
  /** RFC 3339, in this form */
  since: string;
  localPreference: number;
  asPath: number[];
  /** IGP | EGP | incomplete */
  origin: string;
}

export interface TunnelsRequest {}

export interface TunnelsReply {
  tunnels: Tunnel[];
}

/** Dynamic soft GRE: there as long as a route leads through it. */
export interface Tunnel {
  destination: string;
  /** MPLSoGRE */
  encapsulation: string;
  routes: number;
  /** RFC 3339 */
  since: string;
  /** bgp-router at its end, if one has that address */
  router: string;
  /** tunnel addresses of the appliances that use it */
  sources: string[];
}
