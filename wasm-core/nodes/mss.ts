/** MSS clamping: a TCP SYN is made to announce no more than the virtual network's paths take. docs/forwarding.md §8.2. */
import { update } from '../packet/checksum';
import { wordDelta } from '../packet/checksum-l4';
import { swap16 } from '../packet/ethernet';
import { TCP_CHECKSUM, TCP_FLAGS, TCP_OFFSET, TCP_SIZE, TCP_SYN } from '../packet/tcp';

const OPTION_END: u32 = 0;
const OPTION_NOP: u32 = 1;
const OPTION_MSS: u32 = 2;
const MSS_LENGTH: u32 = 4;

/** Offset of the MSS option's value in the TCP header, 0 when a well-formed walk reaches none. */
function findMss(tcp: usize, end: u32): u32 {
  let at: u32 = TCP_SIZE;
  while (at < end) {
    const kind: u32 = load<u8>(tcp + (at as usize));
    if (kind == OPTION_END) return 0;
    if (kind == OPTION_NOP) {
      at += 1;
      continue;
    }
    if (at + 1 >= end) return 0;
    const length: u32 = load<u8>(tcp + (at as usize), 1);
    if (length < 2 || at + length > end) return 0;
    if (kind == OPTION_MSS) return length == MSS_LENGTH ? at + 2 : 0;
    at += length;
  }
  return 0;
}

/** Lowers the first MSS option of a SYN to `mss`. A packet with another flag, a short header or a malformed option list is left alone. */
export function clampMss(l3: usize, ihl: u32, length: u32, mss: u32): void {
  const tcp: usize = l3 + (ihl as usize);
  const available: u32 = length - ihl;
  if (available < TCP_SIZE) return;
  if ((<u32>load<u8>(tcp, TCP_FLAGS) & TCP_SYN) == 0) return;
  const end: u32 = (<u32>load<u8>(tcp, TCP_OFFSET) >>> 4) << 2;
  if (end > available) return;
  const at: u32 = findMss(tcp, end);
  if (at == 0) return;
  const old: u32 = load<u16>(tcp + (at as usize));
  if (swap16(old) <= mss) return;
  const lowered: u32 = swap16(mss);
  store<u16>(tcp + (at as usize), lowered as u16);
  // A value at an odd offset lies across two checksum words: its bytes count the other way round.
  const delta: u32 = (at & 1) == 0 ? wordDelta(old, lowered) : wordDelta(swap16(old), swap16(lowered));
  store<u16>(tcp, update(load<u16>(tcp, TCP_CHECKSUM), delta) as u16, TCP_CHECKSUM);
}
