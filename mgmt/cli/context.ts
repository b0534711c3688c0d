/**
 * Where things are, so that nobody types it: a small JSON file with the folder of certificates and the addresses.
 *
 *   { "pki": "/etc/wrouter/pki", "as": "operator", "controller": "192.0.2.10:9400",
 *     "appliances": { "gateway": "192.0.2.11:9411", "compute": "192.0.2.12:9411" } }
 *
 * Paths are relative to the file. `--context FILE`, else $WROUTER_CONTEXT, else ~/.config/wrouter/context.json.
 */
import { existsSync, readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { UsageError } from './output.ts';

export interface Context {
  /** Folder of ca.crt and the caller's certificate. */
  pki: string;
  /** Name of the caller's certificate. */
  as: string;
  controller?: string;
  appliances: Readonly<Record<string, string>>;
}

const DEFAULT = join(homedir(), '.config', 'wrouter', 'context.json');
const KNOWN = ['pki', 'as', 'controller', 'appliances'];

/** Reads `path`, or the default one; without any file, an empty context. Throws UsageError with what is wrong and where. */
export function readContext(path: string | undefined): Context {
  const file = path ?? process.env['WROUTER_CONTEXT'] ?? DEFAULT;
  if (!existsSync(file)) {
    if (path !== undefined) throw new UsageError(`there is no context file ${path}`);
    return { pki: '', as: 'operator', appliances: {} };
  }
  let value: unknown;
  try {
    value = JSON.parse(readFileSync(file, 'utf8'));
  } catch (error) {
    throw new UsageError(`${file} is not JSON: ${(error as Error).message}`);
  }
  return check(file, value);
}

function check(file: string, value: unknown): Context {
  const wrong = (what: string): never => { throw new UsageError(`${file}: ${what}`); };
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return wrong('must be an object');
  const { pki, as = 'operator', controller, appliances = {}, ...others } = value as Record<string, unknown>;
  if (Object.keys(others).length) wrong(`unknown "${Object.keys(others)[0]}"; known are ${KNOWN.join(', ')}`);
  if (typeof pki !== 'string') return wrong('"pki" must be the path of the folder with certificates');
  if (typeof as !== 'string') return wrong('"as" must be the name of the certificate to use');
  if (controller !== undefined && typeof controller !== 'string') return wrong('"controller" must be HOST:PORT');
  if (typeof appliances !== 'object' || appliances === null || Object.values(appliances).some((address) => typeof address !== 'string')) return wrong('"appliances" must map names to HOST:PORT');
  return { pki: resolve(dirname(file), pki), as, appliances: appliances as Record<string, string>, ...(controller === undefined ? {} : { controller }) };
}
