/** A system call that failed: names the call, the object and the errno, so that callers can decide and people can read. */
import { constants } from 'node:os';
import { getSystemErrorMap } from 'node:util';
import type { Libc } from './libc.ts';

export const { EAFNOSUPPORT, EAGAIN, EBUSY, EINTR, EINVAL, ENOBUFS, EOPNOTSUPP, EPERM } = constants.errno;

export class SystemCallError extends Error {
  readonly call: string;
  readonly errno: number;

  constructor(call: string, subject: string, errno: number) {
    const [code, text] = getSystemErrorMap().get(-errno) ?? [`errno ${errno}`, 'unknown error'];
    super(`${call} ${subject}: ${text} (${code})`);
    this.name = 'SystemCallError';
    this.call = call;
    this.errno = errno;
  }
}

/** Passes a result on, or throws with errno when it is -1. */
export function check(libc: Libc, result: number, call: string, subject: string): number {
  if (result !== -1) return result;
  throw new SystemCallError(call, subject, libc.errno());
}
