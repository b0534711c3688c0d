/** An instance of the core over a memory, wherever there is WebAssembly: in a worker, a tool, a browser. */
import { LAYOUT_VERSION } from '../../wasm-core/layout.ts';

/** Exports as docs/core-abi.md says. Everything is i32: pass addresses with `| 0`, read results with `>>> 0`. */
export interface CoreExports {
  version(): number;
  init(): number;
  poolInit(frames: number): void;
  run(lcore: number): number;
  reclaim(lcore: number): void;
  queueStart(queue: number): void;
  queueStop(queue: number): number;
  apply(kind: number, count: number): number;
  advance(): number;
  reached(epoch: number): number;
  collect(): number;
  resyncBegin(): void;
  staleCount(kind: number): number;
  total(kind: number): number;
  sweep(kind: number): number;
  dump(kind: number, vrf: number, cursor: number): number;
  lookup(vrf: number, address: number): number;
  lookupRib(vrf: number, address: number): number;
  convert(vrf: number, kind: number): number;
  announce(interfaceId: number, address: number): number;
  generate(queue: number, count: number): number;
  absorb(queue: number): number;
  trace(interfaceId: number, length: number): number;
}

/** One instance over the memory. @throws Error when the core was built for another memory map */
export function instantiate(module: WebAssembly.Module, memory: WebAssembly.Memory): CoreExports {
  const instance = new WebAssembly.Instance(module, { env: { memory } });
  const core = instance.exports as unknown as CoreExports;
  const version = core.version() >>> 0;
  if (version !== LAYOUT_VERSION) {
    throw new Error(`the core was built for memory map ${version}, this host has ${LAYOUT_VERSION}: build both from one tree (\`npm run build\`)`);
  }
  return core;
}
