/** A folder of certificates for a test, made by openssl: independent of the project's own authority. */
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Role } from '../../../mgmt/pki/credentials.ts';

export function makeCertificates(folder: string, identities: Readonly<Record<string, Role>>): void {
  const openssl = (...args: string[]): void => { execFileSync('openssl', args, { stdio: 'pipe' }); };
  const at = (file: string): string => join(folder, file);
  const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
  openssl('req', '-x509', ...curve, '-keyout', at('ca.key'), '-out', at('ca.crt'), '-days', '2', '-subj', '/CN=test authority', '-addext', 'basicConstraints=critical,CA:TRUE');
  for (const [name, role] of Object.entries(identities)) {
    openssl('req', ...curve, '-keyout', at(`${name}.key`), '-out', at(`${name}.csr`), '-subj', `/OU=${role}/CN=${name}`);
    writeFileSync(at(`${name}.ext`), 'subjectAltName=IP:127.0.0.1\nextendedKeyUsage=serverAuth,clientAuth\n');
    openssl('x509', '-req', '-in', at(`${name}.csr`), '-CA', at('ca.crt'), '-CAkey', at('ca.key'), '-CAcreateserial', '-days', '2', '-out', at(`${name}.crt`), '-extfile', at(`${name}.ext`));
  }
}
