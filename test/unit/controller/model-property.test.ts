// Whatever is asked of the model, in any order: what it accepts keeps its invariants, what it refuses leaves nothing, and what is
// taken back was never there.
import * as fc from 'fast-check';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { KINDS, idOf, type Kind, type Stored } from '../../../mgmt/controller/model/kinds.ts';
import { Objects } from '../../../mgmt/controller/model/objects.ts';
import { referencesOf } from '../../../mgmt/controller/model/references.ts';
import { Refusal } from '../../../mgmt/controller/model/refusal.ts';
import { claimsOf, claimText } from '../../../mgmt/controller/model/relations.ts';
import { stage } from '../../../mgmt/controller/model/transaction.ts';
import type { Operation } from '../../../proto/config.ts';
import { deletion, put, type DraftObject } from './objects.ts';

const PROJECTS = ['default-domain:p', 'default-domain:q', 'other:p'];
const one = <T>(...values: readonly T[]) => fc.constantFrom(...values);
const some = <T>(values: readonly T[]) => fc.subarray(values as T[]);
const project = one(...PROJECTS);
const NETWORKS = PROJECTS.flatMap((each) => [`${each}:a`, `${each}:b`]);
const VMIS = PROJECTS.slice(0, 2).flatMap((each) => [`${each}:v1`, `${each}:v2`]);
const IPAMS = PROJECTS.slice(0, 2).map((each) => `${each}:ipam`);
const POLICY = 'default-domain:p:policy';
const TARGETS = ['target:64512:1', 'target:64512:2'];
const subnets = one([], [{ prefix: '10.0.0.0/29' }], [{ prefix: '10.0.0.0/29' }, { prefix: '10.1.0.0/30' }]);

const object: fc.Arbitrary<DraftObject> = fc.oneof(
  one('default-domain', 'other').map((name) => ({ name, domain: {} })),
  project.map((name) => ({ name, project: {} })),
  fc.record({ name: one(...IPAMS), subnets }).map(({ name, subnets: its }) => ({ name, networkIpam: { subnets: its } })),
  fc.record({ name: one(...NETWORKS), subnets, flat: some(IPAMS), external: fc.boolean(), routeTargets: some(TARGETS), policies: some([POLICY]), projects: some(PROJECTS) }).map(({ name, subnets: its, flat, external, routeTargets, policies, projects }) => ({
    name, virtualNetwork: { subnets: flat.length > 0 ? [] : its, networkIpams: flat, addressAllocationMode: flat.length > 0 ? 'FLAT_SUBNET_ONLY' as const : 'USER_DEFINED_SUBNET_ONLY' as const, external, routeTargets, networkPolicies: policies, projects },
  })),
  fc.record({ source: one('local', ...NETWORKS), destination: one(...NETWORKS) }).map((rule) => ({ name: POLICY, networkPolicy: { rules: [rule] } })),
  fc.record({ network: one(...NETWORKS), pool: one('pool', 'public'), projects: some(PROJECTS) }).map(({ network, pool, projects }) => ({ name: `${network}:${pool}`, floatingIpPool: { projects } })),
  fc.record({ network: one(...NETWORKS), name: one('x', 'y'), address: one('', '10.0.0.1', '10.0.0.2'), vmis: some(VMIS) }).map(({ network, name, address, vmis }) => ({ name: `${network}:public:${name}`, floatingIp: { address, virtualMachineInterfaces: vmis } })),
  one('vm').map((name) => ({ name, virtualMachine: { project: PROJECTS[0]! } })),
  fc.record({ name: one(...VMIS), network: one(...NETWORKS), machine: one('', 'vm'), placed: fc.boolean() }).map(({ name, network, machine, placed }) => ({
    name, virtualMachineInterface: { virtualNetwork: network, virtualMachine: machine, ...placed ? { virtualRouter: 'default-global-system-config:c', port: `tap${VMIS.indexOf(name)}` } : {} },
  })),
  fc.record({ name: one('ip-1', 'ip-2', 'ip-3'), network: one(...NETWORKS), address: one('', '10.0.0.1'), vmis: some(VMIS) }).map(({ name, network, address, vmis }) => ({ name, instanceIp: { address, virtualNetwork: network, virtualMachineInterfaces: vmis } })),
  one('c').map((name) => ({ name: `default-global-system-config:${name}`, virtualRouter: { kind: 'COMPUTE' as const, profile: 'virtual', fabric: { port: 'f', address: '192.168.1.1/24', mac: '02:00:00:00:00:01' } } })),
);
const KIND_NAMES = Object.keys(KINDS) as Kind[];
const deleted = fc.oneof(object.map((each) => deletion(KIND_NAMES.find((kind) => KINDS[kind].field in each)!, each.name!)), one(...TARGETS).map((name) => deletion('route-target', name)));
const operation: fc.Arbitrary<Operation> = fc.oneof({ arbitrary: object.map(put), weight: 4 }, { arbitrary: deleted, weight: 1 });
const transactions = fc.array(fc.record({ operations: fc.array(operation, { minLength: 1, maxLength: 6 }), takeBack: fc.boolean() }), { minLength: 1, maxLength: 40 });

const START = [
  ...PROJECTS.slice(0, 2).map((name) => put({ name, project: {} })), put({ name: 'other', domain: {} }), put({ name: PROJECTS[2]!, project: {} }), put({ name: POLICY, networkPolicy: {} }),
  ...IPAMS.map((name, at) => put({ name, networkIpam: { subnets: [{ prefix: `10.${8 + at}.0.0/29` }] } })),
  ...NETWORKS.map((name) => put({ name, virtualNetwork: { subnets: [{ prefix: '10.0.0.0/29' }], external: true } })), ...VMIS.map((name, at) => put({ name, virtualMachineInterface: { virtualNetwork: NETWORKS[at % 2]! } })),
];

const all = (objects: Objects): Stored[] => KIND_NAMES.flatMap((kind) => [...objects.all(kind)] as Stored[]);
const text = (objects: Objects): string => all(objects).map((each) => JSON.stringify(each)).sort().join('\n');

/** What must hold after every transaction, worked out from the objects alone. */
function check(objects: Objects): void {
  const claims = new Map<string, string>();
  const users = new Map<string, Set<string>>();
  const uuids = new Set<string>();
  for (const each of all(objects)) {
    const id = idOf(each.kind, each.name);
    assert.is(objects.byUuid(each.uuid), each, `${id} is not found by its uuid`);
    assert.not(uuids.has(each.uuid), `${id} has another's uuid`);
    uuids.add(each.uuid);
    for (const { kind, name, field } of referencesOf(each)) {
      assert.ok(objects.get(kind, name), `${id}: ${field} is ${kind} ${name}, which is not there`);
      const known = users.get(idOf(kind, name)) ?? new Set();
      users.set(idOf(kind, name), known.add(id));
    }
    for (const claim of claimsOf(each).map(claimText)) {
      assert.ok(!claims.has(claim) || claims.get(claim) === id, `${claim} belongs to ${claims.get(claim)} and ${id}`);
      claims.set(claim, id);
    }
    if (each.kind === 'virtual-network' && each.spec.external) assert.ok(objects.get('floating-ip-pool', `${each.name}:public`), `${id} is external without its pool`);
    if (each.kind === 'instance-ip' || each.kind === 'floating-ip') assert.ok(each.spec.address, `${id} has no address`);
  }
  for (const each of all(objects)) assert.equal([...objects.users(each.kind, each.name)].sort(), [...users.get(idOf(each.kind, each.name)) ?? []].sort(), `users of ${each.name}`);
  for (const { name } of objects.all('route-target')) assert.ok(users.has(`route-target ${name}`), `${name} is there, and nobody names it`);
}

test('any sequence of transactions keeps the model\'s invariants', () => {
  let [accepted, refused] = [0, 0];
  fc.assert(fc.property(transactions, (sequence) => {
    const objects = new Objects();
    stage(objects, START, 1);
    check(objects);
    let version = 1;
    for (const { operations, takeBack } of sequence) {
      const before = text(objects);
      try {
        const staged = stage(objects, operations, ++version);
        check(objects);
        accepted++;
        if (!takeBack) continue;
        staged.undo();
      } catch (error) {
        if (!(error instanceof Refusal)) throw error;
        assert.ok(error.violations.every(({ rule, description, object: about }) => rule && description && about), error.message);
        refused++;
      }
      assert.is(text(objects), before, 'what is refused or taken back leaves nothing');
      check(objects);
    }
  }), { numRuns: Number(process.env['RUNS'] ?? 100), includeErrorInReport: true, ...process.env['SEED'] ? { seed: Number(process.env['SEED']) } : {} });
  assert.ok(accepted > refused / 4, `${accepted} transactions accepted, ${refused} refused: the generator should hit more`);
});

test.run();
