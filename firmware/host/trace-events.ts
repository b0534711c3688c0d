/** Reads the trace buffer that the core's nodes filled (wasm-core/nodes/trace.ts) into typed events. */
import * as L from '../../wasm-core/layout.ts';
import { GRAPH_NODES } from './catalogue.ts';

export type TraceEvent = {
  /** Name of the node, nodes.json. */
  node: string;
  kind: number;
  /** Number of the packet in this trace: 0 is the traced one, others the core made on the way. */
  packet: number;
  args: readonly number[];
  rxInterface: number; txInterface: number; vrf: number; flags: number; length: number; ihl: number; protocol: number;
  source: string; destination: string; outerSource: string;
  nexthop: number; label: number; hash: number; drop: number; scratch: number;
  /** Lane or record that translates the source, 0 = none. */
  snat: number;
  /** Address in the memory that `head` was copied from: the packet or, when it is about to leave, its frame. */
  at: number;
  /** First bytes from there on, as they were after the node. */
  head: Uint8Array;
};

export function wordText(word: number): string {
  return `${word & 255}.${(word >>> 8) & 255}.${(word >>> 16) & 255}.${word >>> 24}`;
}

function readEvent(view: DataView, bytes: Uint8Array, at: number): TraceEvent {
  const meta = at + L.TE_META;
  const u16 = (offset: number): number => view.getUint16(meta + offset, true);
  const u32 = (offset: number): number => view.getUint32(meta + offset, true);
  return {
    node: GRAPH_NODES.get(view.getUint16(at + L.TE_NODE, true))?.name ?? `node-${view.getUint16(at + L.TE_NODE, true)}`,
    kind: view.getUint16(at + L.TE_KIND, true),
    packet: view.getUint32(at + L.TE_ARGS, true),
    args: Array.from({ length: 7 }, (_, i) => view.getUint32(at + L.TE_ARGS + 4 * i, true)),
    rxInterface: u16(L.M_RX_IF), txInterface: u16(L.M_TX_IF), vrf: u32(L.M_VRF), flags: u16(L.M_FLAGS), length: u16(L.M_LENGTH),
    ihl: view.getUint8(meta + L.M_IHL), protocol: view.getUint8(meta + L.M_PROTOCOL),
    source: wordText(u32(L.M_SRC)), destination: wordText(u32(L.M_DST)), outerSource: wordText(u32(L.M_OUTER_SRC)),
    nexthop: u32(L.M_NH), label: u32(L.M_LABEL), hash: u32(L.M_HASH), drop: view.getUint8(meta + L.M_DROP), scratch: u32(L.M_SCRATCH), snat: u32(L.M_SNAT),
    at: u32(L.M_L3),
    head: bytes.slice(at + L.TE_PACKET, at + L.TE_PACKET + L.TE_PACKET_SIZE),
  };
}

/** All events of the last trace, in order. */
export function readTrace(view: DataView, bytes: Uint8Array): TraceEvent[] {
  const count = Math.min(view.getUint32(L.TRACE, true), L.MAX_TRACE_EVENTS);
  return Array.from({ length: count }, (_, i) => readEvent(view, bytes, L.TRACE + L.TRACE_EVENTS + i * L.TRACE_EVENT_SIZE));
}
