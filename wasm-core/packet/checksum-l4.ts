/** Checksums of TCP, UDP, UDP-Lite and DCCP after a change of an address that their pseudo header covers. */
import { fold16, update } from './checksum';
import { PROTOCOL_UDP, PROTOCOL_UDPLITE } from './ipv4';

/** Folded sum of ~old and new halves (RFC 1624 eqn. 3) of an address that changed. */
@inline
export function addressDelta(old: u32, changed: u32): u32 {
  return fold16(((old & 0xFFFF) ^ 0xFFFF) + ((old >>> 16) ^ 0xFFFF) + (changed & 0xFFFF) + (changed >>> 16));
}

/** The same of one 16-bit word. */
@inline
export function wordDelta(old: u32, changed: u32): u32 {
  return fold16((old ^ 0xFFFF) + changed);
}

/** Checksum of `protocol` after a change. UDP: 0 means "none" and stays (RFC 768); no UDP or UDP-Lite sum may become it. */
@inline
export function updateL4(checksum: u32, protocol: u32, delta: u32): u32 {
  if (protocol == PROTOCOL_UDP) {
    if (checksum == 0) return 0;
  }
  const changed: u32 = update(checksum, delta);
  if (changed == 0) {
    if (protocol == PROTOCOL_UDP || protocol == PROTOCOL_UDPLITE) return 0xFFFF;
  }
  return changed;
}
