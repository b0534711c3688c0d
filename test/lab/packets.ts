/** Address and checksum helpers of the lab's host. Addresses are unsigned 32-bit numbers, most significant byte first. */

/** "203.0.113.10" → 0xCB00710A. */
export function parseAddress(text: string): number {
  const bytes = text.split('.').map(Number);
  if (bytes.length !== 4 || bytes.some((byte) => !Number.isInteger(byte) || byte < 0 || byte > 255)) {
    throw new Error(`"${text}" is not an IPv4 address such as 203.0.113.10`);
  }
  return bytes.reduce((value, byte) => value * 256 + byte, 0);
}

export function addressText(address: number): string {
  return [address >>> 24, (address >>> 16) & 255, (address >>> 8) & 255, address & 255].join('.');
}

export function packAddress(target: Buffer, offset: number, address: number): void {
  target.writeUInt32BE(address, offset);
}

/** "02:00:00:00:00:01" → 6 bytes. */
export function parseMac(text: string): Buffer {
  if (!/^([0-9a-f]{2}:){5}[0-9a-f]{2}$/i.test(text)) throw new Error(`"${text}" is not a MAC address such as 02:00:00:00:00:01`);
  return Buffer.from(text.replaceAll(':', ''), 'hex');
}

/** RFC 1071 over the bytes, started from a sum of 16-bit words; 0 when the bytes hold their own right checksum. */
export function checksum(bytes: Buffer, initial = 0): number {
  let sum = initial;
  const even = bytes.length & ~1;
  for (let i = 0; i < even; i += 2) sum += (bytes[i]! << 8) | bytes[i + 1]!;
  if (even !== bytes.length) sum += bytes[even]! << 8;
  while (sum > 0xffff) sum = (sum & 0xffff) + Math.floor(sum / 0x10000);
  return ~sum & 0xffff;
}

/** Sum of the IPv4 pseudo header (RFC 9293 section 3.1). */
export function pseudoSum(source: number, destination: number, protocol: number, length: number): number {
  return (source >>> 16) + (source & 0xffff) + (destination >>> 16) + (destination & 0xffff) + protocol + length;
}

/** A header without options, don't-fragment set, TTL 64. `length` is the packet's total. */
export function ipv4Header(fields: { source: number; destination: number; protocol: number; length: number; identification: number }): Buffer {
  const header = Buffer.alloc(20);
  header[0] = 0x45;
  header.writeUInt16BE(fields.length, 2);
  header.writeUInt16BE(fields.identification, 4);
  header.writeUInt16BE(0x4000, 6);
  header[8] = 64;
  header[9] = fields.protocol;
  packAddress(header, 12, fields.source);
  packAddress(header, 16, fields.destination);
  header.writeUInt16BE(checksum(header), 10);
  return header;
}
