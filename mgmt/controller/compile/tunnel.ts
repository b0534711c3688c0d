/** A tunnel as a next hop of an appliance, as it is sent: tables keep its number only (nexthops.ts). */
import { NHF_EXTERNAL, NHK_TUNNEL_GRE } from '../../../wasm-core/layout.ts';
import { contains } from '../model/address.ts';
import { isExternal, labelOf, remoteOf, tunnelKey } from '../routing/tunnel-key.ts';
import type { NexthopRecord } from './nexthops.ts';
import type { Underlay } from './types.ts';

/** Outer IPv4 (20), GRE (4) and MPLS (4) header. */
const TUNNEL_OVERHEAD = 28;
const NO_SLOTS: readonly number[] = [];

/** An underlay as part of its tunnels' keys: what of it they differ by, towards hosts of its subnet and towards others. */
export class UnderlayKeys {
  readonly #underlay: Underlay;
  readonly #direct: string;
  readonly #routed: string;

  constructor(underlay: Underlay) {
    const { address, mtu, gateway } = this.#underlay = underlay;
    this.#direct = `${address} ${mtu} 0`;
    this.#routed = `${address} ${mtu} ${gateway}`;
  }

  towards(remote: number): string { return contains(this.#underlay, remote) ? this.#direct : this.#routed; }
}

export class TunnelRecord implements NexthopRecord {
  readonly id: number;
  readonly interface: number;
  readonly #tunnel: number;
  readonly #underlay: Underlay;

  /** @param tunnel see tunnelNumber; @param fabric id of the interface that it leaves by. */
  constructor(id: number, tunnel: number, underlay: Underlay, fabric: number) {
    this.id = id;
    this.interface = fabric;
    this.#tunnel = tunnel;
    this.#underlay = underlay;
  }

  get kind(): number { return NHK_TUNNEL_GRE; }
  get key(): string { return tunnelKey(this.#tunnel, new UnderlayKeys(this.#underlay).towards(this.remote)); }
  get flags(): number { return isExternal(this.#tunnel) ? NHF_EXTERNAL : 0; }
  get remote(): number { return remoteOf(this.#tunnel); }
  get value(): number { return labelOf(this.#tunnel); }
  get local(): number { return this.#underlay.address; }
  get mac(): number { return 0; }
  get mtu(): number { return this.#underlay.mtu - TUNNEL_OVERHEAD; }
  get gateway(): number { return contains(this.#underlay, this.remote) ? 0 : this.#underlay.gateway; }
  get slots(): readonly number[] { return NO_SLOTS; }
}
