/**
 * The lab's wires and hosts, without any appliance on them yet.
 *
 *   internet ── external ▌gateway▐ fabric ══════ fabric ▌compute▐ pod-1 ── pod-1
 *   203.0.113.10                10.169.25.1   10.169.25.20        pod-2 ── pod-2
 *
 * As root each box is a network namespace and each line a veth pair, with AF_XDP in the appliances. Otherwise the appliances exchange
 * Ethernet frames in UDP datagrams over 127.0.0.1 (their `socket` ports), and the hosts are the lab's own.
 */
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { missingNeeds } from '../needs.ts';
import { HostStack } from './host-stack.ts';
import { NamespaceHost, StackHost, type LabHost } from './hosts.ts';
import { Namespaces } from './netns.ts';

export const ADDRESSES = {
  internet: '203.0.113.10',
  external: '203.0.113.1',
  externalLength: 24,
  floatingPrefix: '101.101.101.0/24',
  gatewayTunnel: '10.169.25.1',
  computeTunnel: '10.169.25.20',
  fabricLength: 24,
} as const;

/** Leaves room for a whole pod packet in a tunnel: 1500 + 28. */
const FABRIC_MTU = 1600;
/** Locally administered, with the address of the device in the last four bytes. */
export const MACS = {
  internet: '02:00:cb:00:71:0a',
  gatewayExternal: '02:00:cb:00:71:01',
  gatewayFabric: '02:00:0a:a9:19:01',
  computeFabric: '02:00:0a:a9:19:14',
} as const;

/** Where an appliance stands. */
export type Place = 'gateway' | 'compute';

/** A port as an appliance's profile or its dataplane's AttachPort wants it. */
export interface PortPlace {
  name: string;
  driver: 'af_xdp' | 'socket';
  device: string;
}

export interface PodPlace {
  name: string;
  /** With the length of its network's prefix. */
  address: string;
  gateway: string;
  mac: string;
}

export interface Network {
  readonly kind: 'namespaces' | 'sockets';
  readonly internet: LabHost;
  readonly fabricMtu: number;
  /** What the profile of an appliance names. */
  ports(place: Place): PortPlace[];
  /** Command line that runs a program where an appliance's devices are. */
  command(place: Place, program: string, args: string[]): [string, string[]];
  /** Gives a workload its wire: the host, and the port of it on the compute appliance. */
  addPod(place: PodPlace): Promise<{ host: LabHost; port: PortPlace }>;
  close(): void;
}

export interface NetworkOptions {
  /** The fabric is a bridge in a namespace of its own, where a capture sees it (an AF_XDP port is invisible to captures). */
  tappedFabric?: boolean;
  /** Of the fabric's devices; 1528 or more carries a pod's packets whole. */
  fabricMtu?: number;
}

/** The kind of network that this machine allows, and why not the better one. */
export function networkKind(): { kind: Network['kind']; reason?: string } {
  const missing = missingNeeds(new Set(['netns'])).get('netns');
  return missing === undefined ? { kind: 'namespaces' } : { kind: 'sockets', reason: missing.reason };
}

export class NamespaceNetwork implements Network {
  readonly kind = 'namespaces';
  readonly namespaces = new Namespaces();
  readonly internet: NamespaceHost;
  readonly fabricMtu: number;

  constructor({ tappedFabric = false, fabricMtu = FABRIC_MTU }: NetworkOptions = {}) {
    const { namespaces } = this;
    this.fabricMtu = fabricMtu;
    for (const name of ['internet', 'gateway', 'compute']) namespaces.add(name);
    namespaces.link({ namespace: 'internet', device: 'eth0', mac: MACS.internet }, { namespace: 'gateway', device: 'external', mac: MACS.gatewayExternal });
    const ends = [
      { namespace: 'gateway', device: 'fabric', mac: MACS.gatewayFabric },
      { namespace: 'compute', device: 'fabric', mac: MACS.computeFabric },
    ] as const;
    if (tappedFabric) {
      namespaces.add('fabric');
      namespaces.ip('fabric', `link add name switch mtu ${fabricMtu} type bridge`);
      for (const end of ends) {
        namespaces.link(end, { namespace: 'fabric', device: end.namespace }, { mtu: fabricMtu });
        namespaces.ip('fabric', `link set dev ${end.namespace} master switch`);
      }
      namespaces.ip('fabric', 'link set dev switch up');
    } else namespaces.link(...ends, { mtu: fabricMtu });
    namespaces.ip('internet', `addr add ${ADDRESSES.internet}/${ADDRESSES.externalLength} dev eth0`);
    namespaces.ip('internet', `route add ${ADDRESSES.floatingPrefix} via ${ADDRESSES.external}`);
    this.internet = new NamespaceHost(namespaces, 'internet', ADDRESSES.internet);
  }

  ports(place: Place): PortPlace[] {
    const names = place === 'gateway' ? ['fabric', 'external'] : ['fabric'];
    return names.map((name) => ({ name, driver: 'af_xdp', device: name }));
  }

  command(place: Place, program: string, args: string[]): [string, string[]] {
    return this.namespaces.command(place, program, args);
  }

  async addPod({ name, address, gateway, mac }: PodPlace): Promise<{ host: NamespaceHost; port: PortPlace }> {
    this.namespaces.add(name);
    this.namespaces.link({ namespace: name, device: 'eth0', mac }, { namespace: 'compute', device: name });
    this.namespaces.ip(name, `addr add ${address} dev eth0`);
    this.namespaces.ip(name, `route add default via ${gateway}`);
    const [alone] = address.split('/') as [string];
    return { host: new NamespaceHost(this.namespaces, name, alone), port: { name, driver: 'af_xdp', device: name } };
  }

  close(): void {
    this.namespaces.close();
  }
}

/** Two ends of a wire of datagrams: UDP ports on 127.0.0.1. */
type Wire = readonly [number, number];

export class SocketNetwork implements Network {
  readonly kind = 'sockets';
  readonly fabricMtu = FABRIC_MTU;
  readonly internet: StackHost;
  readonly #stacks: HostStack[];
  readonly #external: Wire;
  readonly #fabric: Wire;

  private constructor(external: Wire, fabric: Wire, internet: HostStack) {
    this.#external = external;
    this.#fabric = fabric;
    this.#stacks = [internet];
    this.internet = new StackHost(internet, 'internet', ADDRESSES.internet);
  }

  static async open(): Promise<SocketNetwork> {
    const [external, fabric] = [await freeWire(), await freeWire()];
    const internet = await HostStack.open({
      address: ADDRESSES.internet, prefixLength: ADDRESSES.externalLength, gateway: ADDRESSES.external, mac: MACS.internet,
      localPort: external[0], peerPort: external[1],
    });
    return new SocketNetwork(external, fabric, internet);
  }

  ports(place: Place): PortPlace[] {
    if (place === 'compute') return [socketPort('fabric', this.#fabric[1], this.#fabric[0])];
    return [socketPort('fabric', ...this.#fabric), socketPort('external', this.#external[1], this.#external[0])];
  }

  command(_place: Place, program: string, args: string[]): [string, string[]] {
    return [program, args];
  }

  async addPod({ name, address, gateway, mac }: PodPlace): Promise<{ host: StackHost; port: PortPlace }> {
    const [localPort, peerPort] = await freeWire();
    const [alone, length] = address.split('/') as [string, string];
    const stack = await HostStack.open({ address: alone, prefixLength: Number(length), gateway, mac, localPort, peerPort });
    this.#stacks.push(stack);
    return { host: new StackHost(stack, name, alone), port: socketPort(name, peerPort, localPort) };
  }

  close(): void {
    for (const stack of this.#stacks.splice(0)) stack.close();
  }
}

function socketPort(name: string, own: number, peer: number): PortPlace {
  return { name, driver: 'socket', device: `127.0.0.1:${own},127.0.0.1:${peer}` };
}

async function freeWire(): Promise<Wire> {
  const sockets = [createSocket('udp4'), createSocket('udp4')] as const;
  for (const socket of sockets) {
    socket.bind(0, '127.0.0.1');
    await once(socket, 'listening');
  }
  const wire = sockets.map((socket) => socket.address().port) as [number, number];
  await Promise.all(sockets.map((socket) => new Promise<void>((resolve) => socket.close(resolve))));
  return wire;
}
