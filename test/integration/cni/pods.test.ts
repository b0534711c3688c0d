// Pods through the CNI plugin: network namespaces on a real compute appliance, called for as a kubelet calls, with a real controller and
// gateway. Ports come and go under traffic of others, nothing is left behind, and agent and data plane may restart.
// needs: netns, gcc, cni-plugins
// limit: 400 s
import { spawnSync } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import * as assert from 'uvu/assert';
import { NamespaceHost } from '../../lab/hosts.ts';
import { labSuite, type Bench } from '../../lab/suite.ts';
import { Kubelet, podDeletions, podObjects, podSpec, POD_NETWORK, PROJECT, type PodSpec } from './pods.ts';

const BUILD = fileURLToPath(new URL('../../../mgmt/cni/build.ts', import.meta.url));
const FLOATING_NETWORK = 'default-domain:k8s-ns-user-1:k8s-vn-ns-default-pod-network';
const INTERNET = '203.0.113.10';

const test = labSuite('pods by CNI', { cni: true, faults: true });
test.before(() => {
  const { status, stderr } = spawnSync(process.execPath, [BUILD], { encoding: 'utf8' });
  assert.is(status, 0, stderr);
});

const kubeletOf = ({ lab, namespaces }: Bench): Kubelet => new Kubelet(lab, namespaces);
const hostOf = ({ namespaces }: Bench, pod: PodSpec, address: string): NamespaceHost => new NamespaceHost(namespaces, Kubelet.place(pod), address.split('/')[0]!);
const create = async ({ lab }: Bench, ...pods: PodSpec[]): Promise<void> => { await lab.controller.config.commit({ operations: pods.flatMap(podObjects) }); };
const remove = async ({ lab }: Bench, ...pods: PodSpec[]): Promise<void> => { await lab.controller.config.commit({ operations: pods.flatMap(podDeletions) }); };
const portsOf = async ({ lab }: Bench): Promise<string[]> => (await lab.compute.dataplane.ports()).ports.map(({ port }) => port!.name).filter((name) => name.startsWith('tap')).sort();
const devicesOf = ({ namespaces }: Bench): string[] => [...namespaces.ip('compute', '-o link').matchAll(/^\d+: (tap[^@:]+)/gm)].map((match) => match[1]!).sort();

async function until(what: string, isSo: () => Promise<boolean> | boolean, ms = 30_000): Promise<void> {
  for (const end = Date.now() + ms; !(await isSo());) {
    if (Date.now() > end) throw new Error(`not within ${ms / 1000} s: ${what}`);
    await sleep(25);
  }
}

test('VERSION, STATUS', async (bench) => {
  const kubelet = kubeletOf(bench);
  assert.equal((await kubelet.call({ command: 'VERSION' })).json.supportedVersions, ['0.3.0', '0.3.1', '0.4.0', '1.0.0', '1.1.0']);
  assert.equal(await kubelet.call({ command: 'STATUS' }), { code: 0, output: '', json: {} });
});

test('a pod has its interface when ADD answers: the other pod and the Internet are a ping away', async (bench) => {
  const [one, two] = [podSpec(1), podSpec(2)] as const;
  const kubelet = kubeletOf(bench);
  for (const pod of [one, two]) bench.namespaces.add(Kubelet.place(pod));
  await create(bench, one, two);
  const [first, second] = [await kubelet.add(one), await kubelet.add(two)];
  const { interfaces, ips, routes } = first.json;
  assert.is(first.json.cniVersion, '1.1.0');
  assert.equal(interfaces!.map(({ name, sandbox, mtu }) => ({ name, sandbox, mtu })), [{ name: 'eth0', sandbox: kubelet.netns(one), mtu: 1500 }, { name: one.interfaces[0]!.port, sandbox: undefined, mtu: 1500 }]);
  assert.equal(ips!.map(({ gateway, interface: at }) => ({ gateway, at })), [{ gateway: '10.47.255.254', at: 0 }]);
  assert.equal(routes, [{ dst: '0.0.0.0/0', gw: '10.47.255.254' }]);
  assert.match(bench.namespaces.ip(Kubelet.place(one), 'addr show eth0'), ips![0]!.address);
  assert.match(bench.namespaces.ip(Kubelet.place(one), 'link show eth0'), interfaces![0]!.mac!);

  const host = hostOf(bench, one, ips![0]!.address);
  const other = second.json.ips![0]!.address.split('/')[0]!;
  assert.is((await host.ping(other, 1, 200)).received, 1, 'the very first packet passes');
  assert.is((await host.ping(bench.pod.address, 5, 50)).received, 5);
  await bench.lab.controller.config.commit({ operations: [{ put: { name: `${FLOATING_NETWORK}:pool-ns-default:web-1`, floatingIp: { virtualMachineInterfaces: [`${PROJECT}:web-1__${one.uid}`] } } }] });
  await until('the gateway leads to the Internet', async () => (await host.ping(INTERNET, 1, 200)).received === 1);
  const stop = await host.serve(8080);
  const transfer = await hostOf(bench, two, other).send(host.address, 8080, 4 << 20);
  await stop();
  assert.ok(transfer.intact, 'TCP, so checksums are whole');

  // CHECK: as it is, and not any more.
  const prevResult = first.json;
  assert.is((await kubelet.call({ command: 'CHECK', pod: one, configuration: { prevResult } })).code, 0);
  bench.namespaces.ip(Kubelet.place(one), 'route del default');
  const fault = await kubelet.call({ command: 'CHECK', pod: one, configuration: { prevResult } });
  assert.is(fault.code, 1);
  assert.match(fault.json.details!, /eth0 has no default route/);
  // ADD of what is there but broken makes it anew; of what is whole, it answers the same.
  assert.equal((await kubelet.add(one)).json, first.json);
  assert.is((await kubelet.call({ command: 'CHECK', pod: one, configuration: { prevResult } })).code, 0);
  assert.equal((await kubelet.add(one)).json, first.json);

  await kubelet.delete(one);
  await kubelet.delete(one);
  assert.is(bench.namespaces.ip(Kubelet.place(one), 'link show').includes('eth0'), false);
  assert.is((await kubelet.call({ command: 'CHECK', pod: one, configuration: { prevResult } })).json.code, 3);
  await kubelet.delete(two);
  await bench.lab.controller.config.commit({ operations: [{ delete: { kind: 'floating-ip', name: `${FLOATING_NETWORK}:pool-ns-default:web-1` } }] });
  await remove(bench, one, two);
  assert.equal(devicesOf(bench), []);
});

test('ADD waits for what the controller has yet to tell, and says what is missing when it does not come', async (bench) => {
  const [late, never] = [podSpec(3), podSpec(4)];
  const kubelet = kubeletOf(bench);
  bench.namespaces.add(Kubelet.place(late!));
  bench.namespaces.add(Kubelet.place(never!));
  let isAnswered = false;
  const adding = kubelet.add(late!).finally(() => { isAnswered = true; });
  await sleep(500);
  assert.is(isAnswered, false);
  await create(bench, late!);
  await adding;
  const refused = await kubelet.call({ command: 'ADD', pod: never!, configuration: { timeout: 1 } });
  assert.is(refused.code, 1);
  assert.is(refused.json.code, 11);
  assert.match(refused.json.details!, /not within 1 s: the controller has told no interface of it/);
  await kubelet.delete(late!);
  await remove(bench, late!);
});

test('several interfaces: all by one ADD, the default route where it is asked for', async (bench) => {
  const base = podSpec(5);
  const pod: PodSpec = { ...base, interfaces: [...base.interfaces, { name: 'net1', network: FLOATING_NETWORK, port: 'tap00051', annotations: { 'default-route': 'true' } }] };
  const kubelet = kubeletOf(bench);
  bench.namespaces.add(Kubelet.place(pod));
  await create(bench, pod);
  const { json } = await kubelet.add(pod, { configuration: { cniVersion: '0.4.0', dns: { nameservers: ['10.96.0.10'] } } });
  assert.equal(json.interfaces!.map(({ name }) => name), ['eth0', 'net1', 'tap00050', 'tap00051']);
  assert.equal(json.ips!.map(({ version, interface: at }) => [version, at]), [['4', 0], ['4', 1]]);
  assert.equal(json.routes, [{ dst: '0.0.0.0/0', gw: '101.101.101.254' }]);
  assert.equal(json.dns, { nameservers: ['10.96.0.10'] });
  assert.match(bench.namespaces.ip(Kubelet.place(pod), 'route show default'), /via 101\.101\.101\.254 dev net1/);
  await kubelet.delete(pod);
  assert.equal(devicesOf(bench), []);
  await remove(bench, pod);
});

test('chained plugins: portmap and bandwidth take our result, and give back what they changed', async (bench) => {
  const pod = podSpec(8);
  const kubelet = kubeletOf(bench);
  bench.namespaces.add(Kubelet.place(pod));
  await create(bench, pod);
  // As old as Debian's plugins are.
  const cniVersion = '1.0.0';
  const { json: ours } = await kubelet.add(pod, { configuration: { cniVersion } });
  const chain = [
    { plugin: '/usr/lib/cni/bandwidth', configuration: { cniVersion, type: 'bandwidth', ingressRate: 100_000_000, ingressBurst: 10_000_000, egressRate: 100_000_000, egressBurst: 10_000_000 } },
    { plugin: '/usr/lib/cni/portmap', configuration: { cniVersion, type: 'portmap', runtimeConfig: { portMappings: [{ hostPort: 18080, containerPort: 80, protocol: 'tcp' }] } } },
  ];
  let previous = ours;
  for (const { plugin, configuration } of chain) previous = (await kubelet.add(pod, { plugin, configuration: { ...configuration, prevResult: previous } })).json;
  assert.equal(previous.ips, ours.ips);
  assert.equal(previous.interfaces!.slice(0, 2), ours.interfaces);
  assert.match(bench.namespaces.run('compute', 'tc', ['qdisc', 'show', 'dev', pod.interfaces[0]!.port]), /tbf/);
  assert.match(bench.namespaces.run('compute', 'iptables', ['-t', 'nat', '-S']), /18080.*DNAT|DNAT.*:80/);
  assert.is((await kubelet.call({ command: 'CHECK', pod, configuration: { cniVersion, prevResult: previous } })).code, 0);
  for (const { plugin, configuration } of [...chain].reverse()) await kubelet.delete(pod, { plugin, configuration: { ...configuration, prevResult: previous } });
  await kubelet.delete(pod, { configuration: { cniVersion, prevResult: previous } });
  assert.not.match(bench.namespaces.run('compute', 'iptables', ['-t', 'nat', '-S']), /18080/);
  assert.equal(devicesOf(bench), []);
  await remove(bench, pod);
});

test('40 pods come and go, 20 at a time: others lose nothing, nothing is left', async (bench) => {
  const pods = Array.from({ length: 40 }, (_, at) => podSpec(100 + at));
  const kubelet = kubeletOf(bench);
  for (const pod of pods) bench.namespaces.add(Kubelet.place(pod));
  const before = await bench.lab.compute.quietCounters();
  const probe = await bench.pod.probe(INTERNET, async () => {
    await create(bench, ...pods);
    for (const half of [pods.slice(0, 20), pods.slice(20)]) await Promise.all(half.map((pod) => kubelet.add(pod)));
    assert.is((await portsOf(bench)).length, 40);
    for (const half of [pods.slice(0, 20), pods.slice(20)]) await Promise.all(half.map((pod) => kubelet.delete(pod)));
    await remove(bench, ...pods);
  });
  assert.ok(probe.sent > 1000, `${probe.sent} requests went out meanwhile`);
  assert.equal(probe.lost, [], `of ${probe.sent}`);
  assert.equal(devicesOf(bench), []);
  assert.equal(await portsOf(bench), []);
  const after = await bench.lab.compute.quietCounters();
  assert.is(after.received + after.originated, after.transmitted + after.dropped + after.held, 'no frame is lost');
  assert.ok(after.received > before.received);
});

test('agent and data plane restart: pods go on, and are known', async (bench) => {
  const [one, two] = [podSpec(6), podSpec(7)] as const;
  const kubelet = kubeletOf(bench);
  for (const pod of [one, two]) bench.namespaces.add(Kubelet.place(pod));
  await create(bench, one, two);
  const [first, second] = [await kubelet.add(one), await kubelet.add(two)];
  const host = hostOf(bench, one, first.json.ips![0]!.address);
  const other = second.json.ips![0]!.address.split('/')[0]!;
  const probe = await host.probe(other, async () => {
    await bench.lab.compute.killAgent();
    await sleep(200);
    await bench.lab.compute.startAgent();
    await bench.lab.inSync();
  });
  assert.equal(probe.lost, [], `of ${probe.sent}: an agent is in nobody's way`);
  await until('the new agent answers', async () => (await kubelet.call({ command: 'STATUS' })).code === 0);
  assert.is((await kubelet.call({ command: 'CHECK', pod: one, configuration: { prevResult: first.json } })).code, 0);

  await bench.lab.compute.killDataplane();
  await until('STATUS says that the data plane is away', async () => (await kubelet.call({ command: 'STATUS' })).json.code === 51);
  await bench.lab.compute.startDataplane();
  await until('both pods forward again', async () => (await host.ping(other, 1, 200)).received === 1);
  assert.is((await kubelet.call({ command: 'CHECK', pod: one, configuration: { prevResult: first.json } })).code, 0);

  // GC: what a runtime does not know of any more goes, and a wire that nobody knows of.
  bench.namespaces.ip('compute', 'link add tapffff0 type veth peer name tapffff1');
  bench.namespaces.ip('compute', 'link set tapffff0 alias wrouter-cni_nobody');
  bench.namespaces.run('compute', 'ip', ['link', 'set', 'tapffff0', 'alias', 'wrouter-cni nobody eth0']);
  const valid = [{ containerID: `c-${two.uid}`, ifname: 'eth0' }];
  assert.equal(await kubelet.call({ command: 'GC', configuration: { 'cni.dev/valid-attachments': valid } }), { code: 0, output: '', json: {} });
  assert.equal(devicesOf(bench), [two.interfaces[0]!.port]);

  // A new sandbox of a pod, before its former one was deleted, whose deletion then takes nothing of the new one.
  await kubelet.add(two, { containerId: 'another' });
  await kubelet.delete(two);
  assert.equal(devicesOf(bench), [two.interfaces[0]!.port]);
  await kubelet.delete(two, { containerId: 'another' });
  await remove(bench, one, two);
  assert.equal(devicesOf(bench), []);
  assert.equal(await portsOf(bench), []);
});

test.run();
