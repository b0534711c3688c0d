/** What of a transaction the controller refused, by operation: out of the details of the status (proto/google/rpc). */
import type { Metadata } from '@grpc/grpc-js';
import { codecOf } from '../../../proto/load.ts';

/** `operation`: its place in the request; undefined: not told, `object` may say. */
export interface Violation { readonly operation: number | undefined; readonly object: string; readonly field: string; readonly rule: string; readonly description: string }

interface Status { details: { type_url: string; value: Buffer }[] }
interface BadRequest { fieldViolations: { field: string; description: string; reason: string }[] }
interface PreconditionFailure { violations: { type: string; subject: string; description: string }[] }

/** Empty: the call failed otherwise. */
export function violationsOf(metadata: Metadata | undefined): Violation[] {
  const [trailer] = metadata?.get('grpc-status-details-bin') ?? [];
  if (!Buffer.isBuffer(trailer)) return [];
  return codecOf<Status>('google/rpc/status.proto', 'google.rpc.Status').decode(trailer).details.flatMap(({ type_url: type, value }): Violation[] => {
    if (type.endsWith('/google.rpc.BadRequest')) {
      return codecOf<BadRequest>('google/rpc/error_details.proto', 'google.rpc.BadRequest').decode(value).fieldViolations.map(({ field, reason, description }) => {
        const [, operation, rest = ''] = /^operations\[(\d+)\]\.?(.*)$/.exec(field) ?? [];
        return { operation: operation === undefined ? undefined : Number(operation), object: '', field: rest, rule: reason, description };
      });
    }
    if (type.endsWith('/google.rpc.PreconditionFailure')) {
      return codecOf<PreconditionFailure>('google/rpc/error_details.proto', 'google.rpc.PreconditionFailure').decode(value).violations
        .map(({ type: rule, subject, description }) => ({ operation: undefined, object: subject, field: '', rule, description }));
    }
    return [];
  });
}
