/** Child processes of a run: started, waited for until they are ready, logged to a file, stopped by their pid. */
import { spawn, type ChildProcess } from 'node:child_process';
import { closeSync, existsSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

export interface ChildOptions {
  name: string;
  command: string;
  args: string[];
  /** The child's output goes to `<directory>/<name>.log`. */
  directory: string;
  environment?: Record<string, string>;
}

/** Whatever runs when this process ends, however it ends, is killed. */
const running = new Set<ChildProcess>();
process.once('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});

export class Child {
  readonly name: string;
  readonly log: string;
  readonly #process: ChildProcess;
  readonly #ended: Promise<string>;
  #how: string | undefined;

  /** Starts it. On Linux the child dies with this process even when that is killed. */
  constructor({ name, command, args, directory, environment = {} }: ChildOptions) {
    this.name = name;
    this.log = join(directory, `${name}.log`);
    const log = openSync(this.log, 'a');
    const [program, rest] = existsSync('/usr/bin/setpriv')
      ? ['/usr/bin/setpriv', ['--pdeathsig', 'KILL', command, ...args]]
      : [command, args];
    // Its own process group: Ctrl-C on the terminal is for the lab, which then stops its children in order.
    this.#process = spawn(program, rest, { stdio: ['ignore', log, log], env: { ...process.env, ...environment }, detached: true });
    closeSync(log);
    running.add(this.#process);
    this.#ended = new Promise((resolve) => {
      this.#process.once('error', (error) => resolve(error.message));
      this.#process.once('exit', (code, signal) => resolve(signal === null ? `exit code ${code}` : `signal ${signal}`));
    });
    void this.#ended.then((how) => {
      this.#how = how;
      running.delete(this.#process);
    });
  }

  /** Undefined when it could not be started at all. */
  get pid(): number | undefined {
    return this.#process.pid;
  }

  /** Waits until `probe` does not throw; fails at once, with the end of the log, when the process ends instead. */
  async ready(probe: () => Promise<void>, timeoutMs = 60_000): Promise<void> {
    const deadline = performance.now() + timeoutMs;
    for (;;) {
      if (this.#how !== undefined) throw new Error(`${this.name} ended with ${this.#how} before it was ready\n${this.tail()}`);
      try {
        return await probe();
      } catch (error) {
        if (performance.now() > deadline) throw new Error(`${this.name} is not ready after ${timeoutMs / 1000} s: ${(error as Error).message}\n${this.tail()}`);
      }
      await sleep(25);
    }
  }

  /** Asks it to end, insists after `patienceMs`; returns how it ended. */
  async stop(patienceMs = 5_000): Promise<string> {
    if (this.#how !== undefined) return this.#how;
    this.#process.kill('SIGTERM');
    const insist = setTimeout(() => this.#process.kill('SIGKILL'), patienceMs);
    try {
      return await this.#ended;
    } finally {
      clearTimeout(insist);
    }
  }

  /** Kills it as a crash would. */
  async kill(): Promise<void> {
    this.#process.kill('SIGKILL');
    await this.#ended;
  }

  /** Last lines of its log, indented for an error message. */
  tail(lines = 15): string {
    const text = existsSync(this.log) ? readFileSync(this.log, 'utf8').trimEnd() : '';
    return [`  last lines of ${this.log}:`, ...text.split('\n').slice(-lines).map((line) => `    ${line}`)].join('\n');
  }
}
