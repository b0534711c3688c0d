/**
 * The floating-IP chapter as objects: two pods of namespace ns-user-1, in the cluster's pod network, on compute-1; a floating IP for each
 * from a pool of that namespace; and gateway-1, which imports the route target of the pool's network.
 *
 *   node examples/chapter.ts --controller HOST:PORT --pki DIR [--as operator]
 */
import { parseArgs } from 'node:util';
import { clientCredentials } from '../mgmt/pki/credentials.ts';
import { Config, type Object as ConfigObject } from '../proto/config.ts';
import { createClient, type Draft } from '../proto/load.ts';

const POD_PROJECT = 'default-domain:k8s-default';
const USER_PROJECT = 'default-domain:k8s-ns-user-1';
const POD_NETWORK = `${POD_PROJECT}:k8s-default-pod-network`;
const FLOATING_NETWORK = `${USER_PROJECT}:k8s-vn-ns-default-pod-network`;
const POOL = `${FLOATING_NETWORK}:pool-ns-default`;
const APPLIANCES = 'default-global-system-config';
const ROUTE_TARGET = 'target:64512:101';

/** What differs between one underlay and the next; addresses with prefix length. */
export interface Underlay {
  /** MTU of the fabric; 1528 or more carries a pod's 1500 bytes through a tunnel whole. 0: 1500. */
  fabricMtu?: number;
  compute: { address: string; gateway?: string; port: string; mac: string };
  gateway: { address: string; gateway?: string; port: string; mac: string };
  external: { address: string; port: string; mac: string; router?: string };
  pods: readonly [Pod, Pod];
}
export interface Pod { name: string; port: string; mac: string; address: string; floatingIp: string }

export const UNDERLAY: Underlay = {
  compute: { address: '10.169.25.20/24', port: 'fabric', mac: '02:00:00:00:25:14' },
  gateway: { address: '10.169.25.204/24', port: 'fabric', mac: '02:00:00:00:25:cc' },
  external: { address: '203.0.113.1/24', port: 'external', mac: '02:00:00:00:71:01' },
  pods: [
    { name: 'pod-1', port: 'pod-1', mac: '02:00:0a:20:00:03', address: '10.32.0.3', floatingIp: '101.101.101.3' },
    { name: 'pod-2', port: 'pod-2', mac: '02:00:0a:20:00:04', address: '10.32.0.4', floatingIp: '101.101.101.4' },
  ],
};

/** The chapter's objects over an underlay, in an order in which each finds what it refers to. */
export function chapter(underlay: Underlay = UNDERLAY): Draft<ConfigObject>[] {
  const { compute, gateway, external, pods, fabricMtu: mtu = 0 } = underlay;
  return [
    { name: POD_PROJECT, project: {} },
    { name: USER_PROJECT, project: {} },
    { name: POD_NETWORK, virtualNetwork: { subnets: [{ prefix: '10.32.0.0/12' }], projects: [USER_PROJECT] } },
    { name: FLOATING_NETWORK, virtualNetwork: { subnets: [{ prefix: '101.101.101.0/24' }], routeTargets: [ROUTE_TARGET] } },
    { name: POOL, floatingIpPool: {} },
    { name: `${APPLIANCES}:compute-1`, virtualRouter: {
      kind: 'COMPUTE', profile: 'virtual',
      fabric: { port: compute.port, address: compute.address, gateway: compute.gateway ?? '', mac: compute.mac, mtu },
    } },
    { name: `${APPLIANCES}:gateway-1`, virtualRouter: {
      kind: 'GATEWAY', profile: 'virtual',
      fabric: { port: gateway.port, address: gateway.address, gateway: gateway.gateway ?? '', mac: gateway.mac, mtu },
      routingInstances: [{
        name: 'internet', routeTargets: [ROUTE_TARGET],
        staticRoutes: external.router ? [{ prefix: '0.0.0.0/0', nextHop: external.router }] : [],
      }],
      externalInterfaces: [{ name: 'external', port: external.port, address: external.address, mac: external.mac, routingInstance: 'internet' }],
    } },
    ...pods.flatMap((pod): Draft<ConfigObject>[] => [
      { name: `k8s__ns-user-1__${pod.name}`, virtualMachine: { project: USER_PROJECT } },
      { name: `${USER_PROJECT}:${pod.name}`, virtualMachineInterface: {
        mac: pod.mac, virtualNetwork: POD_NETWORK, virtualRouter: `${APPLIANCES}:compute-1`, port: pod.port, virtualMachine: `k8s__ns-user-1__${pod.name}`,
      } },
      { name: `${pod.name}-ip`, instanceIp: { address: pod.address, virtualNetwork: POD_NETWORK, virtualMachineInterfaces: [`${USER_PROJECT}:${pod.name}`] } },
      { name: `${POOL}:${pod.name}`, floatingIp: { address: pod.floatingIp, virtualMachineInterfaces: [`${USER_PROJECT}:${pod.name}`] } },
    ]),
  ];
}

if (import.meta.main) {
  const { values } = parseArgs({ options: { controller: { type: 'string', default: '127.0.0.1:8082' }, pki: { type: 'string' }, as: { type: 'string', default: 'operator' } } });
  if (!values.pki) throw new Error('--pki DIR is missing: the folder with ca.crt and the operator\'s certificate');
  const config = createClient(Config, values.controller, clientCredentials(values.pki, values.as, 'controller'));
  const reply = await config.commit({ operations: chapter().map((put) => ({ put })) });
  console.log(`version ${reply.version}: ${reply.objects.length} objects`);
  config.close();
}
