/** A static route table: packed prefixes, and what each of its next hops is. */
import { parseAddress, prefixKey } from '../../model/address.ts';
import { applianceName, idOf, type Stored } from '../../model/kinds.ts';
import type { ObjectView } from '../../model/objects.ts';
import { PACKED_PREFIX } from '../../model/rules/route-table.ts';
import type { Numbering } from '../../routing/numbering.ts';
import type { RouteTableNextHop } from '../../../../proto/config.ts';
import { instanceTarget, NOTHING, PREFERENCE, type Bulk, type Contribution, type Path } from '../types.ts';
import { workloadOf, workloadPath } from './interface.ts';
import { exportsOf, localPath, vrfOfNetwork } from './network.ts';
import { gatewayPath, routerPath, vrfOfInstance } from './virtual-router.ts';

export function evaluateRouteTable(name: string, view: ObjectView, numbering: Numbering): Contribution {
  const table = view.get('route-table', name);
  if (!table) return NOTHING;
  const network = view.get('virtual-network', table.spec.virtualNetwork);
  const router = view.get('virtual-router', table.spec.virtualRouter);
  if (!network && !router) return NOTHING;
  const targets = network ? exportsOf(network, view, numbering) : [instanceTarget(applianceName(router!.name), vrfOfInstance(router!.name, table.spec.routingInstance))];
  const bulk: Bulk = {
    name, targets, ...unpack(table),
    hops: table.spec.nextHops.map((hop) => candidates(hop, table, router, view, numbering)),
    advertised: network?.spec.advertiseStaticRoutes ?? false,
  };
  return { ...NOTHING, bulk };
}

function candidates(hop: RouteTableNextHop, table: Stored<'route-table'>, router: Stored<'virtual-router'> | undefined, view: ObjectView, numbering: Numbering): Path[] {
  const source = idOf('route-table', table.name);
  if (hop.discard) return [localPath(0, [], PREFERENCE.static, { kind: 'discard' }, source)];
  if (hop.address) return [router && routerPath(router, table.spec.routingInstance, parseAddress(hop.address)!, source)].flatMap((path) => path ?? []);
  if (hop.virtualMachineInterface) {
    const workload = workloadOf(hop.virtualMachineInterface, view, numbering);
    return workload ? [workloadPath(workload, 0, [], PREFERENCE.static, vrfOfNetwork(workload.network), false, source)] : [];
  }
  return hop.gateways.flatMap(({ virtualRouter, routingInstance }) => {
    const gateway = view.get('virtual-router', virtualRouter);
    return gateway ? [gatewayPath(gateway, routingInstance, 0, [], PREFERENCE.static, source, numbering)] : [];
  });
}

/** Unpacked once per version of the object, however often its next hops are looked at. */
const unpacked = new WeakMap<object, { prefixes: Float64Array; index: Uint8Array }>();

function unpack({ spec }: Stored<'route-table'>): { prefixes: Float64Array; index: Uint8Array } {
  const known = unpacked.get(spec);
  if (known) return known;
  const count = spec.prefixes.length / PACKED_PREFIX;
  const prefixes = new Float64Array(count);
  for (let at = 0; at < count; at++) prefixes[at] = prefixKey(spec.prefixes.readUInt32BE(at * PACKED_PREFIX), spec.prefixes[at * PACKED_PREFIX + 4]!);
  const index = spec.nextHopIndex.length > 0 ? Uint8Array.from(spec.nextHopIndex) : new Uint8Array(count);
  unpacked.set(spec, { prefixes, index });
  return { prefixes, index };
}
