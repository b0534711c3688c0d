/**
 * The store that several controllers share: a log of commits in etcd, each made on condition that no other came between, and a
 * snapshot that lets the log be cut. Every controller holds the state in memory (mirror.ts) and follows the log. docs/store.md
 * says what is kept under which key, and why nothing acknowledged is lost.
 */
import { randomUUID } from 'node:crypto';
import { pause, SYSTEM_CLOCK, type Clock } from '../../clock.ts';
import type { Draft } from '../../../proto/load.ts';
import type { Compare, KeyValue, RequestOp, TxnRequest } from '../../../proto/etcd.ts';
import type { LogEntry as Entry, Snapshot as Pointer, SnapshotPart as Part } from '../../../proto/store.ts';
import { CALL_MS, EtcdClient, EtcdUnavailable, type EtcdOptions } from './etcd-client.ts';
import { decodeCommit, encodeCommit, endOf, fromObject, Head, Identity, KEYS, LogEntry, Snapshot, SnapshotPart, SnapshotPiece, toObject } from './etcd-records.ts';
import { Mirror, numberKey, objectKey, slotsKey } from './mirror.ts';
import { MirroredStore } from './mirrored.ts';
import { Overtaken, type SharedStore, type StoreCommit } from './store.ts';

/** Refuses what a later program wrote. */
const SCHEMA = 1;
/** etcd takes requests of 1.5 MiB and 128 operations (--max-request-bytes, --max-txn-ops) unless it is told otherwise. */
const PART_BYTES = 1024 * 1024;
const MAX_PARTS = 100;
/** Parts that no commit has taken up go by themselves after so long. */
const PART_LEASE_S = 120;
/** Overtaken so often in a row, a controller asks for a turn, in which others wait; it ends with its commit, or after so long. */
const PATIENCE = 3;
const TURN_S = 2;
const TURN_PAUSE_MS = 10;
/** Whoever holds the turn for longer may be dead: it is taken away. Nothing but fairness hangs on it. */
const TURN_MS = 1000;
/**
 * The newest version is asked for so often. So many questions without an answer, each at another endpoint, and contact is lost;
 * while a member still gives signs of life, its cluster may be electing a leader, and more are asked.
 */
const CONTACT_PAUSE_MS = 250;
const CONTACT_AGAIN_MS = 50;
const CONTACT_MS = 500;
const MIN_UNANSWERED = 2;
const LEADERLESS_UNANSWERED = 8;
/** A snapshot is written when the log since the last has grown beyond it, and beyond this. */
const LOG_BYTES = 8 * 1024 * 1024;
const LOG_VERSIONS = 20_000;

interface Pending { readonly commit: StoreCommit; readonly id: string; readonly revision: number; readonly bytes: number }

export class EtcdStore extends MirroredStore implements SharedStore {
  readonly #client: EtcdClient;
  #stateId = '';
  /** Of the commit that the mirror is at: the condition of the next. */
  #headRevision = 0;
  /** Commits that are made, but not yet taken. */
  #pending: Pending[] = [];
  /** Up to where the log is known. */
  #revision = 0;
  #snapshot: Pointer | undefined;
  #logBytes = 0;
  #working: Promise<void> | undefined;
  #committing = '';
  readonly #clock: Clock;
  readonly #newUuid: () => string;
  readonly #name: string;
  /** How often in a row. */
  #overtaken = 0;
  #lost: Error | undefined;
  #closed = false;
  #unanswered = 0;
  #inContact = true;

  private constructor(client: EtcdClient, { clock = SYSTEM_CLOCK, newUuid = randomUUID }: EtcdOptions) {
    super();
    this.#client = client;
    this.#clock = clock;
    this.#newUuid = newUuid;
    this.#name = newUuid();
  }

  /** @throws {EtcdUnavailable} none of the endpoints answers; Error: what is there is of another program. */
  static async open(options: EtcdOptions): Promise<EtcdStore> {
    const client = new EtcdClient(options);
    try {
      const store = new EtcdStore(client, options);
      await store.#load();
      void client.watch(KEYS.log(0), KEYS.logEnd, {
        next: () => store.#revision + 1,
        events: (events) => store.#hear(events),
        compacted: () => store.#reread(),
      });
      void store.#keepContact();
      return store;
    } catch (error) {
      client.close();
      throw error;
    }
  }

  get inContact(): boolean { return this.#inContact; }
  get stateId(): string { return this.#stateId; }

  take(): StoreCommit | undefined {
    const pending = this.#pending.shift();
    if (pending) this.#advance(pending);
    return pending?.commit;
  }

  async sync(milliseconds = CALL_MS): Promise<boolean> {
    this.#check();
    // The watch may bring newer ones while the answer is under way.
    const known = this.#known;
    const reply = await this.#client.txn({ success: [get(KEYS.head)] }, milliseconds);
    const head = reply.responses[0]?.responseRange?.kvs[0];
    const version = head ? Head.decode(head.value).version : 0;
    if (version < known) throw this.#gone(version);
    if (version > this.#known) await this.#catchUp();
    return this.#pending.length > 0;
  }

  /**
   * @throws {Overtaken} another controller's commit came first: take() it, and decide anew.
   * @throws {EtcdUnavailable} no answer in bounded time; if `uncertain`, it may still come to be made, and then appears in take().
   */
  async commit(commit: StoreCommit): Promise<void> {
    this.#check();
    if (commit.version !== this.version + 1) throw new Error(`commit of version ${commit.version} on version ${this.version}`);
    if (this.#pending.length > 0) throw this.#overtake(commit.version);
    const id = this.#committing = this.#newUuid();
    try {
      const bytes = encodeCommit(commit);
      const pending = { commit, id, revision: await this.#write(commit.version, id, bytes), bytes: bytes.length };
      if (this.#pending[0]?.id === id) this.#pending.shift();
      this.#advance(pending);
      this.#overtaken = 0;
    } finally {
      this.#committing = '';
      if (this.#pending.length > 0) this.emit('waiting');
    }
    this.#snapshotWhenDue();
  }

  /** Ends without waiting; a snapshot under way is left as it is, the next one clears it up. */
  close(): void {
    this.#closed = true;
    this.#client.close();
  }

  // ---- committing ------------------------------------------------------------------------------------------------------------

  /** Makes a commit; its revision. Each try is on the same condition, so that at most one of them is carried out. */
  async #write(version: number, id: string, bytes: Buffer): Promise<number> {
    const parts = bytes.length <= PART_BYTES ? 0 : Math.ceil(bytes.length / PART_BYTES);
    if (parts > MAX_PARTS) throw new Error(`the transaction is ${bytes.length} bytes, etcd holds ${MAX_PARTS * PART_BYTES} in one: divide it`);
    const keys = Array.from({ length: parts }, (_, part) => KEYS.commitPart(version, id, part));
    if (parts > 0) {
      const lease = await this.#client.grant(PART_LEASE_S);
      for (const [part, key] of keys.entries()) await this.#client.put(key, bytes.subarray(part * PART_BYTES, (part + 1) * PART_BYTES), lease);
    }
    const entry = LogEntry.encode({ version, id, parts, commit: parts > 0 ? Buffer.alloc(0) : bytes });
    let turn = this.#overtaken >= PATIENCE ? await this.#takeTurn() : 0;
    let waiting = { turn: 0, since: 0 };
    for (const end = this.#clock.now() + CALL_MS; ; await pause(this.#clock, TURN_PAUSE_MS)) {
      const reply = await this.#client.txn(this.#making(version, id, entry, keys, turn));
      if (reply.succeeded) return reply.header!.revision;

      const [head, made, holder] = reply.responses.map(({ responseRange }) => responseRange?.kvs[0]);
      const newest = head ? Head.decode(head.value).version : 0;
      // An earlier try was carried out, its answer was lost.
      if (made && LogEntry.decode(made.value).id === id) return made.modRevision;
      if (newest < version - 1) throw this.#gone(newest);
      if (newest >= version) {
        await this.#catchUp();
        throw this.#overtake(version);
      }
      if (head!.modRevision !== this.#headRevision) throw this.#gone(newest);
      // It is another's turn, or ours has run out.
      if (this.#clock.now() > end) throw new EtcdUnavailable(`another controller has kept its turn to write to etcd for ${CALL_MS} ms`, false);
      turn = holder?.value.toString() === this.#name ? holder.modRevision : 0;
      if (!holder || turn > 0) continue;
      if (holder.modRevision !== waiting.turn) waiting = { turn: holder.modRevision, since: this.#clock.now() };
      else if (this.#clock.now() - waiting.since > TURN_MS) turn = waiting.turn;
    }
  }

  #making(version: number, id: string, entry: Buffer, parts: readonly string[], turn: number): Draft<TxnRequest> {
    return {
      compare: [isAt(KEYS.head, this.#headRevision), isAt(KEYS.turn, turn)],
      // A part that is there stays, without its lease; one that is not makes etcd refuse the whole.
      success: [
        put(KEYS.head, Head.encode({ version, id })), put(KEYS.log(version), entry),
        ...parts.map((key) => ({ requestPut: { key: Buffer.from(key), ignoreValue: true } })),
        ...turn > 0 ? [remove(KEYS.turn, '')] : [],
      ],
      failure: [get(KEYS.head), get(KEYS.log(version)), get(KEYS.turn)],
    };
  }

  #overtake(version: number): Overtaken {
    this.#overtaken++;
    return new Overtaken(version);
  }

  /** Its revision, if it is ours; 0 if it is another's. */
  async #takeTurn(): Promise<number> {
    const lease = await this.#client.grant(TURN_S);
    const reply = await this.#client.txn({
      compare: [isAt(KEYS.turn, 0)],
      success: [{ requestPut: { key: Buffer.from(KEYS.turn), value: Buffer.from(this.#name), lease } }], failure: [get(KEYS.turn)],
    });
    if (reply.succeeded) return reply.header!.revision;
    const holder = reply.responses[0]?.responseRange?.kvs[0];
    return holder?.value.toString() === this.#name ? holder.modRevision : 0;
  }

  #advance({ commit, revision, bytes }: Pending): void {
    this.mirror.apply(commit);
    this.#headRevision = revision;
    this.#logBytes += bytes;
  }

  // ---- following -------------------------------------------------------------------------------------------------------------

  /**
   * Asks for the newest version all the time: a watch may be silent because nothing happens, and a member that lost its cluster
   * still answers what asks for no majority.
   */
  async #keepContact(): Promise<void> {
    while (!this.#closed && !this.#lost) {
      try {
        await this.sync(CONTACT_MS);
        this.#unanswered = 0;
      } catch {
        this.#unanswered++;
      }
      const allowed = this.#client.isHeard ? LEADERLESS_UNANSWERED : Math.max(MIN_UNANSWERED, this.#client.endpoints);
      const inContact = this.#unanswered < allowed;
      if (inContact !== this.#inContact && !this.#closed) {
        this.#inContact = inContact;
        this.emit('contact');
      }
      await pause(this.#clock, this.#unanswered === 0 ? CONTACT_PAUSE_MS : CONTACT_AGAIN_MS, undefined, true);
    }
  }

  get #known(): number { return this.#pending.at(-1)?.commit.version ?? this.version; }

  async #hear(events: readonly KeyValue[]): Promise<void> {
    for (const event of events) {
      await this.#receive(event);
      this.#revision = Math.max(this.#revision, event.modRevision);
    }
  }

  async #receive({ value, modRevision: revision }: KeyValue): Promise<void> {
    const entry = LogEntry.decode(value);
    if (entry.version <= this.#known) return;
    if (entry.version !== this.#known + 1) return this.#catchUp();
    const bytes = await this.#bytesOf(entry);
    // Another way may have brought it meanwhile.
    if (entry.version !== this.#known + 1) return;
    this.#pending.push({ commit: decodeCommit(entry.version, bytes), id: entry.id, revision, bytes: bytes.length });
    if (this.#committing === '') this.emit('waiting');
  }

  /** Reads what the log has beyond what is known. */
  async #catchUp(): Promise<void> {
    const first = this.#known + 1;
    for await (const { value, modRevision: revision } of this.#client.range(KEYS.log(first), KEYS.logEnd, 0)) {
      const entry = LogEntry.decode(value);
      if (entry.version > this.#known + 1) throw this.#lose(`no longer has version ${this.#known + 1}: this controller was away for too long`);
      if (entry.version <= this.#known) continue;
      const bytes = await this.#bytesOf(entry);
      if (entry.version === this.#known + 1) this.#pending.push({ commit: decodeCommit(entry.version, bytes), id: entry.id, revision, bytes: bytes.length });
    }
    if (this.#pending.length > 0 && this.#committing === '') this.emit('waiting');
  }

  /** etcd has compacted what the watch would have told: the log itself still has it, or we are lost. */
  async #reread(): Promise<void> {
    const { header } = await this.#client.txn({});
    await this.sync();
    this.#revision = header!.revision;
  }

  async #bytesOf({ version, id, commit, parts }: Entry, revision = 0): Promise<Buffer> {
    if (parts === 0) return commit;
    const found: Buffer[] = [];
    for await (const { value } of this.#client.range(KEYS.commitPart(version, id, 0), KEYS.commitPart(version, id, parts), revision)) found.push(value);
    if (found.length !== parts) throw this.#lose(`has ${found.length} of ${parts} parts of version ${version}`);
    return Buffer.concat(found);
  }

  #check(): void {
    if (this.#lost) throw this.#lost;
    if (this.#closed) throw new Error('the store is closed');
  }

  #gone(newest: number): Error {
    return this.#lose(`has gone back to version ${newest}, this controller knows ${this.#known}: it was restored from a backup`);
  }

  /** This controller can no longer follow: only a new start brings it back. */
  #lose(why: string): Error {
    if (!this.#lost) {
      this.#lost = new Error(`the store in etcd ${why}; restart this controller`);
      this.#client.close();
      this.emit('lost', this.#lost);
    }
    return this.#lost;
  }

  // ---- loading ---------------------------------------------------------------------------------------------------------------

  async #load(): Promise<void> {
    const identity = await this.#identify();
    this.#stateId = identity;
    for (let tries = 0; ; tries++) {
      try {
        return await this.#loadOnce();
      } catch (error) {
        // A snapshot came between and the old one went: what was read is no longer there.
        if (tries === 5 || !/compacted/.test(String((error as { details?: string }).details))) throw error;
        this.mirror = new Mirror();
      }
    }
  }

  /** The identity, made if there is none or if this is another cluster: then the same versions may mean something else. */
  async #identify(): Promise<string> {
    for (;;) {
      const reply = await this.#client.txn({ success: [get(KEYS.identity), get(KEYS.head)] });
      const cluster = reply.header!.clusterId;
      const [found, head] = reply.responses.map(({ responseRange }) => responseRange?.kvs[0]);
      const known = found && Identity.decode(found.value);
      if (known && known.schema !== SCHEMA) throw new Error(`the store in etcd has schema ${known.schema}, this program knows ${SCHEMA}: use the program that wrote it`);
      if (known?.cluster === cluster) return known.stateId;
      const identity = put(KEYS.identity, Identity.encode({ schema: SCHEMA, stateId: this.#newUuid(), cluster }));
      // Several controllers may start at once: one of them makes it.
      await this.#client.txn({
        compare: [isAt(KEYS.identity, found?.modRevision ?? 0)],
        success: head ? [identity] : [identity, put(KEYS.head, Head.encode({ version: 0, id: '' }))],
      });
    }
  }

  async #loadOnce(): Promise<void> {
    const first = await this.#client.txn({ success: [get(KEYS.head), get(KEYS.snapshot)] });
    const [head, snapshot] = first.responses.map(({ responseRange }) => responseRange?.kvs[0]);
    if (!head) throw new Error('the store in etcd has no head: it is damaged, restore a backup');
    const revision = first.header!.revision;
    const mirror = this.mirror;
    this.#logBytes = 0;
    let at = 0;
    if (snapshot) {
      this.#snapshot = Snapshot.decode(snapshot.value);
      await this.#loadSnapshot(this.#snapshot, revision);
      at = this.#snapshot.logFloor;
    }
    for await (const { value } of this.#client.range(KEYS.log(at + 1), KEYS.logEnd, revision)) {
      const entry = LogEntry.decode(value);
      if (entry.version !== ++at) throw new Error(`the store in etcd has no version ${at}: it is damaged, restore a backup`);
      const bytes = await this.#bytesOf(entry, revision);
      const commit = decodeCommit(at, bytes);
      if (at <= mirror.version) mirror.record(commit);
      else {
        mirror.apply(commit);
        this.#logBytes += bytes.length;
      }
    }
    if (at !== Head.decode(head.value).version) throw new Error(`the store in etcd ends at version ${at}, its head says ${Head.decode(head.value).version}: it is damaged, restore a backup`);
    this.#headRevision = head.modRevision;
    this.#revision = revision;
  }

  async #loadSnapshot({ id, pieces, version, format, logFloor }: Pointer, revision: number): Promise<void> {
    const mirror = this.mirror;
    let [count, part] = [0, [] as Buffer[]];
    for await (const { value } of this.#client.range(KEYS.snapshotPieces(id), endOf(KEYS.snapshotPieces(id)), revision)) {
      const { bytes, last } = SnapshotPiece.decode(value);
      count++;
      part.push(bytes);
      if (!last) continue;
      const { objects, numbers, slots, appliances } = SnapshotPart.decode(Buffer.concat(part));
      part = [];
      for (const row of objects.map(fromObject)) mirror.objects.set(objectKey(row), row);
      for (const row of numbers) mirror.numbers.set(numberKey(row), row);
      for (const row of slots) mirror.slots.set(slotsKey(row), row);
      // Changes before the log's beginning are not known any more.
      for (const row of appliances) mirror.appliances.set(row.appliance, { ...row, floor: Math.max(row.floor, logFloor) });
    }
    if (count !== pieces) throw new Error(`the store in etcd has ${count} of ${pieces} pieces of its snapshot: it is damaged, restore a backup`);
    mirror.version = version;
    mirror.format = format;
    mirror.historyFloor = logFloor;
  }

  // ---- snapshots -------------------------------------------------------------------------------------------------------------

  #snapshotWhenDue(): void {
    const { bytes, version } = this.#snapshot ?? { bytes: 0, version: 0 };
    const due = this.#logBytes > Math.max(LOG_BYTES, bytes) || this.version - version > LOG_VERSIONS;
    if (!due || this.#working) return;
    // A failed one costs nothing but another try with the next commit.
    this.#working = this.snapshot().catch(() => undefined).finally(() => { this.#working = undefined; });
  }

  /**
   * Writes the state, and cuts the log where nobody asks for it any more. Commits go on meanwhile: the parts may be of later
   * versions than the pointer says, see proto/store.proto.
   */
  async snapshot(): Promise<void> {
    const found = await this.#client.txn({ success: [get(KEYS.snapshot)] });
    const before = found.responses[0]!.responseRange!.kvs[0];
    const pointer = before && Snapshot.decode(before.value);
    const { version, format } = this.mirror;
    const logBytes = this.#logBytes;
    if (pointer && pointer.version > (this.#snapshot?.version ?? 0)) {
      // Another controller has written one meanwhile.
      this.#snapshot = pointer;
      this.#logBytes = 0;
      return;
    }
    const logFloor = Math.max(this.mirror.historyFloor, pointer?.logFloor ?? 0);
    const id = this.#newUuid();
    let [pieces, bytes] = [0, 0];
    for (const part of partsOf(this.mirror)) {
      const value = SnapshotPart.encode(part);
      for (let at = 0; at < value.length; at += PART_BYTES) {
        const piece = { bytes: value.subarray(at, at + PART_BYTES), last: at + PART_BYTES >= value.length };
        await this.#client.put(KEYS.snapshotPiece(id, pieces++), SnapshotPiece.encode(piece));
      }
      bytes += value.length;
    }
    const next: Pointer = { version, id, pieces, bytes, format, logFloor };
    const reply = await this.#client.txn({
      compare: [isAt(KEYS.snapshot, before?.modRevision ?? 0)],
      success: [
        put(KEYS.snapshot, Snapshot.encode(next)),
        // Every other snapshot's pieces, those of attempts that failed too.
        remove(KEYS.anySnapshotPiece, KEYS.snapshotPieces(id)), remove(endOf(KEYS.snapshotPieces(id)), endOf(KEYS.anySnapshotPiece)),
        remove(KEYS.log(0), KEYS.log(logFloor + 1)), remove(KEYS.commitParts(0), KEYS.commitParts(logFloor + 1)),
      ],
    });
    if (!reply.succeeded) return;
    this.#snapshot = next;
    this.#logBytes -= logBytes;
    // What another controller may still be reading stays for one snapshot more.
    if (before) await this.#client.compact(before.modRevision);
  }
}

/** The state in parts of about PART_BYTES. Nothing is copied: entries that change between two parts appear as they are then. */
function* partsOf(mirror: Mirror): Generator<Draft<Part>> {
  const limit = PART_BYTES / 2;
  let [part, size] = [emptyPart(), 0];
  for (const row of rowsOf(mirror)) {
    const [list, value, bytes] = row;
    if (size > 0 && size + bytes > limit) {
      yield part;
      [part, size] = [emptyPart(), 0];
    }
    (part[list] as unknown[]).push(value);
    size += bytes;
  }
  if (size > 0) yield part;
}

const emptyPart = (): Part => ({ objects: [], numbers: [], slots: [], appliances: [] });

function* rowsOf({ objects, numbers, slots, appliances }: Mirror): Generator<[keyof Part, object, number]> {
  for (const row of objects.values()) yield ['objects', toObject(row), row.bytes.length + row.name.length + 100];
  for (const row of numbers.values()) yield ['numbers', row, row.scope.length + row.key.length + 30];
  for (const row of slots.values()) yield ['slots', row, row.slots.reduce((sum, slot) => sum + slot.length + 4, 60 + row.key.length)];
  for (const row of appliances.values()) yield ['appliances', row, row.appliance.length + 30];
}

const isAt = (key: string, modRevision: number): Draft<Compare> => ({ target: 'MOD', result: 'EQUAL', key: Buffer.from(key), modRevision });
const get = (key: string): Draft<RequestOp> => ({ requestRange: { key: Buffer.from(key) } });
const put = (key: string, value: Uint8Array): Draft<RequestOp> => ({ requestPut: { key: Buffer.from(key), value } });
const remove = (from: string, to: string): Draft<RequestOp> => ({ requestDeleteRange: { key: Buffer.from(from), rangeEnd: Buffer.from(to) } });
