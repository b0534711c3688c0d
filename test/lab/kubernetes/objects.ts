/** Of Kubernetes' objects what the lab reads and writes. */

export interface Metadata {
  name: string;
  namespace?: string;
  uid?: string;
  resourceVersion?: string;
  deletionTimestamp?: string;
  labels?: Record<string, string>;
  annotations?: Record<string, string>;
}

export interface KubernetesObject { metadata: Metadata }

export interface List<T> { metadata: { resourceVersion: string; continue?: string }; items: T[] }

export interface Container {
  name: string;
  ports?: { containerPort: number; hostPort?: number; protocol?: string }[];
}

export interface Pod extends KubernetesObject {
  spec: { nodeName?: string; hostNetwork?: boolean; nodeSelector?: Record<string, string>; containers: Container[] };
  status: { phase?: string; podIP?: string; conditions?: { type: string; status: string }[] };
}

export interface Service extends KubernetesObject {
  spec: { clusterIP: string };
  status: { loadBalancer?: { ingress?: { ip: string }[] } };
}

/** namespace/name */
export function nameOf({ metadata: { namespace, name } }: KubernetesObject): string {
  return `${namespace}/${name}`;
}

export function isReady({ metadata, status }: Pod): boolean {
  return metadata.deletionTimestamp === undefined && (status.conditions?.some(({ type, status: value }) => type === 'Ready' && value === 'True') ?? false);
}
