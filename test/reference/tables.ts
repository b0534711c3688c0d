/** The tables as Maps and arrays, built from the same packed records that the core takes (wasm-core/records.ts). */
import * as record from '../../wasm-core/records.ts';
import * as layout from '../../wasm-core/layout.ts';
import { addressText } from './wire.ts';

export interface Interface {
  readonly id: number;
  readonly kind: number;
  readonly flags: number;
  readonly vlan: number;
  readonly vrf: number;
  readonly mac: Uint8Array;
  readonly mtu: number;
  readonly address: number;
  readonly mask: number;
  readonly workload: number;
  readonly parent: number;
}

export interface Vrf {
  readonly id: number;
  readonly flags: number;
  readonly mss: number;
  readonly routes: Map<string, Route>;
}

export interface Route {
  readonly prefix: number;
  readonly length: number;
  readonly nextHop: number;
}

export interface NextHop {
  readonly id: number;
  readonly kind: number;
  readonly flags: number;
  readonly interface: number;
  readonly remote: number;
  readonly local: number;
  readonly value: number;
  readonly mac: Uint8Array;
  /** Greatest (inner) packet: as given, or (0) as its interface has it. */
  readonly givenMtu: number;
  readonly mtu: number;
  /** Address that is resolved for it. */
  readonly gateway: number;
}

export interface FloatingIp {
  readonly public: number;
  readonly private: number;
  readonly vrf: number;
  readonly interface: number;
  readonly direction: number;
  readonly order: number;
}

export interface Match {
  readonly nextHop: number;
  readonly length: number;
}

/** IPv4 20, GRE 4, MPLS 4. */
export const TUNNEL_OVERHEAD = 28;

export class Tables {
  readonly interfaces = new Map<number, Interface>();
  readonly vrfs = new Map<number, Vrf>();
  readonly nextHops = new Map<number, NextHop>();
  readonly ecmp = new Map<number, number[]>();
  readonly labels = new Map<number, number>();
  readonly floatingIps = new Map<string, FloatingIp>();

  /** Takes a batch of `RECORD_*` records, as `apply` of the core does. The records must be valid. */
  apply(kind: number, batch: Uint8Array): void {
    const size = RECORD_SIZES[kind];
    if (size === undefined) throw new RangeError(`record kind ${kind}`);
    for (let at = 0; at < batch.length; at += size) this.#applyOne(kind, batch.subarray(at, at + size));
  }

  /** Longest prefix match by looking at every route. */
  lookup(vrf: number, address: number): Match | undefined {
    let best: Route | undefined;
    for (const route of this.vrfs.get(vrf)?.routes.values() ?? []) {
      const matches = Math.floor(address / 2 ** (32 - route.length)) === Math.floor(route.prefix / 2 ** (32 - route.length));
      if (matches && (best === undefined || route.length > best.length)) best = route;
    }
    return best;
  }

  /** Floating IPs of an interface by private address that translate sources, or only permit them; in order. */
  byPrivate(iface: number, address: number): FloatingIp[] {
    return this.#ordered((fip) => fip.interface === iface && fip.private === address && fip.direction !== layout.FIPD_INGRESS);
  }

  /** Floating IP of an interface by public address that translates destinations. */
  byPublic(iface: number, address: number): FloatingIp | undefined {
    return [...this.floatingIps.values()].find(
      (fip) => fip.interface === iface && fip.public === address && (fip.direction & layout.FIPD_INGRESS) !== 0,
    );
  }

  /** The next hop itself, or the members of an ECMP group. */
  members(nextHop: number): NextHop[] {
    const ids = this.ecmp.get(nextHop) ?? [nextHop];
    return ids.map((id) => this.nextHops.get(id)).filter((found) => found !== undefined);
  }

  #ordered(wanted: (fip: FloatingIp) => boolean): FloatingIp[] {
    return [...this.floatingIps.values()].filter(wanted).sort((a, b) => a.order - b.order || a.public - b.public || a.vrf - b.vrf);
  }

  #mtuOf(hop: Pick<NextHop, 'kind' | 'interface' | 'givenMtu'>): number {
    const overhead = hop.kind === layout.NHK_TUNNEL_GRE ? TUNNEL_OVERHEAD : 0;
    return hop.givenMtu || (this.interfaces.get(hop.interface)?.mtu ?? 0) - overhead;
  }

  #applyOne(kind: number, bytes: Uint8Array): void {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const u8 = (at: number): number => view.getUint8(at);
    const u16 = (at: number): number => view.getUint16(at, true);
    const u32 = (at: number): number => view.getUint32(at, true);
    const address = (at: number): number => view.getUint32(at, false);
    const mac = (at: number): Uint8Array => bytes.slice(at, at + 6);

    switch (kind) {
      case record.RECORD_VRF: {
        const id = u32(record.VR_ID);
        if (u8(record.VR_KIND) === record.VR_DELETE) this.vrfs.delete(id);
        else this.vrfs.set(id, { id, flags: u8(record.VR_FLAGS), mss: u16(record.VR_MSS), routes: this.vrfs.get(id)?.routes ?? new Map() });
        break;
      }
      case record.RECORD_INTERFACE: {
        const id = u32(record.IX_ID);
        if (u8(record.IX_KIND) === 0) this.interfaces.delete(id);
        else
          this.interfaces.set(id, {
            id,
            kind: u8(record.IX_KIND),
            flags: u8(record.IX_FLAGS),
            vlan: u16(record.IX_VLAN),
            vrf: u32(record.IX_VRF),
            mac: mac(record.IX_MAC),
            mtu: u16(record.IX_MTU),
            address: address(record.IX_ADDRESS),
            mask: address(record.IX_MASK),
            workload: address(record.IX_WORKLOAD),
            parent: u16(record.IX_PARENT),
          });
        for (const hop of this.nextHops.values()) if (hop.interface === id) this.nextHops.set(hop.id, { ...hop, mtu: this.#mtuOf(hop) });
        break;
      }
      case record.RECORD_NEXTHOP: {
        const id = u32(record.NX_ID);
        const hopKind = u8(record.NX_KIND);
        if (hopKind === layout.NHK_NONE) {
          this.nextHops.delete(id);
          this.ecmp.delete(id);
          break;
        }
        const remote = address(record.NX_REMOTE);
        const hop = {
          id,
          kind: hopKind,
          flags: u8(record.NX_FLAGS),
          interface: u16(record.NX_INTERFACE),
          remote,
          local: address(record.NX_LOCAL),
          value: u32(record.NX_VALUE),
          mac: mac(record.NX_MAC),
          givenMtu: u16(record.NX_MTU),
          gateway: address(record.NX_GATEWAY) || remote,
        };
        this.nextHops.set(id, { ...hop, mtu: this.#mtuOf(hop) });
        if (hopKind === layout.NHK_ECMP) {
          const former = this.ecmp.get(id) ?? [];
          this.ecmp.set(id, Array.from({ length: u32(record.NX_VALUE) }, (_, slot) => former[slot] ?? 0));
        }
        break;
      }
      case record.RECORD_ECMP: {
        const slots = this.ecmp.get(u32(record.EC_NEXTHOP));
        if (slots === undefined) throw new RangeError(`ECMP slot of ${u32(record.EC_NEXTHOP)}, which is no group`);
        slots[u32(record.EC_SLOT)] = u32(record.EC_MEMBER);
        break;
      }
      case record.RECORD_LABEL:
        if (u32(record.LB_NEXTHOP) === 0) this.labels.delete(u32(record.LB_LABEL));
        else this.labels.set(u32(record.LB_LABEL), u32(record.LB_NEXTHOP));
        break;
      case record.RECORD_FLOATING_IP: {
        const fip: FloatingIp = {
          public: address(record.FL_PUBLIC),
          private: address(record.FL_PRIVATE),
          vrf: u32(record.FL_VRF),
          interface: u16(record.FL_INTERFACE),
          direction: u8(record.FL_DIRECTION),
          order: u16(record.FL_ORDER),
        };
        const identity = `${fip.public} ${fip.vrf} ${fip.interface}`;
        if (fip.direction === 0) this.floatingIps.delete(identity);
        else this.floatingIps.set(identity, fip);
        break;
      }
      case record.RECORD_ROUTE: {
        const vrf = this.vrfs.get(u32(record.RT_VRF));
        if (vrf === undefined) throw new RangeError(`route of VRF ${u32(record.RT_VRF)}, which does not exist`);
        const route: Route = { prefix: address(record.RT_PREFIX), length: u8(record.RT_LENGTH), nextHop: u32(record.RT_NEXTHOP) };
        const key = `${addressText(route.prefix)}/${route.length}`;
        if (route.nextHop === 0) vrf.routes.delete(key);
        else vrf.routes.set(key, route);
        break;
      }
    }
  }
}

export const RECORD_SIZES: Readonly<Record<number, number>> = {
  [record.RECORD_ROUTE]: record.RT_SIZE,
  [record.RECORD_NEXTHOP]: record.NX_SIZE,
  [record.RECORD_ECMP]: record.EC_SIZE,
  [record.RECORD_LABEL]: record.LB_SIZE,
  [record.RECORD_FLOATING_IP]: record.FL_SIZE,
  [record.RECORD_INTERFACE]: record.IX_SIZE,
  [record.RECORD_VRF]: record.VR_SIZE,
};
