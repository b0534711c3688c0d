/**
 * IPv4 addresses and prefixes as numbers. An address is its big-endian value (10.0.0.1 = 0x0A000001); a prefix is one number,
 * address * 64 + length: it fits a double exactly, sorts by address and then by length, and serves as a map key.
 */

export interface Prefix { readonly address: number; readonly length: number }

/** The address as a number, or undefined when `text` is not four decimal octets without leading zeros. */
export function parseAddress(text: string): number | undefined {
  let [address, octet, digits, dots] = [0, 0, 0, 0];
  for (let at = 0; at <= text.length; at++) {
    const digit = at < text.length ? text.charCodeAt(at) - ZERO : DOT;
    if (digit === DOT) {
      if (digits === 0) return undefined;
      if (at < text.length) dots++;
      address = address * 256 + octet;
      octet = digits = 0;
    } else {
      if (digit < 0 || digit > 9 || digits > 0 && octet === 0) return undefined;
      octet = octet * 10 + digit;
      digits++;
      if (octet > 255) return undefined;
    }
  }
  return dots === 3 ? address : undefined;
}
const ZERO = 48;
const DOT = '.'.charCodeAt(0) - ZERO;

export function formatAddress(address: number): string {
  return `${address >>> 24}.${(address >>> 16) & 255}.${(address >>> 8) & 255}.${address & 255}`;
}

/** "a.b.c.d/n"; host bits are kept: an interface address has them, a route must not (see `isNetwork`). */
export function parsePrefix(text: string): Prefix | undefined {
  const slash = text.indexOf('/');
  if (slash < 0 || !/^(0|[1-9][0-9]?)$/.test(text.slice(slash + 1))) return undefined;
  const [address, length] = [parseAddress(text.slice(0, slash)), Number(text.slice(slash + 1))];
  return address === undefined || length > 32 ? undefined : { address, length };
}

export const formatPrefix = ({ address, length }: Prefix): string => `${formatAddress(address)}/${length}`;

/** The netmask of a length as a number: 24 → 0xFFFFFF00. */
export const maskOf = (length: number): number => (length === 0 ? 0 : (0xffffffff << (32 - length)) >>> 0);

export const networkOf = ({ address, length }: Prefix): number => (address & maskOf(length)) >>> 0;
export const isNetwork = (prefix: Prefix): boolean => networkOf(prefix) === prefix.address;
export const contains = (prefix: Prefix, address: number): boolean => ((address & maskOf(prefix.length)) >>> 0) === networkOf(prefix);
export const covers = (outer: Prefix, inner: Prefix): boolean => outer.length <= inner.length && contains(outer, inner.address);
export const overlaps = (one: Prefix, other: Prefix): boolean => covers(one, other) || covers(other, one);
export const broadcastOf = ({ address, length }: Prefix): number => (address | ~maskOf(length)) >>> 0;

/** First and last address of a subnet that a host may have; /31 and /32 use all (RFC 3021). */
export function hostsOf(prefix: Prefix): { first: number; last: number } {
  const [network, broadcast] = [networkOf(prefix), broadcastOf(prefix)];
  return prefix.length >= 31 ? { first: network, last: broadcast } : { first: network + 1, last: broadcast - 1 };
}

export const prefixKey = (address: number, length: number): number => address * 64 + length;
export const keyAddress = (key: number): number => Math.floor(key / 64);
export const keyLength = (key: number): number => key % 64;
export const keyOf = (text: string): number => {
  const prefix = parsePrefix(text);
  if (!prefix) throw new Error(`${JSON.stringify(text)} is not a prefix like 10.32.0.0/12`);
  return prefixKey(networkOf(prefix), prefix.length);
};
export const formatKey = (key: number): string => formatPrefix({ address: keyAddress(key), length: keyLength(key) });

/** Six bytes of "02:00:0a:20:00:03" as a number, or undefined; group addresses are refused too. */
export function parseMac(text: string): number | undefined {
  if (!/^[0-9a-fA-F]{2}(:[0-9a-fA-F]{2}){5}$/.test(text)) return undefined;
  const mac = Number.parseInt(text.replaceAll(':', ''), 16);
  return mac === 0 || (Math.floor(mac / 2 ** 40) & 1) === 1 ? undefined : mac;
}
