/**
 * What every IPv4 header must stand, outer or inner: docs/forwarding.md §2. On success the meta record knows length, header
 * length, protocol, addresses and fragment state.
 */
import { M_DST, M_FLAGS, M_L3, M_LENGTH, M_SRC, MF_FIRST_FRAGMENT, MF_FRAGMENT } from '../layout';
import {
  DROP_IPV4_CHECKSUM, DROP_IPV4_DESTINATION_MARTIAN, DROP_IPV4_HEADER_LENGTH, DROP_IPV4_MULTICAST, DROP_IPV4_OPTIONS, DROP_IPV4_SOURCE_MARTIAN,
  DROP_IPV4_SOURCE_ROUTE, DROP_IPV4_TOO_SHORT, DROP_IPV4_TOTAL_LENGTH, DROP_IPV4_TRUNCATED, DROP_IPV4_VERSION, DROP_IPV4_BROADCAST,
} from '../generated';
import { fold, sum } from '../packet/checksum';
import { swap16 } from '../packet/ethernet';
import { FRAGMENT_MF, FRAGMENT_OFFSET, IPV4_DESTINATION, IPV4_ID, IPV4_LENGTH, IPV4_OPTIONS, IPV4_PROTOCOL, IPV4_SIZE, IPV4_SOURCE } from '../packet/ipv4';

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

/** Flags of a packet by the second word of its header: 0 for a whole packet. */
@inline
function fragmentFlags(word: u32): u32 {
  if ((word & ((FRAGMENT_MF | FRAGMENT_OFFSET) << 16)) == 0) return 0;
  return (word & (FRAGMENT_OFFSET << 16)) != 0 ? MF_FRAGMENT : MF_FIRST_FRAGMENT;
}

/** Validates any header at `l3` with `available` bytes behind it and fills the meta record: 0, or why the packet dies. */
export function ip4Validate(meta: usize, l3: usize, available: u32): u32 {
  if (available < IPV4_SIZE) return DROP_IPV4_TOO_SHORT;
  const first: u32 = load<u8>(l3);
  if ((first & 0xF0) != 0x40) return DROP_IPV4_VERSION;
  const ihl: u32 = (first & 0x0F) << 2;
  if (ihl < IPV4_SIZE) return DROP_IPV4_HEADER_LENGTH;
  if (ihl > available) return DROP_IPV4_TOO_SHORT;
  const total: u32 = swap16(load<u16>(l3, IPV4_LENGTH));
  if (total < ihl) return DROP_IPV4_TOTAL_LENGTH;
  if (total > available) return DROP_IPV4_TRUNCATED;
  if (sum(l3, ihl) != 0xFFFF) return DROP_IPV4_CHECKSUM;
  const source: u32 = load<u32>(l3, IPV4_SOURCE);
  const destination: u32 = load<u32>(l3, IPV4_DESTINATION);
  let problem: u32 = addressProblem(source, destination);
  if (problem == 0) problem = optionsProblem(l3, ihl);
  if (problem != 0) return problem;
  fillMeta(meta, l3, total | (ihl << 16) | (<u32>load<u8>(l3, IPV4_PROTOCOL) << 24), load<u32>(l3, IPV4_ID), source, destination);
  return 0;
}

/** What the meta record takes from a header: length, header length and protocol in one word, fragment state, addresses. */
@inline
function fillMeta(meta: usize, l3: usize, shape: u32, second: u32, source: u32, destination: u32): void {
  store<u32>(meta, l3 as u32, M_L3);
  store<u32>(meta, shape, M_LENGTH); // and M_IHL, M_PROTOCOL
  store<u32>(meta, source, M_SRC);
  store<u32>(meta, destination, M_DST);
  const flags: u32 = fragmentFlags(second);
  if (flags != 0) store<u16>(meta, (<u32>load<u16>(meta, M_FLAGS) | flags) as u16, M_FLAGS);
}

/**
 * The same for the header that nearly every packet has, with one branch for all that can be wrong: version 4, 20 bytes, a length
 * that is there, the right checksum, addresses that start with 1..223 but not 127. False: ask ip4Validate, nothing has been done.
 * @param oddities a word whose sign bit says that the packet is not an ordinary one for another reason
 */
@inline
export function isOrdinary(meta: usize, l3: usize, available: u32, oddities: u32): bool {
  const w0: u32 = load<u32>(l3);
  const w1: u32 = load<u32>(l3, 4);
  const w2: u32 = load<u32>(l3, 8);
  const source: u32 = load<u32>(l3, IPV4_SOURCE);
  const destination: u32 = load<u32>(l3, IPV4_DESTINATION);
  const total: u32 = swap16(w0 >>> 16);
  const sum: u32 = fold((w0 as u64) + (w1 as u64) + (w2 as u64) + (source as u64) + (destination as u64));
  const s: u32 = (source & 0xFF) - 1;
  const d: u32 = (destination & 0xFF) - 1;
  const addresses: u32 = ~((s - 223) & (d - 223)) | ((s ^ 126) - 1) | ((d ^ 126) - 1);
  const odd: u32 = oddities | (0 - ((w0 & 0xFF) ^ 0x45)) | (total - IPV4_SIZE) | (available - total) | (sum - 0xFFFF) | addresses;
  if ((odd as i32) < 0) return false;
  fillMeta(meta, l3, total | (IPV4_SIZE << 16) | ((w2 & 0xFF00) << 16), w1, source, destination);
  return true;
}
