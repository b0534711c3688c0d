/** ARP for Ethernet and IPv4 (RFC 826): offsets, and the fixed first eight bytes as two little-endian loads give them. */
export const ARP_SIZE: u32 = 28;
export const ARP_HARDWARE: usize = 0; // u32: hardware type 1, protocol type 0x0800
export const ARP_OPERATION: usize = 4; // u32: address lengths 6 and 4, operation
export const ARP_SENDER_MAC: usize = 8;
export const ARP_SENDER: usize = 14;
export const ARP_TARGET_MAC: usize = 18;
export const ARP_TARGET: usize = 24;

export const ARP_ETHERNET_IPV4: u32 = 0x00080100;
export const ARP_REQUEST: u32 = 0x01000406;
export const ARP_REPLY: u32 = 0x02000406;

/** Writes all 28 bytes. MACs in the low 48 bits as a little-endian load gives them, addresses in network order. */
export function writeArp(at: usize, operation: u32, senderMac: u64, sender: u32, targetMac: u64, target: u32): void {
  store<u32>(at, ARP_ETHERNET_IPV4);
  store<u32>(at, operation, ARP_OPERATION);
  store<u64>(at, senderMac | ((sender as u64) << 48), ARP_SENDER_MAC); // and the first half of the sender's address
  store<u16>(at, (sender >>> 16) as u16, ARP_SENDER + 2);
  store<u32>(at, targetMac as u32, ARP_TARGET_MAC);
  store<u16>(at, (targetMac >>> 32) as u16, ARP_TARGET_MAC + 4);
  store<u32>(at, target, ARP_TARGET);
}
