/**
 * A pump plays the kernel's part on the rings of one queue. It runs inside the lcore that owns the queue, between two runs of
 * the core: no thread of its own, no hand-over. All its state lies in the rings, so a replaced lcore just makes a new one.
 */
export interface Pump {
  /** Moves what has arrived into the receive ring; returns how many frames. Never waits. */
  receive(): number;
  /** Sends what is in the transmit ring; true when some had to stay. Never waits. */
  transmit(): boolean;
  /** A readable descriptor ends the lcore's sleep; undefined: somebody wakes the lcore. */
  readonly fd: number | undefined;
  /** Frames come with time, and nobody says so: the lcore looks every millisecond. */
  readonly ticks?: boolean;
  /** System calls made so far. */
  readonly calls: number;
}

/** What an lcore must know to serve a queue; posted to its worker. */
export interface QueueService {
  readonly queue: number;
  readonly driver: 'af_xdp' | 'packet' | 'datagram' | 'tap' | 'memory' | 'portable' | 'generator';
  /** Socket or device; -1 for memory, generator and portable (a pump worker has the socket). */
  readonly fd: number;
  /** memory: the joined queue, and the lcore that owns it. */
  readonly peer?: { readonly queue: number; readonly lcore: number };
  /** generator: packets a second; as many as the lcore takes without. */
  readonly rate?: number;
}
