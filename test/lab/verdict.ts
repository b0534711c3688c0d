/** What a walk through a lab found, printed as it goes. */
import { bold, green, red } from './terminal.ts';

export class Verdict {
  passed = 0;
  /** What did not hold, one line each. */
  readonly failed: string[] = [];
  readonly #say: (line: string) => void;

  /** @param say gets finished lines */
  constructor(say: (line: string) => void) {
    this.#say = say;
  }

  /** Counts and prints one check. */
  readonly judge = (holds: boolean, line: string): void => {
    if (holds) this.passed++;
    else this.failed.push(line.trim());
    this.#say(`  ${holds ? green('✔') : red('✘')} ${line}`);
  };

  readonly show = (lines: readonly string[]): void => {
    for (const line of lines) this.#say(line === '' ? '' : `  ${line}`);
  };

  readonly section = (title: string): void => {
    this.#say('');
    this.#say(bold(title));
  };
}

export type Judge = Verdict['judge'];
export type Show = Verdict['show'];
