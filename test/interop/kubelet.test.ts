// needs: netns, kubernetes, cni-plugins
// limit: 180 s
//
// The lab's kubelet against a real API server and the reference CNI plugins: whoever passes here is a kubelet as far as our own plugin is concerned.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { NamespaceHost } from '../lab/hosts.ts';
import { ApiServer } from '../lab/kubernetes/api-server.ts';
import { CniNetwork } from '../lab/kubernetes/cni.ts';
import { Kubelet } from '../lab/kubernetes/kubelet.ts';
import type { List, Pod } from '../lab/kubernetes/objects.ts';
import { Scheduler } from '../lab/kubernetes/scheduler.ts';
import { until } from '../lab/kubernetes/until.ts';
import { Namespaces } from '../lab/netns.ts';

const WEB = new URL('../lab/kubernetes/web.ts', import.meta.url).pathname;
const NODE = 'node-1';
const test = suite('kubelet');
const directory = mkdtempSync(join(tmpdir(), 'wrouter-kubelet-'));
const namespaces = new Namespaces();
const said: string[] = [];
let api: ApiServer;
let kubelet: Kubelet;
let scheduler: Scheduler;

test.before(async () => {
  api = await ApiServer.start({ directory });
  namespaces.add(NODE);
  const configuration = join(directory, 'net.conflist');
  const ipam = { type: 'host-local', ranges: [[{ subnet: '10.32.0.0/24' }]], routes: [{ dst: '0.0.0.0/0' }], dataDir: join(directory, 'ipam') };
  writeFileSync(configuration, JSON.stringify({ cniVersion: '1.0.0', name: 'net', plugins: [{ type: 'bridge', bridge: 'pods', isGateway: true, ipam }, { type: 'tuning' }] }));
  const network = new CniNetwork({ configuration, path: ['/usr/lib/cni'], command: (program, args) => namespaces.command(NODE, program, args) });
  kubelet = new Kubelet({ node: NODE, address: '192.0.2.1', client: api.client, namespaces, network, log: (text) => said.push(text) });
  await kubelet.start();
  scheduler = new Scheduler(api.client, [NODE], (text) => said.push(text));
  scheduler.start();
});

test.after(async () => {
  scheduler?.stop();
  await kubelet?.stop();
  await api?.stop();
  namespaces.close();
  rmSync(directory, { recursive: true, force: true });
});

const pods = async (): Promise<Pod[]> => (await api.client.get<List<Pod>>('/api/v1/namespaces/default/pods')).items;
const ready = (pod: Pod): boolean => pod.status.conditions?.some(({ type, status }) => type === 'Ready' && status === 'True') ?? false;

test('a Deployment gets pods with addresses that answer each other, and endpoints', async () => {
  writeFileSync(join(directory, 'web.yaml'), `
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 3
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: web, image: nginx, ports: [{containerPort: 80}]}]}
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {selector: {app: web}, ports: [{port: 80}]}
`);
  await api.kubectl('apply', '-f', join(directory, 'web.yaml'));
  const [a, b] = await until('three pods are ready', async () => { const all = (await pods()).filter(ready); return all.length === 3 && all; });
  const name = kubelet.namespaceOf(`default/${a!.metadata.name}`)!;
  const host = new NamespaceHost(namespaces, name, a!.status.podIP!);
  assert.is((await host.ping(b!.status.podIP!, 3, 50)).received, 3);
  assert.equal(JSON.parse(await host.run(process.execPath, [WEB, 'get', `http://${b!.status.podIP}/`, '2'])), Array(2).fill({ name: b!.metadata.name, from: a!.status.podIP }));
  await until('endpoints', async () => {
    const { subsets = [] } = await api.client.get<{ subsets?: { addresses?: unknown[] }[] }>('/api/v1/namespaces/default/endpoints/web');
    return subsets[0]?.addresses?.length === 3;
  });
});

test('a pod that is deleted goes with its network, and another comes', async () => {
  const [first] = await pods();
  const name = kubelet.namespaceOf(`default/${first!.metadata.name}`)!;
  await api.kubectl('delete', 'pod', first!.metadata.name);
  assert.throws(() => namespaces.ip(name, 'link'), 'its namespace is gone');
  await until('three again', async () => { const all = await pods(); return all.length === 3 && all.every(ready) && !all.some(({ metadata }) => metadata.uid === first!.metadata.uid); });
});

test('pods go on across a restart of the API server', async () => {
  await api.killServer();
  await api.startServer();
  await api.kubectl('scale', 'deployment', 'web', '--replicas=1');
  await until('one pod', async () => (await pods()).length === 1);
  assert.is(namespaces.run(NODE, 'sh', ['-c', 'ls /sys/class/net/pods/brif | wc -l']).trim(), '1', 'one wire is left');
  assert.equal(said, []);
});

test.run();
