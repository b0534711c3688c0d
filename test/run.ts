/**
 * Runs every `*.test.ts` below test/, each in a process of its own, two at a time.
 *
 *   npm test                      everything that this machine allows
 *   npm test -- --only tables     files whose path contains "tables"
 *
 * A file may declare, in comments before its first statement:
 *
 *   // needs: root, netns, openvswitch      left out, by name and reason, where the machine lacks it
 *   // limit: 400 s                         time limit instead of 120 s
 *
 * The last line is `N passed, N failed` and counts tests; a file that crashes, runs out of time, runs no test, or skips
 * one of its tests counts as one failed test more.
 */
import { spawn } from 'node:child_process';
import { readFileSync, readdirSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { missingNeeds, type Missing } from './needs.ts';
import { declarations, summarise, type Declarations, type Summary } from './summary.ts';

const ROOT = new URL('..', import.meta.url);
const PARALLEL = 2;
const STOP_GRACE_MS = 5000;

const { values: options } = parseArgs({ options: { only: { type: 'string' } } });

interface TestFile extends Declarations {
  readonly path: string;
}

function findTests(only: string | undefined): TestFile[] {
  const found = readdirSync(new URL('test/', ROOT), { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith('.test.ts'))
    .map((path) => `test/${path}`)
    .filter((path) => only === undefined || path.includes(only))
    .sort();
  return found.map((path) => ({ path, ...declarations(readFileSync(new URL(path, ROOT), 'utf8')) }));
}

/** Runs one file in its own process group, which is killed as a whole when its time is up. */
function runFile(file: TestFile): Promise<{ summary: Summary; output: string; seconds: number }> {
  return new Promise((resolve) => {
    const started = performance.now();
    const child = spawn(process.execPath, [file.path], {
      cwd: ROOT,
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, NO_COLOR: '1', FORCE_COLOR: '0' },
    });
    const stop = (signal: NodeJS.Signals): void => {
      try {
        if (child.pid !== undefined) process.kill(-child.pid, signal);
      } catch {
        // The group is gone already.
      }
    };
    let timedOut = false;
    let kill: NodeJS.Timeout | undefined;
    const limit = setTimeout(() => {
      timedOut = true;
      stop('SIGTERM'); // lets a lab take its namespaces down
      kill = setTimeout(() => stop('SIGKILL'), STOP_GRACE_MS);
    }, file.limitSeconds * 1000);
    let output = '';
    const collect = (chunk: string): void => {
      output += chunk;
    };
    child.stdout.setEncoding('utf8').on('data', collect);
    child.stderr.setEncoding('utf8').on('data', collect);
    child.on('error', (error) => collect(`${error.message}\n`));
    child.on('exit', () => setTimeout(() => stop('SIGKILL'), 100).unref()); // a stray descendant would hold the pipes open
    child.on('close', (code, signal) => {
      clearTimeout(limit);
      clearTimeout(kill);
      stop('SIGKILL');
      const seconds = (performance.now() - started) / 1000;
      const ending = timedOut ? `ran out of its ${file.limitSeconds} s` : signal !== null ? `died by ${signal}` : code;
      resolve({ summary: summarise(output, ending), output, seconds });
    });
  });
}

function indent(text: string): string {
  return text.trimEnd().split('\n').map((line) => `    | ${line}\n`).join('');
}

async function main(): Promise<void> {
  const files = findTests(options.only);
  const missing = missingNeeds(new Set(files.flatMap((file) => file.needs)));
  const leftOut: { path: string; missing: Missing[] }[] = [];
  const queue: TestFile[] = [];
  for (const file of files) {
    const lacks = file.needs.map((need) => missing.get(need)).filter((lack) => lack !== undefined);
    if (lacks.length > 0) leftOut.push({ path: file.path, missing: lacks });
    else queue.push(file);
  }
  queue.sort((a, b) => b.limitSeconds - a.limitSeconds || (a.path < b.path ? -1 : 1)); // long ones first

  let passed = 0;
  let failed = 0;
  const worker = async (): Promise<void> => {
    for (let file = queue.shift(); file !== undefined; file = queue.shift()) {
      const { summary, output, seconds } = await runFile(file);
      passed += summary.passed;
      failed += summary.failed;
      const verdict = summary.failed === 0 ? 'ok    ' : 'FAILED';
      const why = summary.reason === '' ? '' : ` (${summary.reason})`;
      process.stdout.write(`${verdict} ${file.path}  ${summary.passed} passed, ${summary.failed} failed  ${seconds.toFixed(1)} s${why}\n`);
      if (summary.failed > 0) process.stdout.write(indent(output));
    }
  };
  await Promise.all(Array.from({ length: PARALLEL }, worker));

  for (const { path, missing: lacks } of leftOut.filter((file) => !file.missing.some((lack) => lack.broken)))
    process.stdout.write(`left out ${path}: ${lacks.map((lack) => lack.reason).join('; ')}\n`);
  for (const { path, missing: lacks } of leftOut.filter((file) => file.missing.some((lack) => lack.broken))) {
    failed += 1;
    process.stdout.write(`FAILED ${path}  ${lacks.map((lack) => lack.reason).join('; ')}\n`);
  }
  if (files.length === 0) {
    failed += 1;
    process.stdout.write(`FAILED no test file's path contains "${options.only ?? ''}"\n`);
  }
  process.stdout.write(`${passed} passed, ${failed} failed\n`);
  process.exitCode = failed === 0 ? 0 : 1;
}

await main();
