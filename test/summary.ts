/** What the runner reads from a test file's head and from its output. */

export interface Declarations {
  /** What the machine must have, names of `needs.ts`. */
  readonly needs: readonly string[];
  readonly limitSeconds: number;
}

export interface Summary {
  readonly passed: number;
  readonly failed: number;
  /** Why the file as a whole failed, or ''. */
  readonly reason: string;
}

const DEFAULT_LIMIT_SECONDS = 120;

/** Reads `// needs: a, b` and `// limit: N s` from the comment lines that a test file begins with. */
export function declarations(source: string): Declarations {
  let needs: string[] = [];
  let limitSeconds = DEFAULT_LIMIT_SECONDS;
  for (const line of source.split('\n')) {
    if (!/^\s*(\/\/|\/\*|\*|$)/.test(line)) break;
    const need = /^\/\/ needs: (.+)$/.exec(line)?.[1];
    const limit = /^\/\/ limit: (\d+) s$/.exec(line)?.[1];
    if (need !== undefined) needs = need.split(',').map((name) => name.trim());
    if (limit !== undefined) limitSeconds = Number(limit);
  }
  return { needs, limitSeconds };
}

/**
 * Counts the tests of a file from uvu's closing lines.
 *
 * @param output what the file printed
 * @param ending its exit code, or a text that says how else it ended
 */
export function summarise(output: string, ending: number | string | null): Summary {
  const plain = output.replace(/\u001b\[[0-9;]*m/g, '');
  const last = (word: string): number | undefined => {
    const matches = [...plain.matchAll(new RegExp(`^ {2}${word}: +(\\d+)$`, 'gm'))];
    const value = matches.at(-1)?.[1];
    return value === undefined ? undefined : Number(value);
  };
  const total = last('Total');
  const passed = last('Passed');
  const skipped = last('Skipped');
  if (total === undefined || passed === undefined || skipped === undefined) {
    const how = typeof ending === 'string' ? ending : `exit code ${ending}`;
    return { passed: 0, failed: 1, reason: `${how} before its tests ended` };
  }
  const failed = total - passed;
  if (typeof ending === 'string') return { passed, failed: failed + 1, reason: ending };
  if (total === 0) return { passed, failed: 1, reason: 'runs no test' };
  if (skipped > 0) return { passed, failed: failed + 1, reason: `skips ${skipped} of its tests: declare "// needs: …" instead` };
  if (failed === 0 && ending !== 0) return { passed, failed: 1, reason: `exit code ${ending} after its tests` };
  return { passed, failed, reason: '' };
}
