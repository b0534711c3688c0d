/** Where the kinds are in the API, as this server has them. */
import type { KubeClient, Raw } from './client.ts';
import type { KubeKind } from './objects.ts';

export interface Resource {
  /** /api/v1 */
  readonly root: string;
  readonly plural: string;
  readonly namespaced: boolean;
  /** Which of READERS reads it: the kind, or "endpoints". */
  readonly reader: KubeKind | 'endpoints';
}

const core = (plural: string, reader: Resource['reader'], namespaced = true): Resource => ({ root: '/api/v1', plural, namespaced, reader });
const ours = (plural: string, reader: KubeKind, namespaced = true): Resource => ({ root: '/apis/wrouter.io/v1', plural, namespaced, reader });

export const RESOURCES: { readonly [K in Exclude<KubeKind, 'backends'>]: Resource } = {
  namespace: core('namespaces', 'namespace', false),
  pod: core('pods', 'pod'),
  service: core('services', 'service'),
  nad: { root: '/apis/k8s.cni.cncf.io/v1', plural: 'network-attachment-definitions', namespaced: true, reader: 'nad' },
  virtualnetwork: ours('virtualnetworks', 'virtualnetwork'),
  floatingippool: ours('floatingippools', 'floatingippool'),
  floatingip: ours('floatingips', 'floatingip'),
  bgprouter: ours('bgprouters', 'bgprouter', false),
};

/** Slices where the server has them, in the newest version that both sides know; Endpoints where it has none. */
export async function backendsResource(client: KubeClient): Promise<Resource> {
  const { groups } = await client.get('/apis');
  const discovery = (Array.isArray(groups) ? groups as Raw[] : []).find(({ name }) => name === 'discovery.k8s.io');
  const versions = (Array.isArray(discovery?.['versions']) ? discovery['versions'] as Raw[] : []).map(({ version }) => version);
  const version = ['v1', 'v1beta1'].find((each) => versions.includes(each));
  return version ? { root: `/apis/discovery.k8s.io/${version}`, plural: 'endpointslices', namespaced: true, reader: 'backends' } : core('endpoints', 'endpoints');
}

/** /api/v1/namespaces/default/pods/web-1 */
export const pathOf = ({ root, plural, namespaced }: Resource, namespace: string, name: string): string => (
  `${root}/${namespaced ? `namespaces/${encodeURIComponent(namespace)}/` : ''}${plural}/${encodeURIComponent(name)}`);
