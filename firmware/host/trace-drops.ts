/** Why a traced packet died: the reason's own text, and what in this packet and these tables made it so. */
import * as L from '../../wasm-core/layout.ts';
import { DROP_REASONS } from './catalogue.ts';
import { addressText, macText } from './packet-summary.ts';
import type { TraceEvent } from './trace-events.ts';
import { interfaceAt, interfaceName, matchText, vrfName, type Tables } from './trace-names.ts';

const BY_NAME = new Map([...DROP_REASONS.values()].map((reason) => [reason.name, reason]));

/** Name of a drop reason, empty for 0. */
export function dropName(code: number): string {
  return code === 0 ? '' : DROP_REASONS.get(code)?.name ?? `reason_${code}`;
}

/** "no_route: no route in the VRF". */
export function dropText(code: number): string {
  const drop = DROP_REASONS.get(code);
  return drop === undefined ? `reason ${code}` : `${drop.name}: ${drop.text}`;
}

export function dropCode(name: string): number {
  return BY_NAME.get(name)?.code ?? 0;
}

/** Nothing is lost: the core took the packet in. */
export function isConsumed(name: string): boolean {
  return BY_NAME.get(name)?.class === 'consumed';
}

const u16 = (b: Uint8Array, at: number): number => ((b[at] ?? 0) << 8) | (b[at + 1] ?? 0);

/** What the reason's own text cannot know. */
const DETAILS: Record<string, (t: Tables, event: TraceEvent) => string> = {
  ethernet_not_for_us: (t, e) => `to ${macText(e.head)}, ours is ${macText(t.bytes, interfaceAt(e.rxInterface) + L.IF_MAC)}`,
  vlan_unknown: (t, e) => `VLAN ${u16(e.head, 14) & 0xFFF} on ${interfaceName(t, e.rxInterface)}`,
  source_mismatch: (t, e) => `${e.source} is neither ${addressText(t.bytes, interfaceAt(e.rxInterface) + L.IF_WORKLOAD)} nor a further address of ${interfaceName(t, e.rxInterface)}`,
  arp_spoofed: (t, e) => `${addressText(e.head, 14)} is neither ${addressText(t.bytes, interfaceAt(e.rxInterface) + L.IF_WORKLOAD)} nor a further address of ${interfaceName(t, e.rxInterface)}`,
  rpf_failed: (t, e) => `${vrfName(t, e.args[1]!)} sends ${e.source} to ${matchText(t, e.args)}; the packet came ${e.outerSource === '0.0.0.0' ? `by ${interfaceName(t, e.rxInterface)}` : `from ${e.outerSource}`}`,
  label_unknown: (_t, e) => `label ${e.label}`,
  ttl_exceeded: (_t, e) => `TTL ${e.head[8]}`,
  fragmentation_needed: (t, e) => `${e.length} bytes, the next hop takes ${t.view.getUint16(L.NEXTHOPS + e.nexthop * 2 ** L.NEXTHOP_SHIFT + L.NH_MTU, true)}`,
  source_not_translated: (t, e) => `${e.source} has no floating IP for this way, and ${vrfName(t, e.vrf)} is not external`,
  arp_not_for_us: (_t, e) => addressText(e.head, 24),
  arp_unsolicited: (_t, e) => addressText(e.head, 14),
};

/** "dropped: ttl_exceeded: TTL ran out (TTL 1)". */
export function dropSentence(t: Tables, event: TraceEvent): string {
  const detail = DETAILS[dropName(event.drop)]?.(t, event);
  return `${isConsumed(dropName(event.drop)) ? 'taken in' : 'dropped'}: ${dropText(event.drop)}${detail === undefined ? '' : ` (${detail})`}`;
}
