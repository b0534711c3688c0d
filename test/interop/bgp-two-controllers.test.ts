// needs: netns, gobgp, frr, etcd
// limit: 240 s
//
// Two controllers over one etcd, each with a speaker of its own, and FRR as the peer of both: it has every route twice with equal
// attributes, and forwards on when either of them dies; each hears what FRR tells, and they compile the same of it.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { chapter, UNDERLAY } from '../../examples/chapter.ts';
import { BGP_ROUTERS } from '../../mgmt/controller/model/kinds.ts';
import { createPki } from '../../mgmt/pki/authority.ts';
import type { Object as ConfigObject, Operation } from '../../proto/config.ts';
import type { Draft } from '../../proto/load.ts';
import type { VrfRoutesReply } from '../../proto/routing.ts';
import { TestEtcd } from '../integration/controller/etcd.ts';
import { Appliance } from '../lab/appliance.ts';
import { Controller } from '../lab/controller.ts';
import { freePorts } from '../lab/free-ports.ts';
import { Namespaces } from '../lab/netns.ts';
import { ASN, until } from './bgp-lab.ts';
import { Frr } from './frr.ts';

const ADDRESSES = ['10.169.1.11', '10.169.1.12'] as const;
const ROUTER = '10.169.1.2';
const TARGET = '64512:101';
const RESTART_S = 20;
const VRF = 'k8s-vn-ns-default-pod-network';
const POOL = `default-domain:k8s-ns-user-1:${VRF}:pool-ns-default`;
const FIP = UNDERLAY.pods[0].floatingIp;
const LIVE_MS = 60_000;

const test = suite('two controllers with one peer');
const namespaces = new Namespaces();
const directory = mkdtempSync(join(tmpdir(), 'wrouter-two-'));
let etcd: TestEtcd;
let controllers: Controller[] = [];
let appliance: Appliance;
let frr: Frr;

const neighbor = (address: string): string => ` neighbor ${address} remote-as ${ASN}
 neighbor ${address} timers 3 9
 neighbor ${address} timers connect 1
 neighbor ${address} advertisement-interval 0
`;
const configuration = `router bgp ${ASN}
 bgp router-id ${ROUTER}
 no bgp default ipv4-unicast
 bgp graceful-restart
${ADDRESSES.map(neighbor).join('')} address-family ipv4 vpn
${ADDRESSES.map((address) => `  neighbor ${address} activate\n  neighbor ${address} route-map l3vpn in\n`).join('')} exit-address-family
router bgp ${ASN} vrf red
 bgp router-id ${ROUTER}
 address-family ipv4 unicast
  redistribute connected
  label vpn export 2001
  rd vpn export ${ROUTER}:1
  rt vpn both ${TARGET}
  nexthop vpn export ${ROUTER}
  export vpn
  import vpn
 exit-address-family
route-map l3vpn permit 10
 set l3vpn next-hop encapsulation gre
`;
const speakers: Draft<ConfigObject>[] = [
  ...ADDRESSES.map((address, at): Draft<ConfigObject> => ({ name: `${BGP_ROUTERS}:controller-${at + 1}`, bgpRouter: { kind: 'CONTROL_NODE', address } })),
  { name: `${BGP_ROUTERS}:router`, bgpRouter: { kind: 'ROUTER', address: ROUTER, peers: ADDRESSES.map((_, at) => `${BGP_ROUTERS}:controller-${at + 1}`), holdTime: 9, restartTime: RESTART_S } },
];

test.before(async () => {
  for (const name of ['switch', 'controller-1', 'controller-2', 'frr']) namespaces.add(name);
  namespaces.ip('switch', 'link add name bridge type bridge');
  namespaces.ip('switch', 'link set dev bridge up');
  for (const [name, address] of [['controller-1', ADDRESSES[0]], ['controller-2', ADDRESSES[1]], ['frr', ROUTER]] as const) {
    namespaces.link({ namespace: name, device: 'eth0' }, { namespace: 'switch', device: name });
    namespaces.ip('switch', `link set dev ${name} master bridge`);
    namespaces.ip(name, `addr add ${address}/24 dev eth0`);
  }
  // Computes are behind the switch, whoever told of them.
  namespaces.ip('frr', 'route add 10.169.25.0/24 via 10.169.1.1');
  etcd = await TestEtcd.start();
  await createPki(etcd.pki, ['controller-1', 'controller-2'].map((name) => ({ name, role: 'controller' as const })));
  const [one, other, operations] = (await freePorts(3)).map((port) => `127.0.0.1:${port}`) as [string, string, string];
  controllers = [one, other].map((address, at) => new Controller(directory, address, { name: `controller-${at + 1}`, store: `etcd://${etcd.endpoints[0]}`, storePki: etcd.pki },
    ['--bgp-dir', join(directory, `bgp-${at + 1}`), '--bgp-launcher', `ip netns exec ${namespaces.full(`controller-${at + 1}`)}`]));
  for (const controller of controllers) await controller.issueCertificates(['compute-1']);
  await Promise.all(controllers.map((controller) => controller.start()));
  await commit(controllers[0]!, [...chapter(), ...speakers].map((put) => ({ put })));
  const network = { fabricMtu: 1600, ports: () => [], command: (_: unknown, program: string, args: string[]): [string, string[]] => [program, args] };
  appliance = new Appliance({ place: 'compute', network, directory, controller: [one, other].join(), operations, faults: true });
  await appliance.startDataplane();
  await appliance.dataplane.attachPort({ name: UNDERLAY.compute.port, driver: 'generator', device: 'sink' });
  await appliance.startAgent();
  frr = new Frr({ namespaces, namespace: 'frr', directory: join(directory, 'frr'), configuration, red: ['192.0.2.1/24'] });
  await frr.start();
});
test.after(async () => {
  await frr?.stop();
  await appliance?.stop();
  for (const controller of controllers) await controller.stop();
  await etcd?.close();
  namespaces.close();
  rmSync(directory, { recursive: true, force: true });
});

/** As a client does that was told UNAVAILABLE. */
async function commit(controller: Controller, operations: readonly Draft<Operation>[]): Promise<void> {
  await until('a commit', async () => {
    try {
      await controller.config.commit({ operations });
      return true;
    } catch (error) {
      if ((error as { code?: number }).code !== 14) throw error;
      return false;
    }
  }, LIVE_MS);
}
const floatingIp = (address: string): Draft<ConfigObject> => ({ name: `${POOL}:two-${address}`, floatingIp: { address, virtualMachineInterfaces: [`default-domain:k8s-ns-user-1:${UNDERLAY.pods[0].name}`] } });

/** What FRR has to a prefix of ours, and how often. */
async function atFrr(address: string, count: number): Promise<void> {
  await until(`${address} ${count} times at FRR`, async () => (await frr.vpn(`${address}/32`)).length === count, LIVE_MS);
}
/** Whether FRR forwards by it: it is valid in its VRF. */
async function forwards(address: string): Promise<boolean> {
  const { paths = [] } = JSON.parse(await frr.show(`show bgp vrf red ipv4 unicast ${address}/32 json`) || '{}') as { paths?: { valid?: boolean }[] };
  return paths.some(({ valid }) => valid);
}
/** What a controller has of a VRF, by prefix, and without what is its own: since when, and how FRR is told of. */
async function pathsOf({ routing }: Controller): Promise<string[]> {
  const lines: string[] = [];
  for await (const { routes } of routing.vrfRoutes({ vrf: VRF }) as AsyncIterable<VrfRoutesReply>) {
    for (const { prefix, paths } of routes) for (const path of paths) lines.push(JSON.stringify({ prefix, ...path, announcements: path.announcements.map((each) => ({ ...each, since: '' })) }));
  }
  return lines.sort();
}
const hears = async (controller: Controller, prefix: string): Promise<boolean> => (await pathsOf(controller)).some((line) => line.startsWith(`{"prefix":"${prefix}"`) && line.includes('"bgp '));
const bothHear = (prefix: string) => until(`${prefix} at both`, async () => (await Promise.all(controllers.map((controller) => hears(controller, prefix)))).every(Boolean), LIVE_MS);
/** What the appliance forwards by, of FRR's routes. */
async function liveRoutes(): Promise<string[]> {
  const lines: string[] = [];
  for (const vrf of await appliance.table('vrf')) for (const row of await appliance.table('route', Number(vrf['id']))) lines.push(`${vrf['name']} ${row['prefix']} ${row['text']}`);
  return lines.filter((line) => line.includes(' 192.0.2.')).sort();
}
const established = (controller: Controller) => until(`the session of ${controller.name}`, async () => (await controller.routing.bgpNeighbors({})).neighbors.every(({ state, stale }) => state === 'established' && stale === 0), LIVE_MS);

test('FRR has every route twice, with equal attributes; both controllers have FRR\'s, and compile the same', async () => {
  await Promise.all(controllers.map(established));
  for (const pod of UNDERLAY.pods) await atFrr(pod.floatingIp, 2);
  const [one, other] = await frr.vpn(`${FIP}/32`);
  assert.equal(one, other);
  assert.equal([one!.valid, one!.stale, one!.nextHop, one!.communities.includes(`RT:${TARGET}`)], [true, false, '10.169.25.20', true]);
  await until('FRR forwards', () => forwards(FIP), LIVE_MS);
  await bothHear('192.0.2.0/24');
  assert.equal(await pathsOf(controllers[0]!), await pathsOf(controllers[1]!));
  await until('live in the appliance', async () => (await liveRoutes()).length > 0, LIVE_MS);
});

test('one change through either controller is one change at FRR, by both', async () => {
  await commit(controllers[1]!, [{ put: floatingIp('101.101.101.40') }]);
  await atFrr('101.101.101.40', 2);
  const [one, other] = await frr.vpn('101.101.101.40/32');
  assert.equal(one, other);
  await commit(controllers[0]!, [{ delete: { kind: 'floating-ip', name: floatingIp('101.101.101.40').name! } }]);
  await atFrr('101.101.101.40', 0);
});

for (const victim of [0, 1]) {
  test(`controller-${victim + 1} is killed: FRR forwards on without a gap, also after its routes have gone there, and the appliance too`, async () => {
    const survivor = controllers[1 - victim]!;
    const extra = `101.101.101.${50 + victim}`;
    const live = await liveRoutes();
    const gaps: string[] = [];
    let watching = true;
    const watch = (async () => {
      for (; watching; await sleep(5)) {
        if (!await forwards(FIP) || (await frr.vpn(`${FIP}/32`)).length === 0) gaps.push(`FRR without ${FIP} at ${new Date().toISOString()}`);
        const now = await liveRoutes();
        if (live.some((line) => !now.includes(line))) gaps.push(`the appliance without ${live.filter((line) => !now.includes(line)).join(', ')} at ${new Date().toISOString()}`);
      }
    })();
    await controllers[victim]!.kill();
    // What changes meanwhile goes by the other one alone.
    await commit(survivor, [{ put: floatingIp(extra) }]);
    await atFrr(extra, 1);
    frr.red('addr add 192.0.2.200/32 dev inside');
    await until('a new route of FRR at the other one', () => hears(survivor, '192.0.2.200/32'), LIVE_MS);
    await until('and in the appliance', async () => (await liveRoutes()).some((line) => line.includes('192.0.2.200/32')), LIVE_MS);
    // FRR keeps the dead one's routes for its restart time.
    await atFrr(FIP, 1);
    await controllers[victim]!.start();
    await established(controllers[victim]!);
    await atFrr(FIP, 2);
    await atFrr(extra, 2);
    await bothHear('192.0.2.200/32');
    frr.red('addr del 192.0.2.200/32 dev inside');
    await until('FRR\'s withdrawal at both', async () => !(await Promise.all(controllers.map((controller) => hears(controller, '192.0.2.200/32')))).some(Boolean), LIVE_MS);
    await until('and in the appliance', async () => !(await liveRoutes()).some((line) => line.includes('192.0.2.200/32')), LIVE_MS);
    watching = false;
    await watch;
    assert.equal(gaps, []);
    const [one, other] = await frr.vpn(`${FIP}/32`);
    assert.equal(one, other);
    assert.equal(await pathsOf(controllers[0]!), await pathsOf(controllers[1]!));
  });
}

test.run();
