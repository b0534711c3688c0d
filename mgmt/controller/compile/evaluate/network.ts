/** A virtual network: the settings of its VRF, and routes that every VRF has which imports it. */
import { LPM_DIR24, LPM_POPTRIE, VRFF_EXTERNAL, VRFF_RPF } from '../../../../wasm-core/layout.ts';
import type { VrfKind } from '../../../../proto/config.ts';
import { keyOf, networkOf, prefixKey } from '../../model/address.ts';
import { asnOf } from '../../model/defaults.ts';
import { idOf, lastName, type Stored } from '../../model/kinds.ts';
import type { ObjectView } from '../../model/objects.ts';
import { once } from '../../model/once.ts';
import { subnetsOf } from '../../model/subnets.ts';
import type { Numbering } from '../../routing/numbering.ts';
import { routeTarget } from '../../routing/route-target.ts';
import { ComposedPath } from '../path.ts';
import { NOTHING, PREFERENCE, vrfTarget, type Contribution, type Nexthop, type Path } from '../types.ts';
import { partnersOf } from './network-policy.ts';

/** Contrail's routing instance of a network: <network>:<its last part>. */
export const vrfOfNetwork = once(({ name }: Stored<'virtual-network'>): string => `${name}:${lastName(name)}`);

export const lpmKind = (kind: VrfKind): number => ({ VRF_KIND_AUTO: 0, VRF_KIND_DIR24: LPM_DIR24, VRF_KIND_POPTRIE: LPM_POPTRIE })[kind];

/** The target that every network has by itself. */
const ownTarget = (network: string, view: ObjectView, numbering: Numbering): string => routeTarget(asnOf(view), numbering.take('', 'route-target', network));

/** One list per version of a network, which all of its paths share; with the own target that it was made with. */
const exported = new WeakMap<object, { readonly own: string; readonly targets: readonly string[] }>();

/** Targets under which a network's routes travel. */
export function exportsOf(network: Stored<'virtual-network'>, view: ObjectView, numbering: Numbering): readonly string[] {
  const own = ownTarget(network.name, view, numbering);
  const known = exported.get(network);
  if (known?.own === own) return known.targets;
  const targets = [...new Set([own, ...network.spec.routeTargets, ...network.spec.exportRouteTargets])].sort();
  exported.set(network, { own, targets });
  return targets;
}

/** Targets whose routes a network's VRF takes, policies aside. */
export function importsOf(network: Stored<'virtual-network'>, view: ObjectView, numbering: Numbering): string[] {
  return [...new Set([ownTarget(network.name, view, numbering), ...network.spec.routeTargets, ...network.spec.importRouteTargets])].sort();
}

/** Targets of the networks that policies let it exchange routes with: only its own VRF imports these, not a gateway in its name. */
function partnerTargets(network: Stored<'virtual-network'>, view: ObjectView, numbering: Numbering): string[] {
  return partnersOf(network, view).map((partner) => ownTarget(partner, view, numbering));
}

/** A path that is local wherever it is imported. */
export function localPath(prefix: number, targets: readonly string[], preference: number, nexthop: Nexthop, source: string, appliance = ''): Path {
  return new ComposedPath({ prefix, targets, preference, appliance, nexthop, tunnelAddress: 0, label: 0, vrf: '', floating: false, source });
}

export function evaluateNetwork(name: string, view: ObjectView, numbering: Numbering): Contribution {
  const network = view.get('virtual-network', name);
  if (!network) return NOTHING;
  const vrf = vrfOfNetwork(network);
  const source = idOf('virtual-network', name);
  const paths: Path[] = [];
  for (const { prefix, gateway } of subnetsOf(network, view)) {
    if (gateway === undefined) continue;
    // Addresses that nobody has end here, in every VRF that knows the network: they must not follow a default route.
    paths.push(localPath(prefixKey(networkOf(prefix), prefix.length), exportsOf(network, view, numbering), PREFERENCE.subnet, { kind: 'discard' }, source));
    paths.push(localPath(prefixKey(gateway, 32), [vrfTarget(vrf)], PREFERENCE.connected, { kind: 'receive' }, source));
  }
  // Those that lead to an interface are the interface's.
  for (const route of network.spec.staticRoutes) {
    if (route.discard) paths.push(localPath(keyOf(route.prefix), exportsOf(network, view, numbering), PREFERENCE.static, { kind: 'discard' }, source));
  }
  return {
    ...NOTHING,
    settings: [{
      name: vrf,
      imports: [...new Set([...importsOf(network, view, numbering), ...partnerTargets(network, view, numbering)])].sort(),
      flags: VRFF_RPF | (network.spec.external ? VRFF_EXTERNAL : 0),
      kind: lpmKind(network.spec.vrfKind),
      mss: network.spec.mssClamp,
    }],
    paths,
  };
}
