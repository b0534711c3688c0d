/** Milliseconds, and what many of them say. */

export async function timed(run: () => Promise<void>): Promise<number> {
  const began = performance.now();
  await run();
  return performance.now() - began;
}

export const quantile = (values: readonly number[], share: number): number => [...values].sort((one, other) => one - other)[Math.ceil(values.length * share) - 1]!;
