/**
 * Certificates as gRPC credentials. A folder holds `ca.crt` and, for each identity that lives there, NAME.crt and NAME.key (PEM).
 * A certificate's common name is who it is, its organizational unit what it may do: the role. Both ends of every connection
 * present one, and check the other's role; host names play no part, since one private authority issues all of them.
 */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { PeerCertificate } from 'node:tls';
import * as grpc from '@grpc/grpc-js';
import { rpcError } from '../../proto/load.ts';

/** "store" is etcd, when controllers share one. The last three are of the controller's config API alone (api/access.ts). */
export const ROLES = ['controller', 'appliance', 'operator', 'store', 'cloud-admin', 'project-admin', 'read-only'] as const;
export type Role = (typeof ROLES)[number];

export interface Identity { name: string; role: string; projects: readonly string[] }

/** PEM files of `name` in `folder`; the error says which is missing. */
function load(folder: string, name: string): { ca: Buffer; cert: Buffer; key: Buffer } {
  const read = (file: string): Buffer => {
    const path = join(folder, file);
    if (!existsSync(path)) throw new Error(`${path} is missing: the folder must hold ca.crt, ${name}.crt and ${name}.key`);
    return readFileSync(path);
  };
  return { ca: read('ca.crt'), cert: read(`${name}.crt`), key: read(`${name}.key`) };
}

/** Who a verified certificate says it is. Several common names or units are none: nothing of ours issues that. */
export function identityOf(certificate: PeerCertificate | undefined): Identity {
  const { CN, OU, O } = certificate?.subject ?? {};
  return { name: typeof CN === 'string' ? CN : '', role: typeof OU === 'string' ? OU : '', projects: typeof O === 'string' ? [O] : O ?? [] };
}

/**
 * Credentials of a client that is `name` towards a server of role `role` (called `server`, if that is known).
 * Files are read at once: call it for each connection, so that a renewed certificate is taken up.
 */
export function clientCredentials(folder: string, name: string, role: Role, server?: string): grpc.ChannelCredentials {
  const { ca, cert, key } = load(folder, name);
  return grpc.credentials.createSsl(ca, key, cert, { checkServerIdentity: (_host, certificate) => ofRole(certificate, role, server) });
}

/** Credentials of a server that is `name`; every client must present a certificate of the same authority. */
export function serverCredentials(folder: string, name: string): grpc.ServerCredentials {
  const { ca, cert, key } = load(folder, name);
  return grpc.ServerCredentials.createSsl(ca, [{ private_key: key, cert_chain: cert }], true);
}

/** Credentials of a server whose clients have no certificates: they say who they are by tokens. */
export function tokenServerCredentials(folder: string, name: string): grpc.ServerCredentials {
  const { cert, key } = load(folder, name);
  return grpc.ServerCredentials.createSsl(null, [{ private_key: key, cert_chain: cert }], false);
}

/** Credentials of a client that says who it is by `token`; the server must be of role `role`. */
export function tokenCredentials(folder: string, token: string, role: Role): grpc.ChannelCredentials {
  const path = join(folder, 'ca.crt');
  if (!existsSync(path)) throw new Error(`${path} is missing: the root certificate that the server's is checked against`);
  return grpc.credentials.combineChannelCredentials(
    grpc.credentials.createSsl(readFileSync(path), null, null, { checkServerIdentity: (_host, certificate) => ofRole(certificate, role) }),
    grpc.credentials.createFromMetadataGenerator((_options, callback) => {
      const metadata = new grpc.Metadata();
      metadata.set('authorization', `Bearer ${token}`);
      callback(null, metadata);
    }),
  );
}

function ofRole(certificate: PeerCertificate, role: Role, server?: string): Error | undefined {
  const peer = identityOf(certificate);
  if (peer.role !== role) return new Error(`the server's certificate is of role "${peer.role}" (${peer.name}), not "${role}"`);
  if (server !== undefined && peer.name !== server) return new Error(`the server's certificate is of "${peer.name}", not "${server}"`);
  return undefined;
}

/** A server's call, as far as its peer is concerned. */
export interface Caller { getAuthContext(): { sslPeerCertificate?: PeerCertificate } }

/** Who calls; throws PERMISSION_DENIED unless its role is one of `roles`. */
export function requireRole(call: Caller, ...roles: Role[]): Identity {
  const peer = identityOf(call.getAuthContext().sslPeerCertificate);
  if (!(roles as string[]).includes(peer.role)) {
    throw rpcError(grpc.status.PERMISSION_DENIED, `the certificate of "${peer.name}" is of role "${peer.role}"; this takes ${roles.join(' or ')}`);
  }
  return peer;
}
