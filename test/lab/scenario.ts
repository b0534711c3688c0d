/** The lab's objects: the floating-IP chapter (examples/chapter.ts) over the lab's own wires. */
import { chapter, type Pod, type Underlay } from '../../examples/chapter.ts';
import type { ConfigMethods } from '../../proto/config.ts';
import type { Client } from '../../proto/load.ts';
import { ADDRESSES, MACS, type PodPlace } from './network.ts';

/** What a pod is given, and the address that the world knows it by. */
export interface PodObjects extends PodPlace {
  floatingIp: string;
}

const PODS: readonly [Pod, Pod] = [
  { name: 'pod-1', port: 'pod-1', mac: '02:00:0a:20:00:03', address: '10.32.0.3', floatingIp: '101.101.101.3' },
  { name: 'pod-2', port: 'pod-2', mac: '02:00:0a:20:00:04', address: '10.32.0.4', floatingIp: '101.101.101.4' },
];
/** Of the pod network, and its router: the last host address. */
const POD_PREFIX_LENGTH = 12;
const POD_GATEWAY = '10.47.255.254';

/** Creates everything in one transaction. */
export async function createObjects(config: Client<ConfigMethods>, fabricMtu: number): Promise<PodObjects[]> {
  const underlay: Underlay = {
    fabricMtu,
    compute: { address: `${ADDRESSES.computeTunnel}/${ADDRESSES.fabricLength}`, port: 'fabric', mac: MACS.computeFabric },
    gateway: { address: `${ADDRESSES.gatewayTunnel}/${ADDRESSES.fabricLength}`, port: 'fabric', mac: MACS.gatewayFabric },
    external: { address: `${ADDRESSES.external}/${ADDRESSES.externalLength}`, port: 'external', mac: MACS.gatewayExternal },
    pods: PODS,
  };
  await config.commit({ operations: chapter(underlay).map((create) => ({ create })) });
  return PODS.map(({ name, address, mac, floatingIp }) => ({ name, address: `${address}/${POD_PREFIX_LENGTH}`, gateway: POD_GATEWAY, mac, floatingIp }));
}
