/** CPU time of the calling thread: what others take from it on a busy machine does not count. */
import koffi from 'koffi';

const CLOCK_THREAD_CPUTIME_ID = 3;
const clock_gettime = koffi.load('libc.so.6').func('int clock_gettime(int, void *)');
const timespec = new BigInt64Array(2);

/** Nanoseconds. process.threadCpuUsage() only advances with the kernel's tick. */
export function threadCpuNs(): number {
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, timespec);
  return Number(timespec[0]) * 1e9 + Number(timespec[1]);
}
