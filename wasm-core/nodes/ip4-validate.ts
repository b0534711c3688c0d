/**
 * What every IPv4 header must stand, outer or inner: docs/forwarding.md §2. On success the meta record knows length, header
 * length, protocol, addresses and fragment state.
 */
import { M_FLAGS, M_IHL, M_L3, M_LENGTH, M_SRC, MF_FIRST_FRAGMENT, MF_FRAGMENT } from '../layout';
import {
  DROP_IPV4_CHECKSUM, DROP_IPV4_DESTINATION_MARTIAN, DROP_IPV4_HEADER_LENGTH, DROP_IPV4_MULTICAST, DROP_IPV4_OPTIONS, DROP_IPV4_SOURCE_MARTIAN,
  DROP_IPV4_SOURCE_ROUTE, DROP_IPV4_TOO_SHORT, DROP_IPV4_TOTAL_LENGTH, DROP_IPV4_TRUNCATED, DROP_IPV4_VERSION, DROP_IPV4_BROADCAST,
} from '../generated';
import { sum, sum20 } from '../packet/checksum';
import { swap16 } from '../packet/ethernet';
import { FRAGMENT_MF, FRAGMENT_OFFSET, IPV4_FRAGMENT, IPV4_LENGTH, IPV4_OPTIONS, IPV4_PROTOCOL, IPV4_SIZE, IPV4_SOURCE } from '../packet/ipv4';

const OPTION_END: u32 = 0;
const OPTION_NOP: u32 = 1;
const OPTION_LSRR: u32 = 131;
const OPTION_SSRR: u32 = 137;

/** Walks the options between the fixed header and `ihl` bytes: 0, or why the packet dies. */
function optionsProblem(l3: usize, ihl: u32): u32 {
  let at: u32 = IPV4_OPTIONS as u32;
  while (at < ihl) {
    const kind: u32 = load<u8>(l3 + (at as usize));
    if (kind == OPTION_END) return 0;
    if (kind == OPTION_NOP) {
      at += 1;
      continue;
    }
    if (at + 1 >= ihl) return DROP_IPV4_OPTIONS;
    const length: u32 = load<u8>(l3 + (at as usize), 1);
    if (length < 2) return DROP_IPV4_OPTIONS;
    if (at + length > ihl) return DROP_IPV4_OPTIONS;
    if (kind == OPTION_LSRR || kind == OPTION_SSRR) return DROP_IPV4_SOURCE_ROUTE;
    at += length;
  }
  return 0;
}

/** The rare header: any but version 4, 20 bytes. 0, or why the packet dies; `available` >= 20. */
function headerProblem(l3: usize, first: u32, available: u32): u32 {
  if ((first & 0xF0) != 0x40) return DROP_IPV4_VERSION;
  const ihl: u32 = (first & 0x0F) << 2;
  if (ihl < IPV4_SIZE) return DROP_IPV4_HEADER_LENGTH;
  if (ihl > available) return DROP_IPV4_TOO_SHORT;
  const total: u32 = swap16(load<u16>(l3, IPV4_LENGTH));
  if (total < ihl) return DROP_IPV4_TOTAL_LENGTH;
  if (total > available) return DROP_IPV4_TRUNCATED;
  if (sum(l3, ihl) != 0xFFFF) return DROP_IPV4_CHECKSUM;
  return 0;
}

/** An address that starts with 1..223 but not 127 may be a source and a destination; the others by name. */
function addressProblem(source: u32, destination: u32): u32 {
  if (destination == 0xFFFFFFFF) return DROP_IPV4_BROADCAST;
  const s: u32 = source & 0xFF;
  if (s == 0 || s == 127 || s >= 224) return DROP_IPV4_SOURCE_MARTIAN;
  const d: u32 = destination & 0xFF;
  if (d == 0 || d == 127 || d >= 240) return DROP_IPV4_DESTINATION_MARTIAN;
  if (d >= 224) return DROP_IPV4_MULTICAST;
  return 0;
}

/** Validates the header at `l3` with `available` bytes behind it and fills the meta record: 0, or why the packet dies. */
@inline
export function ip4Validate(meta: usize, l3: usize, available: u32): u32 {
  if (available < IPV4_SIZE) return DROP_IPV4_TOO_SHORT;
  const word: u32 = load<u32>(l3);
  const first: u32 = word & 0xFF;
  const total: u32 = (word >>> 24) | ((word >>> 8) & 0xFF00);
  if (first == 0x45) {
    if (total < IPV4_SIZE) return DROP_IPV4_TOTAL_LENGTH;
    if (total > available) return DROP_IPV4_TRUNCATED;
    if (sum20(l3) != 0xFFFF) return DROP_IPV4_CHECKSUM;
  } else {
    const problem: u32 = headerProblem(l3, first, available);
    if (problem != 0) return problem;
  }
  const addresses: u64 = load<u64>(l3, IPV4_SOURCE);
  const source: u32 = addresses as u32;
  const destination: u32 = (addresses >>> 32) as u32;
  // 1..223 without 127, both addresses at once: the sign bit says so, one branch for all.
  const s: u32 = (source & 0xFF) - 1;
  const d: u32 = (destination & 0xFF) - 1;
  if (((((s - 223) & (d - 223)) & ~(((s ^ 126) - 1) | ((d ^ 126) - 1))) as i32) >= 0) {
    const problem: u32 = addressProblem(source, destination);
    if (problem != 0) return problem;
  }
  if (first != 0x45) {
    const problem: u32 = optionsProblem(l3, (first & 0x0F) << 2);
    if (problem != 0) return problem;
  }
  store<u64>(meta, addresses, M_SRC);
  store<u32>(meta, l3 as u32, M_L3);
  store<u32>(meta, total | ((first & 0x0F) << 18) | (<u32>load<u8>(l3, IPV4_PROTOCOL) << 24), M_LENGTH); // and M_IHL, M_PROTOCOL
  const fragment: u32 = load<u16>(l3, IPV4_FRAGMENT);
  if ((fragment & (FRAGMENT_MF | FRAGMENT_OFFSET)) != 0) {
    const flag: u32 = (fragment & FRAGMENT_OFFSET) != 0 ? MF_FRAGMENT : MF_FIRST_FRAGMENT;
    store<u16>(meta, (<u32>load<u16>(meta, M_FLAGS) | flag) as u16, M_FLAGS);
  }
  return 0;
}
