/** Threads as the kernel sees them: their ids and the processor time that they have had. */
import { readFileSync } from 'node:fs';
import type { Libc } from './libc.ts';
import { syscallNumbers } from './syscalls.ts';

export function threadId(libc: Libc): number {
  return libc.syscall(syscallNumbers().gettid, 0, 0, 0, 0, 0, 0);
}

/** Keeps the calling thread on one processor; false when there is no such processor for us. */
export function pinThread(libc: Libc, processor: number): boolean {
  const mask = new Uint8Array(new ArrayBuffer(128));
  mask[processor >> 3] = 1 << (processor & 7);
  return libc.syscall(syscallNumbers().sched_setaffinity, 0, mask.length, libc.address(mask), 0, 0, 0) !== -1;
}

/** Milliseconds of processor time that a thread of this process has had; undefined when the thread is gone. */
export function threadTimeMs(tid: number): number | undefined {
  try {
    const [nanoseconds] = readFileSync(`/proc/self/task/${tid}/schedstat`, 'latin1').split(' ');
    return Number(nanoseconds) / 1e6;
  } catch {
    return undefined;
  }
}
