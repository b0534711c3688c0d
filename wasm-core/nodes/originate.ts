/** Packets that the core makes: frame, meta record, Ethernet header, and the account of both success and failure. */
import {
  C_DROP, C_ORIGINATED, FRAME_HEADROOM, IF_MAC, IF_VLAN, INTERFACE_SHIFT, INTERFACES, LC_META_COUNT, M_FLAGS, M_FRAME, M_L3, M_LENGTH, M_TX_IF, MAX_METAS,
  MF_ORIGINATED,
} from '../layout';
import { DROP_NO_FRAME, NODE_TRANSMIT } from '../generated';
import { ARP_SIZE } from '../packet/arp';
import { ETHERNET_DESTINATION, ETHERNET_SIZE, ETHERNET_SOURCE, ETHERNET_TYPE, MAC_MASK, swap16, TYPE_ARP, TYPE_VLAN, VLAN_SIZE } from '../packet/ethernet';
import { takeFrame } from '../rings/frames';
import { countersOf, enqueue, newMeta } from './graph';

/** Where the network header of a made packet starts in its chunk: room for every encapsulation before it. */
export const MADE_L3: usize = FRAME_HEADROOM + 64;

@inline
export function interfaceAt(iface: u32): usize {
  return INTERFACES + ((iface as usize) << INTERFACE_SHIFT);
}

/** The interface's MAC in the low 48 bits. */
@inline
export function interfaceMac(iface: u32): u64 {
  return load<u64>(interfaceAt(iface), IF_MAC) & MAC_MASK;
}

/**
 * A frame and a meta record for a new packet, MF_ORIGINATED and counted as originated; M_FRAME and M_L3 are set. 0 when there is
 * no frame (or no record): the packet that was not made is counted as originated and as dropped by `no_frame`.
 */
export function originate(lc: usize): usize {
  const counters: usize = countersOf(lc);
  store<u64>(counters, load<u64>(counters, C_ORIGINATED) + 1, C_ORIGINATED);
  if (load<u32>(lc, LC_META_COUNT) < MAX_METAS) {
    const frame: usize = takeFrame(lc);
    if (frame != 0) {
      const meta: usize = newMeta(lc);
      store<u32>(meta, frame as u32, M_FRAME);
      store<u32>(meta, (frame + MADE_L3) as u32, M_L3);
      store<u16>(meta, MF_ORIGINATED as u16, M_FLAGS);
      return meta;
    }
  }
  const reason: usize = counters + C_DROP + ((DROP_NO_FRAME as usize) << 3);
  store<u64>(reason, load<u64>(reason) + 1);
  return 0;
}

/** Puts an Ethernet header (and the interface's tag) before the ARP packet at M_L3 and sends the frame out of the interface. */
export function transmitArp(lc: usize, meta: usize, iface: u32, destination: u64): void {
  const record: usize = interfaceAt(iface);
  const vlan: u32 = load<u16>(record, IF_VLAN);
  const header: u32 = vlan != 0 ? ETHERNET_SIZE + VLAN_SIZE : ETHERNET_SIZE;
  const frame: usize = (load<u32>(meta, M_L3) as usize) - (header as usize);
  const source: u64 = load<u64>(record, IF_MAC) & MAC_MASK;
  store<u64>(frame, destination | (source << 48), ETHERNET_DESTINATION); // and the first two bytes of the source
  store<u32>(frame, (source >>> 16) as u32, ETHERNET_SOURCE + 2);
  if (vlan != 0) {
    store<u16>(frame, TYPE_VLAN as u16, ETHERNET_TYPE);
    store<u16>(frame, swap16(vlan) as u16, ETHERNET_TYPE + 2);
    store<u16>(frame, TYPE_ARP as u16, ETHERNET_TYPE + 4);
  } else {
    store<u16>(frame, TYPE_ARP as u16, ETHERNET_TYPE);
  }
  store<u32>(meta, frame as u32, M_L3);
  store<u16>(meta, (header + ARP_SIZE) as u16, M_LENGTH);
  store<u16>(meta, iface as u16, M_TX_IF);
  store<u16>(meta, (<u32>load<u16>(meta, M_FLAGS) | MF_ORIGINATED) as u16, M_FLAGS);
  enqueue(lc, NODE_TRANSMIT, meta);
}
