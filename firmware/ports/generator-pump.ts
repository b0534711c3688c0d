/** Generator: test load made and looked at by the core itself (wasm-core/rings/generator.ts), as fast as the lcore takes it. */
import type { CoreExports } from '../host/core.ts';
import type { Pump } from './pump.ts';

/** Frames made at once: what the core takes between two looks at its pumps. */
const BURST = 2048;

export class GeneratorPump implements Pump {
  readonly fd = undefined;
  readonly calls = 0;
  readonly #core: CoreExports;
  readonly #queue: number;

  constructor(core: CoreExports, queue: number) {
    this.#core = core;
    this.#queue = queue;
  }

  receive(): number {
    return this.#core.generate(this.#queue, BURST);
  }

  transmit(): boolean {
    this.#core.absorb(this.#queue);
    return false;
  }
}
