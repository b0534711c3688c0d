/**
 * icmp-error: tells the sender why its packet died. docs/forwarding.md §11, RFC 792, RFC 1812 section 4.3.2.
 * Nexts: drop (the packet), ip4-lookup (the error, a packet of its own).
 */
import {
  C_ICMP_SUPPRESSED, H_ICMP_BURST, H_ICMP_RATE, HEADER, IF_ADDRESS, IF_VRF, LC_ICMP_FILLED_MS, LC_ICMP_TOKENS, LC_IP_ID, LC_TRACING, M_DROP, M_DST, M_FLAGS,
  M_IHL, M_L3, M_LENGTH, M_PROTOCOL, M_RX_IF, M_SCRATCH, M_SRC, M_VRF, MF_FRAGMENT, MF_L2_BROADCAST, MF_ORIGINATED, MF_TUNNELLED,
} from '../layout';
import { NODE_DROP, NODE_ICMP_ERROR, NODE_IP4_LOOKUP } from '../generated';
import { sum, sum20 } from '../packet/checksum';
import { swap16 } from '../packet/ethernet';
import {
  ICMP_CHECKSUM, ICMP_CODE, ICMP_ECHO_REPLY, ICMP_ECHO_REQUEST, ICMP_MTU, ICMP_SIZE, ICMP_TIMESTAMP, ICMP_TIMESTAMP_REPLY, ICMP_TYPE,
} from '../packet/icmp';
import { IPV4_CHECKSUM, IPV4_DESTINATION, IPV4_ID, IPV4_LENGTH, IPV4_SIZE, IPV4_SOURCE, IPV4_TTL, PROTOCOL_ICMP } from '../packet/ipv4';
import { countersOf, countNode, enqueue, listCount, listOf, setListCount } from './graph';
import { nowMs } from './neighbour-state';
import { interfaceAt, originate } from './originate';
import { traceNode } from './trace';

/** The whole error is at most the 576 bytes that every host takes, so it quotes at most 548. */
const MAX_QUOTE: u32 = 576 - 20 - 8;
/** Version 4, 20 bytes, TOS 0xC0 (internetwork control, RFC 1812 section 4.3.2.5). */
const VERSION_TOS: u32 = 0xC045;
const ERROR_TTL: u32 = 64;

/** The packet dies by `reason`, and its sender is told by an ICMP error if that is allowed. `mtu` is that of "fragmentation needed", else 0. */
export function dropWithError(lc: usize, meta: usize, reason: u32, type: u32, code: u32, mtu: u32): void {
  store<u8>(meta, reason as u8, M_DROP);
  store<u32>(meta, (type << 24) | (code << 16) | mtu, M_SCRATCH);
  enqueue(lc, NODE_ICMP_ERROR, meta);
}

/** May an error be sent about this packet at all? */
function mayAnswer(meta: usize, l3: usize): bool {
  if ((<u32>load<u16>(meta, M_FLAGS) & (MF_ORIGINATED | MF_FRAGMENT | MF_L2_BROADCAST)) != 0) return false;
  if (load<u32>(interfaceAt(load<u16>(meta, M_RX_IF)), IF_ADDRESS) == 0) return false;
  if (<u32>load<u8>(meta, M_PROTOCOL) != PROTOCOL_ICMP) return true;
  const ihl: u32 = load<u8>(meta, M_IHL);
  if (<u32>load<u16>(meta, M_LENGTH) <= ihl) return false;
  const type: u32 = load<u8>(l3 + (ihl as usize));
  return type == ICMP_ECHO_REQUEST || type == ICMP_ECHO_REPLY || type == ICMP_TIMESTAMP || type == ICMP_TIMESTAMP_REPLY;
}

/** A token bucket in thousandths of a token: takes one, false when there is none. A trace takes none. */
function takeToken(lc: usize): bool {
  if (load<u32>(lc, LC_TRACING) != 0) return true;
  const now: u32 = nowMs(lc);
  const elapsed: u32 = now - load<u32>(lc, LC_ICMP_FILLED_MS);
  const depth: u64 = (load<u32>(HEADER, H_ICMP_BURST) as u64) * 1000;
  let tokens: u64 = (load<u32>(lc, LC_ICMP_TOKENS) as u64) + (elapsed as u64) * (load<u32>(HEADER, H_ICMP_RATE) as u64);
  if (tokens > depth) tokens = depth;
  const granted: bool = tokens >= 1000;
  if (granted) tokens -= 1000;
  store<u32>(lc, tokens as u32, LC_ICMP_TOKENS);
  store<u32>(lc, now, LC_ICMP_FILLED_MS);
  return granted;
}

/** Builds the error about the packet in a frame of its own and sends it to lookup. */
function answer(lc: usize, meta: usize, l3: usize): void {
  const error: usize = originate(lc);
  if (error == 0) return;
  const out: usize = load<u32>(error, M_L3) as usize;
  const what: u32 = load<u32>(meta, M_SCRATCH);
  const iface: u32 = load<u16>(meta, M_RX_IF);
  const source: u32 = load<u32>(interfaceAt(iface), IF_ADDRESS);
  const destination: u32 = load<u32>(meta, M_SRC);
  const available: u32 = load<u16>(meta, M_LENGTH);
  const quote: u32 = available < MAX_QUOTE ? available : MAX_QUOTE;
  const length: u32 = IPV4_SIZE + ICMP_SIZE + quote;

  const identification: u32 = load<u32>(lc, LC_IP_ID);
  store<u32>(lc, identification + 1, LC_IP_ID);
  store<u16>(out, VERSION_TOS as u16);
  store<u16>(out, swap16(length) as u16, IPV4_LENGTH);
  store<u32>(out, swap16(identification & 0xFFFF), IPV4_ID); // and no fragment flags
  store<u16>(out, (ERROR_TTL | (PROTOCOL_ICMP << 8)) as u16, IPV4_TTL);
  store<u16>(out, 0, IPV4_CHECKSUM);
  store<u32>(out, source, IPV4_SOURCE);
  store<u32>(out, destination, IPV4_DESTINATION);
  store<u16>(out, (sum20(out) ^ 0xFFFF) as u16, IPV4_CHECKSUM);

  const message: usize = out + (IPV4_SIZE as usize);
  store<u8>(message, (what >>> 24) as u8, ICMP_TYPE);
  store<u8>(message, (what >>> 16) as u8, ICMP_CODE);
  store<u16>(message, 0, ICMP_CHECKSUM);
  store<u16>(message, 0, ICMP_CHECKSUM + 2);
  store<u16>(message, swap16(what & 0xFFFF) as u16, ICMP_MTU);
  memory.copy(message + (ICMP_SIZE as usize), l3, quote as usize);
  store<u16>(message, (sum(message, ICMP_SIZE + quote) ^ 0xFFFF) as u16, ICMP_CHECKSUM);

  store<u16>(error, length as u16, M_LENGTH);
  store<u8>(error, IPV4_SIZE as u8, M_IHL);
  store<u8>(error, PROTOCOL_ICMP as u8, M_PROTOCOL);
  store<u16>(error, iface as u16, M_RX_IF);
  store<u32>(error, source, M_SRC);
  store<u32>(error, destination, M_DST);
  const tunnelled: bool = (<u32>load<u16>(meta, M_FLAGS) & MF_TUNNELLED) != 0;
  store<u32>(error, tunnelled ? load<u32>(meta, M_VRF) : load<u32>(interfaceAt(iface), IF_VRF), M_VRF);
  enqueue(lc, NODE_IP4_LOOKUP, error);
}

export function icmpError(lc: usize): void {
  const count: u32 = listCount(lc, NODE_ICMP_ERROR);
  if (count == 0) return;
  const list: usize = listOf(lc, NODE_ICMP_ERROR);
  const end: usize = list + ((count as usize) << 2);
  for (let at: usize = list; at != end; at += 4) {
    const meta: usize = load<u32>(at) as usize;
    const l3: usize = load<u32>(meta, M_L3) as usize;
    if (mayAnswer(meta, l3)) {
      if (takeToken(lc)) {
        answer(lc, meta, l3);
      } else {
        const suppressed: usize = countersOf(lc) + C_ICMP_SUPPRESSED;
        store<u64>(suppressed, load<u64>(suppressed) + 1);
      }
    }
    enqueue(lc, NODE_DROP, meta);
  }
  if (load<u32>(lc, LC_TRACING) != 0) traceNode(lc, NODE_ICMP_ERROR);
  countNode(lc, NODE_ICMP_ERROR, count);
  setListCount(lc, NODE_ICMP_ERROR, 0);
}
