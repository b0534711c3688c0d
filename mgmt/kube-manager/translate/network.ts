/**
 * A network of a user: a NetworkAttachmentDefinition with a CIDR, a VirtualNetwork, or both under one name. Then the first says the subnet,
 * and the second what the chapter does by hand: route targets, `external`, whom it is shared with.
 */
import { isNetwork, parsePrefix } from '../../controller/model/address.ts';
import { isTarget } from '../../controller/model/rules/check.ts';
import { ANNOTATIONS, type Custom, type NetworkAttachment } from '../kubernetes/objects.ts';
import { shortened } from '../config/literal.ts';
import { annotationField, chosenNetwork, problems, reportUnderlay, type Report } from './annotations.ts';
import { ownerOf } from './cluster.ts';
import { NETWORK, type Desired, type Output } from './desired.ts';
import { flagOf, textsOf } from './custom.ts';
import type { View } from './view.ts';

/** CNI plugins whose networks are ours: Contrail's name, and that of our own. */
const PLUGINS = ['contrail-k8s-cni', 'wrouter'];

export const isOurs = ({ plugin }: NetworkAttachment): boolean => PLUGINS.includes(plugin);

/** What a NetworkAttachmentDefinition says: problems are told on it. */
export function translateAttachment(view: View, key: string): Output {
  const attachment = view.get('nad', key);
  if (!attachment || !isOurs(attachment)) return { objects: [], problems: [] };
  const { found, report } = problems();
  reportUnderlay(attachment, report);
  const [cidr, chosen] = [attachment.annotations[ANNOTATIONS.cidr], chosenNetwork(attachment, report)];
  if (cidr !== undefined && chosen !== undefined) report(annotationField(ANNOTATIONS.network), 'ContradictoryAnnotations', `chooses a network that there is, and ${ANNOTATIONS.cidr} makes one; leave one of them out`);
  if (cidr === undefined && chosen === undefined && !view.get('virtualnetwork', key)) report('metadata.annotations', 'MissingAnnotation', `says neither ${ANNOTATIONS.cidr} nor ${ANNOTATIONS.network}, and there is no VirtualNetwork of its name: it is no network yet`);
  if (typeof chosen === 'string' && !view.network(chosen)) report(annotationField(ANNOTATIONS.network), 'NetworkNotFound', `there is no virtual network ${chosen}; create it, or name another one`);
  const prefix = cidr === undefined ? undefined : cidrOf(cidr, annotationField(ANNOTATIONS.cidr), report);
  if (!prefix || found.some(({ rule }) => rule !== 'NotRealised')) return { objects: [], problems: found };
  const name = view.names.userNetwork(attachment.namespace, attachment.name);
  if (!fits(name, report)) return { objects: [], problems: found };
  const network = view.get('virtualnetwork', key);
  const annotations = { ...ownerOf(view), kind: 'NetworkAttachmentDefinition', namespace: attachment.namespace, name: attachment.name, uid: attachment.uid };
  const spec = { ...NETWORK, ...(network ? said(network, () => {}) : {}), subnets: [{ prefix, gateway: '', addrFromStart: false }] };
  return { objects: [{ kind: 'virtual-network', name, uuid: '', annotations, spec }], problems: found };
}

/** What a VirtualNetwork says. With a NetworkAttachmentDefinition that has a CIDR it adds to that one's network, else it is the network. */
export function translateNetwork(view: View, key: string): Output {
  const network = view.get('virtualnetwork', key);
  if (!network) return { objects: [], problems: [] };
  const { found, report } = problems();
  const spec = { ...NETWORK, ...said(network, report) };
  const subnets = textsOf(network, 'subnets', report).flatMap((text, at) => cidrOf(text, `spec.subnets[${at}]`, report) ?? []);
  const attachment = view.get('nad', key);
  const owner = attachment && isOurs(attachment) && attachment.annotations[ANNOTATIONS.cidr] !== undefined;
  if (owner && subnets.length > 0) report('spec.subnets', 'SubnetsTwice', `NetworkAttachmentDefinition ${network.name} says the subnet by ${ANNOTATIONS.cidr}; leave spec.subnets out`);
  if (!owner && subnets.length === 0 && found.length === 0) report('spec.subnets', 'Required', 'is empty, and there is no NetworkAttachmentDefinition of this name with a CIDR; give prefixes like 101.101.101.0/24');
  const name = view.names.userNetwork(network.namespace, network.name);
  if (found.length > 0 || owner || !fits(name, report)) return { objects: [], problems: found };
  const annotations = { ...ownerOf(view), kind: 'VirtualNetwork', namespace: network.namespace, name: network.name, uid: network.uid };
  return { objects: [{ kind: 'virtual-network', name, uuid: '', annotations, spec: { ...spec, subnets: subnets.map((prefix) => ({ prefix, gateway: '', addrFromStart: false })) } }], problems: [] };
}

function said(network: Custom, report: Report): Pick<Extract<Desired, { kind: 'virtual-network' }>['spec'], 'routeTargets' | 'importRouteTargets' | 'exportRouteTargets' | 'external' | 'shared'> {
  const targets = (field: string): string[] => {
    const given = textsOf(network, field, report);
    given.forEach((text, at) => {
      if (!isTarget(text)) report(`spec.${field}[${at}]`, 'InvalidRouteTarget', `${JSON.stringify(shortened(text))} is not a route target like target:64512:100`);
    });
    return [...new Set(given.filter(isTarget))];
  };
  return { routeTargets: targets('routeTargets'), importRouteTargets: targets('importRouteTargets'), exportRouteTargets: targets('exportRouteTargets'), external: flagOf(network, 'external', report), shared: flagOf(network, 'shared', report) };
}

function cidrOf(text: string, field: string, report: Report): string | undefined {
  const prefix = parsePrefix(text.trim());
  if (!prefix || !isNetwork(prefix) || prefix.length < 8 || prefix.length > 30) {
    report(field, 'InvalidCidr', `${JSON.stringify(shortened(text))} is not a prefix like 101.101.101.0/24: one IPv4 prefix, /8 to /30, zero beyond its length`);
    return undefined;
  }
  const top = prefix.address >>> 24;
  if (top === 0 || top === 127 || top >= 224) {
    report(field, 'InvalidCidr', `${text.trim()} is not a prefix of hosts' addresses`);
    return undefined;
  }
  return text.trim();
}

/** Parts of names have room for 127 characters; Kubernetes' have 253. */
function fits(name: string, report: Report): boolean {
  const own = name.slice(name.lastIndexOf(':') + 1);
  if (own.length > 127) report('metadata.name', 'NameTooLong', `makes a network's name of ${own.length} characters, and there is room for 127; choose a shorter one`);
  return own.length <= 127;
}

/** Full name of the network that a NetworkAttachmentDefinition stands for; undefined: it stands for none as yet. */
export function networkOf(view: View, attachment: NetworkAttachment): string | undefined {
  const chosen = chosenNetwork(attachment, () => {});
  if (typeof chosen === 'string') return chosen;
  const name = view.names.userNetwork(attachment.namespace, attachment.name);
  return view.network(name) ? name : undefined;
}
