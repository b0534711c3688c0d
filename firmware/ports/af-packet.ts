/** AF_PACKET: any Linux device, without XDP. The kernel's own stack sees the frames as well. */
import { bringUp } from '../linux/device.ts';
import type { Libc } from '../linux/libc.ts';
import { socketDrops } from '../linux/socket-drops.ts';
import { openPacketSocket } from '../linux/packet-socket.ts';
import { checkChecksums, explainFailure, requireCapabilities, requireDevice } from './checks.ts';
import type { Driver, DriverContext, OpenPort, PortRequest, QueueSlot } from './port.ts';
import { pumpedPort } from './pumped.ts';

export class AfPacketDriver implements Driver {
  readonly #libc: Libc;
  readonly #context: DriverContext;

  constructor(libc: Libc, context: DriverContext) {
    this.#libc = libc;
    this.#context = context;
  }

  plan(request: PortRequest): number {
    requireCapabilities(request, ['CAP_NET_RAW', 'CAP_NET_ADMIN']);
    requireDevice(this.#libc, request);
    return 1;
  }

  open(request: PortRequest, slots: readonly QueueSlot[]): Promise<OpenPort> {
    return pumpedPort(this.#context, request, slots, 'packet', () => {
      try {
        bringUp(this.#libc, request.device);
        const device = requireDevice(this.#libc, request);
        const fd = openPacketSocket(this.#libc, request.device, device.index);
        const warning = checkChecksums(this.#libc, device);
        return {
          fd, mac: device.mac, mtu: Math.min(device.mtu, request.mtu), mode: 'recvmmsg', warnings: warning === undefined ? [] : [warning],
          missed: () => socketDrops(this.#libc, fd), close: () => this.#libc.close(fd),
        };
      } catch (error) {
        throw explainFailure(request, error);
      }
    });
  }
}
