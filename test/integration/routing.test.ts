// limit: 120 s
/** BGP's conditions and the routing views, by the command line against a running controller; no router is needed for these. */
import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { chapter } from '../../examples/chapter.ts';
import { BGP_ROUTERS } from '../../mgmt/controller/model/kinds.ts';
import type { BgpNeighborsReply } from '../../proto/routing.ts';
import { Controller } from '../lab/controller.ts';

const WROUTER = fileURLToPath(new URL('../../mgmt/cli/wrouter.ts', import.meta.url));
const VRF = 'k8s-vn-ns-default-pod-network';
const test = suite('routing, as operators see it');
const directory = mkdtempSync(join(tmpdir(), 'wrouter-routing-'));
let controller: Controller;

test.before(async () => {
  const probe = createServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const address = `127.0.0.1:${(probe.address() as AddressInfo).port}`;
  await new Promise((resolve) => probe.close(resolve));
  // A launcher that fails stands for a speaker that does not start.
  controller = new Controller(directory, address, undefined, ['--bgp-launcher', 'false']);
  await controller.issueCertificates([]);
  await controller.start();
  await controller.config.commit({ operations: chapter().map((put) => ({ put })) });
  writeFileSync(join(directory, 'context.json'), JSON.stringify({ pki: 'pki', controller: address }));
});
test.after(async () => {
  await controller.stop();
  rmSync(directory, { recursive: true, force: true });
});

const wrouter = (...args: string[]): Promise<{ code: number; out: string; error: string }> => new Promise((resolve) =>
  execFile(process.execPath, [WROUTER, '--context', join(directory, 'context.json'), ...args], (error, out, errors) => resolve({ code: typeof error?.code === 'number' ? error.code : 0, out, error: errors })));

/** Waits for what the controller comes to by itself. */
async function until(what: string, probe: () => Promise<boolean>): Promise<void> {
  for (const deadline = performance.now() + 20_000; !await probe();) if (performance.now() > deadline) throw new Error(`not within 20 s: ${what}`);
}

test('without routers there is no BGP, and nothing is wrong', async () => {
  const { out, error } = await wrouter('bgp', 'neighbors');
  assert.is(out, 'this controller speaks no BGP\n\nno neighbours\n', error);
  assert.is((await wrouter('tunnel', 'show')).out, 'no tunnels: no route of a router is in use\n');
});

test('the route of a floating IP: protocol next hop, label, tunnel, targets, where it comes from', async () => {
  const short = await wrouter('route', 'show', VRF, '101.101.101.3');
  assert.match(short.out, new RegExp(`^default-domain:k8s-ns-user-1:${VRF}:${VRF}\\n`), short.error);
  assert.match(short.out, /\n> +101\.101\.101\.3\/32 +10\.169\.25\.20 +\d+ +MPLSoGRE +compute-1 +floating-ip .*:pod-1\n$/);
  const detail = await wrouter('route', 'show', VRF, '101.101.101.3/32', '--detail');
  assert.match(detail.out, /101\.101\.101\.3\/32\n +in use +yes\n +protocol next hop +10\.169\.25\.20\n/, detail.error);
  assert.match(detail.out, /there +interface default-domain:k8s-ns-user-1:pod-1/);
  assert.match(detail.out, /route targets +target:64512:101 target:64512:8\d{6}/);
});

test('all routes of a VRF: what is used and what is not; a VRF that is not there, with those that are', async () => {
  const all = JSON.parse((await wrouter('route', 'show', VRF, '-o', 'json')).out) as { routes: { prefix: string; paths: { active: boolean; origin: string }[] }[] };
  const prefixes = all.routes.map(({ prefix }) => prefix);
  for (const prefix of ['0.0.0.0/0', '101.101.101.0/24', '101.101.101.3/32', '101.101.101.4/32', '101.101.101.254/32']) assert.ok(prefixes.includes(prefix), prefixes.join(' '));
  assert.equal(all.routes[0]!.paths.map(({ active, origin }) => [active, origin]), [[true, 'gateway-1']]);
  const missing = await wrouter('route', 'show', 'red');
  assert.is(missing.code, 1);
  assert.match(missing.error, /there is no VRF "red"; there are .*k8s-vn-ns-default-pod-network/);
  assert.match((await wrouter('route', 'show', VRF, '1.2.3')).error, /neither a prefix like 101\.101\.101\.0\/24 nor an address/);
});

test('a router without a control node of this name, and a speaker that does not start, are conditions; all else goes on', async () => {
  const peer = { name: `${BGP_ROUTERS}:mx`, bgpRouter: { kind: 'ROUTER' as const, address: '192.168.0.204' } };
  await controller.config.commit({ operations: [{ put: peer }] });
  assert.match((await wrouter('bgp', 'neighbors')).out, /^problem: there is no bgp-router .*:controller: create it, as a CONTROL_NODE/);

  const own = { name: `${BGP_ROUTERS}:controller`, bgpRouter: { kind: 'CONTROL_NODE' as const, address: '10.169.25.19', peers: [peer.name] } };
  await controller.config.commit({ operations: [{ put: own }] });
  const read = async (): Promise<BgpNeighborsReply> => controller.routing.bgpNeighbors({});
  await until('the condition', async () => (await read()).problem !== '');
  const { problem, speaker, neighbors } = await read();
  assert.match(problem, /the BGP (speaker|engine) does not (run|start): exit code 1/);
  assert.is(speaker?.announced, 5, 'two floating IPs, two addresses, a default route: what is to be told is known');
  assert.equal(neighbors.map(({ name, state }) => [name, state]), [['mx', 'idle']]);
  assert.match(readFileSync(controller.log, 'utf8'), /BGP engine ended/);

  const { version } = await controller.config.commit({ operations: [{ put: { name: 'default-domain:goes-on', project: {} } }] });
  assert.ok(version > 0);
  await controller.config.delete({ kind: 'bgp-router', name: own.name });
  await until('no BGP', async () => (await read()).speaker === null);
});

test.run();
