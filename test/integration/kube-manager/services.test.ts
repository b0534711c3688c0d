// Services in the controller: backends by EndpointSlice v1 and v1beta1 and by Endpoints, pools by scope as in the chapter, addresses that are chosen, one bad object among good ones.
// limit: 120
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { Stored } from '../../../mgmt/controller/model/kinds.ts';
import { KubeScene, pod } from './scene.ts';

const test = suite<{ kube: KubeScene }>('kube-manager: services', {} as { kube: KubeScene });
const D = 'default-domain';
const SERVICES = `${D}:k8s-default:k8s-default-service-network:k8s-default-service-pool`;

test.before.each(async (context) => { context.kube = await KubeScene.open(); });
test.after.each(({ kube }) => kube.close());

const service = (namespace: string, name: string, spec: Record<string, unknown>, annotations: Record<string, string> = {}) => ({
  metadata: { namespace, name, annotations }, spec: { type: 'ClusterIP', clusterIP: '10.96.0.10', ports: [{ name: 'http', port: 8888, protocol: 'TCP', targetPort: 80 }], ...spec }, status: { loadBalancer: {} },
});
const slice = (kube: KubeScene, namespace: string, name: string, pods: readonly string[], ready = true) => ({
  metadata: { namespace, name: `${name}-x`, labels: { 'kubernetes.io/service-name': name } }, addressType: 'IPv4', ports: [{ name: 'http', port: 80, protocol: 'TCP' }],
  endpoints: pods.map((each) => ({ addresses: ['10.32.0.9'], conditions: { ready }, targetRef: { kind: 'Pod', name: each, uid: kube.get('pod', `${namespace}/${each}`)!.metadata.uid } })),
});
const pool = (name: string): string => JSON.stringify({ domain: D, project: 'k8s-ns-user-1', network: `k8s-${name}-pod-network`, name: `pool-${name}` });
const floating = (kube: KubeScene): Stored<'floating-ip'>[] => [...kube.scene.engine.objects.all('floating-ip')];

for (const [what, discovery] of [['EndpointSlice v1', ['v1', 'v1beta1']], ['EndpointSlice v1beta1', ['v1beta1']], ['Endpoints', []]] as const) {
  test(`a ClusterIP leads to its backends by ${what}, and follows them`, async ({ kube }) => {
    kube.api.discovery = [...discovery];
    for (const name of ['a', 'b', 'c']) kube.put('pod', pod('default', name, name === 'b' ? 'compute-2' : 'compute-1'));
    const put = (...names: string[]): void => {
      const object = slice(kube, 'default', 'web', names);
      if (discovery.length > 0) kube.api.put(`/apis/discovery.k8s.io/${discovery[0]}/endpointslices`, object);
      else kube.put('endpoints', { metadata: { namespace: 'default', name: 'web' }, subsets: [{ ports: object.ports, addresses: object.endpoints.map(({ targetRef }) => ({ ip: '10.32.0.9', targetRef })) }] });
    };
    put('a', 'b');
    kube.put('service', service('default', 'web', { sessionAffinity: 'ClientIP' }));
    await kube.start();
    await kube.until(() => floating(kube)[0]?.spec.virtualMachineInterfaces.length === 2, 'two backends');
    const [{ name, spec }] = floating(kube) as [Stored<'floating-ip'>];
    assert.is(name, `${SERVICES}:web__${kube.get('service', 'default/web')!.metadata.uid}`);
    assert.is(spec.address, '10.96.0.10');
    assert.is(spec.direction, 'DIRECTION_INGRESS');
    assert.equal(spec.portMappings, [{ protocol: 'TCP', srcPort: 8888, dstPort: 80 }]);
    assert.is(spec.sessionAffinity, 'CLIENT_IP');
    put('b', 'c');
    await kube.until(() => floating(kube)[0]!.spec.virtualMachineInterfaces.some((each) => each.includes(':c__')), 'c joins');
    assert.is(floating(kube)[0]!.spec.virtualMachineInterfaces.length, 2);
    kube.delete('pod', 'default/b');
    await kube.until(() => kube.names('virtual-machine').length === 2, 'a pod goes though slices still name it');
    kube.delete('service', 'default/web');
    await kube.until(() => floating(kube).length === 0, 'the service goes');
  });
}

test('pools by scope, as in the chapter: object before namespace before cluster', async ({ kube }) => {
  for (const name of ['dev', 'sales', 'global-default']) {
    kube.put('nad', { metadata: { namespace: 'ns-user-1', name, annotations: { 'opencontrail.org/cidr': `101.101.${name.length}.0/24` } }, spec: { config: '{"type":"contrail-k8s-cni"}' } });
    kube.put('floatingippool', { metadata: { namespace: 'ns-user-1', name: `pool-${name}` }, spec: { network: name, namespaces: ['dev', 'sales', 'test-only'] } });
  }
  kube.put('namespace', { metadata: { name: 'ns-user-1' } });
  kube.put('namespace', { metadata: { name: 'dev', annotations: { 'opencontrail.org/fip-pool': pool('dev') } } });
  kube.put('namespace', { metadata: { name: 'sales', annotations: { 'opencontrail.org/fip-pool': pool('sales').replaceAll('"', "'") } } });
  kube.put('namespace', { metadata: { name: 'test-only' } });
  const balancer = (clusterIP: string, more = {}): Record<string, unknown> => ({ type: 'LoadBalancer', clusterIP, ...more });
  kube.put('service', service('dev', 'web', balancer('10.96.1.1')));
  kube.put('service', service('dev', 'dev-webservice', balancer('10.96.1.2'), { 'opencontrail.org/fip-pool': pool('sales') }));
  kube.put('service', service('sales', 'web', balancer('10.96.1.3')));
  kube.put('service', service('test-only', 'web', balancer('10.96.1.4', { loadBalancerIP: '101.101.14.77' })));
  await kube.start('--public-fip-pool', "{'domain': 'default-domain', 'name': 'pool-global-default', 'network': 'k8s-global-default-pod-network', 'project': 'k8s-ns-user-1'}");
  await kube.until(() => floating(kube).length === 8, 'four ClusterIPs and four external addresses');
  const poolOf = (namespace: string, name: string): string | undefined => floating(kube)
    .find(({ name: each, annotations }) => annotations!['namespace'] === namespace && annotations!['name'] === name && each.endsWith('-externalIP'))?.name.split(':').at(-2);
  assert.is(poolOf('dev', 'web'), 'pool-dev');
  assert.is(poolOf('dev', 'dev-webservice'), 'pool-sales');
  assert.is(poolOf('sales', 'web'), 'pool-sales');
  assert.is(poolOf('test-only', 'web'), 'pool-global-default');
  assert.ok(floating(kube).some(({ spec }) => spec.address === '101.101.14.77'));
});

test('a pool that is missing is told, and no other one steps in; when it comes, the address comes', async ({ kube }) => {
  kube.put('namespace', { metadata: { name: 'ns-user-1' } });
  kube.put('service', service('ns-user-1', 'web', { type: 'LoadBalancer' }, { 'opencontrail.org/fip-pool': pool('vn') }));
  await kube.start();
  await kube.until(() => floating(kube).length === 1, 'the ClusterIP');
  assert.equal(kube.manager.translator.problemsOf('service ns-user-1/web').map(({ rule }) => rule), ['PoolNotFound']);
  kube.put('virtualnetwork', { metadata: { namespace: 'ns-user-1', name: 'vn' }, spec: { subnets: ['101.101.101.0/24'], external: true, routeTargets: ['target:64512:101'] } });
  kube.put('floatingippool', { metadata: { namespace: 'ns-user-1', name: 'pool-vn' }, spec: { network: 'vn' } });
  await kube.until(() => floating(kube).length === 2, 'the external address');
  assert.is(kube.manager.translator.problemsOf('service ns-user-1/web').length, 0);
});

test('one address that two services want is one\'s; every other service is there', async ({ kube }) => {
  for (let at = 0; at < 10; at++) kube.put('service', service('default', `s${at}`, { clusterIP: at === 7 ? '10.96.2.6' : `10.96.2.${at}` }));
  await kube.start();
  await kube.until(() => floating(kube).length === 8 || floating(kube).length === 9, 'all but the refused');
  await kube.until(() => ['s6', 's7'].some((name) => kube.manager.reconciler.problemsOf(`service default/${name}`).some(({ rule }) => rule === 'Taken')), 'it is told');
});

test('a pod\'s floating IP by annotation and by a FloatingIP; one that was given by hand does not keep a pod from going', async ({ kube }) => {
  kube.put('virtualnetwork', { metadata: { namespace: 'default', name: 'vn' }, spec: { subnets: ['101.101.101.0/24'] } });
  kube.put('floatingippool', { metadata: { namespace: 'default', name: 'p' }, spec: { network: 'vn' } });
  const name = JSON.stringify({ domain: D, project: 'k8s-default', network: 'k8s-vn-pod-network', name: 'p' });
  kube.put('pod', pod('default', 'one', 'compute-1', { 'wrouter.io/floating-ip': '101.101.101.9', 'opencontrail.org/fip-pool': name }));
  kube.put('pod', pod('default', 'two'));
  kube.put('floatingip', { metadata: { namespace: 'default', name: 'f' }, spec: { pool: { name: 'p' }, pod: 'two' } });
  await kube.start();
  await kube.until(() => floating(kube).length === 2 && floating(kube).every(({ spec }) => spec.virtualMachineInterfaces.length === 1), 'both');
  assert.ok(floating(kube).some(({ spec }) => spec.address === '101.101.101.9'));
  const { uid } = kube.get('pod', 'default/two')!.metadata;
  const byHand = `${D}:k8s-default:k8s-vn-pod-network:p:by-hand`;
  await kube.scene.put({ name: byHand, floatingIp: { virtualMachineInterfaces: [`${D}:k8s-default:two__${uid}`] } });
  kube.delete('pod', 'default/two');
  await kube.until(() => kube.names('virtual-machine').length === 1, 'the pod is gone');
  assert.equal(kube.stored('floating-ip', byHand)!.spec.virtualMachineInterfaces, []);
});

test.run();
