/** Records of the sync stream into the tables, by the core's own writers. */
import type { Batch, Refusal, Update } from '../../proto/sync.ts';
import { COMMAND, RESULTS } from '../../wasm-core/layout.ts';
import { RESULT_OK } from '../../wasm-core/records.ts';
import type { CoreExports } from './core-instance.ts';
import type { MemoryViews } from './memory-views.ts';
import { RECORD_KINDS, refusalText } from './results.ts';

/** Records that are applied at once. */
const CHUNK_RECORDS = 8192;

/** Writes a batch, of which faultOf has nothing to say, a chunk at a time; yields after each what was refused of it. */
export function* applyBatch(views: MemoryViews, core: CoreExports, { kind, count, records }: Batch): Generator<Omit<Refusal, 'batch'>[]> {
  const size = RECORD_KINDS[kind]?.size ?? 0;
  for (let first = 0; first < count; first += CHUNK_RECORDS) {
    const length = Math.min(CHUNK_RECORDS, count - first);
    views.u8.set(records.subarray(first * size, (first + length) * size), COMMAND);
    const refusals: Omit<Refusal, 'batch'>[] = [];
    for (let i = 0, left = core.apply(kind, length); left > 0 && i < length; i++) {
      const code = views.u8[RESULTS + i] ?? RESULT_OK;
      if (code === RESULT_OK) continue;
      left--;
      const record = records.subarray((first + i) * size, (first + i + 1) * size);
      refusals.push({ record: first + i, code, reason: refusalText(kind, record, code) });
    }
    yield refusals;
  }
}

/** Why an update cannot be taken at all: then nothing of it is. */
export function faultOf(update: Update): string | undefined {
  for (const [index, { kind, count, records }] of update.batches.entries()) {
    const known = RECORD_KINDS[kind];
    if (known === undefined) return `batch ${index}: there is no record kind ${kind}; ${Object.keys(RECORD_KINDS).join(', ')} are known`;
    if (records.length !== count * known.size) return `batch ${index}: ${count} records of ${known.size} bytes (${known.name}) are ${count * known.size} bytes, not ${records.length}`;
  }
  return undefined;
}
