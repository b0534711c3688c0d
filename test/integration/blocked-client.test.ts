// A client is one thread: while it computes it answers no pings, and then goes on where it was.
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import { ServerCredentials } from '@grpc/grpc-js';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { Dataplane, type DataplaneMethods } from '../../proto/dataplane.ts';
import { addService, createServer, listen, type Handlers } from '../../proto/load.ts';

/** Longer than a client waits for a server that does not answer. */
const BLOCKED_MS = 6000;
const LOAD = fileURLToPath(new URL('../../proto/load.ts', import.meta.url));
const SERVICE = fileURLToPath(new URL('../../proto/dataplane.ts', import.meta.url));

test('a call after seconds without an event loop goes through, on the same connection', async () => {
  const peers: string[] = [];
  const server = createServer();
  const handlers = new Proxy({}, { get: (_, name) => (_request: unknown, call: { getPeer(): string }) => {
    if (name === 'getState') peers.push(call.getPeer());
    return {};
  } }) as Handlers<DataplaneMethods>;
  addService(server, Dataplane, handlers);
  const { promise: told, resolve: tell } = Promise.withResolvers<unknown>();
  const port = await listen(server, '127.0.0.1:0', ServerCredentials.createInsecure());
  const client = new Worker(`
    import { parentPort } from 'node:worker_threads';
    import { credentials } from '@grpc/grpc-js';
    import { createClient } from ${JSON.stringify(LOAD)};
    import { Dataplane } from ${JSON.stringify(SERVICE)};
    const client = createClient(Dataplane, '127.0.0.1:${port}', credentials.createInsecure());
    await client.getState();
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ${BLOCKED_MS});
    parentPort.postMessage(await client.getState().then(() => '', (error) => error.message));
    client.close();
  `, { eval: true });
  client.on('message', tell).on('error', tell);
  try {
    assert.is(await told, '');
    assert.is(peers.length, 2);
    assert.is(peers[1], peers[0]);
  } finally {
    await client.terminate();
    server.forceShutdown();
  }
});

test.run();
