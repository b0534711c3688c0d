/** What an object claims for itself alone. Fields are paths within its spec. */
import { formatAddress, parseAddress, parsePrefix } from './address.ts';
import { applianceName, parentName, type Stored } from './kinds.ts';
import { gatewayOf } from './subnets.ts';

/** What is claimed: a value that is one object's within its owner. Of these a fleet has hundreds of thousands, so it is no text. */
export interface ClaimKey { readonly kind: ClaimKind; readonly owner: string; readonly value: string | number }
export interface Claim extends ClaimKey { readonly field: string }
export type ClaimKind = keyof typeof TEXTS;

/** For people. */
export const claimText = ({ kind, owner, value }: ClaimKey): string => TEXTS[kind](owner, value as never);

const TEXTS = {
  // Within a network, or within an IPAM that several networks take addresses from.
  'address': (owner: string, address: number) => `address ${formatAddress(address)} of ${owner}`,
  'port': (router: string, port: string) => `port ${port} of ${applianceName(router)}`,
  'mac': (network: string, mac: string) => `MAC ${mac} in ${network}`,
  'order': (machine: string, order: number) => `place ${order} among the interfaces of ${machine}`,
  'bgp address': (_: string, address: string) => `BGP address ${address}`,
  'fabric': (_: string, address: number) => `fabric address ${formatAddress(address)}`,
} as const;

/** What no other object may have as well. */
export function claimsOf(object: Stored): Claim[] {
  const claims: Claim[] = [];
  const add = (field: string, kind: ClaimKind, owner: string, value: string | number): void => { claims.push({ field, kind, owner, value }); };
  const addAddress = (field: string, owner: string, address: number | undefined): void => {
    if (address !== undefined) add(field, 'address', owner, address);
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
      if (object.spec.virtualRouter && object.spec.port) add('port', 'port', object.spec.virtualRouter, object.spec.port);
      if (object.spec.mac) add('mac', 'mac', object.spec.virtualNetwork, object.spec.mac.toLowerCase());
      if (object.spec.virtualMachine) add('order', 'order', object.spec.virtualMachine, object.spec.order);
      break;
    case 'bgp-router':
      if (object.spec.address) add('address', 'bgp address', '', object.spec.address);
      break;
    case 'virtual-router': {
      const fabric = parsePrefix(object.spec.fabric?.address ?? '');
      if (fabric) add('fabric.address', 'fabric', '', fabric.address);
      const ports = [['fabric.port', object.spec.fabric?.port ?? ''] as const, ...object.spec.externalInterfaces.map((external, at) => [`external_interfaces[${at}].port`, external.port] as const)];
      for (const [field, port] of ports) if (port) add(field, 'port', object.name, port);
      break;
    }
  }
  return claims;
}
