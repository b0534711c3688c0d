// The compile step is a function: whatever the order of edits, the state equals a compile from scratch; and what it says that it
// touched, packed and applied in order by a receiver as strict as the core, makes an appliance equal to it. What it should be is
// judged by an oracle that works it out by brute force.
import * as fc from 'fast-check';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { Announcements, importedPath } from '../../../mgmt/controller/bgp/paths.ts';
import { Compiler, type Outcome } from '../../../mgmt/controller/compile/compiler.ts';
import type { Appliance } from '../../../mgmt/controller/compile/appliance.ts';
import { packAll, packKeys, Packer } from '../../../mgmt/controller/compile/pack.ts';
import type { Path } from '../../../mgmt/controller/compile/types.ts';
import { keyOf, parseAddress } from '../../../mgmt/controller/model/address.ts';
import { Objects } from '../../../mgmt/controller/model/objects.ts';
import { Refusal } from '../../../mgmt/controller/model/refusal.ts';
import { stage, type Change } from '../../../mgmt/controller/model/transaction.ts';
import { Exhausted, Numbering } from '../../../mgmt/controller/routing/numbering.ts';
import type { Operation } from '../../../proto/config.ts';
import { MAX_INTERFACES } from '../../../wasm-core/layout.ts';
import { Tables } from '../../integration/controller/simulated-appliance.ts';
import { actual, expected, lines } from './oracle.ts';
import { deletion, put, type DraftObject } from './objects.ts';

const P = 'default-domain:p';
const NETWORKS = ['red', 'blue', 'public'].map((name) => `${P}:${name}`);
const VMIS = ['a', 'b', 'c', 'd'].map((name) => `${P}:${name}`);
const COMPUTES = ['c1', 'c2', 'c3'].map((name) => `default-global-system-config:${name}`);
const GATEWAYS = ['g1', 'g2'].map((name) => `default-global-system-config:${name}`);
const TARGETS = ['target:64512:1', 'target:64512:2', 'target:64512:3'];
const some = <T>(values: readonly T[]) => fc.subarray(values as T[]);
const one = <T>(values: readonly T[]) => fc.constantFrom(...values);

const POLICIES = ['open', 'pair'].map((name) => `${P}:${name}`);
/** Networks of flat allocation, which share the addresses of one IPAM. */
const FLAT = ['flat-1', 'flat-2'].map((name) => `${P}:${name}`);
const routes = one([[], [{ prefix: '192.0.2.0/24', discard: true }], [{ prefix: '192.0.2.0/24', virtualMachineInterface: VMIS[0]! }]]);
const network = fc.record({ name: one(NETWORKS), targets: some(TARGETS), imports: some(TARGETS), external: fc.boolean(), mss: one([0, 1300]), policies: some(POLICIES), routes, statics: fc.boolean() }).map(({ name, targets, imports, external, mss, policies, routes: its, statics }): DraftObject => ({
  name, virtualNetwork: {
    subnets: [{ prefix: `10.${NETWORKS.indexOf(name)}.0.0/24` }], routeTargets: targets, importRouteTargets: imports, external, mssClamp: mss, networkPolicies: policies, staticRoutes: its, advertiseStaticRoutes: statics,
  },
}));
const flat = fc.record({ name: one(FLAT), policies: some(POLICIES) }).map(({ name, policies }): DraftObject =>
  ({ name, virtualNetwork: { addressAllocationMode: 'FLAT_SUBNET_ONLY', networkIpams: [`${P}:ipam`], networkPolicies: policies } }));
const flatAddress = fc.record({ number: one([6, 7]), network: one(FLAT), vmis: some(VMIS.slice(2)) }).map(({ number, network: its, vmis }): DraftObject =>
  ({ name: `ip-${number}`, instanceIp: { address: `10.9.0.${number}`, virtualNetwork: its, virtualMachineInterfaces: vmis } }));
const policy = fc.record({ name: one(POLICIES), rules: fc.array(fc.record({ source: one(['local', ...NETWORKS]), destination: one(['local', ...NETWORKS, ...FLAT]) }), { maxLength: 2 }) }).map(({ name, rules }): DraftObject => ({ name, networkPolicy: { rules } }));
const system = one([64512, 65000, 4200000000]).map((autonomousSystem): DraftObject => ({ name: 'default-global-system-config', globalSystemConfig: { autonomousSystem } }));
const compute = fc.record({ name: one(COMPUTES), subnet: one([1, 2]), mtu: one([0, 1700]) }).map(({ name, subnet, mtu }): DraftObject =>
  ({ name, virtualRouter: { kind: 'COMPUTE', profile: 'virtual', fabric: { port: 'f', address: `192.168.${subnet}.${10 + COMPUTES.indexOf(name)}/24`, gateway: `192.168.${subnet}.1`, mac: '02:00:00:00:00:01', mtu } } }));
const gateway = fc.record({ name: one(GATEWAYS), targets: some(TARGETS), networks: some(NETWORKS), route: fc.boolean(), vlan: fc.boolean() }).map(({ name, targets, networks, route, vlan }): DraftObject => ({
  name, virtualRouter: {
    kind: 'GATEWAY', profile: 'virtual', fabric: { port: 'f', address: `192.168.1.${200 + GATEWAYS.indexOf(name)}/24`, mac: '02:00:00:00:00:02' },
    routingInstances: [{ name: 'internet', routeTargets: targets, virtualNetworks: networks, staticRoutes: route ? [{ prefix: '0.0.0.0/0', nextHop: '203.0.113.9' }] : [] }, ...vlan ? [{ name: 'second', routeTargets: targets.slice(1) }] : []],
    externalInterfaces: [
      { name: 'e', port: 'e', address: '203.0.113.1/24', mac: '02:00:00:00:00:03', routingInstance: 'internet' },
      ...vlan ? [{ name: 'v', address: '198.51.100.1/24', mac: '02:00:00:00:00:04', routingInstance: 'second', vlan: 7, parent: 'e' }] : [],
    ],
  },
}));
const vmi = fc.record({ name: one(VMIS), network: one([...NETWORKS, FLAT[0]!]), router: one([...COMPUTES, '']), mac: one(['02:00:00:00:01:0', '02:00:00:00:02:0']) }).map(({ name, network: its, router, mac }): DraftObject =>
  ({ name, virtualMachineInterface: { virtualNetwork: its, virtualRouter: router, port: router ? `tap${VMIS.indexOf(name)}` : '', mac: mac + VMIS.indexOf(name) } }));
const instanceIp = fc.record({ number: one([1, 2, 3, 4, 5]), network: one(NETWORKS), vmis: some(VMIS) }).map(({ number, network: its, vmis }): DraftObject =>
  ({ name: `ip-${number}`, instanceIp: { address: `10.${NETWORKS.indexOf(its)}.0.${number}`, virtualNetwork: its, virtualMachineInterfaces: vmis } }));
const pool = one(NETWORKS).map((name): DraftObject => ({ name: `${name}:pool`, floatingIpPool: {} }));
const floatingIp = fc.record({ number: one([1, 2, 3]), network: one(NETWORKS), vmis: some(VMIS), direction: one(['DIRECTION_BOTH', 'DIRECTION_EGRESS'] as const) }).map(({ number, network: its, vmis, direction }): DraftObject =>
  ({ name: `${its}:pool:f${number}`, floatingIp: { address: `10.${NETWORKS.indexOf(its)}.0.${100 + number}`, virtualMachineInterfaces: vmis, direction } }));
const prefixes = fc.uniqueArray(fc.integer({ min: 3, max: 8 }), { maxLength: 6 }).map((numbers) => Buffer.concat(numbers.sort().map((number) => Buffer.from([10, 0, 0, number, 32]))));
const table = fc.record({ name: one(['t1', 't2']), network: one(NETWORKS), prefixes, gateways: some(GATEWAYS), second: one(VMIS), mixed: fc.boolean() }).map(({ name, network: its, prefixes: packed, gateways, second, mixed }): DraftObject => ({
  name: `${P}:${name}`, routeTable: {
    virtualNetwork: its, prefixes: packed,
    nextHops: [gateways.length > 0 ? { gateways: gateways.map((virtualRouter) => ({ virtualRouter, routingInstance: 'internet' })) } : { discard: true }, ...mixed ? [{ virtualMachineInterface: second }] : []],
    nextHopIndex: mixed ? Buffer.from(Array.from({ length: packed.length / 5 }, (_, at) => at % 2)) : Buffer.alloc(0),
  },
}));
const deletions = one([
  ...NETWORKS.map((name) => deletion('virtual-network', name)), ...POLICIES.map((name) => deletion('network-policy', name)), ...FLAT.map((name) => deletion('virtual-network', name)), ...VMIS.map((name) => deletion('virtual-machine-interface', name)),
  ...[...COMPUTES, ...GATEWAYS].map((name) => deletion('virtual-router', name)), ...[1, 2, 3, 4, 5].map((number) => deletion('instance-ip', `ip-${number}`)),
  ...NETWORKS.flatMap((name) => [1, 2, 3].map((number) => deletion('floating-ip', `${name}:pool:f${number}`))), ...['t1', 't2'].map((name) => deletion('route-table', `${P}:${name}`)),
]);
const operation: fc.Arbitrary<Operation> = fc.oneof(
  { arbitrary: fc.oneof(network, compute, gateway, vmi, instanceIp, pool, floatingIp, table, policy, flat, system).map(put), weight: 5 },
  { arbitrary: fc.oneof(vmi, instanceIp, floatingIp, table, network, flatAddress).map(put), weight: 5 },
  { arbitrary: deletions, weight: 3 },
);
/** What routers may tell, beside and under what the objects make: default routes, workloads' and floating addresses, subnets. */
const imported = fc.uniqueArray(fc.record({
  prefix: one(['0.0.0.0/0', '10.0.0.0/24', '10.0.0.1/32', '10.0.0.4/32', '10.2.0.101/32', '203.0.113.0/24', '198.18.0.0/15']), targets: fc.subarray(TARGETS, { minLength: 1 }),
  router: one(['192.168.1.150', '172.16.0.1']), label: one([2001, 2002]), localPreference: one([100, 100, 200]),
}).map(({ prefix, targets, router, label, localPreference }): Path => importedPath({
  family: 'ipv4-vpn', distinguisher: `${router}:1`, prefix: keyOf(prefix), label, nextHop: parseAddress(router)!, targets, encapsulations: [], localPreference, peer: parseAddress(router)!, asPath: [], origin: 0, since: 1,
})), { maxLength: 6, selector: ({ id }) => id });
/** A transaction, or what routers tell from now on. */
type Step = { readonly operations: readonly Operation[] } | { readonly imported: readonly Path[] };
const steps: fc.Arbitrary<Step[]> = fc.array(fc.oneof(
  { arbitrary: fc.record({ operations: fc.array(operation, { minLength: 1, maxLength: 4 }) }), weight: 4 },
  { arbitrary: fc.record({ imported }), weight: 1 },
), { minLength: 1, maxLength: 40 });

/** A beginning in which much can happen. */
const START = [
  put({ name: P, project: {} }),
  put({ name: POLICIES[0]!, networkPolicy: { rules: [{ source: 'local', destination: 'local' }] } }),
  put({ name: POLICIES[1]!, networkPolicy: { rules: [{ source: NETWORKS[0]!, destination: NETWORKS[1]! }] } }),
  put({ name: `${P}:ipam`, networkIpam: { subnets: [{ prefix: '10.9.0.0/24' }] } }),
  ...FLAT.map((name) => put({ name, virtualNetwork: { addressAllocationMode: 'FLAT_SUBNET_ONLY', networkIpams: [`${P}:ipam`] } })),
  ...NETWORKS.map((name, at) => put({ name, virtualNetwork: { subnets: [{ prefix: `10.${at}.0.0/24` }], routeTargets: [TARGETS[at]!], advertiseStaticRoutes: true } })),
  ...NETWORKS.map((name) => put({ name: `${name}:pool`, floatingIpPool: {} })),
  ...COMPUTES.map((name, at) => put({ name, virtualRouter: { kind: 'COMPUTE', profile: 'virtual', fabric: { port: 'f', address: `192.168.1.${10 + at}/24`, mac: '02:00:00:00:00:01' } } })),
  ...GATEWAYS.map((name, at) => put({ name, virtualRouter: {
    kind: 'GATEWAY', profile: 'virtual', fabric: { port: 'f', address: `192.168.1.${200 + at}/24`, mac: '02:00:00:00:00:02' }, routingInstances: [{ name: 'internet', routeTargets: [TARGETS[2]!] }],
  } })),
  ...VMIS.map((name, at) => put({ name, virtualMachineInterface: { virtualNetwork: NETWORKS[at % 2]!, virtualRouter: COMPUTES[at % 3]!, port: `tap${at}` } })),
  ...VMIS.map((name, at) => put({ name: `ip-${at + 1}`, instanceIp: { address: `10.${at % 2}.0.${at + 1}`, virtualNetwork: NETWORKS[at % 2]!, virtualMachineInterfaces: [name] } })),
];

const whole = (state: Appliance): string => resynced(state).text();

function resynced(state: Appliance): Tables {
  const tables = new Tables();
  for (const packer = new Packer(), walk = packAll(state, packer); ;) {
    const done = walk.next().done;
    for (const batch of packer.take().batches) if (tables.applyBatch(batch).some((code) => code !== 0)) throw new Error(`a whole state has records that refer to nothing (kind ${batch.kind})`);
    if (done) return tables;
  }
}

/** Objects, compiler, and appliances that follow by what the compiler says that it touched. */
class World {
  readonly objects = new Objects();
  readonly numbering = new Numbering();
  readonly compiler = new Compiler(this.objects, this.numbering);
  readonly followers = new Map<string, Tables>();
  readonly announcements = new Announcements();
  version = 0;

  commit(operations: readonly Operation[]): boolean {
    let changes: readonly Change[];
    try {
      changes = stage(this.objects, operations, this.version + 1).changes;
    } catch (error) {
      if (error instanceof Refusal) return false;
      throw error;
    }
    this.#follow(this.compiler.apply(changes, ++this.version));
    return true;
  }

  /** Routers tell these and no others. */
  import(paths: readonly Path[]): void {
    const before = [...this.compiler.imported];
    const missing = (one: Iterable<Path>, other: readonly Path[]): Path[] => [...one].filter(({ id }) => !other.some((each) => each.id === id));
    this.#follow(this.compiler.changeImported(missing(before, paths), missing(paths, before), ++this.version));
  }

  #follow(outcomes: readonly Outcome[]): void {
    const { gone: withdrawn, come } = this.compiler.takeExports();
    this.announcements.change(withdrawn, come);
    for (const { appliance, touched, gone } of outcomes) {
      if (gone) {
        this.followers.delete(appliance.name);
        continue;
      }
      if (touched.flooded) {
        this.followers.set(appliance.name, resynced(appliance));
        continue;
      }
      const follower = this.followers.get(appliance.name)!;
      const packer = new Packer();
      while (!touched.empty) {
        packKeys(appliance, touched, packer).next();
        for (const batch of packer.take().batches) {
          const codes = follower.applyBatch(batch).filter((code) => code !== 0 && code !== 6);
          assert.equal(codes, [], `${appliance.name}: records of kind ${batch.kind} are refused in version ${this.version}`);
        }
      }
    }
  }

  fromScratch(): Compiler {
    const compiler = new Compiler(this.objects, this.numbering.clone());
    const changes: Change[] = (['virtual-network', 'route-table', 'virtual-machine-interface', 'virtual-router'] as const)
      .flatMap((kind) => [...this.objects.all(kind)].map((object) => ({ kind, name: object.name, before: undefined, after: object })));
    compiler.apply(changes, this.version, [...this.compiler.imported].reverse()); // in another order: it must not matter
    return compiler;
  }

  check(): void {
    const scratch = this.fromScratch();
    const oracle = expected(this.objects, this.numbering, this.compiler.imported);
    const announced = new Announcements();
    announced.change([], scratch.exported);
    assert.equal(new Map([...this.announcements.announced].sort()), new Map([...announced.announced].sort()), 'announced by differences, and from scratch');
    assert.equal([...this.compiler.appliances.keys()].sort(), [...scratch.appliances.keys()].sort());
    for (const [name, appliance] of this.compiler.appliances) {
      const text = whole(appliance);
      assert.is(text, whole(scratch.appliances.get(name)!), `${name} differs from a compile from scratch`);
      assert.is(lines(actual(appliance)), lines(oracle.get(name)!), `${name} differs from the oracle`);
      assert.is(this.followers.get(name)!.text(), text, `${name} differs from what its updates made`);
    }
  }
}

test('any sequence of edits leads to what a compile from scratch makes of its outcome', () => {
  let [committed, refused] = [0, 0];
  fc.assert(fc.property(steps, (edits) => {
    const world = new World();
    assert.ok(world.commit(START));
    for (const edit of edits) {
      if ('imported' in edit) {
        world.import(edit.imported);
        world.check();
      } else if (world.commit(edit.operations)) {
        committed++;
        world.check();
      } else {
        refused++;
      }
    }
  }), { includeErrorInReport: true, numRuns: Number(process.env['RUNS'] ?? 60), interruptAfterTimeLimit: 60_000, markInterruptAsFailure: true, ...process.env['SEED'] ? { seed: Number(process.env['SEED']) } : {} });
  assert.ok(committed > refused / 4, `${committed} transactions committed, ${refused} refused: the generator should hit more`);
});

test('an address on several interfaces is shared; who leaves keeps the others in their slots', () => {
  const world = new World();
  world.commit(START);
  const shared = (vmis: string[]) => put({ name: `${NETWORKS[2]}:pool:f1`, floatingIp: { address: '10.2.0.101', virtualMachineInterfaces: vmis } });
  const slots = (): number[] => {
    const [group] = [...world.compiler.appliances.get('c1')!.nexthops.values()].filter(({ key }) => key.startsWith('group ') && key.endsWith(` ${keyOf('10.2.0.101/32')}`));
    return [...group?.slots ?? []];
  };
  assert.ok(world.commit([shared([VMIS[0]!, VMIS[1]!, VMIS[2]!])]));
  const before = slots();
  assert.is(before.length, 3);
  world.commit([shared([VMIS[0]!, VMIS[2]!])]);
  const after = slots();
  assert.is(after.length, 3);
  assert.is(after.filter((slot, at) => slot === before[at]).length, 2, 'two stay where they were');
  assert.is(after.filter((slot) => slot === 0).length, 1, 'one place-holder');
  world.commit([shared([VMIS[0]!, VMIS[2]!, VMIS[3]!])]);
  assert.is(slots().filter((slot, at) => slot === after[at]).length, 2, 'the new one takes the hole');
  world.check();
});

test('networks exchange routes when both allow it, and nothing of a third comes along', () => {
  const world = new World();
  world.commit(START);
  const attach = (at: number, policies: string[]) => put({ name: NETWORKS[at]!, virtualNetwork: { subnets: [{ prefix: `10.${at}.0.0/24` }], routeTargets: [TARGETS[at]!], networkPolicies: policies } });
  /** Whether red's VRF on c1 has a route to blue's workload. */
  const reaches = (): boolean => world.compiler.appliances.get('c1')!.instances.get(`${NETWORKS[0]}:red`)!.route(keyOf('10.1.0.2/32')) !== 0;
  assert.not(reaches());
  assert.ok(world.commit([attach(0, [POLICIES[1]!])]));
  assert.not(reaches(), 'one side alone opens nothing');
  assert.ok(world.commit([attach(1, [POLICIES[1]!])]));
  assert.ok(reaches());
  assert.ok(world.commit([attach(0, [POLICIES[0]!]), attach(1, [POLICIES[0]!])]));
  assert.ok(reaches(), 'local to local: all that have it');
  world.check();
  assert.ok(world.commit([put({ name: POLICIES[0]!, networkPolicy: {} })]));
  assert.not(reaches());
  world.check();
});

test('a freed number rests until its appliance has let go of it', () => {
  const numbering = new Numbering();
  for (let at = 0; at < 2000; at++) numbering.take('c1', 'nexthop', `n${at}`);
  numbering.version = 5;
  for (let at = 0; at < 1500; at++) numbering.release('c1', 'nexthop', `n${at}`);
  assert.is(numbering.take('c1', 'nexthop', 'x'), 2001, 'nobody acknowledged version 5');
  numbering.acknowledge('c1', 4);
  assert.is(numbering.take('c1', 'nexthop', 'y'), 2002);
  numbering.acknowledge('c1', 5);
  assert.is(numbering.take('c1', 'nexthop', 'z'), 1, 'the one that rested longest');
});

test('a range that is used up gives out what its appliance has let go of, rested or not, and nothing else', () => {
  const numbering = new Numbering();
  for (let number = 1; number < MAX_INTERFACES; number++) numbering.take('c1', 'interface', `i${number}`);
  assert.throws(() => numbering.take('c1', 'interface', 'x'), (error: Error) => error instanceof Exhausted && error.appliance === 'c1' && error.space === 'interface' && /^all 8191 interface numbers are in use/.test(error.message));
  numbering.version = 5;
  numbering.release('c1', 'interface', 'i7');
  numbering.version = 6;
  numbering.release('c1', 'interface', 'i9');
  assert.throws(() => numbering.take('c1', 'interface', 'x'), /8189 interface numbers are in use, and the other 2 may still be in the tables of c1, which has acknowledged no version/);
  numbering.acknowledge('c1', 5);
  assert.is(numbering.take('c1', 'interface', 'x'), 7);
  assert.throws(() => numbering.take('c1', 'interface', 'y'), /the other 1 may still be in the tables of c1, which has acknowledged version 5/);
  numbering.acknowledge('c1', 6);
  assert.is(numbering.take('c1', 'interface', 'y'), 9);
});

test('work stays with what a change touches', () => {
  const world = new World();
  world.commit(START);
  for (let at = 0; at < 50; at++) world.commit([put({ name: `${P}:n${at}`, virtualNetwork: { subnets: [{ prefix: `10.${100 + at}.0.0/24` }] } })]);
  const outcomes = new Set<string>();
  const staged = stage(world.objects, [put({ name: `${NETWORKS[1]}:pool:f1`, floatingIp: { address: '10.1.0.101', virtualMachineInterfaces: [VMIS[0]!] } })], 99);
  for (const { appliance, touched } of world.compiler.apply(staged.changes, 99)) {
    outcomes.add(appliance.name);
    assert.ok(touched.size < 15, `${appliance.name}: ${touched.size} records for one floating IP`);
  }
  assert.ok(outcomes.has('c1'));
});

test.run();
