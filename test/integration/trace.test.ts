// A packet's way from end to end on a real controller's states: the chapter's objects, with what kube-manager annotates. No appliance runs.
// limit: 300 s
import { execFile } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { chapter, UNDERLAY } from '../../examples/chapter.ts';
import { loadCore } from '../../firmware/host/core.ts';
import { ControllerSource } from '../../mgmt/cli/controller-source.ts';
import { ipv4Packet, type Packet } from '../../mgmt/cli/frame.ts';
import { clientCredentials } from '../../mgmt/pki/credentials.ts';
import { findEnds } from '../../mgmt/trace/ends.ts';
import { Walker, type Leg, type Walk } from '../../mgmt/trace/walk.ts';
import type { Object as ConfigObject } from '../../proto/config.ts';
import { createClient, type Draft } from '../../proto/load.ts';
import { Routing } from '../../proto/routing.ts';
import { Scene } from './controller/scene.ts';

const WROUTER = fileURLToPath(new URL('../../mgmt/cli/wrouter.ts', import.meta.url));
const USER = 'default-domain:k8s-ns-user-1';
const ISOLATED = 'default-domain:k8s-ns-isolated';
const PODS = 'default-domain:k8s-default:k8s-default-pod-network';
const FLOATING = `${USER}:k8s-vn-ns-default-pod-network`;
const COMPUTE_2 = 'default-global-system-config:compute-2';

/** kube-manager's annotations. */
const pod = (namespace: string, name: string, device = 'eth0', index = '1/1'): Record<string, string> => ({ kind: 'Pod', namespace, name, interface: device, index });
/** The chapter, its pods annotated. */
const isPods = /(pod-\d)(-ip)?$/;
const annotated = chapter({ ...UNDERLAY, external: { ...UNDERLAY.external, router: '203.0.113.254' } }).map((object): Draft<ConfigObject> => {
  const [, name] = isPods.exec(object.name ?? '') ?? [];
  return name === undefined || object.floatingIp ? object : { ...object, annotations: pod('ns-user-1', name) };
});

/** A pod on another appliance, in a network of its own. */
const workload = (project: string, namespace: string, name: string, network: string, address: string): Draft<ConfigObject>[] => [
  { name: `${project}:${name}`, annotations: pod(namespace, name), virtualMachineInterface: { mac: `02:00:0a:21:00:${address.split('.')[3]!.padStart(2, '0')}`, virtualNetwork: network, virtualRouter: COMPUTE_2, port: name } },
  { name: `${name}-ip`, annotations: pod(namespace, name), instanceIp: { address, virtualNetwork: network, virtualMachineInterfaces: [`${project}:${name}`] } },
];
const namespace = { kind: 'Namespace', namespace: 'ns-isolated', name: 'ns-isolated', isolation: 'true' };
const MORE: Draft<ConfigObject>[] = [
  { name: COMPUTE_2, virtualRouter: { kind: 'COMPUTE', profile: 'virtual', fabric: { port: 'fabric', address: '10.169.25.21/24', mac: '02:00:00:00:25:15' } } },
  { name: ISOLATED, annotations: namespace, project: {} },
  { name: `${ISOLATED}:k8s-ns-isolated-pod-network`, annotations: namespace, virtualNetwork: { subnets: [{ prefix: '10.33.0.0/16' }] } },
  ...workload(ISOLATED, 'ns-isolated', 'hidden', `${ISOLATED}:k8s-ns-isolated-pod-network`, '10.33.0.3'),
  ...workload('default-domain:k8s-default', 'default', 'plain', PODS, '10.32.0.7'),
];

interface Context { scene: Scene; module: WebAssembly.Module; walk(from: string, to: string, packet?: Partial<Packet>): Promise<Walk>; run(...args: string[]): Promise<{ code: number; out: string; error: string }> }
const test = suite<Context>('trace from end to end', {} as Context);

test.before(async (context) => {
  const scene = context.scene = await Scene.open();
  await scene.put(...annotated, ...MORE);
  const { module } = loadCore();
  const routing = createClient(Routing, scene.address, clientCredentials(scene.pki, 'operator', 'controller'));
  context.walk = async (from, to, packet) => {
    const source = new ControllerSource(scene.config, routing);
    const ends = await findEnds(source, from, to, '198.51.100.9');
    const bytes = ipv4Packet({ protocol: 'tcp', destinationPort: 443, ttl: 64, dontFragment: false, source: ends.from.address, destination: ends.to.address, ...packet });
    return new Walker(source, module).walk(ends.from, ends.to, bytes);
  };
  const contextFile = join(scene.folder, 'context.json');
  writeFileSync(contextFile, JSON.stringify({ pki: 'pki', controller: scene.address }));
  context.run = (...args) => new Promise((resolve) => execFile(process.execPath, [WROUTER, '--context', contextFile, 'trace', ...args], (error, out, errors) => resolve({ code: typeof error?.code === 'number' ? error.code : 0, out, error: errors })));
});
test.after(({ scene }) => scene.close());

const way = ({ hops, outcome }: Leg): string => `${hops.map(({ appliance }) => appliance).join(' ')} ${outcome.kind}`;
const hints = ({ there }: Walk): string => there.outcome.hints.join('\n');

test('a pod to the Internet by its floating IP, and the answer', async ({ walk }) => {
  const { there, back } = await walk('pod/ns-user-1/pod-1', '198.51.100.9');
  assert.is(way(there), 'compute-1 gateway-1 leaves');
  assert.match(there.outcome.text, /leaves by external of gateway-1 to 203\.0\.113\.254, which is not ours: 101\.101\.101\.3 > 198\.51\.100\.9 TCP 41000 > 443 S/);
  assert.is(way(back!), 'gateway-1 compute-1 arrives');
  assert.match(back!.outcome.text, /arrives at pod\/ns-user-1\/pod-1: 198\.51\.100\.9 > 10\.32\.0\.3 TCP 443 > 41000 S\./);
});

test('from the Internet to a pod: by the floating IP, for that is what the gateway has a route to', async ({ walk }) => {
  const { to, there, back } = await walk('internet', 'pod/ns-user-1/pod-2', { protocol: 'icmp' });
  assert.is(to.address, '101.101.101.4');
  assert.is(way(there), 'gateway-1 compute-1 arrives');
  assert.is(way(back!), 'compute-1 gateway-1 leaves');
  assert.match(back!.packet, /10\.32\.0\.4 > 198\.51\.100\.9 ICMP echo reply/);
});

test('between pods of two appliances; every end may be named in several ways', async ({ walk }) => {
  for (const from of ['pod/default/plain', 'pod/default/plain/eth0', 'default-domain:k8s-default:plain', 'plain', '10.32.0.7']) {
    for (const to of ['pod/ns-user-1/pod-1', `${USER}:pod-1`, '10.32.0.3']) {
      const { from: found, there, back } = await walk(from, to, { protocol: 'udp' });
      assert.is(found.word, 'pod/default/plain');
      assert.is(`${way(there)}, ${way(back!)}`, 'compute-2 compute-1 arrives, compute-1 compute-2 arrives', `${from} to ${to}`);
    }
  }
});

test('the objects behind a step stand with it, once in a walk', async ({ walk }) => {
  const { there } = await walk('pod/ns-user-1/pod-1', '198.51.100.9');
  const [compute, gateway] = there.hops;
  const objectsOf = (node: string, at = 0): readonly string[] => compute!.steps.filter((step) => step.node === node)[at]!.objects;
  assert.equal(objectsOf('ethernet-input'), [`virtual-machine-interface ${USER}:pod-1`, 'virtual-machine k8s__ns-user-1__pod-1']);
  assert.equal(objectsOf('ip4-lookup'), [`virtual-network ${PODS}`]);
  assert.equal(objectsOf('fip-select'), [`floating-ip ${FLOATING}:pool-ns-default:pod-1`, `virtual-network ${FLOATING}`, 'virtual-router default-global-system-config:gateway-1']);
  const all = [...compute!.steps, ...gateway!.steps].flatMap(({ objects }) => objects);
  assert.is(new Set(all).size, all.length);
});

test('no route to a pod: an isolated namespace is named as the cause, and what would connect the networks', async ({ walk }) => {
  const walked = await walk('pod/default/plain', 'pod/ns-isolated/hidden');
  assert.is(`${way(walked.there)} ${walked.there.outcome.reason}`, 'compute-2 dropped route_discard', 'of the subnet that holds both');
  assert.is(walked.back, undefined);
  assert.match(hints(walked), /k8s-default-pod-network imports the routes of no other network, and no route target/);
  assert.match(hints(walked), /10\.33\.0\.3 is pod\/ns-isolated\/hidden, in virtual-network default-domain:k8s-ns-isolated:k8s-ns-isolated-pod-network/);
  assert.match(hints(walked), /namespace ns-isolated is isolated/);
  assert.match(hints(walked), /a network-policy with a rule between k8s-default-pod-network and k8s-ns-isolated-pod-network/);
});

test('a policy does connect them, and the hint of one that the other side does not answer says so', async ({ walk, scene }) => {
  const hidden = { name: `${ISOLATED}:k8s-ns-isolated-pod-network`, annotations: namespace };
  const policy = `${ISOLATED}:open`;
  await scene.put({ name: policy, networkPolicy: { rules: [{ source: PODS, destination: hidden.name }] } }, { ...hidden, virtualNetwork: { subnets: [{ prefix: '10.33.0.0/16' }], networkPolicies: [policy] } });
  assert.match(hints(await walk('pod/ns-isolated/hidden', 'pod/default/plain')), /\(its network policies are answered by no other network\)/);
  await scene.put({ name: PODS, virtualNetwork: { subnets: [{ prefix: '10.32.0.0/12' }], projects: [USER], networkPolicies: [policy] } });
  const { there, back } = await walk('pod/ns-isolated/hidden', 'pod/default/plain');
  assert.is(`${way(there)}, ${way(back!)}`, 'compute-2 arrives, compute-2 arrives');
});

test('no way out without a floating IP: the pools that would give one', async ({ walk }) => {
  assert.match(hints(await walk('pod/default/plain', '198.51.100.9')), /pod\/default\/plain has no floating IP: one of a pool whose network a gateway imports .*:k8s-vn-ns-default-pod-network:pool-ns-default\)/);
});

test('what is refused for other reasons says what to do', async ({ walk }) => {
  const cases: [string, string, Partial<Packet>, string, RegExp][] = [
    ['pod/ns-user-1/pod-1', '198.51.100.9', { source: '10.32.0.9' }, 'source_mismatch', /pod\/ns-user-1\/pod-1 may send from 10\.32\.0\.3; an instance-ip with 10\.32\.0\.9/],
    ['pod/ns-user-1/pod-1', '198.51.100.9', { ttl: 1 }, 'ttl_exceeded', /a greater TTL/],
    ['pod/ns-user-1/pod-1', '198.51.100.9', { length: 1500, dontFragment: true }, 'fragmentation_needed', /a fabric MTU of 1528 or more: virtual-router default-global-system-config:compute-1 says 1500/],
    ['pod/ns-user-1/pod-1', '10.32.0.99', {}, 'route_discard', /nobody has 10\.32\.0\.99/],
    ['pod/ns-user-1/pod-1', '10.47.255.254', {}, 'local_port_unreachable', /an address of compute-1 itself/],
  ];
  for (const [from, to, packet, reason, hint] of cases) {
    const walked = await walk(from, to, packet);
    assert.is(walked.there.outcome.reason, reason, walked.there.outcome.text);
    assert.match(hints(walked), hint);
  }
});

test('an appliance answers for itself', async ({ walk }) => {
  const { there, back } = await walk('pod/ns-user-1/pod-1', '10.47.255.254', { protocol: 'icmp' });
  assert.is(way(there), 'compute-1 answered');
  assert.is(back, undefined);
});

test('a service: the address that the sender has a route to', async ({ walk, scene }) => {
  const service = { kind: 'Service', namespace: 'ns-user-1', name: 'web' };
  const one = (name: string, address: string): Draft<ConfigObject> => ({ name: `${FLOATING}:pool-ns-default:${name}`, annotations: service, floatingIp: { address, direction: 'DIRECTION_INGRESS', virtualMachineInterfaces: [`${USER}:pod-1`] } });
  await scene.put(one('web', '101.101.101.50'));
  const { to, there } = await walk('internet', 'service/ns-user-1/web');
  assert.is(to.address, '101.101.101.50');
  assert.is(way(there), 'gateway-1 compute-1 arrives');
  assert.match(there.hops[1]!.steps.map(({ text }) => text).join('\n'), /destination 101\.101\.101\.50 \(service\/ns-user-1\/web\) becomes 10\.32\.0\.3/);
});

test('the text, as the command prints it', async ({ run }) => {
  const { out, error, code } = await run('--from', 'pod/ns-user-1/pod-2', '--to', 'pod/ns-user-1/pod-1', '--udp', '53');
  assert.is(code, 0, error);
  assert.snapshot(out.replaceAll(/version \d+/g, 'version N'), `\
pod/ns-user-1/pod-2 → pod/ns-user-1/pod-1 (10.32.0.3): 10.32.0.4 > 10.32.0.3 UDP 41000 > 53

compute-1, version N
  ethernet-input   received by pod/ns-user-1/pod-2, to our MAC: IPv4
                   · virtual-machine-interface default-domain:k8s-ns-user-1:pod-2
                   · virtual-machine k8s__ns-user-1__pod-2
  ip4-input        header is sound: 28 bytes, TTL 64; 10.32.0.4 may send here
  ip4-lookup       VRF k8s-default-pod-network: 10.32.0.3 matches 10.32.0.3/32 → next hop 1: out of pod/ns-user-1/pod-1 to 02:00:0a:20:00:03
                   · virtual-network default-domain:k8s-default:k8s-default-pod-network
                   · instance-ip pod-1-ip
                   · virtual-machine-interface default-domain:k8s-ns-user-1:pod-1
                   · virtual-machine k8s__ns-user-1__pod-1
  fip-select       floating IP 101.101.101.4 (pool-ns-default:pod-2) in VRF k8s-vn-ns-default-pod-network: 0.0.0.0/0, not longer than the native /32
                   · floating-ip default-domain:k8s-ns-user-1:k8s-vn-ns-default-pod-network:pool-ns-default:pod-2
                   · virtual-network default-domain:k8s-ns-user-1:k8s-vn-ns-default-pod-network
                   · virtual-router default-global-system-config:gateway-1
  fip-select       the native route holds, the source stays as it is
  nexthop          next hop 1: out of pod/ns-user-1/pod-1 to 02:00:0a:20:00:03
  rewrite          TTL 64 → 63
  ethernet-output  to 02:00:0a:20:00:03 from 00:00:5e:00:01:00
  transmit         42 bytes out of pod/ns-user-1/pod-1: 10.32.0.4 > 10.32.0.3 UDP 41000 > 53
✓ arrives at pod/ns-user-1/pod-1: 10.32.0.4 > 10.32.0.3 UDP 41000 > 53

the answer: 10.32.0.3 > 10.32.0.4 UDP 53 > 41000

compute-1, version N
  ethernet-input   received by pod/ns-user-1/pod-1, to our MAC: IPv4
  ip4-input        header is sound: 28 bytes, TTL 64; 10.32.0.3 may send here
  ip4-lookup       VRF k8s-default-pod-network: 10.32.0.4 matches 10.32.0.4/32 → next hop 2: out of pod/ns-user-1/pod-2 to 02:00:0a:20:00:04
                   · instance-ip pod-2-ip
  fip-select       floating IP 101.101.101.3 (pool-ns-default:pod-1) in VRF k8s-vn-ns-default-pod-network: 0.0.0.0/0, not longer than the native /32
                   · floating-ip default-domain:k8s-ns-user-1:k8s-vn-ns-default-pod-network:pool-ns-default:pod-1
  fip-select       the native route holds, the source stays as it is
  nexthop          next hop 2: out of pod/ns-user-1/pod-2 to 02:00:0a:20:00:04
  rewrite          TTL 64 → 63
  ethernet-output  to 02:00:0a:20:00:04 from 00:00:5e:00:01:00
  transmit         42 bytes out of pod/ns-user-1/pod-2: 10.32.0.3 > 10.32.0.4 UDP 53 > 41000
✓ arrives at pod/ns-user-1/pod-2: 10.32.0.3 > 10.32.0.4 UDP 53 > 41000
`);
});

test('as JSON; an appliance that cannot be asked is told beside its hop; mistakes are told', async ({ run }) => {
  const { out, error } = await run('--from', 'internet', '--to', '101.101.101.3', '--tcp', '443', '--live', '-o', 'json');
  const walked = JSON.parse(out || error) as { there: { outcome: { kind: string }; hops: { appliance: string; frame: string; live: { problem: string } }[] } };
  assert.is(walked.there.outcome.kind, 'arrives');
  assert.match(walked.there.hops[0]!.frame, /^020000007101/);
  assert.match(walked.there.hops[0]!.live.problem, /no appliance "gateway-1"/);
  const mistakes: [string[], RegExp][] = [
    [['--from', 'pod/ns-user-1/pod-9', '--to', '8.8.8.8'], /no interface is of pod\/ns-user-1\/pod-9/],
    [['--from', 'pod/ns-user-1/pod-1/net7', '--to', '8.8.8.8'], /has no interface net7; it has eth0/],
    [['--from', '10.32.7.7', '--to', '8.8.8.8'], /no interface has the address 10\.32\.7\.7/],
    [['--from', 'pod/ns-user-1/pod-1', '--to', 'service/ns-user-1/none'], /no floating-ip is of service\/ns-user-1\/none/],
    [['--from', 'pod/ns-user-1/pod-1'], /where does it go\?/],
    [['--from', 'internet', '--to', '8.8.8.8', '-i', 'x'], /--interface is for a packet through one appliance/],
    [['--src', '10.0.0.1', '--dst', '8.8.8.8'], /which way\? --from and --to/],
  ];
  for (const [args, message] of mistakes) {
    const { code, error: said } = await run(...args);
    assert.is(code, 2, said);
    assert.match(said, message);
  }
});

test.run();
