/** The audit log: who changed what and when, each object before and after. Entries are made with the commit that they tell of. */
import * as grpc from '@grpc/grpc-js';
import type * as wire from '../../../proto/config.ts';
import { codecOf, rpcError, type Draft } from '../../../proto/load.ts';
import type { Author, Engine } from '../engine.ts';
import { fromWire, type Stored } from '../model/kinds.ts';
import type { Objects } from '../model/objects.ts';
import type { Change } from '../model/transaction.ts';
import type { Caller } from './access.ts';
import { committing } from './committing.ts';
import { shown } from './shown.ts';

const Entry = codecOf<wire.AuditEntry>('config.proto', 'wrouter.config.v1.AuditEntry');
/** Contents of an object beyond this are left out. */
const MAX_PACKED = 16 * 1024;
const PAGE = 200;

/** A caller as the author of its changes. */
export function authorOf(caller: Caller): Author {
  return {
    judge: (changes, objects) => caller.judge(changes, objects),
    audit(version, changes) {
      let cut = false;
      const side = (object: Stored | undefined): wire.Object | null => {
        if (!object) return null;
        if (object.kind !== 'route-table' || object.spec.prefixes.length <= MAX_PACKED) return shown(object);
        cut = true;
        return shown({ ...object, spec: { ...object.spec, prefixes: Buffer.alloc(0), nextHopIndex: Buffer.alloc(0) } });
      };
      return Entry.encode({ version, time: Date.now(), who: caller.name, role: caller.role, changes: changes.map(({ before, after }) => ({ before: side(before), after: side(after) })), cut });
    },
  };
}

/** Entries from a version on, oldest first, as far as the caller may see their objects. */
export async function* auditEntries(engine: Engine, request: wire.AuditRequest, caller: Caller, call: grpc.ServerWritableStream<wire.AuditRequest, Draft<wire.AuditEntry>>): AsyncGenerator<Draft<wire.AuditEntry>> {
  const { store, objects } = engine;
  let at = request.latest ? Math.max(request.version, store.auditFloor) : request.version;
  const commits = committing(engine, call);
  try {
    while (!call.cancelled) {
      const changed = commits.next();
      const rows = store.audit(at, PAGE);
      if (!rows) throw rpcError(grpc.status.OUT_OF_RANGE, `version ${at} is not in the audit log any more (it begins after ${store.auditFloor}), or not yet (now ${engine.version})`);
      for (const row of rows) {
        at = row.version;
        const entry = Entry.decode(Buffer.from(row.bytes));
        const changes = entry.changes.filter((change) => isAsked(change, request, caller, objects));
        if (changes.length > 0) yield { ...entry, changes };
      }
      if (rows.length > 0) continue;
      if (!request.follow) return;
      await changed;
    }
  } finally {
    commits.end();
  }
}

function isAsked({ before, after }: wire.ObjectChange, { kind, name }: wire.AuditRequest, caller: Caller, objects: Objects): boolean {
  const sides = [before, after].flatMap((side) => (side ? [storedOf(side)] : []));
  return sides.some((object) => (kind === '' || object.kind === kind) && (name === '' || object.name === name)) && sides.every((object) => caller.maySee(object, objects));
}

const storedOf = (message: wire.Object): Stored => fromWire(message)!;
