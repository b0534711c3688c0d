import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as grpc from '@grpc/grpc-js';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Dataplane, type DataplaneMethods, type TableReply } from '../../../proto/dataplane.ts';
import { addService, createClient, createServer, listen, rpcError, unixAddress, type Client, type Handlers } from '../../../proto/load.ts';

const unused = (): never => { throw rpcError(grpc.status.UNIMPLEMENTED, 'not in this test'); };

interface Context { folder: string; server: grpc.Server; client: Client<DataplaneMethods>; produced: number }
const test = suite<Context>('load', {} as Context);

test.before.each(async (context) => {
  context.folder = mkdtempSync(join(tmpdir(), 'wrouter-load-'));
  context.produced = 0;
  const handlers: Handlers<DataplaneMethods> = {
    apply: (call) => { call.on('data', (request) => call.write({ ack: { nonce: request.update?.nonce ?? 0, version: Number.MAX_SAFE_INTEGER } })).on('end', () => call.end()); },
    getState: () => ({ stateId: 'history', version: 7, totals: { route: 3 } }),
    attachPort: (port) => ({ port, up: true }),
    detachPort: ({ name }) => { throw rpcError(grpc.status.FAILED_PRECONDITION, `port "${name}" is of the profile`); },
    ports: () => ({}),
    lcores: unused, counters: unused, dropLog: unused, injectFault: unused, generator: unused, pods: unused,
    trace: () => { throw new Error('frame is too short'); },
    *table({ table }) {
      for (let at = 0; at < 400; at++) {
        context.produced++;
        yield { rows: [{ fields: { table, at: String(at), padding: 'x'.repeat(20_000) } }] };
      }
    },
  };
  context.server = createServer();
  addService(context.server, Dataplane, handlers);
  const address = unixAddress(join(context.folder, 'dataplane'));
  await listen(context.server, address, grpc.ServerCredentials.createInsecure());
  context.client = createClient(Dataplane, address, grpc.credentials.createInsecure());
});
test.after.each((context) => {
  context.client.close();
  context.server.forceShutdown();
  rmSync(context.folder, { recursive: true });
});

test('a unary call is a promise of a whole message: numbers, defaults, maps', async ({ client }) => {
  const state = await client.getState();
  assert.is(state.version, 7);
  assert.is(state.profile, '');
  assert.equal({ ...state.totals }, { route: 3 });
  const port = await client.attachPort({ name: 'pod1' });
  assert.is(port.port?.name, 'pod1');
  assert.equal(port.queues, []);
});

test('a thrown rpcError keeps its status, another error is INTERNAL with its text', async ({ client }) => {
  const refused = await client.detachPort({ name: 'fabric0' }).catch((error: grpc.ServiceError) => error) as grpc.ServiceError;
  assert.is(refused.code, grpc.status.FAILED_PRECONDITION);
  assert.is(refused.details, 'port "fabric0" is of the profile');
  const broken = await client.trace({}).catch((error: grpc.ServiceError) => error) as grpc.ServiceError;
  assert.is(broken.code, grpc.status.INTERNAL);
  assert.is(broken.details, 'frame is too short');
});

test('a server stream arrives whole, and is produced no faster than it is read', async (context) => {
  const stream = context.client.table({ table: 'route' });
  const seen: TableReply[] = [];
  let ahead = 0;
  for await (const reply of stream) {
    if (seen.push(reply) === 1) {
      await new Promise((resolve) => setTimeout(resolve, 300));
      ahead = context.produced;
    }
  }
  assert.is(seen.length, 400);
  assert.is(seen[399]?.rows[0]?.fields['at'], '399');
  assert.ok(ahead < 300, `${ahead} of 400 messages were produced for a reader that had read one`);
});

test('a stream both ways', async ({ client }) => {
  const stream = client.apply();
  const acks: number[] = [];
  stream.on('data', ({ ack }) => { acks.push(ack?.nonce ?? -1); assert.is(ack?.version, Number.MAX_SAFE_INTEGER); });
  for (const nonce of [1, 2, 3]) stream.write({ update: { nonce, batches: [{ kind: 1, count: 1, records: Buffer.alloc(16) }] } });
  stream.end();
  await new Promise((resolve) => stream.on('end', resolve));
  assert.equal(acks, [1, 2, 3]);
});

test.run();
