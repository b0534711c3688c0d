/**
 * Which cluster the controller knows under a name. A cluster is the UID of its namespace kube-system; it is kept with the project of
 * namespace `default`. A name, once used, is not changed by accident: everything would be made anew under other names.
 */
import type { Objects } from '../../controller/model/objects.ts';
import { CLUSTER_UID } from '../translate/cluster.ts';
import type { Names } from '../translate/names.ts';

/** What is wrong with using this name for this cluster; undefined: nothing. */
export function identityProblem(objects: Objects, names: Names, uid: string): string | undefined {
  const holder = objects.get('project', names.project('default'))?.annotations;
  const known = holder?.[CLUSTER_UID];
  if (known !== undefined && known !== uid) return `cluster_name "${names.cluster}" is that of another Kubernetes cluster (kube-system has UID ${known} there, ${uid} here); choose another cluster_name`;
  for (const { annotations } of objects.all('project')) {
    const cluster = annotations?.['cluster'];
    if (annotations?.[CLUSTER_UID] === uid && cluster !== undefined && cluster !== names.cluster) {
      return `this Kubernetes cluster is known to the controller as "${cluster}"; under cluster_name "${names.cluster}" every pod would get another address. Set cluster_name back to "${cluster}", or delete the objects of cluster "${cluster}" first`;
    }
  }
  return undefined;
}
