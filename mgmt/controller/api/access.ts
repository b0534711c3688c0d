/**
 * Who calls, and what that may see and change. A caller comes with a certificate of this authority (name: common name, role:
 * organizational unit, projects: organizations), or, where the server asks for none, with a token in `authorization: Bearer …`.
 *
 *   cloud-admin, operator   everything
 *   project-admin           reads and changes objects of its projects, and names what is shared with them
 *   read-only               reads; with projects, only those and what is shared with them
 */
import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import * as grpc from '@grpc/grpc-js';
import { rpcError } from '../../../proto/load.ts';
import { identityOf, type Caller as Call } from '../../pki/credentials.ts';
import { idOf, KINDS, type Stored } from '../model/kinds.ts';
import type { Objects } from '../model/objects.ts';
import { isSharedWith, projectOfObject } from '../model/ownership.ts';
import { referencesOf } from '../model/references.ts';
import type { Violation } from '../model/refusal.ts';
import { TOKEN_ROLES } from '../model/rules/token.ts';
import type { Change } from '../model/transaction.ts';

export type AccessRole = (typeof TOKEN_ROLES)[number];
type Request = Call & { readonly metadata: grpc.Metadata };

export class Caller {
  readonly name: string;
  readonly role: AccessRole;
  readonly projects: ReadonlySet<string>;

  constructor(name: string, role: AccessRole, projects: readonly string[]) {
    this.name = name;
    this.role = role;
    this.projects = new Set(projects);
  }

  /** Whether the whole system is open to it, appliances and routes included. */
  get seesAll(): boolean { return this.role === 'cloud-admin' || this.role === 'read-only' && this.projects.size === 0; }

  maySee(object: Stored, objects: Objects): boolean {
    return this.seesAll || this.#owns(object) || isSharedWith(object, this.projects, objects);
  }

  /** What of a transaction this caller may not do: change what is not of its projects, or name what is neither theirs nor shared. */
  judge(changes: readonly Change[], objects: Objects): Violation[] {
    if (this.role === 'cloud-admin') return [];
    const violations: Violation[] = [];
    for (const { kind, name, before, after } of changes) {
      const report = (field: string, description: string): void => { violations.push({ field: field && `${KINDS[kind].path}.${field}`, rule: 'FORBIDDEN', object: idOf(kind, name), description }); };
      if (this.role === 'read-only') {
        report('', `${this.name} has role read-only, which changes nothing`);
        continue;
      }
      if ([before, after].some((object) => object && !this.#owns(object))) {
        report('', `is not of a project that ${this.name} administers: ${[...this.projects].join(', ')}`);
        continue;
      }
      const had = new Set(before ? referencesOf(before).map((reference) => idOf(reference.kind, reference.name)) : []);
      for (const { field, kind: other, name: otherName } of after ? referencesOf(after) : []) {
        // Whom it shares its own with is its own business.
        if (other === 'project' || had.has(idOf(other, otherName))) continue;
        const object = objects.get(other, otherName);
        // A route target makes itself, but not for everybody; another object that is not there is told of by the rules.
        if (object ? this.#owns(object) || isSharedWith(object, this.projects, objects) : other !== 'route-target') continue;
        report(field, `${idOf(other, otherName)} is neither of a project that ${this.name} administers nor shared with one; a cloud-admin may name it`);
      }
    }
    return violations;
  }

  #owns(object: Stored): boolean {
    const project = projectOfObject(object);
    return project !== undefined && this.projects.has(project);
  }
}

/** Whoever calls. @throws UNAUTHENTICATED without a certificate or a valid token, PERMISSION_DENIED when its role has no business here. */
export function callerOf(call: Request, objects: Objects): Caller {
  const certificate = call.getAuthContext().sslPeerCertificate;
  if (!certificate) return byToken(call.metadata, objects);
  const { name, role, projects } = identityOf(certificate);
  if (role === 'operator') return new Caller(name, 'cloud-admin', []);
  if (isRole(role) && (role !== 'project-admin' || projects.length > 0)) return new Caller(name, role, projects);
  throw rpcError(grpc.status.PERMISSION_DENIED, `the certificate of "${name}" is of role "${role}"; this takes operator, ${TOKEN_ROLES.join(', ')} (project-admin with the organizations that are its projects)`);
}

/** Of what shows or moves the whole system. */
export function cloudAdmin(call: Request, objects: Objects): Caller {
  const caller = callerOf(call, objects);
  if (caller.role !== 'cloud-admin') throw rpcError(grpc.status.PERMISSION_DENIED, `${caller.name} has role ${caller.role}; this takes cloud-admin`);
  return caller;
}

export function seesAll(call: Request, objects: Objects): Caller {
  const caller = callerOf(call, objects);
  if (!caller.seesAll) throw rpcError(grpc.status.PERMISSION_DENIED, `${caller.name} has role ${caller.role} for projects; this shows the whole system, and takes cloud-admin, or read-only without projects`);
  return caller;
}

const isRole = (text: string): text is AccessRole => (TOKEN_ROLES as readonly string[]).includes(text);

// ---- tokens ----------------------------------------------------------------------------------------------------------------

const PREFIX = 'wrouter';
const SECRET_BYTES = 32;

/** A new secret for a token: what its holder says, and what is kept. It has 256 random bits, so a plain digest hides it. */
export function newToken(name: string): { token: string; sha256: string } {
  const secret = randomBytes(SECRET_BYTES).toString('base64url');
  return { token: `${PREFIX}.${Buffer.from(name).toString('base64url')}.${secret}`, sha256: digest(secret).toString('hex') };
}

const digest = (secret: string): Buffer => createHash('sha256').update(secret).digest();
const NOBODY = Buffer.alloc(SECRET_BYTES);

function byToken(metadata: grpc.Metadata, objects: Objects): Caller {
  const [header] = metadata.get('authorization');
  const [, encoded = '', secret = ''] = /^Bearer wrouter\.([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)$/.exec(String(header ?? '')) ?? [];
  const name = Buffer.from(encoded, 'base64url').toString();
  const token = objects.get('access-token', name);
  // The same work, in the same time, whether there is such a token or not.
  const right = timingSafeEqual(digest(secret), token ? Buffer.from(token.spec.sha256, 'hex') : NOBODY);
  if (!right || !token || !isRole(token.spec.role)) throw rpcError(grpc.status.UNAUTHENTICATED, 'neither a certificate nor a valid token: send `authorization: Bearer wrouter.…`, as `wrouter token create` printed it');
  if (token.spec.expires !== 0 && token.spec.expires * 1000 <= Date.now()) throw rpcError(grpc.status.UNAUTHENTICATED, `token ${name} expired at ${new Date(token.spec.expires * 1000).toISOString()}; have a new one made`);
  return new Caller(`token ${name}`, token.spec.role, token.spec.projects);
}
