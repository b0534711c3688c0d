// needs: linux
// Datagrams that nobody takes are gone, as on a wire, and counted.
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { viewsOf } from '../../../firmware/host/memory.ts';
import { openDatagramSocket } from '../../../firmware/linux/datagram-socket.ts';
import { requireLibc } from '../../../firmware/linux/libc.ts';
import { PacketPump } from '../../../firmware/ports/packet-pump.ts';
import { pumpLosses, recordOf, writePumpedQueue } from '../../../firmware/ports/rings.ts';
import { Q_TX, R_DESC, R_PRODUCER } from '../../../wasm-core/layout.ts';

const FRAMES_SENT = 8;

/** Ports of the loopback that nobody has, a moment ago. */
async function freePort(): Promise<number> {
  const socket = createSocket('udp4').bind(0, '127.0.0.1');
  await once(socket, 'listening');
  const { port } = socket.address() as AddressInfo;
  socket.close();
  return port;
}

test('to an endpoint that is not there: every frame is completed, the refused ones are counted', async () => {
  const libc = requireLibc('this test');
  const views = viewsOf(new WebAssembly.Memory({ initial: 65536, maximum: 65536, shared: true }));
  writePumpedQueue(views, 0, 0, { rx: 16, tx: 16, fill: 16, completion: 16 });
  const word = (offset: number): number => views.u32[(recordOf(0) + Q_TX + offset) >>> 2]!;
  const fd = openDatagramSocket(libc, { host: '127.0.0.1', port: await freePort() }, { host: '127.0.0.1', port: await freePort() });
  try {
    const pump = new PacketPump(libc, views, 0, fd, false);
    for (let sent = 0; sent < FRAMES_SENT; sent++) {
      const descriptor = (word(R_DESC) + sent * 16) >>> 2;
      views.u32.set([sent * 2048, 0, 60, 0], descriptor);
      views.u32[word(R_PRODUCER) >>> 2] = sent + 1;
      assert.is(pump.transmit(), false);
    }
    // The answer to one datagram (port unreachable) is the error of the next call: half of them are refused.
    assert.equal(pumpLosses(views, 0), { missed: 0, txErrors: FRAMES_SENT / 2 });
  } finally {
    libc.close(fd);
  }
});

test.run();
