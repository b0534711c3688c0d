/** What people call the numbers of the tables, and what the tables say about them: shared by all sentences of a trace. */
import * as L from '../../wasm-core/layout.ts';
import { addressText, macText } from './packet-summary.ts';
import { wordText } from './trace-events.ts';

/** Names from the sync stream; whatever has none is told by its number. */
export type TraceNames = {
  interfaces?: ReadonlyMap<number, string>;
  vrfs?: ReadonlyMap<number, string>;
  nexthops?: ReadonlyMap<number, string>;
  /** Keyed by the address's text. */
  floatingIps?: ReadonlyMap<string, string>;
};

/** What a sentence speaks of, by its number in the tables; floating IPs by their address, routes by VRF and prefix. */
export type Mention =
  | { readonly of: 'interface' | 'vrf' | 'nexthop'; readonly id: number }
  | { readonly of: 'floatingIp'; readonly address: string }
  | { readonly of: 'route'; readonly vrf: number; readonly prefix: string };

/** `mentions`: what has been spoken of, for whoever wants to know. */
export type Tables = { view: DataView; bytes: Uint8Array; names: TraceNames; mentions?: Mention[] };

const named = (names: ReadonlyMap<number, string> | undefined, id: number, what: string): string => {
  const name = names?.get(id);
  return name === undefined ? `${what} ${id}` : name;
};

export function interfaceName(t: Tables, id: number): string {
  t.mentions?.push({ of: 'interface', id });
  return named(t.names.interfaces, id, 'interface');
}

export function vrfName(t: Tables, id: number): string {
  t.mentions?.push({ of: 'vrf', id });
  const name = t.names.vrfs?.get(id);
  return name === undefined ? `VRF ${id}` : `VRF ${name}`;
}

export function floatingIpName(t: Tables, address: string): string {
  t.mentions?.push({ of: 'floatingIp', address });
  const name = t.names.floatingIps?.get(address);
  return name === undefined ? address : `${address} (${name})`;
}

export function interfaceAt(id: number): number {
  return L.INTERFACES + id * 2 ** L.INTERFACE_SHIFT;
}

export function nexthopAt(id: number): number {
  return L.NEXTHOPS + id * 2 ** L.NEXTHOP_SHIFT;
}

export function nexthopKind(t: Tables, id: number): number {
  return t.view.getUint8(nexthopAt(id) + L.NH_KIND);
}

function tunnelText(t: Tables, at: number): string {
  const remote = addressText(t.bytes, at + L.NH_REMOTE);
  return `tunnel MPLS over GRE to ${remote}, label ${t.view.getUint32(at + L.NH_AUX, true)}, out of ${interfaceName(t, t.view.getUint16(at + L.NH_INTERFACE, true))}`;
}

/** The neighbour of an interface next hop: its address, or its MAC where that is all that the controller gave (workloads). */
function neighbourOf(t: Tables, at: number): string {
  if (t.view.getUint32(at + L.NH_REMOTE, true) !== 0) return addressText(t.bytes, at + L.NH_REMOTE);
  return macText(t.bytes, L.NEIGHBOURS + t.view.getUint32(at + L.NH_NEIGHBOUR, true) * 2 ** L.NEIGHBOUR_SHIFT + L.NB_MAC);
}

function kindText(t: Tables, id: number): string {
  const at = nexthopAt(id);
  const out = interfaceName(t, t.view.getUint16(at + L.NH_INTERFACE, true));
  const aux = t.view.getUint32(at + L.NH_AUX, true);
  switch (t.view.getUint8(at + L.NH_KIND)) {
    case L.NHK_NONE: return 'nothing';
    case L.NHK_DISCARD: return 'discard';
    case L.NHK_RECEIVE: return 'an own address';
    case L.NHK_INTERFACE: return `out of ${out} to ${neighbourOf(t, at)}`;
    case L.NHK_RESOLVE: return `out of ${out} to whoever has the address`;
    case L.NHK_TUNNEL_GRE: return tunnelText(t, at);
    case L.NHK_ECMP: return `${(aux >>> 24) + 1} equal-cost slots`;
    case L.NHK_VRF: return `${vrfName(t, aux)}, looked up there`;
    default: return 'a kind that cannot forward';
  }
}

/** "next hop 7 (gateway-1): tunnel MPLS over GRE to 10.0.0.1, label 17, out of fabric". */
export function nexthopText(t: Tables, id: number): string {
  t.mentions?.push({ of: 'nexthop', id });
  const name = t.names.nexthops?.get(id);
  return `next hop ${id}${name === undefined ? '' : ` (${name})`}: ${kindText(t, id)}`;
}

/** "0.0.0.0/0", the prefix of a match in event arguments 1 to 4 that there is. */
export function matchedPrefix(t: Tables, args: readonly number[]): string {
  const prefix = `${wordText(args[2] ?? 0)}/${(args[3] ?? 0) - 1}`;
  t.mentions?.push({ of: 'route', vrf: args[1] ?? 0, prefix });
  return prefix;
}

/** "0.0.0.0/0 → next hop 7: …" of a match in event arguments 1 to 4, or "no route". */
export function matchText(t: Tables, args: readonly number[]): string {
  if ((args[3] ?? 0) === 0) return 'no route';
  return `${matchedPrefix(t, args)} → ${nexthopText(t, args[4] ?? 0)}`;
}

/** MAC from two argument words. */
export function argumentMac(low: number, high: number): string {
  const bytes = Uint8Array.of(low & 255, (low >>> 8) & 255, (low >>> 16) & 255, low >>> 24, high & 255, (high >>> 8) & 255);
  return macText(bytes);
}
