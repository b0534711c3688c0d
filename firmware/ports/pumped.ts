/** What all ports have in common whose rings a pump serves: one queue, rings in its slot. */
import { createHash } from 'node:crypto';
import type { DriverContext, OpenPort, PortRequest, QueueSlot } from './port.ts';
import type { QueueService } from './pump.ts';
import { pumpLosses, writePumpedQueue } from './rings.ts';

export interface Endpoint {
  readonly fd: number;
  readonly mac: string;
  readonly mtu: number;
  readonly mode: string;
  readonly warnings: readonly string[];
  /** memory: where the other end is now. */
  peer?(): QueueService['peer'];
  /** generator: packets a second. */
  readonly rate?: number;
  /** Frames that were lost before the pump saw them; left out where nobody counts them. */
  missed?(): number;
  /** Before the queue is let go. */
  deactivate?(): void;
  close(): void;
}

/** Opens the endpoint and writes the queue's record. */
export async function pumpedPort(
  context: DriverContext, request: PortRequest, slots: readonly QueueSlot[], driver: QueueService['driver'], open: (slot: QueueSlot) => Endpoint | Promise<Endpoint>,
): Promise<OpenPort> {
  const slot = slots[0];
  if (slot === undefined || slots.length !== 1) throw new RangeError(`port "${request.name}": a ${request.driver} port has one queue, not ${slots.length}`);
  const { receive, transmit } = request.ring;
  writePumpedQueue(context.views, slot.queue, slot.lcore, { rx: receive, tx: transmit, fill: receive, completion: transmit });
  const endpoint = await open(slot);
  return {
    services: () => {
      const peer = endpoint.peer?.();
      const { fd, rate } = endpoint;
      return [{ queue: slot.queue, driver, fd, ...(peer === undefined ? {} : { peer }), ...(rate === undefined ? {} : { rate }) }];
    },
    mac: endpoint.mac,
    mtu: endpoint.mtu,
    mode: endpoint.mode,
    warnings: endpoint.warnings,
    missed: () => (endpoint.missed?.() ?? 0) + pumpLosses(context.views, slot.queue).missed,
    txErrors: () => pumpLosses(context.views, slot.queue).txErrors,
    activate: () => {},
    deactivate: () => endpoint.deactivate?.(),
    close: () => endpoint.close(),
  };
}

/** A locally administered MAC that is always the same for a port (RFC 7042 section 2.1): ports without a device have none. */
export function derivedMac(...parts: readonly string[]): string {
  const hash = createHash('sha256').update(parts.join('\n')).digest();
  return ['02', ...hash.subarray(0, 5).toString('hex').match(/../g)!].join(':');
}
