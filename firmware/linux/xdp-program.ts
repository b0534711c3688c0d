/**
 * The XDP program of an AF_XDP port, five instructions: hand the frame to the socket of its receive queue, or pass it to the
 * kernel where there is none. It is attached by a BPF link, which the kernel drops with its descriptor: a crash cleans up.
 */
import { EBUSY, EINVAL, EOPNOTSUPP, EPERM, SystemCallError } from './errors.ts';
import type { Libc } from './libc.ts';
import { syscallNumbers } from './syscalls.ts';

const BPF_MAP_CREATE = 0;
const BPF_MAP_UPDATE_ELEM = 2;
const BPF_MAP_DELETE_ELEM = 3;
const BPF_PROG_LOAD = 5;
const BPF_LINK_CREATE = 28;
const MAP_TYPE_XSKMAP = 17;
const PROG_TYPE_XDP = 6;
const ATTACH_TYPE_XDP = 37;
const LINK_SKB = 2;
const LINK_NATIVE = 4;
const PROG_HAS_FRAGS = 1 << 5;
const XDP_PASS = 2;
const HELPER_REDIRECT_MAP = 51;

/** struct bpf_insn: opcode, destination | source << 4, 16-bit offset, 32-bit immediate. */
function instruction(opcode: number, destination: number, source: number, offset: number, immediate: number): number[] {
  const bytes = new Uint8Array(8);
  const view = new DataView(bytes.buffer);
  view.setUint8(0, opcode);
  view.setUint8(1, destination | (source << 4));
  view.setInt16(2, offset, true);
  view.setInt32(4, immediate, true);
  return [...bytes];
}

function redirectProgram(mapFd: number): Uint8Array<ArrayBuffer> {
  return Uint8Array.from([
    ...instruction(0x61, 2, 1, 16, 0), // r2 = xdp_md.rx_queue_index
    ...instruction(0x18, 1, 1, 0, mapFd), // r1 = map (two slots)
    ...instruction(0x00, 0, 0, 0, 0),
    ...instruction(0xb7, 3, 0, 0, XDP_PASS), // r3 = what to do without a socket
    ...instruction(0x85, 0, 0, 0, HELPER_REDIRECT_MAP),
    ...instruction(0x95, 0, 0, 0, 0), // return r0
  ]);
}

export class XdpProgram {
  readonly #libc: Libc;
  readonly #map: number;
  readonly #link: number;
  /** True in the driver's own receive path, false in the kernel's generic one (slower). */
  readonly native: boolean;

  /** Loads and attaches to a device. @throws SystemCallError (EPERM: capabilities; EBUSY: another program is attached) */
  constructor(libc: Libc, device: string, index: number, queues: number) {
    this.#libc = libc;
    this.#map = bpf(libc, BPF_MAP_CREATE, device, (attr) => {
      attr.setUint32(0, MAP_TYPE_XSKMAP, true);
      attr.setUint32(4, 4, true); // key bytes
      attr.setUint32(8, 4, true); // value bytes
      attr.setUint32(12, queues, true);
    });
    let program = -1;
    try {
      program = loadProgram(libc, device, this.#map);
      const attach = (mode: number): number => bpf(libc, BPF_LINK_CREATE, device, (attr) => {
        attr.setUint32(0, program, true);
        attr.setUint32(4, index, true);
        attr.setUint32(8, ATTACH_TYPE_XDP, true);
        attr.setUint32(12, mode, true);
      });
      let native = true;
      let link: number;
      try {
        link = attach(LINK_NATIVE);
      } catch (error) {
        if (!(error instanceof SystemCallError) || [EPERM, EBUSY].includes(error.errno)) throw error;
        native = false;
        link = attach(LINK_SKB);
      }
      this.#link = link;
      this.native = native;
    } catch (error) {
      libc.close(this.#map);
      throw error;
    } finally {
      if (program !== -1) libc.close(program); // the link holds it
    }
  }

  /** Frames of `queue` go to the socket from now on. */
  setSocket(queue: number, socket: number): void {
    this.#mapCall(BPF_MAP_UPDATE_ELEM, queue, socket);
  }

  clearSocket(queue: number): void {
    try {
      this.#mapCall(BPF_MAP_DELETE_ELEM, queue, 0);
    } catch {
      // Never set, or gone with its device.
    }
  }

  /** Detaches. */
  close(): void {
    this.#libc.close(this.#link);
    this.#libc.close(this.#map);
  }

  #mapCall(command: number, queue: number, socket: number): void {
    const key = Uint8Array.from([queue & 0xff, queue >> 8, 0, 0]);
    const value = new Uint8Array(new ArrayBuffer(4));
    new DataView(value.buffer).setUint32(0, socket, true);
    bpf(this.#libc, command, `socket map, queue ${queue}`, (attr) => {
      attr.setUint32(0, this.#map, true);
      attr.setBigUint64(8, BigInt(this.#libc.address(key)), true);
      attr.setBigUint64(16, BigInt(this.#libc.address(value)), true);
    });
  }
}

function loadProgram(libc: Libc, device: string, map: number): number {
  const instructions = redirectProgram(map);
  const license = Uint8Array.from(Buffer.from('Apache-2.0\0', 'latin1'));
  const load = (flags: number): number => bpf(libc, BPF_PROG_LOAD, device, (attr) => {
    attr.setUint32(0, PROG_TYPE_XDP, true);
    attr.setUint32(4, instructions.length / 8, true);
    attr.setBigUint64(8, BigInt(libc.address(instructions)), true);
    attr.setBigUint64(16, BigInt(libc.address(license)), true);
    attr.setUint32(44, flags, true);
  });
  try {
    return load(PROG_HAS_FRAGS);
  } catch (error) {
    if (error instanceof SystemCallError && (error.errno === EINVAL || error.errno === EOPNOTSUPP)) return load(0);
    throw error;
  }
}

function bpf(libc: Libc, command: number, subject: string, fill: (attr: DataView) => void): number {
  const attr = new Uint8Array(new ArrayBuffer(144));
  fill(new DataView(attr.buffer));
  const result = libc.syscall(syscallNumbers().bpf, command, libc.address(attr), attr.length, 0, 0, 0);
  if (result === -1) throw new SystemCallError(`bpf (command ${command})`, subject, libc.errno());
  return result;
}
