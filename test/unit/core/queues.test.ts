// Several queues of one lcore: each gets its turn, however full another one is.
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import * as L from '../../../wasm-core/layout.ts';
import { Core } from '../../fixtures/core.ts';
import { arpFrom, fromInternet, udpPacket } from '../../fixtures/shapes.ts';
import * as W from '../../fixtures/world.ts';

const packet = fromInternet(udpPacket({ src: W.IP_FAR, dst: W.IP_HOST })).bytes;
const announcement = arpFrom(W.FABRIC, W.MAC_FABRIC, { op: 1, senderMac: W.MAC_HOST, sender: W.IP_FAR, target: W.IP_FAR }).bytes;

test('a queue that fills every vector starves no other', () => {
  const core = new Core({ frames: 32768, ringEntries: 2048 });
  core.apply(...W.world());
  W.attachWorld(core);
  const [vectors, queues] = [7, 5];
  for (let i = 0; i < vectors * L.VECTOR; i++) core.send(W.INTERNET, packet);
  core.run();
  core.send(W.FABRIC, announcement);
  for (let run = 1; run <= queues; run++) {
    core.run();
    core.drain();
  }
  assert.ok(core.totals().received < vectors * L.VECTOR, 'the full queue still had a vector');
  assert.is(core.totals().drops['arp_learnt'], 1, 'the other queue\'s frame was read');
});

test.run();
