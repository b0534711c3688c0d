/** ICMP (RFC 792): offsets, types and codes. */
export const ICMP_SIZE: u32 = 8;
export const ICMP_TYPE: usize = 0;
export const ICMP_CODE: usize = 1;
export const ICMP_CHECKSUM: usize = 2;
/** Next-hop MTU of "fragmentation needed" (RFC 1191), network order. */
export const ICMP_MTU: usize = 6;

export const ICMP_ECHO_REPLY: u32 = 0;
export const ICMP_UNREACHABLE: u32 = 3;
export const ICMP_REDIRECT: u32 = 5;
export const ICMP_ECHO_REQUEST: u32 = 8;
export const ICMP_TIME_EXCEEDED: u32 = 11;
export const ICMP_PARAMETER_PROBLEM: u32 = 12;
export const ICMP_TIMESTAMP: u32 = 13;
export const ICMP_TIMESTAMP_REPLY: u32 = 14;

/** Codes of "unreachable". */
export const UNREACHABLE_NET: u32 = 0;
export const UNREACHABLE_HOST: u32 = 1;
export const UNREACHABLE_PROTOCOL: u32 = 2;
export const UNREACHABLE_PORT: u32 = 3;
export const UNREACHABLE_FRAGMENTATION: u32 = 4;

/** Messages that quote the packet that they are about. */
@inline
export function isIcmpError(type: u32): bool {
  if (type == ICMP_UNREACHABLE) return true;
  if (type == ICMP_REDIRECT) return true;
  if (type == ICMP_TIME_EXCEEDED) return true;
  return type == ICMP_PARAMETER_PROBLEM;
}
