/**
 * Reads one Ethernet frame of a capture file: classic pcap (either byte order, micro- or nanoseconds) and pcapng
 * (draft-ietf-opsawg-pcapng: section, interface, enhanced and simple packet blocks).
 */
import { UsageError } from './output.ts';

const LINKTYPE_ETHERNET = 1;
const PCAP_MAGICS = new Set([0xa1b2c3d4, 0xa1b23c4d]);
const SECTION_HEADER = 0x0a0d0d0a;
const INTERFACE_DESCRIPTION = 1;
const SIMPLE_PACKET = 3;
const ENHANCED_PACKET = 6;
const BYTE_ORDER_MAGIC = 0x1a2b3c4d;

/** Frame number `wanted` (from 1) of the file; throws with how many there are when there are fewer. */
export function frameOf(file: Buffer, wanted: number): Buffer {
  let seen = 0;
  for (const frame of framesOf(file)) if (++seen === wanted) return frame;
  throw new UsageError(`the capture has ${seen} frames, not ${wanted}`);
}

export function framesOf(file: Buffer): Generator<Buffer> {
  if (file.length >= 24 && PCAP_MAGICS.has(file.readUInt32LE(0))) return pcap(file, 'LE');
  if (file.length >= 24 && PCAP_MAGICS.has(file.readUInt32BE(0))) return pcap(file, 'BE');
  if (file.length >= 28 && file.readUInt32LE(0) === SECTION_HEADER) return pcapng(file);
  throw new UsageError('neither a pcap nor a pcapng file');
}

type Order = 'LE' | 'BE';
const u32 = (file: Buffer, at: number, order: Order): number => (order === 'LE' ? file.readUInt32LE(at) : file.readUInt32BE(at));

function ethernetOnly(type: number): void {
  if (type !== LINKTYPE_ETHERNET) throw new UsageError(`the capture is of link type ${type}; only Ethernet (1) can be traced`);
}

/** `length` bytes at `at`; a capture that was cut off in the middle says where. */
function part(file: Buffer, at: number, length: number): Buffer {
  if (at + length > file.length) throw new UsageError(`the capture is cut off at byte ${file.length}`);
  return file.subarray(at, at + length);
}

function* pcap(file: Buffer, order: Order): Generator<Buffer> {
  ethernetOnly(u32(file, 20, order) & 0xffff);
  for (let at = 24; at < file.length;) {
    const length = u32(part(file, at, 16), 8, order);
    yield part(file, at + 16, length);
    at += 16 + length;
  }
}

function* pcapng(file: Buffer): Generator<Buffer> {
  let order: Order = 'LE';
  let links: number[] = [];
  for (let at = 0; at < file.length;) {
    const head = part(file, at, 12);
    if (head.readUInt32LE(0) === SECTION_HEADER) {
      order = head.readUInt32LE(8) === BYTE_ORDER_MAGIC ? 'LE' : 'BE';
      links = [];
    }
    const length = u32(head, 4, order);
    if (length < 12 || length % 4 !== 0) throw new UsageError(`the block at byte ${at} of the capture has the impossible length ${length}`);
    const block = part(file, at, length);
    const type = u32(block, 0, order);
    if (type === INTERFACE_DESCRIPTION) links.push(order === 'LE' ? block.readUInt16LE(8) : block.readUInt16BE(8));
    if (type === ENHANCED_PACKET) {
      ethernetOnly(links[u32(block, 8, order)] ?? -1);
      yield part(block, 28, u32(block, 20, order));
    }
    if (type === SIMPLE_PACKET) {
      ethernetOnly(links[0] ?? -1);
      yield part(block, 12, Math.min(u32(block, 8, order), length - 16));
    }
    at += length;
  }
}
