/** The kernel's own IPv4 forwarding: one route, static neighbours, no filter; steered to the forwarding processor (RPS). */
import type { Namespaces } from '../../lab/netns.ts';
import { FORWARDING_PROCESSOR, softirqSeconds, type Contestant, type Usage } from './contestant.ts';
import { buildPath, DESTINATIONS, FABRIC_LENGTH, INSIDE, LOCAL, OUTSIDE, REMOTE, ROUTER_ADDRESS, SINK_MAC } from './path.ts';

export class KernelForwarding implements Contestant {
  readonly name = 'kernel';
  readonly place = 'kernel';
  readonly overhead = 0;

  static start(namespaces: Namespaces): KernelForwarding {
    const name = 'kernel';
    buildPath(namespaces, name);
    namespaces.ip(name, `address add ${ROUTER_ADDRESS}/12 dev ${INSIDE}`);
    namespaces.ip(name, `address add ${LOCAL}/${FABRIC_LENGTH} dev ${OUTSIDE}`);
    namespaces.ip(name, `neighbour replace ${REMOTE} lladdr ${SINK_MAC} dev ${OUTSIDE} nud permanent`);
    namespaces.ip(name, `route add ${DESTINATIONS} via ${REMOTE}`);
    // Without RPS a veth's receiving side works on the sender's processor, which the sender needs.
    namespaces.run(name, 'sh', ['-c', `echo 1 > /proc/sys/net/ipv4/ip_forward; echo ${(1 << FORWARDING_PROCESSOR).toString(16)} > /sys/class/net/${INSIDE}/queues/rx-0/rps_cpus`]);
    return new KernelForwarding();
  }

  async usage(): Promise<Usage> {
    return { cpu: softirqSeconds(FORWARDING_PROCESSOR) * 1e9 };
  }

  async stop(): Promise<void> {}
}
