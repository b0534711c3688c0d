/** docs/forwarding.md section 10: ARP (RFC 826, 5227). */
import { IFF_PROXY_ARP, IFF_SOURCE_CHECK, IFK_WORKLOAD, NHK_DISCARD, NHK_INTERFACE, NHK_RESOLVE } from '../../wasm-core/layout.ts';
import { leavesBy } from './nexthop.ts';
import { dropped } from './packet.ts';
import type { Interface, Tables } from './tables.ts';
import type { Neighbours, Waiting } from './neighbours.ts';
import { byteAt, read16, read32, write16, write32 } from './wire.ts';

export const BROADCAST = new Uint8Array(6).fill(0xff);
const REQUEST = 1;
const REPLY = 2;

/** An ARP packet of 28 bytes. */
export function arpPacket(operation: number, senderMac: Uint8Array, sender: number, targetMac: Uint8Array, target: number): Uint8Array {
  const arp = new Uint8Array(28);
  write16(arp, 0, 1);
  write16(arp, 2, 0x0800);
  arp[4] = 6;
  arp[5] = 4;
  write16(arp, 6, operation);
  arp.set(senderMac, 8);
  write32(arp, 14, sender);
  arp.set(targetMac, 18);
  write32(arp, 24, target);
  return arp;
}

export function arpRequest(iface: Interface, target: number): Uint8Array {
  return arpPacket(REQUEST, iface.mac, iface.address, new Uint8Array(6), target);
}

/** What an ARP packet leads to: packets that waited for its sender, and a reply or a name for its end. */
export interface ArpResult {
  readonly released: Waiting[];
  readonly reply: { readonly to: Uint8Array; readonly packet: Uint8Array } | undefined;
  readonly dropReason: string;
}

export function arpInput(tables: Tables, neighbours: Neighbours, iface: Interface, arp: Uint8Array, now: number): ArpResult {
  const known = arp.length >= 28 && read16(arp, 0) === 1 && read16(arp, 2) === 0x0800 && byteAt(arp, 4) === 6 && byteAt(arp, 5) === 4;
  if (!known) dropped('arp_malformed');
  const operation = read16(arp, 6);
  const senderMac = arp.slice(8, 14);
  const sender = read32(arp, 14);
  const target = read32(arp, 24);
  if (operation !== REQUEST && operation !== REPLY) dropped('arp_malformed');
  if (byteAt(senderMac, 0) & 1 || senderMac.every((byte) => byte === 0)) dropped('arp_malformed');

  const workload = iface.kind === IFK_WORKLOAD;
  const learnable = sender !== 0 && sender !== iface.address;
  const record = learnable ? neighbours.find(iface.id, sender) : undefined;
  if (operation === REPLY) {
    if (record === undefined) dropped('arp_unsolicited');
    return { released: workload ? [] : neighbours.learn(record, senderMac, now), reply: undefined, dropReason: 'arp_learnt' };
  }

  if (workload && iface.flags & IFF_SOURCE_CHECK) {
    const own = sender === 0 || sender === iface.workload || tables.byPrivate(iface.id, sender).length > 0;
    if (!own) dropped('arp_spoofed');
  }
  const forUs = target === iface.address && target !== 0;
  const inSubnet = (sender & iface.mask) >>> 0 === (iface.address & iface.mask) >>> 0;
  let released: Waiting[] = [];
  if (!workload && learnable) {
    if (record !== undefined) released = neighbours.learn(record, senderMac, now);
    else if (forUs && inSubnet) released = neighbours.learn(neighbours.claim(iface.id, sender), senderMac, now);
  }
  const answers = forUs || (sender !== target && isProxied(tables, iface, target));
  if (!answers) return { released, reply: undefined, dropReason: sender === target ? 'arp_learnt' : 'arp_not_for_us' };
  return { released, reply: { to: senderMac, packet: arpPacket(REPLY, iface.mac, target, senderMac, sender) }, dropReason: '' };
}

/** Whether the interface answers for an address that its VRF routes elsewhere. */
function isProxied(tables: Tables, iface: Interface, target: number): boolean {
  if ((iface.flags & IFF_PROXY_ARP) === 0 || target === iface.workload) return false;
  const route = tables.lookup(iface.vrf, target);
  if (route === undefined || tables.nextHops.get(route.nextHop)?.kind === NHK_DISCARD) return false;
  return !leavesBy(tables, route.nextHop, iface.id, [NHK_INTERFACE, NHK_RESOLVE]);
}
