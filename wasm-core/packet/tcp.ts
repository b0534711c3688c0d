/** TCP (RFC 9293): what the core looks at. */
export const TCP_SIZE: u32 = 20;
export const TCP_OFFSET: usize = 12; // u8, header length in its high nibble, unit 4 bytes
export const TCP_FLAGS: usize = 13;
export const TCP_CHECKSUM: usize = 16;
export const TCP_SYN: u32 = 2;
