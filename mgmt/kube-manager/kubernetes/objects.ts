/**
 * What is read of Kubernetes objects: exactly the fields that matter, so that a heartbeat of a kubelet is no change, and five
 * thousand pods are little memory. The API server has checked its own fields; what is in annotations and in objects of other
 * programs' making is checked by the translation.
 */

export interface Named {
  readonly namespace: string; readonly name: string; readonly uid: string;
  readonly annotations: Annotations;
  /** What its condition of ours says: "", "True", or "False <message>". */
  readonly told: string;
}
/** Only those that somebody here reads (`ANNOTATIONS`). */
export type Annotations = Readonly<Record<string, string>>;

export interface Namespace extends Named {}
export interface Pod extends Named {
  /** Empty: not bound yet. */
  readonly node: string;
  readonly hostNetwork: boolean;
  /** Succeeded or Failed: it has no network any more. */
  readonly finished: boolean;
  /** It has its interfaces: what is wrong with one of them must not take the others. */
  readonly running: boolean;
}
export interface ServicePort { readonly name: string; readonly port: number; readonly protocol: string }
export interface Service extends Named {
  readonly type: string;
  /** "None": headless. */
  readonly clusterIp: string;
  readonly ports: readonly ServicePort[];
  readonly loadBalancerIp: string;
  readonly loadBalancerClass: string;
  readonly externalIps: readonly string[];
  readonly clientIpAffinity: boolean;
  /** status.loadBalancer.ingress. */
  readonly ingress: readonly string[];
}
export interface Endpoint { readonly address: string; readonly ready: boolean; readonly serving: boolean; readonly pod: string; readonly podUid: string }
/** Endpoints that have their ports in common: an EndpointSlice, or a subset of Endpoints. */
export interface EndpointGroup { readonly ports: readonly ServicePort[]; readonly endpoints: readonly Endpoint[] }
/** An EndpointSlice, or an Endpoints object as a whole. */
export interface Backends extends Named { readonly service: string; readonly groups: readonly EndpointGroup[] }
export interface NetworkAttachment extends Named {
  /** `type` of the CNI configuration, or of its first plugin; empty: it has none, or is no JSON. */
  readonly plugin: string;
}
/** One of ours: its spec is as its schema lets it through. */
export interface Custom extends Named { readonly generation: number; readonly spec: Readonly<Record<string, unknown>> }

export interface KubeObjects {
  namespace: Namespace;
  pod: Pod;
  service: Service;
  backends: Backends;
  nad: NetworkAttachment;
  virtualnetwork: Custom;
  floatingippool: Custom;
  floatingip: Custom;
  bgprouter: Custom;
}
export type KubeKind = keyof KubeObjects;
export const KUBE_KINDS: readonly KubeKind[] = ['namespace', 'pod', 'service', 'backends', 'nad', 'virtualnetwork', 'floatingippool', 'floatingip', 'bgprouter'];

/** "namespace/name", or the name alone of what is in no namespace. */
export const keyOf = ({ namespace, name }: { readonly namespace: string; readonly name: string }): string => (namespace ? `${namespace}/${name}` : name);

export const ANNOTATIONS = {
  isolation: 'opencontrail.org/isolation',
  network: 'opencontrail.org/network',
  pool: 'opencontrail.org/fip-pool',
  cidr: 'opencontrail.org/cidr',
  forwarding: 'opencontrail.org/ip_fabric_forwarding',
  snat: 'opencontrail.org/ip_fabric_snat',
  networks: 'k8s.v1.cni.cncf.io/networks',
  networkStatus: 'k8s.v1.cni.cncf.io/network-status',
  floatingIp: 'wrouter.io/floating-ip',
  floatingAddress: 'wrouter.io/floating-ip-address',
  defaultRoute: 'wrouter.io/default-route',
  refused: 'wrouter.io/refused',
} as const;
/** Type of the condition that says whether an object is what it asks to be: of Kubernetes' kinds, and of ours. */
export const CONDITION = 'wrouter.io/Network';
export const READY = 'Ready';
const READ = new Set<string>(Object.values(ANNOTATIONS));

// ---- reading ---------------------------------------------------------------------------------------------------------------

type Raw = Readonly<Record<string, unknown>>;
const isRaw = (value: unknown): value is Raw => typeof value === 'object' && value !== null && !Array.isArray(value);
const part = (value: unknown): Raw => (isRaw(value) ? value : {});
const list = (value: unknown): readonly Raw[] => (Array.isArray(value) ? value.map(part) : []);
const text = (value: unknown): string => (typeof value === 'string' ? value : '');
const texts = (value: unknown): string[] => (Array.isArray(value) ? value.filter((each): each is string => typeof each === 'string') : []);
const whole = (value: unknown): number => (typeof value === 'number' ? value : 0);

function named(raw: Raw): Named {
  const metadata = part(raw['metadata']);
  const annotations = Object.entries(part(metadata['annotations'])).filter((entry): entry is [string, string] => READ.has(entry[0]) && typeof entry[1] === 'string');
  return { namespace: text(metadata['namespace']), name: text(metadata['name']), uid: text(metadata['uid']), annotations: Object.fromEntries(annotations.sort()), told: toldOf(raw, metadata) };
}

function toldOf(raw: Raw, metadata: Raw): string {
  const refused = text(part(metadata['annotations'])[ANNOTATIONS.refused]);
  if (refused !== '') return `False ${refused}`;
  const own = text(raw['apiVersion']).startsWith('wrouter.io/') ? READY : CONDITION;
  const condition = list(part(raw['status'])['conditions']).find(({ type }) => type === own);
  return !condition ? '' : condition['status'] === 'False' ? `False ${text(condition['message'])}` : 'True';
}

function readPod(raw: Raw): Pod {
  const [spec, phase] = [part(raw['spec']), text(part(raw['status'])['phase'])];
  return { ...named(raw), node: text(spec['nodeName']), hostNetwork: spec['hostNetwork'] === true, finished: phase === 'Succeeded' || phase === 'Failed', running: phase === 'Running' };
}

const readPort = (raw: Raw): ServicePort => ({ name: text(raw['name']), port: whole(raw['port']), protocol: text(raw['protocol']) || 'TCP' });

function readService(raw: Raw): Service {
  const [spec, status] = [part(raw['spec']), part(raw['status'])];
  return {
    ...named(raw), type: text(spec['type']) || 'ClusterIP', clusterIp: text(spec['clusterIP']), ports: list(spec['ports']).map(readPort),
    loadBalancerIp: text(spec['loadBalancerIP']), loadBalancerClass: text(spec['loadBalancerClass']), externalIps: texts(spec['externalIPs']), clientIpAffinity: spec['sessionAffinity'] === 'ClientIP',
    ingress: list(part(status['loadBalancer'])['ingress']).map((each) => text(each['ip']) || text(each['hostname'])),
  };
}

const podOf = (target: Raw): { pod: string; podUid: string } => (target['kind'] === 'Pod' ? { pod: text(target['name']), podUid: text(target['uid']) } : { pod: '', podUid: '' });

/** discovery.k8s.io v1 and v1beta1 say this alike. */
function readSlice(raw: Raw): Backends {
  const ipv4 = text(raw['addressType']) === 'IPv4';
  const endpoints = (ipv4 ? list(raw['endpoints']) : []).flatMap((endpoint) => {
    const conditions = part(endpoint['conditions']);
    const [ready, target] = [conditions['ready'] !== false, podOf(part(endpoint['targetRef']))];
    const serving = conditions['serving'] === undefined ? ready : conditions['serving'] === true;
    return texts(endpoint['addresses']).slice(0, 1).map((address) => ({ address, ready, serving, ...target }));
  });
  return { ...named(raw), service: text(part(part(raw['metadata'])['labels'])['kubernetes.io/service-name']), groups: [{ ports: list(raw['ports']).map(readPort), endpoints }] };
}

function readEndpoints(raw: Raw): Backends {
  const groups = list(raw['subsets']).map((subset) => {
    const of = (addresses: unknown, ready: boolean): Endpoint[] => list(addresses).map((each) => ({ address: text(each['ip']), ready, serving: ready, ...podOf(part(each['targetRef'])) }));
    return { ports: list(subset['ports']).map(readPort), endpoints: [...of(subset['addresses'], true), ...of(subset['notReadyAddresses'], false)] };
  });
  const all = named(raw);
  return { ...all, service: all.name, groups };
}

function readAttachment(raw: Raw): NetworkAttachment {
  let config: unknown;
  try {
    config = JSON.parse(text(part(raw['spec'])['config']));
  } catch {
    config = undefined;
  }
  return { ...named(raw), plugin: text(part(config)['type']) || text(list(part(config)['plugins'])[0]?.['type']) };
}

const readCustom = (raw: Raw): Custom => ({ ...named(raw), generation: whole(part(raw['metadata'])['generation']), spec: part(raw['spec']) });

/** How each kind is read out of what the API server says; `endpoints` where it has no slices. */
export const READERS: { readonly [K in KubeKind]: (raw: Raw) => KubeObjects[K] } & { readonly endpoints: (raw: Raw) => Backends } = {
  namespace: named, pod: readPod, service: readService, backends: readSlice, endpoints: readEndpoints, nad: readAttachment,
  virtualnetwork: readCustom, floatingippool: readCustom, floatingip: readCustom, bgprouter: readCustom,
};
