/**
 * Cores as builds: the bytes of one, judged and compiled. The data plane starts with the one that came with the installation, or with
 * one that took its place later by an upgrade, which is kept beside the state log.
 */
import { createHash } from 'node:crypto';
import { closeSync, fsyncSync, mkdirSync, openSync, readdirSync, readFileSync, renameSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { CoreRefused, verifyCore, type TrustedKeys } from './core-signature.ts';
import type { Logger } from './log.ts';

export interface CoreBuild {
  readonly module: WebAssembly.Module;
  readonly sha256: string;
  /** Id of the key that signed it; empty: the signature was not asked for. */
  readonly signer: string;
}

/** Both the one to run and the one that the installation came with. */
export interface InstalledCore {
  readonly running: CoreBuild;
  readonly base: CoreBuild;
}

/** What a core must export: docs/core-abi.md. */
const EXPORTS = [
  'version', 'init', 'poolInit', 'run', 'reclaim', 'queueStart', 'queueStop', 'apply', 'advance', 'reached', 'collect', 'resyncBegin', 'staleCount', 'total', 'sweep', 'dump', 'lookup',
  'lookupRib', 'convert', 'announce', 'generate', 'absorb', 'trace',
];

/**
 * @param keys who may have signed it; undefined: whoever can write the installation's files is trusted
 * @throws CoreRefused when nobody trusted signed these bytes, or they are no core
 */
export async function judgeCore(bytes: Buffer, keys: TrustedKeys | undefined): Promise<CoreBuild> {
  const signer = keys === undefined ? '' : verifyCore(bytes, keys);
  const module = await WebAssembly.compile(new Uint8Array(bytes)).catch((error: unknown) => {
    throw new CoreRefused(`the core does not compile: ${(error as Error).message}`);
  });
  const imports = WebAssembly.Module.imports(module).map(({ module: from, name }) => `${from}.${name}`);
  if (imports.join() !== 'env.memory') throw new CoreRefused(`the core imports ${imports.join(', ') || 'nothing'}; a core imports env.memory and nothing else`);
  const exported = new Set(WebAssembly.Module.exports(module).map(({ name }) => name));
  const missing = EXPORTS.filter((name) => !exported.has(name));
  if (missing.length > 0) throw new CoreRefused(`the core does not export ${missing.join(', ')}`);
  return { module, sha256: sha256Of(bytes), signer };
}

/** The installation's core from `file`, or the one that was kept over it. @throws Error when the installation's own is none */
export async function installedCore(file: URL, directory: string, keys: TrustedKeys | undefined, log: Logger): Promise<InstalledCore> {
  let bytes: Buffer;
  try {
    bytes = readFileSync(file);
  } catch (error) {
    throw new Error(`no forwarding core at ${file.pathname}: \`npm run build\` makes it`, { cause: error });
  }
  const base = await judgeCore(bytes, keys);
  mkdirSync(directory, { recursive: true });
  const wanted = keptName(base);
  const kept = readdirSync(directory).filter((name) => KEPT.test(name));
  // Kept over another installation: this one is newer.
  for (const name of kept.filter((other) => other !== wanted)) {
    rmSync(join(directory, name));
    log.info({ file: name }, 'the installation brought another core: the one that an upgrade had left is gone');
  }
  if (!kept.includes(wanted)) return { running: base, base };
  try {
    return { running: await judgeCore(readFileSync(join(directory, wanted)), keys), base };
  } catch (error) {
    log.error({ err: error, file: wanted }, 'the core that an upgrade had left is not taken: the installation\'s own runs');
    return { running: base, base };
  }
}

/** From the next start on, these bytes run in place of `base`. On disk before it returns. */
export function keepCore(bytes: Buffer, base: CoreBuild, directory: string): void {
  const file = join(directory, keptName(base));
  if (sha256Of(bytes) === base.sha256) {
    rmSync(file, { force: true });
    return;
  }
  const scratch = `${file}.new`;
  const fd = openSync(scratch, 'w', 0o600);
  try {
    writeSync(fd, bytes);
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
  renameSync(scratch, file);
  const folder = openSync(directory, 'r');
  try {
    fsyncSync(folder);
  } finally {
    closeSync(folder);
  }
}

const KEPT = /^core-over-[0-9a-f]{16}\.wasm$/;
const keptName = ({ sha256 }: CoreBuild): string => `core-over-${sha256.slice(0, 16)}.wasm`;
const sha256Of = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex');
