// Announcements of floating IPs: each one goes out, however many there are at once and however short the ring is.
import { setTimeout as sleep } from 'node:timers/promises';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import * as L from '../../../wasm-core/layout.ts';
import { Announcer } from '../../../firmware/host/announcer.ts';
import type { CoreExports } from '../../../firmware/host/core.ts';
import { createMemory } from '../../../firmware/host/memory.ts';

const EXTERNAL = 3;
const VRF = 7;

/** A gateway's plain side in VRF 7, and a core whose ring takes `room` announcements until `drain` is called. */
function scene(room: number) {
  const views = createMemory();
  const record = L.INTERFACES + (EXTERNAL << L.INTERFACE_SHIFT);
  views.u8[record + L.IF_KIND] = L.IFK_EXTERNAL;
  views.u8[record + L.IF_FLAGS] = L.IFF_UP;
  views.u32[(record + L.IF_VRF) >>> 2] = VRF;
  const told: number[] = [];
  let taken = 0;
  const announce: CoreExports['announce'] = (id, address) => {
    assert.is(id, EXTERNAL);
    if (taken === room) return 0;
    taken++;
    told.push(address >>> 0);
    return 1;
  };
  const announcer = new Announcer(views, { announce } as CoreExports, () => [EXTERNAL], () => {});
  const live = (addresses: readonly number[], vrf = VRF): void => {
    views.u32[L.ANNOUNCED >>> 2] = addresses.length;
    for (const [i, address] of addresses.entries()) views.u32.set([address, vrf], (L.ANNOUNCED >>> 2) + 1 + 2 * i);
    announcer.collect();
    announcer.announce();
  };
  return { told, live, drain: () => { taken = 0; } };
}

const many = (count: number): number[] => Array.from({ length: count }, (_, i) => 0x65650000 + i);

test('one address is told at once; one of a VRF without a plain side is not', () => {
  const { told, live } = scene(512);
  live([0x03656565]);
  live([0x04656565], VRF + 1);
  assert.equal(told, [0x03656565]);
});

test('two thousand at once all go out, in their order and once each', async () => {
  const { told, live, drain } = scene(300);
  live(many(2000));
  for (let tries = 0; told.length < 2000 && tries < 500; tries++) {
    await sleep(5);
    drain();
  }
  assert.equal(told, many(2000));
});

test('what becomes live while others wait comes after them', async () => {
  const { told, live, drain } = scene(4);
  live(many(6));
  live([1]);
  assert.equal(told, many(4));
  for (let tries = 0; told.length < 7 && tries < 500; tries++) {
    drain();
    await sleep(5);
  }
  assert.equal(told, [...many(6), 1]);
});

test.run();
