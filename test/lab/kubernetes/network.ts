/**
 * The wires of the Kubernetes lab: a gateway and compute appliances on one underlay, the Internet behind the gateway. Pods' wires are the
 * CNI's to make.
 *
 *   internet ── external ▌gateway-1▐ fabric ═╤═ fabric ▌compute-1▐ tap… ── pods
 *   203.0.113.10              10.169.25.1    ╘═ fabric ▌compute-2▐ tap… ── pods
 *                                    10.169.25.20, .21
 */
import { NamespaceHost } from '../hosts.ts';
import { Namespaces } from '../netns.ts';
import type { Network, Place } from '../network.ts';

/** Leaves room for a whole pod packet in a tunnel: 1500 + 28. */
const FABRIC_MTU = 1600;

export interface Box {
  /** Of the appliance, its node and its namespace. */
  readonly name: string;
  readonly place: Place;
  readonly tunnel: string;
  readonly mac: string;
}

export const GATEWAY: Box = { name: 'gateway-1', place: 'gateway', tunnel: '10.169.25.1', mac: '02:00:0a:a9:19:01' };
export const COMPUTES: readonly Box[] = [
  { name: 'compute-1', place: 'compute', tunnel: '10.169.25.20', mac: '02:00:0a:a9:19:14' },
  { name: 'compute-2', place: 'compute', tunnel: '10.169.25.21', mac: '02:00:0a:a9:19:15' },
];
export const FABRIC = { length: 24, mtu: FABRIC_MTU } as const;
export const EXTERNAL = { address: '203.0.113.1', length: 24, mac: '02:00:cb:00:71:01' } as const;
const INTERNET = { address: '203.0.113.10', mac: '02:00:cb:00:71:0a' } as const;

/** Makes everything up to the appliances' devices. */
export class ClusterNetwork {
  readonly namespaces = new Namespaces();
  readonly internet: NamespaceHost;

  /** @param floating prefixes that the Internet reaches through the gateway */
  constructor(floating: readonly string[]) {
    const { namespaces } = this;
    for (const name of ['internet', 'fabric', GATEWAY.name, ...COMPUTES.map(({ name }) => name)]) namespaces.add(name);
    namespaces.ip('fabric', `link add name switch mtu ${FABRIC_MTU} type bridge`);
    namespaces.ip('fabric', 'link set dev switch up');
    for (const { name, mac } of [GATEWAY, ...COMPUTES]) {
      namespaces.link({ namespace: name, device: 'fabric', mac }, { namespace: 'fabric', device: name }, { mtu: FABRIC_MTU });
      namespaces.ip('fabric', `link set dev ${name} master switch`);
    }
    namespaces.link({ namespace: 'internet', device: 'eth0', mac: INTERNET.mac }, { namespace: GATEWAY.name, device: 'external', mac: EXTERNAL.mac });
    namespaces.ip('internet', `addr add ${INTERNET.address}/${EXTERNAL.length} dev eth0`);
    for (const prefix of floating) namespaces.ip('internet', `route add ${prefix} via ${EXTERNAL.address}`);
    this.internet = new NamespaceHost(namespaces, 'internet', INTERNET.address);
  }

  /** As an appliance in one of the boxes sees it. */
  of(box: Box): Pick<Network, 'command' | 'fabricMtu' | 'ports'> {
    return {
      fabricMtu: FABRIC_MTU,
      command: (_place, program, args) => this.namespaces.command(box.name, program, args),
      ports: (place) => (place === 'gateway' ? ['fabric', 'external'] : ['fabric']).map((name) => ({ name, driver: 'af_xdp', device: name })),
    };
  }

  close(): void { this.namespaces.close(); }
}
