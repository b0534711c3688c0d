// What Kubernetes is told: network-status, status.loadBalancer, addresses of floating IPs, conditions that come and go, one Event for a refusal.
// limit: 120
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { KubeScene, PATHS, pod } from './scene.ts';

const test = suite<{ kube: KubeScene }>('kube-manager: status', {} as { kube: KubeScene });

test.before.each(async (context) => { context.kube = await KubeScene.open(); });
test.after.each(({ kube }) => kube.close());

interface Condition { type: string; status: string; reason: string; message: string }
const conditionOf = (object: { [field: string]: unknown } | undefined): Condition | undefined => (object?.['status'] as { conditions?: Condition[] } | undefined)?.conditions?.find(({ type }) => type === 'wrouter.io/Network' || type === 'Ready');
const eventsOf = (kube: KubeScene, name: string): { reason: string; message: string }[] => kube.api.all(PATHS.event)
  .filter((event) => (event['involvedObject'] as { name: string }).name === name) as unknown as { reason: string; message: string }[];

test('a pod is told where it is, and a floating IP which address it has', async ({ kube }) => {
  kube.put('nad', { metadata: { namespace: 'default', name: 'left', annotations: { 'opencontrail.org/cidr': '10.10.1.0/24' } }, spec: { config: '{"type":"contrail-k8s-cni"}' } });
  kube.put('pod', pod('default', 'p', 'compute-1', { 'k8s.v1.cni.cncf.io/networks': 'left@left0' }));
  kube.put('floatingippool', { metadata: { namespace: 'default', name: 'pool' }, spec: { network: 'left' }, apiVersion: 'wrouter.io/v1' });
  kube.put('floatingip', { metadata: { namespace: 'default', name: 'f' }, spec: { pool: { name: 'pool' }, pod: 'p' }, apiVersion: 'wrouter.io/v1' });
  await kube.start();
  const told = (): string | undefined => kube.get('pod', 'default/p')!.metadata.annotations!['k8s.v1.cni.cncf.io/network-status'];
  await kube.until(() => told() !== undefined, 'network-status');
  const status = JSON.parse(told()!) as { name: string; interface: string; ips: string[]; mac: string; default?: boolean }[];
  assert.equal(status.map(({ name, interface: device, default: preferred }) => [name, device, preferred]), [['cluster-wide-default', 'eth0', true], ['default/left', 'left0', undefined]]);
  assert.equal(status.map(({ ips }) => ips[0]), [...kube.scene.engine.objects.all('instance-ip')].map(({ spec }) => spec.address));
  await kube.until(() => ((kube.get('floatingip', 'default/f')!['status'] as { address?: string } | undefined)?.address ?? '').startsWith('10.10.1.'), 'the address of the floating IP');
  assert.is(conditionOf(kube.get('floatingip', 'default/f'))?.status, 'True');
});

test('a service whose pool is missing has a condition and one Event; then its address', async ({ kube }) => {
  const pool = '{"domain":"default-domain","project":"k8s-default","network":"k8s-vn-pod-network","name":"pool"}';
  kube.put('service', { metadata: { namespace: 'default', name: 'web', annotations: { 'opencontrail.org/fip-pool': pool } }, spec: { type: 'LoadBalancer', clusterIP: '10.96.0.9', ports: [{ port: 80, protocol: 'TCP' }] }, status: { loadBalancer: {} } });
  await kube.start();
  await kube.until(() => conditionOf(kube.get('service', 'default/web'))?.status === 'False', 'the condition');
  assert.is(conditionOf(kube.get('service', 'default/web'))!.reason, 'PoolNotFound');
  await kube.until(() => eventsOf(kube, 'web').length === 1, 'the Event');
  assert.match(eventsOf(kube, 'web')[0]!.message, /metadata\.annotations\[opencontrail\.org\/fip-pool\].*does not exist/);
  kube.put('virtualnetwork', { metadata: { namespace: 'default', name: 'vn' }, spec: { subnets: ['101.101.101.0/24'] }, apiVersion: 'wrouter.io/v1' });
  kube.put('floatingippool', { metadata: { namespace: 'default', name: 'pool' }, spec: { network: 'vn' }, apiVersion: 'wrouter.io/v1' });
  const ingress = (): string | undefined => (kube.get('service', 'default/web')!['status'] as { loadBalancer: { ingress?: { ip: string }[] } }).loadBalancer.ingress?.[0]?.ip;
  await kube.until(() => ingress()?.startsWith('101.101.101.') === true, 'status.loadBalancer.ingress');
  await kube.until(() => conditionOf(kube.get('service', 'default/web'))?.status === 'True', 'the condition is good again');
  assert.is(eventsOf(kube, 'web').length, 1);
});

test('every kind of refusal is told on its object, and disturbs no other', async ({ kube }) => {
  kube.put('namespace', { metadata: { name: 'bad', annotations: { 'opencontrail.org/isolation': 'yes please' } } });
  kube.put('nad', { metadata: { namespace: 'default', name: 'bad', annotations: { 'opencontrail.org/cidr': '10.10.1.1/24' } }, spec: { config: '{"type":"contrail-k8s-cni"}' } });
  kube.put('pod', pod('default', 'bad', 'compute-1', { 'k8s.v1.cni.cncf.io/networks': '[{"name":' }));
  kube.put('pod', pod('default', 'good'));
  kube.put('bgprouter', { metadata: { name: 'bad' }, spec: { kind: 'router', address: '10.0.0.1', holdTime: 1 }, apiVersion: 'wrouter.io/v1' });
  await kube.start();
  await kube.until(() => kube.names('virtual-machine').length === 1, 'the good pod');
  await kube.until(() => eventsOf(kube, 'bad').length >= 4, 'four Events');
  const text = eventsOf(kube, 'bad').map(({ reason, message }) => `${reason}: ${message}`).sort().join('\n');
  assert.match(text, /"yes please" is neither "true" nor "false"/);
  assert.match(text, /InvalidCidr: metadata\.annotations\[opencontrail\.org\/cidr\]: "10\.10\.1\.1\/24" is not a prefix/);
  assert.match(text, /networks\]: .* is no JSON/);
  assert.match(text, /Range: .*hold_time: .*1 is no hold time/);
  assert.match(kube.get('nad', 'default/bad')!.metadata.annotations!['wrouter.io/refused']!, /not a prefix/);
  assert.is(conditionOf(kube.get('pod', 'default/bad'))!.status, 'False');
  assert.is(conditionOf(kube.get('pod', 'default/good')), undefined);
});

test.run();
