/** One MPLS label stack entry (RFC 3032), from a little-endian load of its four bytes. */
export const MPLS_SIZE: u32 = 4;

@inline
export function mplsLabel(word: u32): u32 {
  return bswap<u32>(word) >>> 12;
}

@inline
export function mplsBottom(word: u32): u32 {
  return (word >>> 16) & 1;
}

@inline
export function mplsTtl(word: u32): u32 {
  return word >>> 24;
}
