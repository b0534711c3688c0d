/** What a cluster's API server needs to be trusted and to trust: a root, its own certificate for loopback, the key of service accounts. */
import { generateKeyPairSync, webcrypto } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import 'reflect-metadata'; // @peculiar/x509 wants it loaded first
import * as x509 from '@peculiar/x509';

const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;
const LIFE_MS = 7 * 24 * 3600 * 1000;
/** Clocks differ a little. */
const BACKDATE_MS = 3600 * 1000;

x509.cryptoProvider.set(webcrypto as unknown as Parameters<typeof x509.cryptoProvider.set>[0]);

/** Writes ca.crt, server.crt, server.key, sa.key and sa.pub into a folder. */
export async function writeClusterKeys(folder: string): Promise<void> {
  const [root, server] = [await webcrypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify']), await webcrypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify'])];
  const life = { notBefore: new Date(Date.now() - BACKDATE_MS), notAfter: new Date(Date.now() + LIFE_MS), signingAlgorithm: ALGORITHM };
  const authority = await x509.X509CertificateGenerator.createSelfSigned({
    ...life, name: 'CN=kubernetes', serialNumber: '01', keys: root,
    extensions: [new x509.BasicConstraintsExtension(true, 0, true), new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign, true)],
  });
  const certificate = await x509.X509CertificateGenerator.create({
    ...life, subject: 'CN=kube-apiserver', issuer: authority.subject, serialNumber: '02', publicKey: server.publicKey, signingKey: root.privateKey,
    extensions: [
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
      new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth]),
      new x509.SubjectAlternativeNameExtension([{ type: 'ip', value: '127.0.0.1' }, { type: 'dns', value: 'localhost' }]),
    ],
  });
  const accounts = generateKeyPairSync('rsa', { modulusLength: 2048, publicKeyEncoding: { type: 'spki', format: 'pem' }, privateKeyEncoding: { type: 'pkcs1', format: 'pem' } });
  const key = x509.PemConverter.encode(await webcrypto.subtle.exportKey('pkcs8', server.privateKey), x509.PemConverter.PrivateKeyTag);
  const files = { 'ca.crt': authority.toString('pem'), 'server.crt': certificate.toString('pem'), 'server.key': key, 'sa.key': accounts.privateKey, 'sa.pub': accounts.publicKey };
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), `${text.trimEnd()}\n`, { mode: 0o600 });
}
