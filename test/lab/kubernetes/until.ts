import { setTimeout as sleep } from 'node:timers/promises';

const PATIENCE_MS = 60_000;

/** Asks until the answer is neither false nor undefined, and returns it. */
export async function until<T>(what: string, ask: () => Promise<T | false | undefined>, milliseconds = PATIENCE_MS): Promise<T> {
  for (const end = performance.now() + milliseconds; ; await sleep(25)) {
    const answer = await ask();
    if (answer !== false && answer !== undefined) return answer;
    if (performance.now() > end) throw new Error(`${what}: not after ${milliseconds / 1000} s`);
  }
}
