/** The data plane's memory as JavaScript sees it, wherever it runs. */
import { MEMORY_PAGES } from '../../wasm-core/layout.ts';

/** Views over the one buffer. Addresses are bytes from 0 to 2^32; `u32[address >>> 2]` is the word there. */
export interface MemoryViews {
  readonly memory: WebAssembly.Memory;
  readonly u8: Uint8Array<SharedArrayBuffer>;
  readonly u16: Uint16Array<SharedArrayBuffer>;
  readonly u32: Uint32Array<SharedArrayBuffer>;
  readonly i32: Int32Array<SharedArrayBuffer>;
}

export function viewsOf(memory: WebAssembly.Memory): MemoryViews {
  const buffer = memory.buffer as unknown as SharedArrayBuffer;
  return { memory, u8: new Uint8Array(buffer), u16: new Uint16Array(buffer), u32: new Uint32Array(buffer), i32: new Int32Array(buffer) };
}

/** Reserves the memory. @throws RangeError where the address space is limited (`ulimit -v`) */
export function createMemory(): MemoryViews {
  try {
    return viewsOf(new WebAssembly.Memory({ initial: MEMORY_PAGES, maximum: MEMORY_PAGES, shared: true }));
  } catch (error) {
    throw new Error('cannot reserve 4 GiB of address space for the data plane: lift the limit (`ulimit -v unlimited`) or use a 64-bit system', { cause: error });
  }
}
