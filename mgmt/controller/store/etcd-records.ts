/** The store's records in etcd: keys, and commits as bytes (proto/store.proto). */
import { codecOf } from '../../../proto/load.ts';
import type * as wire from '../../../proto/store.ts';
import { isKind } from '../model/kinds.ts';
import type { StoreCommit, StoredRow } from './store.ts';

const FILE = 'store.proto';
export const Identity = codecOf<wire.Identity>(FILE, 'wrouter.store.v1.Identity');
export const Head = codecOf<wire.Head>(FILE, 'wrouter.store.v1.Head');
export const LogEntry = codecOf<wire.LogEntry>(FILE, 'wrouter.store.v1.LogEntry');
export const Snapshot = codecOf<wire.Snapshot>(FILE, 'wrouter.store.v1.Snapshot');
export const SnapshotPiece = codecOf<wire.SnapshotPiece>(FILE, 'wrouter.store.v1.SnapshotPiece');
export const SnapshotPart = codecOf<wire.SnapshotPart>(FILE, 'wrouter.store.v1.SnapshotPart');
const Commit = codecOf<wire.Commit>(FILE, 'wrouter.store.v1.Commit');

/** Numbers in keys have this many digits, so that keys are in the numbers' order. */
const DIGITS = 16;
const digits = (number: number): string => String(number).padStart(DIGITS, '0');

export const KEYS = {
  identity: 'wrouter/identity',
  head: 'wrouter/head',
  turn: 'wrouter/turn',
  snapshot: 'wrouter/snapshot',
  log: (version: number): string => `wrouter/log/${digits(version)}`,
  logEnd: 'wrouter/log0',
  /** Parts of commits that are larger than a request may be. */
  commitPart: (version: number, id: string, part: number): string => `wrouter/commit-part/${digits(version)}/${id}/${digits(part)}`,
  /** All parts of versions before this one lie before it. */
  commitParts: (version: number): string => `wrouter/commit-part/${digits(version)}`,
  snapshotPiece: (id: string, piece: number): string => `wrouter/snapshot-piece/${id}/${digits(piece)}`,
  /** All pieces of a snapshot, or of all of them, lie from here to before the same with a 0 for the last slash. */
  snapshotPieces: (id: string): string => `wrouter/snapshot-piece/${id}/`,
  anySnapshotPiece: 'wrouter/snapshot-piece/',
} as const;

/** First key after all that begin with `folder`, which ends in a slash. */
export const endOf = (folder: string): string => `${folder.slice(0, -1)}0`;

export function encodeCommit({ puts, deletes, numbers, slots, appliances, format, audit }: StoreCommit): Buffer {
  return Commit.encode({
    puts: puts.map(toObject), deletes: deletes.map(toObject), numbers, slots,
    appliances: appliances.map(({ appliance, keys }) => (keys === null ? { appliance } : { appliance, keys })),
    ...(format === undefined ? {} : { format }), ...(audit === undefined ? {} : { audit }),
  });
}

export function decodeCommit(version: number, bytes: Buffer): StoreCommit {
  const { puts, deletes, numbers, slots, appliances, format, audit } = Commit.decode(bytes);
  return {
    version, puts: puts.map(fromObject), deletes: deletes.map(fromObject), numbers, slots,
    appliances: appliances.map(({ appliance, keys }) => ({ appliance, keys: keys ?? null })),
    ...(format === undefined ? {} : { format }), ...(audit === undefined ? {} : { audit }),
  };
}

export const toObject = ({ kind, name, uuid, version, bytes }: StoredRow): StoredRow => ({ kind, name, uuid, version, bytes });
export function fromObject({ kind, name, uuid, version, bytes }: wire.Object): StoredRow {
  if (!isKind(kind)) throw new Error(`the store has an object of kind ${JSON.stringify(kind)}, which this program does not know: use the program that wrote it`);
  return { kind, name, uuid, version, bytes };
}
