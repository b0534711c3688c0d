/** The core as lcores run it, in this thread, and what of its memory has been touched. */
import { closeSync, openSync, readSync } from 'node:fs';
import { createMemory, useHugePages } from '../../firmware/host/memory.ts';
import { requireLibc } from '../../firmware/linux/libc.ts';
import { Core } from '../fixtures/core.ts';
import type { CoreOptions } from '../fixtures/core.ts';
import { threadCpuNs } from './cpu-clock.ts';
import type { Pass, Side, Timed } from './side.ts';

type Export = (...values: number[]) => number | bigint;

interface Harness extends Record<string, Export> {
  refill: (first: number, count: number) => number;
  drain: () => number;
  sweep: () => number;
}

export class WasmSide implements Side {
  readonly name = 'wasm';
  readonly core: Core;
  readonly #harness: Harness;

  constructor(harness: WebAssembly.Module, options: CoreOptions) {
    // As the dataplane does it: huge pages are asked for before anything is touched.
    const views = createMemory();
    useHugePages(views);
    this.core = new Core({ ...options, memory: views.memory });
    this.#harness = new WebAssembly.Instance(harness, { env: { memory: this.core.memory } }).exports as unknown as Harness;
  }

  async call(name: string, ...values: readonly number[]): Promise<Timed> {
    const exported = this.#harness[name] ?? (this.core.exports as unknown as Record<string, Export>)[name];
    if (!exported) throw new Error(`neither the core nor the harness exports ${name}`);
    const start = threadCpuNs();
    const result = exported(...values);
    const end = threadCpuNs();
    // The harness's hashes are 64-bit and arrive as bigint; all else is a u32 that JavaScript sees as an i32.
    return { result: typeof result === 'bigint' ? BigInt.asUintN(64, result) : BigInt((result ?? 0) >>> 0), ns: end - start };
  }

  async passes(count: number, { first, frames, pool, rounds, cold }: Pass): Promise<number[]> {
    const { run } = this.core.exports;
    const { refill, drain, sweep } = this.#harness;
    const times: number[] = [];
    let at = first;
    for (let pass = 0; pass < count; pass++) {
      if (cold) sweep();
      if (refill(at, frames) !== frames) throw new Error('a fill ring ran empty');
      at = (at + frames) % pool;
      let round = 0;
      if (cold) for (; round < 1; round++) run(0);
      const start = threadCpuNs();
      for (; round < rounds; round++) run(0);
      const end = threadCpuNs();
      drain();
      times.push(end - start);
    }
    return times;
  }

  /** Regions of the memory that hold anything but zeros: what another process needs to continue from here. */
  image(): { address: number; bytes: Uint8Array }[] {
    const { bytes } = this.core;
    const base = requireLibc('the bench').address(bytes);
    const regions: { from: number; to: number }[] = [];
    for (const page of presentPages(base, bytes.length)) {
      const from = page * PAGE;
      if (Buffer.compare(bytes.subarray(from, from + PAGE), ZEROS) === 0) continue;
      const last = regions.at(-1);
      if (last && last.to === from) last.to = from + PAGE;
      else regions.push({ from, to: from + PAGE });
    }
    return regions.map(({ from, to }) => ({ address: from, bytes: bytes.subarray(from, to) }));
  }
}

const PAGE = 4096;
const ZEROS = new Uint8Array(PAGE);

/** Pages of [base, base + length) that the kernel has given memory to, by /proc/self/pagemap (bits 62 and 63: swapped, present). */
function presentPages(base: number, length: number): number[] {
  const fd = openSync('/proc/self/pagemap', 'r');
  try {
    const map = Buffer.alloc((length / PAGE) * 8);
    const start = (base / PAGE) * 8;
    for (let done = 0; done < map.length;) {
      const n = readSync(fd, map, done, Math.min(map.length - done, 1 << 20), start + done);
      if (n === 0) throw new Error('/proc/self/pagemap ends before the memory does');
      done += n;
    }
    const pages: number[] = [];
    for (let page = 0; page < length / PAGE; page++) {
      if ((map[page * 8 + 7] ?? 0) & 0xC0) pages.push(page);
    }
    return pages;
  } finally {
    closeSync(fd);
  }
}
