/** Time as those see it who wait and time out: the system's, or a simulation's. */

export interface Clock {
  /** Milliseconds since 1970. */
  now(): number;
  /** Calls `action` once, `ms` from now; what it returns takes that back. In the `background`: the process may end before. */
  after(ms: number, action: () => void, background?: boolean): () => void;
}

export const SYSTEM_CLOCK: Clock = {
  now: () => Date.now(),
  after(ms, action, background = false) {
    const timer = setTimeout(action, ms);
    if (background) timer.unref();
    return () => clearTimeout(timer);
  },
};

/** Resolves `ms` from now, earlier when `signal` aborts. In the `background`: the process may end before. */
export function pause(clock: Clock, ms: number, signal?: AbortSignal, background = false): Promise<void> {
  if (signal?.aborted) return Promise.resolve();
  return new Promise((resolve) => {
    const done = (): void => {
      takeBack();
      signal?.removeEventListener('abort', done);
      resolve();
    };
    const takeBack = clock.after(ms, done, background);
    signal?.addEventListener('abort', done);
  });
}
