/** The forwarding core: `build/core.wasm`, the same bytes for every lcore, for control and for tests. */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';

export { instantiate, type CoreExports } from './core-instance.ts';

export interface CoreModule {
  readonly module: WebAssembly.Module;
  readonly sha256: string;
}

export const CORE_FILE = new URL('../../build/core.wasm', import.meta.url);

/** Reads and compiles the core. @throws Error that says how to build it */
export function loadCore(file: URL = CORE_FILE): CoreModule {
  let bytes: Buffer<ArrayBuffer>;
  try {
    bytes = readFileSync(file);
  } catch (error) {
    throw new Error(`no forwarding core at ${file.pathname}: \`npm run build\` makes it`, { cause: error });
  }
  return { module: new WebAssembly.Module(bytes), sha256: createHash('sha256').update(bytes).digest('hex') };
}
