/**
 * Open vSwitch's userspace datapath as one end of an MPLSoGRE tunnel: a private instance (own database, sockets and logs) inside a
 * namespace of the lab, needing no kernel module.
 *
 * `br-u` holds the fabric device and the tunnel's source address, and resolves neighbours; `br-i` holds the inside device and the GRE
 * port. The inside device gets the payload's Ethernet header from the flows below.
 */
import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Namespaces } from '../lab/netns.ts';

export interface TunnelEnd extends Flows {
  namespace: string;
  /** Device towards the fabric, and the address that the tunnel starts from, e.g. "10.169.25.1/24". */
  fabricDevice: string;
  local: string;
  /** Where the tunnel leads; 'flow': where each of `out` says. */
  remote: string;
  /** Device towards the inside host. */
  insideDevice: string;
}

export interface Flows {
  /** What the inside host is reached by: the Ethernet addresses of the frames sent to it. */
  insideMac: string;
  routerMac: string;
  /** The router's address, which it answers ARP for; left out where the wire has nobody else: it then answers for all. */
  routerAddress?: string;
  /** Packets to these IPv4 prefixes enter the tunnel under this label. */
  out: { prefix: string; label: number; remote?: string }[];
  /** Label under which the other end sends to us. */
  in: number;
}

export class OpenVSwitch {
  readonly #namespaces: Namespaces;
  readonly #namespace: string;
  readonly #directory: string;
  readonly #environment: NodeJS.ProcessEnv;
  #pids: number[] = [];

  constructor(namespaces: Namespaces, namespace: string, directory: string) {
    this.#namespaces = namespaces;
    this.#namespace = namespace;
    this.#directory = directory;
    this.#environment = { ...process.env, OVS_RUNDIR: directory, OVS_LOGDIR: directory, OVS_DBDIR: directory };
    mkdirSync(directory, { recursive: true });
  }

  async start(end: TunnelEnd): Promise<void> {
    const database = join(this.#directory, 'conf.db');
    const socket = join(this.#directory, 'db.sock');
    this.#run('ovsdb-tool', 'create', database, '/usr/share/openvswitch/vswitch.ovsschema');
    this.#run('ovsdb-server', database, `--remote=punix:${socket}`, '--pidfile', '--detach', '--log-file');
    this.#run('ovs-vswitchd', `unix:${socket}`, '--disable-system', '--pidfile', '--detach', '--log-file');
    this.#pids = ['ovs-vswitchd', 'ovsdb-server'].map((name) => Number(this.#run('cat', join(this.#directory, `${name}.pid`))));

    const [local] = end.local.split('/') as [string];
    const vsctl = (...args: string[]): string => this.#run('ovs-vsctl', `--db=unix:${socket}`, ...args);
    vsctl('add-br', 'br-u', '--', 'set', 'bridge', 'br-u', 'datapath_type=netdev');
    vsctl('add-port', 'br-u', end.fabricDevice);
    vsctl('add-br', 'br-i', '--', 'set', 'bridge', 'br-i', 'datapath_type=netdev', 'fail-mode=secure', 'protocols=OpenFlow15');
    vsctl('add-port', 'br-i', end.insideDevice, '--', 'set', 'interface', end.insideDevice, 'ofport_request=1');
    vsctl('add-port', 'br-i', 'g0', '--', 'set', 'interface', 'g0', 'type=gre', `options:remote_ip=${end.remote}`, `options:local_ip=${local}`,
      'options:packet_type=legacy_l3', 'ofport_request=2');
    this.#namespaces.ip(this.#namespace, `addr add ${end.local} dev br-u`);
    this.#namespaces.ip(this.#namespace, 'link set dev br-u up');
    this.program(end);
    await sleep(200); // its first revalidation
  }

  /** These flows and no others. */
  program(wanted: Flows): void {
    const file = join(this.#directory, 'flows');
    writeFileSync(file, `${flows(wanted).join('\n')}\n`);
    this.#run('ovs-ofctl', '-O', 'OpenFlow15', 'replace-flows', join(this.#directory, 'br-i.mgmt'), file);
  }

  /** Counters of the flows, for a failing test's message. */
  flows(): string {
    return this.#run('ovs-ofctl', '-O', 'OpenFlow15', 'dump-flows', join(this.#directory, 'br-i.mgmt'));
  }

  stop(): void {
    for (const pid of this.#pids.splice(0)) {
      try {
        process.kill(pid, 'SIGKILL');
      } catch {
        // It ended by itself.
      }
    }
  }

  #run(command: string, ...args: string[]): string {
    const [program, rest] = this.#namespaces.command(this.#namespace, command, args);
    return execFileSync(program, rest, { encoding: 'utf8', env: this.#environment, stdio: ['ignore', 'pipe', 'pipe'] });
  }
}

function flows({ out, in: label, insideMac, routerMac, routerAddress }: Flows): string[] {
  return [
    // The Ethernet header must go before a label comes, or it would travel inside.
    ...out.map(({ prefix, label: push, remote }) =>
      `priority=10,in_port=1,ip,nw_dst=${prefix},actions=dec_ttl,decap(),encap(mpls),set_mpls_label:${push},set_mpls_ttl:64,${remote ? `set_field:${remote}->tun_dst,` : ''}output:2`),
    `priority=10,in_port=2,mpls,mpls_label=${label},mpls_bos=1,actions=pop_mpls:0x0800,set_field:${insideMac}->eth_dst,set_field:${routerMac}->eth_src,output:1`,
    // The inside host asks for its router by ARP; the answer is the request turned round (Open vSwitch FAQ).
    `priority=10,in_port=1,arp,arp_op=1,${routerAddress === undefined ? '' : `arp_tpa=${routerAddress},`}actions=move:eth_src->eth_dst,set_field:${routerMac}->eth_src,set_field:2->arp_op,move:arp_sha->arp_tha,` +
      `set_field:${routerMac}->arp_sha,move:arp_spa->reg0,move:arp_tpa->arp_spa,move:reg0->arp_tpa,in_port`,
  ];
}
