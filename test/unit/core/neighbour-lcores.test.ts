// One neighbour, several lcores: who asks, who learns, who releases, what a trap leaves behind.
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import * as L from '../../../wasm-core/layout.ts';
import { Core } from '../../fixtures/core.ts';
import { ETHERTYPE_ARP } from '../../fixtures/frame.ts';
import { arpFrom, fromInternet, udpPacket } from '../../fixtures/shapes.ts';
import * as W from '../../fixtures/world.ts';

const flow = { src: W.IP_FAR, dst: W.IP_HOST };
const packet = (id: number): Uint8Array => fromInternet(udpPacket({ ...flow, id })).bytes;
const answer = arpFrom(W.INTERNET, W.MAC_INTERNET, { op: 2, senderMac: W.MAC_HOST, sender: W.IP_HOST, target: W.IP_INTERNET, targetMac: W.MAC_INTERNET }).bytes;

/** Two lcores with a queue each on the plain side. */
function twoLcores(): Core {
  const core = new Core({ lcores: 2 });
  core.apply(...W.world());
  W.attachWorld(core);
  core.attach(W.INTERNET, 1);
  return core;
}

const isArp = (bytes: Uint8Array): boolean => ((bytes[12]! << 8) | bytes[13]!) === ETHERTYPE_ARP;
const idOf = (bytes: Uint8Array): number => (bytes[18]! << 8) | bytes[19]!;
/** Identifications of the IPv4 packets that came out, -1 for ARP. */
const kinds = (core: Core): number[] => core.drain().map((f) => (isArp(f.bytes) ? -1 : idOf(f.bytes)));

test('an answer to one lcore releases what another one holds, without a packet for it', () => {
  const core = twoLcores();
  core.send(W.INTERNET, packet(1), 0);
  core.run(0);
  assert.equal(kinds(core), [-1]);
  core.send(W.INTERNET, answer, 1);
  core.run(1);
  assert.equal(kinds(core), []);
  assert.is(core.run(0), 0);
  assert.equal(kinds(core), [1]);
  core.checkBalance();
});

test('only one lcore asks, and the limit of eight is for both together', () => {
  const core = twoLcores();
  for (let i = 1; i <= 5; i++) core.send(W.INTERNET, packet(i), 0);
  for (let i = 6; i <= 10; i++) core.send(W.INTERNET, packet(i), 1);
  core.settle();
  assert.equal(kinds(core), [-1]);
  const { held, drops } = core.checkBalance();
  assert.is(held, L.NB_MAX_HELD);
  assert.equal(drops, { neighbour_queue_full: 2 });
  core.send(W.INTERNET, answer, 0);
  core.settle();
  assert.equal(kinds(core).sort((a, b) => a - b), [1, 2, 3, 4, 5, 6, 7, 8]);
  assert.is(core.checkBalance().held, 0);
});

test('both give up together, and the next packet of either asks anew', () => {
  const core = twoLcores();
  core.send(W.INTERNET, packet(1), 0);
  core.send(W.INTERNET, packet(2), 1);
  core.settle();
  const asked = kinds(core).length;
  let requests = 0;
  let errors = 0;
  for (let second = 0; second < 3; second++) {
    core.advanceClock(1000);
    core.settle();
    for (const frame of core.drain()) {
      if (isArp(frame.bytes)) requests++;
      else errors++;
    }
  }
  assert.is(asked + requests, L.NB_MAX_TRIES);
  assert.is(errors, 2);
  assert.equal(core.checkBalance().drops, { neighbour_unresolved: 2 });
  core.send(W.INTERNET, packet(3), 1);
  core.settle();
  assert.equal(kinds(core), [-1]);
});

test('what an lcore holds outlives its trap', () => {
  const core = twoLcores();
  core.send(W.INTERNET, packet(1), 0);
  core.run(0);
  core.drain();
  core.view.setUint32(core.lcoreAt(0) + L.LC_FAULT, 1, true);
  core.send(W.INTERNET, packet(2), 0);
  assert.throws(() => core.run(0), (error: Error) => error instanceof WebAssembly.RuntimeError);
  core.exports.reclaim(0);
  core.send(W.INTERNET, answer, 0);
  core.settle();
  assert.equal(kinds(core), [1]);
  assert.equal(core.checkBalance().drops, { arp_learnt: 1, lcore_restart: 1 });
});

test('no frame is lost: what waited, expired, was answered or cut to pieces is back in the end', () => {
  const frames = 1600;
  const core = new Core({ frames });
  core.apply(...W.world());
  W.attachWorld(core);
  const inHand = (): number => {
    let free = core.view.getUint32(L.FRAME_POOL + L.FP_COUNT, true);
    for (let lcore = 0; lcore < L.MAX_LCORES; lcore++) free += core.view.getUint32(core.lcoreAt(lcore) + L.LC_FREE_COUNT, true);
    let owned = 0;
    for (let i = 0; i < frames; i++) if (core.view.getUint16(L.FRAME_OWNER + 2 * i, true) !== 0) owned++;
    return free + owned;
  };
  assert.is(inHand(), frames);
  for (let round = 0; round < 50; round++) {
    for (let i = 0; i < 12; i++) core.send(W.INTERNET, packet(i));
    core.settle();
    core.drain();
    for (let second = 0; second < 3; second++) {
      core.advanceClock(1000);
      core.settle();
      core.drain();
    }
  }
  core.settle();
  assert.is(core.checkBalance().held, 0);
  assert.is(inHand(), frames);
});

test.run();
