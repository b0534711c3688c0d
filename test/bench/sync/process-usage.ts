/** Processor time of another process's threads: on a busy machine, work that others do on its processors does not count. */
import { readdirSync, readFileSync } from 'node:fs';

export interface ThreadTime { readonly thread: string; readonly nanoseconds: number }

export function threadTimes(pid: number): ThreadTime[] {
  return readdirSync(`/proc/${pid}/task`).flatMap((thread) => {
    try {
      return [{ thread, nanoseconds: Number(readFileSync(`/proc/${pid}/task/${thread}/schedstat`, 'latin1').split(' ')[0]) }];
    } catch {
      return []; // ended meanwhile
    }
  });
}

/** Seconds that the busiest thread had between two readings: under load that is the lcore's. */
export function busiestSeconds(before: readonly ThreadTime[], after: readonly ThreadTime[]): number {
  const known = new Map(before.map(({ thread, nanoseconds }) => [thread, nanoseconds]));
  return Math.max(...after.map(({ thread, nanoseconds }) => nanoseconds - (known.get(thread) ?? nanoseconds))) / 1e9;
}

/** Milliseconds that the main threads of processes have stood ready, but without a processor. */
export function waitedMs(pids: readonly number[]): number {
  return pids.reduce((sum, pid) => sum + Number(readFileSync(`/proc/${pid}/task/${pid}/schedstat`, 'latin1').split(' ')[1]) / 1e6, 0);
}
