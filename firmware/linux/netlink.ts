/**
 * Requests to the kernel's network configuration: netlink(7), rtnetlink(7). Messages are a header, a fixed part and attributes, each
 * of a 4-byte header (length, type) and a value, padded to 4 bytes; attributes nest. Numbers are the machine's, addresses the network's.
 */
import { constants } from 'node:os';
import { check, EINTR, SystemCallError } from './errors.ts';
import type { Libc } from './libc.ts';

const AF_NETLINK = 16;
const SOCK_RAW_CLOEXEC = 3 | 0o2000000;
const NETLINK_ROUTE = 0;
const NLMSG_ERROR = 2;
const NLMSG_DONE = 3;
const MSG_DONTWAIT = 0x40;
const NLM_F_REQUEST = 1;
const NLM_F_ACK = 4;
const NLM_F_DUMP = 0x300;
const HEADER = 16;
const BUFFER_BYTES = 64 << 10;
const { EAGAIN } = constants.errno;

/** One attribute: a number is 32 bits, a string ends with a zero, bytes are as they are, a list is nested. */
export interface Attribute { readonly type: number; readonly value: number | string | Uint8Array | readonly Attribute[] }

const aligned = (length: number): number => (length + 3) & ~3;

export function encodeAttributes(attributes: readonly Attribute[]): Buffer {
  return Buffer.concat(attributes.map(({ type, value }) => {
    const body = typeof value === 'number' ? u32(value) : typeof value === 'string' ? Buffer.from(`${value}\0`) : value instanceof Uint8Array ? value : encodeAttributes(value);
    const whole = Buffer.alloc(aligned(4 + body.length));
    whole.writeUInt16LE(4 + body.length, 0);
    whole.writeUInt16LE(type, 2);
    whole.set(body, 4);
    return whole;
  }));
}

/** Attributes by type, without the flags of their types; of several of a type the last. Stops at what is cut off. */
export function decodeAttributes(bytes: Buffer): Map<number, Buffer> {
  const found = new Map<number, Buffer>();
  for (let at = 0; at + 4 <= bytes.length;) {
    const length = bytes.readUInt16LE(at);
    if (length < 4 || at + length > bytes.length) break;
    found.set(bytes.readUInt16LE(at + 2) & 0x3fff, bytes.subarray(at + 4, at + length));
    at += aligned(length);
  }
  return found;
}

function u32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value >>> 0);
  return bytes;
}

/** A socket to the kernel, for one request after another. */
export class Netlink {
  readonly #libc: Libc;
  readonly #fd: number;
  #sequence = 0;
  #turn: Promise<unknown> = Promise.resolve();
  #closed = false;

  /** In the network namespace that the thread is in. @throws SystemCallError */
  constructor(libc: Libc) {
    this.#libc = libc;
    this.#fd = check(libc, libc.socket(AF_NETLINK, SOCK_RAW_CLOEXEC, NETLINK_ROUTE), 'socket', 'netlink');
  }

  /**
   * Asks for a change, which the kernel may take long for (a device that goes: tens of milliseconds); resolved when it is made.
   * @param body the fixed part and the attributes @param what for messages
   * @throws SystemCallError
   */
  async change(type: number, flags: number, body: Buffer, what: string): Promise<void> {
    await this.#request(type, flags | NLM_F_ACK, body, what);
  }

  /** All answers to a question, without their headers. @param what for messages @throws SystemCallError */
  list(type: number, body: Buffer, what: string): Promise<Buffer[]> {
    return this.#request(type, NLM_F_DUMP, body, what);
  }

  /** After what is under way. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    void this.#turn.then(() => this.#libc.close(this.#fd));
  }

  #request(type: number, flags: number, body: Buffer, what: string): Promise<Buffer[]> {
    if (this.#closed) throw new Error(`${what}: the netlink socket is closed`);
    const result = this.#turn.then(async () => {
      const message = Buffer.alloc(HEADER + body.length);
      const sequence = ++this.#sequence;
      message.writeUInt32LE(message.length, 0);
      message.writeUInt16LE(type, 4);
      message.writeUInt16LE(flags | NLM_F_REQUEST, 6);
      message.writeUInt32LE(sequence, 8);
      message.set(body, HEADER);
      if (await this.#libc.sendtoAside(this.#fd, message, 0) === -1) throw new Error(`${what}: the kernel takes no netlink message`);
      return this.#answers(sequence, what);
    });
    this.#turn = result.catch(() => {});
    return result;
  }

  /** The kernel has answered when the request is sent; of a list, it makes each part as it is read. */
  #answers(sequence: number, what: string): Buffer[] {
    const answers: Buffer[] = [];
    const buffer = new Uint8Array(new ArrayBuffer(BUFFER_BYTES));
    for (;;) {
      const length = this.#libc.recv(this.#fd, this.#libc.address(buffer), buffer.length, MSG_DONTWAIT);
      if (length === -1) {
        const errno = this.#libc.errno();
        if (errno === EINTR) continue;
        if (errno === EAGAIN) throw new Error(`${what}: the kernel gives no answer`);
        throw new SystemCallError('netlink', what, errno);
      }
      const bytes = Buffer.from(buffer.slice(0, length).buffer);
      for (let at = 0; at + HEADER <= bytes.length;) {
        const size = bytes.readUInt32LE(at);
        if (size < HEADER || at + size > bytes.length) throw new Error(`${what}: the kernel's answer is cut off`);
        const type = bytes.readUInt16LE(at + 4);
        const body = bytes.subarray(at + HEADER, at + size);
        const ours = bytes.readUInt32LE(at + 8) === sequence;
        at += aligned(size);
        if (!ours) continue; // of a request that was given up
        if (type === NLMSG_DONE) return answers;
        if (type !== NLMSG_ERROR) {
          answers.push(body);
          continue;
        }
        const errno = -body.readInt32LE(0);
        if (errno !== 0) throw new SystemCallError('netlink', what, errno);
        return answers;
      }
    }
  }
}
