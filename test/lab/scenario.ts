/**
 * The objects of the lab: those of the floating-IP chapter of Juniper's "Day One: Building Containers with Kubernetes and Contrail",
 * with its names and prefixes. Two pods of the cluster's pod network on one compute appliance, each with a floating IP of the
 * namespace's pool; a gateway whose VRF imports the route target of the pool's network.
 */
import type { CommitReply, ConfigMethods, Object as ConfigObject } from '../../proto/config.ts';
import type { Client, Draft } from '../../proto/load.ts';
import { ADDRESSES, FABRIC_MTU, MACS, type PodPlace } from './network.ts';

const PROJECT = 'default-domain:k8s-ns-user-1';
const POD_NETWORK = 'default-domain:k8s-default:k8s-default-pod-network';
const FLOATING_NETWORK = `${PROJECT}:k8s-vn-ns-default-pod-network`;
const POOL = `${FLOATING_NETWORK}:pool-ns-default`;
const ROUTE_TARGET = 'target:64512:10000';
const APPLIANCES = 'default-global-system-config';
export const PODS = ['pod-1', 'pod-2'] as const;

type Spec = Draft<ConfigObject>;

/** What a network must give a pod, and the address that the world knows it by. */
export interface PodObjects extends PodPlace {
  floatingIp: string;
}

/** Creates everything in one transaction; what the controller allocated comes back. */
export async function createObjects(config: Client<ConfigMethods>): Promise<PodObjects[]> {
  const objects: Spec[] = [
    { name: 'default-domain:k8s-default', project: {} },
    { name: PROJECT, project: {} },
    { name: POD_NETWORK, virtualNetwork: { subnets: [{ prefix: '10.32.0.0/12' }] } },
    { name: FLOATING_NETWORK, virtualNetwork: { subnets: [{ prefix: ADDRESSES.floatingPrefix }], routeTargets: [ROUTE_TARGET] } },
    { name: POOL, floatingIpPool: {} },
    { name: `${APPLIANCES}:gateway`, virtualRouter: gateway() },
    { name: `${APPLIANCES}:compute`, virtualRouter: compute() },
    ...PODS.flatMap(pod),
  ];
  const reply = await config.commit({ operations: objects.map((create) => ({ create })) });
  return PODS.map((name) => allocated(reply, name));
}

function gateway(): Spec['virtualRouter'] {
  return {
    kind: 'GATEWAY',
    profile: 'virtual',
    fabric: { port: 'fabric', address: `${ADDRESSES.gatewayTunnel}/${ADDRESSES.fabricLength}`, mac: MACS.gatewayFabric, mtu: FABRIC_MTU },
    routingInstances: [{ name: 'internet', routeTargets: [ROUTE_TARGET] }],
    externalInterfaces: [{
      name: 'internet', port: 'external', address: `${ADDRESSES.external}/${ADDRESSES.externalLength}`, mac: MACS.gatewayExternal, routingInstance: 'internet',
    }],
  };
}

function compute(): Spec['virtualRouter'] {
  return {
    kind: 'COMPUTE',
    profile: 'virtual',
    fabric: { port: 'fabric', address: `${ADDRESSES.computeTunnel}/${ADDRESSES.fabricLength}`, mac: MACS.computeFabric, mtu: FABRIC_MTU },
  };
}

/** A pod is an interface of the pod network, an address of it, and a floating IP. */
function pod(name: string): Spec[] {
  const port = `${PROJECT}:${name}`;
  return [
    {
      name: port,
      virtualMachineInterface: { virtualNetwork: POD_NETWORK, virtualRouter: `${APPLIANCES}:compute`, port: name, virtualMachine: `k8s__ns-user-1__${name}` },
    },
    { name, instanceIp: { virtualNetwork: POD_NETWORK, virtualMachineInterfaces: [port] } },
    { name: `${POOL}:${name}`, floatingIp: { virtualMachineInterfaces: [port] } },
  ];
}

function allocated({ objects }: CommitReply, name: string): PodObjects {
  const find = (fullName: string): ConfigObject => {
    const object = objects.find((candidate) => candidate.name === fullName);
    if (object === undefined) throw new Error(`the controller's reply lacks ${fullName}`);
    return object;
  };
  const subnet = find(POD_NETWORK).virtualNetwork?.subnets[0];
  const address = find(name).instanceIp?.address;
  const mac = find(`${PROJECT}:${name}`).virtualMachineInterface?.mac;
  const floatingIp = find(`${POOL}:${name}`).floatingIp?.address;
  if (subnet === undefined || !address || !mac || !floatingIp) throw new Error(`the controller allocated no address for ${name}`);
  return { name, address: `${address}/${subnet.prefix.split('/')[1]}`, gateway: subnet.gateway, mac, floatingIp };
}
