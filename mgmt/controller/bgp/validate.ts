/**
 * What may go into the engine. It takes a wrong label or prefix in silence and speaks it to every peer, so all is judged before.
 */
import { formatAddress, formatKey, isNetwork, keyAddress, keyLength, parseAddress } from '../model/address.ts';
import { isHost, TARGET } from '../model/rules/check.ts';
import { TUNNEL, type PeerSettings, type Speaker, type VpnKey, type VpnPath } from './types.ts';

/** Labels below 16 have meanings of their own (RFC 3032). */
const FIRST_LABEL = 16;
const LAST_LABEL = 2 ** 20 - 1;
const MAX_ASN = 2 ** 32 - 1;
const AS_TRANS = 23456;
/** An UPDATE has 4096 bytes for everything (RFC 4271), and peers add attributes of their own. */
const MAX_TARGETS = 200;
/** GoBGP keeps an MD5 key as TCP does (RFC 2385). */
const MAX_PASSWORD = 80;

/** Something that would be spoken to peers is wrong: nothing of it was done. */
export class BgpRefusal extends Error {
  constructor(what: string, wrong: string) {
    super(`${what}: ${wrong}`);
    this.name = 'BgpRefusal';
  }
}

/** @throws {BgpRefusal} naming the path, the field and what would be right. */
export function checkPath(path: VpnPath): void {
  checkKey(path);
  const { label, nextHop, targets, encapsulations, localPreference } = path;
  const refuse = (wrong: string): never => { throw new BgpRefusal(describeKey(path), wrong); };
  if (!isInteger(label, FIRST_LABEL, LAST_LABEL)) refuse(`label ${label} is not between ${FIRST_LABEL} and ${LAST_LABEL}`);
  if (!isInteger(nextHop, 0, 0xffffffff) || !isHost(nextHop)) refuse(`next hop ${isInteger(nextHop, 0, 0xffffffff) ? formatAddress(nextHop) : nextHop} is not a unicast address`);
  if (targets.length === 0) refuse('it has no route target, so nobody could import it');
  if (targets.length > MAX_TARGETS) refuse(`it has ${targets.length} route targets, more than the ${MAX_TARGETS} that fit a message`);
  for (const target of targets) if (!isTarget(target)) refuse(`${JSON.stringify(target)} is not a route target like target:64512:100 (ASN below 65536 with a 32-bit number, a 4-byte ASN or an address with a 16-bit one)`);
  if (new Set(targets).size !== targets.length) refuse('a route target is there twice');
  for (const type of encapsulations) if (!Object.values<number>(TUNNEL).includes(type)) refuse(`tunnel type ${type} is none of ${Object.entries(TUNNEL).map(([name, known]) => `${known} (${name})`).join(', ')}`);
  if (!isInteger(localPreference, 0, 0xffffffff)) refuse(`local preference ${localPreference} is not a 32-bit number`);
}

export function checkKey(key: VpnKey): void {
  const { distinguisher, prefix } = key;
  if (!Number.isSafeInteger(prefix) || prefix < 0 || keyLength(prefix) > 32 || keyAddress(prefix) > 0xffffffff) throw new BgpRefusal(`route ${distinguisher}`, `prefix key ${prefix} is not address * 64 + length`);
  if (!isNetwork({ address: keyAddress(prefix), length: keyLength(prefix) })) throw new BgpRefusal(describeKey(key), 'the prefix has bits beyond its length; they must be zero');
  if (!isDistinguisher(distinguisher)) throw new BgpRefusal(describeKey(key), `${JSON.stringify(distinguisher)} is not a route distinguisher like 10.169.25.20:5 (address or 4-byte ASN with a 16-bit number, 2-byte ASN with a 32-bit one)`);
}

export function checkSpeaker({ asn, routerId, port, addresses }: Speaker): void {
  const refuse = (wrong: string): never => { throw new BgpRefusal('BGP speaker', wrong); };
  if (!isInteger(asn, 1, MAX_ASN) || asn === AS_TRANS) refuse(`${asn} is not an AS number (1 to ${MAX_ASN} without ${AS_TRANS})`);
  if (!isInteger(routerId, 1, 0xffffffff)) refuse('the router id is missing; an address of the controller serves');
  if (port !== -1 && !isInteger(port, 1, 65535)) refuse(`${port} is not a TCP port, nor -1 for none`);
  for (const address of addresses) if (!isInteger(address, 1, 0xffffffff)) refuse(`${address} is not an address to listen on`);
}

export function checkPeer(peer: PeerSettings, speaker: Speaker): void {
  const { address, port, asn, families, holdTime, password, client, multihop, restartTime } = peer;
  const refuse = (wrong: string): never => { throw new BgpRefusal(`BGP peer ${isInteger(address, 0, 0xffffffff) ? formatAddress(address) : address}`, wrong); };
  if (!isInteger(address, 1, 0xffffffff) || (!isHost(address) && address >>> 24 !== 127)) refuse('its address is not a unicast address');
  if (!isInteger(asn, 1, MAX_ASN) || asn === AS_TRANS) refuse(`${asn} is not an AS number (1 to ${MAX_ASN} without ${AS_TRANS})`);
  if (!isInteger(port, 1, 65535)) refuse(`${port} is not a TCP port`);
  if (families.length === 0) refuse('it has no address family; ipv4-vpn carries floating IPs');
  if (!isInteger(holdTime, 3, 65535)) refuse(`hold time ${holdTime} is not between 3 and 65535 seconds (RFC 4271)`);
  if (password.length > MAX_PASSWORD || /[^\x20-\x7e]/.test(password)) refuse(`its password must be at most ${MAX_PASSWORD} printable ASCII characters`);
  if (client && asn !== speaker.asn) refuse(`a client of route reflection is of our own AS ${speaker.asn}, not of ${asn}`);
  if (!isInteger(multihop, 0, 255) || (multihop > 0 && asn === speaker.asn)) refuse(`multihop ${multihop}: a TTL up to 255, for external peers only`);
  if (!isInteger(restartTime, 0, 4095)) refuse(`restart time ${restartTime} is not between 0 and 4095 seconds (RFC 4724)`);
}

export const describeKey = ({ distinguisher, prefix }: Omit<VpnKey, 'family'>): string => `route ${distinguisher} ${formatKey(prefix)}`;

export function isTarget(text: string): boolean {
  const [, asn, number] = TARGET.exec(text) ?? [];
  if (asn !== undefined) return isPair(Number(asn), Number(number));
  const [, address, local] = /^target:([0-9.]+):([0-9]+)$/.exec(text) ?? [];
  return address !== undefined && parseAddress(address) !== undefined && Number(local) < 65536;
}

export function isDistinguisher(text: string): boolean {
  const [, administrator, assigned] = /^([0-9.]+):([0-9]+)$/.exec(text) ?? [];
  if (administrator === undefined) return false;
  if (administrator.includes('.')) return parseAddress(administrator) !== undefined && Number(assigned) < 65536;
  return isPair(Number(administrator), Number(assigned));
}

const isPair = (asn: number, number: number): boolean => (asn < 65536 ? number < 2 ** 32 : asn < 2 ** 32 && number < 65536);
const isInteger = (value: number, low: number, high: number): boolean => Number.isSafeInteger(value) && value >= low && value <= high;
