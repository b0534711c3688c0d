/** bgp, route, tunnel: what the controller knows of routers, and what routers know of it. */
import type { Command } from 'commander';
import type { Client } from '../../../proto/load.ts';
import type { BgpNeighborsReply, Neighbor, RoutingMethods, Tunnel, VrfPath, VrfRoute, VrfRoutesReply } from '../../../proto/routing.ts';
import { count, list, show, table } from '../output.ts';
import { openRouting, type GlobalOptions } from '../target.ts';

interface VrfReading { readonly vrf: string; readonly routes: readonly VrfRoute[] }

export function routingCommands(program: Command, global: () => GlobalOptions): void {
  /** Runs with a client of the routing service, and closes it. */
  const using = async (work: (routing: Client<RoutingMethods>, options: GlobalOptions) => Promise<void>): Promise<void> => {
    const options = global();
    const routing = openRouting(options);
    try {
      await work(routing, options);
    } finally {
      routing.close();
    }
  };

  program.command('bgp').description('BGP of the controller').helpCommand(false)
    .command('neighbors').description('the routers that it has sessions with: state, routes received and advertised, and what is wrong')
    .addHelpText('after', `
A neighbour is a bgp-router of kind ROUTER that names this controller's bgp-router as a peer, or is named by it.

Examples:
  wrouter bgp neighbors
  wrouter bgp neighbors --watch      again and again, while a session comes up`)
    .action(() => using((routing, options) => show<BgpNeighborsReply>({ read: () => routing.bgpNeighbors({}), json: (reply) => reply, text: neighborsText }, options)));

  program.command('route').description('routes of a VRF').helpCommand(false)
    .command('show <vrf> [prefix]').description('every path of a VRF, those in use marked: next hop, label, where it comes from, who told it')
    .option('--detail', 'all that is known of each path: targets, distinguisher, preference, since when')
    .addHelpText('after', `
The VRF is named whole or by the end of its name; a bare address asks for its longest match. Paths are the controller's, for any
appliance that has the VRF; what one appliance made of them: wrouter routes APPLIANCE. In front: > in use, nothing: another is better.

Examples:
  wrouter route show k8s-vn-ns-default-pod-network
  wrouter route show k8s-vn-ns-default-pod-network 101.101.101.3 --detail`)
    .action((vrf: string, prefix: string | undefined, { detail = false }: { detail?: boolean }) => using((routing, options) => show<VrfReading>({
      read: async () => {
        const reading = { vrf, routes: [] as VrfRoute[] };
        for await (const reply of routing.vrfRoutes({ vrf, prefix: prefix ?? '' }) as AsyncIterable<VrfRoutesReply>) {
          reading.vrf = reply.vrf;
          reading.routes.push(...reply.routes);
        }
        return reading;
      },
      json: (reading) => reading,
      text: (reading) => (detail ? detailText(reading) : routesText(reading)),
    }, options)));

  program.command('tunnel').description('tunnels to routers').helpCommand(false)
    .command('show').description('dynamic tunnels: each is there as long as a route leads through it')
    .addHelpText('after', '\nExample:\n  wrouter tunnel show      where to, how many routes, since when, from which appliances')
    .action(() => using((routing, options) => show<Tunnel[]>({
      read: async () => (await routing.tunnels({})).tunnels,
      json: (tunnels) => tunnels,
      text: (tunnels) => table(
        [{ key: 'destination' }, { key: 'router' }, { key: 'encapsulation' }, { key: 'routes', number: true }, { key: 'since' }, { key: 'sources' }],
        tunnels.map((tunnel) => ({ ...tunnel, sources: tunnel.sources.join(' ') })), 'no tunnels: no route of a router is in use'),
    }, options)));
}

function neighborsText({ speaker, neighbors, problem }: BgpNeighborsReply): string {
  const head = speaker
    ? `${speaker.controller}: AS ${speaker.autonomousSystem}, identifier ${speaker.identifier}, address ${speaker.address}; ${count(speaker.announced)} routes announced, ${count(speaker.received)} received in use${speaker.unused > 0 ? `, ${count(speaker.unused)} of no use` : ''}`
    : 'this controller speaks no BGP';
  const rows = neighbors.map((neighbor: Neighbor) => {
    const vpn = neighbor.families.find(({ family }) => family === 'inet-vpn');
    return {
      name: neighbor.name, address: neighbor.address, as: String(neighbor.autonomousSystem), state: neighbor.state, since: neighbor.since, families: (neighbor.families.length > 0 ? neighbor.families.map(({ family }) => family) : neighbor.offered).join(' '),
      received: vpn?.received, advertised: vpn?.advertised, restart: vpn?.gracefulRestart ? 'graceful' : '', stale: neighbor.stale || undefined, flaps: neighbor.flaps || undefined,
    };
  });
  const columns = [
    { key: 'name' }, { key: 'address' }, { key: 'as', title: 'AS' }, { key: 'state' }, { key: 'since' }, { key: 'families' }, { key: 'received', number: true }, { key: 'advertised', number: true },
    { key: 'restart' }, { key: 'stale', number: true }, { key: 'flaps', number: true },
  ];
  return [...problem ? [`problem: ${problem}`] : [], head, '', table(columns, rows, 'no neighbours')].join('\n');
}

function routesText({ vrf, routes }: VrfReading): string {
  const rows = routes.flatMap(({ prefix, paths }) => paths.map((path, at) => ({
    use: path.active ? '>' : '', prefix: at ? '' : prefix, protocol: path.protocolNextHop || path.nextHop, label: path.label || undefined, tunnel: path.tunnel, origin: path.origin,
    told: path.announcements.map(({ neighbor }) => neighbor).join(' '), source: path.source,
  })));
  return `${vrf}\n\n${table([
    { key: 'use', title: '' }, { key: 'prefix' }, { key: 'protocol', title: 'PROTOCOL NEXT HOP' }, { key: 'label', number: true }, { key: 'tunnel' }, { key: 'origin' }, { key: 'told', title: 'TOLD BY' }, { key: 'source' },
  ], rows, 'no routes')}`;
}

const detailText = ({ vrf, routes }: VrfReading): string =>
  [vrf, ...routes.map(({ prefix, paths }) => [prefix, ...paths.map(pathBlock)].join('\n'))].join('\n\n');

function pathBlock(path: VrfPath): string {
  const pairs = list([
    ['in use', path.active ? 'yes' : 'no, another is better'],
    ['protocol next hop', path.protocolNextHop], ['label', path.label || undefined], ['tunnel', path.tunnel], ['there', path.nextHop.startsWith('tunnel ') ? '' : path.nextHop], ['external', path.external ? 'yes' : ''],
    ['origin', path.origin], ['source', path.source], ['route targets', path.routeTargets.join(' ')], ['advertised', path.advertised ? 'yes' : ''],
    ...path.announcements.flatMap(({ neighbor, routeDistinguisher, since, localPreference, asPath, origin }) => [
      ['told by', neighbor], ['  since', since], ['  distinguisher', routeDistinguisher], ['  local preference', String(localPreference)], ['  AS path', asPath.join(' ') || 'empty'], ['  BGP origin', origin],
    ] as const),
  ]);
  return pairs.split('\n').map((line) => `  ${line}`).join('\n');
}
