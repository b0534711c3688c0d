/**
 * Gratuitous ARP (RFC 5227 section 3): tells a plain network who answers for an address from now on. Made by the control instance, sent by the lcore
 * that owns the interface. Nexts: the owner's transmit node, through the hand-off ring. Drops: no_frame, handoff_full.
 */
import { C_DROP, IF_OWNER, IF_PARENT, LC_META_COUNT, LCORE_CONTROL, M_FRAME, M_L3 } from '../layout';
import { DROP_HANDOFF_FULL, NODE_TRANSMIT } from '../generated';
import { ARP_REQUEST, writeArp } from '../packet/arp';
import { giveFrame } from '../rings/frames';
import { handOff } from '../rings/handoff';
import { countersOf, lcoreAt, setListCount } from './graph';
import { interfaceAt, interfaceMac, originate, transmitArp } from './originate';

const BROADCAST: u64 = 0x0000FFFFFFFFFFFF;

/** Announces `address` (network order) on the interface. 1 when the frame is on its way, 0 when there was no frame or no room. The host wakes the lcores in LC_WAKE of lcore 16. */
export function announce(iface: u32, address: u32): u32 {
  const lc: usize = lcoreAt(LCORE_CONTROL);
  store<u32>(lc, 0, LC_META_COUNT);
  const meta: usize = originate(lc);
  if (meta == 0) return 0;
  writeArp(load<u32>(meta, M_L3) as usize, ARP_REQUEST, interfaceMac(iface), address, 0, address);
  transmitArp(lc, meta, iface, BROADCAST);
  setListCount(lc, NODE_TRANSMIT, 0); // it leaves by the transmit list of another lcore
  const parent: u32 = load<u16>(interfaceAt(iface), IF_PARENT);
  const port: u32 = parent != 0 ? parent : iface;
  if (handOff(lc, load<u16>(interfaceAt(port), IF_OWNER), meta)) return 1;
  const reason: usize = countersOf(lc) + C_DROP + ((DROP_HANDOFF_FULL as usize) << 3);
  store<u64>(reason, load<u64>(reason) + 1);
  giveFrame(lc, load<u32>(meta, M_FRAME) as usize);
  return 0;
}
