// Rings whose kernel side we play: they lie within their slot, and what goes in one end comes out of the other, through the
// wrap-around of ring and index.
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { viewsOf, type MemoryViews } from '../../../firmware/host/memory.ts';
import { MemoryPump } from '../../../firmware/ports/memory-pump.ts';
import { KernelSide, pumpLosses, recordOf, ringPlace, SLOT_BYTES, slotOf, transmitWaiting, writePumpedQueue, type RingEntries, type RingName } from '../../../firmware/ports/rings.ts';
import {
  FRAME_CAPACITY, FRAME_HEADROOM, FRAMES, Q_COMPLETION, Q_FILL, Q_LCORE, Q_MASKS, Q_RX, Q_STATE, Q_TX, QS_FREE, R_CONSUMER, R_DESC, R_FLAGS, R_PRODUCER, RING_MAX_ENTRIES,
} from '../../../wasm-core/layout.ts';

const views: MemoryViews = viewsOf(new WebAssembly.Memory({ initial: 65536, maximum: 65536, shared: true }));
const FIELDS: Readonly<Record<RingName, number>> = { rx: Q_RX, tx: Q_TX, fill: Q_FILL, completion: Q_COMPLETION };
const ENTRY_BYTES: Readonly<Record<RingName, number>> = { rx: 16, tx: 16, fill: 8, completion: 8 };
const SMALL: RingEntries = { rx: 4, tx: 4, fill: 4, completion: 4 };
const word = (address: number): number => views.u32[address >>> 2]!;
const setWord = (address: number, value: number): void => {
  views.u32[address >>> 2] = value;
};
const field = (queue: number, ring: RingName, part: number): number => word(recordOf(queue) + FIELDS[ring] + part);

test('the largest rings lie in their slot, apart from each other', () => {
  const entries = { rx: RING_MAX_ENTRIES, tx: RING_MAX_ENTRIES, fill: RING_MAX_ENTRIES, completion: RING_MAX_ENTRIES };
  writePumpedQueue(views, 1023, 3, entries);
  const areas = (Object.keys(FIELDS) as RingName[]).map((ring) => {
    const words = [R_PRODUCER, R_CONSUMER, R_FLAGS].map((part) => field(1023, ring, part));
    assert.is(new Set(words.map((address) => address >>> 6)).size, 3, 'a cache line each');
    assert.is(ringPlace(1023, ring) % 4096, 0);
    return { from: Math.min(...words), to: field(1023, ring, R_DESC) + RING_MAX_ENTRIES * ENTRY_BYTES[ring] };
  }).sort((a, b) => a.from - b.from);
  assert.is(areas[0]!.from, slotOf(1023));
  areas.forEach(({ to }, i) => assert.ok(to <= (areas[i + 1]?.from ?? slotOf(1023) + SLOT_BYTES)));
  assert.ok(areas.at(-1)!.to <= FRAMES);
  assert.is(word(recordOf(1023) + Q_LCORE), 3);
  assert.is(word(recordOf(1023) + Q_STATE), QS_FREE);
  assert.is(word(recordOf(1023) + Q_MASKS), RING_MAX_ENTRIES - 1);
});

test('more entries than a slot holds are refused', () => {
  assert.throws(() => writePumpedQueue(views, 0, 0, { ...SMALL, tx: 8192 }), /tx ring of 8192 entries: at most 4096/);
});

/** The core's side of the rings, as wasm-core/rings/queue.ts has it, for one frame at a time. */
function corePush(queue: number, ring: 'tx' | 'fill', address: number, length: number): void {
  const producer = word(field(queue, ring, R_PRODUCER));
  const mask = word(recordOf(queue) + Q_MASKS + (ring === 'tx' ? 4 : 8));
  const at = field(queue, ring, R_DESC) + (producer & mask) * ENTRY_BYTES[ring];
  setWord(at, address);
  setWord(at + 4, 0);
  if (ring === 'tx') setWord(at + 8, length);
  setWord(field(queue, ring, R_PRODUCER), producer + 1);
}
function corePull(queue: number, ring: 'rx' | 'completion'): { address: number; length: number } | undefined {
  const consumer = word(field(queue, ring, R_CONSUMER));
  if (word(field(queue, ring, R_PRODUCER)) === consumer) return undefined;
  const mask = word(recordOf(queue) + Q_MASKS + (ring === 'rx' ? 0 : 12));
  const at = field(queue, ring, R_DESC) + (consumer & mask) * ENTRY_BYTES[ring];
  setWord(field(queue, ring, R_CONSUMER), consumer + 1);
  return { address: word(at), length: ring === 'rx' ? word(at + 8) : 0 };
}
function startIndicesAt(queue: number, value: number): void {
  for (const ring of Object.keys(FIELDS) as RingName[]) for (const part of [R_PRODUCER, R_CONSUMER]) setWord(field(queue, ring, part), value);
}

test('received frames: empty chunks in, described frames out, through both wrap-arounds', () => {
  writePumpedQueue(views, 0, 0, SMALL);
  startIndicesAt(0, 0xFFFFFFFE);
  const kernel = new KernelSide(views, 0);
  assert.is(kernel.room(), 0, 'no empty chunk, no room');
  for (let i = 0; i < 20; i++) {
    corePush(0, 'fill', i * 2048, 0);
    assert.is(kernel.room(), 1);
    const place = kernel.place(0);
    assert.is(place, FRAMES + i * 2048 + FRAME_HEADROOM);
    kernel.describe(0, place, 60 + i);
    kernel.deliver(1);
    assert.is(kernel.room(), 0);
    assert.equal(corePull(0, 'rx'), { address: i * 2048 + FRAME_HEADROOM, length: 60 + i });
  }
  assert.is(corePull(0, 'rx'), undefined);
});

test('a full receive ring leaves no room, even with empty chunks', () => {
  writePumpedQueue(views, 0, 0, { ...SMALL, fill: 8 });
  const kernel = new KernelSide(views, 0);
  for (let i = 0; i < 8; i++) corePush(0, 'fill', i * 2048, 0);
  assert.is(kernel.room(), 4);
  for (let i = 0; i < 4; i++) kernel.describe(i, kernel.place(i), 60);
  kernel.deliver(4);
  assert.is(kernel.room(), 0);
  corePull(0, 'rx');
  assert.is(kernel.room(), 1);
});

test('sent frames: descriptors in, completions out, in order', () => {
  writePumpedQueue(views, 0, 0, SMALL);
  startIndicesAt(0, 0xFFFFFFFD);
  const kernel = new KernelSide(views, 0);
  for (let round = 0; round < 5; round++) {
    for (let i = 0; i < 3; i++) corePush(0, 'tx', (10 * round + i) * 2048 + 200, 100 + i);
    assert.ok(transmitWaiting(views, 0));
    assert.is(kernel.waiting(), 3);
    for (let i = 0; i < 3; i++) assert.equal([kernel.outAddress(i), kernel.outLength(i)], [FRAMES + (10 * round + i) * 2048 + 200, 100 + i]);
    kernel.completed(2);
    assert.is(kernel.waiting(), 1);
    kernel.completed(1);
    assert.not(transmitWaiting(views, 0));
    for (let i = 0; i < 3; i++) assert.is(corePull(0, 'completion')?.address, (10 * round + i) * 2048 + 200);
  }
});

test('completions that nobody takes hold transmission back, none is overwritten', () => {
  writePumpedQueue(views, 0, 0, { ...SMALL, tx: 8 });
  const kernel = new KernelSide(views, 0);
  for (let i = 0; i < 8; i++) corePush(0, 'tx', i * 2048, 60);
  assert.is(kernel.waiting(), 4);
  kernel.completed(4);
  assert.is(kernel.waiting(), 0);
});

test('joined queues: a frame arrives with its bytes; without an empty chunk it is lost and still completed', () => {
  writePumpedQueue(views, 0, 0, SMALL);
  writePumpedQueue(views, 1, 0, SMALL);
  let woken = 0;
  const pump = new MemoryPump(views, 0, 1, () => woken++);
  corePush(1, 'fill', 50 * 2048, 0);
  views.u8.set([1, 2, 3, 4], FRAMES + 7 * 2048 + 242);
  corePush(0, 'tx', 7 * 2048 + 242, 4);
  corePush(0, 'tx', 8 * 2048 + 242, FRAME_CAPACITY);
  assert.is(pump.transmit(), false);
  assert.is(woken, 1);
  const { address, length } = corePull(1, 'rx')!;
  assert.is(length, 4);
  assert.equal([...views.u8.subarray(FRAMES + address, FRAMES + address + 4)], [1, 2, 3, 4]);
  assert.is(corePull(1, 'rx'), undefined);
  assert.is(corePull(0, 'completion')?.address, 7 * 2048 + 242);
  assert.is(corePull(0, 'completion')?.address, 8 * 2048 + 242);
  assert.equal([pumpLosses(views, 1), pumpLosses(views, 0)], [{ missed: 1, txErrors: 0 }, { missed: 0, txErrors: 0 }]);
});

test('without another end, what is sent is counted as not taken', () => {
  writePumpedQueue(views, 0, 0, SMALL);
  for (let i = 0; i < 3; i++) corePush(0, 'tx', i * 2048, 60);
  new MemoryPump(views, 0, undefined, () => {}).transmit();
  assert.equal(pumpLosses(views, 0), { missed: 0, txErrors: 3 });
  writePumpedQueue(views, 0, 0, SMALL);
  assert.equal(pumpLosses(views, 0), { missed: 0, txErrors: 0 }, 'a port that is opened begins with none');
});

test.run();
