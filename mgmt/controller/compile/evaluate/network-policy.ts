/**
 * Policies between networks, as route exchange: a network's VRF imports the own target of every network that both allow. Routes
 * bear that target whatever else they bear, so nothing of a third network comes along.
 */
import type { Stored } from '../../model/kinds.ts';
import type { ObjectView } from '../../model/objects.ts';
import { LOCAL } from '../../model/references.ts';

/** Networks whose routes a network takes, and that take its own; sorted. */
export function partnersOf(network: Stored<'virtual-network'>, view: ObjectView): string[] {
  const candidates = new Set(policiesOf(network, view).flatMap((policy) => allowedBy(policy, network.name, view)));
  return [...candidates].filter((name) => {
    const other = view.get('virtual-network', name);
    return other && policiesOf(other, view).some((policy) => allowedBy(policy, name, view).includes(network.name));
  }).sort();
}

const policiesOf = (network: Stored<'virtual-network'>, view: ObjectView): Stored<'network-policy'>[] =>
  network.spec.networkPolicies.flatMap((name) => view.get('network-policy', name) ?? []);

/** Networks that a policy allows to one that it is attached to. */
function allowedBy(policy: Stored<'network-policy'>, network: string, view: ObjectView): string[] {
  return policy.spec.rules.flatMap(({ source, destination }) => [
    ...means(source, network) ? networksOf(destination, policy, view) : [],
    ...means(destination, network) ? networksOf(source, policy, view) : [],
  ]).filter((name) => name !== network);
}

const means = (side: string, network: string): boolean => side === LOCAL || side === network;

function networksOf(side: string, policy: Stored<'network-policy'>, view: ObjectView): string[] {
  if (side !== LOCAL) return [side];
  return view.usersOfKind('virtual-network', 'network-policy', policy.name).map(({ name }) => name);
}
