/**
 * The packet inside an ICMP error follows the translation of the error itself (RFC 5508 section 4): the sender of the quoted packet must
 * find its own addresses in it. docs/forwarding.md §8.1.
 */
import { fold16, update } from '../packet/checksum';
import { addressDelta, updateL4, wordDelta } from '../packet/checksum-l4';
import { FRAGMENT_OFFSET, IPV4_CHECKSUM, IPV4_DESTINATION, IPV4_FRAGMENT, IPV4_PROTOCOL, IPV4_SIZE, IPV4_SOURCE, l4ChecksumOffset } from '../packet/ipv4';
import { ICMP_CHECKSUM, ICMP_SIZE, isIcmpError } from '../packet/icmp';

/** Changes one address of the quoted packet and all checksums that cover it; what the ICMP checksum has to follow by. */
function translateAddress(quoted: usize, available: u32, field: usize, from: u32, to: u32): u32 {
  if (load<u32>(quoted + field) != from) return 0;
  const delta: u32 = addressDelta(from, to);
  store<u32>(quoted + field, to);
  const headerSum: u32 = load<u16>(quoted, IPV4_CHECKSUM);
  const newHeaderSum: u32 = update(headerSum, delta);
  store<u16>(quoted, newHeaderSum as u16, IPV4_CHECKSUM);
  let change: u32 = delta + wordDelta(headerSum, newHeaderSum);

  if ((<u32>load<u16>(quoted, IPV4_FRAGMENT) & FRAGMENT_OFFSET) != 0) return change;
  const protocol: u32 = load<u8>(quoted, IPV4_PROTOCOL);
  const checksumField: u32 = l4ChecksumOffset(protocol);
  if (checksumField == 0) return change;
  const at: u32 = ((<u32>load<u8>(quoted) & 0x0F) << 2) + checksumField;
  if (at + 2 > available) return change;
  const sum: u32 = load<u16>(quoted + (at as usize));
  const newSum: u32 = updateL4(sum, protocol, delta);
  store<u16>(quoted + (at as usize), newSum as u16);
  change += wordDelta(sum, newSum);
  return change;
}

/**
 * Called for an ICMP packet (no later fragment) that is translated: `snatFrom` → `snatTo` is its own source, `dnatFrom` → `dnatTo` its own
 * destination, words in network order, all 0 where there is no such translation. Messages other than errors, and errors without a
 * whole quoted IPv4 header, stay as they are.
 */
export function translateQuoted(l3: usize, ihl: u32, length: u32, snatFrom: u32, snatTo: u32, dnatFrom: u32, dnatTo: u32): void {
  const offset: u32 = ihl + ICMP_SIZE;
  if (offset + IPV4_SIZE > length) return;
  const message: usize = l3 + (ihl as usize);
  if (!isIcmpError(load<u8>(message))) return;
  const quoted: usize = l3 + (offset as usize);
  const first: u32 = load<u8>(quoted);
  if (first < 0x45 || first > 0x4F) return;
  const available: u32 = length - offset;
  let change: u32 = 0;
  if (dnatFrom != 0) change = translateAddress(quoted, available, IPV4_SOURCE, dnatFrom, dnatTo);
  if (snatFrom != 0) change += translateAddress(quoted, available, IPV4_DESTINATION, snatFrom, snatTo);
  if (change != 0) store<u16>(message, update(load<u16>(message, ICMP_CHECKSUM), fold16(change)) as u16, ICMP_CHECKSUM);
}
