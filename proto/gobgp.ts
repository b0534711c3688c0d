// Generated from gobgp.proto by proto/generate.ts: do not edit.
import type { ClientStream, ServerStream, Service, Unary } from './load.ts';

export interface GobgpApiMethods {
  startBgp: Unary<StartBgpRequest, Empty>;
  getBgp: Unary<GetBgpRequest, GetBgpResponse>;
  addPeer: Unary<AddPeerRequest, Empty>;
  deletePeer: Unary<DeletePeerRequest, Empty>;
  listPeer: ServerStream<ListPeerRequest, ListPeerResponse>;
  /** Changes of the RIB, answered once the client has ended the stream. What follows a wrong path is lost without a word of which
   * one it was. */
  addPathStream: ClientStream<AddPathStreamRequest, Empty>;
  watchEvent: ServerStream<WatchEventRequest, WatchEventResponse>;
}
export const GobgpApi: Service<GobgpApiMethods> = { file: 'gobgp.proto', name: 'apipb.GobgpApi' };

/** Stands for google.protobuf.Empty, and the next one for google.protobuf.Any: the same on the wire, where a message bears no
 * name. Libraries treat the real Any in ways of their own; here it stays two plain fields. */
export interface Empty {}

export interface Any {
  /** type.googleapis.com/apipb.NAME */
  typeUrl: string;
  value: Buffer;
}

export interface StartBgpRequest {
  global: Global | null;
}

export interface GetBgpRequest {}

export interface GetBgpResponse {
  global: Global | null;
}

export interface Global {
  asn: number;
  routerId: string;
  /** -1: accepts no connections */
  listenPort: number;
  listenAddresses: string[];
}

export interface Family {
  /** IANA's numbers: 1 IPv4, 2 IPv6, 25 L2VPN */
  afi: number;
  /** 70 EVPN, 128 VPN, 132 route-target membership */
  safi: number;
}

export interface AddPeerRequest {
  peer: Peer | null;
}

export interface DeletePeerRequest {
  address: string;
}

export interface ListPeerRequest {
  address: string;
}

export interface ListPeerResponse {
  peer: Peer | null;
}

export interface Peer {
  conf: PeerConf | null;
  ebgpMultihop: EbgpMultihop | null;
  routeReflector: RouteReflector | null;
  state: PeerState | null;
  timers: Timers | null;
  transport: Transport | null;
  gracefulRestart: GracefulRestart | null;
  afiSafis: AfiSafi[];
}

export interface PeerConf {
  /** TCP MD5 (RFC 2385) */
  authPassword: string;
  description: string;
  neighborAddress: string;
  peerAsn: number;
  adminDown: boolean;
}

export interface EbgpMultihop {
  enabled: boolean;
  multihopTtl: number;
}

export interface RouteReflector {
  routeReflectorClient: boolean;
  routeReflectorClusterId: string;
}

export interface PeerState {
  neighborAddress: string;
  sessionState: PeerStateSessionState;
  /** sessions that ended soon after they began */
  flops: number;
  routerId: string;
}

export type PeerStateSessionState = 'UNKNOWN' | 'IDLE' | 'CONNECT' | 'ACTIVE' | 'OPENSENT' | 'OPENCONFIRM' | 'ESTABLISHED';

export interface Timers {
  config: TimersConfig | null;
  state: TimersState | null;
}

export interface TimersConfig {
  connectRetry: number;
  holdTime: number;
  keepaliveInterval: number;
  idleHoldTimeAfterReset: number;
}

export interface TimersState {
  negotiatedHoldTime: number;
  uptime: Timestamp | null;
}

/** Stands for google.protobuf.Timestamp. */
export interface Timestamp {
  seconds: number;
}

export interface Transport {
  localAddress: string;
  passiveMode: boolean;
  remotePort: number;
}

export interface GracefulRestart {
  enabled: boolean;
  /** seconds that the peer keeps our routes without a session */
  restartTime: number;
  /** seconds that we wait for the End-of-RIB of others before we send ours */
  deferralTime: number;
  /** tells the peer that forwarding went on (bits R and F of RFC 4724) */
  localRestarting: boolean;
}

export interface AfiSafi {
  mpGracefulRestart: MpGracefulRestart | null;
  config: AfiSafiConfig | null;
  state: AfiSafiState | null;
}

export interface AfiSafiConfig {
  family: Family | null;
  enabled: boolean;
}

export interface AfiSafiState {
  family: Family | null;
  received: number;
  accepted: number;
  advertised: number;
}

export interface MpGracefulRestart {
  config: MpGracefulRestartConfig | null;
  state: MpGracefulRestartState | null;
}

export interface MpGracefulRestartConfig {
  enabled: boolean;
}

export interface MpGracefulRestartState {
  received: boolean;
  endOfRibReceived: boolean;
  endOfRibSent: boolean;
}

export interface AddPathStreamRequest {
  tableType: TableType;
  paths: Path[];
}

export type TableType = 'GLOBAL';

export interface Path {
  nlri: Any | null;
  pattrs: Any[];
  isWithdraw: boolean;
  family: Family | null;
  sourceAsn: number;
  /** router id of the peer */
  sourceId: string;
  stale: boolean;
  neighborIp: string;
  /** the NLRI as BGP writes it; goes before `nlri` */
  nlriBinary: Buffer;
  pattrsBinary: Buffer[];
}

export interface WatchEventRequest {
  peer: WatchEventRequestPeer | null;
  table: WatchEventRequestTable | null;
}

export interface WatchEventRequestPeer {}

export interface WatchEventRequestTable {
  filters: WatchEventRequestTableFilter[];
}

export interface WatchEventRequestTableFilter {
  type: WatchEventRequestTableFilterType;
  /** what is there already, first */
  init: boolean;
}

export type WatchEventRequestTableFilterType = 'BEST' | 'ADJIN' | 'POST_POLICY';

export interface WatchEventResponse {
  peer?: WatchEventResponsePeerEvent;
  table?: WatchEventResponseTableEvent;
  event?: 'peer' | 'table';
}

export interface WatchEventResponsePeerEvent {
  type: WatchEventResponsePeerEventType;
  peer: Peer | null;
}

export type WatchEventResponsePeerEventType = 'UNKNOWN' | 'INIT' | 'END_OF_INIT' | 'STATE';

/** Each a Path, as it lies on the wire: there are many, and decode.ts opens of them what we need. */
export interface WatchEventResponseTableEvent {
  paths: Buffer[];
}

export interface LabeledVPNIPAddressPrefix {
  labels: number[];
  rd: Any | null;
  prefixLen: number;
  prefix: string;
}

export interface RouteDistinguisherTwoOctetASN {
  admin: number;
  assigned: number;
}

export interface RouteDistinguisherIPAddress {
  admin: string;
  assigned: number;
}

export interface RouteDistinguisherFourOctetASN {
  admin: number;
  assigned: number;
}

export interface OriginAttribute {
  origin: number;
}

export interface AsPathAttribute {
  segments: AsSegment[];
}

export interface AsSegment {
  /** 1 set, 2 sequence */
  type: number;
  numbers: number[];
}

export interface MultiExitDiscAttribute {
  med: number;
}

export interface LocalPrefAttribute {
  localPref: number;
}

export interface MpReachNLRIAttribute {
  nextHops: string[];
}

export interface ExtendedCommunitiesAttribute {
  communities: Any[];
}

export interface TwoOctetAsSpecificExtended {
  /** 2: route target */
  subType: number;
  asn: number;
  localAdmin: number;
}

export interface IPv4AddressSpecificExtended {
  subType: number;
  address: string;
  localAdmin: number;
}

export interface FourOctetAsSpecificExtended {
  subType: number;
  asn: number;
  localAdmin: number;
}

export interface EncapExtended {
  tunnelType: number;
}
