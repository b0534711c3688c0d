/** Route targets and distinguishers, as Contrail makes them. */
import { formatAddress } from '../model/address.ts';
import { Refusal } from '../model/refusal.ts';

/** Of the whole system, unless its global-system-config says another. */
export const DEFAULT_ASN = 64512;
/** The first number of those that the system gives by itself; operators' own lie below (2-byte ASN). */
export const FIRST_AUTO_TARGET = 8000000;
/** Contrail's bound of what it gives by itself. */
export const LAST_AUTO_TARGET = 2 ** 24 - 1;
/** With a 4-byte ASN a target's number has 16 bits (RFC 5668): Contrail's begin here. */
const FIRST_AUTO_TARGET_16 = 8000;

/** The target that `number` (FIRST_AUTO_TARGET and up) stands for. With a 4-byte ASN there are 57,536; @throws {Refusal} beyond. */
export function routeTarget(asn: number, number: number): string {
  if (asn < 65536) return `target:${asn}:${number}`;
  const short = number - FIRST_AUTO_TARGET + FIRST_AUTO_TARGET_16;
  if (short > 65535) throw new Refusal('exhausted', [{ field: 'operations', rule: 'NUMBERS_EXHAUSTED', object: 'global-system-config', description: `route targets of AS ${asn} are used up: a 4-byte ASN leaves 16 bits for the number; a 2-byte one has room for eight million networks` }]);
  return `target:${asn}:${short}`;
}

/** Unique per VRF and appliance, so that equal prefixes of two appliances stay two VPN routes. */
export const routeDistinguisher = (tunnelAddress: number, vrf: number): string => `${formatAddress(tunnelAddress)}:${vrf}`;
