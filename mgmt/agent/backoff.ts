/** Which controller to dial next, and when: the next of the list at once, a pause only after a whole round failed. */
const FIRST_MS = 100;
const LONGEST_MS = 5000;
/** A session that lasted this long was a success, whatever ended it. */
const LASTING_MS = 10_000;

export interface Attempt { controller: string; waitMs: number }

export class Rota {
  readonly controllers: readonly string[];
  readonly #random: () => number;
  #next: number;
  /** Attempts since a session lasted. */
  #failures = 0;

  /** Appliances begin at different controllers, so that the load spreads. `random` is in [0, 1). */
  constructor(controllers: readonly string[], random: () => number = Math.random) {
    this.controllers = controllers;
    this.#random = random;
    this.#next = Math.floor(random() * controllers.length);
  }

  /**
   * The next attempt. Pauses double from round to round up to LONGEST_MS and are jittered over their second half, so that
   * appliances that lost the same controller do not come back as one.
   */
  attempt(): Attempt {
    const round = Math.floor(this.#failures / this.controllers.length);
    const pause = Math.min(LONGEST_MS, FIRST_MS * 2 ** Math.min(round - 1, 16));
    const begins = this.#failures % this.controllers.length === 0;
    return { controller: this.controllers[this.#next]!, waitMs: round > 0 && begins ? pause / 2 + (this.#random() * pause) / 2 : 0 };
  }

  /** What came of the attempt: how long its session lasted, 0 when there was none. Stays with a controller that worked. */
  ended(lastedMs: number): void {
    this.#failures = lastedMs >= LASTING_MS ? 0 : this.#failures + 1;
    if (lastedMs < LASTING_MS) this.#next = (this.#next + 1) % this.controllers.length;
  }
}
