/** Rules of BGP speakers and of what holds for the whole system. */
import { parseAddress } from '../address.ts';
import type { Stored } from '../kinds.ts';
import type { Objects } from '../objects.ts';
import { HIDDEN } from '../secrets.ts';
import { checkAddress, checkPrefix, isHost, type Report } from './check.ts';

const MAX_ASN = 2 ** 32 - 1;
/** Stands for a 4-byte one in old messages (RFC 6793). */
const AS_TRANS = 23456;
/** Contrail's names. The last two are negotiated; their routes are neither told nor read yet. */
export const ADDRESS_FAMILIES = ['inet-vpn', 'route-target', 'inet6-vpn', 'e-vpn'] as const;
/** Contrail's names; the data plane speaks the first. */
export const ENCAPSULATIONS = ['MPLSoGRE', 'MPLSoUDP', 'VXLAN'] as const;
/** RFC 4271 section 4.2; RFC 4724 section 3. */
const [MIN_HOLD_TIME, MAX_HOLD_TIME, MAX_RESTART_TIME] = [3, 65535, 4095];
/** As TCP keeps it (RFC 2385). */
const AUTH_KEY = /^[\x20-\x7e]{1,80}$/;
const MAX_TTL = 255;

export function checkBgpRouter(report: Report, { name, spec }: Stored<'bgp-router'>, objects: Objects): void {
  if (spec.kind === 'KIND_UNKNOWN') report('kind', 'REQUIRED', 'is not set; say CONTROL_NODE (a controller) or ROUTER');
  checkAsn(report, spec.autonomousSystem);
  checkAddress(report, 'address', spec.address);
  const identifier = parseAddress(spec.identifier);
  if (spec.identifier && !identifier) report('identifier', 'ADDRESS', `${JSON.stringify(spec.identifier)} is not a BGP identifier like 10.169.25.19; leave it empty to take the address`);
  if (spec.port > 65535) report('port', 'RANGE', `${spec.port} is no TCP port: 1 to 65535, or 0 for 179`);
  checkWords(report, 'address_families', spec.addressFamilies, ADDRESS_FAMILIES);
  if (spec.holdTime !== 0 && (spec.holdTime < MIN_HOLD_TIME || spec.holdTime > MAX_HOLD_TIME)) report('hold_time', 'RANGE', `${spec.holdTime} is no hold time: ${MIN_HOLD_TIME} to ${MAX_HOLD_TIME} seconds, or 0 for 90`);
  if (spec.restartTime > MAX_RESTART_TIME) report('restart_time', 'RANGE', `${spec.restartTime} is no restart time: 1 to ${MAX_RESTART_TIME} seconds, or 0 for 120`);
  if (spec.multihop > MAX_TTL) report('multihop', 'RANGE', `${spec.multihop} is no TTL: 1 to ${MAX_TTL}, or 0 for a router on our subnet`);
  // What is wrong with a key is told without the key.
  if (spec.authKey && !AUTH_KEY.test(spec.authKey)) report('auth_key', 'AUTH_KEY', 'is not 1 to 80 printable ASCII characters');
  if (spec.authKey === HIDDEN) report('auth_key', 'AUTH_KEY', `${HIDDEN} keeps a key that is there, and there is none: write the key, or leave it empty`);
  if (spec.kind === 'CONTROL_NODE') {
    for (const [field, set] of [['auth_key', spec.authKey !== ''], ['route_reflector_client', spec.routeReflectorClient], ['multihop', spec.multihop !== 0]] as const) {
      if (set) report(field, 'NOT_A_ROUTER', 'belongs to a session with a router: set it on that router');
    }
  }
  spec.peers.forEach((other, at) => {
    const peer = objects.get('bgp-router', other);
    const field = `peers[${at}]`;
    if (spec.peers.indexOf(other) !== at) report(field, 'DUPLICATE', `${other} is there twice; once is enough`);
    if (other === name || peer && peer.spec.kind === spec.kind) report(field, 'PEER_KIND', `${other} is of the same kind: sessions are between a controller (CONTROL_NODE) and a ROUTER`);
  });
  for (const id of objects.users('bgp-router', name)) {
    const other = objects.get('bgp-router', id.slice('bgp-router '.length));
    if (other && other.name !== name && other.spec.kind === spec.kind) report('kind', 'PEER_KIND', `${id} names it as a peer, and is of the same kind: sessions are between a controller (CONTROL_NODE) and a ROUTER`);
  }
}

export function checkSystem(report: Report, { spec }: Stored<'global-system-config'>): void {
  checkAsn(report, spec.autonomousSystem);
}

export function checkVrouters(report: Report, { spec }: Stored<'global-vrouter-config'>): void {
  checkWords(report, 'encapsulation_priorities', spec.encapsulationPriorities, ENCAPSULATIONS);
  if (spec.encapsulationPriorities.length > 0 && !spec.encapsulationPriorities.includes('MPLSoGRE')) {
    report('encapsulation_priorities', 'NOT_REALISED', 'appliances speak only MPLSoGRE as yet: without it there would be no tunnels');
  }
  spec.dynamicTunnelNetworks.forEach((text, at) => {
    const prefix = checkPrefix(report, `dynamic_tunnel_networks[${at}]`, text);
    if (prefix && prefix.length > 0 && !isHost(prefix.address)) report(`dynamic_tunnel_networks[${at}]`, 'HOST_ADDRESS', `${text} is not a unicast prefix`);
  });
}

function checkAsn(report: Report, asn: number): void {
  if (asn > MAX_ASN || asn === AS_TRANS) report('autonomous_system', 'RANGE', `${asn} is no AS number: 1 to ${MAX_ASN} without ${AS_TRANS}, or 0 for the default`);
}

function checkWords(report: Report, field: string, given: readonly string[], known: readonly string[]): void {
  given.forEach((word, at) => {
    if (!known.includes(word)) report(`${field}[${at}]`, 'UNKNOWN', `${JSON.stringify(word)} is none of ${known.join(', ')}`);
    if (given.indexOf(word) !== at) report(`${field}[${at}]`, 'DUPLICATE', `${word} is there twice; once is enough`);
  });
}
