/** How long it takes from a Kubernetes event to the controller, and to every appliance that it touches. */
import type { Client } from '../../../proto/load.ts';
import type { ConfigMethods } from '../../../proto/config.ts';
import { Histogram } from './metrics.ts';

const LIVE_DEADLINE_MS = 30_000;
/** Further transactions are not measured to the end: waiting must not be work. */
const MAX_WAITING = 8;

export class Latency {
  readonly committed = new Histogram();
  readonly live = new Histogram();
  readonly #config: Pick<Client<ConfigMethods>, 'awaitLive'>;
  readonly #since = new Map<string, number>();
  #waiting = 0;

  constructor(config: Pick<Client<ConfigMethods>, 'awaitLive'>) {
    this.#config = config;
  }

  /** A Kubernetes object changed: "pod default/web-1", which is the name of its unit too. */
  touched(unit: string): void {
    if (!this.#since.has(unit)) this.#since.set(unit, performance.now());
  }

  /** All is written: what came to nothing is not waited for. */
  idle(): void { this.#since.clear(); }

  write(version: number, units: readonly string[]): void {
    const since = units.flatMap((unit) => this.#since.get(unit) ?? []);
    for (const unit of units) this.#since.delete(unit);
    for (const each of since) this.committed.observe((performance.now() - each) / 1000);
    if (since.length === 0 || this.#waiting >= MAX_WAITING) return;
    this.#waiting++;
    this.#config.awaitLive({ version }, { deadline: Date.now() + LIVE_DEADLINE_MS }).then(() => {
      for (const each of since) this.live.observe((performance.now() - each) / 1000);
    }, () => {}).finally(() => { this.#waiting--; });
  }
}
