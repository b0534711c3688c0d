// Generated from sync.proto by proto/generate.ts: do not edit.
import type { Bidi, Service } from './load.ts';

export interface SyncMethods {
  stream: Bidi<ApplianceMessage, ControllerMessage>;
}
export const Sync: Service<SyncMethods> = { file: 'sync.proto', name: 'wrouter.sync.v1.Sync' };

export interface ApplianceMessage {
  /** first, once */
  hello?: Hello;
  /** one per Update, and one per EndResync */
  ack?: Ack;
  /** when it changes, at most once a second */
  status?: Status;
  message?: 'hello' | 'ack' | 'status';
}

export interface ControllerMessage {
  /** first, once */
  welcome?: Welcome;
  beginResync?: BeginResync;
  update?: Update;
  endResync?: EndResync;
  message?: 'welcome' | 'beginResync' | 'update' | 'endResync';
}

export interface Hello {
  /** the appliance's name; must be the common name of its certificate */
  name: string;
  /** gateway | compute */
  kind: string;
  profile: string;
  software: string;
  /** of the core's memory map: records are packed for it */
  layoutVersion: number;
  /** What it holds: the identity of the controller's history and the last version of it that is live.
   * A controller that still has every change since then sends just those; else it resyncs. Version 0 (nothing yet, or a resync
   * that was cut) is always answered by a resync. */
  stateId: string;
  version: number;
}

export interface Welcome {
  controller: string;
  stateId: string;
  /** false: the appliance's version was known, changes follow at once */
  resync: boolean;
}

/** Marks everything; what Updates bring until EndResync is unmarked; EndResync sweeps the rest. A session lost in between leaves
 * all that is marked forwarding, and the next BeginResync starts over. */
export interface BeginResync {
  epoch: number;
}

export interface EndResync {
  nonce: number;
  /** must be the one begun */
  epoch: number;
  /** what the appliance is at, once acknowledged */
  version: number;
  /** allows a sweep of more than the appliance's guard share (default 50 % of a table of 100 or more) */
  force: boolean;
}

/** Changes that become live in the order of the batches. Version 0 while a resync is under way. */
export interface Update {
  /** rises by one per message that wants an Ack, in a stream */
  nonce: number;
  version: number;
  batches: Batch[];
  names: Name[];
}

/** `count` packed records of one kind: wasm-core/records.ts. Neither the agent nor its disk opens them. */
export interface Batch {
  kind: number;
  count: number;
  records: Buffer;
}

/** What people call a number, and for an interface the port that it is bound to. */
export interface Name {
  of: NameOf;
  /** a floating IP's is its public address as a big-endian number */
  id: number;
  /** fully qualified; empty removes it */
  name: string;
  /** interfaces: name of the port (profile) or of the workload's device; empty for a VLAN sub-interface */
  port: string;
  pod?: Pod;
  workload?: 'pod';
}

export type NameOf = 'UNKNOWN' | 'VRF' | 'INTERFACE' | 'NEXTHOP' | 'FLOATING_IP';

/** The pod that an interface is of, as Kubernetes calls it, and what is to be at the pod's end of the wire. */
export interface Pod {
  namespace: string;
  name: string;
  uid: string;
  /** its name in the pod: eth0, net1 */
  interface: string;
  /** place among the pod's interfaces, from 1, of */
  index: number;
  /** so many */
  count: number;
  mac: string;
  /** the first one is the primary */
  addresses: PodAddress[];
  mtu: number;
  /** asked to bear the default route; when none of the pod's interfaces is, the first one does */
  defaultRoute: boolean;
}

export interface PodAddress {
  /** with the length of its subnet: 10.32.0.3/12 */
  address: string;
  /** empty: none */
  gateway: string;
}

export interface Ack {
  nonce: number;
  /** the last version that is live */
  version: number;
  refusals: Refusal[];
  /** the whole message is refused (a sweep beyond the guard, a wrong epoch), with what would be right */
  error: string;
}

export interface Refusal {
  /** index in Update.batches */
  batch: number;
  /** index in the batch */
  record: number;
  /** RESULT_* */
  code: number;
  reason: string;
}

export interface Status {
  ports: PortStatus[];
  lcores: number;
}

export interface PortStatus {
  name: string;
  up: boolean;
  /** af_xdp | af_packet | tap | socket | memory */
  driver: string;
  mac: string;
  /** why it is not up, and what to do */
  problem: string;
}
