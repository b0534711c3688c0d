// The plugin's commands over wires and ports that a test breaks: whatever fails, nothing is left behind, and the next attempt begins anew.
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Attachments, type PodInterface } from '../../../mgmt/agent/cni/attachments.ts';
import { CniError } from '../../../mgmt/agent/cni/errors.ts';
import { Plugin, type PortsOfPods } from '../../../mgmt/agent/cni/plugin.ts';
import { Pods } from '../../../mgmt/agent/cni/pods.ts';
import type { Configuration, Request } from '../../../mgmt/agent/cni/request.ts';
import type { Found, Wiring } from '../../../mgmt/agent/cni/wiring.ts';
import type { DataplaneMethods, PortState } from '../../../proto/dataplane.ts';
import type { Client } from '../../../proto/load.ts';
import type { Name } from '../../../proto/sync.ts';

/** Wires by the port at their end, and what is in the namespaces. */
class FakeWiring implements Wiring {
  readonly wires = new Map<string, { netns: string; name: string; found: Found }>();
  fails: string | undefined;
  gate: Promise<void> = Promise.resolve();
  async make(netns: string, { name, port, mac, addresses, defaultRoute }: PodInterface): Promise<void> {
    await this.gate;
    this.wires.set(port, { netns, name, found: { mac, up: true, addresses: addresses.map(({ address }) => address), routes: defaultRoute ? ['0.0.0.0/0'] : [] } });
    if (port === this.fails) throw new Error('the kernel is out of wires');
  }
  async remove(port: string): Promise<void> {
    if (port === 'stuck') throw new Error('stuck is busy');
    this.wires.delete(port);
  }
  async look(netns: string, name: string): Promise<Found | undefined> { return [...this.wires.values()].find((wire) => wire.netns === netns && wire.name === name)?.found; }
  async list(): Promise<string[]> { return [...this.wires.keys()]; }
}

class FakePorts implements PortsOfPods {
  known = true;
  readonly live = new Set<string>();
  readonly held = new Set<string>();
  never = false;
  async hold(name: string): Promise<void> { this.held.add(name); this.live.delete(name); }
  async bring(name: string, signal: AbortSignal): Promise<void> {
    this.held.delete(name);
    if (this.never) await new Promise((_, reject) => { signal.addEventListener('abort', () => reject(signal.reason as Error)); });
    this.live.add(name);
  }
  free(name: string): void { this.held.delete(name); }
  list(): PortState[] {
    return [...this.live].map((name) => ({ port: { name, driver: 'af_xdp', device: name, queues: 1 }, up: true, mac: '', mtu: 1500, mode: 'copy', problem: '', queues: [], interface: 1, profile: false, missed: 0, txErrors: 0 }));
  }
}

const name = (id: number, pod: string, uid = `u-${pod}`, at = 1, of = 1, defaultRoute = false): Name => ({
  of: 'INTERFACE', id, name: `p:${pod}`, port: `tap-${pod}-${at}`,
  pod: { namespace: 'default', name: pod, uid, interface: at === 1 ? 'eth0' : `net${at - 1}`, index: at, count: of, mac: `02:00:00:00:00:0${at}`, addresses: [{ address: `10.32.0.${id}/12`, gateway: '10.47.255.254' }], mtu: 1500, defaultRoute },
});

interface Context { folder: string; names: Name[]; pods: Pods; wiring: FakeWiring; ports: FakePorts; problem: string; plugin: Plugin }
const test = suite<Context>('cni plugin', {} as Context);
test.before.each(async (context) => {
  context.folder = mkdtempSync(join(tmpdir(), 'wrouter-cni-'));
  context.names = [];
  context.problem = '';
  context.pods = new Pods({ async *pods() { yield { names: context.names }; } } as unknown as Client<DataplaneMethods>);
  context.wiring = new FakeWiring();
  context.ports = new FakePorts();
  context.plugin = pluginOf(context);
  await context.pods.learn(true);
});
test.after.each(({ folder }) => rmSync(folder, { recursive: true }));

const pluginOf = (context: Context): Plugin => new Plugin({
  pods: context.pods, wiring: context.wiring, ports: context.ports, attachments: new Attachments(context.folder, () => {}), problem: () => context.problem, log: () => {},
});
const CONFIGURATION: Configuration = { version: '1.1.0', name: 'wrouter', defaultRoute: undefined, timeoutMs: 30_000, dns: {}, previous: undefined };
const add = (pod: string, more: { containerId?: string; ifname?: string; uid?: string; configuration?: Partial<Configuration> } = {}): Request => ({
  command: 'ADD', key: { containerId: more.containerId ?? `c-${pod}`, ifname: more.ifname ?? 'eth0' }, netns: `/run/netns/${more.containerId ?? pod}`, pod: { namespace: 'default', name: pod, uid: more.uid ?? '' },
  configuration: { ...CONFIGURATION, ...more.configuration },
});
const del = (pod: string, containerId = `c-${pod}`): Request => ({ command: 'DEL', key: { containerId, ifname: 'eth0' }, configuration: CONFIGURATION });
const NEVER = new AbortController().signal;
const refused = (plugin: Plugin, request: Request, code: number, says: RegExp, signal = NEVER): Promise<void> => plugin.run(request, signal).then(() => assert.unreachable(), (error: CniError) => {
  assert.is(error.code, code, error.message);
  assert.match(`${error.message}: ${error.details}`, says);
});

test('ADD waits until every interface of the pod is live, in no resync', async ({ pods, plugin, wiring, ports }) => {
  pods.resyncBegun();
  pods.named([name(3, 'a', 'u-a', 1, 2)]);
  let isAnswered = false;
  const adding = plugin.run(add('a'), NEVER).then((result) => { isAnswered = true; return result as { interfaces: { name: string }[]; routes: unknown[] }; });
  pods.named([name(4, 'a', 'u-a', 2, 2)]);
  await new Promise((resolve) => setImmediate(resolve));
  assert.is(isAnswered, false);
  await pods.learn(true); // the data plane says nothing of it, and so it is not there
  await new Promise((resolve) => setImmediate(resolve));
  assert.is(isAnswered, false);
  pods.named([name(3, 'a', 'u-a', 1, 2), name(4, 'a', 'u-a', 2, 2)]);
  const { interfaces, routes } = await adding;
  assert.equal(interfaces.map((each) => each.name), ['eth0', 'net1', 'tap-a-1', 'tap-a-2']);
  assert.equal(routes, [{ dst: '0.0.0.0/0', gw: '10.47.255.254' }]);
  assert.equal([...ports.live].sort(), ['tap-a-1', 'tap-a-2']);
  assert.is(wiring.wires.size, 2);
});

test('the default route: the first interface, the configured one, none, or the one that the pod asks for', async ({ pods, plugin }) => {
  pods.named([name(3, 'a', 'u-a', 1, 2), name(4, 'a', 'u-a', 2, 2), name(5, 'b', 'u-b', 1, 2), name(6, 'b', 'u-b', 2, 2, true)]);
  const bearer = async (pod: string, defaultRoute?: string): Promise<string[]> => {
    await plugin.run(add(pod, { configuration: { defaultRoute } }), NEVER);
    await plugin.run(del(pod), NEVER);
    return (await plugin.run(add(pod, { configuration: { defaultRoute } }), NEVER) as { routes: { gw: string }[] }).routes.map(({ gw }) => gw);
  };
  assert.is((await bearer('a')).length, 1);
  await plugin.run(del('a'), NEVER);
  assert.is((await bearer('a', 'none')).length, 0);
  await plugin.run(del('a'), NEVER);
  assert.is((await bearer('a', 'net1')).length, 1);
  assert.is((await bearer('b', 'none')).length, 1);
});

test('a meta plugin gets the one interface that it asks for by name', async ({ pods, plugin, wiring }) => {
  pods.named([name(3, 'a', 'u-a', 1, 2), name(4, 'a', 'u-a', 2, 2)]);
  const { interfaces, routes } = await plugin.run(add('a', { ifname: 'net1' }), NEVER) as { interfaces: { name: string }[]; routes: unknown[] };
  assert.equal(interfaces.map((each) => each.name), ['net1', 'tap-a-2']);
  assert.equal(routes, []);
  assert.equal([...wiring.wires.keys()], ['tap-a-2']);
});

test('what cannot be made is undone, all of it, and a further ADD begins anew', async ({ pods, plugin, wiring, ports, folder }) => {
  pods.named([name(3, 'a', 'u-a', 1, 2), name(4, 'a', 'u-a', 2, 2)]);
  wiring.fails = 'tap-a-2';
  await refused(plugin, add('a'), 11, /out of wires/);
  assert.equal([wiring.wires.size, ports.live.size, ports.held.size, readdirSync(folder)], [0, 0, 0, []]);
  wiring.fails = undefined;
  await plugin.run(add('a'), NEVER);
  assert.is(ports.live.size, 2);
});

test('a deadline, and a runtime that gave up, end an ADD wherever it is', async ({ pods, plugin, wiring, ports, folder }) => {
  await refused(plugin, add('a', { configuration: { timeoutMs: 10 } }), 11, /not within 0\.01 s: the controller has told no interface/);
  pods.named([name(3, 'a')]);
  ports.never = true;
  await refused(plugin, add('a', { configuration: { timeoutMs: 10 } }), 11, /not within/);
  const gone = new AbortController();
  const adding = refused(plugin, add('a'), 11, /gave up/, gone.signal);
  await new Promise((resolve) => setTimeout(resolve, 5));
  gone.abort(new Error('the runtime gave up'));
  await adding;
  assert.equal([wiring.wires.size, ports.live.size, readdirSync(folder)], [0, 0, []]);
});

test('an ADD that the agent did not survive is undone by the next one, or by DEL', async (context) => {
  const { pods, wiring, folder } = context;
  pods.named([name(3, 'a')]);
  context.ports.never = true;
  void context.plugin.run(add('a'), NEVER).catch(() => {});
  await new Promise((resolve) => setTimeout(resolve, 5));
  assert.is(readdirSync(folder).length, 1);
  context.ports = new FakePorts(); // another agent
  writeFileSync(join(folder, 'torn@eth0.json'), '{"containerId"');
  const next = pluginOf(context);
  await refused(next, { command: 'CHECK', key: { containerId: 'c-a', ifname: 'eth0' }, netns: '/run/netns/a', pod: { namespace: 'default', name: 'a', uid: '' }, configuration: CONFIGURATION }, 3, /not added here/);
  await next.run(add('a'), NEVER);
  assert.equal([...wiring.wires.keys()], ['tap-a-1']);
  await next.run(del('a'), NEVER);
  await next.run(del('a'), NEVER);
  assert.is(wiring.wires.size, 0);
});

test('a pod\'s new sandbox takes its ports over; the deletion of its former one then takes nothing', async ({ pods, plugin, wiring, ports }) => {
  pods.named([name(3, 'a')]);
  await plugin.run(add('a', { containerId: 'old' }), NEVER);
  await plugin.run(add('a', { containerId: 'new' }), NEVER);
  assert.is(wiring.wires.get('tap-a-1')?.netns, '/run/netns/new');
  await plugin.run(del('a', 'old'), NEVER);
  assert.equal([wiring.wires.size, ports.live.size], [1, 1]);
});

test('of several pods that bore a name, the UID says which, and without one the last', async ({ pods, plugin }) => {
  pods.named([name(3, 'a', 'first'), name(4, 'a', 'second')]);
  const of = async (uid: string): Promise<string> => {
    const result = await plugin.run(add('a', { uid, containerId: `c${uid}` }), NEVER) as { ips: { address: string }[] };
    return result.ips[0]!.address;
  };
  assert.is(await of('first'), '10.32.0.3/12');
  assert.is(await of(''), '10.32.0.4/12');
});

test('GC removes what is not valid and wires that nobody knows, goes on after a failure, and says so', async ({ pods, plugin, wiring }) => {
  pods.named([name(3, 'a'), name(4, 'b')]);
  await plugin.run(add('a'), NEVER);
  await plugin.run(add('b'), NEVER);
  for (const port of ['stuck', 'tap-lost']) wiring.wires.set(port, { netns: '', name: '', found: { mac: '', up: true, addresses: [], routes: [] } });
  await refused(plugin, { command: 'GC', configuration: CONFIGURATION, valid: [{ containerId: 'c-b', ifname: 'eth0' }] }, 999, /1 attachments could not be removed: stuck: stuck is busy/);
  assert.equal([...wiring.wires.keys()], ['tap-b-1', 'stuck']);
  await plugin.run({ command: 'GC', configuration: { ...CONFIGURATION, name: 'another' }, valid: [] }, NEVER).catch(() => {});
  assert.ok(wiring.wires.has('tap-b-1'), 'of another network');
});

test('CHECK names what is not as it was made', async ({ pods, plugin, wiring, ports }) => {
  pods.named([name(3, 'a')]);
  await plugin.run(add('a'), NEVER);
  const check: Request = { command: 'CHECK', key: { containerId: 'c-a', ifname: 'eth0' }, netns: '/run/netns/a', pod: { namespace: 'default', name: 'a', uid: '' }, configuration: { ...CONFIGURATION, previous: { whole: {}, interfaces: [], routes: ['0.0.0.0/0'] } } };
  assert.is(await plugin.run(check, NEVER), undefined);
  const wire = wiring.wires.get('tap-a-1')!;
  const whole = wire.found;
  for (const [change, says] of [[{ up: false }, /down/], [{ mac: '02:00:00:00:00:99' }, /MAC/], [{ addresses: [] }, /address 10\.32\.0\.3/], [{ routes: [] }, /default route/]] as const) {
    wire.found = { ...whole, ...change };
    await refused(plugin, check, 100, says);
  }
  wire.found = { ...whole, mac: '02:00:00:00:00:99', routes: [] };
  const changed = { ...check, configuration: { ...CONFIGURATION, previous: { whole: {}, interfaces: [{ name: 'eth0', mac: '02:00:00:00:00:99', sandbox: '/run/netns/a' }], routes: [] } } };
  assert.is(await plugin.run(changed, NEVER), undefined, 'a later plugin gave it another MAC and took the route');
  wire.found = whole;
  ports.live.clear();
  await refused(plugin, check, 100, /port tap-a-1 of eth0 is not live/);
});

test('STATUS: the data plane away is worse than the controller away', async (context) => {
  const status: Request = { command: 'STATUS', configuration: CONFIGURATION };
  assert.is(await context.plugin.run(status, NEVER), undefined);
  context.problem = 'no session with controller 192.0.2.1:9400: connection refused';
  await refused(context.plugin, status, 50, /connection refused/);
  context.ports.known = false;
  await refused(context.plugin, status, 51, /data plane/);
});

test.run();
