/**
 * One end of a TCP connection (RFC 9293) as a Node stream: handshake, sliding window, cumulative acknowledgements, out-of-order
 * buffering, retransmission by timeout (RFC 6298) and by three duplicates (RFC 5681), slow start and congestion avoidance, FIN in both
 * directions. No urgent data, no window scaling, no SACK.
 */
import { Duplex } from 'node:stream';
import { addressText, checksum, packAddress, pseudoSum } from './packets.ts';

export const TCP_PROTOCOL = 6;
const FIN = 1;
const SYN = 2;
const RST = 4;
const PSH = 8;
const ACK = 16;
const WINDOW_BYTES = 65_535;
const INITIAL_TIMEOUT_MS = 300;
const MINIMUM_TIMEOUT_MS = 50;
const MAXIMUM_TIMEOUT_MS = 2_000;
/** A segment is given up after so many timeouts in a row. */
const MAXIMUM_RETRIES = 8;
const LINGER_MS = 1_000;

export interface Endpoint {
  address: number;
  port: number;
}

export interface Segment {
  sourcePort: number;
  destinationPort: number;
  sequence: number;
  acknowledgement: number;
  syn: boolean;
  ack: boolean;
  fin: boolean;
  rst: boolean;
  window: number;
  /** Of the option, 536 (RFC 9293 section 3.7.1) without it; only meaningful with `syn`. */
  mss: number;
  data: Buffer;
}

/** What was sent and is not acknowledged yet. A SYN or FIN takes one sequence number. */
interface Flight {
  sequence: number;
  length: number;
  flags: number;
  data: Buffer;
  sentAt: number;
  retransmitted: boolean;
}

export interface TcpOptions {
  local: Endpoint;
  peer: Endpoint;
  mss: number;
  send: (segment: Buffer) => void;
  closed: () => void;
}

/** Header and data of a segment; undefined when its header is malformed. The checksum is the caller's to judge. */
export function parseTcp(bytes: Buffer): Segment | undefined {
  if (bytes.length < 20) return undefined;
  const headerLength = (bytes[12]! >> 4) * 4;
  if (headerLength < 20 || headerLength > bytes.length) return undefined;
  const flags = bytes[13]!;
  return {
    sourcePort: bytes.readUInt16BE(0),
    destinationPort: bytes.readUInt16BE(2),
    sequence: bytes.readUInt32BE(4),
    acknowledgement: bytes.readUInt32BE(8),
    syn: (flags & SYN) !== 0,
    ack: (flags & ACK) !== 0,
    fin: (flags & FIN) !== 0,
    rst: (flags & RST) !== 0,
    window: bytes.readUInt16BE(14),
    mss: mssOption(bytes.subarray(20, headerLength)),
    data: bytes.subarray(headerLength),
  };
}

export class TcpConnection extends Duplex {
  readonly remoteAddress: string;
  readonly remotePort: number;
  readonly established: Promise<void>;
  readonly #local: Endpoint;
  readonly #peer: Endpoint;
  readonly #send: (segment: Buffer) => void;
  readonly #forget: () => void;
  #resolve!: () => void;
  #reject!: (error: Error) => void;
  #mss: number;
  #synchronised = false;
  // Sender.
  #next = 0;
  #flights: Flight[] = [];
  #queue: Buffer[] = [];
  #finQueued = false;
  #finSent = false;
  #peerWindow = WINDOW_BYTES;
  #congestionWindow: number;
  #slowStartThreshold = Infinity;
  #duplicates = 0;
  #lastAcknowledged = 0;
  /** Fast recovery ends when everything up to here is acknowledged. */
  #recover: number | undefined;
  #retries = 0;
  #timer: NodeJS.Timeout | undefined;
  #timeoutMs = INITIAL_TIMEOUT_MS;
  #smoothedMs: number | undefined;
  #variationMs = 0;
  #written: (() => void) | undefined;
  #finished: ((error?: Error | null) => void) | undefined;
  // Receiver.
  #expected = 0;
  #early = new Map<number, { data: Buffer; fin: boolean }>();
  #finReceived = false;
  #unread = 0;
  #acknowledgeSoon = false;

  constructor({ local, peer, mss, send, closed }: TcpOptions) {
    // Not destroyed by itself when both directions end: it must answer a repeated FIN for a while.
    super({ allowHalfOpen: true, autoDestroy: false, highWaterMark: WINDOW_BYTES });
    this.#local = local;
    this.#peer = peer;
    this.remoteAddress = addressText(peer.address);
    this.remotePort = peer.port;
    this.#mss = mss;
    this.#congestionWindow = 10 * mss;
    this.#send = send;
    this.#forget = closed;
    this.established = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    this.established.catch(() => {});
    this.#next = this.#lastAcknowledged = Math.floor(Math.random() * 2 ** 32);
  }

  /** Sends the SYN. */
  open(): void {
    this.#transmit(SYN, Buffer.alloc(0));
  }

  receive(segment: Segment): void {
    if (this.destroyed) return;
    if (segment.rst) {
      this.destroy(new Error(`connection to ${this.remoteAddress}:${this.remotePort} was reset`));
      return;
    }
    if (segment.syn) this.#receiveSyn(segment);
    if (segment.ack) this.#receiveAcknowledgement(segment);
    if (this.#synchronised && (segment.data.length > 0 || segment.fin)) this.#receiveData(segment);
    this.#push();
    this.#endWhenDone();
  }

  override _write(chunk: Buffer, _encoding: string, written: () => void): void {
    this.#queue.push(chunk);
    this.#written = written;
    this.#push();
  }

  override _final(finished: (error?: Error | null) => void): void {
    this.#finQueued = true;
    this.#finished = finished;
    this.#push();
  }

  override _read(): void {
    const wasShut = this.#windowBytes() < this.#mss;
    this.#unread = 0;
    if (wasShut && this.#synchronised) this.#acknowledge();
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    clearTimeout(this.#timer);
    this.#reject(error ?? new Error('closed before it was established'));
    this.#forget();
    done(error);
  }

  #receiveSyn(segment: Segment): void {
    if (this.#synchronised) return this.#acknowledge(); // Our answer was lost.
    this.#expected = (segment.sequence + 1) >>> 0;
    this.#mss = Math.min(this.#mss, segment.mss);
    this.#synchronised = true;
    if (segment.ack) this.#acknowledge();
    else this.#transmit(SYN | ACK, Buffer.alloc(0));
  }

  #receiveAcknowledgement(segment: Segment): void {
    const acknowledged = distance(this.#lastAcknowledged, segment.acknowledgement);
    if (acknowledged < 0 || distance(segment.acknowledgement, this.#next) < 0) return;
    const sameWindow = segment.window === this.#peerWindow;
    this.#peerWindow = segment.window;
    if (acknowledged === 0) {
      if (sameWindow && segment.data.length === 0 && !segment.fin && !segment.syn && this.#flights.length > 0) this.#duplicate();
      return;
    }
    this.#lastAcknowledged = segment.acknowledgement;
    this.#duplicates = 0;
    this.#retries = 0;
    const first = this.#flights[0];
    while (this.#flights.length > 0 && distance(end(this.#flights[0]!), segment.acknowledgement) >= 0) {
      const flight = this.#flights.shift()!;
      if (!flight.retransmitted) this.#measure(performance.now() - flight.sentAt);
    }
    if (first !== undefined && (first.flags & SYN) !== 0) this.#resolve();
    if (this.#recover !== undefined) {
      if (distance(this.#recover, segment.acknowledgement) >= 0) this.#recover = undefined;
      else this.#retransmitFirst(); // A partial acknowledgement: the next hole (RFC 6582).
    } else if (this.#congestionWindow < this.#slowStartThreshold) this.#congestionWindow += Math.min(acknowledged, this.#mss);
    else this.#congestionWindow += (this.#mss * this.#mss) / this.#congestionWindow;
    this.#arm();
  }

  #receiveData(segment: Segment): void {
    const ahead = distance(this.#expected, segment.sequence);
    if (ahead > 0) {
      if (ahead < WINDOW_BYTES) this.#early.set(segment.sequence, { data: Buffer.from(segment.data), fin: segment.fin });
      return this.#acknowledge(); // A duplicate acknowledgement tells the sender of the hole at once.
    }
    if (-ahead > segment.data.length || (segment.data.length + ahead === 0 && !segment.fin)) return this.#acknowledge();
    this.#deliver(segment.data.subarray(-ahead), segment.fin);
    for (let early = this.#early.get(this.#expected); early !== undefined; early = this.#early.get(this.#expected)) {
      this.#early.delete(this.#expected);
      this.#deliver(early.data, early.fin);
    }
    // One acknowledgement for all that arrived in this turn of the event loop.
    if (this.#acknowledgeSoon) return;
    this.#acknowledgeSoon = true;
    setImmediate(() => {
      if (this.#acknowledgeSoon && !this.destroyed) this.#acknowledge();
    });
  }

  #deliver(data: Buffer, fin: boolean): void {
    if (data.length > 0) {
      this.#expected = (this.#expected + data.length) >>> 0;
      if (!this.push(Buffer.from(data))) this.#unread += data.length;
    }
    if (fin && !this.#finReceived) {
      this.#finReceived = true;
      this.#expected = (this.#expected + 1) >>> 0;
      this.push(null);
    }
  }

  #windowBytes(): number {
    return Math.max(0, WINDOW_BYTES - this.#unread);
  }

  /** Sends what the windows permit. */
  #push(): void {
    if (!this.#synchronised || this.#flights.some((flight) => (flight.flags & SYN) !== 0)) return;
    let room = Math.min(this.#peerWindow, this.#congestionWindow) - this.#inFlight();
    // A shut window is probed with one byte, repeated by the retransmission timer.
    if (this.#peerWindow === 0 && this.#flights.length === 0) room = 1;
    while (this.#queue.length > 0 && room > 0) {
      // Waits for a whole segment's room rather than send slivers (RFC 9293 section 3.8.6.2.1).
      if (room < Math.min(this.#mss, this.#queue[0]!.length) && this.#flights.length > 0) return;
      const data = this.#take(Math.min(this.#mss, room));
      room -= data.length;
      this.#transmit(ACK | (this.#queue.length === 0 ? PSH : 0), data);
    }
    if (this.#queue.length > 0) return;
    if (this.#finQueued && !this.#finSent) {
      this.#finSent = true;
      this.#transmit(FIN | ACK, Buffer.alloc(0));
    }
    const written = this.#written;
    this.#written = undefined;
    written?.();
  }

  #take(length: number): Buffer {
    const first = this.#queue[0]!;
    if (first.length <= length) return this.#queue.shift()!;
    this.#queue[0] = first.subarray(length);
    return first.subarray(0, length);
  }

  #inFlight(): number {
    return distance(this.#lastAcknowledged, this.#next);
  }

  #transmit(flags: number, data: Buffer): void {
    const length = data.length + ((flags & (SYN | FIN)) !== 0 ? 1 : 0);
    const flight = { sequence: this.#next, length, flags, data, sentAt: performance.now(), retransmitted: false };
    this.#next = (this.#next + length) >>> 0;
    this.#flights.push(flight);
    this.#emit(flight.sequence, flags, data);
    if (this.#timer === undefined) this.#arm();
  }

  #acknowledge(): void {
    this.#emit(this.#next, ACK, Buffer.alloc(0));
  }

  #emit(sequence: number, flags: number, data: Buffer): void {
    const options = (flags & SYN) === 0 ? 0 : 4;
    const bytes = Buffer.alloc(20 + options + data.length);
    bytes.writeUInt16BE(this.#local.port, 0);
    bytes.writeUInt16BE(this.#peer.port, 2);
    bytes.writeUInt32BE(sequence, 4);
    bytes.writeUInt32BE((flags & ACK) === 0 ? 0 : this.#expected, 8);
    bytes[12] = ((20 + options) / 4) << 4;
    bytes[13] = flags;
    bytes.writeUInt16BE(this.#windowBytes(), 14);
    if (options > 0) bytes.writeUInt32BE(0x02040000 + this.#mss, 20);
    data.copy(bytes, 20 + options);
    bytes.writeUInt16BE(checksum(bytes, pseudoSum(this.#local.address, this.#peer.address, TCP_PROTOCOL, bytes.length)), 16);
    if ((flags & ACK) !== 0) this.#acknowledgeSoon = false;
    this.#send(bytes);
  }

  #duplicate(): void {
    if (++this.#duplicates !== 3 || this.#recover !== undefined) return;
    this.#slowStartThreshold = Math.max(this.#inFlight() / 2, 2 * this.#mss);
    this.#congestionWindow = this.#slowStartThreshold;
    this.#recover = this.#next;
    this.#retransmitFirst();
  }

  #retransmitFirst(): void {
    const flight = this.#flights[0];
    if (flight === undefined) return;
    flight.retransmitted = true;
    this.#emit(flight.sequence, flight.flags, flight.data);
  }

  #arm(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#flights.length === 0) return;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.#expire();
    }, Math.min(this.#timeoutMs * 2 ** this.#retries, MAXIMUM_TIMEOUT_MS));
  }

  #expire(): void {
    if (++this.#retries > MAXIMUM_RETRIES) {
      this.destroy(new Error(`${this.remoteAddress}:${this.remotePort} did not acknowledge after ${MAXIMUM_RETRIES} retransmissions`));
      return;
    }
    this.#slowStartThreshold = Math.max(this.#inFlight() / 2, 2 * this.#mss);
    this.#congestionWindow = this.#mss;
    this.#duplicates = 0;
    this.#recover = this.#next;
    this.#retransmitFirst();
    this.#arm();
  }

  /** RFC 6298 section 2. */
  #measure(roundTripMs: number): void {
    if (this.#smoothedMs === undefined) {
      this.#smoothedMs = roundTripMs;
      this.#variationMs = roundTripMs / 2;
    } else {
      this.#variationMs = 0.75 * this.#variationMs + 0.25 * Math.abs(this.#smoothedMs - roundTripMs);
      this.#smoothedMs = 0.875 * this.#smoothedMs + 0.125 * roundTripMs;
    }
    this.#timeoutMs = Math.max(MINIMUM_TIMEOUT_MS, this.#smoothedMs + 4 * this.#variationMs);
  }

  /** Both directions are closed and acknowledged: answers late retransmissions for a moment, then is gone. */
  #endWhenDone(): void {
    if (!this.#finSent || this.#flights.length > 0) return;
    const finished = this.#finished;
    this.#finished = undefined;
    finished?.();
    if (this.#finReceived && this.#timer === undefined) this.#timer = setTimeout(() => this.destroy(), LINGER_MS).unref();
  }
}

function mssOption(options: Buffer): number {
  for (let i = 0; i < options.length; ) {
    const kind = options[i]!;
    if (kind === 0) break;
    if (kind === 1) {
      i++;
      continue;
    }
    const length = options[i + 1] ?? 0;
    if (length < 2) break;
    if (kind === 2 && length === 4 && i + 4 <= options.length) return options.readUInt16BE(i + 2);
    i += length;
  }
  return 536;
}

/** How far `to` lies after `from` in sequence space; negative when before. */
function distance(from: number, to: number): number {
  return (to - from) | 0;
}

function end(flight: Flight): number {
  return (flight.sequence + flight.length) >>> 0;
}
