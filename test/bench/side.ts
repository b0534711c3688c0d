/** The two programs that a bench compares, behind one interface: the core in WebAssembly, and its C twin. */

export interface Timed {
  readonly result: bigint;
  readonly ns: number;
}

/** A burst: `frames` frames of a pool of `pool`, from `first` on, through `rounds` calls of run(0). */
export interface Pass {
  readonly first: number;
  readonly frames: number;
  readonly pool: number;
  readonly rounds: number;
  /**
   * Evict tables, rings and frames from the caches before. The first round is then not timed: it brings back the code, which never
   * leaves the caches of an lcore that forwards, whatever its tables do.
   */
  readonly cold: boolean;
}

export interface Side {
  readonly name: 'wasm' | 'C';
  /** Calls an export of the core or of the harness. */
  call(name: string, ...values: readonly number[]): Promise<Timed>;
  /** `count` passes one after another; nanoseconds of CPU time that run() took in each. */
  passes(count: number, pass: Pass): Promise<number[]>;
}

/** What both sides must agree on, and did not. */
export class Mismatch extends Error {}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : (upper + (sorted[middle - 1] ?? upper)) / 2;
}

export interface Comparison {
  /** Medians over all rounds, in the unit that `measure` gave. */
  readonly wasm: number;
  readonly c: number;
  /** Median of the rounds' ratios wasm : C; the two of a round ran one right after the other. */
  readonly ratio: number;
}

/**
 * Measures both sides in turn, A B A B, never at the same time.
 * @param measure one round on one side; a time
 */
export async function interleave(wasm: Side, c: Side, rounds: number, measure: (side: Side, round: number) => Promise<number>): Promise<Comparison> {
  const times = { wasm: [] as number[], c: [] as number[] };
  const ratios: number[] = [];
  for (let round = 0; round < rounds; round++) {
    // Who goes first changes, so that what grows worse with time weighs on both.
    const order = round % 2 === 0 ? [wasm, c] : [c, wasm];
    for (const side of order) times[side.name === 'wasm' ? 'wasm' : 'c'].push(await measure(side, round));
    ratios.push((times.wasm.at(-1) ?? 0) / (times.c.at(-1) ?? 1));
  }
  return { wasm: median(times.wasm), c: median(times.c), ratio: median(ratios) };
}
