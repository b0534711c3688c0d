/**
 * Network namespaces (network_namespaces(7), setns(2)). A socket belongs to the namespace that its thread was in when it was made, and
 * stays there: so a moment inside is enough to have a socket through which everything else is done from outside.
 */
import { statSync } from 'node:fs';
import { check } from './errors.ts';
import type { Libc } from './libc.ts';
import { syscallNumbers } from './syscalls.ts';

const O_RDONLY = 0;
const O_CLOEXEC = 0o2000000;
const CLONE_NEWNET = 0x40000000;
const OWN = '/proc/thread-self/ns/net';

/** The namespace of a process. */
export const namespaceOf = (pid: number): string => `/proc/${pid}/ns/net`;

/** Opens a namespace by its path; the descriptor keeps it alive. @throws SystemCallError */
export function openNamespace(libc: Libc, path: string): number {
  return check(libc, libc.open(path, O_RDONLY | O_CLOEXEC, 0), 'open', path);
}

/** Whether both paths lead to one namespace. @throws when one of them leads nowhere */
export function isSameNamespace(one: string, other: string): boolean {
  const [a, b] = [statSync(one), statSync(other)];
  return a.dev === b.dev && a.ino === b.ino;
}

/**
 * Does something with this thread inside of a namespace: `action` must be over when it returns. Needs CAP_SYS_ADMIN.
 * @throws SystemCallError (EINVAL: the path is no network namespace), and what `action` throws
 */
export function withinNamespace<T>(libc: Libc, path: string, action: () => T): T {
  const { setns } = syscallNumbers();
  const own = openNamespace(libc, OWN);
  try {
    const other = openNamespace(libc, path);
    try {
      check(libc, libc.syscall(setns, other, CLONE_NEWNET, 0, 0, 0, 0), 'setns', path);
    } finally {
      libc.close(other);
    }
    try {
      return action();
    } finally {
      check(libc, libc.syscall(setns, own, CLONE_NEWNET, 0, 0, 0, 0), 'setns', 'back to the own network namespace');
    }
  } finally {
    libc.close(own);
  }
}
