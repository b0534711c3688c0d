/** A tunnel as a next hop of an appliance: of these a fleet has millions, so it holds what is its own, and shares the rest. */
import { NHF_EXTERNAL, NHK_TUNNEL_GRE } from '../../../wasm-core/layout.ts';
import { contains } from '../model/address.ts';
import type { NexthopRecord } from './appliance.ts';
import type { Nexthop, Underlay } from './types.ts';

/** Outer IPv4 (20), GRE (4) and MPLS (4) header. */
const TUNNEL_OVERHEAD = 28;
const NO_SLOTS: readonly number[] = [];

export type Tunnel = Extract<Nexthop, { kind: 'tunnel' }>;

/** One number for all that distinguishes tunnels over one underlay: 32 bits of address, 20 of label, one more. */
export const tunnelNumber = ({ remote, label, external }: Tunnel): number => (remote * 2 ** 20 + label) * 2 + (external ? 1 : 0);

/** What a tunnel is by content, its underlay included: a next hop never changes under its id. */
export function tunnelKey({ remote, label, external }: Tunnel, underlay: Underlay): string {
  return ['tunnel', remote, label, external ? 'external' : 'internal', underlay.address, underlay.mtu, gatewayTowards(remote, underlay)].join(' ');
}

function gatewayTowards(remote: number, underlay: Underlay): number {
  return contains(underlay, remote) ? 0 : underlay.gateway;
}

export class TunnelRecord implements NexthopRecord {
  readonly id: number;
  readonly remote: number;
  readonly value: number;
  readonly flags: number;
  readonly interface: number;
  readonly #underlay: Underlay;
  references = 0;

  /** @param fabric id of the interface that it leaves by. */
  constructor(id: number, { remote, label, external }: Tunnel, underlay: Underlay, fabric: number) {
    this.id = id;
    this.remote = remote;
    this.value = label;
    this.flags = external ? NHF_EXTERNAL : 0;
    this.interface = fabric;
    this.#underlay = underlay;
  }

  get kind(): number { return NHK_TUNNEL_GRE; }
  get tunnel(): Tunnel { return { kind: 'tunnel', remote: this.remote, label: this.value, external: this.flags !== 0 }; }
  get key(): string { return tunnelKey(this.tunnel, this.#underlay); }
  get local(): number { return this.#underlay.address; }
  get mac(): number { return 0; }
  get mtu(): number { return this.#underlay.mtu - TUNNEL_OVERHEAD; }
  get gateway(): number { return gatewayTowards(this.remote, this.#underlay); }
  get slots(): readonly number[] { return NO_SLOTS; }
}
