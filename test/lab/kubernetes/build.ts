/** kube-apiserver and kube-controller-manager, built from Debian's source once, into a cache outside the tree. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const VERSION = '1.20.2';
const BUILD = fileURLToPath(new URL('build-api-server.sh', import.meta.url));
/** Debian's archive is there, the machine slow. */
const BUILD_MS = 40 * 60_000;

/** Where the two binaries are, or will be. */
export function cacheDirectory(): string {
  return join(process.env['XDG_CACHE_HOME'] || join(homedir(), '.cache'), 'wrouter', `kubernetes-${VERSION}`);
}

export function isBuilt(): boolean {
  return ['kube-apiserver', 'kube-controller-manager'].every((program) => existsSync(join(cacheDirectory(), 'bin', program)));
}

/** Builds what is not in the cache; waits for another run that is building it. `nice`: minutes of two cores are not urgent. */
export async function build(): Promise<void> {
  if (isBuilt()) return;
  const child = spawn('nice', ['-n', '10', BUILD, cacheDirectory()], { stdio: ['ignore', 'pipe', 'pipe'], timeout: BUILD_MS });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (text: string) => (output = (output + text).slice(-4000)));
  const abandon = (): void => void child.kill('SIGTERM');
  process.once('exit', abandon);
  const [code, signal] = await once(child, 'close') as [number | null, NodeJS.Signals | null];
  process.removeListener('exit', abandon);
  if (code !== 0) throw new Error(`building the API server ended with ${signal ?? `exit code ${code}`}; needed are dpkg-dev, golang-go, golang-github-modern-go-reflect2-dev and Debian's archive\n${output.trimEnd()}`);
}
