/** IPv4 (RFC 791): offsets and flags. Addresses and flags are little-endian loads of network-order bytes. */
export const IPV4_SIZE: u32 = 20;
export const IPV4_LENGTH: usize = 2;
export const IPV4_ID: usize = 4;
export const IPV4_FRAGMENT: usize = 6;
export const IPV4_TTL: usize = 8;
export const IPV4_PROTOCOL: usize = 9;
export const IPV4_CHECKSUM: usize = 10;
export const IPV4_SOURCE: usize = 12;
export const IPV4_DESTINATION: usize = 16;
export const IPV4_OPTIONS: usize = 20;

/** Of the loaded flags-and-offset word. */
export const FRAGMENT_DF: u32 = 0x0040;
export const FRAGMENT_MF: u32 = 0x0020;
export const FRAGMENT_OFFSET: u32 = 0xFF1F;

export const PROTOCOL_ICMP: u32 = 1;
export const PROTOCOL_TCP: u32 = 6;
export const PROTOCOL_UDP: u32 = 17;
export const PROTOCOL_DCCP: u32 = 33;
export const PROTOCOL_GRE: u32 = 47;
export const PROTOCOL_SCTP: u32 = 132;
export const PROTOCOL_UDPLITE: u32 = 136;

/** Where the L4 checksum lies that covers the addresses (pseudo header), 0 = none does. */
@inline
export function l4ChecksumOffset(protocol: u32): u32 {
  if (protocol == PROTOCOL_TCP) return 16;
  if (protocol == PROTOCOL_UDP) return 6;
  if (protocol == PROTOCOL_UDPLITE) return 6;
  if (protocol == PROTOCOL_DCCP) return 6;
  return 0;
}
