/**
 * fragment: cuts a translated packet to its next hop's MTU (RFC 791 section 3.2). docs/forwarding.md §8.3.
 * The first piece stays in the packet's frame; every other gets a frame and a meta record of its own.
 * Nexts: encapsulate, ethernet-output. Drops: no_frame (pieces), fragmentation_needed (options leave no room for eight bytes).
 */
import {
  LC_TRACING, M_FLAGS, M_FRAME, M_IHL, M_L3, M_LENGTH, M_NH, META_SIZE, MF_FIRST_FRAGMENT, MF_FRAGMENT, NH_KIND, NH_MTU, NHK_TUNNEL_GRE,
} from '../layout';
import { DROP_FRAGMENTATION_NEEDED, NODE_ENCAPSULATE, NODE_ETHERNET_OUTPUT, NODE_FRAGMENT } from '../generated';
import { sum } from '../packet/checksum';
import { swap16 } from '../packet/ethernet';
import { IPV4_CHECKSUM, IPV4_FRAGMENT, IPV4_LENGTH, IPV4_SIZE } from '../packet/ipv4';
import { nexthopAt } from '../tables/nexthop';
import { countNode, drop, enqueue, listCount, listOf, setListCount } from './graph';
import { originate } from './originate';
import { traceNode } from './trace';

/** Of the flags and offset as a number: more fragments; offset in units of 8 bytes. */
const MORE: u32 = 0x2000;
const OFFSET: u32 = 0x1FFF;
/** Option bit: this option is in every fragment. */
const COPIED: u32 = 0x80;
const OPTION_END: u32 = 0;
const OPTION_NOP: u32 = 1;

/**
 * The header of every piece but the first: the fixed part and the options that have the copied bit, padded with zeros to a multiple
 * of 4. Writes it to `to` unless that is 0; returns its length. The options are well-formed: ip4-input saw to it.
 */
function laterHeader(to: usize, from: usize, ihl: u32): u32 {
  if (to != 0) memory.copy(to, from, IPV4_SIZE as usize);
  let out: u32 = IPV4_SIZE;
  let at: u32 = IPV4_SIZE;
  while (at < ihl) {
    const kind: u32 = load<u8>(from + (at as usize));
    if (kind == OPTION_END) break;
    const length: u32 = kind == OPTION_NOP ? 1 : <u32>load<u8>(from + (at as usize), 1);
    if ((kind & COPIED) != 0) {
      if (to != 0) memory.copy(to + (out as usize), from + (at as usize), length as usize);
      out += length;
    }
    at += length;
  }
  const padded: u32 = (out + 3) & ~3;
  if (to != 0) {
    memory.fill(to + (out as usize), 0, (padded - out) as usize);
    store<u8>(to, (0x40 | (padded >>> 2)) as u8);
  }
  return padded;
}

/** Writes what differs between the pieces. `fragment` is flags and offset as a number. */
function finishHeader(l3: usize, ihl: u32, length: u32, fragment: u32): void {
  store<u16>(l3, swap16(length) as u16, IPV4_LENGTH);
  store<u16>(l3, swap16(fragment) as u16, IPV4_FRAGMENT);
  store<u16>(l3, 0, IPV4_CHECKSUM);
  store<u16>(l3, (sum(l3, ihl) ^ 0xFFFF) as u16, IPV4_CHECKSUM);
}

/** A piece's meta record: the packet's, but for its own frame and place. */
function inheritMeta(piece: usize, meta: usize): void {
  const frame: u32 = load<u32>(piece, M_FRAME);
  const l3: u32 = load<u32>(piece, M_L3);
  memory.copy(piece, meta, META_SIZE);
  store<u32>(piece, frame, M_FRAME);
  store<u32>(piece, l3, M_L3);
  store<u16>(piece, ((<u32>load<u16>(meta, M_FLAGS) & ~MF_FIRST_FRAGMENT) | MF_FRAGMENT) as u16, M_FLAGS);
}

function cut(lc: usize, meta: usize, mtu: u32, next: u32): void {
  const l3: usize = load<u32>(meta, M_L3) as usize;
  const ihl: u32 = load<u8>(meta, M_IHL);
  const length: u32 = load<u16>(meta, M_LENGTH);
  const arrived: u32 = swap16(load<u16>(l3, IPV4_FRAGMENT));
  const flags: u32 = arrived & ~OFFSET;
  const offset: u32 = arrived & OFFSET;
  const end: u32 = length - ihl;
  if (mtu < ihl + 8) {
    drop(lc, meta, DROP_FRAGMENTATION_NEEDED);
    return;
  }
  const first: u32 = (mtu - ihl) & ~7;
  const header: u32 = laterHeader(0, l3, ihl);
  enqueue(lc, next, meta);
  let done: u32 = first;
  while (done < end) {
    let payload: u32 = end - done;
    let place: u32 = flags | ((offset + (done >>> 3)) & OFFSET);
    if (header + payload > mtu) {
      payload = (mtu - header) & ~7;
      place |= MORE;
    }
    const piece: usize = originate(lc);
    if (piece != 0) {
      inheritMeta(piece, meta);
      const to: usize = load<u32>(piece, M_L3) as usize;
      laterHeader(to, l3, ihl);
      memory.copy(to + (header as usize), l3 + ((ihl + done) as usize), payload as usize);
      finishHeader(to, header, header + payload, place);
      store<u16>(piece, (header + payload) as u16, M_LENGTH);
      store<u8>(piece, header as u8, M_IHL);
      enqueue(lc, next, piece);
    }
    done += payload;
  }
  finishHeader(l3, ihl, ihl + first, flags | MORE | offset);
  store<u16>(meta, (ihl + first) as u16, M_LENGTH);
  if ((<u32>load<u16>(meta, M_FLAGS) & MF_FRAGMENT) == 0) store<u16>(meta, (<u32>load<u16>(meta, M_FLAGS) | MF_FIRST_FRAGMENT) as u16, M_FLAGS);
}

export function fragment(lc: usize): void {
  const count: u32 = listCount(lc, NODE_FRAGMENT);
  if (count == 0) return;
  const list: usize = listOf(lc, NODE_FRAGMENT);
  const end: usize = list + ((count as usize) << 2);
  for (let at: usize = list; at != end; at += 4) {
    const meta: usize = load<u32>(at) as usize;
    const nexthop: usize = nexthopAt(load<u32>(meta, M_NH));
    const next: u32 = <u32>load<u8>(nexthop, NH_KIND) == NHK_TUNNEL_GRE ? NODE_ENCAPSULATE : NODE_ETHERNET_OUTPUT;
    cut(lc, meta, load<u16>(nexthop, NH_MTU), next);
  }
  if (load<u32>(lc, LC_TRACING) != 0) traceNode(lc, NODE_FRAGMENT);
  countNode(lc, NODE_FRAGMENT, count);
  setListCount(lc, NODE_FRAGMENT, 0);
}
