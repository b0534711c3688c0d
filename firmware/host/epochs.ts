/** Quiescent points: how the control side knows that no lcore can still see what was replaced. */
import type { CoreExports } from './core.ts';

export class Epochs {
  readonly #core: CoreExports;

  constructor(core: CoreExports) {
    this.#core = core;
  }

  /**
   * Publishes a new epoch and waits until every running lcore has passed it (microseconds under load; sleeping lcores touch no
   * table and are not waited for). A hanging lcore holds it up until the watchdog has replaced it.
   */
  async pass(): Promise<void> {
    const epoch = this.#core.advance();
    while (this.#core.reached(epoch) === 0) await new Promise((resolve) => setImmediate(resolve));
  }
}
