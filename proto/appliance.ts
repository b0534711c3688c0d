// Generated from appliance.proto by proto/generate.ts: do not edit.
import type { ServerStream, Service, Unary } from './load.ts';
import type * as dataplane from './dataplane.ts';

export interface ApplianceMethods {
  getState: Unary<GetStateRequest, State>;
  refusals: Unary<RefusalsRequest, RefusalsReply>;
  ports: Unary<dataplane.PortsRequest, dataplane.PortsReply>;
  lcores: Unary<dataplane.LcoresRequest, dataplane.LcoresReply>;
  counters: Unary<dataplane.CountersRequest, dataplane.CountersReply>;
  dropLog: Unary<dataplane.DropLogRequest, dataplane.DropLogReply>;
  table: ServerStream<dataplane.TableRequest, dataplane.TableReply>;
  trace: Unary<dataplane.TraceRequest, dataplane.TraceReply>;
}
export const Appliance: Service<ApplianceMethods> = { file: 'appliance.proto', name: 'wrouter.appliance.v1.Appliance' };

export interface GetStateRequest {}

export interface State {
  name: string;
  /** absent while the data plane's process is away */
  dataplane: dataplane.State | null;
  session: Session | null;
  /** why the data plane or every controller is away */
  problem: string;
}

/** The agent's session with a controller. */
export interface Session {
  /** address; empty: none */
  controller: string;
  /** as it called itself */
  controllerName: string;
  /** RFC 3339, of the session or, without one, of headless forwarding */
  since: string;
  /** a resync is under way */
  resync: boolean;
  /** messages passed on and not yet acknowledged */
  inFlight: number;
  /** passed on in this session */
  messages: number;
  bytes: number;
  /** records that are refused now */
  refusals: number;
  controllers: string[];
}

export interface RefusalsRequest {}

export interface RefusalsReply {
  records: RefusedRecord[];
}

/** A record that the appliance could not take. It stays here until the same record is accepted, or a whole resync passed without it. */
export interface RefusedRecord {
  /** RECORD_* */
  kind: number;
  /** what it is about: "route 101.101.101.3/32 in VRF 5" */
  key: string;
  record: Buffer;
  code: number;
  reason: string;
  version: number;
  /** RFC 3339 */
  since: string;
}
