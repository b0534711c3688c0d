/** Rules of IPAMs, virtual networks, policies between them, floating-IP pools and floating IPs. */
import { contains, covers, formatAddress, formatPrefix, hostsOf, overlaps, parseAddress, parsePrefix, type Prefix } from '../address.ts';
import { idOf, parentName, projectOf, splitId, type Stored } from '../kinds.ts';
import type { Objects } from '../objects.ts';
import { LOCAL } from '../references.ts';
import { gatewayOf, subnetOf, subnetsOf, wellFormed, type NetworkSubnet } from '../subnets.ts';
import type { FloatingIp, Subnet } from '../../../../proto/config.ts';
import { checkAddress, checkMtu, checkPort, checkPrefix, checkRange, checkTargets, isHost, type Report } from './check.ts';

/** Smallest and greatest MSS worth clamping to: RFC 879's 536 less room, and a jumbo frame's. */
const [MIN_MSS, MAX_MSS] = [88, 8960];

/** Subnets of a network or an IPAM: well-formed, disjoint, each with a gateway of its own. */
function checkSubnets(report: Report, subnets: readonly Subnet[]): void {
  const prefixes: (Prefix | undefined)[] = subnets.map((subnet, at) => {
    const prefix = checkPrefix(report, `subnets[${at}].prefix`, subnet.prefix);
    if (!prefix) return undefined;
    if (prefix.length < 8 || prefix.length > 30) {
      report(`subnets[${at}].prefix`, 'SUBNET_LENGTH', `${subnet.prefix}: a subnet is /8 to /30, with room for a gateway and a host`);
      return undefined;
    }
    if (!isHost(prefix.address)) report(`subnets[${at}].prefix`, 'HOST_ADDRESS', `${subnet.prefix} is not a unicast prefix`);
    const gateway = gatewayOf(subnet);
    const { first, last } = hostsOf(prefix);
    if (gateway === undefined || gateway < first || gateway > last) {
      report(`subnets[${at}].gateway`, 'GATEWAY_OUTSIDE_SUBNET', `${JSON.stringify(subnet.gateway)} is not a host address of ${subnet.prefix}: ${formatAddress(first)} to ${formatAddress(last)}`);
    }
    return prefix;
  });
  prefixes.forEach((prefix, at) => {
    const other = prefix && prefixes.findIndex((each, index) => index < at && each !== undefined && overlaps(each, prefix));
    if (prefix && other !== undefined && other >= 0) report(`subnets[${at}].prefix`, 'SUBNETS_OVERLAP', `${formatPrefix(prefix)} overlaps ${subnets[other]!.prefix}; subnets are disjoint`);
  });
}

export function checkIpam(report: Report, { name, spec }: Stored<'network-ipam'>, objects: Objects): void {
  checkSubnets(report, spec.subnets);
  const subnets = wellFormed(spec.subnets, name);
  for (const id of objects.users('network-ipam', name)) {
    const [kind, user] = splitId(id);
    if (kind === 'instance-ip' || kind === 'floating-ip') addressWithin(report, objects.get(kind, user), subnets);
    const network = kind === 'virtual-network' ? objects.get(kind, user) : undefined;
    if (network) checkFlat(report, 'subnets', network, objects);
  }
}

/** IPAMs of one network must not say the same address twice. */
function checkFlat(report: Report, field: string, network: Stored<'virtual-network'>, objects: Objects): void {
  const subnets = subnetsOf(network, objects);
  subnets.forEach(({ prefix, ipam }, at) => {
    const other = subnets.slice(0, at).find((each) => each.ipam !== ipam && overlaps(each.prefix, prefix));
    if (other) report(field, 'SUBNETS_OVERLAP', `${formatPrefix(prefix)} of ${ipam} overlaps ${formatPrefix(other.prefix)} of ${other.ipam}, and ${network.name} takes addresses from both`);
  });
}

export function checkNetwork(report: Report, network: Stored<'virtual-network'>, objects: Objects): void {
  const { name, spec } = network;
  checkSubnets(report, spec.subnets);
  const flat = spec.addressAllocationMode === 'FLAT_SUBNET_ONLY';
  if (flat && spec.subnets.length > 0) report('subnets', 'ALLOCATION_MODE', 'with flat allocation a network has the subnets of its network_ipams, and none of its own');
  if (!flat && spec.networkIpams.length > 0) report('network_ipams', 'ALLOCATION_MODE', 'are for flat allocation: set address_allocation_mode to FLAT_SUBNET_ONLY, or say the subnets here');
  distinct(report, 'network_ipams', spec.networkIpams);
  if (flat) checkFlat(report, 'network_ipams', network, objects);
  if (spec.forwardingMode !== 'L3') report('forwarding_mode', 'NOT_REALISED', `${spec.forwardingMode} is not realised yet: appliances route and do not bridge, so only L3 is accepted`);
  distinct(report, 'projects', spec.projects);
  distinct(report, 'network_policies', spec.networkPolicies);
  checkStaticRoutes(report, network, objects);
  checkTargets(report, 'route_targets', spec.routeTargets);
  checkTargets(report, 'import_route_targets', spec.importRouteTargets);
  checkTargets(report, 'export_route_targets', spec.exportRouteTargets);
  checkRange(report, 'mss_clamp', spec.mssClamp, MIN_MSS, MAX_MSS, 'TCP MSS');
  checkMtu(report, 'mtu', spec.mtu);

  // What uses a subnet that is being taken away is named here, not found broken later.
  const subnets = subnetsOf(network, objects);
  for (const id of objects.users('virtual-network', name)) {
    const [kind, user] = splitId(id);
    if (kind === 'instance-ip') addressWithin(report, objects.get(kind, user), subnets);
    if (kind !== 'floating-ip-pool') continue;
    for (const floating of objects.users(kind, user)) {
      const [each, itsName] = splitId(floating);
      if (each === 'floating-ip') addressWithin(report, objects.get(each, itsName), subnets);
    }
  }
}

function addressWithin(report: Report, object: Stored<'instance-ip' | 'floating-ip'> | undefined, subnets: readonly NetworkSubnet[]): void {
  const address = parseAddress(object?.spec.address ?? '');
  if (object && address !== undefined && !subnets.some(({ prefix, ipam }) => contains(prefix, address) && ipam === object.spec.networkIpam)) {
    report('subnets', 'SUBNET_IN_USE', `${idOf(object.kind, object.name)} has address ${object.spec.address}, which no subnet would hold any more; delete it first, or keep its subnet`);
  }
}

function checkStaticRoutes(report: Report, { name, spec }: Stored<'virtual-network'>, objects: Objects): void {
  spec.staticRoutes.forEach((route, at) => {
    const field = `static_routes[${at}]`;
    checkPrefix(report, `${field}.prefix`, route.prefix);
    if (spec.staticRoutes.findIndex((each) => each.prefix === route.prefix && each.virtualMachineInterface === route.virtualMachineInterface) !== at) report(field, 'DUPLICATE', `${route.prefix} is there twice with this next hop; once is enough`);
    if ((route.virtualMachineInterface !== '') === route.discard) report(field, 'ONE_OF', 'a route leads to a virtual_machine_interface, or is discard: exactly one');
    const vmi = objects.get('virtual-machine-interface', route.virtualMachineInterface);
    if (vmi && vmi.spec.virtualNetwork !== name) report(`${field}.virtual_machine_interface`, 'OTHER_NETWORK', `${vmi.name} is in ${vmi.spec.virtualNetwork}, not in ${name}`);
  });
}

export function checkPolicy(report: Report, { spec }: Stored<'network-policy'>): void {
  spec.rules.forEach(({ source, destination }, at) => {
    if (!source) report(`rules[${at}].source`, 'REQUIRED', 'is empty; name a virtual network, or "local"');
    if (!destination) report(`rules[${at}].destination`, 'REQUIRED', 'is empty; name a virtual network, or "local"');
    if (source && source === destination && source !== LOCAL) report(`rules[${at}]`, 'SAME_NETWORK', `${source} has its own routes anyway; a rule is between two networks`);
  });
}

export function checkPool(report: Report, { name, spec }: Stored<'floating-ip-pool'>, objects: Objects): void {
  const network = objects.get('virtual-network', parentName(name));
  spec.subnets.forEach((text, at) => {
    const prefix = checkPrefix(report, `subnets[${at}]`, text);
    if (prefix && network && !subnetsOf(network, objects).some((subnet) => covers(subnet.prefix, prefix))) {
      report(`subnets[${at}]`, 'POOL_OUTSIDE_NETWORK', `${text} is not within a subnet of ${network.name}: ${subnetsOf(network, objects).map((subnet) => formatPrefix(subnet.prefix)).join(', ') || 'it has none'}`);
    }
  });
}

export function checkFloatingIp(report: Report, { name, spec }: Stored<'floating-ip'>, objects: Objects): void {
  const pool = objects.get('floating-ip-pool', parentName(name));
  const network = objects.get('virtual-network', parentName(parentName(name)));
  const address = checkAddress(report, 'address', spec.address);
  if (pool && network && address !== undefined && !poolPrefixes(pool, network, objects).some((prefix) => contains(prefix, address) && subnetOf(address, subnetsOf(network, objects)))) {
    report('address', 'ADDRESS_OUTSIDE_POOL', `${spec.address} is not a host address of pool ${pool.name}: ${poolPrefixes(pool, network, objects).map(formatPrefix).join(', ') || 'its network has no subnet'}`);
  }
  distinct(report, 'virtual_machine_interfaces', spec.virtualMachineInterfaces);
  spec.virtualMachineInterfaces.forEach((interfaceName, at) => {
    const field = `virtual_machine_interfaces[${at}]`;
    const owner = projectOf(interfaceName);
    if (pool && owner !== projectOf(name) && !pool.spec.projects.includes(owner)) {
      report(field, 'POOL_NOT_SHARED', `${interfaceName} belongs to ${owner}, to which pool ${pool.name} is not shared; add it to the pool's projects`);
    }
    if (!spec.fixedAddress) return;
    const fixed = [...objects.users('virtual-machine-interface', interfaceName)].some((id) => {
      const [kind, user] = splitId(id);
      return kind === 'instance-ip' && objects.get(kind, user)?.spec.address === spec.fixedAddress;
    });
    if (!fixed) report('fixed_address', 'FIXED_ADDRESS', `${spec.fixedAddress} is not an instance-ip of ${interfaceName}`);
  });
  checkPortMappings(report, spec);
}

/** Each port of a protocol leads to one place. Workloads do not leave by a mapping, so nothing but ingress goes with one. */
function checkPortMappings(report: Report, { portMappingsEnable: enabled, portMappings, direction }: FloatingIp): void {
  if (!enabled && portMappings.length > 0) report('port_mappings', 'PORT_MAPPINGS_DISABLED', 'would do nothing; set port_mappings_enable, or leave them out to translate every port');
  if (enabled && portMappings.length === 0) report('port_mappings', 'REQUIRED', 'are empty, so that nothing would come in; name the ports, or leave port_mappings_enable unset to translate every port');
  if (enabled && direction !== 'DIRECTION_INGRESS') report('direction', 'PORT_MAPPINGS_INGRESS', `${direction} does not go with port mappings, which are for what comes in; set DIRECTION_INGRESS, and another floating IP for what the workload sends`);
  const places = new Map<string, number>();
  portMappings.forEach(({ protocol, srcPort, dstPort }, at) => {
    const field = `port_mappings[${at}]`;
    if (protocol === 'PROTOCOL_UNKNOWN') report(`${field}.protocol`, 'REQUIRED', 'is not set; TCP, UDP or SCTP');
    checkPort(report, `${field}.src_port`, srcPort);
    checkPort(report, `${field}.dst_port`, dstPort);
    const first = places.get(`${protocol} ${srcPort}`);
    if (first === undefined) places.set(`${protocol} ${srcPort}`, at);
    else report(field, 'DUPLICATE', `${protocol} ${srcPort} is mapped by port_mappings[${first}] already; a port leads to one place`);
  });
}

/** What a pool allocates from. */
export function poolPrefixes(pool: Stored<'floating-ip-pool'>, network: Stored<'virtual-network'>, objects: Objects): Prefix[] {
  return pool.spec.subnets.length > 0 ? pool.spec.subnets.flatMap((text) => parsePrefix(text) ?? []) : subnetsOf(network, objects).map(({ prefix }) => prefix);
}

export function distinct(report: Report, field: string, names: readonly string[]): void {
  names.forEach((name, at) => {
    if (names.indexOf(name) !== at) report(`${field}[${at}]`, 'DUPLICATE', `${name} is there twice; once is enough`);
  });
}
