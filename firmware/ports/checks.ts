/** What can be known before a port is opened, said so that the reader knows what to do. */
import { readFileSync } from 'node:fs';
import { FRAME_SHIFT } from '../../wasm-core/layout.ts';
import { deviceNameOf, driverName, readDevice, transmitChecksumOffload, type Device } from '../linux/device.ts';
import { EBUSY, ENOBUFS, EPERM, SystemCallError } from '../linux/errors.ts';
import type { Libc } from '../linux/libc.ts';
import { effectiveCapabilities, lockLimit, type Capability } from '../linux/privileges.ts';
import { hasXdpSockets } from '../linux/xdp-socket.ts';
import { PortProblem, type PortRequest } from './port.ts';

/** What the alias of a veth begins with whose maker saw to it that its other end finishes what it sends: the agent, for pods. */
export const FINISHED_ALIAS = 'wrouter-cni ';

/** The device, or what to do about its absence. @throws PortProblem */
export function requireDevice(libc: Libc, request: PortRequest): Device {
  const device = readDevice(libc, request.device);
  if (device !== undefined) return device;
  throw new PortProblem(`port "${request.name}": there is no device "${request.device}" in this network namespace; create it, or name another as the port's device (it is looked for every second)`);
}

/** @throws PortProblem when a capability is missing */
export function requireCapabilities(request: PortRequest, needed: readonly Capability[]): void {
  const have = effectiveCapabilities();
  const missing = needed.filter((name) => !have.has(name) && !(name === 'CAP_BPF' && have.has('CAP_SYS_ADMIN')));
  if (missing.length === 0) return;
  throw new PortProblem(`port "${request.name}" (${request.driver}) needs ${missing.join(', ')}: run as root, or \`setcap ${needed.join(',').toLowerCase()}+ep\` on a copy of node; the driver "socket" needs none`);
}

/** @throws PortProblem when the kernel or the limits do not let an AF_XDP socket be */
export function requireXdp(libc: Libc, request: PortRequest, frames: number): void {
  if (!hasXdpSockets(libc)) {
    throw new PortProblem(`port "${request.name}": this kernel has no AF_XDP (CONFIG_XDP_SOCKETS, Linux 4.18 or newer); use the driver "af_packet"`);
  }
  requireCapabilities(request, ['CAP_NET_RAW', 'CAP_NET_ADMIN', 'CAP_BPF']);
  const bytes = frames * 2 ** FRAME_SHIFT;
  if (!effectiveCapabilities().has('CAP_IPC_LOCK') && lockLimit() < bytes) {
    throw new PortProblem(`port "${request.name}": ${bytes >> 20} MiB of frames must be locked into memory, the limit is ${lockLimit() >> 10} KiB: give CAP_IPC_LOCK, raise \`ulimit -l\`, or use fewer tables.frames in the profile`);
  }
}

/** Says what a failed system call of a port means. */
export function explainFailure(request: PortRequest, error: unknown): PortProblem {
  if (error instanceof PortProblem) return error;
  const what = `port "${request.name}" (${request.driver} on ${request.device})`;
  if (!(error instanceof SystemCallError)) return new PortProblem(`${what}: ${(error as Error).message}`, { cause: error });
  const advice = adviceFor(error, request);
  return new PortProblem(`${what}: ${error.message}${advice === '' ? '' : `; ${advice}`}`, { cause: error });
}

function adviceFor(error: SystemCallError, request: PortRequest): string {
  if (error.errno === EPERM) return 'a capability is missing: run as root, or with CAP_NET_ADMIN, CAP_NET_RAW, CAP_BPF and CAP_IPC_LOCK';
  if (error.errno === ENOBUFS && error.call === 'XDP_UMEM_REG') return 'the limit of locked memory is too low: give CAP_IPC_LOCK or raise `ulimit -l`';
  if (error.errno === EBUSY && error.call.startsWith('bpf')) return `another XDP program is attached: \`ip link set dev ${request.device} xdp off\``;
  if (error.errno === EBUSY) return 'another socket is bound to this queue: stop the process that has it';
  return '';
}

/**
 * A veth's peer must send whole checksums: the other end of a veth never computes them, and TCP dies while ping lives.
 * @returns a warning, if any
 */
export function checkChecksums(libc: Libc, device: Device): string | undefined {
  if (driverName(libc, device.name) !== 'veth' || attribute(device.name, 'ifalias').startsWith(FINISHED_ALIAS)) return undefined;
  const remedy = (peer: string): string => `\`ethtool -K ${peer} tx off\``;
  const peer = peerOf(libc, device);
  if (peer === undefined) return `${device.name} is a veth whose peer is not to be seen from here: if checksums of what it sends are offloaded, TCP and UDP fail while ping works; at the peer: ${remedy('PEER')}`;
  if (!transmitChecksumOffload(libc, peer)) return undefined;
  return `${device.name}: its peer ${peer} leaves checksums to hardware that is not there, so TCP and UDP fail while ping works: ${remedy(peer)}`;
}

/** The other end of a veth, where it lies in the same network namespace. */
function peerOf(libc: Libc, device: Device): string | undefined {
  const name = deviceNameOf(libc, Number(attribute(device.name, 'iflink')));
  return name !== undefined && name !== device.name && Number(attribute(name, 'iflink')) === device.index ? name : undefined;
}

/** One of a device's files in /sys, '' where it has none. */
function attribute(device: string, name: string): string {
  try {
    return readFileSync(`/sys/class/net/${device}/${name}`, 'utf8');
  } catch {
    return '';
  }
}
