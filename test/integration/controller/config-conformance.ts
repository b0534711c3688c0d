/** What the config API answers, call by call: one table, by which a controller over any store is judged. Rows build on each other. */
import * as grpc from '@grpc/grpc-js';
import pino from 'pino';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { violationsOf } from '../../../mgmt/controller/api/errors.ts';
import { Engine } from '../../../mgmt/controller/engine.ts';
import { serve, type Listening } from '../../../mgmt/controller/server.ts';
import type { Store } from '../../../mgmt/controller/store/store.ts';
import { clientCredentials } from '../../../mgmt/pki/credentials.ts';
import { Config, type AuditEntry, type ConfigMethods, type Event, type Object as ConfigObject } from '../../../proto/config.ts';
import { createClient, type Client, type Draft } from '../../../proto/load.ts';
import { until } from './scene.ts';

/** A store that can be opened in again and again, and certificates of a controller and an operator. */
export interface Place { readonly pki: string; open(): Promise<Store> }
interface Context { client: Client<ConfigMethods>; restart(): Promise<void>; close(): Promise<void> }

const P = 'default-domain:p';
const net = (name: string, spec: NonNullable<Draft<ConfigObject>['virtualNetwork']> = {}): Draft<ConfigObject> => ({ name: `${P}:${name}`, virtualNetwork: { subnets: [{ prefix: '10.0.0.0/29' }], ...spec } });
const pool: Draft<ConfigObject> = { name: `${P}:a:pool`, floatingIpPool: {} };
const fip = (name: string, address = ''): Draft<ConfigObject> => ({ name: `${P}:a:pool:${name}`, floatingIp: { address } });
const put = (client: Client<ConfigMethods>, ...objects: Draft<ConfigObject>[]) => client.commit({ operations: objects.map((each) => ({ put: each })) });
const get = (client: Client<ConfigMethods>, kind: string, name: string) => client.get({ kind, name });

type Call = (client: Client<ConfigMethods>) => Promise<unknown>;
/** What is done, how, and what comes of it: a status with the rules that it names, or what of the reply. */
type Row = readonly [what: string, call: Call, expected: { readonly code: keyof typeof grpc.status; readonly rules?: readonly string[] } | ((reply: never) => void)];
const TABLE: readonly Row[] = [
  ['the parent must be there', (c) => put(c, net('a')), { code: 'INVALID_ARGUMENT', rules: ['REFERENCE'] }],
  ['objects of one transaction may refer to each other', (c) => put(c, pool, net('a'), { name: P, project: {} }), ({ objects }: { objects: ConfigObject[] }) => assert.equal(objects.map(({ version }) => version > 0), [true, true, true])],
  ['all or none', (c) => put(c, net('b', { subnets: [] }), net('c', { subnets: [{ prefix: 'x' }] })), { code: 'INVALID_ARGUMENT', rules: ['PREFIX'] }],
  ['none is none', (c) => get(c, 'virtual-network', `${P}:b`), { code: 'NOT_FOUND' }],
  ['create what is there', (c) => c.commit({ operations: [{ create: net('a') }] }), { code: 'ALREADY_EXISTS' }],
  ['update what is not', (c) => c.commit({ operations: [{ update: net('z') }] }), { code: 'NOT_FOUND' }],
  ['a version that is over', (c) => c.commit({ operations: [{ put: { ...net('a'), version: 99 } }] }), { code: 'ABORTED' }],
  ['an address is allocated', (c) => put(c, fip('x')), ({ objects }: { objects: ConfigObject[] }) => assert.is(objects[0]!.floatingIp!.address, '10.0.0.1')],
  ['and taken', (c) => put(c, fip('y', '10.0.0.1')), { code: 'INVALID_ARGUMENT', rules: ['TAKEN'] }],
  ['the gateway\'s is too', (c) => put(c, fip('y', '10.0.0.6')), { code: 'INVALID_ARGUMENT', rules: ['TAKEN'] }],
  ['what is in use stays', (c) => c.delete({ kind: 'virtual-network', name: `${P}:a` }), { code: 'FAILED_PRECONDITION', rules: ['IN_USE'] }],
  ['a uuid serves as a name', async (c) => put(c, { name: 'ip', instanceIp: { virtualNetwork: (await get(c, 'virtual-network', `${P}:a`)).uuid } }), ({ objects }: { objects: ConfigObject[] }) => assert.is(objects[0]!.instanceIp!.virtualNetwork, `${P}:a`)],
  ['and for reading', async (c) => c.get({ uuid: (await get(c, 'instance-ip', 'ip')).uuid }), ({ name }: ConfigObject) => assert.is(name, 'ip')],
  ['a dry run changes nothing', async (c) => [await c.list({ pageSize: 1 }), await c.commit({ dryRun: true, operations: [{ put: fip('dry') }] }), await c.list({ pageSize: 1 })], ([before, , after]: { version: number }[]) => assert.is(after!.version, before!.version)],
  ['nothing new is no version', async (c) => [await put(c, fip('x')), await put(c, fip('x'))], ([one, two]: { version: number }[]) => assert.is(two!.version, one!.version)],
  ['lists by kind and prefix', (c) => c.list({ kind: 'floating-ip', prefix: `${P}:a:` }), ({ objects }: { objects: ConfigObject[] }) => assert.equal(objects.map(({ name }) => name), [`${P}:a:pool:x`])],
  ['lists by project', (c) => c.list({ project: P }), ({ objects }: { objects: ConfigObject[] }) => assert.equal(objects.map(({ name }) => name), [`${P}:a:pool:x`, `${P}:a:pool`, 'ip', P, `${P}:a`])],
  ['lists who refers', (c) => c.list({ refersTo: { kind: 'virtual-network', name: `${P}:a` } }), ({ objects }: { objects: ConfigObject[] }) => assert.equal(objects.map(({ name }) => name), [`${P}:a:pool`, 'ip'])],
  ['in pages', async (c) => { const first = await c.list({ pageSize: 2 }); return [first, await c.list({ pageSize: 100, pageToken: first.nextPageToken })]; },
    ([one, two]: { objects: ConfigObject[] }[]) => assert.is(new Set([...one!.objects, ...two!.objects].map(({ uuid }) => uuid)).size, one!.objects.length + two!.objects.length)],
  ['no such kind', (c) => c.list({ kind: 'vlan' }), { code: 'INVALID_ARGUMENT' }],
  ['external makes the pool public', async (c) => { await put(c, net('a', { external: true })); return get(c, 'floating-ip-pool', `${P}:a:public`); }, ({ name }: ConfigObject) => assert.is(name, `${P}:a:public`)],
  ['a version of the future cannot be watched', (c) => new Promise((resolve, reject) => { c.watch({ version: 9999 }).on('error', reject).on('end', resolve).resume(); }), { code: 'OUT_OF_RANGE' }],
];

export function configConformance(name: string, open: () => Promise<Place>): void {
  const test = suite<Context>(`config API over ${name}`);
  test.before(async (context) => {
    const place = await open();
    let [store, listening]: [Store | undefined, Listening | undefined] = [undefined, undefined];
    const start = async (): Promise<void> => {
      store = await place.open();
      listening = await serve(await Engine.open(store), '127.0.0.1:0', place.pki, 'controller', pino({ level: 'silent' }));
      context.client = createClient(Config, `127.0.0.1:${listening.port}`, clientCredentials(place.pki, 'operator', 'controller'));
    };
    context.close = async () => {
      context.client.close();
      await listening!.close();
      store!.close();
    };
    context.restart = async () => {
      await context.close();
      await start();
    };
    await start();
  });
  test.after((context) => context.close());

  for (const [what, call, expected] of TABLE) {
    test(what, async ({ client }) => {
      const outcome = await call(client).then((reply) => ({ reply }), (error: grpc.ServiceError) => ({ error }));
      if (typeof expected === 'function') {
        if ('error' in outcome) throw outcome.error;
        expected(outcome.reply as never);
        return;
      }
      if (!('error' in outcome)) throw new Error(`it was answered: ${JSON.stringify(outcome.reply)}`);
      assert.is(grpc.status[outcome.error.code], expected.code, outcome.error.message);
      if (expected.rules) assert.equal(violationsOf(outcome.error).map(({ rule }) => rule), expected.rules);
    });
  }

  test('a watch and the audit log tell the same versions, before and after a restart', async (context) => {
    const read = async (): Promise<[number[], number[]]> => {
      const { version } = await context.client.list({ pageSize: 1 });
      const events: Event[] = [];
      const watched = context.client.watch({ version: 0 });
      watched.on('data', (event: Event) => events.push(event)).on('error', () => {});
      await until(() => events.at(-1)?.version === version, 'the last version');
      watched.cancel();
      const entries: AuditEntry[] = [];
      for await (const entry of context.client.audit({ latest: true }) as AsyncIterable<AuditEntry>) entries.push(entry);
      return [[...new Set(events.map((event) => event.version))], entries.map((entry) => entry.version)];
    };
    const [watched, audited] = await read();
    assert.equal(audited, watched);
    await context.restart();
    assert.equal(await read(), [watched, audited]);
  });

  test.run();
}
