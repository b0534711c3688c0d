/** Memory: two ports of one process joined back to back. Each names the other as its device. */
import type { Driver, DriverContext, OpenPort, PortRequest, QueueSlot } from './port.ts';
import { PortProblem } from './port.ts';
import { derivedMac, pumpedPort } from './pumped.ts';

export class MemoryDriver implements Driver {
  readonly #context: DriverContext;
  /** Where each port's queue is. */
  readonly #slots = new Map<string, QueueSlot>();

  constructor(context: DriverContext) {
    this.#context = context;
  }

  plan(request: PortRequest): number {
    if (request.device === request.name) throw new PortProblem(`port "${request.name}": a memory port is joined with another port; name that one as its device`);
    return 1;
  }

  open(request: PortRequest, slots: readonly QueueSlot[]): Promise<OpenPort> {
    return pumpedPort(this.#context, request, slots, 'memory', (slot) => {
      this.#slots.set(request.name, slot);
      return {
        fd: -1, mac: derivedMac('memory', request.name), mtu: request.mtu, mode: 'copy', warnings: [],
        peer: () => this.#slots.get(request.device),
        deactivate: () => this.#slots.delete(request.name),
        close: () => {},
      };
    });
  }
}
