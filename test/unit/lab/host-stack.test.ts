// Two of the lab's hosts over a wire that loses, repeats and reorders frames: what arrives must be what was sent.
import { createSocket, type Socket } from 'node:dgram';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { HostStack } from '../../lab/host-stack.ts';
import { receiveTransfer, sendTransfer, type Receipt } from '../../lab/transfer.ts';

interface Wire {
  a: HostStack;
  b: HostStack;
  close(): void;
}

/** Hosts 203.0.113.1 and .2 joined by a relay that treats each frame as `fate` says: how many copies, and whether held back by one. */
async function wire(fate: () => { copies: number; late: boolean }): Promise<Wire> {
  const relays = [await relaySocket(), await relaySocket()] as const;
  const ports = relays.map((relay) => relay.address().port) as [number, number];
  const own = [await freePort(), await freePort()] as const;
  const [a, b] = await Promise.all([0, 1].map((i) => HostStack.open({
    address: `203.0.113.${i + 1}`, prefixLength: 24, gateway: '203.0.113.254', mac: `02:00:00:00:00:0${i + 1}`, localPort: own[i]!, peerPort: ports[i]!,
  }))) as [HostStack, HostStack];
  for (const i of [0, 1] as const) {
    let held: Buffer | undefined;
    relays[i].on('message', (frame) => {
      const { copies, late } = fate();
      if (late && held === undefined) held = frame;
      else {
        for (let copy = 0; copy < copies; copy++) relays[1 - i]!.send(frame, own[1 - i], '127.0.0.1');
        if (held !== undefined) relays[1 - i]!.send(held, own[1 - i], '127.0.0.1');
        held = undefined;
      }
    });
  }
  return { a, b, close: () => [a, b, ...relays].forEach((socket) => socket.close()) };
}

async function relaySocket(): Promise<Socket> {
  const socket = createSocket({ type: 'udp4', recvBufferSize: 4 << 20 });
  await new Promise<void>((resolve) => socket.bind(0, '127.0.0.1', resolve));
  return socket;
}

async function freePort(): Promise<number> {
  const socket = await relaySocket();
  const { port } = socket.address();
  await new Promise<void>((resolve) => socket.close(() => resolve()));
  return port;
}

/** Mulberry32: the same fates in every run. */
function random(seed: number): () => number {
  return () => {
    seed = (seed + 0x6d2b79f5) | 0;
    let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

async function transfer({ a, b }: Wire, bytes: number): Promise<void> {
  const receipt = new Promise<Receipt>((resolve) => b.listen(80, (connection) => resolve(receiveTransfer(connection))));
  const result = await sendTransfer(await a.connect('203.0.113.2', 80), bytes);
  assert.equal((await receipt).bytes, bytes);
  assert.ok(result.intact);
  assert.is(result.peer, '203.0.113.1');
}

test('echo requests find the other host by ARP and come back', async () => {
  const hosts = await wire(() => ({ copies: 1, late: false }));
  const { received } = await hosts.a.ping('203.0.113.2', 5, 1);
  hosts.close();
  assert.is(received, 5);
});

test('an address that nobody has does not answer', async () => {
  const hosts = await wire(() => ({ copies: 1, late: false }));
  const { received } = await hosts.a.ping('203.0.113.3', 1, 1);
  hosts.close();
  assert.is(received, 0);
});

test('4 MiB over a good wire', async () => {
  const hosts = await wire(() => ({ copies: 1, late: false }));
  await transfer(hosts, 4 << 20);
  hosts.close();
});

test('1 MiB over a wire that loses 2 %, repeats 1 % and reorders 2 %', async () => {
  const next = random(7);
  const hosts = await wire(() => {
    const fate = next();
    return { copies: fate < 0.02 ? 0 : fate < 0.03 ? 2 : 1, late: fate > 0.98 };
  });
  await transfer(hosts, 1 << 20);
  hosts.close();
});

test('an empty transfer', async () => {
  const hosts = await wire(() => ({ copies: 1, late: false }));
  await transfer(hosts, 0);
  hosts.close();
});

test.run();
