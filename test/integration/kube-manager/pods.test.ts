// Namespaces, networks and pods of a Kubernetes cluster in the controller: the chapter's seven names, isolation and its end, pods that come, move and go, a relist.
// limit: 120
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { KubeScene, pod } from './scene.ts';

const test = suite<{ kube: KubeScene }>('kube-manager: namespaces, networks, pods', {} as { kube: KubeScene });
const D = 'default-domain';

test.before.each(async (context) => { context.kube = await KubeScene.open(); });
test.after.each(({ kube }) => kube.close());

const attachment = (namespace: string, name: string, cidr: string, annotations: Record<string, string> = {}) => ({
  metadata: { namespace, name, annotations: { 'opencontrail.org/cidr': cidr, ...annotations } }, spec: { config: '{"cniVersion":"0.3.0","type":"contrail-k8s-cni"}' },
});

test('the seven names of the chapter', async ({ kube }) => {
  kube.put('namespace', { metadata: { name: 'ns-non-isolated' } });
  kube.put('namespace', { metadata: { name: 'ns-isolated', annotations: { 'opencontrail.org/isolation': 'true' } } });
  for (const namespace of ['default', 'ns-non-isolated', 'ns-isolated']) kube.put('nad', attachment(namespace, 'vn-left-1', '10.10.10.0/24'));
  await kube.start();
  await kube.until(() => kube.names('virtual-network').length === 8, 'seven networks and the underlay\'s');
  assert.equal(kube.names('virtual-network').filter((name) => !name.endsWith(':ip-fabric')), [
    `${D}:k8s-default:k8s-default-pod-network`, `${D}:k8s-default:k8s-default-service-network`, `${D}:k8s-default:k8s-vn-left-1-pod-network`,
    `${D}:k8s-ns-isolated:k8s-ns-isolated-pod-network`, `${D}:k8s-ns-isolated:k8s-ns-isolated-service-network`, `${D}:k8s-ns-isolated:k8s-vn-left-1-pod-network`,
    `${D}:k8s-ns-non-isolated:k8s-vn-left-1-pod-network`,
  ]);
});

test('a pod is a virtual machine with an interface and an address, placed on its node; it goes when it ends', async ({ kube }) => {
  await kube.start();
  kube.put('pod', pod('default', 'web-1'));
  const { uid } = kube.get('pod', 'default/web-1')!.metadata;
  const name = `${D}:k8s-default:web-1__${uid}`;
  await kube.until(() => kube.stored('instance-ip', `web-1__${uid}`) !== undefined, 'the pod has an address');
  const machine = kube.stored('virtual-machine', uid!)!;
  assert.is(machine.uuid, uid);
  assert.equal(machine.annotations, { cluster: 'k8s', kind: 'Pod', name: 'web-1', namespace: 'default', owner: 'k8s', uid });
  const { spec, annotations } = kube.stored('virtual-machine-interface', name)!;
  assert.is(spec.virtualRouter, 'default-global-system-config:compute-1');
  assert.match(spec.port, /^tap[0-9a-f]{11}$/);
  assert.is(spec.virtualNetwork, `${D}:k8s-default:k8s-default-pod-network`);
  assert.is(annotations!['index'], '1/1');
  assert.is(annotations!['interface'], 'eth0');
  assert.match(kube.stored('instance-ip', `web-1__${uid}`)!.spec.address, /^10\.3[2-9]|^10\.4[0-7]/);
  kube.put('pod', { ...pod('default', 'web-1'), status: { phase: 'Failed' } });
  await kube.until(() => kube.names('virtual-machine').length === 0 && kube.names('instance-ip').length === 0, 'an evicted pod has nothing');
});

test('pods of the host\'s network and unbound ones are not ours; one on a node without an appliance waits for it', async ({ kube }) => {
  await kube.start();
  kube.put('pod', pod('default', 'host', 'compute-1', {}, { hostNetwork: true }));
  kube.put('pod', pod('default', 'unbound', ''));
  kube.put('pod', pod('default', 'elsewhere', 'node-9'));
  await kube.until(() => kube.names('virtual-machine').length === 1, 'only the third');
  const [name] = kube.names('virtual-machine-interface');
  assert.is(kube.stored('virtual-machine-interface', name!)!.spec.virtualRouter, '');
  await kube.scene.put({ name: 'default-global-system-config:node-9', virtualRouter: { kind: 'COMPUTE', profile: 'lab', fabric: { port: 'fabric0', address: '10.169.25.29/24', mac: '02:00:00:00:25:29' } } });
  await kube.until(() => kube.stored('virtual-machine-interface', name!)!.spec.virtualRouter !== '', 'it is placed when the appliance comes');
});

test('several networks: both forms, names of interfaces, one that is missing and comes later', async ({ kube }) => {
  await kube.start();
  kube.put('nad', attachment('default', 'left', '10.10.1.0/24'));
  kube.put('pod', pod('default', 'two', 'compute-1', { 'k8s.v1.cni.cncf.io/networks': '[{"name":"left","interface":"left0"},{"name":"right"}]' }));
  await kube.until(() => kube.names('virtual-network').some((name) => name.endsWith(':k8s-left-pod-network')), 'the left network');
  assert.equal(kube.names('virtual-machine'), []);
  kube.put('nad', attachment('default', 'right', '10.10.2.0/24'));
  await kube.until(() => kube.names('instance-ip').length === 3, 'three addresses');
  const shown = [...kube.scene.engine.objects.all('virtual-machine-interface')].sort((one, other) => one.spec.order - other.spec.order)
    .map(({ annotations, spec }) => [annotations!['interface'], annotations!['index'], annotations!['network'], spec.virtualNetwork.split(':').at(-1)]);
  assert.equal(shown, [['eth0', '1/3', 'default', 'k8s-default-pod-network'], ['left0', '2/3', 'default/left', 'k8s-left-pod-network'], ['eth2', '3/3', 'default/right', 'k8s-right-pod-network']]);
});

test('isolation of a namespace comes and goes under a running pod, which keeps its address', async ({ kube }) => {
  kube.put('namespace', { metadata: { name: 'ns' } });
  kube.put('pod', pod('ns', 'p'));
  await kube.start();
  await kube.until(() => kube.names('instance-ip').length === 1, 'the pod is there');
  const [ip] = kube.names('instance-ip');
  const { address } = kube.stored('instance-ip', ip!)!.spec;
  const network = (): string => kube.stored('instance-ip', ip!)!.spec.virtualNetwork;
  kube.put('namespace', { metadata: { name: 'ns', annotations: { 'opencontrail.org/isolation': 'true' } } });
  await kube.until(() => network() === `${D}:k8s-ns:k8s-ns-pod-network`, 'it is isolated');
  assert.is(kube.stored('instance-ip', ip!)!.spec.address, address);
  kube.put('namespace', { metadata: { name: 'ns' } });
  await kube.until(() => network() === `${D}:k8s-default:k8s-default-pod-network`, 'and not any more');
  assert.is(kube.stored('instance-ip', ip!)!.spec.address, address);
  await kube.until(() => !kube.names('virtual-network').some((name) => name.includes('k8s-ns:')), 'its networks are gone');
});

test('what an operator sets in a network by hand stays; what is ours is put back', async ({ kube }) => {
  kube.put('nad', attachment('default', 'vn', '101.101.101.0/24'));
  await kube.start();
  const name = `${D}:k8s-default:k8s-vn-pod-network`;
  await kube.until(() => kube.stored('virtual-network', name) !== undefined, 'the network');
  await kube.scene.put({ name, virtualNetwork: { subnets: [], routeTargets: ['target:64512:101'], mtu: 1400 } });
  await kube.until(() => kube.stored('virtual-network', name)!.spec.subnets.length === 1, 'its subnet is back');
  assert.equal(kube.stored('virtual-network', name)!.spec.routeTargets, ['target:64512:101']);
  assert.is(kube.stored('virtual-network', name)!.spec.mtu, 1400);
  kube.put('virtualnetwork', { metadata: { name: 'vn', namespace: 'default' }, spec: { routeTargets: ['target:64512:7'] } });
  await kube.until(() => kube.stored('virtual-network', name)!.spec.routeTargets.length === 2, 'a VirtualNetwork adds its target');
  kube.delete('virtualnetwork', 'default/vn');
  await kube.until(() => kube.stored('virtual-network', name)!.spec.routeTargets.length === 1, 'and takes only its own away');
  assert.equal(kube.stored('virtual-network', name)!.spec.routeTargets, ['target:64512:101']);
});

test('a restart, a cut watch and a 410 delete nothing that should live, and what went meanwhile goes', async ({ kube }) => {
  await kube.start();
  for (let at = 0; at < 20; at++) kube.put('pod', pod('default', `p${at}`));
  await kube.until(() => kube.names('instance-ip').length === 20, 'twenty pods');
  const { version } = kube.scene.engine;
  await kube.stop();
  kube.api.pageSize = 7;
  await kube.start();
  assert.is(kube.scene.engine.version, version, 'a restart changes nothing');
  kube.api.cutWatches();
  kube.put('pod', pod('default', 'p20'));
  await kube.until(() => kube.names('instance-ip').length === 21, 'a watch goes on after a cut');
  kube.api.silently(() => {
    kube.delete('pod', 'default/p3');
    kube.put('pod', pod('default', 'p21'));
  });
  await kube.until(() => kube.names('instance-ip').includes(`p21__${kube.get('pod', 'default/p21')!.metadata.uid}`) && kube.names('instance-ip').length === 21, 'a relist finds what changed');
  assert.not.ok(kube.names('instance-ip').some((name) => name.startsWith('p3__')));
});

test('a cluster\'s name, once used, is not changed by accident; nor is it another cluster\'s', async ({ kube }) => {
  await kube.start();
  await kube.until(() => kube.names('project').length > 0, 'in use');
  await kube.stop();
  const refused = async (...flags: string[]): Promise<string> => kube.start(...flags).then(() => 'started', (error: Error) => error.message);
  assert.match(await refused('--cluster-name', 'prod'), /is known to the controller as "k8s"/);
  await kube.stop();
  kube.put('namespace', { metadata: { name: 'kube-system', uid: 'ffffffff-0000-4000-8000-000000000000' } });
  assert.match(await refused(), /is that of another Kubernetes cluster/);
});

test.run();
