/** Refusals as gRPC statuses with google.rpc details in the trailer grpc-status-details-bin. */
import { fileURLToPath } from 'node:url';
import * as grpc from '@grpc/grpc-js';
import protobuf from 'protobufjs';
import type { Refusal, RefusalKind } from '../model/refusal.ts';

const CODES: { readonly [K in RefusalKind]: grpc.status } = {
  'invalid': grpc.status.INVALID_ARGUMENT,
  'in-use': grpc.status.FAILED_PRECONDITION,
  'not-found': grpc.status.NOT_FOUND,
  'exists': grpc.status.ALREADY_EXISTS,
  'conflict': grpc.status.ABORTED,
  'forbidden': grpc.status.PERMISSION_DENIED,
  'exhausted': grpc.status.RESOURCE_EXHAUSTED,
};
/** Trailers travel in HTTP/2 headers, of which Node takes 64 KiB: what does not fit is counted instead. */
const MAX_VIOLATIONS = 50;
const MAX_MESSAGE = 4000;

const folder = fileURLToPath(new URL('../../../proto/google/rpc/', import.meta.url));
const root = new protobuf.Root();
root.loadSync([`${folder}status.proto`, `${folder}error_details.proto`]);
const [Status, BadRequest, PreconditionFailure] = ['Status', 'BadRequest', 'PreconditionFailure'].map((name) => root.lookupType(`google.rpc.${name}`)) as [protobuf.Type, protobuf.Type, protobuf.Type];

/** What a handler throws for a refusal: addService turns it into the call's status. */
export function refusalStatus(refusal: Refusal): Error & Partial<grpc.StatusObject> {
  const shown = refusal.violations.slice(0, MAX_VIOLATIONS);
  const more = refusal.violations.length - shown.length;
  const whole = `${refusal.message}${more > 0 ? ` (${more} more)` : ''}`;
  const message = whole.length > MAX_MESSAGE ? `${whole.slice(0, MAX_MESSAGE)}…` : whole;
  const details = refusal.kind === 'in-use'
    ? any(PreconditionFailure, { violations: shown.map(({ rule, object, description }) => ({ type: rule, subject: object, description })) })
    : any(BadRequest, { fieldViolations: shown.map(({ field, rule, object, description }) => ({ field, reason: rule, description: `${object}: ${description}` })) });
  const metadata = new grpc.Metadata();
  metadata.set('grpc-status-details-bin', Buffer.from(Status.encode(Status.fromObject({ code: CODES[refusal.kind], message, details: [details] })).finish()));
  return Object.assign(new Error(message), { code: CODES[refusal.kind], details: message, metadata });
}

function any(type: protobuf.Type, value: object): { type_url: string; value: Uint8Array } {
  return { type_url: `type.googleapis.com${type.fullName}`.replace('.google.rpc', '/google.rpc'), value: type.encode(type.fromObject(value)).finish() };
}

/** The details of a status that a client got: for tests and the command line. */
export function violationsOf(error: grpc.ServiceError): { field: string; rule: string; description: string }[] {
  const [bytes] = error.metadata?.get('grpc-status-details-bin') ?? [];
  if (!Buffer.isBuffer(bytes)) return [];
  const status = Status.toObject(Status.decode(bytes)) as { details?: { type_url: string; value: Uint8Array }[] };
  return (status.details ?? []).flatMap(({ type_url: url, value }) => {
    if (url.endsWith('BadRequest')) {
      const { fieldViolations = [] } = BadRequest.toObject(BadRequest.decode(value)) as { fieldViolations?: { field: string; reason: string; description: string }[] };
      return fieldViolations.map(({ field, reason, description }) => ({ field, rule: reason, description }));
    }
    const { violations = [] } = PreconditionFailure.toObject(PreconditionFailure.decode(value)) as { violations?: { type: string; subject: string; description: string }[] };
    return violations.map(({ type, subject, description }) => ({ field: subject, rule: type, description }));
  });
}
