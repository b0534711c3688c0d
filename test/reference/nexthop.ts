/** docs/forwarding.md sections 4.4, 4.5, 6 and 7: which next hop, and whether the packet may take it. */
import {
  FIPD_EGRESS, NHF_EXTERNAL, NHK_DISCARD, NHK_ECMP, NHK_INTERFACE, NHK_NONE, NHK_RECEIVE, NHK_RESOLVE, NHK_TUNNEL_GRE, NHK_VRF,
  VRFF_EXTERNAL, VRFF_RPF,
} from '../../wasm-core/layout.ts';
import {
  destinationOf, dontFragment, dropped, droppedWithError, isFragment, payloadOf, PROTOCOL_SCTP, PROTOCOL_TCP, PROTOCOL_UDP, protocol, sealHeader,
  sourceOf, timeToLive, totalLength, type Packet,
} from './packet.ts';
import type { Match, NextHop, Tables } from './tables.ts';


const MAX_TRANSLATIONS = 4;

/** What `decide` needs of the forwarder. */
export interface Lookups {
  readonly tables: Tables;
  /** Key of the flow hash. */
  readonly seed: bigint;
  /** A longest prefix match that the VRF counts. */
  countedLookup(packet: Packet, vrf: number): Match | undefined;
  countLookup(packet: Packet, vrf: number): void;
}

export type Decision = { readonly deliver: 'local' } | { readonly deliver: 'hop'; readonly hop: NextHop };

/** Looks the packet up until it has a next hop that is no VRF, checks it, steps the TTL. */
export function decide(lookups: Lookups, packet: Packet, labelHop: NextHop | undefined): Decision {
  let hop = labelHop ?? lookup(lookups, packet);
  for (;;) {
    hop = member(lookups, packet, hop);
    if (hop.kind !== NHK_VRF) break;
    packet.translations += 1;
    if (packet.translations > MAX_TRANSLATIONS) dropped('vrf_loop');
    packet.vrf = hop.value;
    hop = hopOf(lookups.tables, lookups.countedLookup(packet, packet.vrf)?.nextHop);
  }
  if (hop.kind === NHK_DISCARD) dropped('route_discard');
  if (hop.kind === NHK_RECEIVE) return { deliver: 'local' };
  if (hop.kind !== NHK_INTERFACE && hop.kind !== NHK_RESOLVE && hop.kind !== NHK_TUNNEL_GRE) dropped('nexthop_invalid');
  admit(lookups.tables, packet, hop);
  return { deliver: 'hop', hop };
}

/** Sections 5 and 6: the native route, or that of the floating IP whose VRF matches longer. */
function lookup(lookups: Lookups, packet: Packet): NextHop {
  const { tables } = lookups;
  const native = lookups.countedLookup(packet, packet.vrf);
  let best = native;
  for (const fip of packet.candidates) {
    if ((fip.direction & FIPD_EGRESS) === 0) continue;
    const match = tables.lookup(fip.vrf, destinationOf(packet.bytes));
    if (match === undefined || match.length <= (best?.length ?? -1)) continue;
    best = match;
    packet.sourceTranslation = fip;
  }
  if (packet.sourceTranslation !== undefined) {
    packet.vrf = packet.sourceTranslation.vrf;
    lookups.countLookup(packet, packet.vrf);
  }
  return hopOf(tables, best?.nextHop);
}

function hopOf(tables: Tables, id: number | undefined): NextHop {
  const hop = tables.nextHops.get(id ?? 0);
  if (hop === undefined || hop.kind === NHK_NONE) droppedWithError('no_route', 3, 0);
  return hop;
}

/** Section 7.1: the member of an ECMP group that the flow takes, or the next hop itself. */
export function member(lookups: Lookups, packet: Packet, hop: NextHop): NextHop {
  if (hop.kind !== NHK_ECMP) return hop;
  const slots = lookups.tables.ecmp.get(hop.id) ?? [];
  const first = Number((BigInt(flowHash(packet, lookups.seed)) * BigInt(slots.length)) >> 32n);
  for (let step = 0; step < slots.length; step += 1) {
    const id = slots[(first + step) % slots.length];
    if (id !== undefined && id !== 0) return hopOf(lookups.tables, id);
  }
  return dropped('ecmp_empty');
}

/** The 32-bit hash of section 7, from the packet as it arrived. */
export function flowHash({ arrived }: Packet, seed: bigint): number {
  const littleEndian = (at: number): bigint => BigInt(new DataView(arrived.buffer, arrived.byteOffset).getUint32(at, true));
  const hasPorts = [PROTOCOL_TCP, PROTOCOL_UDP, PROTOCOL_SCTP].includes(protocol(arrived)) && !isFragment(arrived) && payloadOf(arrived).length >= 4;
  const ports = hasPorts ? littleEndian(arrived.length - payloadOf(arrived).length) : 0n;
  let hash = ((littleEndian(12) << 32n) | littleEndian(16)) ^ seed;
  hash = BigInt.asUintN(64, hash * 0x9e3779b97f4a7c15n);
  hash ^= (BigInt(protocol(arrived)) << 32n) | ports;
  hash = BigInt.asUintN(64, hash * 0xc2b2ae3d27d4eb4fn);
  return Number(hash >> 32n);
}

/** Section 7.3 to 7.6. */
function admit(tables: Tables, packet: Packet, hop: NextHop): void {
  const external = (tables.vrfs.get(packet.vrf)?.flags ?? 0) & VRFF_EXTERNAL;
  if (hop.flags & NHF_EXTERNAL && packet.sourceTranslation === undefined && !external && !packet.originated) dropped('source_not_translated');
  if (hop.kind === NHK_INTERFACE) packet.destinationTranslation = tables.byPublic(hop.interface, destinationOf(packet.bytes));
  if (!packet.originated) {
    if (timeToLive(packet.bytes) <= 1) droppedWithError('ttl_exceeded', 11, 0);
    packet.bytes[8] = timeToLive(packet.bytes) - 1;
    sealHeader(packet.bytes);
  }
  if (totalLength(packet.bytes) > hop.mtu && dontFragment(packet.bytes)) droppedWithError('fragmentation_needed', 3, 4, hop.mtu);
}

/**
 * Section 4.4 and 4.5: a label's next hop.
 *
 * @returns the next hop when the label names an interface; undefined when its VRF must be looked up
 */
export function byLabel(lookups: Lookups, packet: Packet, label: number): NextHop | undefined {
  const { tables } = lookups;
  const labelled = tables.nextHops.get(tables.labels.get(label) ?? 0);
  if (labelled === undefined) throw new RangeError(`label ${label} has no next hop`);
  const hop = member(lookups, packet, labelled);
  if (hop.kind === NHK_VRF) packet.vrf = hop.value;
  else if (hop.kind === NHK_INTERFACE) {
    const fip = tables.byPublic(hop.interface, destinationOf(packet.bytes));
    packet.vrf = fip?.vrf ?? tables.interfaces.get(hop.interface)?.vrf ?? 0;
  } else dropped('nexthop_invalid');

  if ((tables.vrfs.get(packet.vrf)?.flags ?? 0) & VRFF_RPF) {
    const back = tables.lookup(packet.vrf, sourceOf(packet.bytes));
    const known = back !== undefined && tables.members(back.nextHop).some((m) => m.kind === NHK_TUNNEL_GRE && m.remote === packet.tunnelledFrom);
    if (!known) dropped('rpf_failed');
  }
  return hop.kind === NHK_INTERFACE ? hop : undefined;
}

/** Section 3, RFC 3704 strict: is the source routed out of the interface that the packet came in by? */
export function isRoutedBack(tables: Tables, packet: Packet): boolean {
  const back = tables.lookup(packet.vrf, sourceOf(packet.bytes));
  return back !== undefined && leavesBy(tables, back.nextHop, packet.receivedBy, [NHK_INTERFACE, NHK_RESOLVE]);
}

/** Whether a next hop, or any member of it, leaves by an interface. */
export function leavesBy(tables: Tables, nextHop: number, iface: number, kinds: readonly number[]): boolean {
  return tables.members(nextHop).some((hop) => kinds.includes(hop.kind) && hop.interface === iface);
}

