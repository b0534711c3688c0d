/**
 * Between the compile step's routing state and BGP, both ways; pure, and by differences.
 *
 *   exported paths ──► Announcements ──► VPN routes to announce and to withdraw
 *   VPN routes that came in ──► Imports ──► paths that VRFs import by target; tunnels (dynamic soft GRE)
 *
 * What either holds is always what it would be had it been given the present in one go: a property test compares.
 */
import { isDeepStrictEqual } from 'node:util';
import { contains, formatAddress, type Prefix } from '../model/address.ts';
import { routeDistinguisher } from '../routing/route-target.ts';
import type { ExportedPath, Nexthop, Path } from '../compile/types.ts';
import type { ReceivedChange } from './adj-rib-in.ts';
import { receivedKey, TUNNEL, vpnKey, type PathChanges, type ReceivedPath, type VpnPath } from './types.ts';

// ---- out -------------------------------------------------------------------------------------------------------------------

/** Lower preference wins in the compile step, higher local preference in BGP: 110 for a workload, 20 for a gateway. */
const TOP = 120;
const HIGHEST = 120;

/**
 * What an exported path is in BGP: the compute's tunnel address as next hop, and as the first half of the distinguisher.
 * Undefined for what leads nowhere by a tunnel (a subnet's blackhole) and for what bears only targets of our own making.
 */
export function announcementOf({ prefix, targets, preference, tunnelAddress, label, vrf }: ExportedPath): VpnPath | undefined {
  const real = targets.filter((target) => target.startsWith('target:'));
  if (label === 0 || tunnelAddress === 0 || real.length === 0) return undefined;
  return {
    family: 'ipv4-vpn', distinguisher: routeDistinguisher(tunnelAddress, vrf), prefix, label, nextHop: tunnelAddress, targets: [...new Set(real)].sort(),
    encapsulations: [TUNNEL.mplsInGre], localPreference: TOP - Math.min(preference, HIGHEST),
  };
}

/**
 * All that is announced. Several interfaces of one appliance and VRF may bear one address: BGP knows one route for them, that of
 * the best path (lowest preference, then lowest label).
 */
export class Announcements {
  #candidates = new Map<string, Map<string, VpnPath>>();
  #announced = new Map<string, VpnPath>();

  get announced(): ReadonlyMap<string, VpnPath> { return this.#announced; }

  /** These exported paths and no others. Returns what peers must be told. */
  replace(all: Iterable<ExportedPath>): PathChanges {
    const before = this.#announced;
    [this.#candidates, this.#announced] = [new Map(), new Map()];
    this.change([], all);
    const isNew = ([key, path]: [string, VpnPath]): boolean => { const known = before.get(key); return !known || !same(known, path); };
    return {
      announce: [...this.#announced].filter(isNew).map(([, path]) => path),
      withdraw: [...before].filter(([key]) => !this.#announced.has(key)).map(([, path]) => path),
    };
  }

  /** Exported paths that went and that came. Returns what peers must be told. */
  change(gone: Iterable<ExportedPath>, come: Iterable<ExportedPath>): PathChanges {
    const touched = new Set<string>();
    for (const path of gone) {
      const announcement = announcementOf(path);
      if (!announcement) continue;
      const key = vpnKey(announcement);
      const candidates = this.#candidates.get(key);
      if (candidates?.delete(path.id) && candidates.size === 0) this.#candidates.delete(key);
      touched.add(key);
    }
    for (const path of come) {
      const announcement = announcementOf(path);
      if (!announcement) continue;
      const key = vpnKey(announcement);
      const candidates = this.#candidates.get(key);
      if (candidates) candidates.set(path.id, announcement);
      else this.#candidates.set(key, new Map([[path.id, announcement]]));
      touched.add(key);
    }
    const changes = { announce: [] as VpnPath[], withdraw: [] as VpnPath[] };
    for (const key of touched) {
      const before = this.#announced.get(key);
      const after = best(this.#candidates.get(key)?.values() ?? []);
      if (after) this.#announced.set(key, after);
      else this.#announced.delete(key);
      if (after && !(before && same(before, after))) changes.announce.push(after);
      else if (!after && before) changes.withdraw.push(before);
    }
    return changes;
  }
}

function best(candidates: Iterable<VpnPath>): VpnPath | undefined {
  let found: VpnPath | undefined;
  for (const each of candidates) if (!found || isBefore(each, found)) found = each;
  return found;
}

function isBefore(one: VpnPath, other: VpnPath): boolean {
  if (one.localPreference !== other.localPreference) return one.localPreference > other.localPreference;
  if (one.label !== other.label) return one.label < other.label;
  return one.targets.join() < other.targets.join();
}

/** Of one key: the distinguisher says the next hop. */
const same = (one: VpnPath, other: VpnPath): boolean => one.label === other.label && one.localPreference === other.localPreference && one.targets.join() === other.targets.join();

// ---- in --------------------------------------------------------------------------------------------------------------------

/** What may become a tunnel. */
export interface TunnelPolicy {
  /** Networks that next hops may lie in (global-vrouter-config's, and every bgp-router's address). */
  readonly destinations: readonly Prefix[];
  /** Tunnel addresses of our own appliances: their routes are compiled, not learnt back. */
  readonly own: ReadonlySet<number>;
}

/** Why a route that came in is not used; undefined: it is. */
export function unusable(path: ReceivedPath, { destinations, own }: TunnelPolicy): string | undefined {
  if (own.has(path.nextHop)) return 'one of our own appliances is its next hop';
  if (path.label === 0 || path.label === IMPLICIT_NULL) return `label ${path.label} names no route of its next hop`;
  if (path.targets.length === 0) return 'it has no route target';
  const { encapsulations } = path;
  if (encapsulations.length > 0 && !encapsulations.includes(TUNNEL.mplsInGre) && !encapsulations.includes(TUNNEL.gre)) return `it asks for tunnel type ${encapsulations.join(' or ')}, and we have GRE (${TUNNEL.gre}) and MPLS in GRE (${TUNNEL.mplsInGre})`;
  if (!destinations.some((network) => contains(network, path.nextHop))) return `its next hop ${formatAddress(path.nextHop)} is in no destination network of dynamic tunnels`;
  return undefined;
}
const IMPLICIT_NULL = 3;

/** The name that a path's `appliance` is for a router that is none of ours. */
export const routerName = (nextHop: number): string => `router ${formatAddress(nextHop)}`;

/** A route that came in, as VRFs import it: every appliance reaches it through a tunnel to its next hop. */
export function importedPath(path: ReceivedPath): Path {
  const { prefix, targets, nextHop, label, distinguisher } = path;
  const preference = preferenceOf(path);
  // A router is where the outside begins: what goes there may leave by a floating IP.
  const nexthop: Nexthop = { kind: 'tunnel', remote: nextHop, label, external: true };
  const source = `bgp ${distinguisher}`;
  return { id: `${prefix} ${targets.join()} ${preference} ${nextHop} ${label} ${source}`, prefix, targets, preference, appliance: routerName(nextHop), nexthop, tunnelAddress: nextHop, label, vrf: '', floating: false, source };
}

/** Between the compile step's own preferences: behind routes of workloads (10) and operators (20), before a subnet's blackhole. */
const FIRST_PREFERENCE = 30;
const LONGEST_AS_PATH = 1023;

/**
 * RFC 4271 section 9.1.2.2 as one number, lower wins and equal ones share the traffic: local preference, then length of the AS
 * path, then origin. The fraction has 44 bits, which a double keeps beside 30. MED is not compared: it would make the order
 * depend on who else announces.
 */
export function preferenceOf({ localPreference, asPath, origin }: Pick<ReceivedPath, 'localPreference' | 'asPath' | 'origin'>): number {
  const rank = ((0xffffffff - localPreference) * 1024 + Math.min(asPath.length, LONGEST_AS_PATH)) * 4 + Math.min(origin, 3);
  return FIRST_PREFERENCE + rank / 2 ** 44;
}

/** A tunnel that exists because a route that came in leads through it. */
export interface DynamicTunnel { readonly remote: number; readonly routes: number; readonly since: number }

/** What changed for the compile step. */
export interface ImportChanges {
  readonly gone: readonly Path[];
  readonly come: readonly Path[];
  /** Next hops that now have a tunnel, and that no longer do. */
  readonly opened: readonly number[];
  readonly closed: readonly number[];
}

/** All that came in and can be used. The same route by several peers (two reflectors) is one path. */
export class Imports {
  #policy: TunnelPolicy;
  readonly #received = new Map<string, ReceivedPath>();
  readonly #paths = new Map<string, { readonly path: Path; from: readonly ReceivedPath[] }>();
  readonly #tunnels = new Map<number, { routes: number; readonly since: number }>();

  constructor(policy: TunnelPolicy) {
    this.#policy = policy;
  }

  /** In the order of prefixes. */
  get paths(): Path[] { return [...this.#paths.values()].map(({ path }) => path).sort((one, other) => one.prefix - other.prefix || (one.id < other.id ? -1 : 1)); }

  /** All that came in, used or not, by `receivedKey`. */
  get received(): ReadonlyMap<string, ReceivedPath> { return this.#received; }

  /** How many paths there are. */
  get size(): number { return this.#paths.size; }

  get tunnels(): DynamicTunnel[] { return [...this.#tunnels].map(([remote, { routes, since }]) => ({ remote, routes, since })).sort((one, other) => one.remote - other.remote); }

  /** What a path was made from: several, when several peers told the same route. */
  from(id: string): readonly ReceivedPath[] { return this.#paths.get(id)?.from ?? []; }

  /** What came in and is of no use, with the reason. */
  *unused(): Iterable<{ readonly path: ReceivedPath; readonly why: string }> {
    for (const path of this.#received.values()) {
      const why = unusable(path, this.#policy);
      if (why !== undefined) yield { path, why };
    }
  }

  /** @param now milliseconds, for a tunnel's age. */
  change(changes: Iterable<ReceivedChange>, now: number): ImportChanges {
    return this.#work(now, (leave, enter) => {
      for (const { before, after } of changes) {
        if (before) {
          this.#received.delete(receivedKey(before));
          leave(before);
        }
        if (after) {
          this.#received.set(receivedKey(after), after);
          enter(after);
        }
      }
    });
  }

  setPolicy(policy: TunnelPolicy, now: number): ImportChanges {
    if (isDeepStrictEqual(policy, this.#policy)) return { gone: [], come: [], opened: [], closed: [] };
    return this.#work(now, (leave, enter) => {
      for (const path of this.#received.values()) leave(path);
      this.#policy = policy;
      for (const path of this.#received.values()) enter(path);
    });
  }

  /** Runs a change, and compares the state after with the state before for what it touched. */
  #work(now: number, run: (leave: (path: ReceivedPath) => void, enter: (path: ReceivedPath) => void) => void): ImportChanges {
    const before = new Map<string, Path | undefined>();
    const tunnelsBefore = new Map<number, boolean>();
    const note = (path: Path): void => {
      if (!before.has(path.id)) before.set(path.id, this.#paths.get(path.id)?.path);
      if (!tunnelsBefore.has(path.tunnelAddress)) tunnelsBefore.set(path.tunnelAddress, this.#tunnels.has(path.tunnelAddress));
    };
    // The age of a tunnel that goes and comes back within the change.
    const ages = new Map<number, number>();
    run((received) => {
      if (unusable(received, this.#policy)) return;
      const path = importedPath(received);
      note(path);
      const known = this.#paths.get(path.id);
      if (!known) return;
      const key = receivedKey(received);
      known.from = known.from.filter((each) => receivedKey(each) !== key);
      if (known.from.length > 0) return;
      this.#paths.delete(path.id);
      const tunnel = this.#tunnels.get(path.tunnelAddress)!;
      if (--tunnel.routes > 0) return;
      ages.set(path.tunnelAddress, tunnel.since);
      this.#tunnels.delete(path.tunnelAddress);
    }, (received) => {
      if (unusable(received, this.#policy)) return;
      const path = importedPath(received);
      note(path);
      const known = this.#paths.get(path.id);
      if (known) {
        known.from = [...known.from, received];
        return;
      }
      this.#paths.set(path.id, { path: before.get(path.id) ?? path, from: [received] });
      const tunnel = this.#tunnels.get(path.tunnelAddress);
      if (tunnel) tunnel.routes++;
      else this.#tunnels.set(path.tunnelAddress, { routes: 1, since: ages.get(path.tunnelAddress) ?? now });
    });
    const [gone, come]: [Path[], Path[]] = [[], []];
    for (const [id, was] of before) {
      const is = this.#paths.get(id)?.path;
      if (was && !is) gone.push(was);
      if (!was && is) come.push(is);
    }
    const opened = [...tunnelsBefore].filter(([remote, was]) => !was && this.#tunnels.has(remote)).map(([remote]) => remote);
    const closed = [...tunnelsBefore].filter(([remote, was]) => was && !this.#tunnels.has(remote)).map(([remote]) => remote);
    return { gone, come, opened, closed };
  }
}
