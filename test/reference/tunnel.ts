/** docs/forwarding.md section 4 (in) and 8.4 (out): MPLS over GRE (RFC 4023). */
import { NHK_TUNNEL_GRE } from '../../wasm-core/layout.ts';
import { dropped, payloadOf, PROTOCOL_GRE, sealHeader } from './packet.ts';
import { TUNNEL_OVERHEAD, type NextHop } from './tables.ts';
import { byteAt, read16, read32, write16, write32 } from './wire.ts';

const GRE_CHECKSUM = 0x8000;
const GRE_KEY = 0x2000;
const GRE_MPLS = 0x8847;

/** Takes the GRE and MPLS headers off. */
export function decapsulate(outer: Uint8Array): { label: number; inner: Uint8Array } {
  const gre = payloadOf(outer);
  if (gre.length < 4) dropped('gre_malformed');
  const flags = read16(gre, 0);
  if ((flags & ~(GRE_CHECKSUM | GRE_KEY)) !== 0) dropped('gre_malformed');
  const greLength = 4 + (flags & GRE_CHECKSUM ? 4 : 0) + (flags & GRE_KEY ? 4 : 0);
  if (gre.length < greLength) dropped('gre_malformed');
  if (read16(gre, 2) !== GRE_MPLS) dropped('gre_protocol');

  const mpls = gre.subarray(greLength);
  if (mpls.length < 4 || (byteAt(mpls, 2) & 1) === 0) dropped('mpls_malformed');
  if (byteAt(mpls, 3) <= 1) dropped('mpls_ttl_exceeded');
  return { label: read32(mpls, 0) >>> 12, inner: mpls.subarray(4) };
}

/** Puts outer IPv4, GRE and MPLS before the packet. */
export function encapsulate(inner: Uint8Array, hop: NextHop): Uint8Array {
  if (hop.kind !== NHK_TUNNEL_GRE) throw new RangeError(`next hop ${hop.id} is no tunnel`);
  const outer = new Uint8Array(TUNNEL_OVERHEAD + inner.length);
  outer[0] = 0x45;
  outer[1] = byteAt(inner, 1);
  write16(outer, 2, outer.length);
  write16(outer, 4, read16(inner, 4));
  write16(outer, 6, 0x4000);
  outer[8] = 64;
  outer[9] = PROTOCOL_GRE;
  write32(outer, 12, hop.local);
  write32(outer, 16, hop.remote);
  write16(outer, 22, GRE_MPLS);
  write32(outer, 24, hop.value * 4096 + 0x140); // label, traffic class 0, bottom of stack, TTL 64
  sealHeader(outer);
  outer.set(inner, TUNNEL_OVERHEAD);
  return outer;
}
