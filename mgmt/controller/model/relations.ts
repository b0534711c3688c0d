/** What an object refers to, and what it claims for itself alone. Fields are paths within its spec. */
import { formatAddress, hostsOf, parseAddress, parsePrefix } from './address.ts';
import { applianceName, parentKind, parentName, virtualRouterName, type Kind, type Stored } from './kinds.ts';
import type { Subnet } from '../../../proto/config.ts';

export interface ObjectReference { readonly field: string; readonly kind: Kind; readonly name: string }
export interface Claim { readonly field: string; readonly claim: string; readonly what: string }

/** Every object that must exist for this one to make sense. The same one may come twice. */
export function referencesOf(object: Stored): ObjectReference[] {
  const references: ObjectReference[] = [];
  const add = (field: string, kind: Kind, name: string): void => { if (name) references.push({ field, kind, name }); };
  const parent = parentKind(object.kind, object.name);
  if (parent) add('name', parent, parentName(object.name));
  switch (object.kind) {
    case 'floating-ip-pool':
      object.spec.projects.forEach((name, at) => add(`projects[${at}]`, 'project', name));
      break;
    case 'floating-ip':
      object.spec.virtualMachineInterfaces.forEach((name, at) => add(`virtual_machine_interfaces[${at}]`, 'virtual-machine-interface', name));
      break;
    case 'virtual-machine-interface':
      add('virtual_network', 'virtual-network', object.spec.virtualNetwork);
      add('virtual_router', 'virtual-router', object.spec.virtualRouter);
      break;
    case 'instance-ip':
      add('virtual_network', 'virtual-network', object.spec.virtualNetwork);
      object.spec.virtualMachineInterfaces.forEach((name, at) => add(`virtual_machine_interfaces[${at}]`, 'virtual-machine-interface', name));
      break;
    case 'virtual-router':
      object.spec.routingInstances.forEach((instance, at) => instance.virtualNetworks.forEach((name, each) =>
        add(`routing_instances[${at}].virtual_networks[${each}]`, 'virtual-network', name)));
      break;
    case 'bgp-router':
      object.spec.peers.forEach((name, at) => add(`peers[${at}]`, 'bgp-router', name));
      break;
    case 'route-table':
      add('virtual_network', 'virtual-network', object.spec.virtualNetwork);
      add('virtual_router', 'virtual-router', object.spec.virtualRouter);
      object.spec.nextHops.forEach((hop, at) => {
        add(`next_hops[${at}].virtual_machine_interface`, 'virtual-machine-interface', hop.virtualMachineInterface);
        hop.gateways.forEach((gateway, each) => add(`next_hops[${at}].gateways[${each}].virtual_router`, 'virtual-router', gateway.virtualRouter));
      });
      break;
  }
  return references;
}

/** The gateway of a subnet as a number: what is configured, else its last host address, or its first (Contrail's addr_from_start). */
export function gatewayOf(subnet: Subnet): number | undefined {
  if (subnet.gateway) return parseAddress(subnet.gateway);
  const prefix = parsePrefix(subnet.prefix);
  if (!prefix) return undefined;
  return subnet.addrFromStart ? hostsOf(prefix).first : hostsOf(prefix).last;
}

/** An address of a network belongs to one object. */
export const addressClaim = (network: string, address: number): string => `address ${network} ${address}`;

/** What no other object may have as well. */
export function claimsOf(object: Stored): Claim[] {
  const claims: Claim[] = [];
  const add = (field: string, claim: string, what: string): void => { claims.push({ field, claim, what }); };
  const addAddress = (field: string, network: string, address: number | undefined): void => {
    if (address !== undefined) add(field, addressClaim(network, address), `address ${formatAddress(address)} of ${network}`);
  };
  switch (object.kind) {
    case 'virtual-network':
      object.spec.subnets.forEach((subnet, at) => addAddress(`subnets[${at}].gateway`, object.name, gatewayOf(subnet)));
      break;
    case 'floating-ip':
      addAddress('address', parentName(parentName(object.name)), parseAddress(object.spec.address));
      break;
    case 'instance-ip':
      addAddress('address', object.spec.virtualNetwork, parseAddress(object.spec.address));
      break;
    case 'virtual-machine-interface':
      if (object.spec.virtualRouter && object.spec.port) {
        const appliance = applianceName(object.spec.virtualRouter);
        add('port', `port ${virtualRouterName(appliance)} ${object.spec.port}`, `port ${object.spec.port} of ${appliance}`);
      }
      if (object.spec.mac) add('mac', `mac ${object.spec.virtualNetwork} ${object.spec.mac.toLowerCase()}`, `MAC ${object.spec.mac} in ${object.spec.virtualNetwork}`);
      break;
    case 'bgp-router':
      if (object.spec.address) add('address', `bgp address ${object.spec.address}`, `BGP address ${object.spec.address}`);
      break;
    case 'virtual-router': {
      const fabric = parsePrefix(object.spec.fabric?.address ?? '');
      if (fabric) add('fabric.address', `fabric ${fabric.address}`, `fabric address ${formatAddress(fabric.address)}`);
      const ports = [['fabric.port', object.spec.fabric?.port ?? '', object.spec.fabric?.vlan ?? 0] as const,
        ...object.spec.externalInterfaces.map((external, at) => [`external_interfaces[${at}].port`, external.port, external.vlan] as const)];
      for (const [field, port] of ports) if (port) add(field, `port ${object.name} ${port}`, `port ${port} of ${applianceName(object.name)}`);
      break;
    }
  }
  return claims;
}
