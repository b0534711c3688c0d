/**
 * local: packets to an own address. docs/forwarding.md §9.
 * An echo request is turned round in its own frame; nothing else listens in the core.
 * Nexts: ip4-lookup (echo reply), icmp-error. Drops: local_fragment, local_icmp, local_port_unreachable, local_protocol_unreachable.
 */
import {
  LC_TRACING, M_DNAT, M_DST, M_FLAGS, M_IHL, M_L3, M_LENGTH, M_LOOPS, M_NH, M_PROTOCOL, M_SNAT, M_SRC, MF_DNAT, MF_FIRST_FRAGMENT, MF_FRAGMENT,
  MF_ORIGINATED, MF_SNAT,
} from '../layout';
import {
  DROP_LOCAL_FRAGMENT, DROP_LOCAL_ICMP, DROP_LOCAL_PORT_UNREACHABLE, DROP_LOCAL_PROTOCOL_UNREACHABLE, NODE_IP4_LOOKUP, NODE_LOCAL,
} from '../generated';
import { sum } from '../packet/checksum';
import { ICMP_CHECKSUM, ICMP_ECHO_REPLY, ICMP_ECHO_REQUEST, ICMP_SIZE, ICMP_TYPE, ICMP_UNREACHABLE, UNREACHABLE_PORT, UNREACHABLE_PROTOCOL } from '../packet/icmp';
import { IPV4_CHECKSUM, IPV4_DESTINATION, IPV4_SOURCE, IPV4_TTL, PROTOCOL_ICMP, PROTOCOL_TCP, PROTOCOL_UDP } from '../packet/ipv4';
import { countNode, drop, enqueue, listCount, listOf, setListCount } from './graph';
import { dropWithError } from './icmp-error';
import { traceNode } from './trace';

const REPLY_TTL: u32 = 64;

/** Turns an echo request round; false when the message is anything else. */
function echo(meta: usize, l3: usize): bool {
  const ihl: u32 = load<u8>(meta, M_IHL);
  const length: u32 = <u32>load<u16>(meta, M_LENGTH) - ihl;
  if (length < ICMP_SIZE) return false;
  const message: usize = l3 + (ihl as usize);
  if (<u32>load<u16>(message) != ICMP_ECHO_REQUEST) return false; // type, and code 0
  if (sum(message, length) != 0xFFFF) return false;
  store<u8>(message, ICMP_ECHO_REPLY as u8, ICMP_TYPE);
  store<u16>(message, 0, ICMP_CHECKSUM);
  store<u16>(message, (sum(message, length) ^ 0xFFFF) as u16, ICMP_CHECKSUM);
  const source: u32 = load<u32>(meta, M_SRC);
  const destination: u32 = load<u32>(meta, M_DST);
  store<u32>(l3, destination, IPV4_SOURCE);
  store<u32>(l3, source, IPV4_DESTINATION);
  store<u8>(l3, REPLY_TTL as u8, IPV4_TTL);
  store<u16>(l3, 0, IPV4_CHECKSUM);
  store<u16>(l3, (sum(l3, ihl) ^ 0xFFFF) as u16, IPV4_CHECKSUM);
  store<u32>(meta, destination, M_SRC);
  store<u32>(meta, source, M_DST);
  store<u32>(meta, 0, M_NH);
  store<u32>(meta, 0, M_SNAT);
  store<u32>(meta, 0, M_DNAT);
  store<u8>(meta, 0, M_LOOPS);
  store<u16>(meta, ((<u32>load<u16>(meta, M_FLAGS) & ~(MF_SNAT | MF_DNAT)) | MF_ORIGINATED) as u16, M_FLAGS);
  return true;
}

export function local(lc: usize): void {
  const count: u32 = listCount(lc, NODE_LOCAL);
  if (count == 0) return;
  const list: usize = listOf(lc, NODE_LOCAL);
  const end: usize = list + ((count as usize) << 2);
  for (let at: usize = list; at != end; at += 4) {
    const meta: usize = load<u32>(at) as usize;
    const protocol: u32 = load<u8>(meta, M_PROTOCOL);
    if ((<u32>load<u16>(meta, M_FLAGS) & (MF_FRAGMENT | MF_FIRST_FRAGMENT)) != 0) {
      drop(lc, meta, DROP_LOCAL_FRAGMENT);
    } else if (protocol == PROTOCOL_ICMP) {
      if (echo(meta, load<u32>(meta, M_L3) as usize)) enqueue(lc, NODE_IP4_LOOKUP, meta);
      else drop(lc, meta, DROP_LOCAL_ICMP);
    } else if (protocol == PROTOCOL_TCP || protocol == PROTOCOL_UDP) {
      dropWithError(lc, meta, DROP_LOCAL_PORT_UNREACHABLE, ICMP_UNREACHABLE, UNREACHABLE_PORT, 0);
    } else {
      dropWithError(lc, meta, DROP_LOCAL_PROTOCOL_UNREACHABLE, ICMP_UNREACHABLE, UNREACHABLE_PROTOCOL, 0);
    }
  }
  if (load<u32>(lc, LC_TRACING) != 0) traceNode(lc, NODE_LOCAL);
  countNode(lc, NODE_LOCAL, count);
  setListCount(lc, NODE_LOCAL, 0);
}
