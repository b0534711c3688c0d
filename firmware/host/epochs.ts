/** Quiescent points: how the control side knows that no lcore can still see what was replaced. */
import type { CoreExports } from './core.ts';

/** A vector under way ends within some tens of microseconds. */
const NAP_MS = 0.03;
/** Naps before the other work of this process gets its turn between two looks. */
const NAPS = 30;

export class Epochs {
  readonly #core: CoreExports;
  /** Nobody ever writes it. */
  readonly #never = new Int32Array(new SharedArrayBuffer(4));

  constructor(core: CoreExports) {
    this.#core = core;
  }

  /**
   * Publishes a new epoch and waits until every running lcore has passed it (microseconds under load; sleeping lcores touch no
   * table and are not waited for). A hanging lcore holds it up until the watchdog has replaced it.
   *
   * It naps between two looks: an lcore that shares our processor gets on only when we leave it.
   */
  async pass(): Promise<void> {
    const epoch = this.#core.advance();
    for (let looks = 1; this.#core.reached(epoch) === 0; looks++) {
      Atomics.wait(this.#never, 0, 0, NAP_MS);
      if (looks % NAPS === 0) await new Promise((resolve) => setImmediate(resolve));
    }
  }
}
