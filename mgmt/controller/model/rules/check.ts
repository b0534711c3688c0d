/** Checks that several rules share. A reporter collects what is wrong under the field path that it was made for. */
import { FRAME_CAPACITY } from '../../../../wasm-core/layout.ts';
import { isNetwork, parseAddress, parsePrefix, type Prefix } from '../address.ts';

/** `field` is a path within the spec; the description says what is wrong and what would be right. */
export type Report = (field: string, rule: string, description: string) => void;

export function checkPrefix(report: Report, field: string, text: string): Prefix | undefined {
  const prefix = parsePrefix(text);
  if (!prefix) report(field, 'PREFIX', `${JSON.stringify(text)} is not a prefix like 101.101.101.0/24`);
  else if (!isNetwork(prefix)) report(field, 'PREFIX_HOST_BITS', `${text} has bits beyond its length; leave them zero`);
  else return prefix;
  return undefined;
}

/** An interface's own address with its subnet's length. */
export function checkInterfaceAddress(report: Report, field: string, text: string): Prefix | undefined {
  const prefix = parsePrefix(text);
  if (!prefix || prefix.length < 8) {
    report(field, 'INTERFACE_ADDRESS', `${JSON.stringify(text)} is not an address with its subnet's length (8 to 32) like 203.0.113.1/24`);
    return undefined;
  }
  if (!isHost(prefix.address)) {
    report(field, 'HOST_ADDRESS', `${text} is not a unicast address`);
    return undefined;
  }
  return prefix;
}

export function checkAddress(report: Report, field: string, text: string): number | undefined {
  const address = parseAddress(text);
  if (address === undefined) report(field, 'ADDRESS', `${JSON.stringify(text)} is not an address like 101.101.101.3`);
  else if (!isHost(address)) report(field, 'HOST_ADDRESS', `${text} is not a unicast address`);
  else return address;
  return undefined;
}

/** What a host may bear: not in 0/8, 127/8 or 224/3, which the core drops as martians. */
export function isHost(address: number): boolean {
  const top = address >>> 24;
  return top !== 0 && top !== 127 && top < 224;
}

export const TARGET = /^target:([0-9]+):([0-9]+)$/;

/** As /^target:…/ and of numbers that the BGP encoding has room for. */
export function isTarget(text: string): boolean {
  const [, asn, number] = TARGET.exec(text) ?? [];
  return asn !== undefined && Number(asn) > 0 && (Number(asn) < 65536 ? Number(number) < 2 ** 32 : Number(asn) < 2 ** 32 && Number(number) < 65536);
}

/** target:<2-byte ASN>:<4-byte number> or target:<4-byte ASN>:<2-byte number> (RFC 4360, RFC 5668). */
export function checkTargets(report: Report, field: string, targets: readonly string[]): void {
  targets.forEach((target, at) => {
    if (!isTarget(target)) report(`${field}[${at}]`, 'ROUTE_TARGET', `${JSON.stringify(target)} is not a route target like target:64512:100 (ASN below 65536 with a 32-bit number, or a 4-byte ASN with a 16-bit one)`);
    if (targets.indexOf(target) !== at) report(`${field}[${at}]`, 'DUPLICATE', `${target} is there twice; once is enough`);
  });
}

const WORD = /^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/;

/** A short name: of a port, a routing instance, an external interface. */
export function checkWord(report: Report, field: string, text: string, what: string): void {
  if (!WORD.test(text)) report(field, 'NAME', `${JSON.stringify(text)} is not a name of ${what}: letters, digits, ".", "_" and "-", 1 to 63`);
}

/** What every IPv4 network carries at least, and what a frame of the data plane holds beside an Ethernet header with a tag. */
const [MIN_MTU, MAX_MTU] = [576, FRAME_CAPACITY - 18];

export function checkMtu(report: Report, field: string, mtu: number): void {
  checkRange(report, field, mtu, MIN_MTU, MAX_MTU, 'MTU');
}

export function checkRange(report: Report, field: string, value: number, low: number, high: number, what: string): void {
  if (value !== 0 && (value < low || value > high)) report(field, 'RANGE', `${value} is no ${what}: ${low} to ${high}, or 0 for the default`);
}

export function checkPort(report: Report, field: string, port: number): void {
  if (port < 1 || port > 65535) report(field, 'PORT', `${port} is not a port: 1 to 65535`);
}
