// Generated from config.proto by proto/generate.ts: do not edit.
import type { ClientStream, ServerStream, Service, Unary } from './load.ts';
import type * as sync from './sync.ts';

export interface ConfigMethods {
  /** All operations or none. A refusal is a gRPC status with google.rpc details (proto/google/rpc): INVALID_ARGUMENT with a
   * BadRequest (field path, rule, what would be right), FAILED_PRECONDITION with a PreconditionFailure (who uses the object),
   * ABORTED when an object's version is not the expected one. */
  commit: Unary<CommitRequest, CommitReply>;
  get: Unary<Reference, Object>;
  list: Unary<ListRequest, ListReply>;
  delete: Unary<DeleteRequest, CommitReply>;
  /** Everything that happened after `version`, then everything as it happens. OUT_OF_RANGE: too old, list anew. */
  watch: ServerStream<WatchRequest, Event>;
  /** Who changed what, after a version. OUT_OF_RANGE: that is not known any more. */
  audit: ServerStream<AuditRequest, AuditEntry>;
  createToken: Unary<CreateTokenRequest, CreateTokenReply>;
  /** All objects as they are at one version, secrets included; while changes go on. */
  backup: ServerStream<BackupRequest, BackupReply>;
  /** Makes the objects those of a backup, in one transaction: appliances follow it as any other change. */
  restore: ClientStream<BackupReply, CommitReply>;
  /** What the compile step made of the objects, for one appliance. */
  routes: ServerStream<RoutesRequest, RoutesReply>;
  appliances: Unary<AppliancesRequest, AppliancesReply>;
  /** An appliance's whole state as it is now, as an appliance without any would get it: Updates of the sync stream in their order. The last
   * one has the version that it is the state of, the others 0. RESOURCE_EXHAUSTED: too many ask at once; ABORTED: it became another
   * while it was told, ask again. */
  state: ServerStream<StateRequest, sync.Update>;
  /** Answers when every packet is forwarded by a version: it is live in every lcore of every appliance in session that it touches, or
   * of the one named. Give the call a deadline; it ends nothing but the waiting. */
  awaitLive: Unary<AwaitLiveRequest, AwaitLiveReply>;
  /** Sends an appliance its whole state again. With force, more may be swept than its guard allows. */
  resync: Unary<ResyncRequest, ResyncReply>;
}
export const Config: Service<ConfigMethods> = { file: 'config.proto', name: 'wrouter.config.v1.Config' };

/** A field that names another object takes its fully qualified name or its UUID; what is read says the name. */
export interface Object {
  /** fully qualified: default-domain:k8s-ns-user-1:k8s-vn-ns-default-pod-network */
  name: string;
  /** given by the controller, stays the same for the object's life */
  uuid: string;
  /** of the transaction that wrote it last */
  version: number;
  /** what a program that makes objects says of them: whose they are, what they stand for. A put without any keeps them */
  annotations: Record<string, string>;
  project?: Project;
  virtualNetwork?: VirtualNetwork;
  floatingIpPool?: FloatingIpPool;
  floatingIp?: FloatingIp;
  virtualMachineInterface?: VirtualMachineInterface;
  instanceIp?: InstanceIp;
  virtualRouter?: VirtualRouter;
  routeTable?: RouteTable;
  networkPolicy?: NetworkPolicy;
  domain?: Domain;
  networkIpam?: NetworkIpam;
  virtualMachine?: VirtualMachine;
  bgpRouter?: BgpRouter;
  routeTarget?: RouteTarget;
  accessToken?: AccessToken;
  globalSystemConfig?: GlobalSystemConfig;
  globalVrouterConfig?: GlobalVrouterConfig;
  spec?: 'project' | 'virtualNetwork' | 'floatingIpPool' | 'floatingIp' | 'virtualMachineInterface' | 'instanceIp' | 'virtualRouter' | 'routeTable' | 'networkPolicy' | 'domain' | 'networkIpam' | 'virtualMachine' | 'bgpRouter' | 'routeTarget' | 'accessToken' | 'globalSystemConfig' | 'globalVrouterConfig';
}

/** domain. default-domain makes itself with the first object that belongs to it. */
export interface Domain {}

/** domain:project */
export interface Project {}

/** domain:project:ipam. Subnets that several networks take addresses from, each address for one of them. */
export interface NetworkIpam {
  subnets: Subnet[];
}

/** domain:project:network */
export interface VirtualNetwork {
  /** its own, in user-defined allocation */
  subnets: Subnet[];
  /** imported and exported: target:64512:100 */
  routeTargets: string[];
  importRouteTargets: string[];
  exportRouteTargets: string[];
  /** reachable from outside: makes the floating-ip-pool `public`, and its own addresses may leave untranslated */
  external: boolean;
  /** TCP MSS is lowered to it; 0 = not */
  mssClamp: number;
  vrfKind: VrfKind;
  /** of its interfaces; 0 = 1500 */
  mtu: number;
  /** its route-tables go out by BGP */
  advertiseStaticRoutes: boolean;
  addressAllocationMode: VirtualNetworkAddressAllocationMode;
  /** in flat allocation: whose subnets are its subnets */
  networkIpams: string[];
  forwardingMode: VirtualNetworkForwardingMode;
  /** interfaces of every project may be in it; or */
  shared: boolean;
  /** of these, beside its own */
  projects: string[];
  /** routes are exchanged with the networks that both policies allow */
  networkPolicies: string[];
  /** few; many come in a route-table */
  staticRoutes: NetworkRoute[];
}

export type VirtualNetworkAddressAllocationMode = 'USER_DEFINED_SUBNET_ONLY' | 'FLAT_SUBNET_ONLY';

export type VirtualNetworkForwardingMode = 'L3' | 'L2_L3' | 'L2';

/** A static route of a network's VRF, exported with the network's targets. Towards one of: */
export interface NetworkRoute {
  /** 192.0.2.0/24 */
  prefix: string;
  /** a workload; or */
  virtualMachineInterface: string;
  discard: boolean;
}

export interface Subnet {
  /** 101.101.101.0/24 */
  prefix: string;
  /** empty: the last host address (broadcast-1), or the first one with addr_from_start */
  gateway: string;
  addrFromStart: boolean;
}

/** How an appliance looks up routes of the VRF: by default a table of ranges for few routes, Poptrie for more, DIR-24-8 for few big ones. */
export type VrfKind = 'VRF_KIND_AUTO' | 'VRF_KIND_DIR24' | 'VRF_KIND_POPTRIE';

/** domain:project:network:pool */
export interface FloatingIpPool {
  /** prefixes within the network's subnets to allocate from; empty: all of them */
  subnets: string[];
  /** shared to these projects beside its own */
  projects: string[];
}

/** domain:project:network:pool:floating-ip. The pool says whose interfaces it may be given to. */
export interface FloatingIp {
  /** empty: allocated from the pool, and returned */
  address: string;
  direction: Direction;
  /** several: equal-cost paths */
  virtualMachineInterfaces: string[];
  /** instance-ip that it translates to, when an interface has several; empty: its first */
  fixedAddress: string;
  /** returned: whose address it is, of a network with flat allocation */
  networkIpam: string;
  /** only the ports of port_mappings come in: a service. Needs DIRECTION_INGRESS */
  portMappingsEnable: boolean;
  portMappings: PortMapping[];
  /** of several interfaces, the one that a client's packets go to */
  sessionAffinity: FloatingIpSessionAffinity;
}

/** CLIENT_IP: all of a client's connections go to one interface, as long as the interfaces stay the same. */
export type FloatingIpSessionAffinity = 'SESSION_AFFINITY_NONE' | 'CLIENT_IP';

/** A port of a floating IP, and where on the interface its packets go. */
export interface PortMapping {
  protocol: PortMappingProtocol;
  /** of the floating IP: what clients speak to */
  srcPort: number;
  /** of the interface: where the workload listens */
  dstPort: number;
}

export type PortMappingProtocol = 'PROTOCOL_UNKNOWN' | 'TCP' | 'UDP' | 'SCTP';

export type Direction = 'DIRECTION_BOTH' | 'DIRECTION_INGRESS' | 'DIRECTION_EGRESS';

/** domain:project:interface */
export interface VirtualMachineInterface {
  /** empty: made from the UUID */
  mac: string;
  virtualNetwork: string;
  /** appliance that hosts the workload; empty: not placed yet */
  virtualRouter: string;
  /** the workload's device on it */
  port: string;
  /** whose interface it is; empty: nobody's */
  virtualMachine: string;
  /** among the interfaces of its virtual machine, from 1; 0: after the last one, and returned */
  order: number;
}

/** Any name: k8s__ns-user-1__pod-1 */
export interface VirtualMachine {
  project: string;
}

/** any name */
export interface InstanceIp {
  /** empty: allocated from the network, and returned */
  address: string;
  virtualNetwork: string;
  /** several: equal-cost paths */
  virtualMachineInterfaces: string[];
  /** returned: whose address it is, of a network with flat allocation */
  networkIpam: string;
}

/** default-global-system-config:appliance. The last part is what the appliance calls itself, and its certificate. */
export interface VirtualRouter {
  kind: VirtualRouterKind;
  /** hw-profiles/<profile>.json */
  profile: string;
  fabric: Fabric | null;
  /** empty: the fabric address, which it must equal today */
  tunnelAddress: string;
  /** gateways */
  routingInstances: RoutingInstance[];
  /** gateways */
  externalInterfaces: ExternalInterface[];
  /** unset: it may come with any certificate of its name */
  enrolment: Enrolment | null;
}

export type VirtualRouterKind = 'KIND_UNKNOWN' | 'GATEWAY' | 'COMPUTE';

/** Which certificates an appliance may come with. A change ends a session that it no longer allows; forwarding goes on. */
export interface Enrolment {
  /** none: it is lost, or not here yet */
  blocked: boolean;
  /** SHA-256 fingerprints, as `openssl x509 -fingerprint -sha256` writes them; empty: any of its name */
  certificates: string[];
}

/** The underlay. */
export interface Fabric {
  port: string;
  /** 10.169.25.20/24 */
  address: string;
  /** router towards other subnets; empty: all appliances are on this one */
  gateway: string;
  mac: string;
  /** 0 = 1500 */
  mtu: number;
  /** 802.1Q id; 0 = untagged */
  vlan: number;
}

/** A VRF of a gateway. It has the routes that its import targets bring. */
export interface RoutingInstance {
  /** one word: internet */
  name: string;
  routeTargets: string[];
  importRouteTargets: string[];
  exportRouteTargets: string[];
  /** imports what they export, and exports to them, without naming a target */
  virtualNetworks: string[];
  /** prefixes that it exports; empty: 0.0.0.0/0 */
  advertise: string[];
  staticRoutes: StaticRoute[];
  vrfKind: VrfKind;
}

export interface StaticRoute {
  /** 0.0.0.0/0 */
  prefix: string;
  /** a router on the subnet of one of its external interfaces */
  nextHop: string;
}

export interface ExternalInterface {
  /** one word */
  name: string;
  /** empty for a VLAN sub-interface of `parent` */
  port: string;
  /** 203.0.113.1/24 */
  address: string;
  mac: string;
  routingInstance: string;
  /** 0 = 1500 */
  mtu: number;
  vlan: number;
  /** external interface, or "fabric", that carries the VLAN */
  parent: string;
  /** strict reverse-path check of what comes in (RFC 3704) */
  rpf: boolean;
}

/** domain:project:table, or default-global-system-config:appliance:table. Static routes in bulk, up to millions. */
export interface RouteTable {
  /** routes of its VRF everywhere, exported with its targets; or */
  virtualNetwork: string;
  /** of one gateway's */
  virtualRouter: string;
  routingInstance: string;
  nextHops: RouteTableNextHop[];
  /** 5 bytes each, ascending and distinct: address in network order, length */
  prefixes: Buffer;
  /** one byte each into next_hops; empty: all the first */
  nextHopIndex: Buffer;
}

export interface RouteTableNextHop {
  /** equal-cost tunnels to gateways; or */
  gateways: RouteTableNextHopGateway[];
  /** a workload; or */
  virtualMachineInterface: string;
  /** a router on an external interface's subnet (tables of a routing instance); or */
  address: string;
  discard: boolean;
}

export interface RouteTableNextHopGateway {
  virtualRouter: string;
  routingInstance: string;
}

/** default-domain:default-project:ip-fabric:__default__:router. A speaker of BGP: a controller, under the name that it calls itself, or
 * a router that controllers exchange VPN routes with. */
export interface BgpRouter {
  kind: BgpRouterKind;
  /** 0: the global-system-config's */
  autonomousSystem: number;
  /** of the session; a router's is a destination of dynamic tunnels too */
  address: string;
  /** TCP; 0 = 179 */
  port: number;
  /** inet-vpn, route-target, inet6-vpn, e-vpn; empty: inet-vpn. A session has those of both ends. */
  addressFamilies: string[];
  /** seconds, of a session the lower one of both ends; 0 = 90 */
  holdTime: number;
  /** TCP MD5 (RFC 2385) of the sessions between a router and controllers: set on the router. It is never shown: what is read says
   * "(hidden)", and writing that keeps the key. */
  authKey: string;
  /** bgp-routers; it is enough that one end names the other */
  peers: string[];
  /** routes of other internal peers are reflected to it, and its own to them (RFC 4456) */
  routeReflectorClient: boolean;
  /** greatest TTL to an external router that is not on our subnet; 0: it is */
  multihop: number;
  /** seconds that both ends keep each other's routes when the session is lost (RFC 4724); 0 = 120 */
  restartTime: number;
  /** BGP identifier; empty: the address */
  identifier: string;
  /** no sessions */
  adminDown: boolean;
}

export type BgpRouterKind = 'KIND_UNKNOWN' | 'CONTROL_NODE' | 'ROUTER';

/** default-global-system-config. There is one, made by itself with the first object that belongs to it. */
export interface GlobalSystemConfig {
  /** 2 or 4 bytes; of controllers, and of route targets that are given by themselves; 0 = 64512 */
  autonomousSystem: number;
}

/** default-global-system-config:default-global-vrouter-config. There is one at most. */
export interface GlobalVrouterConfig {
  /** MPLSoGRE, MPLSoUDP, VXLAN, the best first; a tunnel has the first one that both of its ends speak. Empty: MPLSoGRE */
  encapsulationPriorities: string[];
  /** Prefixes that a tunnel to a next hop learnt by BGP may lead into, beside the addresses of bgp-routers. */
  dynamicTunnelNetworks: string[];
}

/** domain:project:policy. Networks that have it attached exchange routes with the networks that it names, if those have a policy
 * attached that names them in return (it may be the same one). Every protocol and port, both ways. */
export interface NetworkPolicy {
  rules: NetworkPolicyRule[];
}

export interface NetworkPolicyRule {
  /** a virtual network, or "local": every network that this policy is attached to */
  source: string;
  destination: string;
}

/** Any name: what a program without a certificate calls with. Made by CreateToken; deleting it ends it. */
export interface AccessToken {
  /** cloud-admin, project-admin, read-only */
  role: string;
  /** what it is for; a cloud-admin has none, and read-only without any sees everything */
  projects: string[];
  /** seconds since 1970; 0: never */
  expires: number;
  /** of the secret, which is nowhere */
  sha256: string;
}

/** target:64512:100. Makes itself with the first object that names it, and goes with the last. */
export interface RouteTarget {}

export interface CommitRequest {
  operations: Operation[];
  /** checks everything, changes nothing */
  dryRun: boolean;
  /** of a dry run: compiles it too, and tells what would change on each appliance */
  plan: boolean;
}

export interface Operation {
  /** creates, or replaces; object.version, if not 0, must be the current one */
  put?: Object;
  /** refused if it exists */
  create?: Object;
  /** refused if it does not; object.version as in put */
  update?: Object;
  delete?: DeleteRequest;
  operation?: 'put' | 'create' | 'update' | 'delete';
}

export interface CommitReply {
  /** of the transaction; unchanged if nothing changed */
  version: number;
  /** as stored, with what was allocated; in the order of the operations, without deleted ones */
  objects: Object[];
  /** of a plan: every object that would change, also those that make themselves */
  changes: ObjectChange[];
  appliances: AppliancePlan[];
}

export interface ObjectChange {
  before: Object | null;
  after: Object | null;
}

export interface AppliancePlan {
  appliance: string;
  records: RecordChange[];
  /** more would change than is told one by one */
  resync: boolean;
}

export interface RecordChange {
  /** "route 101.101.101.3/32 in default-domain:…", "floating-ip 101.101.101.3 of …" */
  record: string;
  /** empty: was not */
  before: string;
  /** empty: is no more */
  after: string;
}

export interface Reference {
  /** virtual-network */
  kind: string;
  /** or */
  name: string;
  uuid: string;
}

export interface DeleteRequest {
  kind: string;
  /** or */
  name: string;
  /** 0: whatever it is */
  version: number;
  uuid: string;
}

export interface ListRequest {
  /** empty: all kinds */
  kind: string;
  /** of the name: "default-domain:k8s-ns-user-1:" */
  prefix: string;
  /** 0 = 1000 */
  pageSize: number;
  pageToken: string;
  /** only objects of this project */
  project: string;
  /** only objects that refer to this one */
  refersTo: Reference | null;
}

export interface ListReply {
  objects: Object[];
  /** empty: the last page */
  nextPageToken: string;
  /** watch from here */
  version: number;
}

export interface WatchRequest {
  version: number;
  /** empty: all */
  kind: string;
}

export interface Event {
  version: number;
  /** as it became; a deleted one as it was last */
  object: Object | null;
  deleted: boolean;
}

export interface AuditRequest {
  /** entries after it */
  version: number;
  /** only of objects of a kind */
  kind: string;
  /** and of that name */
  name: string;
  /** and go on as changes happen */
  follow: boolean;
  /** from the oldest that is known, if `version` is older */
  latest: boolean;
}

export interface AuditEntry {
  version: number;
  /** milliseconds since 1970 */
  time: number;
  /** name of the certificate, or of the token */
  who: string;
  role: string;
  changes: ObjectChange[];
  /** large contents (packed routes) are left out */
  cut: boolean;
}

export interface CreateTokenRequest {
  name: string;
  role: string;
  projects: string[];
  expires: number;
}

export interface CreateTokenReply {
  /** told once */
  token: string;
  object: Object | null;
}

export interface BackupRequest {}

export interface BackupReply {
  /** the same in every message */
  version: number;
  objects: Object[];
}

export interface RoutesRequest {
  /** last part of the virtual-router's name */
  appliance: string;
  /** name as in RoutesReply; empty: all */
  vrf: string;
  /** only this one; a bare address: its longest match */
  prefix: string;
}

export interface RoutesReply {
  routes: Route[];
}

export interface Route {
  vrf: string;
  prefix: string;
  /** those in use: several are equal-cost */
  paths: Path[];
  /** id on the appliance */
  nexthop: number;
  /** of the VRF here: <tunnel address>:<vrf id> */
  routeDistinguisher: string;
}

export interface Path {
  /** "tunnel 10.169.25.20 label 17", "interface k8s-pod-1", "discard" */
  nextHop: string;
  /** tunnel address of the appliance that it comes from; empty: local */
  protocolNextHop: string;
  label: number;
  /** MPLSoGRE */
  tunnel: string;
  routeTargets: string[];
  /** appliance */
  origin: string;
  /** object that it was made from: floating-ip default-domain:… */
  source: string;
  /** leads to the outside */
  external: boolean;
}

export interface StateRequest {
  appliance: string;
}

export interface AppliancesRequest {
  appliance: string;
}

export interface AppliancesReply {
  appliances: Appliance[];
}

export interface Appliance {
  name: string;
  kind: string;
  inSession: boolean;
  /** absent | resync | behind | in-sync */
  state: string;
  /** RFC 3339, of this state */
  since: string;
  peer: string;
  software: string;
  profile: string;
  /** what it should be at */
  version: number;
  /** what it acknowledged */
  liveVersion: number;
  unacknowledged: number;
  updates: number;
  records: number;
  refused: RefusedRecord[];
  /** why it is not in sync, with what would help */
  problem: string;
  /** "fabric0 up af_xdp", "ext0 down: …" */
  ports: string[];
  /** records per table, as compiled */
  totals: Record<string, number>;
}

export interface AwaitLiveRequest {
  /** of a CommitReply; 0 = the newest */
  version: number;
  /** waited for even while it is not in session; empty: all that are */
  appliance: string;
}

export interface AwaitLiveReply {
  /** appliances that are not in session, and get it when they come back */
  absent: string[];
  /** records that an appliance could not take: "compute-1: label 17: the table is full" */
  refused: string[];
}

export interface RefusedRecord {
  /** "route 101.101.101.3/32 in vrf 2" */
  record: string;
  code: number;
  reason: string;
  version: number;
}

export interface ResyncRequest {
  appliance: string;
  force: boolean;
}

export interface ResyncReply {}
