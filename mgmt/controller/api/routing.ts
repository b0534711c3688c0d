/** The routing service (proto/routing.proto): BGP neighbours, paths of VRFs with who told them, dynamic tunnels. */
import * as grpc from '@grpc/grpc-js';
import { NHK_TUNNEL_GRE } from '../../../wasm-core/layout.ts';
import type * as wire from '../../../proto/routing.ts';
import { rpcError, type Draft, type Handlers } from '../../../proto/load.ts';
import type { BgpService, NeighborState } from '../bgp/service.ts';
import type { Family, ReceivedPath } from '../bgp/types.ts';
import type { Compiler } from '../compile/compiler.ts';
import type { Path } from '../compile/types.ts';
import type { Engine } from '../engine.ts';
import { formatAddress, formatKey, maskOf, parseAddress, parsePrefix, prefixKey } from '../model/address.ts';
import { seesAll } from './access.ts';
import { nexthopText } from './views.ts';

/** Routes per message. */
const PAGE = 500;
const FAMILY_NAMES: { readonly [F in Family]: string } = { 'ipv4-vpn': 'inet-vpn', 'route-target': 'route-target', 'ipv6-vpn': 'inet6-vpn', 'evpn': 'e-vpn' };
const ORIGINS = ['IGP', 'EGP', 'incomplete'];
const TUNNEL = 'MPLSoGRE';

/** @param bgp undefined: this controller was started without a place for it. */
export function routingHandlers(engine: Engine, bgp: BgpService | undefined, name: string): Handlers<wire.RoutingMethods> {
  return {
    async bgpNeighbors(_request, call) {
      seesAll(call, engine.objects);
      if (!bgp) return { problem: engine.objects.count('bgp-router') === 0 ? '' : 'there are bgp-routers, and this controller was started without --bgp-dir' };
      const { speaker, problem } = { speaker: bgp.settings.speaker, problem: bgp.problem };
      return {
        ...(speaker ? { speaker: {
          controller: name, autonomousSystem: speaker.asn, identifier: formatAddress(speaker.routerId), address: speaker.addresses.map(formatAddress).join(', '), ...bgp.totals,
        } } : {}),
        neighbors: (await bgp.neighbors()).map((neighbor) => neighborView(neighbor, bgp.staleOf(neighbor.address))),
        problem,
      };
    },
    vrfRoutes(request, call) {
      seesAll(call, engine.objects);
      return vrfRoutes(engine.compiler, bgp, request);
    },
    tunnels(_request, call) {
      seesAll(call, engine.objects);
      return { tunnels: bgp?.tunnels.map(({ remote, routes, since }) => ({
        destination: formatAddress(remote), encapsulation: TUNNEL, routes, since: new Date(since).toISOString(), router: bgp.neighbor(remote)?.name ?? '', sources: sourcesOf(engine.compiler, remote),
      })) ?? [] };
    },
  };
}

function neighborView(neighbor: NeighborState, stale: number): Draft<wire.Neighbor> {
  const { name, address, asn, state, establishedSince, routerId, holdTime, flaps, families, wanted } = neighbor;
  return {
    name, address: formatAddress(address), autonomousSystem: asn, state, since: establishedSince ? new Date(establishedSince).toISOString() : '', identifier: state === 'established' ? routerId : '', holdTime, flaps,
    families: families.map(({ family, received, advertised, endOfRib, gracefulRestart }) => ({ family: FAMILY_NAMES[family], received, advertised, endOfRib, gracefulRestart })),
    offered: wanted.map((family) => FAMILY_NAMES[family]),
    stale,
  };
}

/** Tunnel addresses of the appliances that have a tunnel there. */
function sourcesOf(compiler: Compiler, remote: number): string[] {
  const uses = [...compiler.appliances.values()].filter(({ nexthops }) => [...nexthops.values()].some((nexthop) => nexthop.kind === NHK_TUNNEL_GRE && nexthop.remote === remote));
  return uses.map(({ underlay }) => formatAddress(underlay.address)).sort();
}

function* vrfRoutes(compiler: Compiler, bgp: BgpService | undefined, { vrf, prefix }: wire.VrfRoutesRequest): Generator<Draft<wire.VrfRoutesReply>> {
  const [name, targets] = vrfOf(compiler, vrf);
  let page: Draft<wire.VrfRoute>[] = [];
  for (const key of prefix === '' ? compiler.prefixesOf(targets) : matching(compiler, targets, prefix)) {
    const paths = compiler.pathsTo(targets, key);
    page.push({ prefix: formatKey(key), paths: paths.map((path) => pathView(path, path.preference === paths[0]!.preference, bgp)) });
    if (page.length < PAGE) continue;
    yield { vrf: name, routes: page };
    page = [];
  }
  yield { vrf: name, routes: page };
}

/** A VRF by its name, or by the end of it when only one ends so. */
function vrfOf({ vrfs }: Compiler, text: string): [string, readonly string[]] {
  const whole = vrfs.get(text);
  if (whole) return [text, whole];
  // A network's VRF is called <network>:<last part>: the network's name means it too.
  const found = [...vrfs].filter(([name]) => name.endsWith(`:${text}`) || name === `${text}:${text.slice(text.lastIndexOf(':') + 1)}`);
  if (found.length === 1) return found[0]!;
  const names = (found.length > 0 ? found : [...vrfs]).slice(0, 20).map(([name]) => name).join(', ');
  throw rpcError(grpc.status.NOT_FOUND, found.length > 0 ? `${JSON.stringify(text)} is the end of several VRFs' names: ${names}` : `there is no VRF ${JSON.stringify(text)}; there are ${names || 'none'}`);
}

/** "10.0.0.0/8": that prefix; "10.1.2.3": the longest one that holds it. */
function matching(compiler: Compiler, targets: readonly string[], text: string): number[] {
  const exact = parsePrefix(text);
  const address = parseAddress(text);
  if (!exact && address === undefined) throw rpcError(grpc.status.INVALID_ARGUMENT, `${JSON.stringify(text)} is neither a prefix like 101.101.101.0/24 nor an address`);
  const keys = exact ? [prefixKey((exact.address & maskOf(exact.length)) >>> 0, exact.length)] : Array.from({ length: 33 }, (_, at) => prefixKey((address! & maskOf(32 - at)) >>> 0, 32 - at));
  return keys.filter((key) => compiler.pathsTo(targets, key).length > 0).slice(0, 1);
}

function pathView(path: Path, active: boolean, bgp: BgpService | undefined): Draft<wire.VrfPath> {
  const { tunnelAddress, label, targets, appliance, source, nexthop, vrf } = path;
  const remote = label !== 0;
  return {
    active,
    protocolNextHop: remote ? formatAddress(tunnelAddress) : '',
    label,
    tunnel: remote ? TUNNEL : '',
    routeTargets: targets.filter((target) => target.startsWith('target:')),
    origin: appliance,
    source,
    nextHop: nexthopText(nexthop),
    external: nexthop.kind === 'vrf' || (nexthop.kind === 'tunnel' && nexthop.external),
    advertised: bgp?.settings.speaker !== undefined && vrf !== '',
    announcements: bgp?.announcersOf(path).map((received) => announcementView(received, bgp)) ?? [],
  };
}

function announcementView({ peer, distinguisher, since, localPreference, asPath, origin }: ReceivedPath, bgp: BgpService): Draft<wire.Announcement> {
  return {
    neighbor: bgp.neighbor(peer)?.name ?? formatAddress(peer), routeDistinguisher: distinguisher, since: new Date(since).toISOString(), localPreference, asPath, origin: ORIGINS[origin] ?? String(origin),
  };
}
