// Where the engine reports: whoever cannot name what it was told in private is shown the door, and an end that we did not ask for is told.
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { BmpMessage } from '../../../mgmt/controller/bgp/bmp.ts';
import { MonitoringPort } from '../../../mgmt/controller/bgp/monitoring-port.ts';

const test = suite('monitoring port');
const PATIENCE_MS = 10_000;

function message(type: number, body: Buffer): Buffer {
  const header = Buffer.from([3, 0, 0, 0, 0, type]);
  header.writeUInt32BE(6 + body.length, 1);
  return Buffer.concat([header, body]);
}
const introduction = (name: string): Buffer => message(4, Buffer.concat([Buffer.from([0, 2, 0, name.length]), Buffer.from(name)]));
function session(peer: number): Buffer {
  const body = Buffer.alloc(42);
  body.writeUInt32BE(peer, 22);
  return message(3, body);
}
async function call(port: MonitoringPort, ...say: Buffer[]): Promise<Socket> {
  const socket = connect(port.address.port, port.address.host);
  socket.on('error', () => {});
  await once(socket, 'connect');
  for (const bytes of say) socket.write(bytes);
  return socket;
}

for (const [where, launcher] of [['here', []], ['where a launcher starts it', ['env']]] as const) {
  test(`an engine that is expected is heard from its first word on, and its end is told (${where})`, async () => {
    const port = await MonitoringPort.open(launcher, '127.0.0.1');
    try {
      const heard: BmpMessage[] = [];
      const ended = new Promise<string>((broken) => {
        void port.expect('secret', { heard: (messages) => heard.push(...messages), broken }, PATIENCE_MS);
      });
      const socket = await call(port, introduction('secret'), session(1), session(2));
      socket.end();
      assert.is(await ended, 'it ended');
      assert.equal(heard.filter(({ kind }) => kind === 'session'), [{ kind: 'session', peer: 1, up: true }, { kind: 'session', peer: 2, up: true }]);
    } finally {
      port.close();
    }
  });
}

test('strangers, also with what is no BMP, and a name that was used already: hung up on, and nothing is heard', async () => {
  const port = await MonitoringPort.open([], '127.0.0.1');
  try {
    const heard: BmpMessage[] = [];
    const report = { heard: (messages: readonly BmpMessage[]) => { heard.push(...messages); }, broken: () => {} };
    const expected = port.expect('secret', report, PATIENCE_MS);
    for (const say of [introduction('guess'), session(1), Buffer.from('GET / HTTP/1.1\r\n\r\n')]) await once(await call(port, say), 'close');
    const first = await call(port, introduction('secret'));
    const stop = await expected;
    await once(await call(port, introduction('secret'), session(9)), 'close');
    assert.equal(heard.map(({ kind }) => kind), ['initiation']);
    stop();
    await once(first, 'close');
  } finally {
    port.close();
  }
});

test('an end that we ask for is none to tell; an engine that does not call is an error', async () => {
  const port = await MonitoringPort.open([], '127.0.0.1');
  try {
    const broken: string[] = [];
    const expected = port.expect('secret', { heard: () => {}, broken: (why) => broken.push(why) }, PATIENCE_MS);
    const socket = await call(port, introduction('secret'));
    (await expected)();
    await once(socket, 'close');
    assert.equal(broken, []);
    await port.expect('nobody', { heard: () => {}, broken: () => {} }, 1).then(() => assert.unreachable(), (error: Error) => assert.match(error.message, /does not report within/));
  } finally {
    port.close();
  }
});

test('where nothing can listen: why', async () => {
  await MonitoringPort.open(['env'], '192.0.2.1').then(() => assert.unreachable(), (error: Error) => assert.match(error.message, /EADDRNOTAVAIL/));
  await MonitoringPort.open(['/nowhere/launcher'], '127.0.0.1').then(() => assert.unreachable(), (error: Error) => assert.match(error.message, /ENOENT/));
});

test.run();
