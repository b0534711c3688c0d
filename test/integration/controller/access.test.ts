// Who may see and change what: every role by certificate and by token, and what the audit log says of it. Backups, plans and
// reflection, which only some may ask for.
// limit: 60
import * as grpc from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';
import { fileURLToPath } from 'node:url';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { chapter } from '../../../examples/chapter.ts';
import { createPki } from '../../../mgmt/pki/authority.ts';
import { clientCredentials, tokenCredentials } from '../../../mgmt/pki/credentials.ts';
import { Config, type AuditEntry, type BackupReply, type ConfigMethods, type Event, type Object as ConfigObject } from '../../../proto/config.ts';
import { createClient, type Client, type Draft } from '../../../proto/load.ts';
import { Scene, until } from './scene.ts';

const POD = 'default-domain:k8s-default';
const USER = 'default-domain:k8s-ns-user-1';
const OTHER = 'default-domain:other';
const PODS = `${POD}:k8s-default-pod-network`;
const NETWORK = `${USER}:k8s-vn-ns-default-pod-network`;
const POOL = `${NETWORK}:pool-ns-default`;
const ROUTER = 'default-domain:default-project:ip-fabric:__default__:gateway';

let scene: Scene;
const clients: Record<string, Client<ConfigMethods>> = {};
async function token(name: string, role: string, projects: string[] = [], expires = 0): Promise<string> {
  return (await scene.config.createToken({ name, role, projects, expires })).token;
}
const withToken = (text: string): Client<ConfigMethods> => createClient(Config, `127.0.0.1:${scene.listening.tokenPort}`, tokenCredentials(scene.pki, text, 'controller'));

test.before(async () => {
  scene = await Scene.open();
  await createPki(scene.pki, [
    { name: 'root', role: 'cloud-admin' }, { name: 'alice', role: 'project-admin', projects: [USER] },
    { name: 'eye', role: 'read-only' }, { name: 'bob', role: 'read-only', projects: [USER, OTHER] },
  ]);
  await scene.put(...chapter(), { name: OTHER, project: {} }, { name: `${OTHER}:n`, virtualNetwork: { subnets: [{ prefix: '10.77.0.0/24' }] } },
    { name: `${OTHER}:vmi`, virtualMachineInterface: { virtualNetwork: `${OTHER}:n` } }, { name: ROUTER, bgpRouter: { kind: 'ROUTER', address: '192.168.0.204', authKey: 'swordfish' } });
  for (const name of ['operator', 'root', 'alice', 'eye', 'bob', 'compute-1']) clients[name] = createClient(Config, scene.address, clientCredentials(scene.pki, name, 'controller'));
  clients['token root'] = withToken(await token('root', 'cloud-admin'));
  clients['token alice'] = withToken(await token('alice', 'project-admin', [USER]));
  clients['token eye'] = withToken(await token('eye', 'read-only'));
});
test.after(async () => {
  for (const client of Object.values(clients)) client.close();
  await scene.close();
});

const code = (call: Promise<unknown>): Promise<string> => call.then(() => 'OK', (error: grpc.ServiceError) => grpc.status[error.code] ?? String(error));
const dry = (who: string, object: Draft<ConfigObject>): Promise<string> => code(clients[who]!.commit({ dryRun: true, operations: [{ put: object }] }));
const stream = (call: grpc.ClientReadableStream<unknown>): Promise<string> => code(new Promise((resolve, reject) => { call.on('data', () => {}).on('end', resolve).on('error', reject); }));

const ADMINS = ['operator', 'root', 'token root'];
const PROJECT = [...ADMINS, 'alice', 'token alice'];
const SEERS = [...ADMINS, 'eye', 'token eye'];
const EVERYBODY = [...SEERS, 'alice', 'token alice', 'bob'];
const subnets = [{ prefix: '10.99.0.0/24' }];

/** What is tried, by whom it may be done, and what everybody else is told. Changes are tried as dry runs. */
const MATRIX: [string, (who: string) => Promise<string>, string[], string][] = [
  ['make a network in its own project', (who) => dry(who, { name: `${USER}:new`, virtualNetwork: { subnets } }), PROJECT, 'PERMISSION_DENIED'],
  ['make a network in another project', (who) => dry(who, { name: `${OTHER}:new`, virtualNetwork: { subnets } }), ADMINS, 'PERMISSION_DENIED'],
  ['put an interface into a shared network', (who) => dry(who, { name: `${USER}:v`, virtualMachineInterface: { virtualNetwork: PODS } }), PROJECT, 'PERMISSION_DENIED'],
  ['put an interface into a network that is not shared', (who) => dry(who, { name: `${USER}:v`, virtualMachineInterface: { virtualNetwork: `${OTHER}:n` } }), ADMINS, 'PERMISSION_DENIED'],
  ['place an interface on an appliance', (who) => dry(who, { name: `${USER}:v`, virtualMachineInterface: { virtualNetwork: NETWORK, virtualRouter: 'default-global-system-config:compute-1', port: 'p' } }), ADMINS, 'PERMISSION_DENIED'],
  ['change a placed interface', (who) => dry(who, { name: `${USER}:pod-1`, virtualMachineInterface: { mac: '02:00:0a:20:00:99', virtualNetwork: PODS, virtualRouter: 'default-global-system-config:compute-1', port: 'pod-1', virtualMachine: 'k8s__ns-user-1__pod-1' } }), PROJECT, 'PERMISSION_DENIED'],
  ['take an address of a shared network', (who) => dry(who, { name: 'x', instanceIp: { virtualNetwork: PODS, virtualMachineInterfaces: [`${USER}:pod-1`] } }), PROJECT, 'PERMISSION_DENIED'],
  ['give a floating IP to its own interface', (who) => dry(who, { name: `${POOL}:x`, floatingIp: { virtualMachineInterfaces: [`${USER}:pod-1`] } }), PROJECT, 'PERMISSION_DENIED'],
  ['import what another network exports', (who) => dry(who, { name: `${USER}:new`, virtualNetwork: { subnets, importRouteTargets: ['target:64512:1'] } }), ADMINS, 'PERMISSION_DENIED'],
  ['make a project', (who) => dry(who, { name: 'default-domain:new', project: {} }), ADMINS, 'PERMISSION_DENIED'],
  ['change the AS', (who) => dry(who, { name: 'default-global-system-config', globalSystemConfig: { autonomousSystem: 65000 } }), ADMINS, 'PERMISSION_DENIED'],
  ['make a token', (who) => dry(who, { name: 't', accessToken: { role: 'cloud-admin', sha256: '0'.repeat(64) } }), ADMINS, 'PERMISSION_DENIED'],
  ['read its own project', (who) => code(clients[who]!.get({ kind: 'virtual-network', name: NETWORK })), EVERYBODY, 'PERMISSION_DENIED'],
  ['read a network that is shared with it', (who) => code(clients[who]!.get({ kind: 'virtual-network', name: PODS })), EVERYBODY, 'PERMISSION_DENIED'],
  ['read another project', (who) => code(clients[who]!.get({ kind: 'virtual-network', name: `${OTHER}:n` })), [...SEERS, 'bob'], 'NOT_FOUND'],
  ['read an appliance', (who) => code(clients[who]!.get({ kind: 'virtual-router', name: 'default-global-system-config:compute-1' })), SEERS, 'NOT_FOUND'],
  ['see the state of appliances', (who) => code(clients[who]!.appliances({})), SEERS, 'PERMISSION_DENIED'],
  ['read the state of an appliance', (who) => stream(clients[who]!.state({ appliance: 'compute-1' })), SEERS, 'PERMISSION_DENIED'],
  ['see the routes of an appliance', (who) => stream(clients[who]!.routes({ appliance: 'compute-1' })), SEERS, 'PERMISSION_DENIED'],
  ['resync an appliance', (who) => code(clients[who]!.resync({ appliance: 'compute-1' })), ADMINS, 'PERMISSION_DENIED'],
  ['take a backup', (who) => stream(clients[who]!.backup({})), ADMINS, 'PERMISSION_DENIED'],
];

for (const [what, attempt, allowed, otherwise] of MATRIX) {
  test(`${what}: ${allowed.join(', ')}`, async () => {
    for (const who of EVERYBODY) assert.is(await attempt(who), allowed.includes(who) ? 'OK' : otherwise, who);
    assert.is(await attempt('compute-1'), 'PERMISSION_DENIED', 'an appliance has no business here');
  });
}

test('what is forbidden is told by field', async () => {
  const error = await clients['alice']!.commit({ operations: [{ put: { name: `${USER}:v`, virtualMachineInterface: { virtualNetwork: `${OTHER}:n` } } }] }).catch((each: grpc.ServiceError) => each);
  assert.match((error as grpc.ServiceError).details, /virtual_machine_interface\.virtual_network.*neither of a project that alice administers nor shared/);
});

test('lists, watches and the audit log have only what a caller may see', async () => {
  const { objects } = await clients['alice']!.list({});
  assert.ok(objects.some(({ name }) => name === NETWORK) && objects.some(({ name }) => name === PODS));
  assert.equal(objects.filter(({ name }) => name.startsWith(OTHER) || name.startsWith('default-global') || name === ROUTER), []);
  const seen: Event[] = [];
  const watched = clients['alice']!.watch({ version: 0 });
  watched.on('data', (event: Event) => seen.push(event)).on('error', () => {});
  await until(() => seen.some(({ object }) => object?.name === `${POOL}:pod-2`), 'its own');
  watched.cancel();
  assert.equal(seen.filter(({ object }) => object!.name.startsWith(OTHER)), []);
  const audited = (await entries('alice', {})).flatMap(({ changes }) => changes.map(({ after }) => after!.name));
  assert.ok(audited.includes(NETWORK) && !audited.some((name) => name.startsWith(OTHER)));
});

test('a token that is wrong, expired or deleted is none; one without a token is nobody', async () => {
  const late = withToken(await token('late', 'read-only', [], Math.floor(Date.now() / 1000) - 1));
  const gone = withToken(await token('gone', 'read-only'));
  assert.is(await code(gone.list({})), 'OK');
  await scene.config.delete({ kind: 'access-token', name: 'gone' });
  const wrong = withToken((await token('wrong', 'read-only')).replace(/.{4}$/, 'AAAA'));
  const nobody = createClient(Config, `127.0.0.1:${scene.listening.tokenPort}`, clientCredentials(scene.pki, 'compute-1', 'controller'));
  for (const client of [late, gone, wrong, nobody]) {
    assert.is(await code(client.list({})), 'UNAUTHENTICATED');
    client.close();
  }
});

test('no secret comes out: neither of an object, nor of its history, nor of the log', async () => {
  const text: string[] = [];
  for (const who of ['root', 'eye']) {
    text.push(JSON.stringify(await clients[who]!.list({})), JSON.stringify(await entries(who, {})));
    const events: Event[] = [];
    const watched = clients[who]!.watch({ version: 0 });
    watched.on('data', (event: Event) => events.push(event)).on('error', () => {});
    await until(() => events.some(({ object }) => object?.accessToken), 'a token');
    watched.cancel();
    text.push(JSON.stringify(events));
  }
  text.push(JSON.stringify(await clients['root']!.commit({ dryRun: true, plan: true, operations: [{ put: { name: ROUTER, bgpRouter: { kind: 'ROUTER', address: '192.168.0.204', authKey: 'swordfish2' } } }] })));
  const hash = [...scene.engine.objects.all('access-token')].map(({ spec }) => spec.sha256);
  for (const each of text) for (const secret of ['swordfish', ...hash]) assert.not.match(each, secret);
  assert.match(text[0]!, /\(hidden\)/);
});

async function entries(who: string, request: { kind?: string; name?: string; version?: number }): Promise<AuditEntry[]> {
  const found: AuditEntry[] = [];
  for await (const entry of clients[who]!.audit({ latest: true, ...request }) as AsyncIterable<AuditEntry>) found.push(entry);
  return found;
}

test('the audit log has who, when, before and after, also after a restart', async () => {
  const name = `${USER}:audited`;
  const since = Date.now();
  await clients['token alice']!.commit({ operations: [{ create: { name, virtualNetwork: { subnets } } }] });
  await clients['alice']!.commit({ operations: [{ update: { name, virtualNetwork: { subnets, mtu: 1400 } } }] });
  await clients['root']!.delete({ kind: 'virtual-network', name });
  await scene.engine.commit([]);
  const story = (found: AuditEntry[]) => found.map(({ who, role, changes: [change] }) => [who, role, change!.before?.virtualNetwork?.mtu, change!.after?.virtualNetwork?.mtu]);
  const before = await entries('root', { kind: 'virtual-network', name });
  assert.equal(story(before), [['token alice', 'project-admin', undefined, 0], ['alice', 'project-admin', 0, 1400], ['root', 'cloud-admin', 1400, undefined]]);
  assert.ok(before.every(({ time }) => time >= since && time <= Date.now()));
  assert.is(await code(clients['alice']!.commit({ operations: [{ delete: { kind: 'project', name: OTHER } }] })), 'PERMISSION_DENIED', 'what is refused leaves no entry');
  assert.equal(await entries('root', { kind: 'virtual-network', name }), before);
  assert.equal(scene.engine.store.audit(before[0]!.version - 1, 1)!.map(({ version }) => version), [before[0]!.version]);
});

test('a plan tells what would become of a change on each appliance, and leaves nothing', async () => {
  const { version } = await scene.config.list({ pageSize: 1 });
  const routes = async (): Promise<string> => { const all: unknown[] = []; for (const appliance of ['compute-1', 'gateway-1']) for await (const page of scene.config.routes({ appliance })) all.push(page); return JSON.stringify(all); };
  const before = await routes();
  const plan = await scene.config.commit({ dryRun: true, plan: true, operations: [{ put: { name: `${POOL}:planned`, floatingIp: { address: '101.101.101.9', virtualMachineInterfaces: [`${USER}:pod-1`] } } }] });
  assert.equal(plan.changes.map((change) => [change.before, change.after!.name]), [[null, `${POOL}:planned`]]);
  const told = plan.appliances.flatMap(({ appliance, records }) => records.map(({ record, before: was, after }) => [appliance, record, was, after.replace(/label \d+/, 'label L')]));
  assert.equal(told.sort(), [
    ['compute-1', `floating-ip 101.101.101.9 on ${USER}:pod-1`, '', `to 10.32.0.3 in ${NETWORK}:k8s-vn-ns-default-pod-network`],
    ['compute-1', `route 101.101.101.9/32 in ${NETWORK}:k8s-vn-ns-default-pod-network`, '', `interface ${USER}:pod-1`],
    ['gateway-1', 'route 101.101.101.9/32 in default-global-system-config:gateway-1:internet', '', 'tunnel 10.169.25.20 label L'],
  ]);
  assert.is(await routes(), before);
  assert.is((await scene.config.list({ pageSize: 1 })).version, version);
  const gone = await scene.config.commit({ dryRun: true, plan: true, operations: [{ delete: { kind: 'floating-ip', name: `${POOL}:pod-1` } }] });
  assert.ok(gone.appliances.every(({ records }) => records.every(({ before: was, after }) => was !== '' && (after === '' || after === 'discard'))));
});

test('a backup taken while changes go on is one version, and restoring it brings all of it back, secrets too', async () => {
  const parts: BackupReply[] = [];
  for await (const part of scene.config.backup({}) as AsyncIterable<BackupReply>) {
    if (parts.length === 0) await scene.put({ name: 'default-domain:later', project: {} });
    parts.push(part);
  }
  const objects = parts.flatMap((part) => part.objects);
  const all = (): string => JSON.stringify([...scene.engine.objects.all('virtual-network'), ...scene.engine.objects.all('floating-ip'), ...scene.engine.objects.all('bgp-router'), ...scene.engine.objects.all('project')].map(({ kind, name, uuid, spec }) => [kind, name, uuid, spec]).sort());
  await scene.config.delete({ kind: 'project', name: 'default-domain:later' });
  const before = all();
  await scene.put({ name: 'default-domain:later', project: {} });
  await scene.config.commit({ operations: [
    { delete: { kind: 'floating-ip', name: `${POOL}:pod-1` } }, { put: { name: ROUTER, bgpRouter: { kind: 'ROUTER', address: '192.168.0.205' } } }, { put: { name: `${USER}:extra`, virtualNetwork: { subnets, routeTargets: ['target:64512:5'] } } },
  ] });
  const { requests, reply } = scene.config.restore();
  for (const part of parts) requests.write(part);
  requests.end();
  await reply;
  assert.is(all(), before);
  assert.not(scene.engine.objects.get('project', 'default-domain:later'));
  assert.not(scene.engine.objects.get('route-target', 'target:64512:5'));
  assert.is(scene.engine.objects.get('bgp-router', ROUTER)!.spec.authKey, 'swordfish');
  const { spec, uuid } = scene.engine.objects.get('floating-ip', `${POOL}:pod-1`)!;
  assert.equal([spec.address, uuid], ['101.101.101.3', objects.find(({ name }) => name === `${POOL}:pod-1`)!.uuid]);
});

test('reflection tells the services, as grpcurl asks', async () => {
  const proto = fileURLToPath(new URL('../../../node_modules/@grpc/reflection/build/proto/grpc/reflection/v1/reflection.proto', import.meta.url));
  const definition = (loadSync(proto, { longs: Number, enums: String, defaults: true, oneofs: true }) as unknown as Record<string, grpc.ServiceDefinition>)['grpc.reflection.v1.ServerReflection']!;
  const client = new (grpc.makeClientConstructor(definition, 'Reflection'))(scene.address, clientCredentials(scene.pki, 'operator', 'controller'));
  const call = (client as unknown as { ServerReflectionInfo(): grpc.ClientDuplexStream<object, { listServicesResponse?: { service: { name: string }[] }; fileDescriptorResponse?: { fileDescriptorProto: Buffer[] } }> }).ServerReflectionInfo();
  const replies: { listServicesResponse?: { service: { name: string }[] }; fileDescriptorResponse?: { fileDescriptorProto: Buffer[] } }[] = [];
  call.on('data', (reply: (typeof replies)[number]) => replies.push(reply)).on('error', () => {});
  call.write({ listServices: '' });
  call.write({ fileContainingSymbol: Config.name });
  await until(() => replies.length === 2, 'two answers');
  call.cancel();
  client.close();
  assert.ok(replies[0]!.listServicesResponse!.service.some(({ name }) => name === Config.name));
  assert.ok(replies[1]!.fileDescriptorResponse!.fileDescriptorProto.length > 0);
});

test.run();
