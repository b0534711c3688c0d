/**
 * AF_XDP: the kernel (or the network card) reads and writes frames and rings in the data plane's memory. One socket per
 * receive queue of the device, all on one UMEM: that of the first socket, which any that is still bound passes on.
 */
import { FRAMES, FRAME_SHIFT } from '../../wasm-core/layout.ts';
import { bringUp, driverName, receiveQueues, setReceiveQueues } from '../linux/device.ts';
import type { Libc } from '../linux/libc.ts';
import { restorePages } from '../linux/memory-map.ts';
import { XdpProgram } from '../linux/xdp-program.ts';
import { openXdpSocket, xdpLosses, type XdpSocket } from '../linux/xdp-socket.ts';
import { checkChecksums, explainFailure, requireDevice, requireXdp } from './checks.ts';
import type { Driver, DriverContext, OpenPort, PortRequest, QueueSlot } from './port.ts';
import { ringPlace, SLOT_BYTES, slotOf, writeKernelQueue } from './rings.ts';

export class AfXdpDriver implements Driver {
  readonly #libc: Libc;
  readonly #context: DriverContext;
  readonly #base: number;
  /** Sockets that are bound to the UMEM. */
  readonly #bound = new Set<number>();

  constructor(libc: Libc, context: DriverContext) {
    this.#libc = libc;
    this.#context = context;
    this.#base = libc.address(context.views.u8);
  }

  /** As many as the device has, after asking it for as many as wanted: frames of a queue without a socket would pass us by. */
  plan(request: PortRequest): number {
    requireXdp(this.#libc, request, this.#context.frames);
    requireDevice(this.#libc, request);
    const present = receiveQueues(this.#libc, request.device);
    // A veth with fewer receive queues than its peer has transmit queues loses native XDP: all of its queues are served instead.
    const keep = present > request.queues && driverName(this.#libc, request.device) === 'veth';
    if (present !== request.queues && !keep) setReceiveQueues(this.#libc, request.device, request.queues);
    return receiveQueues(this.#libc, request.device);
  }

  async open(request: PortRequest, slots: readonly QueueSlot[]): Promise<OpenPort> {
    const sockets: XdpSocket[] = [];
    let program: XdpProgram | undefined;
    try {
      bringUp(this.#libc, request.device);
      const device = requireDevice(this.#libc, request);
      program = new XdpProgram(this.#libc, request.device, device.index, slots.length);
      for (const [i, slot] of slots.entries()) sockets.push(await this.#openQueue(request, device.index, i, slot));
      const attached = program;
      const warnings = [checkChecksums(this.#libc, device), queueWarning(request, slots.length)].filter((text) => text !== undefined);
      return {
        services: () => slots.map(({ queue }, i) => ({ queue, driver: 'af_xdp' as const, fd: sockets[i]!.fd })),
        mac: device.mac,
        mtu: Math.min(device.mtu, request.mtu),
        mode: modeOf(sockets, attached.native),
        warnings,
        missed: () => sockets.reduce((sum, { fd }) => sum + xdpLosses(this.#libc, fd).missed, 0),
        txErrors: () => sockets.reduce((sum, { fd }) => sum + xdpLosses(this.#libc, fd).txErrors, 0),
        activate: () => sockets.forEach((socket, i) => attached.setSocket(i, socket.fd)),
        deactivate: () => sockets.forEach((_, i) => attached.clearSocket(i)),
        close: () => this.#close(attached, sockets, slots),
      };
    } catch (error) {
      this.#close(program, sockets, slots);
      throw explainFailure(request, error);
    }
  }

  async #openQueue(request: PortRequest, index: number, queue: number, slot: QueueSlot): Promise<XdpSocket> {
    const { views, frames } = this.#context;
    const place = (ring: 'rx' | 'tx' | 'fill' | 'completion'): number => this.#base + ringPlace(slot.queue, ring);
    const { receive, transmit } = request.ring;
    const socket = await openXdpSocket(this.#libc, {
      device: request.device,
      index,
      queue,
      umem: { address: this.#base + FRAMES, length: frames * 2 ** FRAME_SHIFT, chunk: 1 << FRAME_SHIFT },
      anchor: this.#bound.values().next().value ?? -1,
      entries: { rx: receive, tx: transmit, fill: receive, completion: transmit },
      places: { rx: place('rx'), tx: place('tx'), fill: place('fill'), completion: place('completion') },
    });
    this.#bound.add(socket.fd);
    writeKernelQueue(views, slot.queue, slot.lcore, socket.rings, this.#base);
    return socket;
  }

  /** Rings are taken out of the memory before their sockets go: the core's addresses stay readable throughout. */
  #close(program: XdpProgram | undefined, sockets: readonly XdpSocket[], slots: readonly QueueSlot[]): void {
    program?.close();
    for (const { queue } of slots) restorePages(this.#libc, this.#base + slotOf(queue), SLOT_BYTES);
    for (const { fd } of sockets) {
      this.#bound.delete(fd);
      this.#libc.close(fd);
    }
  }
}

function modeOf(sockets: readonly XdpSocket[], native: boolean): string {
  if (sockets.every((socket) => socket.zeroCopy)) return 'zero-copy';
  return native ? 'copy' : 'generic copy';
}

function queueWarning(request: PortRequest, bound: number): string | undefined {
  if (bound === request.queues) return undefined;
  return `${request.device} has ${bound} receive queues where the profile says ${request.queues}: all ${bound} are served; \`ethtool -L ${request.device} combined ${request.queues}\` or another number in the profile makes them agree`;
}
