// The config API over mutual TLS: transactions, reads, watches, views, who may call, and errors that say what would be right.
import * as grpc from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';
import { protoPath } from 'grpc-health-check';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { chapter } from '../../../examples/chapter.ts';
import { violationsOf } from '../../../mgmt/controller/api/errors.ts';
import { clientCredentials } from '../../../mgmt/pki/credentials.ts';
import { Config, type Event, type Route } from '../../../proto/config.ts';
import { createClient } from '../../../proto/load.ts';
import { Scene, until } from './scene.ts';

const USER = 'default-domain:k8s-ns-user-1';
const NETWORK = `${USER}:k8s-vn-ns-default-pod-network`;
const POOL = `${NETWORK}:pool-ns-default`;
const FLOATING_VRF = `${NETWORK}:k8s-vn-ns-default-pod-network`;
let scene: Scene;
test.before.each(async () => {
  scene = await Scene.open();
  await scene.put(...chapter());
});
test.after.each(() => scene.close());

async function failure(call: Promise<unknown>): Promise<grpc.ServiceError> {
  return call.then(() => { throw new Error('the call was answered'); }, (error: grpc.ServiceError) => error);
}
async function routes(appliance: string, vrf = '', prefix = ''): Promise<Route[]> {
  const found: Route[] = [];
  for await (const page of scene.config.routes({ appliance, vrf, prefix })) found.push(...(page as { routes: Route[] }).routes);
  return found;
}

test('a transaction returns objects with what the controller filled in', async () => {
  const { version, objects } = await scene.config.commit({ operations: [{ create: { name: `${POOL}:x`, floatingIp: {} } }] });
  assert.is(objects.length, 1);
  assert.is(objects[0]!.floatingIp!.address, '101.101.101.1');
  assert.is(objects[0]!.version, version);
  const read = await scene.config.get({ uuid: objects[0]!.uuid });
  assert.equal(read, objects[0]);
});

test('an error has its violations in google.rpc details', async () => {
  const error = await failure(scene.put({ name: `${POOL}:x`, floatingIp: { address: '9.9.9.9' } }));
  assert.is(error.code, grpc.status.INVALID_ARGUMENT);
  assert.equal(violationsOf(error).map(({ field, rule }) => [field, rule]), [['operations[0].floating_ip.address', 'ADDRESS_OUTSIDE_POOL']]);
  const inUse = await failure(scene.config.delete({ kind: 'floating-ip-pool', name: POOL }));
  assert.is(inUse.code, grpc.status.FAILED_PRECONDITION);
  assert.match(violationsOf(inUse)[0]!.description, /is used by floating-ip .*pod-1/);
  const stale = await failure(scene.config.commit({ operations: [{ update: { name: USER, version: 99, project: {} } }] }));
  assert.is(stale.code, grpc.status.ABORTED);
  assert.is((await failure(scene.config.delete({ kind: 'project', name: 'default-domain:nobody' }))).code, grpc.status.NOT_FOUND);
  assert.match((await failure(scene.config.get({ kind: 'vlan', name: 'x' }))).details, /kinds are domain, project, network-ipam, virtual-network/);
});

test('a dry run checks everything and changes nothing', async () => {
  const before = scene.engine.version;
  assert.is((await failure(scene.config.commit({ dryRun: true, operations: [{ put: { name: 'x', project: {} } }] }))).code, grpc.status.INVALID_ARGUMENT);
  const { objects } = await scene.config.commit({ dryRun: true, operations: [{ put: { name: `${POOL}:x`, floatingIp: {} } }] });
  assert.is(objects[0]!.floatingIp!.address, '101.101.101.1');
  assert.is(scene.engine.version, before);
  assert.is((await failure(scene.config.get({ kind: 'floating-ip', name: `${POOL}:x` }))).code, grpc.status.NOT_FOUND);
});

test('lists come in pages, by kind and by prefix', async () => {
  const names: string[] = [];
  let token = '';
  do {
    const page = await scene.config.list({ pageSize: 4, pageToken: token });
    assert.ok(page.objects.length <= 4);
    names.push(...page.objects.map(({ name }) => name));
    token = page.nextPageToken;
  } while (token !== '');
  assert.is(names.length, chapter().length + 3, 'and the domain, the system and a route target, which made themselves');
  assert.is(new Set(names).size, names.length);
  assert.equal((await scene.config.list({ kind: 'virtual-network', prefix: `${USER}:` })).objects.map(({ name }) => name), [NETWORK]);
});

test('a watch tells history, then what happens', async () => {
  const { version } = await scene.config.list({});
  const events: Event[] = [];
  const stream = scene.config.watch({ version: 0, kind: 'floating-ip' });
  stream.on('data', (event: Event) => events.push(event));
  stream.on('error', () => {});
  await until(() => events.length === 2, 'the two of the chapter');
  await scene.put({ name: `${POOL}:x`, floatingIp: { address: '101.101.101.9' } });
  await scene.config.delete({ kind: 'floating-ip', name: `${POOL}:x` });
  await until(() => events.length === 4, 'two events more');
  stream.cancel();
  assert.equal(events.slice(2).map((event) => [event.version, event.deleted, event.object!.name]), [[version + 1, false, `${POOL}:x`], [version + 2, true, `${POOL}:x`]]);
  const future = scene.config.watch({ version: 999 });
  const error = await new Promise<grpc.ServiceError>((resolve) => { future.on('error', (each: grpc.ServiceError) => resolve(each)).resume(); });
  assert.is(error.code, grpc.status.OUT_OF_RANGE);
});

test('the gateway sees a floating IP as a VPN route through the compute', async () => {
  const [route] = await routes('gateway-1', 'default-global-system-config:gateway-1:internet', '101.101.101.3');
  assert.is(route!.prefix, '101.101.101.3/32');
  assert.is(route!.routeDistinguisher, '10.169.25.204:1');
  const [path] = route!.paths;
  assert.is(path!.protocolNextHop, '10.169.25.20');
  assert.is(path!.tunnel, 'MPLSoGRE');
  assert.is(path!.origin, 'compute-1');
  assert.is(path!.nextHop, `tunnel 10.169.25.20 label ${path!.label}`);
  assert.equal(path!.routeTargets.includes('target:64512:101'), true);
  assert.is(path!.source, `floating-ip ${POOL}:pod-1`);
});

test('the compute sends to the gateway what it has no better route for, translated only', async () => {
  const [route] = await routes('compute-1', FLOATING_VRF, '8.8.8.8');
  assert.is(route!.prefix, '0.0.0.0/0');
  assert.is(route!.paths[0]!.external, true);
  const [unassigned] = await routes('compute-1', FLOATING_VRF, '101.101.101.77');
  assert.is(unassigned!.paths[0]!.nextHop, 'discard', 'an address that nobody has does not leave');
  assert.equal(await routes('compute-1', 'default-domain:k8s-default:k8s-default-pod-network:k8s-default-pod-network', '8.8.8.8'), [], 'pods have no way out of their own');
});

test('appliances are shown with what they should have', async () => {
  const { appliances } = await scene.config.appliances({});
  assert.equal(appliances.map(({ name, kind, state }) => [name, kind, state]), [['compute-1', 'compute', 'absent'], ['gateway-1', 'gateway', 'absent']]);
  assert.is(appliances[0]!.totals['floating-ip'], 2);
  assert.match((await failure(scene.config.appliances({ appliance: 'x' }))).details, /there are compute-1, gateway-1/);
});

test('only operators configure', async () => {
  const impostor = createClient(Config, scene.address, clientCredentials(scene.pki, 'compute-1', 'controller'));
  const error = await failure(impostor.commit({ operations: [] }));
  assert.is(error.code, grpc.status.PERMISSION_DENIED);
  assert.match(error.details, /role "appliance"; this takes operator/);
  impostor.close();
  const nobody = createClient(Config, scene.address, grpc.credentials.createInsecure());
  assert.is((await failure(nobody.list({}))).code, grpc.status.UNAVAILABLE);
  nobody.close();
});

test('health is served', async () => {
  const definition = (loadSync(protoPath) as unknown as Record<string, grpc.ServiceDefinition>)['grpc.health.v1.Health']!;
  const client = new (grpc.makeClientConstructor(definition, 'Health'))(scene.address, clientCredentials(scene.pki, 'operator', 'controller')) as unknown as grpc.Client & {
    Check(request: { service: string }, callback: (error: grpc.ServiceError | null, reply: { status: string | number }) => void): void };
  const reply = await new Promise<{ status: string | number }>((resolve, reject) => { client.Check({ service: Config.name }, (error, each) => (error ? reject(error) : resolve(each))); });
  assert.is(reply.status, 1);
  client.close();
});

test('objects survive a restart, route tables included', async () => {
  const prefixes = Buffer.from([10, 1, 0, 0, 16, 10, 2, 0, 0, 16]);
  await scene.put({ name: `${USER}:t`, routeTable: { virtualNetwork: NETWORK, nextHops: [{ gateways: [{ virtualRouter: 'default-global-system-config:gateway-1', routingInstance: 'internet' }] }], prefixes } });
  const before = await routes('compute-1');
  await scene.restart();
  assert.equal(await routes('compute-1'), before);
  assert.equal((await routes('compute-1', FLOATING_VRF, '10.2.3.4')).map(({ prefix, paths }) => [prefix, paths[0]!.external]), [['10.2.0.0/16', true]]);
});

test.run();
