/**
 * Where a contestant stands: `source ─(veth)─ its own namespace ─(veth)─ sink`. Source and sink are the same for all; their kernels
 * only carry: the source sends past its queueing discipline, the sink drops IPv4 at ingress, before its IP layer.
 */
import type { Namespaces } from '../../lab/netns.ts';
import * as frame from '../../fixtures/frame.ts';
import { packFrames } from './sender.ts';

export const SOURCE = 'source';
export const SINK = 'sink';
/** Devices of the contestant's namespace. The kernel's receiving thread bears the name of the inside one: no other run has it. */
export const INSIDE = `in${process.pid}`;
export const OUTSIDE = 'out0';

export const SOURCE_MAC = '02:00:00:00:01:01';
export const INSIDE_MAC = '02:00:00:00:01:02';
export const OUTSIDE_MAC = '02:00:00:00:02:01';
export const SINK_MAC = '02:00:00:00:02:02';

/** Pods of the source, one for each floating IP, and the router that they know. */
export const PODS = 64;
export const podAddress = (pod: number): string => `10.32.0.${1 + pod}`;
export const floatingIp = (pod: number): string => `203.0.113.${1 + pod}`;
export const ROUTER_ADDRESS = '10.32.255.254';
/** Where all traffic goes. */
export const DESTINATIONS = '198.51.100.0/24';
/** Ends of the tunnel, and the kernel's next hop. */
export const LOCAL = '10.0.0.1';
export const REMOTE = '10.0.0.2';
export const FABRIC_LENGTH = 24;
/** Room for a tunnelled packet of a frame of 1,500 bytes. */
export const FABRIC_MTU = 1600;
/** IPv4, GRE and one label. */
export const TUNNEL_BYTES = 28;

const FLOWS = 1024;

/** Makes source and sink. */
export function buildEnds(namespaces: Namespaces): void {
  namespaces.add(SOURCE);
  namespaces.add(SINK);
  namespaces.run(SINK, 'nft', ['add', 'table', 'netdev', 'sink']);
}

/** Makes the namespace of a contestant and joins it to source and sink, by devices of its name there. */
export function buildPath(namespaces: Namespaces, name: string): void {
  namespaces.add(name);
  namespaces.link({ namespace: SOURCE, device: name, mac: SOURCE_MAC }, { namespace: name, device: INSIDE, mac: INSIDE_MAC });
  namespaces.link({ namespace: name, device: OUTSIDE, mac: OUTSIDE_MAC }, { namespace: SINK, device: name, mac: SINK_MAC }, { mtu: FABRIC_MTU });
  for (const [namespace, device] of [[SOURCE, name], [name, INSIDE], [name, OUTSIDE], [SINK, name]] as const) {
    namespaces.run(namespace, 'ethtool', ['-K', device, 'gro', 'off']);
  }
  // Not ARP: a contestant may ask for the sink.
  namespaces.run(SINK, 'nft', [`add chain netdev sink ${name} { type filter hook ingress device ${name} priority 0; policy accept; }; add rule netdev sink ${name} meta protocol ip drop`]);
}

/** Frames of a length (in bytes, from the Ethernet header on) for sender.c: UDP of many flows from all pods. */
export function traffic(length: number): Buffer {
  return packFrames(Array.from({ length: FLOWS }, (_, flow) => {
    const ends = { src: podAddress(flow % PODS), dst: `198.51.100.${(flow * 7) % 256}` };
    const datagram = frame.udp({ ...ends, sport: 1024 + flow, dport: 53 }, frame.counting(length - 14 - 20 - 8));
    return frame.ethernet({ src: SOURCE_MAC, dst: INSIDE_MAC }, frame.ipv4({ ...ends, protocol: 17 }, datagram));
  }));
}

export interface Arrived { readonly packets: number; readonly bytes: number }

/** What has come to the sink from a contestant so far. */
export function arrived(namespaces: Namespaces, name: string): Arrived {
  const [packets = Number.NaN, bytes = Number.NaN] = namespaces
    .run(SINK, 'cat', ['rx_packets', 'rx_bytes'].map((counter) => `/sys/class/net/${name}/statistics/${counter}`)).trim().split('\n').map(Number);
  return { packets, bytes };
}
