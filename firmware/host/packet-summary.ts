/**
 * One line about a packet, as the drop log and traces print it:
 * "10.32.0.3 > 8.8.8.8 TCP 41000 > 443 S". Pure functions over bytes; the end of a packet may be cut off anywhere.
 */

const PROTOCOLS: Record<number, string> = {
  1: 'ICMP', 2: 'IGMP', 4: 'IPIP', 6: 'TCP', 17: 'UDP', 33: 'DCCP', 41: 'IPv6', 47: 'GRE', 50: 'ESP', 51: 'AH', 89: 'OSPF', 132: 'SCTP', 136: 'UDP-Lite',
};
/** Those that begin with source and destination port. */
const WITH_PORTS: ReadonlySet<number> = new Set([6, 17, 33, 132, 136]);
const TCP_FLAGS: readonly (readonly [number, string])[] = [[2, 'S'], [1, 'F'], [4, 'R'], [8, 'P'], [16, '.'], [32, 'U']];
const ICMP_TYPES: Record<number, string> = {
  0: 'echo reply', 3: 'unreachable', 4: 'source quench', 5: 'redirect', 8: 'echo request', 11: 'time exceeded', 12: 'parameter problem',
  13: 'timestamp request', 14: 'timestamp reply',
};
const UNREACHABLE_CODES: readonly string[] = ['network', 'host', 'protocol', 'port', 'fragmentation needed', 'source route failed'];
const TYPE_IPV4 = 0x0800;
const TYPE_ARP = 0x0806;
const TYPE_VLAN = 0x8100;
const TYPE_MPLS = 0x8847;

const u16 = (b: Uint8Array, at: number): number => ((b[at] ?? 0) << 8) | (b[at + 1] ?? 0);
const hex16 = (value: number): string => `0x${value.toString(16).padStart(4, '0')}`;

/** "10.32.0.3", from four bytes at `at`. */
export function addressText(b: Uint8Array, at = 0): string {
  return `${b[at]}.${b[at + 1]}.${b[at + 2]}.${b[at + 3]}`;
}

/** "02:00:00:00:00:01", from six bytes at `at`. */
export function macText(b: Uint8Array, at = 0): string {
  return Array.from(b.subarray(at, at + 6), (x) => x.toString(16).padStart(2, '0')).join(':');
}

/** "echo request", "unreachable: port", "TTL exceeded". */
export function icmpText(type: number, code: number): string {
  const name = ICMP_TYPES[type] ?? `type ${type}`;
  if (type === 3) return `${name}: ${UNREACHABLE_CODES[code] ?? `code ${code}`}`;
  if (type === 11) return code === 0 ? 'TTL exceeded' : 'reassembly time exceeded';
  return code === 0 ? name : `${name} code ${code}`;
}

function icmpSummary(b: Uint8Array, depth: number): string {
  if (b.length < 2) return 'ICMP (cut off)';
  const type = b[0]!;
  const text = `ICMP ${icmpText(type, b[1]!)}`;
  if ((type === 0 || type === 8) && b.length >= 8) return `${text} id ${u16(b, 4)} seq ${u16(b, 6)}`;
  const mtu = type === 3 && b[1] === 4 && b.length >= 8 ? ` MTU ${u16(b, 6)}` : '';
  const quotes = type === 3 || type === 5 || type === 11 || type === 12;
  if (!quotes || b.length < 28 || depth > 1) return text + mtu;
  return `${text}${mtu} about (${ipv4Summary(b.subarray(8), depth + 1)})`;
}

function greSummary(b: Uint8Array, depth: number): string {
  if (b.length < 4) return 'GRE (cut off)';
  const flags = u16(b, 0);
  const header = 4 + ((flags & 0x8000) !== 0 ? 4 : 0) + ((flags & 0x2000) !== 0 ? 4 : 0);
  if (u16(b, 2) !== TYPE_MPLS) return `GRE protocol ${hex16(u16(b, 2))}`;
  if (b.length < header + 4) return 'GRE MPLS (cut off)';
  const label = (b[header]! << 12) | (b[header + 1]! << 4) | (b[header + 2]! >>> 4);
  if (b.length < header + 4 + 20 || depth > 1) return `GRE MPLS ${label}`;
  return `GRE MPLS ${label}: ${ipv4Summary(b.subarray(header + 4), depth + 1)}`;
}

function l4Summary(protocol: number, b: Uint8Array, depth: number): string {
  const name = PROTOCOLS[protocol] ?? `protocol ${protocol}`;
  if (protocol === 1) return icmpSummary(b, depth);
  if (protocol === 47) return greSummary(b, depth);
  if (!WITH_PORTS.has(protocol)) return name;
  if (b.length < 4) return `${name} (cut off)`;
  const ports = `${name} ${u16(b, 0)} > ${u16(b, 2)}`;
  if (protocol !== 6 || b.length < 14) return ports;
  const flags = TCP_FLAGS.filter(([bit]) => (b[13]! & bit) !== 0).map(([, letter]) => letter).join('');
  return `${ports} ${flags === '' ? 'no flags' : flags}`;
}

/** From the IPv4 header on. `depth` counts packets inside packets. */
export function ipv4Summary(b: Uint8Array, depth = 0): string {
  if (b.length < 20) return `IPv4 (cut off after ${b.length} bytes)`;
  const addresses = `${addressText(b, 12)} > ${addressText(b, 16)}`;
  const protocol = b[9]!;
  const offset = (u16(b, 6) & 0x1FFF) * 8;
  const more = (u16(b, 6) & 0x2000) !== 0;
  const header = (b[0]! & 15) * 4;
  const total = u16(b, 2);
  if (offset !== 0) {
    return `${addresses} ${PROTOCOLS[protocol] ?? `protocol ${protocol}`} fragment at ${offset}, ${Math.max(0, total - header)} bytes${more ? '' : ', the last'}`;
  }
  const l4 = b.subarray(header, Math.max(header, Math.min(b.length, total)));
  return `${addresses} ${l4Summary(protocol, l4, depth)}${more ? ', first fragment' : ''}`;
}

/** From the ARP header on. */
export function arpSummary(b: Uint8Array): string {
  if (b.length < 28) return `ARP (cut off after ${b.length} bytes)`;
  const operation = u16(b, 6);
  const sender = addressText(b, 14);
  const target = addressText(b, 24);
  if (operation === 2) return `ARP ${sender} is at ${macText(b, 8)}, to ${target}`;
  if (operation !== 1) return `ARP operation ${operation}`;
  if (sender === target) return `ARP announcement of ${sender} at ${macText(b, 8)}`;
  return `ARP who has ${target}, tell ${sender} at ${macText(b, 8)}`;
}

/** From the Ethernet header on. */
export function frameSummary(b: Uint8Array): string {
  if (b.length < 14) return `frame of ${b.length} bytes`;
  const tagged = u16(b, 12) === TYPE_VLAN && b.length >= 18;
  const type = u16(b, tagged ? 16 : 12);
  const payload = b.subarray(tagged ? 18 : 14);
  const tag = tagged ? `VLAN ${u16(b, 14) & 0xFFF} ` : '';
  if (type === TYPE_IPV4) return tag + ipv4Summary(payload);
  if (type === TYPE_ARP) return tag + arpSummary(payload);
  return `${tag}${macText(b, 6)} > ${macText(b, 0)} EtherType ${hex16(type)}`;
}

function headerChecksumIsRight(b: Uint8Array, header: number): boolean {
  let sum = 0;
  for (let i = 0; i < header; i += 2) sum += u16(b, i);
  return sum !== 0 && sum % 0xFFFF === 0;
}

/** From whatever header the packet had in hand when it died (IPv4, ARP or Ethernet), told apart by what makes sense. */
export function packetSummary(b: Uint8Array): string {
  if (b.length >= 6 && u16(b, 0) === 1 && u16(b, 2) === TYPE_IPV4 && b[4] === 6 && b[5] === 4) return arpSummary(b);
  const version = (b[0] ?? 0) >>> 4;
  const header = ((b[0] ?? 0) & 15) * 4;
  if (version === 4 && header >= 20 && b.length >= header && headerChecksumIsRight(b, header)) return ipv4Summary(b);
  if (b.length >= 14) {
    const type = u16(b, 12);
    if (type === TYPE_IPV4 || type === TYPE_ARP || type === TYPE_VLAN) return frameSummary(b);
  }
  if (version === 4 && b.length >= 20) return ipv4Summary(b);
  return b.length >= 14 ? frameSummary(b) : `${b.length} bytes`;
}
