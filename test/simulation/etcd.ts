/**
 * etcd as its clients see it: one history of revisions behind several members, which may stall, be cut off from the others, or die. A
 * request that reaches a member is carried out once and whole, or never; maybe long after its client has given up. What was
 * answered is kept. Watches tell every revision in order, some time after it was made.
 */
import * as grpc from '@grpc/grpc-js';
import {
  KV, Lease, Watch, type CompactionRequest, type CompactionResponse, type KeyValue, type LeaseGrantRequest, type LeaseGrantResponse, type PutRequest, type PutResponse, type RangeRequest, type RangeResponse, type RequestOp,
  type ResponseOp, type TxnRequest, type TxnResponse, type WatchRequest, type WatchResponse,
} from '../../proto/etcd.ts';
import { definitionOf, type Draft } from '../../proto/load.ts';
import type { Endpoint, WatchStream } from '../../mgmt/controller/store/etcd-client.ts';
import { unavailable, type End, type Network } from './network.ts';
import { Process, type World } from './world.ts';

/** A member without its cluster answers so much later. */
const TIMEOUT_MS = 5000;

interface Version { readonly mod: number; readonly create: number; readonly writes: number; readonly value: Buffer | undefined; readonly lease: number }
interface Write { readonly key: string; readonly value: Buffer | undefined; readonly lease: number }
interface Watcher { readonly end: End; readonly member: Member; readonly from: string; readonly to: string; next: number; planned: boolean }

class Member {
  readonly name: string;
  process: Process;
  /** Does nothing before. */
  stalledUntil = 0;
  /** Knows nothing of the others before. */
  aloneUntil = 0;

  constructor(world: World, name: string) {
    this.name = name;
    this.process = new Process(world, name);
  }
}

const refused = (code: grpc.status, details: string): Error => Object.assign(new Error(details), { code, details });
const kvCodec = definitionOf(KV);
const leaseCodec = definitionOf(Lease);
const watchCodec = definitionOf(Watch)['watch']!;

export class SimulatedEtcd {
  readonly #world: World;
  readonly #network: Network;
  readonly members: readonly Member[];
  /** Versions of each key, oldest first. */
  readonly #keys = new Map<string, Version[]>();
  readonly #events: { revision: number; kv: KeyValue }[] = [];
  readonly #watchers = new Set<Watcher>();
  #revision = 1;
  #compacted = 0;
  /** No leader, so nothing is carried out before. */
  leaderlessUntil = 0;
  /** An error on purpose: conditions of transactions are not looked at. */
  ignoresConditions = false;
  /** Told each key that was put, once it is durable. */
  onPut: (key: string, value: Buffer) => void = () => {};

  constructor(world: World, network: Network, members: readonly string[]) {
    this.#world = world;
    this.#network = network;
    this.members = members.map((name) => new Member(world, name));
  }

  /** A process's way to a member. */
  connect(from: Process, name: string): Endpoint {
    const member = this.members.find((each) => each.name === name)!;
    const call = <Request, Reply>({ requestSerialize, requestDeserialize, responseSerialize, responseDeserialize }: grpc.MethodDefinition<unknown, unknown>, work: (request: Request) => Draft<Reply>) =>
      async (request: unknown = {}, options: grpc.CallOptions = {}): Promise<Reply> => {
        const bytes = requestSerialize(request);
        const { process } = member;
        const reply = await this.#network.call(from, process, name, async () => {
          await this.#agreed(member, process);
          return responseSerialize(work(requestDeserialize(bytes) as Request));
        }, Number(options.deadline ?? Infinity));
        return responseDeserialize(reply) as Reply;
      };
    const close = (): void => {};
    return {
      address: name,
      kv: {
        txn: call<TxnRequest, TxnResponse>(kvCodec['txn']!, (request) => this.#txn(request)),
        put: call<PutRequest, PutResponse>(kvCodec['put']!, (request) => {
          this.#put([{ key: request.key.toString(), value: request.value, lease: request.lease }]);
          return { header: this.#header() };
        }),
        range: call<RangeRequest, RangeResponse>(kvCodec['range']!, (request) => this.#range(request)),
        compact: call<CompactionRequest, CompactionResponse>(kvCodec['compact']!, ({ revision }) => {
          this.#compacted = Math.max(this.#compacted, revision);
          return { header: this.#header() };
        }),
        close,
      },
      lease: { leaseGrant: call<LeaseGrantRequest, LeaseGrantResponse>(leaseCodec['leaseGrant']!, ({ ID, TTL }) => {
        this.#world.after(TTL * 1000, () => this.#expire(ID));
        return { ID, TTL, header: this.#header() };
      }), close },
      watch: { watch: () => this.#watch(from, member), close },
    };
  }

  heal(): void {
    this.leaderlessUntil = 0;
    for (const member of this.members) {
      member.stalledUntil = member.aloneUntil = 0;
      if (member.process.dead) this.#restart(member);
      for (const watcher of this.#watchers) this.#tell(watcher);
    }
  }

  /** Something goes wrong with it. */
  fault(): void {
    const { random } = this.#world;
    const member = random.pick(this.members);
    const ms = random.pick([100, 500, 1500, 4000]) + random.below(100);
    const until = this.#world.now + ms;
    switch (random.below(4)) {
      case 0:
        this.#world.trace(`${member.name} stalls for ${ms} ms`);
        member.stalledUntil = until;
        break;
      case 1:
        this.#world.trace(`${member.name} is cut off from its cluster for ${ms} ms`);
        member.aloneUntil = until;
        break;
      case 2:
        this.#world.trace(`etcd has no leader for ${ms} ms`);
        this.leaderlessUntil = until;
        break;
      default:
        this.#world.trace(`${member.name} is killed for ${ms} ms`);
        member.process.kill();
        this.#world.after(ms, () => { if (member.process.dead) this.#restart(member); });
    }
  }

  #restart(member: Member): void {
    this.#world.trace(`${member.name} starts`);
    member.process = new Process(this.#world, member.name);
  }

  /** Resolves when what a member was asked may be carried out. @throws when it cannot be */
  async #agreed(member: Member, process: Process): Promise<void> {
    const { random } = this.#world;
    await this.#world.pause(random.below(3), process);
    for (;;) {
      const { now } = this.#world;
      const wait = Math.max(member.stalledUntil, member.aloneUntil, this.leaderlessUntil) - now;
      if (wait <= 0) return;
      await this.#world.pause(Math.min(wait, TIMEOUT_MS) + random.below(20), process);
      // What waits for a leader is dropped, or carried out late.
      if (random.chance(50)) throw unavailable(random.chance(50) ? 'etcdserver: request timed out' : 'etcdserver: leader changed');
    }
  }

  // ---- keys ------------------------------------------------------------------------------------------------------------------

  #header() { return { clusterId: 7, memberId: 1, revision: this.#revision, raftTerm: 1 }; }

  #at(key: string, revision: number): Version | undefined {
    const found = this.#keys.get(key)?.findLast(({ mod }) => mod <= revision);
    return found?.value === undefined ? undefined : found;
  }

  #kv(key: string, { mod, create, writes, value, lease }: Version): KeyValue {
    return { key: Buffer.from(key), createRevision: create, modRevision: mod, version: writes, value: value ?? Buffer.alloc(0), lease };
  }

  #matching(from: string, to: string): string[] {
    if (to === '') return this.#keys.has(from) ? [from] : [];
    return [...this.#keys.keys()].filter((key) => key >= from && key < to).sort();
  }

  #range({ key, rangeEnd, limit, revision }: RangeRequest) {
    if (revision > 0 && revision < this.#compacted) throw refused(grpc.status.OUT_OF_RANGE, 'etcdserver: mvcc: required revision has been compacted');
    const at = revision || this.#revision;
    const all = this.#matching(key.toString(), rangeEnd.toString()).flatMap((name) => {
      const version = this.#at(name, at);
      return version ? [this.#kv(name, version)] : [];
    });
    const kvs = limit > 0 ? all.slice(0, limit) : all;
    return { header: this.#header(), kvs, more: kvs.length < all.length };
  }

  #txn({ compare, success, failure }: TxnRequest): Draft<TxnResponse> {
    const holds = compare.every(({ key, modRevision }) => (this.#at(key.toString(), this.#revision)?.mod ?? 0) === (modRevision ?? 0));
    const succeeded = holds || this.ignoresConditions;
    const operations = succeeded ? success : failure;
    this.#write(operations);
    return { succeeded, responses: operations.map((operation) => this.#answer(operation)), header: this.#header() };
  }

  #write(operations: readonly RequestOp[]): void {
    const writes = operations.flatMap(({ requestPut, requestDeleteRange }): Write[] => {
      if (requestPut) {
        const key = requestPut.key.toString();
        const kept = requestPut.ignoreValue ? this.#at(key, this.#revision)?.value : requestPut.value;
        if (!kept) throw refused(grpc.status.INVALID_ARGUMENT, 'etcdserver: key not found');
        return [{ key, value: kept, lease: requestPut.lease }];
      }
      if (!requestDeleteRange) return [];
      return this.#matching(requestDeleteRange.key.toString(), requestDeleteRange.rangeEnd.toString()).filter((key) => this.#at(key, this.#revision)).map((key) => ({ key, value: undefined, lease: 0 }));
    });
    if (writes.length > 0) this.#put(writes);
  }

  #answer({ requestRange, requestPut }: RequestOp): Draft<ResponseOp> {
    if (requestRange) return { responseRange: this.#range(requestRange) };
    return requestPut ? { responsePut: {} } : { responseDeleteRange: {} };
  }

  /** One revision. No value: the key goes. */
  #put(writes: readonly Write[]): void {
    const mod = ++this.#revision;
    for (const { key, value, lease } of writes) {
      const before = this.#at(key, mod - 1);
      const version = { mod, create: before?.create ?? mod, writes: (before?.writes ?? 0) + 1, value, lease };
      const versions = this.#keys.get(key);
      if (versions) versions.push(version);
      else this.#keys.set(key, [version]);
      if (value === undefined) continue;
      this.#events.push({ revision: mod, kv: this.#kv(key, version) });
      this.onPut(key, value);
    }
    for (const watcher of this.#watchers) this.#tell(watcher);
  }

  #expire(lease: number): void {
    const gone = [...this.#keys].filter(([key]) => this.#at(key, this.#revision)?.lease === lease).map(([key]) => ({ key, value: undefined, lease: 0 }));
    if (gone.length > 0) this.#put(gone);
  }

  // ---- watches ---------------------------------------------------------------------------------------------------------------

  #watch(from: Process, member: Member): WatchStream {
    const { process } = member;
    const stream = this.#network.connect(from, process, member.name, (end) => this.#serve(end, member));
    return {
      on(event: string, listener: (...values: never[]) => void) {
        stream.on(event, event === 'data' ? (bytes: Buffer) => listener(watchCodec.responseDeserialize(bytes) as never) : listener as () => void);
      },
      write: (request) => stream.write(watchCodec.requestSerialize(request)),
      cancel: () => stream.cancel(),
    };
  }

  #serve(end: End, member: Member): void {
    const send = (reply: Draft<WatchResponse>): void => { end.write(watchCodec.responseSerialize({ header: this.#header(), ...reply })); };
    let watcher: Watcher | undefined;
    end.on('data', (bytes: Buffer) => {
      const { createRequest, progressRequest } = watchCodec.requestDeserialize(bytes) as WatchRequest;
      if (createRequest) {
        const { key, rangeEnd, startRevision } = createRequest;
        if (startRevision < this.#compacted) return send({ canceled: true, compactRevision: this.#compacted });
        watcher = { end, member, from: key.toString(), to: rangeEnd.toString(), next: startRevision, planned: false };
        this.#watchers.add(watcher);
        send({ created: true });
        this.#tell(watcher);
      }
      // A member that was cut off answers still.
      if (progressRequest && member.stalledUntil <= this.#world.now) send({});
    });
    end.on('error', () => { if (watcher) this.#watchers.delete(watcher); });
  }

  /** Tells a watcher what it does not know, some time later. */
  #tell(watcher: Watcher): void {
    if (watcher.planned || watcher.next > this.#revision) return;
    watcher.planned = true;
    const { member } = watcher;
    const { now, random } = this.#world;
    const wait = Math.max(0, Math.max(member.stalledUntil, member.aloneUntil) - now) + (random.chance(90) ? random.below(5) : random.below(200));
    this.#world.after(wait, () => {
      watcher.planned = false;
      if (Math.max(member.stalledUntil, member.aloneUntil) > this.#world.now) return this.#tell(watcher);
      const events = this.#events.filter(({ revision, kv }) => revision >= watcher.next && kv.key.toString() >= watcher.from && kv.key.toString() < watcher.to);
      watcher.next = this.#revision + 1;
      if (events.length > 0) watcher.end.write(watchCodec.responseSerialize({ header: this.#header(), events: events.map(({ kv }) => ({ type: 'PUT', kv })) }));
    }, member.process);
  }
}
