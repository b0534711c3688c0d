/** The core as this run's appliances take it: signed by a signer of the run's own, the only one that they trust. */
import { createPrivateKey, generateKeyPairSync } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { CORE_FILE } from '../../firmware/host/core.ts';
import { signCore } from '../../firmware/host/core-signature.ts';

export interface SignedCore {
  readonly file: string;
  /** Folder of the keys to trust. */
  readonly keys: string;
}

/** @param directory of the run; appliances that share it share the signer */
export function signedCore(directory: string): SignedCore {
  const folder = join(directory, 'core');
  const made = { file: join(folder, 'core.wasm'), keys: join(folder, 'keys') };
  if (!existsSync(made.file)) {
    const { privateKey, publicKey } = generateKeyPairSync('ed25519');
    mkdirSync(made.keys, { recursive: true });
    writeFileSync(join(made.keys, 'signer.pem'), publicKey.export({ type: 'spki', format: 'pem' }));
    writeFileSync(join(folder, 'signer.key'), privateKey.export({ type: 'pkcs8', format: 'pem' }), { mode: 0o600 });
    writeFileSync(made.file, signCore(readFileSync(CORE_FILE), privateKey));
  }
  return made;
}

/** Another build of the same core by the run's signer: a custom section more. */
export function otherCore(directory: string, name: string): Buffer {
  const section = Buffer.from([0, name.length + 1, name.length, ...Buffer.from(name)]);
  return signCore(Buffer.concat([readFileSync(CORE_FILE), section]), createPrivateKey(readFileSync(join(directory, 'core', 'signer.key'))));
}
