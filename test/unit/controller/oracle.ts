/**
 * What every VRF of every appliance should route, worked out from the objects by brute force: no indexes, nothing incremental, next
 * hops as text. Written against docs and proto alone, to judge the compile step.
 */
import type { Appliance } from '../../../mgmt/controller/compile/appliance.ts';
import { formatAddress, formatKey } from '../../../mgmt/controller/model/address.ts';
import type { Path } from '../../../mgmt/controller/compile/types.ts';
import type { Objects } from '../../../mgmt/controller/model/objects.ts';
import type { Numbering } from '../../../mgmt/controller/routing/numbering.ts';
import { NHF_EXTERNAL, NHK_DISCARD, NHK_ECMP, NHK_INTERFACE, NHK_RECEIVE, NHK_RESOLVE, NHK_TUNNEL_GRE, NHK_VRF } from '../../../wasm-core/layout.ts';

/** VRF → prefix → next hops. */
export type Routes = Map<string, Map<string, string>>;
interface Way { prefix: string; targets: readonly string[]; rank: number; at: string; here: string; there: string }

/** None of our appliances: gateways send there too. */
const ROUTER = 'a router';
const last = (name: string): string => name.slice(name.lastIndexOf(':') + 1);
const parent = (name: string): string => name.slice(0, name.lastIndexOf(':'));
const address = (text: string): string => text.split('/')[0]!;
/** Prefix of an interface address; the generator's subnets are all /24. */
const subnet = (text: string): string => `${address(text).split('.').slice(0, 3).join('.')}.0/24`;

/** @param imported what routers told. */
export function expected(objects: Objects, numbering: Numbering, imported: Iterable<Path> = []): Map<string, Routes> {
  const routers = [...objects.all('virtual-router')];
  const networks = [...objects.all('virtual-network')];
  const asn = objects.get('global-system-config', 'default-global-system-config')?.spec.autonomousSystem ?? 64512;
  const own = (network: string): string => `target:${asn}:${numbering.find('', 'route-target', network)! - (asn < 65536 ? 0 : 8000000 - 8000)}`;
  const exports = (name: string): string[] => { const { spec } = objects.get('virtual-network', name)!; return [own(name), ...spec.routeTargets, ...spec.exportRouteTargets]; };
  const imports = (name: string): string[] => { const { spec } = objects.get('virtual-network', name)!; return [own(name), ...spec.routeTargets, ...spec.importRouteTargets]; };
  /** Both ends must allow it: a policy of one names the other, and the other way round. */
  const allows = (one: string, other: string): boolean => objects.get('virtual-network', one)!.spec.networkPolicies.some((policy) => {
    const is = (side: string, network: string): boolean => side === network || (side === 'local' && objects.get('virtual-network', network)!.spec.networkPolicies.includes(policy));
    return objects.get('network-policy', policy)!.spec.rules.some(({ source, destination }) => (is(source, one) && is(destination, other)) || (is(source, other) && is(destination, one)));
  });
  const vrfImports = (name: string): string[] => [...imports(name), ...networks.filter((other) => other.name !== name && allows(name, other.name) && allows(other.name, name)).map((other) => own(other.name))];
  const subnetsOf = (name: string): string[] => {
    const { spec } = objects.get('virtual-network', name)!;
    const all = spec.addressAllocationMode === 'FLAT_SUBNET_ONLY' ? spec.networkIpams.flatMap((ipam) => objects.get('network-ipam', ipam)!.spec.subnets) : spec.subnets;
    return all.map(({ prefix }) => prefix);
  };
  const tunnel = (router: string, key: string, external: boolean): string =>
    `tunnel ${address(objects.get('virtual-router', router)!.spec.fabric!.address)} ${numbering.find(last(router), 'label', key)}${external ? ' external' : ''}`;

  // Every way there is, and which VRFs there are on which appliance, with what they import.
  const ways: Way[] = [];
  const vrfs = new Map(routers.map(({ name }) => [name, new Map<string, string[]>()]));
  for (const { name } of networks) {
    for (const prefix of subnetsOf(name)) {
      ways.push({ prefix, targets: exports(name), rank: 255, at: '', here: 'discard', there: 'discard' });
      ways.push({ prefix: `${prefix.replace(/0\/24$/, '254/32')}`, targets: [`only ${name}:${last(name)}`], rank: 0, at: '', here: 'receive', there: '' });
    }
  }
  for (const { name, spec } of networks) for (const { prefix, discard } of spec.staticRoutes) if (discard) ways.push({ prefix, targets: exports(name), rank: 20, at: '', here: 'discard', there: 'discard' });
  const placed = (name: string): { router: string; here: string; there: string } | undefined => {
    const { spec } = objects.get('virtual-machine-interface', name)!;
    const ips = [...objects.all('instance-ip')].filter((ip) => ip.spec.virtualMachineInterfaces.includes(name));
    if (!spec.virtualRouter || ips.length === 0) return undefined;
    return { router: spec.virtualRouter, here: `workload ${name}`, there: tunnel(spec.virtualRouter, `virtual-machine-interface ${name}`, false) };
  };
  const enter = (name: string, network: string, prefix: string): void => {
    const place = placed(name);
    if (!place) return;
    vrfs.get(place.router)!.set(`${network}:${last(network)}`, vrfImports(network));
    ways.push({ prefix, targets: exports(network), rank: 10, at: place.router, here: place.here, there: place.there });
  };
  for (const { spec } of objects.all('instance-ip')) for (const name of spec.virtualMachineInterfaces) enter(name, spec.virtualNetwork, `${spec.address}/32`);
  for (const { name: network, spec } of networks) {
    for (const { prefix, virtualMachineInterface: name } of spec.staticRoutes) {
      const place = name ? placed(name) : undefined;
      if (place) ways.push({ prefix, targets: exports(network), rank: 20, at: place.router, here: place.here, there: place.there });
    }
  }
  for (const { name: fip, spec } of objects.all('floating-ip')) for (const name of spec.virtualMachineInterfaces) enter(name, parent(parent(fip)), `${spec.address}/32`);
  for (const { name, spec } of routers) {
    const connected = (text: string, vrf: string, interfaceName: string): void => {
      ways.push({ prefix: `${address(text)}/32`, targets: [`at ${name} ${vrf}`], rank: 0, at: name, here: 'receive', there: '' });
      ways.push({ prefix: subnet(text), targets: [`at ${name} ${vrf}`], rank: 0, at: name, here: `resolve ${interfaceName}`, there: '' });
    };
    vrfs.get(name)!.set('fabric', []);
    connected(spec.fabric!.address, 'fabric', 'fabric');
    if (spec.fabric!.gateway) ways.push({ prefix: '0.0.0.0/0', targets: [`at ${name} fabric`], rank: 20, at: name, here: `router ${spec.fabric!.gateway} fabric`, there: '' });
    for (const instance of spec.routingInstances) {
      const vrf = `${name}:${instance.name}`;
      vrfs.get(name)!.set(vrf, [...instance.routeTargets, ...instance.virtualNetworks.flatMap(exports)]);
      const targets = [...instance.routeTargets, ...instance.virtualNetworks.flatMap(imports)];
      ways.push({ prefix: '0.0.0.0/0', targets, rank: 100, at: name, here: '', there: tunnel(name, `routing-instance ${instance.name}`, true) });
      for (const route of instance.staticRoutes) ways.push({ prefix: route.prefix, targets: [`at ${name} ${vrf}`], rank: 20, at: name, here: `router ${route.nextHop} e`, there: '' });
    }
    for (const external of spec.externalInterfaces) connected(external.address, `${name}:${external.routingInstance}`, external.name);
  }
  for (const { spec } of objects.all('route-table')) {
    for (let at = 0; at * 5 < spec.prefixes.length; at++) {
      const prefix = `${[...spec.prefixes.subarray(at * 5, at * 5 + 4)].join('.')}/${spec.prefixes[at * 5 + 4]}`;
      const hop = spec.nextHops[spec.nextHopIndex[at] ?? 0]!;
      const way = { prefix, targets: exports(spec.virtualNetwork), rank: 20 };
      if (hop.discard) ways.push({ ...way, at: '', here: 'discard', there: 'discard' });
      for (const { virtualRouter, routingInstance } of hop.gateways) ways.push({ ...way, at: virtualRouter, here: '', there: tunnel(virtualRouter, `routing-instance ${routingInstance}`, true) });
      const place = hop.virtualMachineInterface ? placed(hop.virtualMachineInterface) : undefined;
      if (place) ways.push({ ...way, at: place.router, here: place.here, there: place.there });
    }
  }

  for (const { prefix, targets, preference, tunnelAddress, label } of imported) {
    ways.push({ prefix: formatKey(prefix), targets, rank: preference, at: ROUTER, here: '', there: `tunnel ${formatAddress(tunnelAddress)} ${label} external` });
  }

  // Then each VRF takes what it imports.
  return new Map(routers.map((router) => [last(router.name), new Map([...vrfs.get(router.name)!].map(([vrf, importing]) => {
    const targets = new Set([...importing, `only ${vrf}`, `at ${router.name} ${vrf}`]);
    const best = new Map<string, { rank: number; hops: Set<string> }>();
    for (const way of ways) {
      const local = way.at === '' || way.at === router.name;
      const hop = local ? way.here : router.spec.kind === 'GATEWAY' && way.there.endsWith('external') && way.at !== ROUTER ? '' : way.there;
      if (hop === '' || !way.targets.some((target) => targets.has(target))) continue;
      const known = best.get(way.prefix);
      if (!known || way.rank < known.rank) best.set(way.prefix, { rank: way.rank, hops: new Set([hop]) });
      else if (way.rank === known.rank) known.hops.add(hop);
    }
    return [vrf, new Map([...best].map(([prefix, { hops }]) => [prefix, [...hops].sort().join(' + ')]))] as const;
  }))]));
}

/** What an appliance's state says, in the same words. */
export function actual(appliance: Appliance): Routes {
  const interfaceName = (id: number): string => appliance.interfaces.get(id)!.element.name;
  const text = (id: number): string => {
    const record = appliance.nexthops.get(id)!;
    switch (record.kind) {
      case NHK_DISCARD: return 'discard';
      case NHK_RECEIVE: return 'receive';
      case NHK_RESOLVE: return `resolve ${interfaceName(record.interface)}`;
      case NHK_INTERFACE: return record.remote ? `router ${formatAddress(record.remote)} ${interfaceName(record.interface)}` : `workload ${interfaceName(record.interface)}`;
      case NHK_VRF: return `vrf ${record.value}`;
      case NHK_TUNNEL_GRE: return `tunnel ${formatAddress(record.remote)} ${record.value}${record.flags & NHF_EXTERNAL ? ' external' : ''}`;
      case NHK_ECMP: return record.slots.filter((slot) => slot !== 0).map(text).sort().join(' + ');
      default: return `kind ${record.kind}`;
    }
  };
  return new Map([...appliance.instances.values()].map((instance) => {
    const prefixes = new Set(instance.routes.keys());
    for (const { bulk } of instance.bulks.values()) for (const prefix of bulk.prefixes) prefixes.add(prefix);
    const routes = [...prefixes].flatMap((prefix) => {
      const nexthop = instance.route(prefix) & 0xfffff;
      return nexthop === 0 ? [] : [[formatKey(prefix), text(nexthop)] as const];
    });
    return [instance.id === 0 ? 'fabric' : instance.name, new Map(routes)] as const;
  }));
}

export function lines(routes: Routes): string {
  return [...routes].flatMap(([vrf, prefixes]) => [`vrf ${vrf}`, ...[...prefixes].map(([prefix, hops]) => `${vrf} ${prefix} → ${hops}`)]).sort().join('\n');
}
