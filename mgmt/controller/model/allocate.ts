/** Free addresses of networks. */
import { contains, formatAddress, hostsOf, type Prefix } from './address.ts';
import type { Stored } from './kinds.ts';
import type { Objects } from './objects.ts';
import { subnetOf, subnetsOf } from './subnets.ts';

/** Where the next search for a free address begins: a freed address is not given to somebody else at once. */
const hints = new WeakMap<Objects, Map<string, number>>();

/** The lowest free address within `prefixes` since the one that was given out last, or, when there is none, of all. Undefined: all are taken. */
export function freeAddress(objects: Objects, network: Stored<'virtual-network'>, prefixes: readonly Prefix[]): string | undefined {
  let ofThese = hints.get(objects);
  if (!ofThese) hints.set(objects, ofThese = new Map());
  const subnets = subnetsOf(network, objects);
  for (const prefix of prefixes) {
    // A pool's prefix may be a part of a subnet; the subnet says whose addresses these are, and which are no host's.
    const subnet = subnets.find((each) => contains(each.prefix, prefix.address));
    if (!subnet) continue;
    const owner = subnet.ipam || network.name;
    const [own, whole] = [hostsOf(prefix), hostsOf(subnet.prefix)];
    const inner = prefix.length > subnet.prefix.length;
    const first = inner ? Math.max(prefix.address, whole.first) : own.first;
    const last = inner ? Math.min(prefix.address + 2 ** (32 - prefix.length) - 1, whole.last) : own.last;
    const hint = `${owner} ${first}`;
    const search = (from: number): number | undefined => {
      for (let address = from; address <= last; address++) if (!objects.isClaimed({ kind: 'address', owner, value: address })) return address;
      return undefined;
    };
    const found = search(Math.max(first, ofThese.get(hint) ?? 0)) ?? search(first);
    if (found === undefined) continue;
    ofThese.set(hint, found + 1);
    return formatAddress(found);
  }
  return undefined;
}

/** The IPAM that an address of a network belongs to, '' = the network itself. */
export function ipamOf(objects: Objects, network: Stored<'virtual-network'> | undefined, address: number | undefined): string {
  return network && address !== undefined ? subnetOf(address, subnetsOf(network, objects))?.ipam ?? '' : '';
}
