/** Rules of access tokens. */
import type { Stored } from '../kinds.ts';
import { distinct } from './network.ts';
import type { Report } from './check.ts';

export const TOKEN_ROLES = ['cloud-admin', 'project-admin', 'read-only'] as const;
const SHA256 = /^[0-9a-f]{64}$/;

export function checkToken(report: Report, { spec }: Stored<'access-token'>): void {
  if (!(TOKEN_ROLES as readonly string[]).includes(spec.role)) report('role', 'UNKNOWN', `${JSON.stringify(spec.role)} is none of ${TOKEN_ROLES.join(', ')}`);
  if (spec.role === 'project-admin' && spec.projects.length === 0) report('projects', 'REQUIRED', 'is empty; name the projects that it may change');
  if (spec.role === 'cloud-admin' && spec.projects.length > 0) report('projects', 'NOT_A_PROJECT_ROLE', 'are for project-admin and read-only; a cloud-admin has all');
  distinct(report, 'projects', spec.projects);
  if (!SHA256.test(spec.sha256)) report('sha256', 'SECRET', 'is not the SHA-256 of a secret; tokens are made by CreateToken (wrouter token create)');
}
