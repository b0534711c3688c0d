/** All objects out, and in again, while changes go on. */
import * as grpc from '@grpc/grpc-js';
import type * as wire from '../../../proto/config.ts';
import { rpcError, type Draft } from '../../../proto/load.ts';
import type { Author, Committed, Engine } from '../engine.ts';
import { fromWire, idOf, KINDS, toWire, type Kind, type Stored } from '../model/kinds.ts';

/** Bytes of packed routes, or objects, in one message. */
const [PART_BYTES, PART_OBJECTS] = [4 * 1024 * 1024, 1000];

/** Taken at once, told in parts: objects are never changed in place. */
export function* backup(engine: Engine): Generator<Draft<wire.BackupReply>> {
  const { version } = engine;
  const all = (Object.keys(KINDS) as Kind[]).flatMap((kind) => [...engine.objects.all(kind)] as Stored[]);
  let [part, bytes]: [wire.Object[], number] = [[], 0];
  for (const object of all) {
    part.push(toWire(object));
    bytes += object.kind === 'route-table' ? object.spec.prefixes.length : 0;
    if (part.length < PART_OBJECTS && bytes < PART_BYTES) continue;
    yield { version, objects: part };
    [part, bytes] = [[], 0];
  }
  yield { version, objects: part };
}

/** Puts what the backup has, deletes what it has not: one transaction, which is a change like any other. */
export function restore(engine: Engine, objects: readonly wire.Object[], author: Author): Promise<Committed> {
  const kept = new Set<string>();
  const puts = objects.map((message) => {
    const object = fromWire(message);
    if (!object) throw rpcError(grpc.status.INVALID_ARGUMENT, `the backup has an object ${JSON.stringify(message.name)} of no kind that this program knows: restore it with the program that wrote it`);
    kept.add(idOf(object.kind, object.name));
    // Its UUID is its own again, unless the name has got another one meanwhile.
    const current = engine.objects.get(object.kind, object.name);
    return { put: { ...message, version: 0, uuid: current?.uuid ?? message.uuid }, operation: 'put' as const };
  });
  const all = (Object.keys(KINDS) as Kind[]).flatMap((kind) => [...engine.objects.all(kind)] as Stored[]);
  // A route target goes by itself.
  const gone = all.filter(({ kind, name }) => kind !== 'route-target' && !kept.has(idOf(kind, name)));
  const deletes = gone.map(({ kind, name }) => ({ delete: { kind, name, version: 0, uuid: '' }, operation: 'delete' as const }));
  return engine.commit([...deletes, ...puts], false, author);
}
