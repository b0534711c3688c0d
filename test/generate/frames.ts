/** Random frames for a world: valid ones of every kind, aimed at what its tables know, and mutated ones. */
import * as L from '../../wasm-core/layout.ts';
import {
  arp, BROADCAST, concat, counting, ethernet, ETHERTYPE_ARP, gre, icmp, ipv4, mpls, tcp, TCP_ACK, TCP_SYN, udp, type Bytes, type Ipv4Fields,
} from '../fixtures/frame.ts';
import { addressText, checksum, write16 } from '../reference/wire.ts';
import type { Random } from './random.ts';
import { macOf, type World, type WorldInterface } from './world.ts';

export interface GeneratedFrame {
  /** Interface of the port that it comes in by. */
  readonly port: number;
  readonly bytes: Uint8Array;
}

const NOT_ROUTED = ['0.1.2.3', '127.0.0.1', '224.0.0.5', '240.1.1.1', '255.255.255.255', '239.255.0.1'];
const LENGTHS = [0, 0, 1, 7, 8, 26, 64, 200, 540, 548, 549, 900, 1300, 1440, 1472, 1600];

export function makeFrame(random: Random, world: World): GeneratedFrame {
  const port = random.pick(world.ports);
  const subs = world.interfaces.filter((i) => i.parent === port.id);
  const iface = subs.length > 0 && random.chance(50) ? random.pick(subs) : port;
  const payload = random.chance(6) ? arpPayload(random, world, iface) : undefined;
  const content = payload ?? l3(random, world, iface);
  const tag = iface.parent ? { vlan: iface.vlan ?? 0 } : random.chance(3) ? { vlan: random.pick([0, 0x6000, 7, 0x2001]) } : {};
  const dst = payload === undefined ? (random.chance(97) ? iface.mac : random.pick([BROADCAST, macOf(99), '01:00:5e:00:00:05'])) : random.chance(70) ? BROADCAST : iface.mac;
  const type = payload === undefined ? (random.chance(98) ? {} : { type: random.pick([0x86dd, 0x8847, 0x8100, 0x88a8, 0x0801]) }) : { type: ETHERTYPE_ARP };
  const frame = ethernet({ dst, src: macOf(iface.id, 2), ...tag, ...type }, content);
  const padded = random.chance(10) || frame.length < 60 ? concat(frame, random.bytes(random.chance(50) ? Math.max(0, 60 - frame.length) : random.below(8))) : frame;
  const mutated = random.chance(25) ? mutate(random, padded) : padded;
  return { port: port.id, bytes: mutated.slice(0, L.FRAME_CAPACITY) };
}

function arpPayload(random: Random, world: World, iface: WorldInterface): Bytes {
  const neighbour = (): string => (random.chance(50) ? iface.address.replace(/\d+$/, String(random.pick([2, 3, 254]))) : random.pick(world.addresses));
  const sender = random.chance(30) && iface.workload !== undefined ? iface.workload : random.chance(4) ? '0.0.0.0' : neighbour();
  const target = random.pick([iface.address, iface.address, sender, neighbour()]);
  const senderMac = random.chance(95) ? macOf(iface.id, Number(sender.split('.')[3])) : random.pick(['00:00:00:00:00:00', BROADCAST, '01:00:00:00:00:01']);
  return arp({ op: random.chance(3) ? random.below(5) : random.pick([1, 1, 2]), senderMac, sender, target, targetMac: random.chance(50) ? iface.mac : '00:00:00:00:00:00' });
}

function l3(random: Random, world: World, iface: WorldInterface): Bytes {
  if (iface.kind === L.IFK_FABRIC && random.chance(65)) return tunnelled(random, world, iface);
  const source = sourceFor(random, world, iface);
  return plain(random, world, source, random.chance(12) ? iface.address : destinationFor(random, world));
}

function sourceFor(random: Random, world: World, iface: WorldInterface): string {
  const own = world.sources.get(iface.id);
  return own !== undefined && random.chance(85) ? random.pick(own) : random.chance(97) ? random.pick(world.addresses) : random.pick(NOT_ROUTED);
}

function destinationFor(random: Random, world: World): string {
  if (random.chance(3)) return random.pick(NOT_ROUTED);
  return random.chance(92) ? random.pick(world.addresses) : addressText(random.bits());
}

function tunnelled(random: Random, world: World, iface: WorldInterface): Bytes {
  const inner = plain(random, world, destinationFor(random, world), destinationFor(random, world));
  const label = random.chance(93) ? random.pick(world.labels) : random.pick([0, 3, 15, random.below(1048576)]);
  const stack = mpls({ label, tc: random.below(8), bottom: random.chance(98), ttl: random.chance(95) ? 64 : random.below(3) }, inner);
  const flags = random.chance(85) ? 0 : random.pick([0x8000, 0x2000, 0xa000, 0x1000, 0x0001, 0x4000]);
  const optional = new Uint8Array((flags & 0x8000 ? 4 : 0) + (flags & 0x2000 ? 4 : 0));
  const fragmented = random.chance(2) ? { mf: random.chance(50), offset: random.below(3) } : {};
  const src = random.chance(85) ? random.pick(world.remotes) : random.pick(world.addresses);
  return ipv4(
    { src, dst: random.chance(97) ? iface.address : random.pick(world.addresses), protocol: 47, df: random.chance(50), tos: random.below(256), ...fragmented },
    gre({ flags, optional, protocol: random.chance(98) ? 0x8847 : 0x0800 }, stack),
  );
}

function plain(random: Random, world: World, src: string, dst: string): Bytes {
  const head: Ipv4Fields = {
    src,
    dst,
    protocol: 0,
    ttl: random.chance(93) ? 64 : random.pick([0, 1, 2, 255]),
    tos: random.below(256),
    id: random.below(65536),
    df: random.chance(35),
    ...(random.chance(8) ? { mf: random.chance(60), offset: random.pick([0, 0, 1, 20, 185, 8100]), df: false } : {}),
    ...(random.chance(8) ? { options: options(random) } : {}),
  };
  const [protocol, payload] = l4(random, world, src, dst);
  // Sometimes what would be options or a quote lies behind the packet's end, in the padding.
  const shorter = random.chance(6) ? { totalLength: 20 + (head.options?.length ?? 0) + random.below(Math.min(payload.length, 70) + 1) } : {};
  return ipv4({ ...head, protocol, ...shorter }, payload);
}

function l4(random: Random, world: World, src: string, dst: string): [number, Bytes] {
  const data = counting(random.pick(LENGTHS), random.below(256));
  const ports = { src, dst, sport: random.below(65536), dport: random.below(65536) };
  switch (random.below(12)) {
    case 0:
    case 1:
    case 2:
      return [17, udp({ ...ports, ...(random.chance(20) ? { checksum: random.pick([0, 0xffff, random.below(65536)]) } : {}) }, data)];
    case 3:
    case 4: {
      const flags = random.pick([TCP_ACK, TCP_SYN, TCP_SYN | TCP_ACK]);
      return [6, tcp({ ...ports, flags, options: tcpOptions(random) }, data)];
    }
    case 5:
    case 6:
      return [1, icmp({ type: 8, code: random.chance(95) ? 0 : 1, rest: random.bits() }, random.chance(10) ? new Uint8Array(8) : data)];
    case 7:
    case 8:
      return [1, icmp({ type: random.pick([3, 3, 5, 11, 12, 4]), code: random.below(5), rest: random.bits() }, quote(random, world, src, dst))];
    case 9:
      return [1, icmp({ type: random.pick([0, 13, 14, 17, 30]), rest: 0 }, random.chance(30) ? new Uint8Array(0) : data)];
    case 10:
      return [random.pick([33, 132, 136]), concat(random.bytes(random.pick([0, 3, 4, 6, 7, 8, 12, 16])), data)];
    default:
      return [random.pick([2, 47, 50, 89, random.below(256)]), data];
  }
}

/** A packet that an ICMP error from `src` to `dst` could quote: mostly of `dst`, on its way to `src`. */
function quote(random: Random, world: World, src: string, dst: string): Bytes {
  const from = random.chance(85) ? dst : random.pick(world.addresses);
  const to = random.chance(85) ? src : random.pick(world.addresses);
  const ports = { src: from, dst: to, sport: random.below(65536), dport: 80 };
  const data = counting(random.pick([0, 8, 100, 500]));
  const inner = random.pick<[number, Bytes]>([
    [17, udp({ ...ports, ...(random.chance(30) ? { checksum: 0 } : {}) }, data)],
    [6, tcp(ports, data)],
    [1, icmp({ type: 8, rest: 1 }, data)],
    [136, concat(random.bytes(8), data)],
  ]);
  const packet = ipv4(
    {
      src: from,
      dst: to,
      protocol: inner[0],
      ...(random.chance(10) ? { offset: 3 } : {}),
      ...(random.chance(10) ? { options: options(random) } : {}),
      ...(random.chance(5) ? { checksum: random.below(65536) } : {}),
      ...(random.chance(3) ? { version: 6 } : {}),
      ...(random.chance(3) ? { ihl: random.below(16) } : {}),
    },
    inner[1],
  );
  return packet.slice(0, random.chance(50) ? 28 : random.pick([0, 4, 19, 20, 24, 27, 28, 36, 38, 60, 548]));
}

function options(random: Random): Bytes {
  const list: number[] = [];
  for (let n = random.between(1, 4); n > 0; n -= 1) {
    const type = random.chance(90) ? random.pick([7, 68, 130, 148, 136, 1, 1]) : random.pick([131, 137, 0, random.below(256)]);
    if (type <= 1) list.push(type);
    else {
      const length = random.chance(95) ? random.between(2, 11) : random.below(60);
      list.push(type, length, ...random.bytes(Math.max(0, Math.min(length, 40) - 2)));
    }
  }
  const bytes = Uint8Array.from(list.slice(0, 40));
  return concat(bytes, new Uint8Array((4 - (bytes.length % 4)) % 4));
}

function tcpOptions(random: Random): Bytes {
  const mss = [2, 4, ...random.pick([[5, 180], [0, 100], [255, 255], [2, 24]])];
  const list = random.pick<readonly number[]>([
    [],
    mss,
    [1, ...mss, 3, 3, 7],
    [4, 2, 8, 10, 0, 0, 0, 1, 0, 0, 0, 0, ...mss],
    [3, 3, 7, ...mss],
    [0, ...mss],
    [2, 3, 5, 180],
    [8, 60, ...mss],
    [30, 0, ...mss],
    [1, 1, 1, 1, 1, 1, 2],
  ]);
  const bytes = Uint8Array.from(list);
  return concat(bytes, new Uint8Array((4 - (bytes.length % 4)) % 4));
}

/** Bit flips, bytes of note, truncation, growth; half of them with the IPv4 checksum made right again, so that they get further. */
export function mutate(random: Random, frame: Bytes): Bytes {
  let bytes: Bytes = frame.slice();
  for (let n = random.pick([1, 1, 1, 2, 5]); n > 0 && bytes.length > 0; n -= 1) {
    const at = random.chance(70) ? random.below(Math.min(bytes.length, 100)) : random.below(bytes.length);
    switch (random.below(6)) {
      case 0:
        bytes = bytes.slice(0, random.chance(50) ? random.below(Math.min(bytes.length, 80) + 1) : at);
        break;
      case 1:
        bytes = concat(bytes, random.bytes(random.below(40)));
        break;
      case 2:
        bytes[at] = random.pick([0, 1, 0x45, 0x46, 0x4f, 0x7f, 0x80, 0xff]);
        break;
      default:
        bytes[at] = (bytes[at] ?? 0) ^ (1 << random.below(8));
    }
  }
  if (random.chance(60)) repairHeaders(bytes);
  return bytes;
}

/** Makes the checksum of the IPv4 header right, and of the one within an MPLSoGRE packet. */
function repairHeaders(frame: Bytes): void {
  const l3At = frame[12] === 0x81 && frame[13] === 0 ? 18 : 14;
  const repair = (at: number): number => {
    const length = ((frame[at] ?? 0) & 0x0f) * 4;
    if (length < 20 || at + length > frame.length) return 0;
    write16(frame, at + 10, 0);
    write16(frame, at + 10, checksum(frame.subarray(at, at + length)));
    return at + length;
  };
  const l4At = repair(l3At);
  if (l4At !== 0 && frame[l3At + 9] === 47) repair(l4At + 8);
}
