/** Route targets and distinguishers, as Contrail makes them. */
import { formatAddress } from '../model/address.ts';

/** Of the whole system; configurable once there is BGP. */
export const ASN = 64512;
/** The first number of those that the system gives by itself; operators' own lie below (2-byte ASN). */
export const FIRST_AUTO_TARGET = 8000000;
/** Contrail's bound of what it gives by itself. */
export const LAST_AUTO_TARGET = 2 ** 24 - 1;

export const routeTarget = (number: number): string => `target:${ASN}:${number}`;

/** Unique per VRF and appliance, so that equal prefixes of two appliances stay two VPN routes. */
export const routeDistinguisher = (tunnelAddress: number, vrf: number): string => `${formatAddress(tunnelAddress)}:${vrf}`;
