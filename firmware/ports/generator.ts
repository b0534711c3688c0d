/**
 * Generator ports: test load without devices. A port of "SOURCE>PREFIX,BYTES,RATE" receives UDP packets from one address to all of a
 * prefix, RATE a second, without it as many as its lcore can take; a port of "sink" only takes. Both look at what is sent to them.
 */
import { isIPv4 } from 'node:net';
import {
  GN_ARP, GN_DESTINATION, GN_GENERATED, GN_LENGTH, GN_MASK, GN_OTHER, GN_RANDOM, GN_SEEN, GN_SUM, GN_TAKEN, GN_TEMPLATE, RING_GENERATOR,
} from '../../wasm-core/layout.ts';
import type { MemoryViews } from '../host/memory.ts';
import { PortProblem, type Driver, type DriverContext, type OpenPort, type PortRequest, type QueueSlot } from './port.ts';
import { derivedMac, pumpedPort } from './pumped.ts';
import { slotOf } from './rings.ts';

const ETHERNET = 14;
const IPV4 = 20;
/** What generated frames say that they come from. */
const SOURCE_MAC = [0x02, 0, 0, 0, 0, 0x01];
const DISCARD_PORT = 9; // RFC 863
/** Least and greatest frame without its check sequence. */
const [SHORTEST, LONGEST] = [60, 1514];
const WORDS_BYTES = 0x8000;
const SUBNETS = 256;
const TUNNELS = 16;

/** What a generator port did. */
export interface GeneratorCounts {
  readonly generated: number;
  readonly taken: number;
  readonly arp: number;
  readonly other: number;
  /** Packets taken, by the second byte of their destination and the last four bits of the tunnel's end (0: no tunnel). */
  readonly seen: readonly { readonly subnet: number; readonly tunnel: number; readonly packets: number }[];
}

interface Flow {
  readonly source: number;
  readonly destination: number;
  readonly mask: number;
  readonly bytes: number;
  /** Packets a second. */
  readonly rate: number | undefined;
}

export class GeneratorDriver implements Driver {
  readonly #context: DriverContext;

  constructor(context: DriverContext) {
    this.#context = context;
  }

  plan(request: PortRequest): number {
    parseFlow(request);
    return 1;
  }

  open(request: PortRequest, slots: readonly QueueSlot[]): Promise<OpenPort> {
    const flow = parseFlow(request);
    return pumpedPort(this.#context, request, slots, 'generator', ({ queue }) => {
      writeWords(this.#context.views, queue, flow);
      return {
        fd: -1, mac: derivedMac('generator', request.name), mtu: request.mtu, mode: flow === undefined ? 'sink' : 'generator', warnings: [], close: () => {},
        ...(flow?.rate === undefined ? {} : { rate: flow.rate }),
      };
    });
  }
}

/** Reads the counts of a generator's queue; packets of the present moment, while its lcore goes on counting. */
export function readGenerator(views: MemoryViews, queue: number): GeneratorCounts {
  const words = slotOf(queue) + RING_GENERATOR;
  const wide = (offset: number): number => (views.u32[(words + offset) >>> 2] ?? 0) + (views.u32[(words + offset + 4) >>> 2] ?? 0) * 2 ** 32;
  const seen: { subnet: number; tunnel: number; packets: number }[] = [];
  for (let i = 0; i < SUBNETS * TUNNELS; i++) {
    const packets = views.u32[(words + GN_SEEN + i * 4) >>> 2] ?? 0;
    if (packets > 0) seen.push({ subnet: Math.floor(i / TUNNELS), tunnel: i % TUNNELS, packets });
  }
  return { generated: wide(GN_GENERATED), taken: wide(GN_TAKEN), arp: wide(GN_ARP), other: wide(GN_OTHER), seen };
}

/** undefined: a sink. @throws PortProblem */
function parseFlow({ name, device }: PortRequest): Flow | undefined {
  if (device === 'sink') return undefined;
  const [, from = '', to = '', length = '', bytes = '60', rate] = /^([\d.]+)>([\d.]+)\/(\d+)(?:,(\d+)(?:,(\d+))?)?$/.exec(device) ?? [];
  const [bits, size] = [Number(length), Number(bytes)];
  if (!isIPv4(from) || !isIPv4(to) || bits > 32 || size < SHORTEST || size > LONGEST || Number(rate) === 0) {
    throw new PortProblem(`port "${name}": "${device}" is no load; right would be "sink", or "10.32.0.3>20.0.0.0/8,60,1000000" (source, destinations, frame of ${SHORTEST} to ${LONGEST} bytes, packets a second: as many as the lcore takes without)`);
  }
  const mask = bits === 0 ? 0xFFFFFFFF : 2 ** (32 - bits) - 1;
  return { source: numberOf(from), destination: (numberOf(to) & ~mask) >>> 0, mask, bytes: size, rate: rate === undefined ? undefined : Number(rate) };
}

function numberOf(address: string): number {
  return address.split('.').reduce((number, byte) => number * 256 + Number(byte), 0);
}

function writeWords(views: MemoryViews, queue: number, flow: Flow | undefined): void {
  const words = slotOf(queue) + RING_GENERATOR;
  views.u8.fill(0, words, words + WORDS_BYTES);
  if (flow === undefined) return;
  const template = templateOf(flow);
  views.u8.set(template, words + GN_TEMPLATE);
  const word = (offset: number, value: number): void => {
    views.u32[(words + offset) >>> 2] = value;
  };
  word(GN_DESTINATION, flow.destination);
  word(GN_MASK, flow.mask);
  word(GN_SUM, headerSum(template));
  word(GN_RANDOM, 0x77726F75);
  word(GN_LENGTH, flow.bytes);
}

/** The first 64 bytes of a frame; destination MAC and address, source port and header checksum are the core's to write. */
function templateOf({ source, bytes }: Flow): Buffer {
  const frame = Buffer.alloc(64);
  frame.set(SOURCE_MAC, 6);
  frame.writeUInt16BE(0x0800, 12);
  const ip = frame.subarray(ETHERNET);
  ip[0] = 0x45;
  ip.writeUInt16BE(bytes - ETHERNET, 2);
  ip[8] = 64;
  ip[9] = 17;
  ip.writeUInt32BE(source, 12);
  ip.writeUInt16BE(DISCARD_PORT, IPV4 + 2);
  ip.writeUInt16BE(bytes - ETHERNET - IPV4, IPV4 + 4); // and checksum 0: none (RFC 768)
  return frame;
}

/** Of the header's words as the machine loads them, not folded (RFC 1071). */
function headerSum(frame: Buffer): number {
  let sum = 0;
  for (let at = ETHERNET; at < ETHERNET + IPV4; at += 2) sum += frame.readUInt16LE(at);
  return sum;
}
