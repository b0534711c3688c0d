/** Waiting for the next commit, for calls that tell what happens. */
import type { Engine } from '../engine.ts';

export interface Commits {
  /** Resolves with the next commit, or when the call ends. Ask before reading what there is, so that nothing falls between. */
  next(): Promise<void>;
  end(): void;
}

export function committing(engine: Engine, call: { on(event: 'cancelled' | 'close', listener: () => void): unknown }): Commits {
  let wake = (): void => {};
  const listener = (): void => wake();
  engine.on('committed', listener);
  for (const event of ['cancelled', 'close'] as const) call.on(event, listener);
  return {
    next: () => new Promise<void>((resolve) => { wake = resolve; }),
    end: () => engine.off('committed', listener),
  };
}
