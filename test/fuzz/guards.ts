/**
 * Guards around every frame: no packet begins in the first bytes of its chunk or ends in the last ones (the fuzzer sends none
 * so long), so a pattern there must survive. The memory before and behind the frames in use is guarded as well. Where frames
 * may begin anywhere in their chunk, only the guard at the end of the chunk before them tells of headers that had no room.
 */
import * as L from '../../wasm-core/layout.ts';

const CHUNK = 2 ** L.FRAME_SHIFT;
/** Headers are put before a packet by whole 16-byte stores, at most 64 bytes of them and a tag: 160 bytes stay free. */
export const HEAD_GUARD = 96;
export const TAIL_GUARD = 64;
const OUTSIDE = 65536;
const PATTERN = 0xa5a5a5a5;

/** Greatest frame that leaves the guards alone. */
export const GREATEST_FRAME = L.FRAME_CAPACITY - TAIL_GUARD;

export class Guards {
  readonly #words: Uint32Array;
  readonly #frames: number;
  readonly #headGuard: number;

  /** @param headGuard HEAD_GUARD, or 0 where frames begin anywhere */
  constructor(buffer: SharedArrayBuffer, frames: number, headGuard: number) {
    this.#words = new Uint32Array(buffer);
    this.#frames = frames;
    this.#headGuard = headGuard;
    for (let index = 0; index < frames; index += 1) for (const [from, to] of this.#zones(index)) this.#words.fill(PATTERN, from, to);
    for (const [from, to] of this.#outside()) this.#words.fill(PATTERN, from, to);
  }

  /** Throws when a guard of the chunk with this number was written. */
  checkChunk(index: number): void {
    for (const [from, to] of this.#zones(index)) this.#check(from, to, `chunk ${index}`);
  }

  /** Throws when any guard was written. */
  checkAll(): void {
    for (let index = 0; index < this.#frames; index += 1) this.checkChunk(index);
    for (const [from, to] of this.#outside()) this.#check(from, to, 'outside the frames');
  }

  #zones(index: number): [number, number][] {
    const chunk = (L.FRAMES + index * CHUNK) / 4;
    return [[chunk, chunk + this.#headGuard / 4], [chunk + (CHUNK - TAIL_GUARD) / 4, chunk + CHUNK / 4]];
  }

  #outside(): [number, number][] {
    const end = L.FRAMES + this.#frames * CHUNK;
    return [[(L.FRAMES - OUTSIDE) / 4, L.FRAMES / 4], [end / 4, (end + OUTSIDE) / 4]];
  }

  #check(from: number, to: number, where: string): void {
    for (let at = from; at < to; at += 1) {
      const word = this.#words[at] ?? 0;
      if (word !== PATTERN) throw new Error(`a write outside of a packet: 0x${word.toString(16)} at 0x${(at * 4).toString(16)}, ${where}`);
    }
  }
}
