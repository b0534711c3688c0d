/**
 * A small certificate authority, for labs and as the default of an installation that has none: one root per folder, ECDSA
 * P-256, every certificate for one identity (CN) in one role (OU), good for both ends of a connection.
 *
 * Files: ca.crt, ca.key, NAME.crt, NAME.key (PEM; keys are readable by their owner only).
 */
import { webcrypto } from 'node:crypto';
import { chmodSync, existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import 'reflect-metadata'; // @peculiar/x509 wants it loaded first
import * as x509 from '@peculiar/x509';
import { ROLES, type Role } from './credentials.ts';

type CryptoKey = webcrypto.CryptoKey;

x509.cryptoProvider.set(webcrypto as unknown as Parameters<typeof x509.cryptoProvider.set>[0]);

const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;
const DAY_MS = 24 * 3600 * 1000;
const ROOT_DAYS = 3650;
const LEAF_DAYS = 825;
/** Clocks of appliances without a battery run late; a certificate made just now must already be valid for them. */
const BACKDATE_MS = 3600 * 1000;

/** One certificate to issue. */
export interface Subject {
  readonly name: string;
  readonly role: Role;
  /** Of project-admin and read-only: what it is for. */
  readonly projects?: readonly string[];
}

const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/;

/** Throws unless `subject` can be issued: a name that is safe as a file name and as a DNS label, and one of the roles. */
export function checkSubject(subject: Subject): void {
  if (!NAME.test(subject.name) || subject.name === 'ca') {
    throw new Error(`certificate name ${JSON.stringify(subject.name)}: letters, digits, ".", "_" and "-" (1-63), not starting with a sign, and not "ca"`);
  }
  if (!ROLES.includes(subject.role)) throw new Error(`certificate role ${JSON.stringify(subject.role)}: one of ${ROLES.join(', ')}`);
  const { projects = [] } = subject;
  if (projects.length > 0 && subject.role !== 'project-admin' && subject.role !== 'read-only') throw new Error(`certificate of role ${subject.role}: only project-admin and read-only are for projects`);
  if (subject.role === 'project-admin' && projects.length === 0) throw new Error('certificate of role project-admin: name its projects, project-admin=default-domain:k8s-ns-user-1');
  // X.520: an organization has up to 64 characters.
  for (const project of projects) if (!/^[^\s:/,]+:[^\s:/,]+$/.test(project) || project.length > 64) throw new Error(`project ${JSON.stringify(project)}: a full name like default-domain:k8s-ns-user-1, up to 64 characters`);
}

/** The root of a folder with its private key. */
export interface Authority { readonly folder: string; readonly certificate: x509.X509Certificate; readonly key: CryptoKey }

/** Makes the folder's root, or loads the one that it has. */
export async function openAuthority(folder: string): Promise<Authority> {
  const [certificatePath, keyPath] = [join(folder, 'ca.crt'), join(folder, 'ca.key')];
  if (existsSync(certificatePath) && existsSync(keyPath)) {
    const certificate = new x509.X509Certificate(readFileSync(certificatePath, 'utf8'));
    const der = x509.PemConverter.decodeFirst(readFileSync(keyPath, 'utf8'));
    return { folder, certificate, key: await webcrypto.subtle.importKey('pkcs8', der, ALGORITHM, false, ['sign']) };
  }
  if (existsSync(certificatePath)) throw new Error(`${folder} has ca.crt but not ca.key: certificates are issued where the root's key is`);
  mkdirSync(folder, { recursive: true, mode: 0o755 });
  const keys = await webcrypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify']);
  const now = Date.now();
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    serialNumber: serial(),
    name: [{ CN: ['wrouter root'] }, { OU: ['authority'] }],
    notBefore: new Date(now - BACKDATE_MS),
    notAfter: new Date(now + ROOT_DAYS * DAY_MS),
    signingAlgorithm: ALGORITHM,
    keys,
    extensions: [
      new x509.BasicConstraintsExtension(true, 0, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  });
  await writePair(folder, 'ca', certificate, keys.privateKey);
  return { folder, certificate, key: keys.privateKey };
}

/** Issues NAME.crt and NAME.key beside the root, replacing what is there. */
export async function issue(authority: Authority, subject: Subject): Promise<void> {
  checkSubject(subject);
  const keys = await webcrypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify']);
  const now = Date.now();
  const certificate = await x509.X509CertificateGenerator.create({
    serialNumber: serial(),
    subject: [{ CN: [subject.name] }, { OU: [subject.role] }, ...(subject.projects ?? []).map((project) => ({ O: [project] }))],
    issuer: authority.certificate.subject,
    notBefore: new Date(now - BACKDATE_MS),
    notAfter: new Date(Math.min(now + LEAF_DAYS * DAY_MS, authority.certificate.notAfter.getTime())),
    publicKey: keys.publicKey,
    signingKey: authority.key,
    signingAlgorithm: ALGORITHM,
    extensions: [
      new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
      new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth, x509.ExtendedKeyUsage.clientAuth]),
      new x509.SubjectAlternativeNameExtension([{ type: 'dns', value: subject.name }, { type: 'url', value: `wrouter:${subject.role}:${subject.name}` }]),
      await x509.AuthorityKeyIdentifierExtension.create(authority.certificate.publicKey),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  });
  await writePair(authority.folder, subject.name, certificate, keys.privateKey);
}

/** A folder with a root and a certificate for each subject; those that exist are left alone. */
export async function createPki(folder: string, subjects: readonly Subject[]): Promise<void> {
  for (const subject of subjects) checkSubject(subject);
  const authority = await openAuthority(folder);
  for (const subject of subjects) {
    if (!existsSync(join(folder, `${subject.name}.crt`))) await issue(authority, subject);
  }
}

/** 16 random bytes, positive (RFC 5280 section 4.1.2.2). */
function serial(): string {
  const bytes = webcrypto.getRandomValues(new Uint8Array(16));
  bytes[0] = (bytes[0]! & 0x7f) | 0x40;
  return Buffer.from(bytes).toString('hex');
}

/** Key first: whoever finds the certificate finds its key. Each file appears whole or not at all. */
async function writePair(folder: string, name: string, certificate: x509.X509Certificate, key: CryptoKey): Promise<void> {
  const pkcs8 = x509.PemConverter.encode(await webcrypto.subtle.exportKey('pkcs8', key), x509.PemConverter.PrivateKeyTag);
  writeWhole(join(folder, `${name}.key`), `${pkcs8}\n`, 0o600);
  writeWhole(join(folder, `${name}.crt`), `${certificate.toString('pem')}\n`, 0o644);
}

function writeWhole(path: string, text: string, mode: number): void {
  writeFileSync(`${path}.new`, text, { mode });
  chmodSync(`${path}.new`, mode);
  renameSync(`${path}.new`, path);
}
