/** Keeps this thread, and what it starts, on one processor: two programs that are compared then have the very same caches. */
import koffi from 'koffi';

const libc = koffi.load('libc.so.6');
const sched_getaffinity = libc.func('int sched_getaffinity(int, size_t, _Out_ uint64_t *)');
const sched_setaffinity = libc.func('int sched_setaffinity(int, size_t, const uint64_t *)');
/** 1,024 processors, as glibc's cpu_set_t. */
const WORDS = 16;

/** Pins the calling thread to the last processor that it may use; the result undoes it. */
export function pinToOneProcessor(): () => void {
  const allowed = new BigUint64Array(WORDS);
  if (sched_getaffinity(0, allowed.byteLength, allowed) < 0) throw new Error('sched_getaffinity failed');
  const word = allowed.findLastIndex((bits) => bits !== 0n);
  const one = new BigUint64Array(WORDS);
  const bits = allowed[word] ?? 0n;
  one[word] = 1n << BigInt(bits.toString(2).length - 1);
  if (sched_setaffinity(0, one.byteLength, one) !== 0) throw new Error('sched_setaffinity failed');
  return () => {
    sched_setaffinity(0, allowed.byteLength, allowed);
  };
}
