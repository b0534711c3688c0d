/** Fields of packets, big-endian, and the Internet checksum (RFC 1071) computed the long way. Addresses are plain numbers (10.0.0.1 = 0x0A000001). */

export function read16(bytes: Uint8Array, at: number): number {
  return (byteAt(bytes, at) << 8) | byteAt(bytes, at + 1);
}

export function read32(bytes: Uint8Array, at: number): number {
  return read16(bytes, at) * 65536 + read16(bytes, at + 2);
}

export function write16(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >>> 8;
  bytes[at + 1] = value & 0xff;
}

export function write32(bytes: Uint8Array, at: number, value: number): void {
  write16(bytes, at, value >>> 16);
  write16(bytes, at + 2, value & 0xffff);
}

export function byteAt(bytes: Uint8Array, at: number): number {
  const value = bytes[at];
  if (value === undefined) throw new RangeError(`byte ${at} of a packet of ${bytes.length} bytes`);
  return value;
}

/** Ones-complement sum of 16-bit words, an odd last byte padded with zero; 0 only when every byte is 0. */
export function onesSum(bytes: Uint8Array): number {
  let sum = 0;
  for (let at = 0; at < bytes.length; at += 2) sum += (byteAt(bytes, at) << 8) | (bytes[at + 1] ?? 0);
  while (sum > 0xffff) sum = (sum & 0xffff) + Math.floor(sum / 65536);
  return sum;
}

/** The checksum of bytes whose checksum field is zero. */
export function checksum(bytes: Uint8Array): number {
  return ~onesSum(bytes) & 0xffff;
}

/**
 * A checksum that is as right or as wrong over the new content as `old` was over the old content: what an incremental
 * update (RFC 1624 eqn. 3) of changed content gives, which is never 0xFFFF.
 *
 * @param oldSum onesSum of all that it covers but itself, before the change
 * @param newSum the same after the change
 */
export function follow(old: number, oldSum: number, newSum: number): number {
  return (old + oldSum + 0xffff - (newSum % 0xffff)) % 0xffff;
}

export function addressText(address: number): string {
  return [24, 16, 8, 0].map((shift) => (address >>> shift) & 0xff).join('.');
}

export function macText(mac: Uint8Array): string {
  return [...mac].map((byte) => byte.toString(16).padStart(2, '0')).join(':');
}

export function hex(bytes: Uint8Array): string {
  return [...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join('');
}
