/**
 * A port: one network attachment with one or more queues. A driver opens it; the port manager numbers its queues, gives them
 * to lcores and binds them to an interface. One interface for all drivers, so that nothing above knows which one it is.
 */
import type { ProfilePort } from '../host/profile.ts';
import type { MemoryViews } from '../host/memory.ts';
import type { QueueService } from './pump.ts';

export type PortRequest = ProfilePort;

/** A queue that the manager has set aside for a port. */
export interface QueueSlot {
  readonly queue: number;
  readonly lcore: number;
}

export interface OpenPort {
  /** What serves each queue now, in the order of the slots. */
  services(): readonly QueueService[];
  readonly mac: string;
  readonly mtu: number;
  /** How frames move, for people: "zero-copy", "copy", "generic copy", "recvmmsg", … */
  readonly mode: string;
  /** Not in the way, but somebody should know. */
  readonly warnings: readonly string[];
  /** Frames that came in while there was no room for them. */
  missed(): number;
  /** Frames that the core sent and the other side did not take. */
  txErrors(): number;
  /** Lets frames in: the queues are active and served. */
  activate(): void;
  /** Lets no more in. */
  deactivate(): void;
  /** Frees all, after no lcore serves the queues any more. */
  close(): void;
}

export interface Driver {
  /** Queues that a port of this request has. @throws PortProblem */
  plan(request: PortRequest): number;
  /** Opens and writes the queues' records (rings.ts). On failure nothing stays open. @throws PortProblem */
  open(request: PortRequest, slots: readonly QueueSlot[]): Promise<OpenPort>;
}

/** Why a port cannot come up, and what to do about it. */
export class PortProblem extends Error {
  constructor(text: string, options?: ErrorOptions) {
    super(text, options);
    this.name = 'PortProblem';
  }
}

export interface DriverContext {
  readonly views: MemoryViews;
  /** Frames of the profile: the length of the UMEM. */
  readonly frames: number;
}
