// Generated from dataplane.proto by proto/generate.ts: do not edit.
import type { Bidi, ServerStream, Service, Unary } from './load.ts';
import type * as sync from './sync.ts';

export interface DataplaneMethods {
  /** Passes the sync stream's messages on, in order. One stream at a time; a second one ends the first. */
  apply: Bidi<ApplyRequest, ApplyReply>;
  getState: Unary<GetStateRequest, State>;
  /** idempotent */
  attachPort: Unary<Port, PortState>;
  detachPort: Unary<DetachPortRequest, PortState>;
  ports: Unary<PortsRequest, PortsReply>;
  lcores: Unary<LcoresRequest, LcoresReply>;
  counters: Unary<CountersRequest, CountersReply>;
  dropLog: Unary<DropLogRequest, DropLogReply>;
  table: ServerStream<TableRequest, TableReply>;
  /** What it was told by Names of the interfaces that are pods', now. */
  pods: ServerStream<PodsRequest, PodsReply>;
  trace: Unary<TraceRequest, TraceReply>;
  generator: Unary<GeneratorRequest, GeneratorReply>;
  /** Injected by tests; refused unless the dataplane was started with --allow-faults. */
  injectFault: Unary<InjectFaultRequest, InjectFaultReply>;
}
export const Dataplane: Service<DataplaneMethods> = { file: 'dataplane.proto', name: 'wrouter.dataplane.v1.Dataplane' };

export interface ApplyRequest {
  beginResync?: sync.BeginResync;
  update?: sync.Update;
  endResync?: sync.EndResync;
  /** of the controller's history; sent first when it is another one */
  stateId?: string;
  message?: 'beginResync' | 'update' | 'endResync' | 'stateId';
}

export interface ApplyReply {
  ack: sync.Ack | null;
}

export interface GetStateRequest {}

export interface State {
  stateId: string;
  version: number;
  layoutVersion: number;
  profile: string;
  kind: string;
  /** forwards by the last good state from disk since this process started */
  restored: boolean;
  coreSha256: string;
  /** Unix time */
  startedMs: number;
  /** records per table */
  totals: Record<string, number>;
  /** its process: /proc/PID/net/dev shows the devices that it could attach */
  pid: number;
}

export interface Port {
  name: string;
  /** af_xdp | af_packet | tap | socket | memory | generator; empty: the profile's */
  driver: string;
  /** Linux device, or address of a socket port: "local-host:port,peer-host:port" */
  device: string;
  /** 0 = the profile's */
  queues: number;
}

export interface DetachPortRequest {
  name: string;
}

export interface PortState {
  port: Port | null;
  up: boolean;
  mac: string;
  mtu: number;
  /** e.g. "zero-copy", "copy", "generic copy" */
  mode: string;
  problem: string;
  /** queue ids */
  queues: number[];
  /** id that is bound to it, 0 = none yet */
  interface: number;
  /** named by the hardware profile: attached at start, never detached */
  profile: boolean;
  /** frames that came in while there was no room for them: in no counter of the data plane */
  missed: number;
  /** frames that are counted as transmitted and that the other side did not take */
  txErrors: number;
}

export interface PortsRequest {}

export interface PortsReply {
  ports: PortState[];
}

export interface LcoresRequest {}

export interface LcoresReply {
  lcores: Lcore[];
}

export interface Lcore {
  id: number;
  /** running | idle | stopped */
  state: string;
  queues: number[];
  runs: number;
  packets: number;
  /** system calls: poll */
  polls: number;
  /** system calls: sendto */
  kicks: number;
  restarts: number;
  lastRestartGapMs: number;
}

export interface CountersRequest {}

export interface CountersReply {
  interfaces: InterfaceCounters[];
  /** id, packets, bytes: only non-zero ones */
  vrfs: NamedCounter[];
  nexthops: NamedCounter[];
  /** packets; bytes = vectors */
  nodes: NamedCounter[];
  /** packets by reason */
  drops: NamedCounter[];
  received: number;
  originated: number;
  transmitted: number;
  dropped: number;
  held: number;
  /** monotonic, of this reading: rates are the reader's */
  timeUs: number;
}

export interface InterfaceCounters {
  id: number;
  name: string;
  rxPackets: number;
  rxBytes: number;
  txPackets: number;
  txBytes: number;
  drops: number;
}

export interface NamedCounter {
  id: number;
  name: string;
  packets: number;
  bytes: number;
  text: string;
}

export interface DropLogRequest {
  last: number;
}

export interface DropLogReply {
  entries: DropLogEntry[];
}

export interface DropLogEntry {
  timeUs: number;
  reason: string;
  text: string;
  node: string;
  interface: number;
  interfaceName: string;
  vrf: number;
  nexthop: number;
  lcore: number;
  /** from the IPv4 (or ARP) header on, at most 232 bytes */
  packet: Buffer;
  /** "10.32.0.3 > 8.8.8.8 TCP 41000 > 443" */
  summary: string;
}

export interface TableRequest {
  /** interface | vrf | route | nexthop | label | floating-ip | neighbour */
  table: string;
  /** routes */
  vrf: number;
  /** routes: the match of this address only */
  prefix: Buffer;
}

export interface TableReply {
  rows: TableRow[];
}

export interface TableRow {
  fields: Record<string, string>;
}

export interface PodsRequest {}

export interface PodsReply {
  names: sync.Name[];
}

export interface TraceRequest {
  /** name or id */
  interface: string;
  /** from the Ethernet header on */
  frame: Buffer;
}

export interface TraceReply {
  /** the indented tree */
  text: string;
  steps: TraceStep[];
  /** transmit | drop | hold */
  verdict: string;
  /** reason */
  drop: string;
  /** as it would leave */
  frame: Buffer;
  /** by which it would leave */
  interface: string;
}

export interface TraceStep {
  depth: number;
  node: string;
  text: string;
}

/** What a port of the driver generator (test load) did since it was attached. */
export interface GeneratorRequest {
  port: string;
}

export interface GeneratorReply {
  /** frames that the appliance received from it */
  generated: number;
  /** frames that the appliance sent to it, of which */
  taken: number;
  /** ARP requests, answered */
  arp: number;
  /** neither ARP requests nor IPv4 */
  other: number;
  /** IPv4 */
  seen: GeneratorSeen[];
}

export interface GeneratorSeen {
  /** second byte of the (inner) destination address */
  subnet: number;
  /** last four bits of the tunnel's end; 0 where there is no tunnel */
  tunnel: number;
  /** modulo 2^32 */
  packets: number;
}

export interface InjectFaultRequest {
  lcore: number;
  fault: string;
}

export interface InjectFaultReply {}
