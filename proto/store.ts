// Generated from store.proto by proto/generate.ts: do not edit.

export interface Identity {
  schema: number;
  stateId: string;
  /** etcd cluster that it was made in: another one is a restored backup */
  cluster: number;
}

/** The newest commit. Every commit is made on condition that it has not changed. */
export interface Head {
  version: number;
  id: string;
}

export interface LogEntry {
  version: number;
  /** of the attempt: whoever lost its answer finds out here whether it was made */
  id: string;
  /** a Commit, unless it is in parts */
  commit: Buffer;
  parts: number;
}

export interface Commit {
  puts: Object[];
  /** as they were last */
  deletes: Object[];
  numbers: Number[];
  slots: Slots[];
  appliances: Change[];
  format?: number;
  /** a wrouter.config.v1.AuditEntry */
  audit?: Buffer;
}

export interface Object {
  kind: string;
  name: string;
  uuid: string;
  version: number;
  /** a wrouter.config.v1.Object */
  bytes: Buffer;
}

export interface Number {
  scope: string;
  number: number;
  key: string;
  freed: number;
}

export interface Slots {
  scope: string;
  key: string;
  slots: string[];
}

export interface Change {
  appliance: string;
  /** unset: more than a set of keys holds */
  keys?: string;
}

export interface ApplianceVersion {
  appliance: string;
  version: number;
  floor: number;
}

/** The newest snapshot: the state of `version`, or partly a later one. Commits after `version`, carried out once more, lead to the
 * present in either case. */
export interface Snapshot {
  version: number;
  id: string;
  pieces: number;
  bytes: number;
  format: number;
  /** newest version that is no longer in the log */
  logFloor: number;
}

/** A key's share of a SnapshotPart: objects may be larger than what one key holds. */
export interface SnapshotPiece {
  bytes: Buffer;
  last: boolean;
}

export interface SnapshotPart {
  /** in the order of their creation */
  objects: Object[];
  numbers: Number[];
  slots: Slots[];
  appliances: ApplianceVersion[];
}
