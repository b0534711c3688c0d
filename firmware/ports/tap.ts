/** TAP: the other end is an Ethernet device of the kernel, which the port makes if it is not there. */
import { bringUp, readDevice } from '../linux/device.ts';
import type { Libc } from '../linux/libc.ts';
import { openTap } from '../linux/tap.ts';
import { explainFailure, requireCapabilities } from './checks.ts';
import type { Driver, DriverContext, OpenPort, PortRequest, QueueSlot } from './port.ts';
import { derivedMac, pumpedPort } from './pumped.ts';

export class TapDriver implements Driver {
  readonly #libc: Libc;
  readonly #context: DriverContext;

  constructor(libc: Libc, context: DriverContext) {
    this.#libc = libc;
    this.#context = context;
  }

  plan(request: PortRequest): number {
    requireCapabilities(request, ['CAP_NET_ADMIN']);
    return 1;
  }

  open(request: PortRequest, slots: readonly QueueSlot[]): Promise<OpenPort> {
    return pumpedPort(this.#context, request, slots, 'tap', () => {
      try {
        const fd = openTap(this.#libc, request.device);
        bringUp(this.#libc, request.device);
        const mtu = Math.min(readDevice(this.#libc, request.device)?.mtu ?? request.mtu, request.mtu);
        // The device's own MAC is that of the kernel's end: ours must differ.
        return { fd, mac: derivedMac('tap', request.name, request.device), mtu, mode: 'read/write', warnings: [], close: () => this.#libc.close(fd) };
      } catch (error) {
        throw explainFailure(request, error);
      }
    });
  }
}
