/** Ethernet II and 802.1Q: offsets, and EtherTypes as a little-endian load of the two bytes gives them. */
export const ETHERNET_SIZE: u32 = 14;
export const ETHERNET_DESTINATION: usize = 0;
export const ETHERNET_SOURCE: usize = 6;
export const ETHERNET_TYPE: usize = 12;
export const TYPE_IPV4: u32 = 0x0008;
export const TYPE_ARP: u32 = 0x0608;
export const TYPE_VLAN: u32 = 0x0081;
export const VLAN_SIZE: u32 = 4;
export const MAC_MASK: u64 = 0x0000FFFFFFFFFFFF;

@inline
export function swap16(x: u32): u32 {
  return ((x & 0xFF) << 8) | (x >>> 8);
}
