/**
 * A service: a floating IP for its ClusterIP and for each of its external addresses, each leading to the interfaces of its backends by
 * equal-cost paths, with ports translated where the backend is.
 */
import type { PortMapping } from '../../../proto/config.ts';
import { contains, parseAddress, parsePrefix } from '../../controller/model/address.ts';
import { shortened } from '../config/literal.ts';
import { keyOf, type EndpointGroup, type Service } from '../kubernetes/objects.ts';
import { problems, type Report } from './annotations.ts';
import { ownerOf } from './cluster.ts';
import { FLOATING_IP, type Desired, type Output } from './desired.ts';
import { hasOwnNetworks } from './namespace.ts';
import { hasInterfaces, interfacesOf } from './pod.ts';
import { poolFor } from './pool.ts';
import type { View } from './view.ts';

const PROTOCOLS = ['TCP', 'UDP', 'SCTP'] as const;
type Protocol = (typeof PROTOCOLS)[number];
const isProtocol = (text: string): text is Protocol => (PROTOCOLS as readonly string[]).includes(text);
/** The API server's own service leads to the API server, which is no pod. */
const API_SERVER = 'default/kubernetes';

export function translateService(view: View, key: string): Output {
  const service = view.get('service', key);
  if (!service || service.type === 'ExternalName' || service.clusterIp === '' || service.clusterIp === 'None' || key === API_SERVER) return { objects: [], problems: [] };
  const { found, report } = problems();
  const { names } = view;
  const { interfaces, mappings } = backendsOf(view, service, report);
  // Without a port nothing could come in: the addresses are there when the ports are known.
  const enabled = mappings.length > 0;
  const annotations = { ...ownerOf(view), kind: 'Service', namespace: service.namespace, name: service.name, uid: service.uid };
  const make = (pool: string, address: string, more: string): Desired => ({
    kind: 'floating-ip', name: names.floatingIp(pool, service.name, service.uid, more), uuid: '', annotations,
    spec: {
      ...FLOATING_IP, address, direction: 'DIRECTION_INGRESS', virtualMachineInterfaces: enabled ? interfaces : [],
      portMappingsEnable: enabled, portMappings: mappings, sessionAffinity: service.clientIpAffinity ? 'CLIENT_IP' : 'SESSION_AFFINITY_NONE',
    },
  });
  const objects: Desired[] = [];
  const own = hasOwnNetworks(view.get('namespace', service.namespace)) ? service.namespace : 'default';
  if (isServiceAddress(view, service.clusterIp, report)) objects.push(make(names.servicePool(own), service.clusterIp, ''));
  const external = externalAddresses(service, report);
  const pool = external.length > 0 ? poolFor(view, service, report) : undefined;
  // Contrail's name of it: with the address that was asked for, or None.
  if (pool !== undefined) for (const address of external) objects.push(make(pool, address, `-${address || 'None'}-externalIP`));
  return { objects, problems: found };
}

function isServiceAddress({ settings }: View, text: string, report: Report): boolean {
  const address = parseAddress(text);
  const within = address !== undefined && settings.serviceSubnets.some((each) => contains(parsePrefix(each)!, address));
  if (!within) report('spec.clusterIP', 'OutsideServiceSubnets', `${shortened(text)} is in none of service_subnets (${settings.serviceSubnets.join(', ')}); set these to the API server's --service-cluster-ip-range`);
  return within;
}

/** What is asked for from a pool: chosen addresses, or '' for one that the controller chooses. */
function externalAddresses(service: Service, report: Report): readonly string[] {
  const chosen = (text: string, field: string): string[] => {
    if (parseAddress(text) !== undefined) return [text];
    report(field, 'InvalidAddress', `${JSON.stringify(shortened(text))} is not an IPv4 address`);
    return [];
  };
  if (service.loadBalancerClass !== '' && !service.loadBalancerClass.startsWith('wrouter.io/')) return [];
  if (service.type === 'LoadBalancer' && service.loadBalancerIp !== '') return chosen(service.loadBalancerIp, 'spec.loadBalancerIP');
  const externals = [...new Set(service.externalIps)].flatMap((each, at) => chosen(each, `spec.externalIPs[${at}]`));
  return service.type === 'LoadBalancer' && service.externalIps.length === 0 ? [''] : externals;
}

interface Backends { readonly interfaces: string[]; readonly mappings: PortMapping[] }

/** Interfaces of the pods behind a service, and where its ports lead there. */
function backendsOf(view: View, service: Service, report: Report): Backends {
  const groups = view.backends(keyOf(service)).flatMap((each) => each.groups);
  // Those that are on their way out still serve while there are no others.
  const anyReady = groups.some(({ endpoints }) => endpoints.some(({ ready }) => ready));
  const interfaces = new Set<string>();
  let mappings: PortMapping[] | undefined;
  let left = 0;
  for (const group of groups) {
    const these = mappingsOf(service, group, report);
    const names = group.endpoints.filter(({ ready, serving }) => (anyReady ? ready : serving)).flatMap(({ pod, podUid }) => interfaceOf(view, service.namespace, pod, podUid) ?? []);
    if (names.length === 0 && mappings) continue;
    if (names.length > 0 && these.length === 0) continue;
    if (mappings && JSON.stringify(mappings) !== JSON.stringify(these)) {
      left += names.length;
      continue;
    }
    if (names.length > 0 || !mappings) mappings = these;
    for (const name of names) interfaces.add(name);
  }
  if (left > 0) report('spec.ports', 'DifferentTargetPorts', `a named targetPort is another number in ${left} of the pods; one address has one number: give all pods the same`);
  return { interfaces: [...interfaces].sort(), mappings: mappings ?? mappingsOf(service, { ports: [], endpoints: [] }, () => {}) };
}

/** A service's ports and a group's go by their names. */
function mappingsOf(service: Service, group: EndpointGroup, report: Report): PortMapping[] {
  return service.ports.flatMap(({ name, port, protocol }, at): PortMapping[] => {
    if (!isProtocol(protocol)) {
      report(`spec.ports[${at}].protocol`, 'UnknownProtocol', `${JSON.stringify(protocol)} is none of ${PROTOCOLS.join(', ')}`);
      return [];
    }
    const target = group.ports.find((each) => each.name === name && each.protocol === protocol);
    return target ? [{ protocol, srcPort: port, dstPort: target.port }] : [];
  });
}

/** The first interface of a pod; undefined: it has none (now). */
function interfaceOf(view: View, namespace: string, name: string, uid: string): string | undefined {
  const pod = name === '' ? undefined : view.get('pod', keyOf({ namespace, name }));
  if (!pod || uid !== '' && pod.uid !== uid || !hasInterfaces(pod) || !interfacesOf(view, pod, () => {})) return undefined;
  return view.names.interface(pod.namespace, pod.name, pod.uid, 1);
}
