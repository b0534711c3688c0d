/** A pod: a virtual machine with an interface for each of its networks, each with an address. */
import { virtualRouterName } from '../../controller/model/kinds.ts';
import { shortened } from '../config/literal.ts';
import { ANNOTATIONS, keyOf, type Pod } from '../kubernetes/objects.ts';
import { annotationField, attachmentsOf, chosenNetwork, problems, type Report } from './annotations.ts';
import { ownerOf } from './cluster.ts';
import { INSTANCE_IP, INTERFACE, type Desired, type Output } from './desired.ts';
import { deviceName } from './names.ts';
import { hasOwnNetworks } from './namespace.ts';
import { isOurs, networkOf } from './network.ts';
import type { View } from './view.ts';

/** What a pod has on one network. */
interface PodInterface {
  /** Full name of the virtual network. */
  readonly network: string;
  /** "default", or namespace/name of the NetworkAttachmentDefinition. */
  readonly label: string;
  readonly device: string;
  /** Its place, from 1; a place of a network that is not there stays empty. */
  readonly index: number;
}

export function translatePod(view: View, key: string): Output {
  const pod = view.get('pod', key);
  if (!pod || !hasInterfaces(pod)) return { objects: [], problems: [] };
  const { found, report } = problems();
  const interfaces = interfacesOf(view, pod, report);
  if (!interfaces) return { objects: [], problems: found };
  const appliance = view.appliance(pod.node);
  if (appliance === undefined) report('spec.nodeName', 'NoAppliance', `there is no appliance (virtual-router) ${JSON.stringify(pod.node)}: the pod has addresses, and no place as yet; enrol the node's appliance under this name`);
  if (appliance === 'gateway') report('spec.nodeName', 'NotACompute', `appliance ${JSON.stringify(pod.node)} is a gateway, and takes no workloads; keep pods off this node by a taint`);
  const preferred = defaultRoute(pod, interfaces, report);

  const { names } = view;
  const owner = { ...ownerOf(view), kind: 'Pod', namespace: pod.namespace, name: pod.name, uid: pod.uid };
  const objects: Desired[] = [{ kind: 'virtual-machine', name: pod.uid, uuid: pod.uid, annotations: owner, spec: { project: names.project(pod.namespace) } }];
  for (const { network, label, device, index } of interfaces) {
    const name = names.interface(pod.namespace, pod.name, pod.uid, index);
    const annotations = { ...owner, index: `${index}/${interfaces.length}`, interface: device, network: label, ...(preferred === device ? { 'default-route': 'true' } : {}) };
    const place = appliance === 'compute' ? { virtualRouter: virtualRouterName(pod.node), port: deviceName(name) } : {};
    objects.push(
      { kind: 'virtual-machine-interface', name, uuid: '', annotations, spec: { ...INTERFACE, virtualNetwork: network, ...place, virtualMachine: pod.uid, order: index } },
      { kind: 'instance-ip', name: names.instanceIp(pod.name, pod.uid, index), uuid: '', annotations: owner, spec: { ...INSTANCE_IP, virtualNetwork: network, virtualMachineInterfaces: [name] } },
    );
  }
  return { objects, problems: found };
}

/** A pod that is bound, lives, and is not in its node's own network. */
export const hasInterfaces = (pod: Pod): boolean => pod.node !== '' && !pod.hostNetwork && !pod.finished;

/**
 * Undefined: something that it asks for is not there, and it gets nothing until that is: a pod that started without would never get it.
 * A pod that runs keeps what there is.
 */
export function interfacesOf(view: View, pod: Pod, report: Report): readonly PodInterface[] | undefined {
  const [attachments, network] = [attachmentsOf(pod, report), defaultNetwork(view, pod, report)];
  if (!attachments && !pod.running || network === undefined) return undefined;
  const interfaces: PodInterface[] = [{ network, label: 'default', device: 'eth0', index: 1 }];
  let complete = true;
  for (const [at, each] of (attachments ?? []).entries()) {
    const attachment = view.get('nad', keyOf(each));
    // Another plugin's network is that plugin's business.
    if (attachment && !isOurs(attachment)) continue;
    const found = attachment && networkOf(view, attachment);
    if (found) interfaces.push({ network: found, label: keyOf(each), device: each.interface || `eth${at + 1}`, index: at + 2 });
    else {
      complete = false;
      report(annotationField(ANNOTATIONS.networks), 'NetworkNotFound', attachment
        ? `NetworkAttachmentDefinition ${keyOf(each)} is no network yet: see its Events`
        : `there is no NetworkAttachmentDefinition ${keyOf(each)}; create it, and the pod gets its interfaces`);
    }
  }
  return complete || pod.running ? interfaces : undefined;
}

/** The pod's choice before its namespace's, before the namespace's own network, before that of all. */
function defaultNetwork(view: View, pod: Pod, report: Report): string | undefined {
  const namespace = view.get('namespace', pod.namespace);
  const own = chosenNetwork(pod, report);
  if (own === null) return undefined;
  // What is wrong with the namespace's is told there.
  const chosen = own ?? chosenNetwork(namespace, () => {}) ?? undefined;
  if (chosen === undefined) return view.names.podNetwork(hasOwnNetworks(namespace) ? pod.namespace : 'default');
  const network = view.network(chosen);
  const project = view.names.project(pod.namespace);
  const field = annotationField(ANNOTATIONS.network);
  const of = own ? '' : `namespace ${pod.namespace} chooses it: `;
  if (!network) report(field, 'NetworkNotFound', `${of}there is no virtual network ${chosen}; create it, or name another one`);
  else if (!chosen.startsWith(`${project}:`) && !network.shared && !network.projects.includes(project)) report(field, 'NetworkNotShared', `${of}${chosen} is not shared with ${project}; set "shared", or add it to the network's projects`);
  else return chosen;
  return undefined;
}

/** The interface that the pod chooses for its default route; undefined: it leaves it to the first. */
function defaultRoute(pod: Pod, interfaces: readonly PodInterface[], report: Report): string | undefined {
  const chosen = pod.annotations[ANNOTATIONS.defaultRoute];
  if (chosen === undefined || interfaces.some(({ device }) => device === chosen)) return chosen;
  report(annotationField(ANNOTATIONS.defaultRoute), 'InvalidAnnotation', `${JSON.stringify(shortened(chosen))} is none of the pod's interfaces: ${interfaces.map(({ device }) => device).join(', ')}`);
  return undefined;
}
