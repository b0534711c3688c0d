/**
 * Tells what would happen to a frame, and why: the events of a trace as an ordered tree of sentences.
 *
 *   pod-1: 10.32.0.3 > 8.8.8.8 TCP 41000 > 443 S
 *     ethernet-input   received by pod-1 …
 *     …
 *     transmit         126 bytes out of fabric
 *   verdict: transmit out of fabric
 *
 * A pure function over the memory and a map of names, so that it works in a worker, a test and a browser alike.
 */
import * as L from '../../wasm-core/layout.ts';
import { addressText, frameSummary, icmpText, ipv4Summary, macText, packetSummary } from './packet-summary.ts';
import { dropCode, dropName, dropSentence, dropText, isConsumed } from './trace-drops.ts';
import { readTrace, wordText, type TraceEvent } from './trace-events.ts';
import {
  argumentMac, floatingIpName, interfaceAt, interfaceName, matchedPrefix, matchText, nexthopKind, nexthopText, vrfName, type Mention, type Tables, type TraceNames,
} from './trace-names.ts';

export type { Mention, TraceNames } from './trace-names.ts';

export type TraceStep = { depth: number; node: string; text: string; mentions: readonly Mention[] };

/** As TraceReply of proto/dataplane.proto, whose steps have no mentions. */
export type Trace = {
  text: string;
  steps: TraceStep[];
  verdict: 'transmit' | 'drop' | 'hold';
  /** Name of the drop reason, empty unless dropped. */
  drop: string;
  /** The (first) frame as it would leave, empty unless transmitted. */
  frame: Uint8Array;
  /** Name of the interface by which it would leave (or waits to leave), empty when dropped. */
  interface: string;
};

/** One packet's way: its events, and the packets that were made from it. */
type Branch = { packet: number; events: TraceEvent[]; children: { after: number; branch: Branch }[] };

type Step = { event: TraceEvent; before: TraceEvent | undefined; next: TraceEvent | undefined; branch: Branch; index: number };

/** A packet that appears first after node icmp-error or fragment was made from the packet that was there last. */
function branchesOf(events: readonly TraceEvent[]): Branch | undefined {
  const branches = new Map<number, Branch>();
  let maker: Branch | undefined;
  for (const event of events) {
    let branch = branches.get(event.packet);
    if (branch === undefined) {
      branch = { packet: event.packet, events: [], children: [] };
      branches.set(event.packet, branch);
      if (maker !== undefined) maker.children.push({ after: maker.events.findLastIndex((e) => e.node === 'icmp-error' || e.node === 'fragment'), branch });
    }
    branch.events.push(event);
    if (event.node === 'icmp-error' || event.node === 'fragment') maker = branch;
  }
  return branches.get(0);
}

const fragmentKind = (e: TraceEvent): string => ((e.flags & L.MF_FRAGMENT) !== 0 ? ', a later fragment' : (e.flags & L.MF_FIRST_FRAGMENT) !== 0 ? ', the first fragment' : '');

function ethernetInput(t: Tables, { event, next }: Step): string {
  const to = (event.flags & L.MF_L2_BROADCAST) !== 0 ? 'to a group address' : 'to our MAC';
  const type = next?.node === 'arp-input' ? 'ARP' : 'IPv4';
  return `received by ${interfaceName(t, event.rxInterface)}, ${to}: ${type}`;
}

function ip4Input(t: Tables, { event, next }: Step): string {
  const flags = t.view.getUint8(interfaceAt(event.rxInterface) + L.IF_FLAGS);
  const parts = [`header is sound: ${event.length} bytes, TTL ${event.head[8]}${fragmentKind(event)}`];
  if (next?.node === 'gre-input') parts.push('GRE to the own tunnel address');
  else if (next?.node === 'local') parts.push(`to the own address of ${interfaceName(t, event.rxInterface)}`);
  else {
    const unproved = (event.flags & L.MF_SOURCE_UNPROVED) !== 0;
    if (unproved) parts.push(`${event.source} is not the workload's first address, ip4-lookup must find it among the further ones`);
    else if ((flags & L.IFF_SOURCE_CHECK) !== 0) parts.push(`${event.source} may send here`);
    if ((flags & L.IFF_RPF) !== 0) parts.push(`the route to ${event.source} leads back here`);
  }
  return parts.join('; ');
}

function greInput(_t: Tables, { event }: Step): string {
  return `MPLS over GRE from ${event.outerSource}, label ${event.label}`;
}

function mplsInput(t: Tables, { event }: Step): string {
  const parts = [`inside: ${ipv4Summary(event.head)}`];
  if (event.nexthop === 0) parts.push(`the label belongs to ${vrfName(t, event.vrf)}`);
  else parts.push(`the label leads to ${nexthopText(t, event.nexthop)}`);
  const rpf = t.view.getUint8(L.VRFS + event.vrf * 2 ** L.VRF_SHIFT + L.VRF_FLAGS) & L.VRFF_RPF;
  if (rpf !== 0) parts.push(`the route to ${event.source} leads back to ${event.outerSource}`);
  return parts.join('; ');
}

function ip4Lookup(t: Tables, { event }: Step): string {
  return `${vrfName(t, event.args[1]!)}: ${event.destination} matches ${matchText(t, event.args)}`.replace('matches no route', 'has no route');
}

function nativeLength({ branch, index }: Step): number {
  return branch.events.slice(0, index).findLast((e) => e.node === 'ip4-lookup')?.args[3] ?? 0;
}

function candidate(t: Tables, step: Step): string {
  const { event } = step;
  const native = nativeLength(step);
  const length = event.args[3]!;
  const compared = native === 0 ? 'there is no native route' : length > native ? `longer than the native /${native - 1}` : `not longer than the native /${native - 1}`;
  return `floating IP ${floatingIpName(t, wordText(event.args[5]!))} in ${vrfName(t, event.args[1]!)}: ${length === 0 ? 'no route' : `${matchedPrefix(t, event.args)}, ${compared}`}`;
}

/** Public address of the lane or record that translates the source. */
function translatedSource(t: Tables, event: TraceEvent): string {
  return wordText(t.view.getUint32(event.snat < L.FIP_RECORDS ? event.snat + L.FIP_NEW : event.snat + L.FR_PUBLIC, true));
}

function fipSelect(t: Tables, step: Step): string {
  const { event } = step;
  if ((event.flags & L.MF_SNAT) === 0) return nativeLength(step) === 0 ? 'no floating IP has a route either' : 'the native route holds, the source stays as it is';
  return `source becomes ${floatingIpName(t, translatedSource(t, event))}; on in ${vrfName(t, event.vrf)}, ${nexthopText(t, event.nexthop)}`;
}

function nexthop(t: Tables, { event }: Step): string {
  if (event.nexthop === 0) return 'no next hop';
  const [, routed, taken, publicAddress, privateAddress] = event.args as [number, number, number, number, number];
  const parts: string[] = [];
  if (routed !== 0 && routed !== taken && nexthopKind(t, routed) === L.NHK_ECMP) parts.push(`of next hop ${routed} by flow hash 0x${event.hash.toString(16)}`);
  parts.push(nexthopText(t, taken));
  if (publicAddress !== 0) parts.push(`destination ${floatingIpName(t, wordText(publicAddress))} becomes ${wordText(privateAddress)}`);
  return parts.join('; ');
}

function local(_t: Tables, { event }: Step): string {
  return `echo request to an own address: turned round, reply to ${event.destination}`;
}

function icmpError(t: Tables, { event, branch, index }: Step): string {
  const type = event.scratch >>> 24;
  const code = (event.scratch >>> 16) & 255;
  const mtu = event.scratch & 0xFFFF;
  const what = `ICMP ${icmpText(type, code)}${mtu === 0 ? '' : `, MTU ${mtu}`}`;
  if (branch.children.some((c) => c.after === index)) return `${what} to ${event.source}`;
  const why = (event.flags & L.MF_ORIGINATED) !== 0 ? 'the core made the packet itself'
    : (event.flags & L.MF_FRAGMENT) !== 0 ? 'it is a later fragment'
      : (event.flags & L.MF_L2_BROADCAST) !== 0 ? 'it came in a broadcast'
        : t.view.getUint32(interfaceAt(event.rxInterface) + L.IF_ADDRESS, true) === 0 ? `${interfaceName(t, event.rxInterface)} has no address to send from`
          : 'it is an ICMP message that is not a query';
  return `no ${what}: ${why}`;
}

function changed(what: string, before: string | number | undefined, after: string | number | undefined): string[] {
  return before === after ? [] : [`${what} ${before} → ${after}`];
}

function mssOf(b: Uint8Array): number | undefined {
  const tcp = (b[0]! & 15) * 4;
  if (b[9] !== 6) return undefined;
  const end = Math.min(b.length, tcp + (b[tcp + 12]! >>> 4) * 4);
  for (let at = tcp + 20; at + 1 < end;) {
    if (b[at] === 0) return undefined;
    if (b[at] === 1) at += 1;
    else if (b[at] === 2 && b[at + 1] === 4) return (b[at + 2]! << 8) | b[at + 3]!;
    else at += Math.max(2, b[at + 1]!);
  }
  return undefined;
}

/** The addresses of the packet that an ICMP error quotes, undefined for any other packet. */
function quotedAddresses(b: Uint8Array): readonly [string, string] | undefined {
  const message = (b[0]! & 15) * 4;
  if (b[9] !== 1 || ![3, 5, 11, 12].includes(b[message]!) || b.length < message + 28) return undefined;
  return [addressText(b, message + 20), addressText(b, message + 24)];
}

function rewrite(_t: Tables, { event, before }: Step): string {
  const old = before?.head ?? event.head;
  const parts = [
    ...changed('source', addressText(old, 12), addressText(event.head, 12)),
    ...changed('destination', addressText(old, 16), addressText(event.head, 16)),
    ...changed('TTL', old[8], event.head[8]),
    ...changed('MSS', mssOf(old), mssOf(event.head)),
    ...changed('quoted source', quotedAddresses(old)?.[0], quotedAddresses(event.head)?.[0]),
    ...changed('quoted destination', quotedAddresses(old)?.[1], quotedAddresses(event.head)?.[1]),
  ];
  return parts.length === 0 ? 'nothing to change' : parts.join(', ');
}

function fragment(t: Tables, { event, branch, index }: Step): string {
  const made = branch.children.filter((c) => c.after === index).length;
  const at = L.NEXTHOPS + event.nexthop * 2 ** L.NEXTHOP_SHIFT;
  return `cut to ${t.view.getUint16(at + L.NH_MTU, true)} bytes: ${made + 1} pieces, the first goes on here: ${ipv4Summary(event.head)}`;
}

/** Whom the frame is for; a workload's neighbour has no address of its own. */
function toNeighbour(event: TraceEvent): string {
  const address = event.args[2]!;
  return `to ${macText(event.head, 0)}${address === 0 ? '' : ` (${wordText(address)})`}`;
}

function neighbourText(t: Tables, event: TraceEvent): string {
  return `${wordText(event.args[2]!)} on ${interfaceName(t, event.args[1]!)}`;
}

function encapsulate(t: Tables, { event, next }: Step): string {
  if (next?.node === 'neighbour') return `the MAC of ${neighbourText(t, event)} is not known`;
  return `${frameSummary(event.head).split(': ')[0]}, ${toNeighbour(event)}`;
}

function ethernetOutput(t: Tables, { event, next }: Step): string {
  if (next?.node === 'neighbour') return `the MAC of ${neighbourText(t, event)} is not known`;
  return `${toNeighbour(event)} from ${macText(event.head, 6)}`;
}

function neighbour(t: Tables, { event }: Step): string {
  return `would wait while an ARP request asks for ${neighbourText(t, event)}${event.args[3] === 0 && event.args[4] === 0 ? '' : ` (by now at ${argumentMac(event.args[3]!, event.args[4]!)})`}`;
}

function arpInput(_t: Tables, { event, next }: Step): string {
  return next?.node === 'transmit' ? `answered: ${frameSummary(event.head)}` : packetSummary(event.head);
}

/** Why a finished frame would not leave: what transmit checks when it is no trace. 0 = it would. */
function transmitProblem(t: Tables, id: number): string {
  const record = interfaceAt(id);
  if ((t.view.getUint8(record + L.IF_FLAGS) & L.IFF_UP) === 0) return 'interface_down';
  const parent = t.view.getUint16(record + L.IF_PARENT, true);
  const port = parent === 0 ? record : interfaceAt(parent);
  for (let lcore = 0; lcore < L.MAX_LCORES; lcore++) if (t.view.getUint16(port + L.IF_TX_QUEUE + 2 * lcore, true) !== 0) return '';
  return 'tx_no_queue';
}

function transmit(t: Tables, { event }: Step): string {
  const problem = transmitProblem(t, event.txInterface);
  if (problem !== '') return `dropped: ${dropText(dropCode(problem))}`;
  return `${event.length} bytes out of ${interfaceName(t, event.txInterface)}: ${frameSummary(event.head)}`;
}

const SENTENCES: Record<string, (t: Tables, step: Step) => string> = {
  'ethernet-input': ethernetInput, 'ip4-input': ip4Input, 'gre-input': greInput, 'mpls-input': mplsInput, 'ip4-lookup': ip4Lookup, 'fip-select': fipSelect,
  nexthop, local, 'icmp-error': icmpError, rewrite, fragment, encapsulate, 'ethernet-output': ethernetOutput, neighbour, 'arp-input': arpInput, transmit,
};

function sentence(t: Tables, step: Step): string {
  const { event, before } = step;
  if (event.kind === L.TEK_CANDIDATE) return candidate(t, step);
  const diedHere = event.drop !== 0 && (before?.drop ?? 0) === 0;
  if (diedHere) return `${event.node === 'nexthop' && event.nexthop !== 0 ? `${nexthop(t, step)}; ` : ''}${dropSentence(t, event)}`;
  return SENTENCES[event.node]?.(t, step) ?? '';
}

function write(t: Tables, branch: Branch, depth: number, steps: TraceStep[]): void {
  branch.events.forEach((event, index) => {
    if (event.node !== 'drop') { // the sentence of the node where it died has told it
      const step = { event, before: branch.events[index - 1], next: branch.events.slice(index + 1).find((e) => e.kind === L.TEK_PASS), branch, index };
      const mentions: Mention[] = [];
      steps.push({ depth, node: event.node, text: sentence({ ...t, mentions }, step), mentions });
    }
    if (event.node === 'icmp-error') for (const child of branch.children) if (child.after === index) write(t, child.branch, depth + 1, steps);
  });
  // Pieces go their ways after the first one.
  const pieces = branch.children.filter((c) => branch.events[c.after]?.node === 'fragment');
  pieces.forEach((piece, i) => {
    steps.push({ depth, node: 'fragment', text: `piece ${i + 2} of ${pieces.length + 1}`, mentions: [] });
    write(t, piece.branch, depth + 1, steps);
  });
}

type Verdict = Pick<Trace, 'verdict' | 'drop' | 'frame' | 'interface'>;

function verdictOf(t: Tables, events: readonly TraceEvent[]): Verdict {
  const last = events.at(-1);
  if (last?.node === 'transmit') {
    const problem = transmitProblem(t, last.txInterface);
    if (problem !== '') return { verdict: 'drop', drop: problem, frame: new Uint8Array(0), interface: '' };
    return { verdict: 'transmit', drop: '', frame: t.bytes.slice(last.at, last.at + last.length), interface: interfaceName(t, last.txInterface) };
  }
  if (last?.node === 'neighbour') return { verdict: 'hold', drop: '', frame: new Uint8Array(0), interface: interfaceName(t, last.args[1]!) };
  return { verdict: 'drop', drop: dropName(last?.drop ?? 0), frame: new Uint8Array(0), interface: '' };
}

function verdictText(v: Verdict): string {
  if (v.verdict === 'transmit') return `verdict: transmit out of ${v.interface}`;
  if (v.verdict === 'hold') return `verdict: would wait for a neighbour on ${v.interface}`;
  if (isConsumed(v.drop)) return `verdict: taken in, ${dropText(dropCode(v.drop))}`;
  return `verdict: drop, ${v.drop === '' ? 'for no named reason' : dropText(dropCode(v.drop))}`;
}

/**
 * Formats the trace that the core has just made (export `trace`, docs/core-abi.md); tables are read for what the numbers mean, so call it before
 * they change. `frame` is the traced frame, from the Ethernet header on, and `iface` the interface that it was given to.
 */
export function formatTrace(memory: { view: DataView; bytes: Uint8Array }, names: TraceNames, iface: number, frame: Uint8Array): Trace {
  const t: Tables = { view: memory.view, bytes: memory.bytes, names };
  const root = branchesOf(readTrace(memory.view, memory.bytes));
  const steps: TraceStep[] = [];
  if (root !== undefined) write(t, root, 1, steps);
  const verdict = verdictOf(t, root?.events ?? []);
  const width = Math.max(0, ...steps.map((s) => 2 * s.depth + s.node.length)) + 2;
  const lines = steps.map((s) => `${`${'  '.repeat(s.depth)}${s.node}`.padEnd(width)}${s.text}`.trimEnd());
  const title = { depth: 0, node: interfaceName(t, iface), text: frameSummary(frame), mentions: [] };
  return { text: [`${title.node}: ${title.text}`, ...lines, verdictText(verdict)].join('\n'), steps: [title, ...steps], ...verdict };
}
