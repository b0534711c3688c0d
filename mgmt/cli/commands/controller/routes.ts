/** routes: what the compile step made of the objects for one appliance. */
import type { Command } from 'commander';
import type { Route, RoutesReply } from '../../../../proto/config.ts';
import { withController } from '../../controller-client.ts';
import { show, table } from '../../output.ts';
import type { GlobalOptions } from '../../target.ts';

function routeRows(routes: readonly Route[]): Record<string, string | number>[] {
  return routes.flatMap(({ vrf, prefix, nexthop, paths }) => paths.map((path, at) => ({
    vrf: at ? '' : vrf, prefix: at ? '' : prefix, id: at ? '' : nexthop, hop: path.nextHop, protocol: path.protocolNextHop, label: path.label || '', tunnel: path.tunnel,
    origin: path.origin, source: path.source, targets: path.routeTargets.join(' '),
  })));
}

export function routesCommand(program: Command, global: () => GlobalOptions): void {
  program.command('routes <appliance> [vrf] [prefix]').description('routes of an appliance as the controller made them: next hop, label, tunnel, where they come from')
    .addHelpText('after', `
Examples:
  wrouter routes gateway                             every VRF
  wrouter routes gateway internet 101.101.101.3      the floating IP's route: its protocol next hop is the compute appliance`)
    .action((appliance: string, vrf: string | undefined, prefix: string | undefined) => withController(global(), (controller) => show<Route[]>({
      read: async () => {
        const routes: Route[] = [];
        // The controller knows VRFs by their whole names; the end of one is looked for in all of them.
        const whole = vrf?.includes(':') ? vrf : '';
        const called = (name: string): boolean => vrf === undefined || name === vrf || name.endsWith(`:${vrf}`);
        for await (const reply of controller.routes({ appliance, vrf: whole, prefix: prefix ?? '' }) as AsyncIterable<RoutesReply>) routes.push(...reply.routes.filter((route) => called(route.vrf)));
        return routes;
      },
      json: (routes) => routes,
      text: (routes) => table([
        { key: 'vrf' }, { key: 'prefix' }, { key: 'id', title: 'NH', number: true }, { key: 'hop', title: 'NEXT HOP' }, { key: 'protocol', title: 'PROTOCOL NEXT HOP' }, { key: 'label', number: true },
        { key: 'tunnel' }, { key: 'origin' }, { key: 'source' }, { key: 'targets', title: 'ROUTE TARGETS' },
      ], routeRows(routes), 'no routes'),
    }, global())));
}
