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
  /** From now on, and again when it loses the connection, it reports by BMP (RFC 7854) to this address. */
  addBmp: Unary<AddBmpRequest, Empty>;
}
export const GobgpApi: Service<GobgpApiMethods> = { file: 'gobgp.proto', name: 'apipb.GobgpApi' };

/** Stands for google.protobuf.Empty: the same on the wire, where a message bears no name. */
export interface Empty {}

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
  isWithdraw: boolean;
  family: Family | null;
  /** NLRI and attributes as BGP writes them */
  nlriBinary: Buffer;
  pattrsBinary: Buffer[];
}

export interface AddBmpRequest {
  address: string;
  port: number;
  /** routes before or after policies */
  policy: AddBmpRequestPolicy;
  /** what it calls itself there */
  sysName: string;
}

export type AddBmpRequestPolicy = 'PRE' | 'POST';
