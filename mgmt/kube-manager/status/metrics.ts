/** Metrics in Prometheus' text format. */

const BUCKETS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];

/** Seconds. */
export class Histogram {
  readonly #counts = BUCKETS.map(() => 0);
  #sum = 0;
  #count = 0;

  observe(seconds: number): void {
    this.#sum += seconds;
    this.#count++;
    BUCKETS.forEach((bound, at) => { if (seconds <= bound) this.#counts[at]!++; });
  }

  lines(name: string): string[] {
    return [...BUCKETS.map((bound, at) => `${name}_bucket{le="${bound}"} ${this.#counts[at]}`), `${name}_bucket{le="+Inf"} ${this.#count}`, `${name}_sum ${this.#sum}`, `${name}_count ${this.#count}`];
  }
}

export interface Metric {
  /** Without the prefix that all have. */
  readonly name: string;
  readonly type: 'gauge' | 'counter' | 'histogram';
  readonly help: string;
  /** One value, values by a label, or a histogram. */
  readonly value: number | { readonly label: string; readonly values: Readonly<Record<string, number>> } | Histogram;
}

const PREFIX = 'wrouter_kube_manager_';

export function exposition(metrics: readonly Metric[]): string {
  return metrics.flatMap(({ name, type, help, value }) => {
    const full = `${PREFIX}${name}`;
    const lines = typeof value === 'number' ? [`${full} ${value}`]
      : value instanceof Histogram ? value.lines(full)
      : Object.entries(value.values).map(([key, each]) => `${full}{${value.label}="${key}"} ${each}`);
    return [`# HELP ${full} ${help}`, `# TYPE ${full} ${type}`, ...lines];
  }).join('\n') + '\n';
}
