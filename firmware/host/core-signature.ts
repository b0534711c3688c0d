/**
 * The signature that a core carries: a custom section at the end of the module (WebAssembly core specification 5.5.3), which engines
 * pass over. Its payload is the signer's id, then an Ed25519 signature (RFC 8032) of all bytes before the section.
 */
import { createHash, createPublicKey, sign, verify, type KeyObject } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const SECTION = 'wrouter.signature';
/** What is signed begins with it: a signature of a core is one of nothing else. */
const CONTEXT = Buffer.from('wrouter core\0');
const MAGIC = Buffer.from([0x00, 0x61, 0x73, 0x6D, 0x01, 0x00, 0x00, 0x00]);
const CUSTOM = 0;
const SIGNER_BYTES = 8;
const SIGNATURE_BYTES = 64;

/** Why a core is not taken: what, and what would be right. */
export class CoreRefused extends Error {
  override readonly name = 'CoreRefused';
}

/** Public keys by signer's id. */
export type TrustedKeys = ReadonlyMap<string, KeyObject>;

/** A signer's id: the first 8 bytes of the SHA-256 of its public key (DER, SubjectPublicKeyInfo), in hex. */
export function signerId(key: KeyObject): string {
  const spki = key.type === 'private' ? createPublicKey(key) : key;
  return createHash('sha256').update(spki.export({ type: 'spki', format: 'der' })).digest().subarray(0, SIGNER_BYTES).toString('hex');
}

/** Every `*.pem` of a folder. @throws Error that names the file that is no Ed25519 public key, or the folder without any */
export function trustedKeys(folder: string): TrustedKeys {
  const keys = new Map<string, KeyObject>();
  for (const file of readdirSync(folder).filter((name) => name.endsWith('.pem')).sort()) {
    const key = ed25519(join(folder, file));
    keys.set(signerId(key), key);
  }
  if (keys.size === 0) throw new Error(`${folder} holds no key: put the signers' public keys (Ed25519, *.pem) there`);
  return keys;
}

function ed25519(file: string): KeyObject {
  let key: KeyObject;
  try {
    key = createPublicKey(readFileSync(file));
  } catch (error) {
    throw new Error(`${file} is no public key in PEM`, { cause: error });
  }
  if (key.asymmetricKeyType !== 'ed25519') throw new Error(`${file} is a key of type ${key.asymmetricKeyType ?? 'unknown'}; cores are signed with Ed25519`);
  return key;
}

/** The core with a signature; one that it had is gone. @throws CoreRefused for what is no WebAssembly module */
export function signCore(core: Buffer, key: KeyObject): Buffer {
  const { unsigned } = split(core);
  const payload = Buffer.concat([Buffer.from(signerId(key), 'hex'), sign(null, Buffer.concat([CONTEXT, unsigned]), key)]);
  const name = Buffer.from(SECTION);
  const body = Buffer.concat([leb128(name.length), name, payload]);
  return Buffer.concat([unsigned, Buffer.from([CUSTOM]), leb128(body.length), body]);
}

/** @returns the signer's id. @throws CoreRefused unless one of `keys` signed these very bytes */
export function verifyCore(core: Buffer, keys: TrustedKeys): string {
  const { unsigned, payload } = split(core);
  if (payload === undefined) throw new CoreRefused('the core is not signed: `wrouter core sign` signs it');
  const signer = payload.subarray(0, SIGNER_BYTES).toString('hex');
  const key = keys.get(signer);
  if (key === undefined) throw new CoreRefused(`the core is signed by ${signer}, which is not trusted here; ${[...keys.keys()].join(', ')} would be`);
  if (!verify(null, Buffer.concat([CONTEXT, unsigned]), key, payload.subarray(SIGNER_BYTES))) throw new CoreRefused(`the core's signature by ${signer} is of other bytes: it was changed after it was signed`);
  return signer;
}

/** The module without its signature, and the signature's payload. */
function split(core: Buffer): { unsigned: Buffer; payload: Buffer | undefined } {
  if (!core.subarray(0, MAGIC.length).equals(MAGIC)) throw new CoreRefused('this is no WebAssembly module of version 1');
  for (let at = MAGIC.length; at < core.length;) {
    const { value: length, next } = readLeb128(core, at + 1);
    const end = next + length;
    if (end > core.length) throw new CoreRefused(`the module is cut off: the section at byte ${at} ends at ${end}, the module at ${core.length}`);
    const payload = core[at] === CUSTOM ? payloadOf(core.subarray(next, end)) : undefined;
    if (payload !== undefined) {
      if (end !== core.length) throw new CoreRefused(`${core.length - end} bytes follow the signature, which must be the last section`);
      return { unsigned: core.subarray(0, at), payload };
    }
    at = end;
  }
  return { unsigned: core, payload: undefined };
}

/** Of a custom section, when it is the signature. */
function payloadOf(section: Buffer): Buffer | undefined {
  const { value: length, next } = readLeb128(section, 0);
  if (section.subarray(next, next + length).toString('latin1') !== SECTION) return undefined;
  const payload = section.subarray(next + length);
  if (payload.length !== SIGNER_BYTES + SIGNATURE_BYTES) throw new CoreRefused(`the signature section has ${payload.length} bytes, not ${SIGNER_BYTES + SIGNATURE_BYTES}`);
  return payload;
}

/** An unsigned 32-bit number, least significant seven bits first. */
function leb128(value: number): Buffer {
  const bytes: number[] = [];
  do {
    bytes.push((value & 0x7F) | (value > 0x7F ? 0x80 : 0));
    value >>>= 7;
  } while (value > 0);
  return Buffer.from(bytes);
}

function readLeb128(bytes: Buffer, at: number): { value: number; next: number } {
  let value = 0;
  for (let i = 0; i < 5; i++) {
    const byte = bytes[at + i];
    if (byte === undefined) break;
    value += (byte & 0x7F) * 2 ** (7 * i);
    if (byte < 0x80) return { value, next: at + i + 1 };
  }
  throw new CoreRefused(`the module is cut off: no length at byte ${at}`);
}
