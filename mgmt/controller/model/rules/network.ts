/** Rules of virtual networks, floating-IP pools and floating IPs. */
import { contains, covers, formatAddress, formatPrefix, hostsOf, overlaps, parseAddress, parsePrefix, type Prefix } from '../address.ts';
import { idOf, parentName, projectOf, splitId, type Stored } from '../kinds.ts';
import type { Objects } from '../objects.ts';
import { gatewayOf } from '../relations.ts';
import { checkAddress, checkMtu, checkPrefix, checkRange, checkTargets, isHost, type Report } from './check.ts';

/** Smallest and greatest MSS worth clamping to: RFC 879's 536 less room, and a jumbo frame's. */
const [MIN_MSS, MAX_MSS] = [88, 8960];

export function checkNetwork(report: Report, { name, spec }: Stored<'virtual-network'>, objects: Objects): void {
  const prefixes: (Prefix | undefined)[] = spec.subnets.map((subnet, at) => {
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
    if (prefix && other !== undefined && other >= 0) report(`subnets[${at}].prefix`, 'SUBNETS_OVERLAP', `${formatPrefix(prefix)} overlaps ${spec.subnets[other]!.prefix}; subnets of a network are disjoint`);
  });
  checkTargets(report, 'route_targets', spec.routeTargets);
  checkTargets(report, 'import_route_targets', spec.importRouteTargets);
  checkTargets(report, 'export_route_targets', spec.exportRouteTargets);
  checkRange(report, 'mss_clamp', spec.mssClamp, MIN_MSS, MAX_MSS, 'TCP MSS');
  checkMtu(report, 'mtu', spec.mtu);

  // What uses a subnet that is being taken away is named here, not found broken later.
  for (const id of objects.users('virtual-network', name)) {
    const [kind, user] = splitId(id);
    if (kind === 'instance-ip') addressWithin(report, id, objects.get(kind, user)?.spec.address, prefixes);
    if (kind !== 'floating-ip-pool') continue;
    for (const floating of objects.users(kind, user)) {
      const [each, itsName] = splitId(floating);
      if (each === 'floating-ip') addressWithin(report, floating, objects.get(each, itsName)?.spec.address, prefixes);
    }
  }
}

function addressWithin(report: Report, id: string, text: string | undefined, prefixes: readonly (Prefix | undefined)[]): void {
  const address = parseAddress(text ?? '');
  if (address !== undefined && !prefixes.some((prefix) => prefix && contains(prefix, address))) {
    report('subnets', 'SUBNET_IN_USE', `${id} has address ${text}, which no subnet would hold any more; delete it first, or keep its subnet`);
  }
}

export function checkPool(report: Report, { name, spec }: Stored<'floating-ip-pool'>, objects: Objects): void {
  const network = objects.get('virtual-network', parentName(name));
  spec.subnets.forEach((text, at) => {
    const prefix = checkPrefix(report, `subnets[${at}]`, text);
    if (prefix && network && !subnetsOf(network).some((subnet) => covers(subnet, prefix))) {
      report(`subnets[${at}]`, 'POOL_OUTSIDE_NETWORK', `${text} is not within a subnet of ${network.name}: ${network.spec.subnets.map((subnet) => subnet.prefix).join(', ') || 'it has none'}`);
    }
  });
}

export function checkFloatingIp(report: Report, { name, spec }: Stored<'floating-ip'>, objects: Objects): void {
  const pool = objects.get('floating-ip-pool', parentName(name));
  const network = objects.get('virtual-network', parentName(parentName(name)));
  const address = checkAddress(report, 'address', spec.address);
  if (pool && network && address !== undefined && !poolPrefixes(pool, network).some((prefix) => isHostOf(prefix, address, network))) {
    report('address', 'ADDRESS_OUTSIDE_POOL', `${spec.address} is not a host address of pool ${pool.name}: ${poolPrefixes(pool, network).map(formatPrefix).join(', ') || 'its network has no subnet'}`);
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
}

export const subnetsOf = (network: Stored<'virtual-network'>): Prefix[] => network.spec.subnets.flatMap((subnet) => parsePrefix(subnet.prefix) ?? []);

/** What a pool allocates from. */
export function poolPrefixes(pool: Stored<'floating-ip-pool'>, network: Stored<'virtual-network'>): Prefix[] {
  return pool.spec.subnets.length > 0 ? pool.spec.subnets.flatMap((text) => parsePrefix(text) ?? []) : subnetsOf(network);
}

/** Network and broadcast address of the subnet are no host's. */
export function isHostOf(prefix: Prefix, address: number, network: Stored<'virtual-network'>): boolean {
  if (!contains(prefix, address)) return false;
  const subnet = subnetsOf(network).find((each) => contains(each, address));
  if (!subnet) return false;
  const { first, last } = hostsOf(subnet);
  return address >= first && address <= last;
}

export function distinct(report: Report, field: string, names: readonly string[]): void {
  names.forEach((name, at) => {
    if (names.indexOf(name) !== at) report(`${field}[${at}]`, 'DUPLICATE', `${idOf('virtual-machine-interface', name)} is there twice; once is enough`);
  });
}
