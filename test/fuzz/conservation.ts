/** Where the frames are: every one of the pool must be in exactly one place. */
import * as L from '../../wasm-core/layout.ts';
import type { FuzzPort } from './ports.ts';

/** Throws when a frame is missing or in two places; call it while nothing is in flight. */
export function checkFrames(words: Uint32Array, ports: readonly FuzzPort[], lcores: number, frames: number): void {
  const place = new Array<string>(frames).fill('');
  const put = (chunk: number, where: string): void => {
    if (chunk < 0 || chunk >= frames) throw new Error(`${where} holds chunk ${chunk}, the pool has ${frames}`);
    if (place[chunk] !== '') throw new Error(`chunk ${chunk} is in ${place[chunk]} and in ${where}`);
    place[chunk] = where;
  };
  const word = (address: number): number => words[address / 4] ?? 0;
  const chunkOf = (address: number): number => Math.floor((address - L.FRAMES) / 2 ** L.FRAME_SHIFT);
  const stack = (count: number, base: number, where: string): void => {
    for (let n = 0; n < count; n += 1) put(chunkOf(word(base + 4 * n)), where);
  };

  stack(word(L.FRAME_POOL + L.FP_COUNT), L.FRAME_POOL + L.FP_FRAMES, 'the pool');
  for (let lcore = 0; lcore < lcores; lcore += 1) {
    const lc = L.LCORES + lcore * 2 ** L.LCORE_SHIFT;
    stack(word(lc + L.LC_FREE_COUNT), lc + L.LC_FREE, `the stack of lcore ${lcore}`);
    for (let n = 0; n < word(lc + L.LC_HELD_COUNT); n += 1) put(chunkOf(word(lc + L.LC_HELD + n * L.HELD_SIZE)), `the held packets of lcore ${lcore}`);
  }
  for (const port of ports) for (const chunk of port.frames()) put(chunk, `the rings of interface ${port.interface}`);

  const lost = place.indexOf('');
  if (lost !== -1) throw new Error(`${place.filter((where) => where === '').length} frames are nowhere, chunk ${lost} the first`);
}
