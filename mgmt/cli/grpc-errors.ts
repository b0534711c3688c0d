/** What a failed call says to a person: its text, or one line for each violation that its details name. */
import type { Metadata } from '@grpc/grpc-js';
import { status } from '@grpc/grpc-js';
import { codecOf } from '../../proto/load.ts';

const DETAILS = 'grpc-status-details-bin';

/** google.protobuf.Any keeps its own spelling. */
interface Status { details: { type_url: string; value: Buffer }[] }
interface BadRequest { fieldViolations: { field: string; description: string; reason: string }[] }
interface PreconditionFailure { violations: { type: string; subject: string; description: string }[] }

const UNREACHABLE: Readonly<Partial<Record<status, string>>> = {
  [status.UNAVAILABLE]: 'it cannot be reached',
  [status.DEADLINE_EXCEEDED]: 'it did not answer in time',
};

export function refusalText(error: Error & { code?: unknown; details?: unknown; metadata?: Metadata }): string {
  const { code, metadata } = error;
  if (typeof code !== 'number') return error.message;
  const said = String(error.details ?? error.message);
  const lines = metadata ? violations(metadata) : [];
  if (lines.length) return `refused:\n${lines.map((line) => `  ${line}`).join('\n')}`;
  const unreachable = UNREACHABLE[code as status];
  return unreachable ? `${unreachable}: ${said}` : said;
}

function violations(metadata: Metadata): string[] {
  const [trailer] = metadata.get(DETAILS);
  if (!Buffer.isBuffer(trailer)) return [];
  return codecOf<Status>('google/rpc/status.proto', 'google.rpc.Status').decode(trailer).details.flatMap(({ type_url: type, value }) => {
    if (type.endsWith('/google.rpc.BadRequest')) {
      return codecOf<BadRequest>('google/rpc/error_details.proto', 'google.rpc.BadRequest').decode(value).fieldViolations
        .map(({ field, description, reason }) => `${field}: ${description}${reason ? ` (${reason})` : ''}`);
    }
    if (type.endsWith('/google.rpc.PreconditionFailure')) {
      return codecOf<PreconditionFailure>('google/rpc/error_details.proto', 'google.rpc.PreconditionFailure').decode(value).violations
        .map(({ subject, description, type }) => `${subject}: ${description}${type ? ` (${type})` : ''}`);
    }
    return [];
  });
}
