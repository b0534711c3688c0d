/** Threads as the kernel sees them: their ids and the processor time that they have had. */
import { writeFileSync } from 'node:fs';
import type { Libc } from './libc.ts';
import { syscallNumbers } from './syscalls.ts';

export function threadId(libc: Libc): number {
  return libc.syscall(syscallNumbers().gettid, 0, 0, 0, 0, 0, 0);
}

/** Names a thread of this process, as `top -H` and /proc show it: at most 15 bytes. */
export function nameThread(tid: number, name: string): void {
  writeFileSync(`/proc/self/task/${tid}/comm`, name);
}

/** Keeps the calling thread on one processor; false when there is no such processor for us. */
export function pinThread(libc: Libc, processor: number): boolean {
  const mask = new Uint8Array(new ArrayBuffer(128));
  mask[processor >> 3] = 1 << (processor & 7);
  return libc.syscall(syscallNumbers().sched_setaffinity, 0, mask.length, libc.address(mask), 0, 0, 0) !== -1;
}

/** struct timespec: seconds and nanoseconds, 64 bits each. */
const timespec = new Uint8Array(new ArrayBuffer(16));
const timespecView = new DataView(timespec.buffer);

/**
 * Milliseconds of processor time that a thread of this process has had in its own code, exact to a tick of the kernel (1 to 10 ms);
 * undefined when the thread is gone. What the kernel does for it, such as finding memory that it touches for the first time, is not in it.
 */
export function userTimeMs(libc: Libc, tid: number): number | undefined {
  const clock = (~tid << 3) | 5; // the kernel's name for "user time of thread tid": CPUCLOCK_PERTHREAD_MASK | CPUCLOCK_VIRT
  if (libc.clock_gettime(clock, libc.address(timespec)) !== 0) return undefined;
  return Number(timespecView.getBigInt64(0, true)) * 1000 + Number(timespecView.getBigInt64(8, true)) / 1e6;
}
