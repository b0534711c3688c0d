/** Rules of appliances. */
import { contains, formatPrefix, overlaps, parseAddress, parseMac, type Prefix } from '../address.ts';
import { splitId, type Stored } from '../kinds.ts';
import type { Objects } from '../objects.ts';
import { checkInterfaceAddress, checkMtu, checkPrefix, checkTargets, checkWord, isHost, type Report } from './check.ts';

const MAX_VLAN = 4094;
const FINGERPRINT = /^[0-9A-Fa-f]{2}(:[0-9A-Fa-f]{2}){31}$/;

export function checkVirtualRouter(report: Report, { name, spec }: Stored<'virtual-router'>, objects: Objects): void {
  if (spec.kind === 'KIND_UNKNOWN') report('kind', 'REQUIRED', 'is not set; say GATEWAY or COMPUTE');
  checkWord(report, 'profile', spec.profile, 'a profile (hw-profiles/<profile>.json)');
  spec.enrolment?.certificates.forEach((fingerprint, at) => {
    if (!FINGERPRINT.test(fingerprint)) report(`enrolment.certificates[${at}]`, 'FINGERPRINT', `${JSON.stringify(fingerprint)} is not a SHA-256 fingerprint: 32 pairs of hex digits with colons between them`);
  });
  const fabric = checkFabric(report, spec);
  if (spec.kind === 'COMPUTE') {
    if (spec.routingInstances.length > 0) report('routing_instances', 'NOT_A_GATEWAY', 'are for gateways; a compute has the VRFs that its workloads need');
    if (spec.externalInterfaces.length > 0) report('external_interfaces', 'NOT_A_GATEWAY', 'are for gateways');
  }
  const subnets = checkExternals(report, spec, fabric);
  checkInstances(report, spec, subnets);
  if (spec.kind === 'GATEWAY') {
    for (const id of objects.users('virtual-router', name)) {
      if (splitId(id)[0] === 'virtual-machine-interface') report('kind', 'NOT_A_COMPUTE', `${id} is placed on it; workloads live on appliances of kind COMPUTE`);
    }
  }
}

function checkFabric(report: Report, spec: Stored<'virtual-router'>['spec']): Prefix | undefined {
  const { fabric } = spec;
  if (!fabric) {
    report('fabric', 'REQUIRED', 'is not set; give the underlay port, its address with prefix length and its MAC');
    return undefined;
  }
  checkWord(report, 'fabric.port', fabric.port, 'a port');
  const address = checkInterfaceAddress(report, 'fabric.address', fabric.address);
  if (parseMac(fabric.mac) === undefined) report('fabric.mac', 'MAC', `${JSON.stringify(fabric.mac)} is not a unicast MAC address like 02:00:00:00:25:14`);
  checkMtu(report, 'fabric.mtu', fabric.mtu);
  if (fabric.vlan > MAX_VLAN) report('fabric.vlan', 'RANGE', `${fabric.vlan} is no VLAN: 1 to ${MAX_VLAN}, or 0 for untagged`);
  if (fabric.vlan !== 0) report('fabric.vlan', 'NOT_REALISED', 'a tagged underlay is not realised yet; give the appliance an untagged port');
  if (fabric.gateway) {
    const gateway = parseAddress(fabric.gateway);
    if (gateway === undefined || (address && (!contains(address, gateway) || gateway === address.address))) {
      report('fabric.gateway', 'GATEWAY_OUTSIDE_SUBNET', `${JSON.stringify(fabric.gateway)} is not another address of ${fabric.address}; name the router on the underlay's subnet, or leave it empty`);
    }
  }
  if (address && spec.tunnelAddress && parseAddress(spec.tunnelAddress) !== address.address) {
    report('tunnel_address', 'TUNNEL_ADDRESS', `${spec.tunnelAddress} is not the fabric address; tunnels end on the fabric interface, so leave it empty or set it to the address in ${fabric.address}`);
  }
  return address;
}

/** Subnets by routing instance. */
function checkExternals(report: Report, spec: Stored<'virtual-router'>['spec'], fabric: Prefix | undefined): Map<string, Prefix[]> {
  const subnets = new Map<string, Prefix[]>();
  const names = new Set<string>();
  const ports = new Set<string>([spec.fabric?.port ?? '']);
  spec.externalInterfaces.forEach((external, at) => {
    const path = `external_interfaces[${at}]`;
    checkWord(report, `${path}.name`, external.name, 'an external interface');
    if (names.has(external.name) || external.name === 'fabric') report(`${path}.name`, 'DUPLICATE', `${external.name} is taken on this appliance; choose another name`);
    names.add(external.name);
    const sub = external.vlan !== 0;
    if (external.vlan > MAX_VLAN) report(`${path}.vlan`, 'RANGE', `${external.vlan} is no VLAN: 1 to ${MAX_VLAN}, or 0 for untagged`);
    if (sub) {
      if (external.port) report(`${path}.port`, 'VLAN_PORT', 'a VLAN sub-interface has no port of its own; leave it empty and name the parent');
      const parent = spec.externalInterfaces.find((other) => other.name === external.parent);
      if (external.parent !== 'fabric' && (!parent || parent.vlan !== 0)) report(`${path}.parent`, 'VLAN_PARENT', `${JSON.stringify(external.parent)} is not an untagged external interface of this appliance, nor "fabric"`);
      const tag = `${external.parent}.${external.vlan}`;
      if (names.has(tag)) report(`${path}.vlan`, 'DUPLICATE', `VLAN ${external.vlan} of ${external.parent} is taken`);
      names.add(tag);
    } else {
      checkWord(report, `${path}.port`, external.port, 'a port');
      if (ports.has(external.port)) report(`${path}.port`, 'DUPLICATE', `port ${external.port} is taken on this appliance`);
      ports.add(external.port);
      if (external.parent) report(`${path}.parent`, 'VLAN_PARENT', 'only a VLAN sub-interface has a parent; set vlan, or leave it empty');
    }
    if (parseMac(external.mac) === undefined) report(`${path}.mac`, 'MAC', `${JSON.stringify(external.mac)} is not a unicast MAC address like 02:00:00:00:71:01`);
    checkMtu(report, `${path}.mtu`, external.mtu);
    const address = checkInterfaceAddress(report, `${path}.address`, external.address);
    const instance = spec.routingInstances.find((each) => each.name === external.routingInstance);
    if (!instance) report(`${path}.routing_instance`, 'REFERENCE', `${JSON.stringify(external.routingInstance)} is not one of this appliance's routing instances: ${spec.routingInstances.map((each) => each.name).join(', ') || 'it has none'}`);
    if (!address) return;
    const others = subnets.get(external.routingInstance) ?? [];
    for (const other of others) {
      if (overlaps(other, address)) report(`${path}.address`, 'SUBNETS_OVERLAP', `${external.address} overlaps ${formatPrefix(other)} in the same routing instance`);
    }
    if (fabric?.address === address.address) report(`${path}.address`, 'DUPLICATE', `${external.address} is the fabric's address too`);
    subnets.set(external.routingInstance, [...others, address]);
  });
  return subnets;
}

function checkInstances(report: Report, spec: Stored<'virtual-router'>['spec'], subnets: Map<string, Prefix[]>): void {
  const names = new Set<string>();
  spec.routingInstances.forEach((instance, at) => {
    const path = `routing_instances[${at}]`;
    checkWord(report, `${path}.name`, instance.name, 'a routing instance');
    if (names.has(instance.name)) report(`${path}.name`, 'DUPLICATE', `${instance.name} is there twice on this appliance`);
    names.add(instance.name);
    checkTargets(report, `${path}.route_targets`, instance.routeTargets);
    checkTargets(report, `${path}.import_route_targets`, instance.importRouteTargets);
    checkTargets(report, `${path}.export_route_targets`, instance.exportRouteTargets);
    instance.advertise.forEach((text, each) => checkPrefix(report, `${path}.advertise[${each}]`, text));
    const seen = new Set<string>();
    instance.staticRoutes.forEach((route, each) => {
      const field = `${path}.static_routes[${each}]`;
      checkPrefix(report, `${field}.prefix`, route.prefix);
      const hop = parseAddress(route.nextHop);
      const own = subnets.get(instance.name) ?? [];
      if (hop === undefined || !isHost(hop) || !own.some((prefix) => contains(prefix, hop) && prefix.address !== hop)) {
        report(`${field}.next_hop`, 'NEXT_HOP_UNREACHABLE', `${JSON.stringify(route.nextHop)} is not another address on an external interface's subnet: ${own.map(formatPrefix).join(', ') || 'the routing instance has no interface'}`);
      }
      if (seen.has(`${route.prefix} ${route.nextHop}`)) report(field, 'DUPLICATE', `${route.prefix} by ${route.nextHop} is there twice`);
      seen.add(`${route.prefix} ${route.nextHop}`);
    });
  });
}
