/** Ten million mutated frames; `fuzz.ts` is the same without an end. */
// limit: 900 s
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import * as L from '../../wasm-core/layout.ts';
import { checkFrames } from './conservation.ts';
import { fuzz } from './fuzz.ts';
import { Guards, HEAD_GUARD } from './guards.ts';

const FRAMES = 10_000_000;

test(`${FRAMES} mutated frames: no trap, no write outside a packet, every frame and packet accounted for`, () => {
  const sums = fuzz(FRAMES, 1, 500_000, () => {});
  assert.ok((sums.get('received') ?? 0) >= FRAMES);
  assert.ok((sums.get('transmitted') ?? 0) > FRAMES / 10, `only ${sums.get('transmitted')} got through: the mutations are too wild to test the way out`);
  const unnamed = [...sums.keys()].filter((name) => name.startsWith('unnamed'));
  assert.equal(unnamed, [], 'packets died of reasons without a name');
});

test('the guards see a write at either end of a chunk and around all of them', () => {
  const chunk = L.FRAMES + 5 * 2 ** L.FRAME_SHIFT;
  const { buffer } = new WebAssembly.Memory({ initial: L.MEMORY_PAGES, maximum: L.MEMORY_PAGES, shared: true });
  for (const at of [chunk, chunk + HEAD_GUARD - 1, chunk - 1, L.FRAMES - 1, L.FRAMES + 8 * 2 ** L.FRAME_SHIFT]) {
    const guards = new Guards(buffer as SharedArrayBuffer, 8, HEAD_GUARD);
    guards.checkAll();
    new Uint8Array(buffer)[at] = 1;
    assert.throws(() => guards.checkAll(), /a write outside of a packet/);
  }
});

test('a frame that is nowhere, or in two places, is seen', () => {
  const { buffer } = new WebAssembly.Memory({ initial: L.MEMORY_PAGES, maximum: L.MEMORY_PAGES, shared: true });
  const words = new Uint32Array(buffer);
  const pool = (...chunks: number[]): void => {
    words[(L.FRAME_POOL + L.FP_COUNT) / 4] = chunks.length;
    for (const [index, chunk] of chunks.entries()) words[(L.FRAME_POOL + L.FP_FRAMES) / 4 + index] = L.FRAMES + chunk * 2 ** L.FRAME_SHIFT;
  };
  pool(0, 2, 1);
  checkFrames(words, [], 1, 3);
  pool(0, 2);
  assert.throws(() => checkFrames(words, [], 1, 3), /1 frames are nowhere, chunk 1/);
  pool(0, 2, 1, 2);
  assert.throws(() => checkFrames(words, [], 1, 3), /chunk 2 is in the pool and in the pool/);
});

test.run();
