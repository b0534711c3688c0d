/** Where a walk learns what it walks on: the controller, however it is reached. */
import type { Appliance, Object as ConfigObject, Route } from '../../proto/config.ts';
import type { VrfPath } from '../../proto/routing.ts';
import type { Update } from '../../proto/sync.ts';

export interface Filter { readonly project?: string; readonly refersTo?: { readonly kind: string; readonly name: string } }

/** Read only. What is asked for twice may be told from memory: a walk takes a moment. */
export interface Source {
  get(kind: string, name: string): Promise<ConfigObject | undefined>;
  list(kind: string, filter?: Filter): Promise<readonly ConfigObject[]>;
  appliances(): Promise<readonly Appliance[]>;
  /** Of a VRF of an appliance: a prefix, or the longest match of an address. */
  route(appliance: string, vrf: string, prefix: string): Promise<Route | undefined>;
  /** Paths to the longest match of an address in a VRF, wherever it is: those in use first. */
  paths(vrf: string, address: string): Promise<readonly VrfPath[]>;
  state(appliance: string): AsyncIterable<Update>;
}

export const lastOf = (name: string): string => name.slice(name.lastIndexOf(':') + 1);
export const parentOf = (name: string): string => name.slice(0, name.lastIndexOf(':'));
export const routerName = (appliance: string): string => `default-global-system-config:${appliance}`;

/** Object that an annotated one stands for in Kubernetes: "pod/ns/name", "service/ns/name", "namespace/name"; empty for others. */
export function kubernetesWord({ annotations }: ConfigObject): string {
  const { kind = '', namespace = '', name = '' } = annotations;
  if (kind === '' || name === '') return '';
  const cased = kind.toLowerCase();
  return cased === 'namespace' || cased === 'node' || namespace === '' ? `${cased}/${name}` : `${cased}/${namespace}/${name}`;
}

/** Addresses of an interface, the first one first: as the compile step orders them. */
export async function addressesOf(source: Source, vmi: string): Promise<string[]> {
  const ips = await source.list('instance-ip', { refersTo: { kind: 'virtual-machine-interface', name: vmi } });
  return [...ips].sort((one, other) => (one.name < other.name ? -1 : 1)).map(({ instanceIp }) => instanceIp?.address ?? '');
}

export const floatingIpsOf = (source: Source, vmi: string): Promise<readonly ConfigObject[]> => source.list('floating-ip', { refersTo: { kind: 'virtual-machine-interface', name: vmi } });
