/** GRE (RFC 2784, key of RFC 2890): offsets, and flags and protocol as little-endian loads. */
export const GRE_SIZE: u32 = 4;
export const GRE_CHECKSUM_PRESENT: u32 = 0x0080;
export const GRE_KEY_PRESENT: u32 = 0x0020;
export const GRE_MPLS: u32 = 0x4788;
