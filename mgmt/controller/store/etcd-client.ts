/**
 * etcd as a client sees it: several endpoints, of which one is used until it fails; calls that end in bounded time; a watch that
 * goes on at the next endpoint when its own falls silent. It knows nothing of what is kept there.
 */
import { randomUUID } from 'node:crypto';
import * as grpc from '@grpc/grpc-js';
import { createClient, type Client, type Draft } from '../../../proto/load.ts';
import { pause, SYSTEM_CLOCK, type Clock } from '../../clock.ts';
import { KV, Lease, Watch, type KVMethods, type KeyValue, type LeaseMethods, type TxnRequest, type TxnResponse, type WatchMethods, type WatchRequest, type WatchResponse } from '../../../proto/etcd.ts';

/**
 * The first try at an endpoint; each further one may take twice as long, so that a dead endpoint is left soon and one that is only
 * slow answers in the end. And all tries of a call together.
 */
const TRY_MS = 500;
export const CALL_MS = 5000;
/** Between two tries when an endpoint refuses at once. */
const PAUSE_MS = 50;
/** The watch asks for a sign of life so often; an endpoint that gives none for so long is left. */
const PROBE_MS = 500;
const SILENT_MS = 1500;
/** Signs of life count for so long. */
const HEARD_MS = 1000;
/** Ranges are read by pages of about so much, which may take longer than other calls. */
const PAGE_BYTES = 4 * 1024 * 1024;
const [FIRST_PAGE_KEYS, MAX_PAGE_KEYS] = [4, 2000];
const PAGE_MS = 4000;
const RANGE_MS = 15_000;

/**
 * etcd hangs up on who pings more often than every 5 s (--grpc-keepalive-min-time). Ranges and watches may be as large as what is
 * kept: the store bounds that. A lost endpoint is tried again soon: others wait for us, not we for it.
 */
const CHANNEL: grpc.ChannelOptions = {
  'grpc.keepalive_time_ms': 10_000, 'grpc.keepalive_timeout_ms': 3000,
  'grpc.max_receive_message_length': -1, 'grpc.max_send_message_length': -1,
  'grpc.initial_reconnect_backoff_ms': 100, 'grpc.min_reconnect_backoff_ms': 100, 'grpc.max_reconnect_backoff_ms': 1000,
};

/** Statuses that another endpoint, or a later try, would give as well. */
const FINAL = new Set<grpc.status>([grpc.status.INVALID_ARGUMENT, grpc.status.OUT_OF_RANGE, grpc.status.PERMISSION_DENIED, grpc.status.UNAUTHENTICATED, grpc.status.UNIMPLEMENTED, grpc.status.RESOURCE_EXHAUSTED, grpc.status.FAILED_PRECONDITION, grpc.status.NOT_FOUND]);

/** etcd gave no answer, or not in time. `uncertain`: a try may have been carried out, or may still be. */
export class EtcdUnavailable extends Error {
  readonly code = grpc.status.UNAVAILABLE;
  readonly uncertain: boolean;
  constructor(message: string, uncertain: boolean) {
    super(message);
    this.uncertain = uncertain;
  }
}

export interface EtcdOptions {
  /** "host:port", at least one. */
  readonly endpoints: readonly string[];
  /** Made anew for each connection, so that a renewed certificate is taken up. */
  readonly credentials: () => grpc.ChannelCredentials;
  /** What a simulation replaces: time, names that nobody else has, and the way to an endpoint. */
  readonly clock?: Clock;
  readonly newUuid?: () => string;
  readonly connect?: (address: string) => Endpoint;
}

/** The services of one member, as far as they are used. */
export interface Endpoint {
  readonly address: string;
  readonly kv: Pick<Client<KVMethods>, 'txn' | 'put' | 'range' | 'compact' | 'close'>;
  readonly watch: { watch(): WatchStream; close(): void };
  readonly lease: Pick<Client<LeaseMethods>, 'leaseGrant' | 'close'>;
}

/** What a watch needs of a gRPC call. */
export interface WatchStream {
  on(event: 'data', listener: (reply: WatchResponse) => void): unknown;
  on(event: 'error', listener: (error: Error) => void): unknown;
  on(event: 'end', listener: () => void): unknown;
  write(request: Draft<WatchRequest>): unknown;
  cancel(): void;
}

/** Where a watch stands, and whom it tells. */
export interface Watcher {
  /** First revision that has not been told. */
  next(): number;
  /** One after the other: the next events wait for the promise. */
  events(events: readonly KeyValue[]): Promise<void>;
  /** etcd has forgotten what comes next: read all again. */
  compacted(): Promise<void>;
}

export class EtcdClient {
  readonly #endpoints: readonly Endpoint[];
  readonly #clock: Clock;
  readonly #newUuid: () => string;
  #current = 0;
  #closed = false;
  /** When a watch last heard anything. */
  #heard: number;
  #wake = (): void => {};

  constructor({ endpoints, credentials, clock = SYSTEM_CLOCK, newUuid = randomUUID, connect = (address) => overGrpc(address, credentials()) }: EtcdOptions) {
    if (endpoints.length === 0) throw new Error('etcd needs an endpoint: etcd://HOST:PORT[,HOST:PORT…]');
    this.#clock = clock;
    this.#newUuid = newUuid;
    this.#heard = clock.now();
    this.#endpoints = endpoints.map(connect);
  }

  get endpoints(): number { return this.#endpoints.length; }
  /** Whether some member gives signs of life, if only to a watch. */
  get isHeard(): boolean { return this.#clock.now() - this.#heard < HEARD_MS; }

  get #addresses(): string { return this.#endpoints.map(({ address }) => address).join(', '); }

  /**
   * A transaction that may be tried several times. What it is conditioned on must tell a second carrying out from a first.
   *
   * @throws {EtcdUnavailable} no answer within `milliseconds`.
   */
  txn(request: Draft<TxnRequest>, milliseconds = CALL_MS): Promise<TxnResponse> {
    return this.#call('transaction', milliseconds, ({ kv }, options) => kv.txn(request, options));
  }

  async put(key: string, value: Uint8Array, lease = 0): Promise<void> {
    await this.#call('put', CALL_MS, ({ kv }, options) => kv.put({ key: Buffer.from(key), value, lease }, options));
  }

  async compact(revision: number): Promise<void> {
    await this.#call('compaction', CALL_MS, ({ kv }, options) => kv.compact({ revision }, options));
  }

  /** A lease of so many seconds; its number. */
  async grant(seconds: number): Promise<number> {
    // Each try its own: the one before may have been granted. Of 48 bits, since etcd's own are no safe integers.
    const id = Number.parseInt(this.#newUuid().replaceAll('-', '').slice(0, 12), 16) || 1;
    const { ID } = await this.#call('lease', CALL_MS, ({ lease }, options) => lease.leaseGrant({ TTL: seconds, ID: id }, options));
    return ID;
  }

  /** Keys from `from` to before `to` as they were at `revision` (0: as each page finds them), in order. */
  async *range(from: string, to: string, revision: number): AsyncGenerator<KeyValue> {
    let [key, limit] = [Buffer.from(from), FIRST_PAGE_KEYS];
    for (;;) {
      const request = { key, rangeEnd: Buffer.from(to), limit, revision };
      const { kvs, more } = await this.#call('range', RANGE_MS, ({ kv }, options) => kv.range(request, options), PAGE_MS);
      yield* kvs;
      const bytes = kvs.reduce((sum, each) => sum + each.value.length, 1);
      limit = Math.max(1, Math.min(MAX_PAGE_KEYS, limit * 4, Math.floor(PAGE_BYTES * kvs.length / bytes)));
      const last = kvs.at(-1);
      if (!more || !last) return;
      key = Buffer.concat([last.key, Buffer.of(0)]);
    }
  }

  close(): void {
    this.#closed = true;
    this.#wake();
    for (const { kv, watch, lease } of this.#endpoints) for (const client of [kv, watch, lease]) client.close();
  }

  async #call<T>(what: string, milliseconds: number, call: (endpoint: Endpoint, options: grpc.CallOptions) => Promise<T>, firstMs = TRY_MS): Promise<T> {
    const end = this.#clock.now() + milliseconds;
    let uncertain = false;
    for (let [last, tryMs] = ['it was closed', firstMs]; ; tryMs *= 2) {
      if (this.#closed || this.#clock.now() >= end) throw new EtcdUnavailable(`etcd (${this.#addresses}) did not answer a ${what} in ${milliseconds} ms: ${last}`, uncertain);
      const at = this.#current;
      const endpoint = this.#endpoints[at]!;
      try {
        return await call(endpoint, { deadline: Math.min(end, this.#clock.now() + tryMs) });
      } catch (error) {
        const { code, details } = error as grpc.ServiceError;
        if (code === undefined) throw error;
        if (FINAL.has(code)) throw uncertain ? new EtcdUnavailable(`etcd (${endpoint.address}) refused a ${what}: ${details}; an earlier try may have been carried out`, true) : error;
        // A connection that could not be made has carried nothing; all else may have.
        if (!/No connection established|ECONNREFUSED/.test(details)) uncertain = true;
        last = `${endpoint.address}: ${details}`;
        this.#leave(at);
        await pause(this.#clock, Math.min(PAUSE_MS, Math.max(0, end - this.#clock.now())));
      }
    }
  }

  /** The next endpoint, unless somebody has gone on already. */
  #leave(from: number): void {
    if (this.#current === from) this.#current = (from + 1) % this.#endpoints.length;
  }

  /** Watches puts from `from` to before `to` until the client is closed, over as many connections as it takes. */
  async watch(from: string, to: string, watcher: Watcher): Promise<void> {
    for (let at = this.#current; !this.#closed; at = (at + 1) % this.#endpoints.length) {
      await this.#watchAt(this.#endpoints[at]!, from, to, watcher);
      if (this.#closed) return;
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#wake = resolve;
      const takeBack = this.#clock.after(PAUSE_MS, resolve);
      await promise;
      takeBack();
    }
  }

  /** One connection; resolves when it has ended, with all of its events told. */
  #watchAt({ watch }: Endpoint, from: string, to: string, watcher: Watcher): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const stream = watch.watch();
    let [ended, heard] = [false, this.#clock.now()];
    let told = Promise.resolve();
    const end = (): void => {
      if (ended) return;
      ended = true;
      noProbe();
      stream.cancel();
      told.then(resolve, resolve);
    };
    const probe = (): void => {
      if (this.#closed || this.#clock.now() - heard > SILENT_MS) return end();
      stream.write({ progressRequest: {} });
      noProbe = this.#clock.after(PROBE_MS, probe);
    };
    let noProbe = this.#clock.after(PROBE_MS, probe);
    this.#wake = end;
    stream.on('data', ({ canceled, compactRevision, events }: WatchResponse) => {
      heard = this.#heard = this.#clock.now();
      if (ended) return;
      const work = compactRevision > 0 ? () => watcher.compacted() : () => watcher.events(events.flatMap(({ kv }) => kv ?? []));
      if (events.length > 0 || compactRevision > 0) told = told.then(work).catch(end);
      if (canceled) end();
    });
    stream.on('error', end);
    stream.on('end', end);
    stream.write({ createRequest: { key: Buffer.from(from), rangeEnd: Buffer.from(to), startRevision: watcher.next(), filters: ['NODELETE'], fragment: true } });
    return promise;
  }
}

function overGrpc(address: string, credentials: grpc.ChannelCredentials): Endpoint {
  const watch = createClient(Watch, address, credentials, CHANNEL);
  return { address, kv: createClient(KV, address, credentials, CHANNEL), watch: { watch: () => watch.watch({}), close: () => watch.close() }, lease: createClient(Lease, address, credentials, CHANNEL) };
}
