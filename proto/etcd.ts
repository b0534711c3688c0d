// Generated from etcd.proto by proto/generate.ts: do not edit.
import type { Bidi, Service, Unary } from './load.ts';

export interface KVMethods {
  range: Unary<RangeRequest, RangeResponse>;
  put: Unary<PutRequest, PutResponse>;
  /** All of `success` or all of `failure`, under one revision. No key may be written twice in it. */
  txn: Unary<TxnRequest, TxnResponse>;
  /** Forgets superseded states before a revision: whoever still watches or reads there is told so. */
  compact: Unary<CompactionRequest, CompactionResponse>;
}
export const KV: Service<KVMethods> = { file: 'etcd.proto', name: 'etcdserverpb.KV' };

export interface WatchMethods {
  watch: Bidi<WatchRequest, WatchResponse>;
}
export const Watch: Service<WatchMethods> = { file: 'etcd.proto', name: 'etcdserverpb.Watch' };

export interface LeaseMethods {
  /** Keys that were put under a lease go when it ends. */
  leaseGrant: Unary<LeaseGrantRequest, LeaseGrantResponse>;
}
export const Lease: Service<LeaseMethods> = { file: 'etcd.proto', name: 'etcdserverpb.Lease' };

export interface ResponseHeader {
  /** beyond 2^53: read as the nearest number */
  clusterId: number;
  memberId: number;
  revision: number;
  raftTerm: number;
}

export interface KeyValue {
  key: Buffer;
  createRevision: number;
  modRevision: number;
  /** writes of the key since it was made */
  version: number;
  value: Buffer;
  lease: number;
}

export interface Event {
  type: EventEventType;
  kv: KeyValue | null;
}

export type EventEventType = 'PUT' | 'DELETE';

/** Keys from `key` to before `range_end`; without an end, the one key. */
export interface RangeRequest {
  key: Buffer;
  rangeEnd: Buffer;
  /** 0: all */
  limit: number;
  /** as it was then; 0: now */
  revision: number;
}

export interface RangeResponse {
  header: ResponseHeader | null;
  kvs: KeyValue[];
  more: boolean;
}

export interface PutRequest {
  key: Buffer;
  value: Buffer;
  /** 0: it stays */
  lease: number;
  /** keeps the value; an error when there is none */
  ignoreValue: boolean;
}

export interface PutResponse {
  header: ResponseHeader | null;
}

export interface DeleteRangeRequest {
  key: Buffer;
  rangeEnd: Buffer;
}

export interface DeleteRangeResponse {
  header: ResponseHeader | null;
}

export interface RequestOp {
  requestRange?: RangeRequest;
  requestPut?: PutRequest;
  requestDeleteRange?: DeleteRangeRequest;
  request?: 'requestRange' | 'requestPut' | 'requestDeleteRange';
}

export interface ResponseOp {
  responseRange?: RangeResponse;
  responsePut?: PutResponse;
  responseDeleteRange?: DeleteRangeResponse;
  response?: 'responseRange' | 'responsePut' | 'responseDeleteRange';
}

export interface Compare {
  result: CompareCompareResult;
  target: CompareCompareTarget;
  key: Buffer;
  createRevision?: number;
  /** 0: there is no such key */
  modRevision?: number;
  targetUnion?: 'createRevision' | 'modRevision';
}

export type CompareCompareResult = 'EQUAL' | 'GREATER' | 'LESS' | 'NOT_EQUAL';

export type CompareCompareTarget = 'VERSION' | 'CREATE' | 'MOD' | 'VALUE' | 'LEASE';

export interface TxnRequest {
  compare: Compare[];
  success: RequestOp[];
  failure: RequestOp[];
}

export interface TxnResponse {
  header: ResponseHeader | null;
  succeeded: boolean;
  responses: ResponseOp[];
}

export interface CompactionRequest {
  revision: number;
}

export interface CompactionResponse {
  header: ResponseHeader | null;
}

export interface WatchRequest {
  createRequest?: WatchCreateRequest;
  progressRequest?: WatchProgressRequest;
  requestUnion?: 'createRequest' | 'progressRequest';
}

export interface WatchCreateRequest {
  key: Buffer;
  rangeEnd: Buffer;
  /** that one too */
  startRevision: number;
  filters: WatchCreateRequestFilterType[];
  /** a revision that is larger than a message comes in several */
  fragment: boolean;
}

export type WatchCreateRequestFilterType = 'NOPUT' | 'NODELETE';

/** Answered by a response without events, since etcd 3.4. */
export interface WatchProgressRequest {}

export interface WatchResponse {
  header: ResponseHeader | null;
  watchId: number;
  created: boolean;
  canceled: boolean;
  /** not 0: the start lay before it */
  compactRevision: number;
  cancelReason: string;
  events: Event[];
}

export interface LeaseGrantRequest {
  /** seconds */
  TTL: number;
  /** 0: etcd chooses one, mostly beyond 2^53 */
  ID: number;
}

export interface LeaseGrantResponse {
  header: ResponseHeader | null;
  ID: number;
  TTL: number;
  error: string;
}
