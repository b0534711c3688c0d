/**
 * The reference forwarder: docs/forwarding.md in plain TypeScript, one packet at a time, written from the rules and not from
 * the core. It is the judge of the differential test, so it is slow, allocates freely and computes every checksum over
 * everything that it covers.
 */
import {
  IFF_RPF, IFF_SOURCE_CHECK, IFF_UP, IFK_FABRIC, IFK_WORKLOAD, NHK_INTERFACE, NHK_RESOLVE, NHK_TUNNEL_GRE,
} from '../../wasm-core/layout.ts';
import { RECORD_NEXTHOP } from '../../wasm-core/records.ts';
import { arpInput, arpRequest, BROADCAST } from './arp.ts';
import { fragment } from './fragment.ts';
import { icmpError, mayBeToldOf } from './icmp-error.ts';
import { validate } from './ipv4.ts';
import { answer } from './local.ts';
import { Neighbours, type Neighbour, type Waiting } from './neighbours.ts';
import { byLabel, decide, isRoutedBack, type Lookups } from './nexthop.ts';
import {
  destinationOf, Dropped, dropped, isFragment, PROTOCOL_GRE, protocol, sourceOf, totalLength, type ErrorRequest, type Packet,
} from './packet.ts';
import { Tables, type Interface, type Match, type NextHop } from './tables.ts';
import { asArrived, clampMss, translate } from './translate.ts';
import { decapsulate, encapsulate } from './tunnel.ts';
import { byteAt, macText, read16, write16 } from './wire.ts';

const ETHERTYPE_IPV4 = 0x0800;
const ETHERTYPE_ARP = 0x0806;
const ETHERTYPE_VLAN = 0x8100;

/** The end of a packet, or a frame that leaves. */
export type Outcome =
  | { readonly verdict: 'transmitted'; readonly port: number; readonly frame: Uint8Array }
  | { readonly verdict: 'dropped'; readonly reason: string }
  | { readonly verdict: 'held' };

export class Forwarder implements Lookups {
  readonly tables = new Tables();
  readonly neighbours = new Neighbours();
  /** `drop NAME`, `interface N rx packets`, `vrf N bytes`, `next hop N packets`, `originated` …; what is 0 is absent. */
  readonly counters = new Map<string, number>();
  readonly seed: bigint;
  /** Milliseconds. */
  now = 0;
  /** Running number for what the core originates. */
  identification = 0;
  #outcomes: Outcome[] = [];

  constructor(seed: bigint) {
    this.seed = seed;
  }

  apply(kind: number, batch: Uint8Array): void {
    this.tables.apply(kind, batch);
    if (kind === RECORD_NEXTHOP) for (const hop of this.tables.nextHops.values()) this.#knowNeighbour(hop);
  }

  /** One frame in by a port; every outcome that follows from it. */
  receive(port: number, frame: Uint8Array): Outcome[] {
    this.#outcomes = [];
    this.#count('received');
    this.#ethernetInput(port, frame);
    return this.#outcomes;
  }

  /** Time goes on to `now`: repeats ARP requests and gives up. */
  tick(now: number): Outcome[] {
    this.#outcomes = [];
    this.now = now;
    const { ask, lost } = this.neighbours.age(now);
    for (const neighbour of ask) this.#askFor(neighbour, BROADCAST);
    for (const { packet } of lost) this.#dieNamed(packet, () => {
      throw new Dropped('neighbour_unresolved', { type: 3, code: 1, mtu: 0 });
    });
    return this.#outcomes;
  }

  countedLookup(packet: Packet, vrf: number): Match | undefined {
    this.countLookup(packet, vrf);
    return this.tables.lookup(vrf, destinationOf(packet.bytes));
  }

  countLookup(packet: Packet, vrf: number): void {
    this.#count(`vrf ${vrf} packets`);
    this.#count(`vrf ${vrf} bytes`, totalLength(packet.bytes));
  }

  // ---- in ----------------------------------------------------------------------------------------------------------------

  /** Section 1. */
  #ethernetInput(port: number, frame: Uint8Array): void {
    const received = this.#classify(port, frame);
    this.#count(`interface ${received.id} rx packets`);
    this.#count(`interface ${received.id} rx bytes`, frame.length);
    this.#dieNamed({ receivedBy: received.id }, () => {
      if (received.reason !== '') dropped(received.reason);
      const iface = this.#interface(received.id);
      const broadcast = (byteAt(frame, 0) & 1) !== 0;
      if (!broadcast && macText(frame.subarray(0, 6)) !== macText(iface.mac)) dropped('ethernet_not_for_us');
      const type = read16(frame, received.l3 - 2);
      const content = frame.subarray(received.l3);
      if (type === ETHERTYPE_ARP) this.#arp(iface, content);
      else if (type === ETHERTYPE_IPV4) this.#ipv4Input(iface, content, broadcast);
      else dropped('ethertype_unknown');
    });
  }

  /** Which interface a frame counts on, where its payload begins, and why it dies already, if it does. */
  #classify(port: number, frame: Uint8Array): { id: number; l3: number; reason: string } {
    const own = this.tables.interfaces.get(port);
    const stateOf = (iface: Interface | undefined): string => {
      if (iface === undefined) return 'interface_unknown';
      return iface.flags & IFF_UP ? '' : 'interface_down';
    };
    if (stateOf(own) !== '') return { id: port, l3: 0, reason: stateOf(own) };
    if (frame.length < 14) return { id: port, l3: 0, reason: 'ethernet_too_short' };
    if (read16(frame, 12) !== ETHERTYPE_VLAN) return { id: port, l3: 14, reason: '' };
    if (frame.length < 18) return { id: port, l3: 0, reason: 'ethernet_too_short' };
    const vlan = read16(frame, 14) & 0x0fff;
    if (vlan === 0) return { id: port, l3: 18, reason: '' };
    const sub = [...this.tables.interfaces.values()].find((iface) => iface.parent === port && iface.vlan === vlan);
    if (sub === undefined) return { id: port, l3: 0, reason: 'vlan_unknown' };
    return { id: sub.id, l3: 18, reason: stateOf(sub) };
  }

  /** Sections 2 and 3. */
  #ipv4Input(iface: Interface, available: Uint8Array, broadcast: boolean): void {
    const bytes = validate(available, { broadcast });
    const packet = newPacket(bytes, { receivedBy: iface.id, vrf: iface.vrf, broadcast });
    this.#dieNamed(packet, () => {
      const toUs = destinationOf(bytes) === iface.address;
      if (toUs && iface.kind === IFK_FABRIC && protocol(bytes) === PROTOCOL_GRE) this.#tunnelInput(packet);
      else {
        if (!toUs || iface.kind === IFK_WORKLOAD) this.#admitSource(iface, packet);
        if (toUs) this.#local(packet);
        else this.#forward(packet, undefined);
      }
    });
  }

  #admitSource(iface: Interface, packet: Packet): void {
    if (iface.kind === IFK_WORKLOAD) {
      const lanes = this.tables.byPrivate(iface.id, sourceOf(packet.bytes));
      if (iface.flags & IFF_SOURCE_CHECK && sourceOf(packet.bytes) !== iface.workload && lanes.length === 0) dropped('source_mismatch');
      packet.candidates = lanes;
    } else if (iface.flags & IFF_RPF && !isRoutedBack(this.tables, packet)) dropped('rpf_failed');
  }

  /** Section 4. */
  #tunnelInput(outer: Packet): void {
    if (isFragment(outer.bytes)) dropped('tunnel_fragment');
    const { label, inner } = decapsulate(outer.bytes);
    if (label < 16 || !this.tables.labels.has(label)) dropped('label_unknown');
    const bytes = validate(inner, undefined);
    const packet = newPacket(bytes, { receivedBy: outer.receivedBy, vrf: outer.vrf, tunnelledFrom: sourceOf(outer.bytes) });
    this.#dieNamed(packet, () => this.#forward(packet, byLabel(this, packet, label)));
  }

  /** Section 9. */
  #local(packet: Packet): void {
    const reply = newPacket(answer(packet.bytes), { receivedBy: packet.receivedBy, vrf: packet.vrf, originated: true });
    this.#dieNamed(reply, () => this.#forward(reply, undefined));
  }

  #arp(iface: Interface, content: Uint8Array): void {
    const { released, reply, dropReason } = arpInput(this.tables, this.neighbours, iface, content, this.now);
    for (const { packet, hop } of released) this.#dieNamed(packet, () => this.#output(packet, hop));
    if (reply === undefined) dropped(dropReason);
    this.#transmit(iface, reply.to, ETHERTYPE_ARP, reply.packet);
  }

  // ---- out ---------------------------------------------------------------------------------------------------------------

  /** Sections 5 to 8. */
  #forward(packet: Packet, labelHop: NextHop | undefined): void {
    const decision = decide(this, packet, labelHop);
    if (decision.deliver === 'local') {
      this.#local(packet);
      return;
    }
    const { hop } = decision;
    translate(packet);
    clampMss(packet.bytes, this.#mssLimit(packet.receivedBy, hop.interface));
    const pieces = fragment(packet.bytes, hop.mtu);
    this.#count('originated', pieces.length - 1);
    for (const [index, bytes] of pieces.entries()) {
      const piece = index === 0 ? { ...packet, bytes } : { ...packet, bytes, arrived: bytes };
      this.#dieNamed(piece, () => this.#output(piece, hop));
    }
  }

  #mssLimit(...interfaces: number[]): number {
    const workloads = interfaces.map((id) => this.tables.interfaces.get(id)).filter((iface) => iface?.kind === IFK_WORKLOAD);
    const limits = workloads.map((iface) => this.tables.vrfs.get(iface?.vrf ?? 0)?.mss ?? 0).filter((limit) => limit !== 0);
    return limits.length === 0 ? 0 : Math.min(...limits);
  }

  /** A finished (inner) packet to its neighbour. */
  #output(packet: Packet, hop: NextHop): void {
    const iface = this.#interface(hop.interface);
    const address = hop.kind === NHK_RESOLVE ? destinationOf(packet.bytes) : resolvedAddress(hop);
    const neighbour = this.neighbours.claim(iface.id, address);
    const use = this.neighbours.use(neighbour, this.now);
    if (use.use === 'hold') {
      this.neighbours.hold(neighbour, { ...packet, arrived: asArrived(packet) }, hop);
      this.#outcomes.push({ verdict: 'held' });
      if (use.ask) this.#askFor(neighbour, BROADCAST);
      return;
    }
    if (use.probe) this.#askFor(neighbour, use.mac);
    const l3 = hop.kind === NHK_TUNNEL_GRE ? encapsulate(packet.bytes, hop) : packet.bytes;
    this.#count(`next hop ${hop.id} packets`);
    this.#count(`next hop ${hop.id} bytes`, packet.bytes.length);
    this.#transmit(iface, use.mac, ETHERTYPE_IPV4, l3);
  }

  #askFor(neighbour: Neighbour, to: Uint8Array): void {
    const iface = this.#interface(neighbour.interface);
    this.#count('originated');
    this.#dieNamed({ receivedBy: 0 }, () => this.#transmit(iface, to, ETHERTYPE_ARP, arpRequest(iface, neighbour.address)));
  }

  /** Sections 8.5 and 8.6. */
  #transmit(iface: Interface, to: Uint8Array, type: number, l3: Uint8Array): void {
    const header = new Uint8Array(iface.vlan === 0 ? 14 : 18);
    header.set(to, 0);
    header.set(iface.mac, 6);
    if (iface.vlan !== 0) {
      write16(header, 12, ETHERTYPE_VLAN);
      write16(header, 14, iface.vlan);
    }
    write16(header, header.length - 2, type);
    if ((iface.flags & IFF_UP) === 0) dropped('interface_down');
    const frame = new Uint8Array(header.length + l3.length);
    frame.set(header);
    frame.set(l3, header.length);
    this.#outcomes.push({ verdict: 'transmitted', port: iface.parent || iface.id, frame });
    this.#count('transmitted');
    this.#count(`interface ${iface.id} tx packets`);
    this.#count(`interface ${iface.id} tx bytes`, frame.length);
  }

  // ---- ends --------------------------------------------------------------------------------------------------------------

  /**
   * Runs a step of a packet's way; when it dies there, counts it by name and originates the ICMP error that it asks for.
   *
   * @param packet what dies; only its interface (0 = none) while it is not known to be IPv4
   */
  #dieNamed(packet: Packet | { readonly receivedBy: number }, step: () => void): void {
    try {
      step();
    } catch (error) {
      if (!(error instanceof Dropped)) throw error;
      this.#outcomes.push({ verdict: 'dropped', reason: error.reason });
      this.#count(`drop ${error.reason}`);
      this.#count(`interface ${packet.receivedBy} drops`);
      if (error.error !== undefined && 'arrived' in packet) this.#tell(packet, error.error);
    }
  }

  /** Section 11. */
  #tell(packet: Packet, request: ErrorRequest): void {
    const iface = this.#interface(packet.receivedBy);
    if (iface.address === 0 || !mayBeToldOf(packet)) return;
    const bytes = icmpError(packet, request, iface.address, this.identification & 0xffff);
    this.identification += 1;
    const vrf = packet.tunnelledFrom === undefined ? iface.vrf : packet.vrf;
    const told = newPacket(bytes, { receivedBy: iface.id, vrf, originated: true });
    this.#count('originated');
    this.#dieNamed(told, () => this.#forward(told, undefined));
  }

  /** Next hops bring their neighbours: known when they name a MAC, else to be found by ARP. */
  #knowNeighbour(hop: NextHop): void {
    if (hop.kind !== NHK_INTERFACE && hop.kind !== NHK_TUNNEL_GRE) return;
    const neighbour = this.neighbours.claim(hop.interface, resolvedAddress(hop));
    if (hop.mac.every((byte) => byte === 0)) return;
    neighbour.mac = hop.mac;
    neighbour.static = true;
  }

  #interface(id: number): Interface {
    const iface = this.tables.interfaces.get(id);
    if (iface === undefined) throw new RangeError(`no interface ${id}`);
    return iface;
  }

  #count(name: string, by = 1): void {
    if (by !== 0) this.counters.set(name, (this.counters.get(name) ?? 0) + by);
  }
}

function newPacket(
  bytes: Uint8Array,
  from: { receivedBy: number; vrf: number; originated?: boolean; broadcast?: boolean; tunnelledFrom?: number },
): Packet {
  return {
    bytes,
    arrived: bytes.slice(),
    receivedBy: from.receivedBy,
    vrf: from.vrf,
    originated: from.originated ?? false,
    broadcast: from.broadcast ?? false,
    tunnelledFrom: from.tunnelledFrom,
    candidates: [],
    sourceTranslation: undefined,
    destinationTranslation: undefined,
    translations: 0,
  };
}

/** Whose MAC a next hop of the kinds interface and tunnel needs. */
function resolvedAddress(hop: NextHop): number {
  return hop.kind === NHK_TUNNEL_GRE ? hop.gateway : hop.remote;
}
