/** The live tables as messages that make them again, in an order in which nothing refers to what comes later. */
import { definitionOf, type Draft } from '../../proto/load.ts';
import { Dataplane, type ApplyRequest } from '../../proto/dataplane.ts';
import { COMMAND, RESULTS } from '../../wasm-core/layout.ts';
import {
  IX_PARENT, RECORD_ECMP, RECORD_FLOATING_IP, RECORD_INTERFACE, RECORD_LABEL, RECORD_NEXTHOP, RECORD_ROUTE, RECORD_VRF, VR_ID,
} from '../../wasm-core/records.ts';
import type { CoreExports } from './core.ts';
import type { MemoryViews } from './memory.ts';
import type { Names } from './names.ts';
import { RECORD_KINDS } from './results.ts';

const NAMES_PER_MESSAGE = 4096;

export interface PackedBatch {
  readonly kind: number;
  readonly count: number;
  readonly records: Buffer;
}

/** Records of a kind as the core packs them, some at a time; routes by VRF. The buffers are copies. */
export function* dumpTable(views: MemoryViews, core: CoreExports, kind: number, vrf = 0): Generator<PackedBatch> {
  const size = RECORD_KINDS[kind]?.size ?? 0;
  let cursor = 0;
  do {
    const count = core.dump(kind, vrf, cursor | 0) >>> 0;
    if (count > 0) yield { kind, count, records: Buffer.from(views.u8.subarray(COMMAND, COMMAND + count * size)) };
    cursor = views.u32[RESULTS >>> 2] ?? 0;
  } while (cursor !== 0);
}

/** Every record of a small table. */
export function allRecords(views: MemoryViews, core: CoreExports, kind: number, vrf = 0): Buffer[] {
  const size = RECORD_KINDS[kind]?.size ?? 1;
  return [...dumpTable(views, core, kind, vrf)].flatMap(({ count, records }) => Array.from({ length: count }, (_, i) => records.subarray(i * size, (i + 1) * size)));
}

/** ApplyRequests, encoded. The control side must change nothing meanwhile. */
export async function* snapshot(views: MemoryViews, core: CoreExports, names: Names, stateId: string, version: number): AsyncGenerator<Buffer> {
  const encode = definitionOf(Dataplane)['apply']!.requestSerialize as (request: Draft<ApplyRequest>) => Buffer;
  yield encode({ stateId });
  const vrfs = allRecords(views, core, RECORD_VRF);
  yield* packed(encode, RECORD_VRF, vrfs);
  const interfaces = allRecords(views, core, RECORD_INTERFACE);
  yield* packed(encode, RECORD_INTERFACE, interfaces.filter((record) => record.readUInt16LE(IX_PARENT) === 0));
  yield* packed(encode, RECORD_INTERFACE, interfaces.filter((record) => record.readUInt16LE(IX_PARENT) !== 0));
  for (const kind of [RECORD_NEXTHOP, RECORD_ECMP, RECORD_LABEL, RECORD_FLOATING_IP]) yield* batches(encode, dumpTable(views, core, kind));
  for (const record of vrfs) yield* batches(encode, dumpTable(views, core, RECORD_ROUTE, record.readUInt32LE(VR_ID)));
  const all = names.all();
  for (let i = 0; i < all.length; i += NAMES_PER_MESSAGE) yield encode({ update: { names: all.slice(i, i + NAMES_PER_MESSAGE) } });
  yield encode({ update: { version } });
}

type Encode = (request: Draft<ApplyRequest>) => Buffer;

function* packed(encode: Encode, kind: number, records: readonly Buffer[]): Generator<Buffer> {
  if (records.length > 0) yield encode({ update: { batches: [{ kind, count: records.length, records: Buffer.concat(records) }] } });
}

async function* batches(encode: Encode, dumped: Iterable<PackedBatch>): AsyncGenerator<Buffer> {
  for (const batch of dumped) {
    yield encode({ update: { batches: [batch] } });
    await new Promise((resolve) => setImmediate(resolve));
  }
}
