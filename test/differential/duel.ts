/** The core and the reference forwarder side by side: the same tables, the same frames, and where they differ. */
import * as L from '../../wasm-core/layout.ts';
import { RESULT_OK } from '../../wasm-core/records.ts';
import { Core, type SentFrame } from '../fixtures/core.ts';
import type { GeneratedFrame } from '../generate/frames.ts';
import type { World } from '../generate/world.ts';
import { Forwarder, type Outcome } from '../reference/forwarder.ts';
import { DROP_NAMES } from '../reference/packet.ts';
import { hex } from '../reference/wire.ts';

const SEED = 0x0123_4567_89ab_cdefn;
const REASONS = 64;
/** What a trace event keeps of a packet. */
const TRACED_BYTES = 96;
const NODE_TRANSMIT = 16;

/** Lines that only one of the two says of a step. */
export interface Difference {
  readonly core: readonly string[];
  readonly reference: readonly string[];
}

export class Duel {
  readonly core: Core;
  readonly reference = new Forwarder(SEED);
  /** Records that the core refused (RESULT_*), which the reference then does not get. */
  readonly refused: number[] = [];
  readonly #lcores: number;
  readonly #ports: readonly number[];
  readonly #world: World;

  /** @param lcores over which the ports are spread, so that frames pass from one to another */
  constructor(world: World, lcores: number) {
    this.#world = world;
    this.#lcores = lcores;
    this.#ports = world.ports.map((port) => port.id);
    this.core = new Core({ lcores, frames: 8192, seed: SEED, icmpRate: 1_000_000, icmpBurst: 1_000_000 });
    for (const record of world.records) {
      const result = this.core.tryApply([record])[0] ?? 0;
      if (result === RESULT_OK) this.reference.apply(record.kind, record.bytes);
      else this.refused.push(result);
    }
    for (const port of this.#ports) this.core.attach(port, this.#lcoreOf(port));
    this.#setTime();
  }

  /** Frames that came out in the last step. */
  sent = 0;
  #sentFrames: Uint8Array[] = [];

  /** One frame through both. */
  play(frame: GeneratedFrame): Difference | undefined {
    const mask = this.reference.neighbours.held > 0 ? maskIdentification : (bytes: Uint8Array) => bytes; // errors that waited
    this.reference.identification = this.#coreWord(this.#lcoreOf(frame.port), L.LC_IP_ID);
    const before = this.#drops();
    const sent = this.core.forward([{ interface: frame.port, bytes: frame.bytes }]);
    const outcomes = this.reference.receive(frame.port, frame.bytes);
    return this.#compare(sent, before, outcomes, mask);
  }

  /**
   * The frames that the core's trace says would be sent: the first bytes of each, sorted, identifications masked. A trace sends,
   * learns and counts nothing, which the steps after it prove.
   */
  trace({ port, bytes }: GeneratedFrame): string[] {
    const { core } = this;
    core.bytes.set(bytes, L.TRACE_FRAME + L.FRAME_HEADROOM);
    const events = core.exports.trace(port, bytes.length);
    const sends: string[] = [];
    for (let event = L.TRACE + L.TRACE_EVENTS; event < L.TRACE + L.TRACE_EVENTS + events * L.TRACE_EVENT_SIZE; event += L.TRACE_EVENT_SIZE) {
      const dropped = core.bytes[event + L.TE_META + L.M_DROP] !== 0;
      if (core.view.getUint16(event + L.TE_NODE, true) !== NODE_TRANSMIT || dropped) continue;
      const length = Math.min(core.view.getUint16(event + L.TE_META + L.M_LENGTH, true), TRACED_BYTES);
      sends.push(hex(maskIdentification(core.bytes.slice(event + L.TE_PACKET, event + L.TE_PACKET + length))));
    }
    return sends.sort();
  }

  /** What `trace` should have said of the last step: all but a question for a neighbour that has long been silent. */
  sentAsTraced(): string[] {
    return this.#sentFrames.filter((frame) => !isArp(frame)).map((frame) => hex(maskIdentification(frame.slice(0, TRACED_BYTES)))).sort();
  }

  /** Frames through the core in one vector, through the reference one by one: identifications of ICMP errors do not count. */
  playVector(frames: readonly GeneratedFrame[]): Difference | undefined {
    const before = this.#drops();
    const sent = this.core.forward(frames.map((frame) => ({ interface: frame.port, bytes: frame.bytes })));
    const outcomes = frames.flatMap((frame) => this.reference.receive(frame.port, frame.bytes));
    return this.#compare(sent, before, outcomes, maskIdentification);
  }

  /**
   * True after several packets gave up at once and their errors had to wait in turn: which of one vector still fit into a
   * neighbour's queue, and whether another lcore's packets still waited for it, is not defined. The two may differ from there.
   */
  isUndefined = false;

  /** Lets time go on: several packets may give up at once, so identifications do not count. */
  wait(ms: number): Difference | undefined {
    const before = this.#drops();
    this.core.advanceClock(ms);
    this.core.settle();
    const outcomes = this.reference.tick(this.#milliseconds());
    const died = (reason: string): number => outcomes.filter((outcome) => outcome.verdict === 'dropped' && outcome.reason === reason).length;
    const raced = died('neighbour_queue_full') > 0 || (this.#lcores > 1 && outcomes.some((outcome) => outcome.verdict === 'held'));
    this.isUndefined = died('neighbour_unresolved') > 1 && raced;
    if (this.isUndefined) return undefined;
    return this.#compare(this.core.drain(), before, outcomes, maskIdentification);
  }

  /** Counters that differ, after any number of steps. */
  counterDifferences(): string[] {
    const counters = this.reference.counters;
    const differences: string[] = [];
    const expect = (name: string, at: number): void => {
      const actual = this.core.counter(at);
      const expected = counters.get(name) ?? 0;
      if (actual !== expected) differences.push(`${name}: core ${actual}, reference ${expected}`);
    };
    expect('received', L.C_RECEIVED);
    expect('originated', L.C_ORIGINATED);
    expect('transmitted', L.C_TRANSMITTED);
    for (const [code, name] of DROP_NAMES) expect(`drop ${name}`, L.C_DROP + 8 * code);
    for (const { id } of this.#world.interfaces) {
      const at = L.C_INTERFACE + 64 * id;
      expect(`interface ${id} rx packets`, at + L.CI_RX_PACKETS);
      expect(`interface ${id} rx bytes`, at + L.CI_RX_BYTES);
      expect(`interface ${id} tx packets`, at + L.CI_TX_PACKETS);
      expect(`interface ${id} tx bytes`, at + L.CI_TX_BYTES);
      expect(`interface ${id} drops`, at + L.CI_DROPS);
    }
    for (const id of this.reference.tables.vrfs.keys()) {
      expect(`vrf ${id} packets`, L.C_VRF + 16 * id);
      expect(`vrf ${id} bytes`, L.C_VRF + 16 * id + 8);
    }
    for (const id of this.reference.tables.nextHops.keys()) {
      expect(`next hop ${id} packets`, L.C_NEXTHOP + 16 * id);
      expect(`next hop ${id} bytes`, L.C_NEXTHOP + 16 * id + 8);
    }
    return differences;
  }

  #compare(sent: readonly SentFrame[], before: readonly number[], outcomes: readonly Outcome[], mask: (frame: Uint8Array) => Uint8Array): Difference | undefined {
    this.sent = sent.length;
    this.#sentFrames = sent.map((frame) => frame.bytes);
    const core = sent.map((frame) => sentText(frame.interface, mask(frame.bytes)));
    for (const [code, count] of this.#drops().entries())
      for (let n = count - (before[code] ?? 0); n > 0; n -= 1) core.push(`dropped ${DROP_NAMES.get(code) ?? `code ${code}`}`);
    core.push(`${this.#sum((lcore) => this.#coreWord(lcore, L.LC_HELD_COUNT))} held`);

    const reference: string[] = [];
    for (const outcome of outcomes) {
      if (outcome.verdict === 'transmitted') reference.push(sentText(outcome.port, mask(outcome.frame)));
      else if (outcome.verdict === 'dropped') reference.push(`dropped ${outcome.reason}`);
    }
    reference.push(`${this.reference.neighbours.held} held`);
    const [onlyCore, onlyReference] = [without(core, reference), without(reference, core)];
    return onlyCore.length + onlyReference.length === 0 ? undefined : { core: onlyCore, reference: onlyReference };
  }

  #coreWord(lcore: number, offset: number): number {
    return this.core.view.getUint32(this.core.lcoreAt(lcore) + offset, true);
  }

  #lcoreOf(port: number): number {
    return this.#ports.indexOf(port) % this.#lcores;
  }

  #sum(ofLcore: (lcore: number) => number): number {
    let sum = 0;
    for (let lcore = 0; lcore < this.#lcores; lcore += 1) sum += ofLcore(lcore);
    return sum;
  }

  /** Drops by code so far. */
  #drops(): number[] {
    const counter = (lcore: number, code: number): number =>
      Number(this.core.view.getBigUint64(L.COUNTERS + lcore * 2 ** L.COUNTERS_SHIFT + L.C_DROP + 8 * code, true));
    return Array.from({ length: REASONS }, (_, code) => this.#sum((lcore) => counter(lcore, code)));
  }

  #milliseconds(): number {
    return Number(this.core.nowUs / 1000n);
  }

  #setTime(): void {
    this.reference.now = this.#milliseconds();
  }
}

/** Lines of `some` that are not in `others`, each as often as it is missing there. */
function without(some: readonly string[], others: readonly string[]): string[] {
  const counts = new Map<string, number>();
  for (const line of others) counts.set(line, (counts.get(line) ?? 0) + 1);
  return some.filter((line) => {
    const count = counts.get(line) ?? 0;
    counts.set(line, count - 1);
    return count <= 0;
  });
}

export function isArp(frame: Uint8Array): boolean {
  const typeAt = frame[12] === 0x81 && frame[13] === 0 ? 16 : 12;
  return frame[typeAt] === 0x08 && frame[typeAt + 1] === 0x06;
}

function sentText(port: number, frame: Uint8Array): string {
  return `transmitted by ${port}: ${hex(frame)}`;
}

/** Zeroes identification and checksum of every IPv4 header whose TOS marks an ICMP error of ours, and of a header around it. */
function maskIdentification(frame: Uint8Array): Uint8Array {
  const masked = frame.slice();
  const at = masked[12] === 0x81 && masked[13] === 0 ? 18 : 14;
  for (const header of [at, at + 28]) {
    if (masked[header] !== 0x45 || masked[header + 1] !== 0xc0) continue;
    masked.fill(0, header + 4, header + 6);
    masked.fill(0, header + 10, header + 12);
  }
  return masked;
}
