/**
 * The packet fuzzer: mutated real frames through the in-memory path, in vectors, over random tables, by two lcores. What it
 * holds the core to is said at `step`.
 */
import * as L from '../../wasm-core/layout.ts';
import { Core } from '../fixtures/core.ts';
import { makeFrame } from '../generate/frames.ts';
import { Random } from '../generate/random.ts';
import { makeWorld } from '../generate/world.ts';
import { hex } from '../reference/wire.ts';
import { checkFrames } from './conservation.ts';
import { GREATEST_FRAME, Guards, HEAD_GUARD } from './guards.ts';
import { FuzzPort } from './ports.ts';

const LCORES = 2;
const FRAMES = 3072;
const RING_ENTRIES = 256;
const CORPUS = 3000;
const VECTOR = 256;
/** Chunks whose guards are looked at after every vector; all of them are after every CHECK_VECTORS. */
const SAMPLE = 8;
const CHECK_VECTORS = 64;

export class PacketFuzzer {
  /** Frames sent. */
  sent = 0;
  readonly core: Core;
  readonly #seed: number;
  readonly #random: Random;
  readonly #bytes: Uint8Array;
  readonly #words: Uint32Array;
  readonly #ports: FuzzPort[] = [];
  readonly #guards: Guards;
  readonly #tables: string;
  /** Every third world: frames begin anywhere in their chunk, so that headers may find no room. */
  readonly #tight: boolean;
  readonly #corpus: { readonly port: FuzzPort; readonly frame: Uint8Array }[] = [];
  /** What the vector in flight consists of. */
  readonly #flight: { at: number; interface: number; length: number }[] = [];
  #vectors = 0;

  constructor(seed: number) {
    this.#seed = seed;
    this.#random = new Random(seed);
    const world = makeWorld(this.#random);
    this.core = new Core({ lcores: LCORES, frames: FRAMES, ringEntries: RING_ENTRIES, icmpRate: 10_000, icmpBurst: 100, seed: BigInt(seed) });
    this.core.tryApply(world.records);
    for (const [index, port] of world.ports.entries()) this.core.attach(port.id, index % LCORES);
    this.#bytes = this.core.bytes;
    this.#words = new Uint32Array(this.core.memory.buffer);
    for (const index of world.ports.keys()) this.#ports.push(new FuzzPort(this.#words, index));
    this.core.settle();
    for (let n = 0; n < CORPUS; n += 1) {
      const { port, bytes } = makeFrame(this.#random, world);
      const found = this.#ports.find((candidate) => candidate.interface === port);
      if (found !== undefined) this.#corpus.push({ port: found, frame: bytes.slice(0, GREATEST_FRAME) });
    }
    this.#tight = seed % 3 === 0;
    this.#guards = new Guards(this.core.memory.buffer as SharedArrayBuffer, FRAMES, this.#tight ? 0 : HEAD_GUARD);
    this.#tables = this.#tableDigest();
  }

  /**
   * Sends a vector of mutated frames. Afterwards: the core did not trap, guards are whole (a sample; at intervals all, and the
   * tables and the places of all frames too), and received + originated = transmitted + dropped by name + held.
   */
  step(): void {
    this.#flight.length = 0;
    const size = this.#random.chance(80) ? VECTOR : this.#random.between(1, VECTOR);
    for (let n = 0; n < size; n += 1) this.#sendOne();
    this.sent += this.#flight.length;
    if (this.#random.chance(5)) this.core.advanceClock(this.#random.pick([1, 100, 1000, 1500, 31_000]));
    try {
      for (let lcore = 0; lcore < LCORES; lcore += 1) this.core.run(lcore);
    } catch (error) {
      throw new Error(`the core trapped: ${String(error)}\n${this.#flightText()}`);
    }
    // Sometimes the far side is slow: transmit rings fill up.
    for (const port of this.#ports) if (this.#random.chance(90)) port.complete();
    this.#vectors += 1;
    this.#check();
  }

  /** Brings all to rest and checks everything. */
  finish(): void {
    for (let round = 0; round < 4; round += 1) {
      for (const port of this.#ports) port.complete();
      for (let lcore = 0; lcore < LCORES; lcore += 1) this.core.run(lcore);
    }
    this.#checkWhole();
    const { received } = this.core.totals();
    if (received !== this.sent) throw new Error(`sent ${this.sent} frames, the core received ${received}`);
  }

  #sendOne(): void {
    const random = this.#random;
    const { port, frame } = random.pick(this.#corpus);
    const chunk = port.takeChunk();
    if (chunk === 0) return;
    const headroom = this.#tight ? random.below(L.FRAME_HEADROOM) : L.FRAME_HEADROOM;
    const at = chunk + headroom;
    this.#bytes.set(frame, at);
    const length = random.chance(70) ? this.#mutate(at, frame.length) : frame.length;
    this.#flight.push({ at, interface: port.interface, length });
    if (random.chance(0.1)) port.receive(chunk, headroom, random.pick([2 ** L.FRAME_SHIFT - headroom + 1, 0xffff, 0xffffffff - headroom + 1, 0xffffffff]));
    else port.receive(chunk, headroom, length);
  }

  /** Changes a frame in place. @returns its length then */
  #mutate(at: number, length: number): number {
    const random = this.#random;
    const bytes = this.#bytes;
    let result = length;
    for (let n = 1 + (random.bits() & 3); n > 0; n -= 1) {
      const bits = random.bits();
      const offset = at + (bits >>> 8) % Math.max(1, Math.min(result, bits & 0x80 ? 128 : result));
      switch (bits & 7) {
        case 0:
          result = (bits >>> 8) % (result + 1);
          break;
        case 1:
          result = Math.min(GREATEST_FRAME, result + ((bits >>> 8) & 63));
          break;
        case 2:
          bytes[offset] = 0;
          break;
        case 3:
          bytes[offset] = 0xff;
          break;
        case 4:
          bytes[offset] = bits >>> 24;
          break;
        default:
          bytes[offset] = (bytes[offset] ?? 0) ^ (1 << ((bits >>> 3) & 7));
      }
    }
    if (random.bits() & 1) this.#repair(at);
    return result;
  }

  /** Makes the IPv4 header's checksum right, so that the frame gets further. */
  #repair(frame: number): void {
    const bytes = this.#bytes;
    const at = frame + (bytes[frame + 12] === 0x81 ? 18 : 14);
    const length = ((bytes[at] ?? 0) & 0x0f) * 4;
    bytes[at + 10] = 0;
    bytes[at + 11] = 0;
    let sum = 0;
    for (let n = at; n < at + length; n += 2) sum += ((bytes[n] ?? 0) << 8) | (bytes[n + 1] ?? 0);
    sum = (sum & 0xffff) + (sum >>> 16);
    sum = ~(sum + (sum >>> 16)) & 0xffff;
    bytes[at + 10] = sum >>> 8;
    bytes[at + 11] = sum & 0xff;
  }

  #check(): void {
    if (this.#vectors % CHECK_VECTORS === 0) {
      this.#checkWhole();
      return;
    }
    for (let n = 0; n < SAMPLE && this.#flight.length > 0; n += 1) {
      const chunk = Math.floor((this.#random.pick(this.#flight).at - L.FRAMES) / 2 ** L.FRAME_SHIFT);
      for (const near of [chunk - 1, chunk, chunk + 1]) if (near >= 0 && near < FRAMES) this.#guarded(() => this.#guards.checkChunk(near));
    }
  }

  #checkWhole(): void {
    this.#guarded(() => {
      this.#guards.checkAll();
      // What rings still hold is taken in, and what was handed off then arrives, in either direction.
      for (let round = 0; round < 3; round += 1) for (let lcore = 0; lcore < LCORES; lcore += 1) this.core.run(lcore);
      checkFrames(this.#words, this.#ports, LCORES, FRAMES);
      this.core.checkBalance();
      if (this.#tableDigest() !== this.#tables) throw new Error('the core wrote into its tables');
    });
  }

  #guarded(check: () => void): void {
    try {
      check();
    } catch (error) {
      throw new Error(`seed ${this.#seed}, ${this.sent} frames sent: ${error instanceof Error ? error.message : String(error)}\n${this.#flightText()}`);
    }
  }

  /** Of what forwarding must leave alone: interfaces, VRFs, labels, next hops, floating IPs (neighbours are learnt). */
  #tableDigest(): string {
    const digests: number[] = [];
    for (const [base, size] of TABLES) {
      let hash = 0x811c9dc5;
      for (let at = base / 4; at < (base + size) / 4; at += 1) hash = Math.imul(hash ^ (this.#words[at] ?? 0), 0x01000193);
      digests.push(hash);
    }
    return digests.join(' ');
  }

  #flightText(): string {
    const lines = this.#flight.map(({ at, interface: iface, length }) => `  interface ${iface}: ${hex(this.#bytes.slice(at, at + length))}`);
    return `frames of the last vector, as the core left them:\n${lines.slice(0, 20).join('\n')}`;
  }
}

/** Tables, the part that a world uses. */
const TABLES: readonly (readonly [base: number, size: number])[] = [
  [L.INTERFACES, 16 * 2 ** L.INTERFACE_SHIFT],
  [L.VRFS, 16 * 2 ** L.VRF_SHIFT],
  [L.LABELS, 4 * 6000],
  [L.NEXTHOPS, 256 * 2 ** L.NEXTHOP_SHIFT],
  [L.FIP_PUBLIC, 1024 * 2 ** L.FIP_BUCKET_SHIFT],
  [L.FIP_PRIVATE, 1024 * 2 ** L.FIP_BUCKET_SHIFT],
  [L.ECMP, 4096],
];
