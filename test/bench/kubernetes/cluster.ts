/** A cluster's objects by the thousand, as their controllers and kubelets would have left them; for an API server without either. */
import type { KubernetesClient } from '../../lab/kubernetes/client.ts';

export interface Size { readonly nodes: number; readonly namespaces: number; readonly pods: number; readonly services: number }

const PARALLEL = 32;
const now = (): string => new Date().toISOString().replace(/\.\d+Z/, 'Z');

export const nodeName = (at: number): string => `node-${at + 1}`;
const namespaceName = (at: number): string => `ns-${at + 1}`;
const addressOf = (at: number): string => `10.32.${(at >> 8) + 1}.${at & 255}`;

/** Writes it all. Each service has the pods of its number, modulo the services, as backends in an EndpointSlice; every tenth namespace is isolated. */
export async function fill(client: KubernetesClient, { nodes, namespaces, pods, services }: Size): Promise<void> {
  await each(namespaces, (at) => client.post('/api/v1/namespaces', {
    metadata: { name: namespaceName(at), annotations: at % 10 === 9 ? { 'opencontrail.org/isolation': 'true' } : {} },
  }));
  const uids: string[] = [];
  const placeOf = (pod: number): string => namespaceName(pod % services % namespaces);
  await each(pods, async (at) => {
    const path = `/api/v1/namespaces/${placeOf(at)}/pods`;
    const pod = await client.post<{ metadata: { uid: string } }>(path, {
      metadata: { name: `pod-${at}`, labels: { app: `app-${at % services}` } },
      spec: { nodeName: nodeName(at % nodes), terminationGracePeriodSeconds: 0, containers: [{ name: 'main', image: 'none' }] },
    });
    uids[at] = pod.metadata.uid;
    await client.patch(`${path}/pod-${at}/status`, { status: {
      phase: 'Running', podIP: addressOf(at), podIPs: [{ ip: addressOf(at) }], conditions: [{ type: 'Ready', status: 'True', lastTransitionTime: now() }],
    } });
  });
  await each(services, async (at) => {
    const namespace = namespaceName(at % namespaces);
    await client.post(`/api/v1/namespaces/${namespace}/services`, { metadata: { name: `service-${at}` }, spec: { selector: { app: `app-${at}` }, ports: [{ port: 80, targetPort: 8080 }] } });
    const backends = Array.from({ length: Math.ceil((pods - at) / services) }, (_, turn) => at + turn * services);
    await client.post(`/apis/discovery.k8s.io/v1beta1/namespaces/${namespace}/endpointslices`, {
      metadata: { name: `service-${at}-1`, labels: { 'kubernetes.io/service-name': `service-${at}` } }, addressType: 'IPv4', ports: [{ name: '', port: 8080, protocol: 'TCP' }],
      endpoints: backends.map((pod) => ({ addresses: [addressOf(pod)], conditions: { ready: true }, targetRef: { kind: 'Pod', namespace, name: `pod-${pod}`, uid: uids[pod] } })),
    });
  });
}

/** Does it for 0 to count - 1, many at a time. */
async function each(count: number, work: (at: number) => Promise<unknown>): Promise<void> {
  let next = 0;
  await Promise.all(Array.from({ length: PARALLEL }, async () => {
    for (let at = next++; at < count; at = next++) await work(at);
  }));
}
