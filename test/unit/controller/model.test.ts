// The rules of the objects: what is refused names object, field, rule and what would be right, and leaves nothing behind.
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { chapter } from '../../../examples/chapter.ts';
import { Objects } from '../../../mgmt/controller/model/objects.ts';
import { Refusal } from '../../../mgmt/controller/model/refusal.ts';
import { withoutSecrets } from '../../../mgmt/controller/model/secrets.ts';
import { stage } from '../../../mgmt/controller/model/transaction.ts';
import type { Operation } from '../../../proto/config.ts';
import { create, deletion, put, update, type DraftObject } from './objects.ts';

const USER = 'default-domain:k8s-ns-user-1';
const NETWORK = `${USER}:k8s-vn-ns-default-pod-network`;
const PODS = 'default-domain:k8s-default:k8s-default-pod-network';
const POOL = `${NETWORK}:pool-ns-default`;
const COMPUTE = 'default-global-system-config:compute-1';
const GATEWAY = 'default-global-system-config:gateway-1';

function fresh(): Objects {
  const objects = new Objects();
  stage(objects, chapter().map(put), 1);
  return objects;
}
const text = (objects: Objects): string => JSON.stringify((['project', 'virtual-network', 'floating-ip-pool', 'floating-ip', 'virtual-machine-interface', 'instance-ip', 'virtual-router', 'route-table'] as const).map((kind) => [...objects.all(kind)].sort((a, b) => (a.name < b.name ? -1 : 1))));

function refusal(objects: Objects, operations: Operation[]): Refusal {
  const before = text(objects);
  try {
    stage(objects, operations, 2);
  } catch (error) {
    assert.is(text(objects), before, 'a refused transaction leaves everything as it was');
    assert.instance(error, Refusal);
    return error as Refusal;
  }
  throw new Error('the transaction was accepted');
}

const network = (spec: NonNullable<DraftObject['virtualNetwork']>): DraftObject => ({ name: `${USER}:n`, virtualNetwork: spec });
const ipam = (spec: NonNullable<DraftObject['networkIpam']>): DraftObject => ({ name: `${USER}:i`, networkIpam: spec });
const vmi = (spec: NonNullable<DraftObject['virtualMachineInterface']>, name = `${USER}:v`): DraftObject => ({ name, virtualMachineInterface: { virtualNetwork: PODS, ...spec } });
const service = (spec: NonNullable<DraftObject['floatingIp']>): DraftObject => ({
  name: `${POOL}:x`, floatingIp: { direction: 'DIRECTION_INGRESS', virtualMachineInterfaces: [`${USER}:pod-1`, `${USER}:pod-2`], portMappingsEnable: true, portMappings: [{ protocol: 'TCP', srcPort: 80, dstPort: 8080 }], ...spec },
});
const router = (spec: NonNullable<DraftObject['virtualRouter']>): DraftObject => ({ name: 'default-global-system-config:r', virtualRouter: { kind: 'GATEWAY', profile: 'virtual', fabric: { port: 'f', address: '10.9.9.9/24', mac: '02:00:00:00:00:09' }, ...spec } });
const packed = (...prefixes: [number, number, number, number, number][]): Buffer => Buffer.from(prefixes.flat());
const table = (spec: NonNullable<DraftObject['routeTable']>): DraftObject => ({ name: `${USER}:t`, routeTable: { virtualNetwork: NETWORK, nextHops: [{ discard: true }], ...spec } });

const BGP = 'default-domain:default-project:ip-fabric:__default__';
const bgp = (spec: NonNullable<DraftObject['bgpRouter']>, name = 'r'): DraftObject => ({ name: `${BGP}:${name}`, bgpRouter: { kind: 'ROUTER', address: '192.168.0.204', ...spec } });
const vrouters = (spec: NonNullable<DraftObject['globalVrouterConfig']>): DraftObject => ({ name: 'default-global-system-config:default-global-vrouter-config', globalVrouterConfig: spec });

/** Rule, field, an object that breaks it, and a word of what would be right. */
const RULES: [string, string, DraftObject, RegExp][] = [
  ['NAME', 'name', { name: 'nonsense', project: {} }, /<domain>:<project>/],
  ['NAME', 'name', { name: `${USER}:a b`, virtualNetwork: {} }, /without blanks/],
  ['REFERENCE', 'name', { name: 'default-domain:nobody:n', virtualNetwork: {} }, /no project default-domain:nobody/],
  ['PREFIX', 'virtual_network.subnets[0].prefix', network({ subnets: [{ prefix: '10.0.0/8' }] }), /like 101/],
  ['PREFIX_HOST_BITS', 'virtual_network.subnets[0].prefix', network({ subnets: [{ prefix: '10.0.0.1/24' }] }), /leave them zero/],
  ['SUBNET_LENGTH', 'virtual_network.subnets[0].prefix', network({ subnets: [{ prefix: '10.0.0.0/31' }] }), /\/8 to \/30/],
  ['GATEWAY_OUTSIDE_SUBNET', 'virtual_network.subnets[0].gateway', network({ subnets: [{ prefix: '10.0.0.0/24', gateway: '10.0.1.1' }] }), /10\.0\.0\.1 to 10\.0\.0\.254/],
  ['SUBNETS_OVERLAP', 'virtual_network.subnets[1].prefix', network({ subnets: [{ prefix: '10.0.0.0/8' }, { prefix: '10.1.0.0/16' }] }), /disjoint/],
  ['ROUTE_TARGET', 'virtual_network.route_targets[0]', network({ routeTargets: ['target:64512:99999999999'] }), /32-bit/],
  ['ROUTE_TARGET', 'virtual_network.export_route_targets[0]', network({ exportRouteTargets: ['target:70000:70000'] }), /16-bit/],
  ['DUPLICATE', 'virtual_network.route_targets[1]', network({ routeTargets: ['target:1:1', 'target:1:1'] }), /once is enough/],
  ['RANGE', 'virtual_network.mss_clamp', network({ mssClamp: 20 }), /88 to 8960/],
  ['SUBNET_IN_USE', 'virtual_network.subnets', { name: PODS, virtualNetwork: { subnets: [{ prefix: '10.48.0.0/12' }] } }, /pod-1-ip/],
  ['POOL_OUTSIDE_NETWORK', 'floating_ip_pool.subnets[0]', { name: POOL, floatingIpPool: { subnets: ['101.101.102.0/24'] } }, /101\.101\.101\.0\/24/],
  ['ADDRESS_OUTSIDE_POOL', 'floating_ip.address', { name: `${POOL}:x`, floatingIp: { address: '101.101.102.1' } }, /101\.101\.101\.0\/24/],
  ['ADDRESS_OUTSIDE_POOL', 'floating_ip.address', { name: `${POOL}:x`, floatingIp: { address: '101.101.101.255' } }, /host address/],
  ['TAKEN', 'floating_ip.address', { name: `${POOL}:x`, floatingIp: { address: '101.101.101.3' } }, /belongs to floating-ip .*:pod-1/],
  ['TAKEN', 'floating_ip.address', { name: `${POOL}:x`, floatingIp: { address: '101.101.101.254' } }, /belongs to virtual-network/],
  ['DUPLICATE', 'floating_ip.virtual_machine_interfaces[1]', { name: `${POOL}:x`, floatingIp: { virtualMachineInterfaces: [`${USER}:pod-1`, `${USER}:pod-1`] } }, /twice/],
  ['FIXED_ADDRESS', 'floating_ip.fixed_address', { name: `${POOL}:x`, floatingIp: { fixedAddress: '10.32.0.99', virtualMachineInterfaces: [`${USER}:pod-1`] } }, /not an instance-ip/],
  ['PORT_MAPPINGS_DISABLED', 'floating_ip.port_mappings', service({ portMappingsEnable: false }), /set port_mappings_enable/],
  ['REQUIRED', 'floating_ip.port_mappings', service({ portMappings: [] }), /name the ports/],
  ['PORT_MAPPINGS_INGRESS', 'floating_ip.direction', service({ direction: 'DIRECTION_BOTH' }), /set DIRECTION_INGRESS/],
  ['PORT_MAPPINGS_INGRESS', 'floating_ip.direction', service({ direction: 'DIRECTION_EGRESS' }), /set DIRECTION_INGRESS/],
  ['REQUIRED', 'floating_ip.port_mappings[0].protocol', service({ portMappings: [{ srcPort: 80, dstPort: 8080 }] }), /TCP, UDP or SCTP/],
  ['PORT', 'floating_ip.port_mappings[0].src_port', service({ portMappings: [{ protocol: 'TCP', dstPort: 8080 }] }), /1 to 65535/],
  ['PORT', 'floating_ip.port_mappings[0].dst_port', service({ portMappings: [{ protocol: 'UDP', srcPort: 53, dstPort: 65536 }] }), /1 to 65535/],
  ['DUPLICATE', 'floating_ip.port_mappings[2]', service({ portMappings: [{ protocol: 'TCP', srcPort: 53, dstPort: 53 }, { protocol: 'UDP', srcPort: 53, dstPort: 53 }, { protocol: 'TCP', srcPort: 53, dstPort: 54 }] }), /TCP 53 is mapped by port_mappings\[0\]/],
  ['MAC', 'virtual_machine_interface.mac', vmi({ mac: '01:00:5e:00:00:01' }), /unicast MAC/],
  ['NAME', 'virtual_machine_interface.port', vmi({ virtualRouter: COMPUTE }), /placed interface needs one/],
  ['NOT_A_COMPUTE', 'virtual_machine_interface.virtual_router', vmi({ virtualRouter: GATEWAY, port: 'x' }), /kind COMPUTE/],
  ['TAKEN', 'virtual_machine_interface.port', vmi({ virtualRouter: COMPUTE, port: 'pod-1' }), /pod-1/],
  ['TAKEN', 'instance_ip.address', { name: 'x', instanceIp: { address: '10.32.0.3', virtualNetwork: PODS } }, /pod-1-ip/],
  ['ADDRESS_OUTSIDE_NETWORK', 'instance_ip.address', { name: 'x', instanceIp: { address: '10.0.0.3', virtualNetwork: PODS } }, /10\.32\.0\.0\/12/],
  ['OTHER_NETWORK', 'instance_ip.virtual_machine_interfaces[0]', { name: 'x', instanceIp: { address: '101.101.101.9', virtualNetwork: NETWORK, virtualMachineInterfaces: [`${USER}:pod-1`] } }, /is in .*k8s-default-pod-network/],
  ['OTHER_NETWORK', 'virtual_machine_interface.virtual_network', { name: `${USER}:pod-1`, virtualMachineInterface: { virtualNetwork: NETWORK, virtualRouter: COMPUTE, port: 'pod-1' } }, /instance-ip pod-1-ip/],
  ['REQUIRED', 'virtual_router.kind', router({ kind: 'KIND_UNKNOWN' }), /GATEWAY or COMPUTE/],
  ['INTERFACE_ADDRESS', 'virtual_router.fabric.address', router({ fabric: { port: 'f', address: '10.9.9.9', mac: '02:00:00:00:00:09' } }), /203\.0\.113\.1\/24/],
  ['TAKEN', 'virtual_router.fabric.address', router({ fabric: { port: 'f', address: '10.169.25.20/24', mac: '02:00:00:00:00:09' } }), /compute-1/],
  ['GATEWAY_OUTSIDE_SUBNET', 'virtual_router.fabric.gateway', router({ fabric: { port: 'f', address: '10.9.9.9/24', mac: '02:00:00:00:00:09', gateway: '10.9.8.1' } }), /underlay's subnet/],
  ['TUNNEL_ADDRESS', 'virtual_router.tunnel_address', router({ tunnelAddress: '192.0.2.1' }), /leave it empty/],
  ['FINGERPRINT', 'virtual_router.enrolment.certificates[0]', router({ enrolment: { certificates: ['AB:CD'] } }), /32 pairs/],
  ['NOT_A_GATEWAY', 'virtual_router.routing_instances', router({ kind: 'COMPUTE', routingInstances: [{ name: 'i' }] }), /for gateways/],
  ['REFERENCE', 'virtual_router.external_interfaces[0].routing_instance', router({ externalInterfaces: [{ name: 'e', port: 'e', address: '192.0.2.1/24', mac: '02:00:00:00:00:0a', routingInstance: 'i' }] }), /it has none/],
  ['NEXT_HOP_UNREACHABLE', 'virtual_router.routing_instances[0].static_routes[0].next_hop', router({ routingInstances: [{ name: 'i', staticRoutes: [{ prefix: '0.0.0.0/0', nextHop: '192.0.2.9' }] }] }), /no interface/],
  ['VLAN_PARENT', 'virtual_router.external_interfaces[0].parent', router({ routingInstances: [{ name: 'i' }], externalInterfaces: [{ name: 'e', vlan: 5, parent: 'nobody', address: '192.0.2.1/24', mac: '02:00:00:00:00:0a', routingInstance: 'i' }] }), /untagged external interface/],
  ['ONE_OF', 'route_table.virtual_network', table({ virtualNetwork: '' }), /exactly one/],
  ['ONE_OF', 'route_table.next_hops[0]', table({ nextHops: [{}] }), /exactly one/],
  ['PACKED', 'route_table.prefixes', table({ prefixes: Buffer.from([1, 2, 3]) }), /five for each prefix/],
  ['PREFIX_HOST_BITS', 'route_table.prefixes', table({ prefixes: packed([10, 0, 0, 1, 24]) }), /no bits beyond/],
  ['ORDER', 'route_table.prefixes', table({ prefixes: packed([10, 0, 1, 0, 24], [10, 0, 0, 0, 24]) }), /sort by address/],
  ['RANGE', 'route_table.next_hop_index', table({ prefixes: packed([10, 0, 0, 0, 24]), nextHopIndex: Buffer.from([3]) }), /1 entries/],
  ['NAME', 'name', { name: 'default-domain:p:ip-fabric:__default__:r', bgpRouter: {} }, /default-domain:default-project:ip-fabric:__default__:<router>/],
  ['REQUIRED', 'bgp_router.kind', bgp({ kind: 'KIND_UNKNOWN' }), /CONTROL_NODE/],
  ['RANGE', 'bgp_router.autonomous_system', bgp({ autonomousSystem: 23456 }), /without 23456/],
  ['ADDRESS', 'bgp_router.address', bgp({ address: '' }), /not an address/],
  ['UNKNOWN', 'bgp_router.address_families[1]', bgp({ addressFamilies: ['inet-vpn', 'vpnv4'] }), /inet-vpn, route-target/],
  ['RANGE', 'bgp_router.hold_time', bgp({ holdTime: 2 }), /3 to 65535/],
  ['AUTH_KEY', 'bgp_router.auth_key', bgp({ authKey: 'schlüssel' }), /printable ASCII/],
  ['AUTH_KEY', 'bgp_router.auth_key', bgp({ authKey: '(hidden)' }), /there is none/],
  ['NOT_A_ROUTER', 'bgp_router.auth_key', bgp({ kind: 'CONTROL_NODE', authKey: 'k' }), /set it on that router/],
  ['PEER_KIND', 'bgp_router.peers[0]', bgp({ peers: [`${BGP}:r`] }), /CONTROL_NODE/],
  ['REFERENCE', 'bgp_router.peers[0]', bgp({ peers: [`${BGP}:nobody`] }), /no bgp-router/],
  ['NAME', 'name', { name: 'other-system', globalSystemConfig: {} }, /default-global-system-config, parts/],
  ['RANGE', 'global_system_config.autonomous_system', { name: 'default-global-system-config', globalSystemConfig: { autonomousSystem: 23456 } }, /or 0 for the default/],
  ['NOT_REALISED', 'global_vrouter_config.encapsulation_priorities', vrouters({ encapsulationPriorities: ['VXLAN'] }), /only MPLSoGRE/],
  ['PREFIX_HOST_BITS', 'global_vrouter_config.dynamic_tunnel_networks[0]', vrouters({ dynamicTunnelNetworks: ['192.168.0.1/24'] }), /leave them zero/],
  ['REFERENCE', 'name', { name: 'elsewhere:p', project: {} }, /no domain elsewhere/],
  ['NAME', 'name', { name: 'default-global-system-config', domain: {} }, /appliances are under it/],
  ['SUBNETS_OVERLAP', 'network_ipam.subnets[1].prefix', ipam({ subnets: [{ prefix: '10.0.0.0/8' }, { prefix: '10.1.0.0/16' }] }), /disjoint/],
  ['ALLOCATION_MODE', 'virtual_network.subnets', network({ addressAllocationMode: 'FLAT_SUBNET_ONLY', subnets: [{ prefix: '10.0.0.0/8' }] }), /none of its own/],
  ['ALLOCATION_MODE', 'virtual_network.network_ipams', network({ networkIpams: [`${USER}:i`] }), /FLAT_SUBNET_ONLY/],
  ['REFERENCE', 'virtual_network.network_ipams[0]', network({ networkIpams: [`${USER}:nobody`], addressAllocationMode: 'FLAT_SUBNET_ONLY' }), /no network-ipam/],
  ['NOT_REALISED', 'virtual_network.forwarding_mode', network({ forwardingMode: 'L2_L3' }), /only L3/],
  ['ONE_OF', 'virtual_network.static_routes[0]', network({ staticRoutes: [{ prefix: '192.0.2.0/24' }] }), /exactly one/],
  ['OTHER_NETWORK', 'virtual_network.static_routes[0].virtual_machine_interface', network({ staticRoutes: [{ prefix: '192.0.2.0/24', virtualMachineInterface: `${USER}:pod-1` }] }), /is in .*k8s-default-pod-network/],
  ['REQUIRED', 'network_policy.rules[0].destination', { name: `${USER}:p`, networkPolicy: { rules: [{ source: 'local' }] } }, /name a virtual network/],
  ['SAME_NETWORK', 'network_policy.rules[0]', { name: `${USER}:p`, networkPolicy: { rules: [{ source: PODS, destination: PODS }] } }, /between two networks/],
  ['REFERENCE', 'network_policy.rules[0].destination', { name: `${USER}:p`, networkPolicy: { rules: [{ source: 'local', destination: `${USER}:nobody` }] } }, /no virtual-network/],
  ['REQUIRED', 'virtual_machine.project', { name: 'vm', virtualMachine: {} }, /name the project/],
  ['REQUIRED', 'virtual_machine_interface.order', vmi({ order: 2 }), /name the virtual_machine/],
  ['ROUTE_TARGET', 'name', { name: 'target:70000:70000', routeTarget: {} }, /16-bit/],
];

for (const [rule, field, object, right] of RULES) {
  test(`${rule} at ${field}: ${right.source}`, () => {
    const { violations } = refusal(fresh(), [put(object)]);
    const found = violations.find((violation) => violation.rule === rule && violation.field === `operations[0].${field}`);
    assert.ok(found, `got ${JSON.stringify(violations)}`);
    assert.match(found!.description, right);
    assert.ok(found!.object.endsWith(object.name!), found!.object);
  });
}

test('a service: ports of each protocol by themselves, several to one place, and a client that stays with its backend', () => {
  const objects = fresh();
  const portMappings = [
    { protocol: 'TCP', srcPort: 1, dstPort: 65535 }, { protocol: 'TCP', srcPort: 65535, dstPort: 65535 }, { protocol: 'UDP', srcPort: 1, dstPort: 1 }, { protocol: 'SCTP', srcPort: 1, dstPort: 1 },
  ] as const;
  stage(objects, [put(service({ portMappings: [...portMappings], sessionAffinity: 'CLIENT_IP' }))], 2);
  const { spec } = objects.get('floating-ip', `${POOL}:x`)!;
  assert.equal(spec.portMappings, [...portMappings]);
  assert.is(spec.sessionAffinity, 'CLIENT_IP');
  stage(objects, [put(service({}))], 3);
  assert.is(objects.get('floating-ip', `${POOL}:x`)!.spec.sessionAffinity, 'SESSION_AFFINITY_NONE');
});

test('what is in use is not deleted, and its users are named', () => {
  const { kind, violations } = refusal(fresh(), [deletion('virtual-network', PODS)]);
  assert.is(kind, 'in-use');
  assert.match(violations[0]!.description, /instance-ip pod-1-ip, instance-ip pod-2-ip, virtual-machine-interface .*pod-1, virtual-machine-interface .*pod-2/);
});

test('what goes together may go in one transaction, in any order', () => {
  const objects = fresh();
  stage(objects, [deletion('virtual-machine-interface', `${USER}:pod-1`), deletion('floating-ip', `${POOL}:pod-1`), deletion('instance-ip', 'pod-1-ip')], 2);
  assert.is(objects.count('virtual-machine-interface'), 1);
});

test('one wrong operation refuses all', () => {
  const { violations } = refusal(fresh(), [put({ name: 'default-domain:fine', project: {} }), put(network({ subnets: [{ prefix: 'x' }] }))]);
  assert.is(violations[0]!.field, 'operations[1].virtual_network.subnets[0].prefix');
});

test('versions: a change of something older is a conflict', () => {
  const objects = fresh();
  const project = { name: 'default-domain:fine', project: {} };
  stage(objects, [create(project)], 2);
  assert.is(refusal(objects, [create(project)]).kind, 'exists');
  assert.is(refusal(objects, [update({ ...project, name: 'default-domain:other' })]).kind, 'not-found');
  assert.is(refusal(objects, [deletion('project', 'default-domain:fine', 1)]).kind, 'conflict');
  assert.match(refusal(objects, [put({ ...network({}), version: 7 })]).message, /does not exist any more/);
  const current = objects.get('virtual-network', NETWORK)!;
  assert.match(refusal(objects, [put({ name: NETWORK, version: current.version + 5, virtualNetwork: {} })]).message, /is at version 1, not 6: somebody changed it/);
});

test('a uuid belongs to one object', () => {
  const objects = fresh();
  const { uuid } = objects.get('project', USER)!;
  assert.match(refusal(objects, [put({ name: 'default-domain:other', uuid, project: {} })]).message, /uuid .* belongs to project default-domain:k8s-ns-user-1/);
  stage(objects, [put({ name: USER, uuid, project: {} })], 2);
});

test('a route table may be an appliance\'s own', () => {
  const objects = fresh();
  const own = { name: `${GATEWAY}:static`, routeTable: { virtualRouter: GATEWAY, routingInstance: 'internet', nextHops: [{ discard: true }] } };
  stage(objects, [put(own)], 2);
  assert.match(refusal(objects, [deletion('virtual-router', GATEWAY)]).message, /route-table .*gateway-1:static/);
  assert.match(refusal(objects, [put({ ...own, name: 'default-global-system-config:nobody:static' })]).message, /there is no virtual-router default-global-system-config:nobody/);
});

test('addresses are allocated, kept, and not given to the next one at once', () => {
  const objects = fresh();
  const address = (name: string): string => objects.get('floating-ip', `${POOL}:${name}`)!.spec.address;
  stage(objects, [put({ name: `${POOL}:x`, floatingIp: {} }), put({ name: `${POOL}:y`, floatingIp: {} })], 2);
  assert.equal([address('x'), address('y')], ['101.101.101.1', '101.101.101.2']);
  stage(objects, [put({ name: `${POOL}:x`, floatingIp: { virtualMachineInterfaces: [`${USER}:pod-1`] } })], 3);
  assert.is(address('x'), '101.101.101.1', 'an empty address keeps what was allocated');
  stage(objects, [deletion('floating-ip', `${POOL}:x`)], 4);
  stage(objects, [put({ name: `${POOL}:z`, floatingIp: {} })], 5);
  assert.is(address('z'), '101.101.101.5', '3 and 4 are taken, 1 rests');
});

test('an exhausted pool says so', () => {
  const objects = fresh();
  stage(objects, [put({ name: `${NETWORK}:small`, floatingIpPool: { subnets: ['101.101.101.8/31'] } }), put({ name: `${NETWORK}:small:a`, floatingIp: {} }), put({ name: `${NETWORK}:small:b`, floatingIp: {} })], 2);
  assert.match(refusal(objects, [put({ name: `${NETWORK}:small:c`, floatingIp: {} })]).message, /no free address/);
});

test('an external network has the pool "public" by itself, as long as nobody uses it', () => {
  const objects = fresh();
  stage(objects, [put(network({ external: true, subnets: [{ prefix: '198.51.100.0/24' }] }))], 2);
  assert.ok(objects.get('floating-ip-pool', `${USER}:n:public`));
  assert.match(refusal(objects, [deletion('floating-ip-pool', `${USER}:n:public`)]).message, /as long as that is external/);
  stage(objects, [put(network({ subnets: [{ prefix: '198.51.100.0/24' }] }))], 3);
  assert.not(objects.get('floating-ip-pool', `${USER}:n:public`));
  stage(objects, [put(network({ external: true }))], 4);
  stage(objects, [deletion('virtual-network', `${USER}:n`)], 5);
  assert.is(objects.users('project', USER).has(`virtual-network ${USER}:n`), false);
});

test('a pool that is not shared is for its own project', () => {
  const objects = fresh();
  stage(objects, [put({ name: 'default-domain:other', project: {} }), put(vmi({}, 'default-domain:other:v'))], 2);
  const take = put({ name: `${POOL}:x`, floatingIp: { virtualMachineInterfaces: ['default-domain:other:v'] } });
  assert.match(refusal(objects, [take]).message, /not shared; add it/);
  stage(objects, [put({ name: POOL, floatingIpPool: { projects: ['default-domain:other'] } }), take], 3);
});

test('the gateway of a subnet is its last host address, or its first', () => {
  const objects = fresh();
  const claim = (address: string) => refusal(objects, [put({ name: 'x', instanceIp: { address, virtualNetwork: PODS } })]).violations[0]!.rule;
  assert.is(claim('10.47.255.254'), 'TAKEN');
  stage(objects, [put({ name: PODS, virtualNetwork: { subnets: [{ prefix: '10.32.0.0/12', addrFromStart: true }] } })], 2);
  assert.is(claim('10.32.0.1'), 'TAKEN');
});

test('putting what is there already changes nothing', () => {
  const objects = fresh();
  assert.equal(stage(objects, chapter().map(put), 2).changes, []);
});

test('a session is between a controller and a router, also seen from the other end', () => {
  const objects = fresh();
  stage(objects, [put(bgp({ kind: 'CONTROL_NODE', address: '10.169.25.19', peers: [`${BGP}:r`] }, 'controller')), put(bgp({}))], 2);
  assert.is(refusal(objects, [put(bgp({ kind: 'CONTROL_NODE' }))]).violations[0]!.rule, 'PEER_KIND');
  assert.match(refusal(objects, [deletion('bgp-router', `${BGP}:r`)]).message, /used by bgp-router .*:controller/);
  assert.match(refusal(objects, [put(bgp({ address: '10.169.25.19' }))]).message, /BGP address 10.169.25.19 belongs to/);
});

test('the system is there with its first appliance, and its AS is 64512 unless said otherwise', () => {
  const objects = fresh();
  const asn = () => objects.get('global-system-config', 'default-global-system-config')!.spec.autonomousSystem;
  assert.is(asn(), 64512);
  stage(objects, [put({ name: 'default-global-system-config', globalSystemConfig: { autonomousSystem: 4200000000 } })], 2);
  assert.is(asn(), 4200000000);
  assert.match(refusal(objects, [deletion('global-system-config', 'default-global-system-config')]).message, /used by virtual-router/);
});

test('a key is kept by writing back what was shown, and goes with an empty one', () => {
  const objects = fresh();
  const key = () => objects.get('bgp-router', `${BGP}:r`)!.spec.authKey;
  stage(objects, [put(bgp({ authKey: 'swordfish' }))], 2);
  assert.is(withoutSecrets(objects.get('bgp-router', `${BGP}:r`)!).spec.authKey, '(hidden)');
  stage(objects, [put(bgp({ authKey: '(hidden)', holdTime: 9 }))], 3);
  assert.is(key(), 'swordfish');
  stage(objects, [put(bgp({}))], 4);
  assert.is(key(), '');
});

test('networks of one IPAM share its addresses, each for one of them', () => {
  const objects = fresh();
  const flat = (name: string): DraftObject => ({ name: `${USER}:${name}`, virtualNetwork: { addressAllocationMode: 'FLAT_SUBNET_ONLY', networkIpams: [`${USER}:i`] } });
  const ip = (name: string, net: string, address = ''): DraftObject => ({ name, instanceIp: { address, virtualNetwork: `${USER}:${net}` } });
  // The IPAM comes last: its addresses are known by the transaction's end.
  stage(objects, [put(flat('one')), put(flat('two')), put(ip('a', 'one', '10.9.0.1')), put(ipam({ subnets: [{ prefix: '10.9.0.0/29' }] }))], 2);
  stage(objects, [put(ip('b', 'two')), put({ name: `${USER}:two:pool`, floatingIpPool: {} }), put({ name: `${USER}:two:pool:f`, floatingIp: {} })], 3);
  assert.equal(['a', 'b'].map((name) => { const { address, networkIpam } = objects.get('instance-ip', name)!.spec; return [address, networkIpam]; }), [['10.9.0.1', `${USER}:i`], ['10.9.0.2', `${USER}:i`]]);
  assert.is(objects.get('floating-ip', `${USER}:two:pool:f`)!.spec.address, '10.9.0.3');
  assert.match(refusal(objects, [put(ip('c', 'two', '10.9.0.1'))]).message, /belongs to instance-ip a/);
  assert.match(refusal(objects, [put(ip('c', 'two', '10.9.0.6'))]).message, /belongs to network-ipam/);
  assert.match(refusal(objects, [put(ipam({ subnets: [{ prefix: '10.8.0.0/24' }] }))]).message, /instance-ip a has address 10.9.0.1, which no subnet would hold/);
  assert.match(refusal(objects, [put({ name: `${USER}:one`, virtualNetwork: { subnets: [{ prefix: '10.9.0.0/29' }] } })]).message, /instance-ip a has address/);
  assert.is(refusal(objects, [deletion('network-ipam', `${USER}:i`)]).kind, 'in-use');
});

test('what a name can do, a uuid can: reading, references, updates and deletions', () => {
  const objects = fresh();
  const { uuid } = objects.get('virtual-network', PODS)!;
  const { objects: [made] } = stage(objects, [put({ name: 'x', instanceIp: { virtualNetwork: uuid } })], 2);
  assert.is(objects.get('instance-ip', 'x')!.spec.virtualNetwork, PODS);
  stage(objects, [update({ uuid: made!.uuid, instanceIp: { virtualNetwork: PODS, virtualMachineInterfaces: [objects.get('virtual-machine-interface', `${USER}:pod-1`)!.uuid] } })], 3);
  assert.equal(objects.get('instance-ip', 'x')!.spec.virtualMachineInterfaces, [`${USER}:pod-1`]);
  stage(objects, [deletion('instance-ip', '', 0, made!.uuid)], 4);
  assert.not(objects.get('instance-ip', 'x'));
  assert.is(refusal(objects, [deletion('instance-ip', '', 0, made!.uuid)]).kind, 'not-found');
});

test('the default domain, and route targets, make themselves; targets go with the last who names them', () => {
  const objects = fresh();
  assert.ok(objects.get('domain', 'default-domain'));
  assert.equal([...objects.users('route-target', 'target:64512:101')].sort(), ['virtual-network ' + NETWORK, 'virtual-router ' + GATEWAY]);
  stage(objects, [put(network({ routeTargets: ['target:64512:7'] }))], 2);
  assert.ok(objects.get('route-target', 'target:64512:7'));
  assert.is(refusal(objects, [deletion('route-target', 'target:64512:7')]).kind, 'in-use');
  stage(objects, [put(network({}))], 3);
  assert.not(objects.get('route-target', 'target:64512:7'));
});

test('interfaces of a virtual machine are in an order', () => {
  const objects = fresh();
  const order = (name: string) => objects.get('virtual-machine-interface', `${USER}:${name}`)!.spec.order;
  stage(objects, [put({ name: 'vm', virtualMachine: { project: USER } }), put(vmi({ virtualMachine: 'vm' }, `${USER}:a`)), put(vmi({ virtualMachine: 'vm' }, `${USER}:b`)), put(vmi({ virtualMachine: 'vm', order: 7 }, `${USER}:c`))], 2);
  assert.equal(['a', 'b', 'c'].map(order), [1, 2, 7]);
  stage(objects, [put(vmi({ virtualMachine: 'vm', mac: '02:00:00:00:00:77' }, `${USER}:b`))], 3);
  assert.is(order('b'), 2, 'it keeps its place');
  assert.match(refusal(objects, [put(vmi({ virtualMachine: 'vm', order: 1 }, `${USER}:d`))]).message, /place 1 among the interfaces of vm belongs to/);
  assert.is(refusal(objects, [deletion('virtual-machine', 'vm')]).kind, 'in-use');
});

test('annotations are kept by a put that says none, changed by one that says some, and limited', () => {
  const objects = fresh();
  const ours = { cluster: 'k8s', kind: 'Namespace' };
  const get = (): Readonly<Record<string, string>> | undefined => objects.get('project', `${USER}-2`)!.annotations;
  stage(objects, [put({ name: `${USER}-2`, project: {}, annotations: ours })], 2);
  assert.equal(get(), ours);
  assert.equal(stage(objects, [put({ name: `${USER}-2`, project: {} })], 3).changes, []);
  stage(objects, [put({ name: `${USER}-2`, project: {}, annotations: { cluster: 'k8s' } })], 4);
  assert.equal(get(), { cluster: 'k8s' });
  const { violations } = refusal(objects, [put({ name: `${USER}-3`, project: {}, annotations: { '': 'x', long: 'x'.repeat(20_000) } })]);
  assert.equal(violations.map(({ field, rule }) => `${field} ${rule}`), ['operations[0].annotations ANNOTATION', 'operations[0].annotations TOO_LONG']);
});

test.run();
