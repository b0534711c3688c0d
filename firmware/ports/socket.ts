/**
 * Socket: one Ethernet frame per UDP datagram between two endpoints. Needs no privileges and runs on any OS: with the C
 * library the lcore moves frames itself (recvmmsg, sendmmsg), without it a pump worker does by node:dgram.
 */
import { isIPv4 } from 'node:net';
import { openDatagramSocket, type Endpoint } from '../linux/datagram-socket.ts';
import type { Libc } from '../linux/libc.ts';
import { socketDrops } from '../linux/socket-drops.ts';
import { explainFailure } from './checks.ts';
import { PortProblem, type Driver, type DriverContext, type OpenPort, type PortRequest, type QueueSlot } from './port.ts';
import { derivedMac, pumpedPort } from './pumped.ts';
import type { PortablePump } from './portable-pump.ts';

export class SocketDriver implements Driver {
  readonly #libc: Libc | undefined;
  readonly #context: DriverContext;
  readonly #pump: PortablePump;

  constructor(libc: Libc | undefined, context: DriverContext, pump: PortablePump) {
    this.#libc = libc;
    this.#context = context;
    this.#pump = pump;
  }

  plan(request: PortRequest): number {
    parseEndpoints(request);
    return 1;
  }

  open(request: PortRequest, slots: readonly QueueSlot[]): Promise<OpenPort> {
    const { local, peer } = parseEndpoints(request);
    const common = { mac: derivedMac('socket', request.name, request.device), mtu: request.mtu, warnings: [] };
    const libc = this.#libc;
    if (libc === undefined) {
      return pumpedPort(this.#context, request, slots, 'portable', async (slot) => {
        await this.#pump.open(slot, local, peer).catch((error: unknown) => {
          throw explainFailure(request, error);
        });
        return { ...common, fd: -1, mode: 'node:dgram', close: () => this.#pump.close(slot.queue) };
      });
    }
    return pumpedPort(this.#context, request, slots, 'datagram', () => {
      try {
        const fd = openDatagramSocket(libc, local, peer);
        return { ...common, fd, mode: 'recvmmsg', missed: () => socketDrops(libc, fd), close: () => libc.close(fd) };
      } catch (error) {
        throw explainFailure(request, error);
      }
    });
  }
}

/** "local-host:port,peer-host:port" @throws PortProblem */
export function parseEndpoints(request: PortRequest): { readonly local: Endpoint; readonly peer: Endpoint } {
  const [local, peer, ...rest] = request.device.split(',').map(parseEndpoint);
  if (local === undefined || peer === undefined || rest.length > 0) {
    throw new PortProblem(`port "${request.name}": "${request.device}" is no pair of endpoints; right would be "127.0.0.1:40001,127.0.0.1:40002" (own, then peer's)`);
  }
  return { local, peer };
}

function parseEndpoint(text: string): Endpoint | undefined {
  const [host = '', port = '', ...rest] = text.trim().split(':');
  const number = Number(port);
  if (!isIPv4(host) || !Number.isInteger(number) || number < 1 || number > 65535 || rest.length > 0) return undefined;
  return { host, port: number };
}
