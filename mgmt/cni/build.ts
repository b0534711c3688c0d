/**
 * Makes the CNI plugin: `node mgmt/cni/build.ts [DIRECTORY]` (build/cni). A static binary of wrouter.c, for it starts in a millisecond and
 * runs on whatever the host is; where there is no C compiler, a script that runs wrouter.ts by this Node.
 */
import { spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { NEWEST, versionAnswer } from '../agent/cni/versions.ts';

const SOURCE = fileURLToPath(new URL('wrouter.c', import.meta.url));
const FALLBACK = fileURLToPath(new URL('wrouter.ts', import.meta.url));

const directory = process.argv[2] ?? fileURLToPath(new URL('../../build/cni', import.meta.url));
mkdirSync(directory, { recursive: true });
const target = join(directory, 'wrouter');
const made = `${target}.${process.pid}`; // a plugin that is being run, and one that is being built as well, stay whole
const answer = JSON.stringify(JSON.stringify(versionAnswer(NEWEST))); // a C string of JSON
const { status, error, stderr } = spawnSync('gcc', ['-O2', '-static', '-s', '-Wall', '-Wextra', '-Werror', `-DVERSION_ANSWER=${answer}`, '-o', made, SOURCE], { encoding: 'utf8' });
if (error !== undefined) {
  process.stderr.write(`${target}: there is no C compiler (${error.message}); it runs by Node, which takes ten times as long to start\n`);
  writeFileSync(made, `#!/bin/sh\nexec ${process.execPath} ${FALLBACK}\n`);
  chmodSync(made, 0o755);
} else if (status !== 0) {
  throw new Error(`${SOURCE} cannot be compiled:\n${stderr}`);
}
renameSync(made, target);
