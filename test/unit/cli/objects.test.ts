import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { chapter } from '../../../examples/chapter.ts';
import { Config, type CommitRequest } from '../../../proto/config.ts';
import { definitionOf } from '../../../proto/load.ts';
import { parseObjects, toDocument, toYaml } from '../../../mgmt/cli/objects.ts';
import { UsageError } from '../../../mgmt/cli/output.ts';

const { requestSerialize, requestDeserialize } = definitionOf(Config)['commit']!;
/** Objects as they arrive from the controller. */
function arrived(objects: ReturnType<typeof parseObjects>) {
  return (requestDeserialize(requestSerialize({ operations: objects.map((put) => ({ put })) })) as CommitRequest).operations.map(({ put }) => put!);
}
const refused = (text: string): string => {
  try {
    parseObjects(text, 'net.yaml');
  } catch (error) {
    assert.instance(error, UsageError);
    return (error as Error).message;
  }
  return 'accepted';
};
const NETWORK = 'kind: virtual-network\nname: default-domain:p:n\nspec:\n';

test('YAML, several documents, keys in snake_case or camelCase', () => {
  const [network, pool] = arrived(parseObjects(`${NETWORK}  subnets: [{prefix: 101.101.101.0/24, addr_from_start: true}]
  route_targets: [target:64512:101]
  mssClamp: 1400
---
---
kind: floating-ip-pool
name: default-domain:p:n:pool
`, 'net.yaml'));
  assert.is(network!.spec, 'virtualNetwork');
  assert.equal(network!.virtualNetwork!.subnets, [{ prefix: '101.101.101.0/24', gateway: '', addrFromStart: true }]);
  assert.equal([network!.virtualNetwork!.routeTargets, network!.virtualNetwork!.mssClamp], [['target:64512:101'], 1400]);
  assert.is(pool!.spec, 'floatingIpPool');
});

test('what is shown can be applied again: every object of the chapter, as YAML and as JSON', () => {
  const objects = arrived(chapter() as ReturnType<typeof parseObjects>);
  assert.equal(arrived(parseObjects(toYaml(objects), 'shown')), objects);
  assert.equal(arrived(parseObjects(JSON.stringify(objects.map(toDocument)), 'shown')), objects);
});

test('defaults are left out of what is shown', () => {
  const [network] = arrived(parseObjects(`${NETWORK}  external: true\n  mtu: 0\n`, 'net.yaml'));
  assert.equal(toDocument(network!), { kind: 'virtual-network', name: 'default-domain:p:n', uuid: '', version: 0, spec: { external: true } });
});

test("a route table's prefixes are texts, packed ascending with their next hops", () => {
  const [object] = arrived(parseObjects(`kind: route-table
name: default-domain:p:t
spec:
  virtual_network: default-domain:p:n
  next_hops: [{discard: true}, {virtual_machine_interface: default-domain:p:i}]
  prefixes: [10.0.0.0/8, 1.2.3.0/24]
  next_hop_index: [0, 1]
`, 't.yaml'));
  assert.is(object!.routeTable!.prefixes.toString('hex'), '0102030018' + '0a00000008');
  assert.equal([...object!.routeTable!.nextHopIndex], [1, 0]);
  assert.equal((toDocument(object!)['spec'] as Record<string, unknown>)['prefixes'], ['1.2.3.0/24', '10.0.0.0/8']);
});

test('a mistake is named with its document and path, never dropped in silence', () => {
  assert.match(refused(`${NETWORK}  subnet: []\n`), /net.yaml, document 1: unknown spec.subnet; known are subnets, route_targets/);
  assert.match(refused(`${NETWORK}  subnets: [{prefix: 10.0.0.0/8}, {prefx: 10.0.0.0/8}]\n`), /unknown spec.subnets\[1\].prefx; known are prefix, gateway/);
  assert.match(refused(`${NETWORK}  vrf_kind: DIR24\n`), /spec.vrf_kind cannot be "DIR24"; VRF_KIND_AUTO would be one/);
  assert.match(refused(`${NETWORK}  mtu: large\n`), /spec.mtu cannot be "large"|mtu/);
  assert.match(refused(`${NETWORK}  external: yes please\n`), /spec.external cannot be "yes please"/);
  assert.match(refused(`${NETWORK}  subnets: 10.0.0.0/8\n`), /subnets/);
  assert.match(refused('kind: virtual-netwrok\nname: x\n'), /unknown kind "virtual-netwrok"/);
  assert.match(refused('kind: project\nspec: {}\n'), /"name" is missing/);
  assert.match(refused('name: x\nspec: {}\n'), /"kind" is missing/);
  assert.match(refused('kind: project\nname: x\nlabels: {}\n'), /unknown "labels"/);
  assert.match(refused('kind: project\nname: [\n'), /document 1: /);
  assert.match(refused('- 5\n'), /an object has kind, name and spec/);
  assert.match(refused(''), /net.yaml has no objects/);
  assert.match(refused('kind: route-table\nname: default-domain:p:t\nspec: {prefixes: [10.0.0.0/33]}\n'), /spec.prefixes\[0\] "10.0.0.0\/33" is not a prefix/);
});

test.run();
