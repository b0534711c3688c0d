/** Floating-IP pools: which one an object takes its address from, by scope, and those that FloatingIPPool objects make. */
import { isNetwork, parsePrefix } from '../../controller/model/address.ts';
import { shortened } from '../config/literal.ts';
import { ANNOTATIONS, keyOf, type Named } from '../kubernetes/objects.ts';
import { annotationField, chosenPool, problems, type Report } from './annotations.ts';
import { ownerOf } from './cluster.ts';
import { textOf, textsOf } from './custom.ts';
import type { Output } from './desired.ts';
import { networkOf } from './network.ts';
import type { View } from './view.ts';

/**
 * Full name of the pool for an object of a namespace: its own choice before its namespace's, before that of the whole cluster. A pool that is
 * named and is not there, or not shared, is told; another one does not step in for it.
 */
export function poolFor(view: View, object: Named, report: Report): string | undefined {
  const own = chosenPool(object, report);
  if (own === null) return undefined;
  const namespace = chosenPool(view.get('namespace', object.namespace), () => report(annotationField(ANNOTATIONS.pool), 'InvalidAnnotation', `namespace ${object.namespace} says something wrong: see its Events`));
  if (own === undefined && namespace === null) return undefined;
  const pool = own ?? namespace ?? view.settings.publicPool;
  const scope = own ? 'the object' : namespace ? `namespace ${object.namespace}` : 'the cluster (public_fip_pool)';
  if (pool === undefined) {
    report(annotationField(ANNOTATIONS.pool), 'NoPool', `neither the object nor namespace ${object.namespace} names a floating-IP pool, and the cluster has none; set ${ANNOTATIONS.pool} on one of them`);
    return undefined;
  }
  return mayUse(view, pool, object.namespace, annotationField(ANNOTATIONS.pool), `${scope} names`, report) ? pool : undefined;
}

/** Whether a namespace's interfaces may have addresses of a pool. */
export function mayUse(view: View, pool: string, namespace: string, field: string, who: string, report: Report): boolean {
  const found = view.pool(pool);
  const project = view.names.project(namespace);
  if (!found) report(field, 'PoolNotFound', `${who} floating-IP pool ${pool}, which does not exist; create it, or name another one`);
  else if (!pool.startsWith(`${project}:`) && !found.projects.includes(project)) report(field, 'PoolNotShared', `${who} floating-IP pool ${pool}, which is not shared with ${project}; add it to the pool's projects`);
  else return true;
  return false;
}

const EVERY_NAMESPACE = '*';

/** A FloatingIPPool: a pool of a network of its namespace. */
export function translatePool(view: View, key: string): Output {
  const pool = view.get('floatingippool', key);
  if (!pool) return { objects: [], problems: [] };
  const { found, report } = problems();
  const { names } = view;
  const [network, subnets, shared] = [textOf(pool, 'network', report), textsOf(pool, 'subnets', report), textsOf(pool, 'namespaces', report)];
  const networkName = network === '' ? undefined : fullNetwork(view, pool.namespace, network);
  if (network === '') report('spec.network', 'Required', 'is empty; name a NetworkAttachmentDefinition or VirtualNetwork of this namespace');
  else if (!networkName) report('spec.network', 'NetworkNotFound', `there is no network ${pool.namespace}/${shortened(network)}; create a NetworkAttachmentDefinition or VirtualNetwork of this name`);
  subnets.forEach((text, at) => {
    const prefix = parsePrefix(text);
    if (!prefix || !isNetwork(prefix)) report(`spec.subnets[${at}]`, 'InvalidCidr', `${JSON.stringify(shortened(text))} is not a prefix like 101.101.101.0/28`);
  });
  // Those that there are: one that is not there yet joins when it comes.
  const projects = shared.includes(EVERY_NAMESPACE)
    ? view.namespaces().map(({ name }) => name)
    : [...new Set(shared)].sort().filter((name) => view.get('namespace', name));
  if (found.length > 0) return { objects: [], problems: found };
  const annotations = { ...ownerOf(view), kind: 'FloatingIPPool', namespace: pool.namespace, name: pool.name, uid: pool.uid };
  const spec = { subnets, projects: projects.filter((name) => name !== pool.namespace).map((name) => names.project(name)) };
  return { objects: [{ kind: 'floating-ip-pool', name: `${networkName}:${pool.name}`, uuid: '', annotations, spec }], problems: [] };
}

/** The network that a name of a namespace stands for. */
export function fullNetwork(view: View, namespace: string, name: string): string | undefined {
  const attachment = view.get('nad', keyOf({ namespace, name }));
  const found = attachment && networkOf(view, attachment);
  if (found) return found;
  const own = view.names.userNetwork(namespace, name);
  return view.network(own) ? own : undefined;
}
