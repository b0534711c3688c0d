// A core's signature: what is taken, and everything that is not.
import { createPublicKey, generateKeyPairSync, type KeyObject } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { CORE_FILE } from '../../../firmware/host/core.ts';
import { CoreRefused, signCore, signerId, trustedKeys, verifyCore } from '../../../firmware/host/core-signature.ts';

const core = readFileSync(CORE_FILE);
const { privateKey } = generateKeyPairSync('ed25519');
const keysOf = (...keys: readonly KeyObject[]) => new Map(keys.map((key) => [signerId(key), createPublicKey(key)]));
const keys = keysOf(privateKey);
const refused = (bytes: Buffer, text: RegExp, trusted = keys): void => {
  assert.throws(() => verifyCore(bytes, trusted), (error: unknown) => error instanceof CoreRefused && text.test(error.message));
};

test('a signed core is the same module and names its signer', () => {
  const signed = signCore(core, privateKey);
  assert.is(verifyCore(signed, keys), signerId(privateKey));
  const [before, after] = [core, signed].map((bytes) => WebAssembly.Module.exports(new WebAssembly.Module(bytes)).map(({ name }) => name));
  assert.equal(after, before);
});

test('signing again replaces the signature', () => {
  const other = generateKeyPairSync('ed25519').privateKey;
  const again = signCore(signCore(core, other), privateKey);
  assert.equal(again, signCore(core, privateKey));
});

test('not signed, by somebody else, cut off, or no module: refused by name', () => {
  const signed = signCore(core, privateKey);
  refused(core, /is not signed/);
  refused(signed, /which is not trusted here; [0-9a-f]{16} would be/, keysOf(generateKeyPairSync('ed25519').privateKey));
  refused(signed.subarray(0, -1), /cut off/);
  refused(Buffer.concat([signed, Buffer.from([0, 2, 1, 65])]), /4 bytes follow the signature/);
  refused(Buffer.from('#!/bin/sh'), /no WebAssembly module/);
  refused(Buffer.alloc(0), /no WebAssembly module/);
});

test('whatever bit is changed, the core is refused', () => {
  const signed = signCore(core, privateKey);
  fc.assert(fc.property(fc.nat(signed.length * 8 - 1), (bit) => {
    const changed = Buffer.from(signed);
    changed[bit >> 3]! ^= 1 << (bit & 7);
    assert.throws(() => verifyCore(changed, keys), (error: unknown) => error instanceof CoreRefused);
  }), { numRuns: 500 });
});

test('a folder of trusted keys names the file that is none', () => {
  const folder = mkdtempSync(join(tmpdir(), 'wrouter-keys-'));
  try {
    assert.throws(() => trustedKeys(folder), /holds no key/);
    writeFileSync(join(folder, 'release.pem'), createPublicKey(privateKey).export({ type: 'spki', format: 'pem' }));
    assert.equal([...trustedKeys(folder).keys()], [signerId(privateKey)]);
    writeFileSync(join(folder, 'other.pem'), generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey.export({ type: 'spki', format: 'pem' }));
    assert.throws(() => trustedKeys(folder), /other\.pem is a key of type ec/);
    writeFileSync(join(folder, 'other.pem'), 'nothing');
    assert.throws(() => trustedKeys(folder), /other\.pem is no public key/);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test.run();
