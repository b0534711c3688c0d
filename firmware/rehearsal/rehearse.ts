/**
 * A rehearsal: a core shows with the golden frames, on a memory of its own and in a thread of its own, that it forwards as it should,
 * before it comes near a packet of anybody. Afterwards the module's code is optimised in the whole process, so that lcores that
 * change to it lose no time.
 */
import { Worker } from 'node:worker_threads';
import { CoreRefused } from '../host/core-signature.ts';

export const WARM_UP_MS = 300;
/** A core that needs longer hangs. */
const LONGEST_MS = 10_000;

export interface RehearsalResult {
  /** Empty: all is as it should be. */
  readonly problem: string;
  readonly steps: number;
}

/** @returns how many steps were compared. @throws CoreRefused that names the frame and the difference, or the trap */
export async function rehearsal(module: WebAssembly.Module, longestMs = LONGEST_MS): Promise<number> {
  const worker = new Worker(new URL('./worker.ts', import.meta.url), { workerData: module });
  let limit: NodeJS.Timeout | undefined;
  try {
    const { problem, steps } = await new Promise<RehearsalResult>((resolve, reject) => {
      worker.once('message', resolve);
      worker.once('error', (error) => reject(new CoreRefused(`the core cannot be rehearsed: ${error.message}`, { cause: error })));
      worker.once('exit', () => reject(new CoreRefused('the core cannot be rehearsed: its thread ended')));
      limit = setTimeout(() => reject(new CoreRefused(`the core hangs: the golden frames took it more than ${longestMs} ms`)), longestMs);
    });
    if (problem !== '') throw new CoreRefused(`the core does not forward as it should: ${problem}`);
    return steps;
  } finally {
    clearTimeout(limit);
    await worker.terminate();
  }
}
