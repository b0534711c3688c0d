/** What the compile step made of the objects, for an operator's eyes. */
import type * as wire from '../../../proto/config.ts';
import type { Draft } from '../../../proto/load.ts';
import type { Appliance } from '../compile/appliance.ts';
import type { Compiler } from '../compile/compiler.ts';
import type { Nexthop, Path } from '../compile/types.ts';
import { nexthopOf, type VrfInstance } from '../compile/vrf.ts';
import { formatAddress, formatKey, keyLength, maskOf, parseAddress, parsePrefix, prefixKey } from '../model/address.ts';
import { splitId } from '../model/kinds.ts';
import { routeDistinguisher } from '../routing/route-target.ts';
import type { Presence } from '../sync/server.ts';

/** Routes per message. */
const PAGE = 500;

/** Routes of an appliance in pages: of one VRF or all, of one prefix, or of the longest match of an address. */
export function* routesView(compiler: Compiler, appliance: Appliance, request: wire.RoutesRequest): Generator<Draft<wire.RoutesReply>> {
  let page: Draft<wire.Route>[] = [];
  const instances = [...appliance.instances.values()].filter(({ name }) => request.vrf === '' || name === request.vrf).sort((one, other) => one.id - other.id);
  for (const instance of instances) {
    for (const prefix of request.prefix === '' ? prefixesOf(instance) : matches(instance, request.prefix)) {
      page.push(routeView(compiler, instance, prefix));
      if (page.length < PAGE) continue;
      yield { routes: page };
      page = [];
    }
  }
  if (page.length > 0) yield { routes: page };
}

function* prefixesOf(instance: VrfInstance): Iterable<number> {
  yield* [...instance.routes.keys()].sort((one, other) => one - other);
  for (const { bulk, nexthops } of instance.bulks.values()) {
    for (let at = 0; at < bulk.prefixes.length; at++) {
      const prefix = bulk.prefixes[at]!;
      if (nexthops[bulk.index[at]!] !== 0 && !instance.routes.has(prefix)) yield prefix;
    }
  }
}

/** "10.0.0.0/8": that route; "10.1.2.3": the longest one that holds it. */
function matches(instance: VrfInstance, text: string): number[] {
  const prefix = parsePrefix(text);
  if (prefix) {
    const key = prefixKey(prefix.address, prefix.length);
    return instance.route(key) === 0 ? [] : [key];
  }
  const address = parseAddress(text);
  if (address === undefined) return [];
  for (let length = 32; length >= 0; length--) {
    const key = prefixKey((address & maskOf(length)) >>> 0, length);
    if (instance.route(key) !== 0) return [key];
  }
  return [];
}

function routeView(compiler: Compiler, instance: VrfInstance, prefix: number): Draft<wire.Route> {
  const { appliance } = instance;
  return {
    vrf: instance.name,
    prefix: formatKey(prefix),
    nexthop: nexthopOf(instance.route(prefix)),
    routeDistinguisher: routeDistinguisher(appliance.underlay.address, instance.id),
    paths: compiler.bestPaths(instance, prefix).map((path) => pathView(compiler, appliance, path)),
  };
}

function pathView(compiler: Compiler, appliance: Appliance, path: Path): Draft<wire.Path> {
  const nexthop = compiler.nexthopOn(appliance, path);
  const remote = nexthop.kind === 'tunnel';
  return {
    nextHop: nexthopText(nexthop),
    protocolNextHop: remote ? formatAddress(nexthop.remote) : '',
    label: remote ? nexthop.label : 0,
    tunnel: remote ? 'MPLSoGRE' : '',
    routeTargets: path.targets.filter((target) => target.startsWith('target:')),
    origin: path.appliance,
    source: path.source,
    external: remote && nexthop.external,
  };
}

export function nexthopText(nexthop: Nexthop): string {
  switch (nexthop.kind) {
    case 'discard': case 'receive': return nexthop.kind;
    case 'resolve': return `connected ${nexthop.interface}`;
    case 'router': return `router ${formatAddress(nexthop.address)} by ${nexthop.interface}`;
    case 'workload': return `interface ${splitId(nexthop.interface)[1]}`;
    case 'vrf': return `vrf ${nexthop.vrf}`;
    case 'tunnel': return `tunnel ${formatAddress(nexthop.remote)} label ${nexthop.label}`;
  }
}

export function applianceView(appliance: Appliance, presence: Presence | undefined): Draft<wire.Appliance> {
  const session = presence?.session;
  return {
    name: appliance.name,
    kind: appliance.underlay.isGateway ? 'gateway' : 'compute',
    inSession: session !== undefined,
    state: session?.state ?? 'absent',
    since: presence?.since.toISOString() ?? '',
    peer: presence?.peer ?? '',
    software: presence?.hello?.software ?? '',
    profile: presence?.hello?.profile ?? '',
    version: appliance.version,
    liveVersion: presence?.live ?? 0,
    unacknowledged: session?.unacknowledged ?? 0,
    updates: session?.updates ?? 0,
    records: session?.records ?? 0,
    refused: [...session?.refused.values() ?? []],
    problem: session?.problem || presence?.problem || '',
    ports: presence?.status?.ports.map(({ name, up, driver, problem }) => `${name} ${up ? 'up' : 'down'} ${driver}${problem ? `: ${problem}` : ''}`) ?? [],
    totals: {
      vrf: appliance.vrfs.size,
      interface: appliance.interfaces.size,
      nexthop: appliance.nexthops.size,
      label: appliance.labels.size,
      'floating-ip': appliance.floating.size,
      route: [...appliance.instances.values()].reduce((sum, instance) => sum + instance.size, 0),
    },
  };
}
