/** What is measured: something that forwards from its inside device to its outside device, on one processor. */
import { readFileSync } from 'node:fs';

/** The forwarding side's processor; the sender has the other. */
export const FORWARDING_PROCESSOR = 1;

/** Counted since some start: only differences of two readings mean anything. */
export interface Usage {
  /** Nanoseconds of processor time. */
  readonly cpu: number;
  /** Of it in the thread that receives for the forwarder. */
  readonly receive?: number;
  /** Of it in the thread that forwards, its system calls included. */
  readonly lcore?: number;
  /** Of it in user space, with the resolution of the kernel's clock tick. */
  readonly user?: number;
  /** System calls of the packet path. */
  readonly calls?: number;
  /** Runs of the core, with and without packets. */
  readonly runs?: number;
}

export interface Contestant {
  readonly name: string;
  /** Its namespace, and its devices in source and sink. */
  readonly place: string;
  /** Bytes that it puts around a packet. */
  readonly overhead: number;
  usage(): Promise<Usage>;
  stop(): Promise<void>;
}

/** Ticks in a second of /proc (USER_HZ). */
const TICKS = 100;

/** User and system seconds of a process with all its threads. */
export function processSeconds(pid: number): { user: number; system: number } {
  // The second field is the program's name in parentheses, which can hold anything.
  const fields = readFileSync(`/proc/${pid}/stat`, 'latin1').split(') ').at(-1)!.split(' ');
  return { user: Number(fields[11]) / TICKS, system: Number(fields[12]) / TICKS };
}

/** Seconds that a processor was in softirqs. */
export function softirqSeconds(processor: number): number {
  const line = readFileSync('/proc/stat', 'latin1').split('\n').find((text) => text.startsWith(`cpu${processor} `));
  return Number(line?.split(' ')[7]) / TICKS;
}
