/** What an object claims for itself alone. Fields are paths within its spec. */
import { formatAddress, parseAddress, parsePrefix } from './address.ts';
import { applianceName, parentName, type Stored } from './kinds.ts';
import { gatewayOf } from './subnets.ts';

export interface Claim { readonly field: string; readonly claim: string; readonly what: string }

/** An address belongs to one object: within a network, or within an IPAM that several networks take addresses from. */
export const addressClaim = (owner: string, address: number): string => `address ${owner} ${address}`;

/** What no other object may have as well. */
export function claimsOf(object: Stored): Claim[] {
  const claims: Claim[] = [];
  const add = (field: string, claim: string, what: string): void => { claims.push({ field, claim, what }); };
  const addAddress = (field: string, owner: string, address: number | undefined): void => {
    if (address !== undefined) add(field, addressClaim(owner, address), `address ${formatAddress(address)} of ${owner}`);
  };
  switch (object.kind) {
    case 'virtual-network': case 'network-ipam':
      object.spec.subnets.forEach((subnet, at) => addAddress(`subnets[${at}].gateway`, object.name, gatewayOf(subnet)));
      break;
    case 'floating-ip':
      addAddress('address', object.spec.networkIpam || parentName(parentName(object.name)), parseAddress(object.spec.address));
      break;
    case 'instance-ip':
      addAddress('address', object.spec.networkIpam || object.spec.virtualNetwork, parseAddress(object.spec.address));
      break;
    case 'virtual-machine-interface':
      if (object.spec.virtualRouter && object.spec.port) {
        add('port', `port ${object.spec.virtualRouter} ${object.spec.port}`, `port ${object.spec.port} of ${applianceName(object.spec.virtualRouter)}`);
      }
      if (object.spec.mac) add('mac', `mac ${object.spec.virtualNetwork} ${object.spec.mac.toLowerCase()}`, `MAC ${object.spec.mac} in ${object.spec.virtualNetwork}`);
      if (object.spec.virtualMachine) add('order', `order ${object.spec.virtualMachine} ${object.spec.order}`, `place ${object.spec.order} among the interfaces of ${object.spec.virtualMachine}`);
      break;
    case 'bgp-router':
      if (object.spec.address) add('address', `bgp address ${object.spec.address}`, `BGP address ${object.spec.address}`);
      break;
    case 'virtual-router': {
      const fabric = parsePrefix(object.spec.fabric?.address ?? '');
      if (fabric) add('fabric.address', `fabric ${fabric.address}`, `fabric address ${formatAddress(fabric.address)}`);
      const ports = [['fabric.port', object.spec.fabric?.port ?? ''] as const, ...object.spec.externalInterfaces.map((external, at) => [`external_interfaces[${at}].port`, external.port] as const)];
      for (const [field, port] of ports) if (port) add(field, `port ${object.name} ${port}`, `port ${port} of ${applianceName(object.name)}`);
      break;
    }
  }
  return claims;
}
