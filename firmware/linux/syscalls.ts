/** System calls without a wrapper in the C library, by number. */
interface Numbers {
  readonly bpf: number;
  readonly gettid: number;
  readonly sched_setaffinity: number;
  readonly setns: number;
}

const NUMBERS: Readonly<Record<string, Numbers>> = {
  x64: { bpf: 321, gettid: 186, sched_setaffinity: 203, setns: 308 },
  arm64: { bpf: 280, gettid: 178, sched_setaffinity: 122, setns: 268 },
};

/** Of the running architecture. */
export function syscallNumbers(): Numbers {
  const numbers = NUMBERS[process.arch];
  if (numbers === undefined) throw new Error(`no system call numbers for ${process.arch}: an appliance is x64 or arm64`);
  return numbers;
}
