/** What the compile step works with, between the objects and an appliance's records. */
import type { Pod } from '../../../proto/sync.ts';

/** A next hop by what it does, on one appliance. Interfaces go by key, so that ids stay the appliance's own business. */
export type Nexthop =
  | { readonly kind: 'discard' | 'receive' }
  | { readonly kind: 'resolve'; readonly interface: string }
  | { readonly kind: 'router'; readonly interface: string; readonly address: number }
  | { readonly kind: 'workload'; readonly interface: string; readonly mac: number }
  | { readonly kind: 'vrf'; readonly vrf: string }
  | { readonly kind: 'tunnel'; readonly remote: number; readonly label: number; readonly external: boolean };

/**
 * A way to a prefix, before anybody imports it: what a VPN route is in BGP. A VRF takes it when it imports one of its targets.
 * Beside real route targets there are two of our own, which no operator can write: `vrf <name>` is imported by that VRF
 * everywhere, `instance <appliance> <name>` by that VRF on one appliance.
 */
export interface Path {
  /** Distinguishes paths by content: equal paths have equal ids. */
  readonly id: string;
  readonly prefix: number;
  readonly targets: readonly string[];
  readonly preference: number;
  /** Where it leads to; '' for a path that is local wherever it is imported. */
  readonly appliance: string;
  /** What that appliance does with it. */
  readonly nexthop: Nexthop;
  /** How others reach it. */
  readonly tunnelAddress: number;
  readonly label: number;
  /** VRF that it is exported from at its appliance: half of its route distinguisher. '' for what no router hears of. */
  readonly vrf: string;
  /** A floating IP: announced on a gateway's plain side. */
  readonly floating: boolean;
  /** Id of the object that it was made from. */
  readonly source: string;
}

/** A path that routers hear of, with the number that its VRF has on its appliance. */
export interface ExportedPath extends Pick<Path, 'id' | 'prefix' | 'targets' | 'preference' | 'tunnelAddress' | 'label'> { readonly vrf: number }
/** Exported paths that are no more, and that are new. */
export interface ExportChanges { readonly gone: readonly ExportedPath[]; readonly come: readonly ExportedPath[] }

/** Lower wins; equal ones share the traffic. */
export const PREFERENCE = { connected: 0, workload: 10, static: 20, gateway: 100, subnet: 255 } as const;

export const vrfTarget = (vrf: string): string => `vrf ${vrf}`;
export const instanceTarget = (appliance: string, vrf: string): string => `instance ${appliance} ${vrf}`;

/** What a VRF is like, wherever it is. */
export interface VrfSettings {
  readonly name: string;
  /** Targets that it imports. */
  readonly imports: readonly string[];
  /** VRFF_* */
  readonly flags: number;
  /** LPM_*, 0 = the core chooses. */
  readonly kind: number;
  readonly mss: number;
}

export interface InterfaceElement {
  readonly key: string;
  readonly name: string;
  readonly port: string;
  readonly kind: number;
  readonly flags: number;
  readonly vlan: number;
  readonly vrf: string;
  readonly mac: number;
  readonly mtu: number;
  readonly address: number;
  readonly mask: number;
  readonly workload: number;
  /** Key of the interface that carries it, '' = none. */
  readonly parent: string;
  /** Whose it is, where a pod's. */
  readonly pod?: Pod;
}

export interface LabelElement { readonly key: string; readonly label: number; readonly nexthop: Nexthop }

export interface FloatingElement {
  readonly name: string;
  readonly public: number;
  readonly private: number;
  readonly vrf: string;
  readonly interface: string;
  readonly direction: number;
  readonly order: number;
}

/** The underlay of an appliance, as its tunnels see it. */
export interface Underlay {
  readonly address: number;
  readonly length: number;
  /** 0 = none. */
  readonly gateway: number;
  readonly mtu: number;
  readonly isGateway: boolean;
}

/** A static route table: prefixes ascending, one of `hops` each. */
export interface Bulk {
  readonly name: string;
  readonly targets: readonly string[];
  readonly prefixes: Float64Array;
  readonly index: Uint8Array;
  /** Candidates per next hop; their prefix is not meant. */
  readonly hops: readonly (readonly Path[])[];
  /** Routers hear of its routes. */
  readonly advertised: boolean;
}

/** What one unit (an interface, an appliance, a network, a route table) adds to the state. */
export interface Contribution {
  /** The appliance that the elements are on, '' = none. */
  readonly appliance: string;
  readonly underlay?: Underlay;
  /** VRFs that it defines, and VRFs that it needs on its appliance. */
  readonly settings: readonly VrfSettings[];
  readonly vrfs: readonly string[];
  readonly interfaces: readonly InterfaceElement[];
  readonly labels: readonly LabelElement[];
  readonly floating: readonly FloatingElement[];
  readonly paths: readonly Path[];
  readonly bulk?: Bulk;
}

export const NOTHING: Contribution = { appliance: '', settings: [], vrfs: [], interfaces: [], labels: [], floating: [], paths: [] };
