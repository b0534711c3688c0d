/** The subnets of a network, wherever they are said: by itself, or by the IPAMs that it takes addresses from. */
import type { Subnet } from '../../../proto/config.ts';
import { contains, hostsOf, parseAddress, parsePrefix, type Prefix } from './address.ts';
import type { Stored } from './kinds.ts';
import type { ObjectView } from './objects.ts';
import { once } from './once.ts';

/** One subnet, its gateway as a number, and the IPAM that says it, '' = the network itself. */
export interface NetworkSubnet { readonly subnet: Subnet; readonly prefix: Prefix; readonly gateway: number | undefined; readonly ipam: string }

/** In their order; those that are not well-formed are left out. */
export function subnetsOf(network: Stored<'virtual-network'>, view: Pick<ObjectView, 'get'>): readonly NetworkSubnet[] {
  if (network.spec.addressAllocationMode !== 'FLAT_SUBNET_ONLY') return ownSubnets(network.spec);
  return network.spec.networkIpams.flatMap((name) => wellFormed(view.get('network-ipam', name)?.spec.subnets ?? [], name));
}

export function wellFormed(subnets: readonly Subnet[], ipam: string): NetworkSubnet[] {
  return subnets.flatMap((subnet) => {
    const prefix = parsePrefix(subnet.prefix);
    return prefix ? [{ subnet, prefix, gateway: gatewayOf(subnet), ipam }] : [];
  });
}

const ownSubnets = once((spec: Stored<'virtual-network'>['spec']): readonly NetworkSubnet[] => wellFormed(spec.subnets, ''));

/** The gateway of a subnet as a number: what is configured, else its last host address, or its first (Contrail's addr_from_start). */
export function gatewayOf(subnet: Subnet): number | undefined {
  if (subnet.gateway) return parseAddress(subnet.gateway);
  const prefix = parsePrefix(subnet.prefix);
  if (!prefix) return undefined;
  return subnet.addrFromStart ? hostsOf(prefix).first : hostsOf(prefix).last;
}

/** The subnet that an address is a host's in; network and broadcast address are nobody's. */
export function subnetOf(address: number, subnets: readonly NetworkSubnet[]): NetworkSubnet | undefined {
  const found = subnets.find(({ prefix }) => contains(prefix, address));
  if (!found) return undefined;
  const { first, last } = hostsOf(found.prefix);
  return address >= first && address <= last ? found : undefined;
}
