/**
 * The floating-IP chapter with routers of other makers: the controller and a compute appliance with two pods on one side of an
 * underlay that routes, gateways on the other. A gateway is a BGP speaker for the control plane (FRR, BIRD) and Open vSwitch's
 * userspace datapath as its MPLSoGRE data plane, which gets what the speaker learned.
 *
 *   controller 10.169.25.19 ┐                                ┌ gateway 192.168.0.204 (FRR)  ┐
 *                           ├ 10.169.25.1 ▌underlay▐ 192.168.0.1 ┤                              ├ internet 203.0.113.10
 *   compute 10.169.25.20 ───┘                                └ second 192.168.0.205 (BIRD) ┘
 */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { chapter } from '../../examples/chapter.ts';
import { BGP_ROUTERS, SYSTEM } from '../../mgmt/controller/model/kinds.ts';
import type { Object as ConfigObject } from '../../proto/config.ts';
import type { Draft } from '../../proto/load.ts';
import type { VrfPath, VrfRoutesReply } from '../../proto/routing.ts';
import { Appliance } from '../lab/appliance.ts';
import { Controller } from '../lab/controller.ts';
import { freePorts } from '../lab/free-ports.ts';
import { NamespaceHost } from '../lab/hosts.ts';
import { Namespaces } from '../lab/netns.ts';
import type { Network } from '../lab/network.ts';
import { Bird } from './bird.ts';
import { until } from './bgp-lab.ts';
import { Frr } from './frr.ts';
import { OpenVSwitch, type Flows } from './openvswitch.ts';

export const CONTROLLER = '10.169.25.19';
export const COMPUTE = '10.169.25.20';
export const INTERNET = '203.0.113.10';
/** Of the floating IPs' network, as the chapter sets it. */
export const TARGET = '64512:101';
export const VRF = 'k8s-vn-ns-default-pod-network';
export const PODS = [
  { name: 'pod-1', port: 'pod-1', mac: '02:00:0a:20:00:03', address: '10.32.0.3', floatingIp: '101.101.101.3' },
  { name: 'pod-2', port: 'pod-2', mac: '02:00:0a:20:00:04', address: '10.32.0.4', floatingIp: '101.101.101.4' },
] as const;
const POD_GATEWAY = '10.47.255.254';
const FABRIC_MTU = 1600;
const INTERNET_MAC = '02:00:cb:00:71:0a';

/** A gateway of another maker. */
export interface Place { readonly namespace: string; readonly tunnel: string; readonly external: string; readonly mac: string; readonly label: number }
export const GATEWAY: Place = { namespace: 'gateway', tunnel: '192.168.0.204', external: '203.0.113.1', mac: '02:00:cb:00:71:01', label: 2001 };
export const SECOND: Place = { namespace: 'second', tunnel: '192.168.0.205', external: '203.0.113.2', mac: '02:00:cb:00:71:02', label: 4001 };
/** Of our own making. */
export const OWN: Place = { namespace: 'own', tunnel: '192.168.0.203', external: '203.0.113.3', mac: '02:00:cb:00:71:03', label: 0 };

/** A VPN route as a speaker learned it. */
interface Learned { readonly prefix: string; readonly label: number; readonly remote: string }

export class ChapterLab {
  readonly namespaces = new Namespaces();
  readonly directory = mkdtempSync(join(tmpdir(), 'wrouter-chapter-'));
  readonly internet: NamespaceHost;
  readonly pods: readonly NamespaceHost[];
  controller!: Controller;
  compute!: Appliance;
  own!: Appliance;
  readonly frr: Frr;
  readonly bird: Bird;
  readonly #switches = new Map<string, OpenVSwitch>();
  readonly #programming: NodeJS.Timeout[] = [];
  readonly #agents: string[] = [];

  constructor() {
    const { namespaces } = this;
    for (const name of ['underlay', 'outside', 'controller', 'compute', 'internet', GATEWAY.namespace, SECOND.namespace, OWN.namespace]) namespaces.add(name);
    for (const [bridge, address] of [['computes', '10.169.25.1/24'], ['routers', '192.168.0.1/24']] as const) {
      namespaces.ip('underlay', `link add name ${bridge} mtu ${FABRIC_MTU} type bridge`);
      namespaces.ip('underlay', `addr add ${address} dev ${bridge}`);
      namespaces.ip('underlay', `link set dev ${bridge} up`);
    }
    namespaces.run('underlay', 'sh', ['-c', 'echo 1 > /proc/sys/net/ipv4/ip_forward']);
    namespaces.ip('outside', 'link add name switch type bridge');
    namespaces.ip('outside', 'link set dev switch up');
    this.#plug('underlay', 'computes', 'controller', 'eth0');
    this.#plug('underlay', 'computes', 'compute', 'fabric', '02:00:0a:a9:19:14');
    namespaces.ip('controller', `addr add ${CONTROLLER}/24 dev eth0`);
    namespaces.ip('controller', 'route add default via 10.169.25.1');
    for (const { namespace, mac } of [GATEWAY, SECOND, OWN]) {
      this.#plug('underlay', 'routers', namespace, 'fabric', mac.replace('cb:00:71', 'c0:a8:00'));
      this.#plug('outside', 'switch', namespace, 'external', mac);
    }
    this.#plug('outside', 'switch', 'internet', 'eth0', INTERNET_MAC);
    namespaces.ip('internet', `addr add ${INTERNET}/24 dev eth0`);
    namespaces.ip('internet', `route add 101.101.101.0/24 via ${GATEWAY.external}`);
    this.internet = new NamespaceHost(namespaces, 'internet', INTERNET);
    this.pods = PODS.map(({ name, mac, address }) => {
      namespaces.add(name);
      namespaces.link({ namespace: name, device: 'eth0', mac }, { namespace: 'compute', device: name });
      namespaces.ip(name, `addr add ${address}/12 dev eth0`);
      namespaces.ip(name, `route add default via ${POD_GATEWAY}`);
      return new NamespaceHost(namespaces, name, address);
    });
    this.frr = new Frr({ namespaces, namespace: GATEWAY.namespace, directory: join(this.directory, 'frr'), configuration: frrConfiguration, red: [`${GATEWAY.external}/24`] });
    this.bird = new Bird(namespaces, SECOND.namespace, join(this.directory, 'bird'));
  }

  /** Controller and compute appliance, live; no gateway yet. */
  async open(): Promise<void> {
    const [controller, compute, own] = (await freePorts(3)).map((port) => `127.0.0.1:${port}`) as [string, string, string];
    const { directory, namespaces } = this;
    this.controller = new Controller(directory, controller, undefined, ['--bgp-launcher', `ip netns exec ${namespaces.full('controller')}`, '--log-level', process.env.CONTROLLER_LOG ?? 'info']);
    const appliance = (place: 'compute' | 'gateway', namespace: string, operations: string): Appliance => new Appliance({ place, network: this.#network(namespace), directory, controller, operations });
    this.compute = appliance('compute', 'compute', compute);
    this.own = appliance('gateway', OWN.namespace, own);
    await this.controller.issueCertificates([this.compute.name, this.own.name]);
    await this.controller.start();
    await this.put(...objects());
    await this.compute.start();
    await this.inSync(this.compute);
  }

  put(...all: Draft<ConfigObject>[]): Promise<unknown> {
    return this.controller.config.commit({ operations: all.map((put) => ({ put })) });
  }

  async inSync({ name }: Appliance): Promise<void> {
    await until(`${name} in sync`, async () => (await this.controller.config.appliances({})).appliances.find((each) => each.name === name)?.state === 'in-sync', 60_000);
  }

  /** Starts the data plane of a gateway, which from now on forwards by what `learned` says. */
  async forward(place: Place, learned: () => Learned[] | Promise<Learned[]>): Promise<void> {
    const { namespaces } = this;
    const vswitch = new OpenVSwitch(namespaces, place.namespace, join(this.directory, `openvswitch-${place.namespace}`));
    this.#switches.set(place.namespace, vswitch);
    const flows = (out: Learned[]): Flows => ({ insideMac: INTERNET_MAC, routerMac: place.mac, routerAddress: place.external, out, in: place.label });
    await vswitch.start({ namespace: place.namespace, fabricDevice: 'fabric', local: `${place.tunnel}/24`, remote: 'flow', insideDevice: 'external', ...flows([]) });
    namespaces.ip(place.namespace, 'route add 10.169.25.0/24 via 192.168.0.1');
    let programmed = '';
    let busy = false;
    this.#programming.push(setInterval(async () => {
      if (busy) return;
      busy = true;
      const out = await Promise.resolve().then(learned).catch(() => undefined); // the speaker is not there
      if (out && JSON.stringify(out) !== programmed) {
        programmed = JSON.stringify(out);
        vswitch.program(flows(out));
      }
      busy = false;
    }, 100));
  }

  /** Process id of the GoBGP that speaks now, as the controller logs it. */
  speakerPid(): number { return Number([...readFileSync(this.controller.log, 'utf8').matchAll(/"part":"bgp","pid":(\d+)/g)].at(-1)?.[1]); }

  /** Where packets went astray, for a failing test's message. */
  async drops(): Promise<string> {
    const lines: string[] = [this.flows(GATEWAY)];
    for (const appliance of [this.compute, this.own].filter(({ running }) => running)) {
      const { drops } = await appliance.dataplane.counters();
      lines.push(`${appliance.name} drops: ${JSON.stringify(drops)}`);
    }
    return lines.join('\n');
  }

  flows(place: Place): string { return this.#switches.get(place.namespace)?.flows() ?? ''; }

  /** VPN routes that FRR learned for its VRF. */
  async learnedByFrr(): Promise<Learned[]> {
    const { routes } = JSON.parse(await this.frr.show('show bgp ipv4 vpn json')) as { routes?: { routeDistinguishers?: Record<string, Record<string, unknown>> } };
    const prefixes = new Set(Object.values(routes?.routeDistinguishers ?? {}).flatMap((table) => Object.keys(table)));
    const found: Learned[] = [];
    for (const prefix of [...prefixes].sort()) {
      const [path] = (await this.frr.vpn(prefix)).filter(({ communities, nextHop }) => communities.includes(`RT:${TARGET}`) && nextHop !== GATEWAY.tunnel && nextHop !== '0.0.0.0');
      if (path && prefix !== '0.0.0.0/0') found.push({ prefix, label: path.label, remote: path.nextHop });
    }
    return found;
  }

  /** VPN routes that BIRD learned for its table. */
  learnedByBird(): Learned[] {
    const text = this.bird.show('show route table vt all protocol wr');
    const found = [...text.matchAll(/^\S+ (\d+\.\d+\.\d+\.\d+\/\d+) [\s\S]*?BGP\.next_hop: (\S+)[\s\S]*?BGP\.mpls_label_stack: (\d+)/gm)];
    return found.map(([, prefix, remote, label]) => ({ prefix: prefix!, label: Number(label), remote: remote! })).filter(({ prefix }) => prefix !== '0.0.0.0/0');
  }

  /** Paths of the floating IPs' VRF to a prefix, as the controller shows them. */
  async paths(prefix: string): Promise<VrfPath[]> {
    const found: VrfPath[] = [];
    for await (const reply of this.controller.routing.vrfRoutes({ vrf: VRF, prefix })) found.push(...(reply as VrfRoutesReply).routes.flatMap(({ paths }) => paths));
    return found;
  }

  /** Tunnels that the compute appliance's next hops lead through, as "ADDRESS LABEL". */
  async tunnels(appliance: Appliance): Promise<string[]> {
    return (await appliance.table('nexthop')).filter((row) => row['remote'] && row['label']).map((row) => `${row['remote']} ${row['label']}`).sort();
  }

  async close({ keep = false } = {}): Promise<void> {
    for (const timer of this.#programming) clearInterval(timer);
    await Promise.allSettled([this.frr.stop(), this.bird.stop(), this.own?.stop(), this.compute?.stop(), this.controller?.stop()]);
    for (const vswitch of this.#switches.values()) vswitch.stop();
    this.namespaces.close();
    if (!keep) rmSync(this.directory, { recursive: true, force: true });
  }

  #network(namespace: string): Pick<Network, 'command' | 'fabricMtu' | 'ports'> {
    return {
      fabricMtu: FABRIC_MTU,
      command: (_place, program, args) => this.namespaces.command(namespace, program, args),
      ports: (place) => (place === 'gateway' ? ['fabric', 'external'] : ['fabric']).map((name) => ({ name, driver: 'af_xdp', device: name })),
    };
  }

  /** A device in a namespace, on a bridge of another. */
  #plug(at: string, bridge: string, namespace: string, device: string, mac?: string): void {
    const mtu = at === 'underlay' ? FABRIC_MTU : 1500;
    this.namespaces.link({ namespace, device, ...(mac === undefined ? {} : { mac }) }, { namespace: at, device: namespace }, { mtu });
    this.namespaces.ip(at, `link set dev ${namespace} master ${bridge}`);
  }
}

/** The chapter's objects without its gateway. */
function objects(): Draft<ConfigObject>[] {
  const underlay = {
    fabricMtu: FABRIC_MTU, pods: PODS,
    compute: { address: `${COMPUTE}/24`, gateway: '10.169.25.1', port: 'fabric', mac: '02:00:0a:a9:19:14' },
    gateway: { address: `${OWN.tunnel}/24`, gateway: '192.168.0.1', port: 'fabric', mac: OWN.mac.replace('cb:00:71', 'c0:a8:00') },
    external: { address: `${OWN.external}/24`, port: 'external', mac: OWN.mac },
  };
  const all = chapter(underlay);
  ownGateway = all.find(({ virtualRouter }) => virtualRouter?.kind === 'GATEWAY')!;
  return all.filter((object) => object !== ownGateway);
}
/** Our own gateway, for its turn. */
export let ownGateway: Draft<ConfigObject>;

const bgpRouter = (name: string, settings: Draft<ConfigObject>['bgpRouter']): Draft<ConfigObject> => ({ name: `${BGP_ROUTERS}:${name}`, bgpRouter: settings });
export const controlNode = bgpRouter('controller', { kind: 'CONTROL_NODE', address: CONTROLLER });
export const router = ({ namespace, tunnel }: Place): Draft<ConfigObject> => bgpRouter(namespace, { kind: 'ROUTER', address: tunnel, peers: [controlNode.name!], holdTime: 9 });
export const system = (asn: number): Draft<ConfigObject> => ({ name: SYSTEM, globalSystemConfig: { autonomousSystem: asn } });

const frrConfiguration = `router bgp 64512
 bgp router-id ${GATEWAY.tunnel}
 no bgp default ipv4-unicast
 bgp graceful-restart
 neighbor ${CONTROLLER} remote-as 64512
 neighbor ${CONTROLLER} timers 3 9
 neighbor ${CONTROLLER} timers connect 1
 neighbor ${CONTROLLER} advertisement-interval 0
 address-family ipv4 vpn
  neighbor ${CONTROLLER} activate
  neighbor ${CONTROLLER} route-map l3vpn in
 exit-address-family
router bgp 64512 vrf red
 bgp router-id ${GATEWAY.tunnel}
 address-family ipv4 unicast
  redistribute kernel route-map igp
  label vpn export ${GATEWAY.label}
  rd vpn export ${GATEWAY.tunnel}:1
  rt vpn both ${TARGET}
  nexthop vpn export ${GATEWAY.tunnel}
  export vpn
  import vpn
 exit-address-family
route-map l3vpn permit 10
 set l3vpn next-hop encapsulation gre
route-map igp permit 10
 set origin igp
`;

export const birdConfiguration = `router id ${SECOND.tunnel};
vpn4 table vt;
protocol device {}
protocol direct { ipv4; }
protocol static nh { ipv4; route 10.169.25.0/24 via 192.168.0.1; }
protocol static vs { vpn4 { table vt; };
 route ${SECOND.tunnel}:9 0.0.0.0/0 via ${SECOND.tunnel}%'br-u' onlink mpls ${SECOND.label} { bgp_ext_community.add((rt,${TARGET.replace(':', ',')})); }; }
protocol bgp wr { local ${SECOND.tunnel} as 64512; neighbor ${CONTROLLER} as 64512; hold time 9; connect delay time 1; error wait time 1, 2; graceful restart on;
 vpn4 mpls { table vt; import all; export where source = RTS_STATIC; }; }
`;
