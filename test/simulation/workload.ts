/** What operators ask for: random transactions over few names, so that they meet; valid ones, and many that must be refused. */
import type { Operation } from '../../proto/config.ts';
import type { Random } from '../generate/random.ts';
import { create, deletion, put, update, type DraftObject } from '../unit/controller/objects.ts';

const P = 'default-domain:p';
const NETWORKS = ['red', 'blue', 'public'].map((name) => `${P}:${name}`);
const INTERFACES = ['a', 'b', 'c', 'd', 'e', 'f'].map((name) => `${P}:${name}`);
const TARGETS = ['target:64512:1', 'target:64512:2', 'target:64512:3'];
const router = (appliance: string): string => `default-global-system-config:${appliance}`;
/** Of these appliances a gateway's name begins with g. */
export const APPLIANCES = ['c1', 'c2', 'c3', 'g1'] as const;
const COMPUTES = APPLIANCES.slice(0, 3).map(router);
const GATEWAY = router('g1');

const network = (at: number, more: DraftObject['virtualNetwork'] = {}): DraftObject => ({ name: NETWORKS[at]!, virtualNetwork: { subnets: [{ prefix: `10.${at}.0.0/24` }], routeTargets: [TARGETS[at]!], ...more } });
const compute = (at: number, mtu = 0, subnet = 1): DraftObject => ({
  name: COMPUTES[at]!, virtualRouter: { kind: 'COMPUTE', profile: 'virtual', fabric: { port: 'f', address: `192.168.${subnet}.${10 + at}/24`, gateway: `192.168.${subnet}.1`, mac: '02:00:00:00:00:01', mtu } },
});
const gateway = (targets: readonly string[], networks: readonly string[], route: boolean, vlan: boolean): DraftObject => ({
  name: GATEWAY, virtualRouter: {
    kind: 'GATEWAY', profile: 'virtual', fabric: { port: 'f', address: '192.168.1.200/24', mac: '02:00:00:00:00:02' },
    routingInstances: [{ name: 'internet', routeTargets: targets, virtualNetworks: networks, staticRoutes: route ? [{ prefix: '0.0.0.0/0', nextHop: '203.0.113.9' }] : [] }, ...vlan ? [{ name: 'second', routeTargets: targets.slice(1) }] : []],
    externalInterfaces: [
      { name: 'e', port: 'e', address: '203.0.113.1/24', mac: '02:00:00:00:00:03', routingInstance: 'internet' },
      ...vlan ? [{ name: 'v', address: '198.51.100.1/24', mac: '02:00:00:00:00:04', routingInstance: 'second', vlan: 7, parent: 'e' }] : [],
    ],
  },
});
const placed = (at: number, its: number, host: string): DraftObject =>
  ({ name: INTERFACES[at]!, virtualMachineInterface: { virtualNetwork: NETWORKS[its]!, virtualRouter: host, port: host ? `tap${at}` : '' } });

/** The state that all begins with: in it, much can happen. */
export const BEGINNING: readonly Operation[] = [
  put({ name: P, project: {} }),
  ...NETWORKS.map((_, at) => put(network(at))),
  ...NETWORKS.map((name) => put({ name: `${name}:pool`, floatingIpPool: {} })),
  ...COMPUTES.map((_, at) => put(compute(at))),
  put(gateway([TARGETS[2]!], [], true, false)),
  ...INTERFACES.slice(0, 4).map((_, at) => put(placed(at, at % 2, COMPUTES[at % 3]!))),
  ...INTERFACES.slice(0, 4).map((name, at) => put({ name: `ip-${at}`, instanceIp: { address: `10.${at % 2}.0.${at + 1}`, virtualNetwork: NETWORKS[at % 2]!, virtualMachineInterfaces: [name] } })),
];

/** One transaction; `versionOf` says what its author believes that an object's version is. */
export function transaction(random: Random, versionOf: (id: string) => number): Operation[] {
  return Array.from({ length: random.chance(70) ? 1 : random.between(2, 5) }, () => operation(random, versionOf));
}

function operation(random: Random, versionOf: (id: string) => number): Operation {
  const some = <T>(values: readonly T[]): T[] => values.filter(() => random.chance(40));
  const index = (values: readonly unknown[]): number => random.below(values.length);
  const which = random.below(100);
  if (which < 22) return change(random, versionOf, 'virtual-machine-interface', placed(index(INTERFACES), index(NETWORKS), random.pick([...COMPUTES, ''])));
  if (which < 42) return change(random, versionOf, 'instance-ip', address(random, some(INTERFACES)));
  if (which < 62) return change(random, versionOf, 'floating-ip', floating(random, some(INTERFACES)));
  if (which < 68) {
    return change(random, versionOf, 'virtual-network', network(index(NETWORKS), {
      routeTargets: some(TARGETS), importRouteTargets: some(TARGETS), external: random.chance(50), mssClamp: random.pick([0, 1300]),
      // Not all that is in use lies within: then it is refused.
      ...random.chance(10) ? { subnets: [{ prefix: '10.9.0.0/24' }] } : {},
    }));
  }
  if (which < 72) return change(random, versionOf, 'virtual-router', compute(index(COMPUTES), random.pick([0, 1700]), random.pick([1, 2])));
  if (which < 77) return change(random, versionOf, 'virtual-router', gateway(some(TARGETS), some(NETWORKS), random.chance(50), random.chance(50)));
  if (which < 81) return change(random, versionOf, 'route-table', table(random));
  if (which < 83) return put({ name: `${random.pick(NETWORKS)}:pool`, floatingIpPool: {} });
  switch (random.below(7)) {
    case 0: return deletion('virtual-machine-interface', random.pick(INTERFACES));
    case 1: return deletion('instance-ip', `ip-${random.below(6)}`);
    case 2: case 3: return deletion('floating-ip', `${random.pick(NETWORKS)}:pool:f${random.below(3)}`);
    case 4: return deletion('virtual-router', random.pick([...COMPUTES, GATEWAY]));
    case 5: return deletion('virtual-network', random.pick(NETWORKS));
    default: return deletion('route-table', `${P}:t${random.below(2)}`);
  }
}

/** Mostly whatever is there; sometimes only what is new, or what is as its author has seen it. */
function change(random: Random, versionOf: (id: string) => number, kind: string, object: DraftObject): Operation {
  if (random.chance(75)) return put(object);
  if (random.chance(20)) return create(object);
  return update({ ...object, version: versionOf(`${kind} ${object.name}`) });
}

function address(random: Random, interfaces: readonly string[]): DraftObject {
  const [number, its] = [random.below(6), random.below(NETWORKS.length)];
  return { name: `ip-${number}`, instanceIp: { address: random.chance(30) ? '' : `10.${its}.0.${number + 1}`, virtualNetwork: NETWORKS[its]!, virtualMachineInterfaces: interfaces } };
}

function floating(random: Random, interfaces: readonly string[]): DraftObject {
  const [number, its] = [random.below(3), random.below(NETWORKS.length)];
  return {
    name: `${NETWORKS[its]!}:pool:f${number}`,
    floatingIp: { address: random.chance(30) ? '' : `10.${its}.0.${100 + number}`, virtualMachineInterfaces: interfaces, direction: random.pick(['DIRECTION_BOTH', 'DIRECTION_EGRESS'] as const) },
  };
}

function table(random: Random): DraftObject {
  const prefixes = Buffer.concat([3, 4, 5, 6, 7, 8].filter(() => random.chance(50)).map((number) => Buffer.from([10, 0, 0, number, 32])));
  const mixed = random.chance(50);
  return {
    name: `${P}:t${random.below(2)}`, routeTable: {
      virtualNetwork: random.pick(NETWORKS), prefixes,
      nextHops: [random.chance(60) ? { gateways: [{ virtualRouter: GATEWAY, routingInstance: 'internet' }] } : { discard: true }, ...mixed ? [{ virtualMachineInterface: random.pick(INTERFACES) }] : []],
      nextHopIndex: mixed ? Buffer.from(Array.from({ length: prefixes.length / 5 }, (_, at) => at % 2)) : Buffer.alloc(0),
    },
  };
}
