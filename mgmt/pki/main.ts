/**
 * Issues certificates: node mgmt/pki/main.ts --dir DIR ROLE NAME [ROLE NAME …]
 *
 * Makes the root on first use. A certificate that exists is replaced (that is how one is renewed); restart what uses it.
 */
import { parseArgs } from 'node:util';
import { issue, openAuthority, checkSubject, type Subject } from './authority.ts';
import type { Role } from './credentials.ts';

const USAGE = 'usage: node mgmt/pki/main.ts --dir DIR ROLE NAME [ROLE NAME …]   (roles: controller, appliance, operator, store, cloud-admin, project-admin=PROJECT[,…], read-only[=PROJECT,…])';

const { values, positionals } = parseArgs({ options: { dir: { type: 'string' } }, allowPositionals: true });
if (!values.dir || positionals.length === 0 || positionals.length % 2 !== 0) {
  console.error(USAGE);
  process.exit(2);
}
const subjects: Subject[] = [];
for (let at = 0; at < positionals.length; at += 2) {
  const [role, projects] = positionals[at]!.split('=');
  subjects.push({ role: role as Role, name: positionals[at + 1]!, projects: projects?.split(',') ?? [] });
}
for (const subject of subjects) checkSubject(subject);
const authority = await openAuthority(values.dir);
for (const subject of subjects) {
  await issue(authority, subject);
  console.log(`${values.dir}/${subject.name}.crt: ${subject.role}`);
}
