/** Floating IPs of pods: by the pod's own annotation, or by a FloatingIP object. */
import { parseAddress } from '../../controller/model/address.ts';
import { shortened } from '../config/literal.ts';
import { ANNOTATIONS, keyOf, type Custom } from '../kubernetes/objects.ts';
import { annotationField, problems, type Report } from './annotations.ts';
import { ownerOf } from './cluster.ts';
import { textOf } from './custom.ts';
import { FLOATING_IP, type Output } from './desired.ts';
import { hasInterfaces, interfacesOf } from './pod.ts';
import { fullNetwork, mayUse, poolFor } from './pool.ts';
import type { View } from './view.ts';

/** The annotation wrouter.io/floating-ip of a pod: "true", or the address that it wants. */
export function translatePodAddress(view: View, key: string): Output {
  const pod = view.get('pod', key);
  const value = pod?.annotations[ANNOTATIONS.floatingIp]?.trim();
  if (!pod || !value || value.toLowerCase() === 'false' || !hasInterfaces(pod) || !interfacesOf(view, pod, () => {})) return { objects: [], problems: [] };
  const { found, report } = problems();
  const any = value.toLowerCase() === 'true';
  if (!any && parseAddress(value) === undefined) report(annotationField(ANNOTATIONS.floatingIp), 'InvalidAnnotation', `${JSON.stringify(shortened(value))} is neither "true" nor an address like 101.101.101.5`);
  const pool = poolFor(view, pod, report);
  if (found.length > 0 || pool === undefined) return { objects: [], problems: found };
  const annotations = { ...ownerOf(view), kind: 'Pod', namespace: pod.namespace, name: pod.name, uid: pod.uid };
  const spec = { ...FLOATING_IP, address: any ? '' : value, virtualMachineInterfaces: [view.names.interface(pod.namespace, pod.name, pod.uid, 1)] };
  return { objects: [{ kind: 'floating-ip', name: view.names.floatingIp(pool, pod.name, pod.uid), uuid: '', annotations, spec }], problems: [] };
}

const DIRECTIONS = { both: 'DIRECTION_BOTH', ingress: 'DIRECTION_INGRESS', egress: 'DIRECTION_EGRESS' } as const;

/** A FloatingIP: an address of a pool, for a pod or kept for one. */
export function translateFloatingIp(view: View, key: string): Output {
  const floating = view.get('floatingip', key);
  if (!floating) return { objects: [], problems: [] };
  const { found, report } = problems();
  const pool = poolOf(view, floating, report);
  const [address, direction] = [textOf(floating, 'address', report), textOf(floating, 'direction', report) || 'both'];
  if (address !== '' && parseAddress(address) === undefined) report('spec.address', 'InvalidAddress', `${JSON.stringify(shortened(address))} is not an IPv4 address; leave it out to get a free one`);
  if (!Object.hasOwn(DIRECTIONS, direction)) report('spec.direction', 'InvalidField', `${JSON.stringify(shortened(direction))} is none of ${Object.keys(DIRECTIONS).join(', ')}`);
  const target = interfaceOf(view, floating, report);
  if (found.some(({ rule }) => rule !== 'PodNotFound') || pool === undefined) return { objects: [], problems: found };
  const annotations = { ...ownerOf(view), kind: 'FloatingIP', namespace: floating.namespace, name: floating.name, uid: floating.uid };
  const spec = { ...FLOATING_IP, address, direction: DIRECTIONS[direction as keyof typeof DIRECTIONS], virtualMachineInterfaces: target ? [target] : [] };
  return { objects: [{ kind: 'floating-ip', name: view.names.floatingIp(pool, floating.name, floating.uid), uuid: '', annotations, spec }], problems: found };
}

/** A pool by its full name, by a FloatingIPPool, or by scope. */
function poolOf(view: View, floating: Custom, report: Report): string | undefined {
  const full = textOf(floating, 'poolName', report);
  if (full !== '') return mayUse(view, full, floating.namespace, 'spec.poolName', 'this names', report) ? full : undefined;
  const given = floating.spec['pool'];
  if (given === undefined) return poolFor(view, floating, report);
  const { name, namespace = floating.namespace } = typeof given === 'object' && given !== null ? given as { name?: unknown; namespace?: unknown } : {};
  const pool = typeof name === 'string' && typeof namespace === 'string' ? view.get('floatingippool', `${namespace}/${name}`) : undefined;
  const network = pool && fullNetwork(view, pool.namespace, textOf(pool, 'network', () => {}));
  if (!network) {
    report('spec.pool', 'PoolNotFound', `there is no FloatingIPPool ${String(namespace)}/${shortened(String(name))} with a network; create it, or name another one`);
    return undefined;
  }
  const pathed = `${network}:${pool.name}`;
  return mayUse(view, pathed, floating.namespace, 'spec.pool', 'this names', report) ? pathed : undefined;
}

function interfaceOf(view: View, floating: Custom, report: Report): string | undefined {
  const [name, device] = [textOf(floating, 'pod', report), textOf(floating, 'interface', report) || 'eth0'];
  if (name === '') return undefined;
  const pod = view.get('pod', keyOf({ namespace: floating.namespace, name }));
  const interfaces = pod && hasInterfaces(pod) ? interfacesOf(view, pod, () => {}) : undefined;
  if (!pod || !interfaces) {
    report('spec.pod', 'PodNotFound', `there is no pod ${shortened(name)} with a network in this namespace; the address is kept for it`);
    return undefined;
  }
  const chosen = interfaces.find((each) => each.device === device);
  if (chosen) return view.names.interface(pod.namespace, pod.name, pod.uid, chosen.index);
  report('spec.interface', 'InterfaceNotFound', `pod ${name} has no interface ${JSON.stringify(shortened(device))}; it has ${interfaces.map((each) => each.device).join(', ')}`);
  return undefined;
}
