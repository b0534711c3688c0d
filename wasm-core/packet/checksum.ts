/**
 * The Internet checksum (RFC 1071) and its incremental form (RFC 1624 eqn. 3), on 16-bit words as a little-endian load sees
 * them: the sum commutes with byte order, so nothing is swapped.
 */

/** Folds a sum of 32-bit words to 16 bits with end-around carry. */
@inline
export function fold(sum: u64): u32 {
  const high: u64 = sum + rotl<u64>(sum, 32);
  const word: u32 = (high >>> 32) as u32;
  return (word + rotl<u32>(word, 16)) >>> 16;
}

/** Folds a sum of 16-bit words that is below 2^32. */
@inline
export function fold16(sum: u32): u32 {
  return (sum + rotl<u32>(sum, 16)) >>> 16;
}

/** Folded sum of a 20-byte header: 0xFFFF when its checksum is right. */
@inline
export function sum20(p: usize): u32 {
  const a: u64 = load<u64>(p);
  const b: u64 = load<u64>(p, 8);
  const c: u64 = load<u32>(p, 16);
  return fold((a & 0xFFFFFFFF) + (a >>> 32) + (b & 0xFFFFFFFF) + (b >>> 32) + c);
}

/** Folded sum of `length` bytes; a last odd byte counts as the high half of a network word. */
export function sum(p: usize, length: u32): u32 {
  let total: u64 = 0;
  let at: usize = p;
  let left: u32 = length;
  while (left >= 4) {
    total += load<u32>(at) as u64;
    at += 4;
    left -= 4;
  }
  if (left >= 2) {
    total += load<u16>(at) as u64;
    at += 2;
    left -= 2;
  }
  if (left != 0) total += load<u8>(at) as u64;
  return fold(total);
}

/** A checksum after a change whose delta (folded sum of ~old and new words) is known: ~(~HC + ~m + m'). */
@inline
export function update(checksum: u32, delta: u32): u32 {
  return fold16((checksum ^ 0xFFFF) + delta) ^ 0xFFFF;
}
