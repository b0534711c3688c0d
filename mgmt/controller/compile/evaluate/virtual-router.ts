/** An appliance: its underlay, and a gateway's VRFs with their plain sides. */
import { IFF_PROXY_ARP, IFF_RPF, IFF_UP, IFK_EXTERNAL, IFK_FABRIC, VRFF_RPF } from '../../../../wasm-core/layout.ts';
import { keyOf, maskOf, networkOf, parseAddress, parseMac, parsePrefix, prefixKey } from '../../model/address.ts';
import { applianceName, idOf, type Stored } from '../../model/kinds.ts';
import type { ObjectView } from '../../model/objects.ts';
import { once } from '../../model/once.ts';
import type { Numbering } from '../../routing/numbering.ts';
import type { RoutingInstance } from '../../../../proto/config.ts';
import { ComposedPath } from '../path.ts';
import { instanceTarget, NOTHING, PREFERENCE, type Contribution, type InterfaceElement, type LabelElement, type Path, type VrfSettings } from '../types.ts';
import { exportsOf, importsOf, localPath, lpmKind } from './network.ts';

/** Contrail's name of the underlay's VRF, which is number 0 everywhere. */
export const FABRIC_VRF = 'default-domain:default-project:ip-fabric:__default__';
export const FABRIC_KEY = 'fabric';
const DEFAULT_MTU = 1500;

/** Tunnels end on the fabric address. */
export const tunnelAddressOf = once((router: Stored<'virtual-router'>): number | undefined => parsePrefix(router.spec.fabric?.address ?? '')?.address);

export const applianceOf = once((router: Stored<'virtual-router'>): string => applianceName(router.name));

export const vrfOfInstance = (router: string, instance: string): string => `${router}:${instance}`;
const externalKey = (name: string): string => `external ${name}`;
const labelKey = (instance: string): string => `routing-instance ${instance}`;

export function evaluateVirtualRouter(name: string, view: ObjectView, numbering: Numbering): Contribution {
  const router = view.get('virtual-router', name);
  const fabric = parsePrefix(router?.spec.fabric?.address ?? '');
  if (!router || !fabric) return NOTHING;
  const appliance = applianceName(name);
  const parts = router.spec.routingInstances.map((instance) => evaluateInstance(router, instance, view, numbering));
  return {
    appliance,
    underlay: { address: fabric.address, length: fabric.length, gateway: parseAddress(router.spec.fabric!.gateway) ?? 0, mtu: router.spec.fabric!.mtu || DEFAULT_MTU, isGateway: router.spec.kind === 'GATEWAY' },
    settings: parts.map((part) => part.settings),
    vrfs: [FABRIC_VRF, ...parts.map((part) => part.settings.name)],
    interfaces: [fabricInterface(router), ...externalInterfaces(router)],
    labels: parts.map((part) => part.label),
    floating: [],
    paths: [...fabricPaths(router), ...externalPaths(router), ...parts.flatMap((part) => part.paths)],
  };
}

/** The way to a gateway's routing instance, as computes and route tables take it. */
export function gatewayPath(router: Stored<'virtual-router'>, instance: string, prefix: number, targets: readonly string[], preference: number, source: string, numbering: Numbering): Path {
  const appliance = applianceName(router.name);
  const tunnelAddress = tunnelAddressOf(router) ?? 0;
  const label = numbering.take(appliance, 'label', labelKey(instance));
  const nexthop = { kind: 'vrf', vrf: vrfOfInstance(router.name, instance) } as const;
  return new ComposedPath({ prefix, targets, preference, appliance, nexthop, tunnelAddress, label, vrf: nexthop.vrf, floating: false, source });
}

function evaluateInstance(router: Stored<'virtual-router'>, instance: RoutingInstance, view: ObjectView, numbering: Numbering): { settings: VrfSettings; label: LabelElement; paths: Path[] } {
  const vrf = vrfOfInstance(router.name, instance.name);
  const appliance = applianceName(router.name);
  const networks = instance.virtualNetworks.flatMap((each) => view.get('virtual-network', each) ?? []);
  const imports = new Set([...instance.routeTargets, ...instance.importRouteTargets, ...networks.flatMap((network) => exportsOf(network, view, numbering))]);
  const exports = new Set([...instance.routeTargets, ...instance.exportRouteTargets, ...networks.flatMap((network) => importsOf(network, view, numbering))]);
  const source = idOf('virtual-router', router.name);
  const own = [instanceTarget(appliance, vrf)];
  const advertised = instance.advertise.length > 0 ? instance.advertise : ['0.0.0.0/0'];
  const paths = exports.size === 0 ? [] : advertised.map((prefix) => gatewayPath(router, instance.name, keyOf(prefix), [...exports].sort(), PREFERENCE.gateway, source, numbering));
  for (const route of instance.staticRoutes) {
    const address = parseAddress(route.nextHop)!;
    const external = router.spec.externalInterfaces.find((each) => {
      const subnet = parsePrefix(each.address);
      return each.routingInstance === instance.name && subnet && networkOf(subnet) === networkOf({ address, length: subnet.length });
    });
    if (external) paths.push(localPath(keyOf(route.prefix), own, PREFERENCE.static, { kind: 'router', interface: externalKey(external.name), address }, source, appliance));
  }
  return {
    settings: { name: vrf, imports: [...imports].sort(), flags: VRFF_RPF, kind: lpmKind(instance.vrfKind), mss: 0 },
    label: { key: labelKey(instance.name), label: numbering.take(appliance, 'label', labelKey(instance.name)), nexthop: { kind: 'vrf', vrf } },
    paths,
  };
}

function fabricInterface(router: Stored<'virtual-router'>): InterfaceElement {
  const fabric = router.spec.fabric!;
  const { address, length } = parsePrefix(fabric.address)!;
  return {
    key: FABRIC_KEY, name: FABRIC_KEY, port: fabric.port, kind: IFK_FABRIC, flags: IFF_UP, vlan: 0, vrf: FABRIC_VRF, mac: parseMac(fabric.mac)!,
    mtu: fabric.mtu || DEFAULT_MTU, address, mask: maskOf(length), workload: 0, parent: '',
  };
}

function externalInterfaces(router: Stored<'virtual-router'>): InterfaceElement[] {
  return router.spec.externalInterfaces.map((external) => {
    const { address, length } = parsePrefix(external.address)!;
    return {
      key: externalKey(external.name), name: external.name, port: external.port, kind: IFK_EXTERNAL, flags: IFF_UP | IFF_PROXY_ARP | (external.rpf ? IFF_RPF : 0),
      vlan: external.vlan, vrf: vrfOfInstance(router.name, external.routingInstance), mac: parseMac(external.mac)!, mtu: external.mtu || DEFAULT_MTU,
      address, mask: maskOf(length), workload: 0,
      parent: external.parent === '' ? '' : external.parent === FABRIC_KEY ? FABRIC_KEY : externalKey(external.parent),
    };
  });
}

/** Connected subnet and own address of an interface. */
function connected(text: string, key: string, targets: readonly string[], source: string, appliance: string): Path[] {
  const prefix = parsePrefix(text)!;
  const own = localPath(prefixKey(prefix.address, 32), targets, PREFERENCE.connected, { kind: 'receive' }, source, appliance);
  if (prefix.length === 32) return [own];
  return [own, localPath(prefixKey(networkOf(prefix), prefix.length), targets, PREFERENCE.connected, { kind: 'resolve', interface: key }, source, appliance)];
}

function fabricPaths(router: Stored<'virtual-router'>): Path[] {
  const fabric = router.spec.fabric!;
  const appliance = applianceName(router.name);
  const targets = [instanceTarget(appliance, FABRIC_VRF)];
  const source = idOf('virtual-router', router.name);
  const gateway = parseAddress(fabric.gateway);
  return [
    ...connected(fabric.address, FABRIC_KEY, targets, source, appliance),
    ...(gateway === undefined ? [] : [localPath(prefixKey(0, 0), targets, PREFERENCE.static, { kind: 'router', interface: FABRIC_KEY, address: gateway }, source, appliance)]),
  ];
}

function externalPaths(router: Stored<'virtual-router'>): Path[] {
  const appliance = applianceName(router.name);
  return router.spec.externalInterfaces.flatMap((external) => connected(external.address, externalKey(external.name),
    [instanceTarget(appliance, vrfOfInstance(router.name, external.routingInstance))], idOf('virtual-router', router.name), appliance));
}

/** Next hop of a route table towards a router on one of the gateway's plain sides. */
export function routerPath(router: Stored<'virtual-router'>, instance: string, address: number, source: string): Path | undefined {
  const external = router.spec.externalInterfaces.find((each) => {
    const subnet = parsePrefix(each.address);
    return each.routingInstance === instance && subnet && networkOf(subnet) === networkOf({ address, length: subnet.length });
  });
  return external && localPath(0, [], PREFERENCE.static, { kind: 'router', interface: externalKey(external.name), address }, source, applianceName(router.name));
}
