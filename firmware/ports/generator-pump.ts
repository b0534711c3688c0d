/**
 * Generator: test load made and looked at by the core itself (wasm-core/rings/generator.ts), as fast as the lcore takes it or at a
 * rate, as from a wire: what the lcore has no room for when it is due is lost.
 */
import { clockUs } from '../host/clock.ts';
import type { CoreExports } from '../host/core.ts';
import type { Pump } from './pump.ts';

/** Frames made at once: what the core takes between two looks at its pumps. */
const BURST = 2048;
/** At a rate they come in groups of at least so many, as from a device that moderates its interrupts. */
const LEAST = 64;

export class GeneratorPump implements Pump {
  readonly fd = undefined;
  readonly calls = 0;
  readonly ticks: boolean;
  readonly #core: () => CoreExports;
  readonly #queue: number;
  /** Packets a microsecond, and up to when they have come. */
  readonly #rate: number;
  #untilUs = clockUs();

  /**
   * @param core the lcore's, which may be replaced
   * @param rate packets a second; undefined: as many as the lcore takes
   */
  constructor(core: () => CoreExports, queue: number, rate: number | undefined) {
    this.#core = core;
    this.#queue = queue;
    this.#rate = (rate ?? 0) / 1e6;
    this.ticks = rate !== undefined;
  }

  receive(): number {
    if (this.#rate === 0) return this.#core().generate(this.#queue, BURST);
    const nowUs = clockUs();
    const due = Math.floor((nowUs - this.#untilUs) * this.#rate);
    if (due < LEAST) return 0;
    this.#untilUs += due / this.#rate;
    return this.#core().generate(this.#queue, Math.min(due, BURST));
  }

  transmit(): boolean {
    this.#core().absorb(this.#queue);
    return false;
  }
}
