/** A virtual-machine interface: its record, its label, the ways to its addresses, its floating IPs. */
import { FIPD_BOTH, FIPD_EGRESS, FIPD_INGRESS, IFF_PROXY_ARP, IFF_SOURCE_CHECK, IFF_UP, IFK_WORKLOAD } from '../../../../wasm-core/layout.ts';
import { FLD_PERMIT } from '../../../../wasm-core/records.ts';
import type { Direction } from '../../../../proto/config.ts';
import { keyOf, maskOf, parseAddress, parseMac, prefixKey } from '../../model/address.ts';
import { idOf, parentName, type Kind, type Stored } from '../../model/kinds.ts';
import type { ObjectView } from '../../model/objects.ts';
import { subnetOf, subnetsOf } from '../../model/subnets.ts';
import type { Numbering } from '../../routing/numbering.ts';
import { ComposedPath } from '../path.ts';
import { NOTHING, PREFERENCE, type Contribution, type FloatingElement, type Nexthop, type Path } from '../types.ts';
import { exportsOf, vrfOfNetwork } from './network.ts';
import { podOf } from './pod.ts';
import { applianceOf, tunnelAddressOf } from './virtual-router.ts';

/** What every workload sees as its gateway's MAC (VRRP's, RFC 5798, as Contrail uses it). */
const GATEWAY_MAC = 0x00005e000100;
const DEFAULT_MTU = 1500;
const DIRECTIONS: { readonly [D in Direction]: number } = { DIRECTION_BOTH: FIPD_BOTH, DIRECTION_INGRESS: FIPD_INGRESS, DIRECTION_EGRESS: FIPD_EGRESS };

export const interfaceKey = (name: string): string => idOf('virtual-machine-interface', name);

/** Everything that others need to reach an interface; undefined while it has no place or no address. */
export interface Workload {
  /** interfaceKey of it. */
  readonly key: string;
  readonly vmi: Stored<'virtual-machine-interface'>;
  readonly network: Stored<'virtual-network'>;
  readonly appliance: string;
  readonly tunnelAddress: number;
  readonly label: number;
  readonly nexthop: Nexthop;
  readonly addresses: readonly Stored<'instance-ip'>[];
}

export function workloadOf(name: string, view: ObjectView, numbering: Numbering): Workload | undefined {
  const vmi = view.get('virtual-machine-interface', name);
  const network = vmi && view.get('virtual-network', vmi.spec.virtualNetwork);
  const router = vmi && view.get('virtual-router', vmi.spec.virtualRouter);
  const mac = vmi && parseMac(vmi.spec.mac);
  const tunnelAddress = router && tunnelAddressOf(router);
  if (!vmi || !network || !router || mac === undefined || tunnelAddress === undefined) return undefined;
  const addresses = usersOf('instance-ip', name, view);
  if (addresses.length === 0) return undefined;
  const appliance = applianceOf(router);
  const key = interfaceKey(name);
  return { key, vmi, network, appliance, tunnelAddress, label: numbering.take(appliance, 'label', key), nexthop: { kind: 'workload', interface: key, mac }, addresses };
}

export function evaluateInterface(name: string, view: ObjectView, numbering: Numbering): Contribution {
  const workload = workloadOf(name, view, numbering);
  if (!workload) return NOTHING;
  const { key, vmi, network, appliance, addresses, label, nexthop } = workload;
  const vrf = vrfOfNetwork(network);
  const primary = parseAddress(addresses[0]!.spec.address)!;
  const subnet = subnetOf(primary, subnetsOf(network, view));
  const paths = addresses.map((ip) => workloadPath(workload, prefixKey(parseAddress(ip.spec.address)!, 32), exportsOf(network, view, numbering), PREFERENCE.workload, vrf, false, idOf('instance-ip', ip.name)));
  for (const { name: owner, spec } of usersOf('virtual-network', name, view)) {
    for (const route of spec.staticRoutes) {
      if (route.virtualMachineInterface === name) paths.push(workloadPath(workload, keyOf(route.prefix), exportsOf(network, view, numbering), PREFERENCE.static, vrf, false, idOf('virtual-network', owner)));
    }
  }
  const floating: FloatingElement[] = addresses.slice(1).map((ip) => {
    const address = parseAddress(ip.spec.address)!;
    return { name: '', public: address, private: address, vrf, interface: key, direction: FLD_PERMIT, order: 0 };
  });

  const fips = usersOf('floating-ip', name, view).flatMap((fip) => {
    const its = view.get('virtual-network', parentName(parentName(fip.name)));
    return its ? [{ fip, network: its, vrf: vrfOfNetwork(its) }] : [];
  });
  const ranks = [...new Set(fips.map((each) => each.vrf))].sort();
  for (const { fip, network: its, vrf: itsVrf } of fips) {
    const address = parseAddress(fip.spec.address)!;
    const fixed = parseAddress(fip.spec.fixedAddress) ?? primary;
    floating.push({ name: fip.name, public: address, private: fixed, vrf: itsVrf, interface: key, direction: DIRECTIONS[fip.spec.direction], order: ranks.indexOf(itsVrf) });
    // Egress only: nobody may come in by it, but answers must find their way back, so the way is the same.
    paths.push(workloadPath(workload, prefixKey(address, 32), exportsOf(its, view, numbering), PREFERENCE.workload, itsVrf, true, idOf('floating-ip', fip.name)));
  }
  const mtu = network.spec.mtu || DEFAULT_MTU;
  const pod = podOf(vmi, network, addresses, mtu, view);
  return {
    ...NOTHING,
    appliance,
    vrfs: [vrf, ...ranks.filter((each) => each !== vrf)],
    interfaces: [{
      key, name, port: vmi.spec.port, kind: IFK_WORKLOAD, flags: IFF_UP | IFF_SOURCE_CHECK | IFF_PROXY_ARP, vlan: 0, vrf, mac: GATEWAY_MAC,
      mtu, address: subnet?.gateway ?? 0, mask: subnet ? maskOf(subnet.prefix.length) : 0, workload: primary, parent: '', ...(pod && { pod }),
    }],
    labels: [{ key, label, nexthop }],
    floating,
    paths,
  };
}

/** A way to an address behind an interface. */
export function workloadPath(workload: Workload, prefix: number, targets: readonly string[], preference: number, vrf: string, floating: boolean, source: string): Path {
  const { appliance, tunnelAddress, label, nexthop } = workload;
  return new ComposedPath({ prefix, targets, preference, appliance, nexthop, tunnelAddress, label, vrf, floating, source });
}

/** Objects of a kind that refer to the interface, by name: the first instance IP is the primary one. */
function usersOf<K extends Kind>(kind: K, name: string, view: ObjectView): Stored<K>[] {
  return view.usersOfKind(kind, 'virtual-machine-interface', name).sort((one, other) => (one.name < other.name ? -1 : 1));
}
