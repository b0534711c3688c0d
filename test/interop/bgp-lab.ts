/**
 * A controller's BGP engine with routers around it: the namespace `controller` has a link of its own to each router, and compute
 * nodes' tunnel addresses (10.169.25.0/24) lie behind it.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import pino from 'pino';
import { BgpEngine } from '../../mgmt/controller/bgp/engine.ts';
import { TUNNEL, type PeerSettings, type Speaker, type VpnPath } from '../../mgmt/controller/bgp/types.ts';
import { keyOf, parseAddress } from '../../mgmt/controller/model/address.ts';
import { Namespaces } from '../lab/netns.ts';

export const ASN = 64512;
export const COMPUTE = '10.169.25.20';
export const TARGET = 'target:64512:10000';
export const address = (text: string): number => parseAddress(text)!;

/** Addresses of a router's link: the controller's end and its own. */
export interface Link { controller: string; router: string }

export class BgpLab {
  readonly namespaces = new Namespaces();
  readonly directory = mkdtempSync(join(tmpdir(), 'wrouter-bgp-'));
  readonly #engines: BgpEngine[] = [];
  #links = 0;

  constructor() {
    this.namespaces.add('controller');
  }

  /** A namespace for a router, linked to the controller. */
  router(name: string): Link {
    const link = { controller: `10.169.${++this.#links}.1`, router: `10.169.${this.#links}.2` };
    this.namespaces.add(name);
    this.namespaces.link({ namespace: 'controller', device: `to-${name}` }, { namespace: name, device: 'eth0' });
    this.namespaces.ip('controller', `addr add ${link.controller}/24 dev to-${name}`);
    this.namespaces.ip(name, `addr add ${link.router}/24 dev eth0`);
    this.namespaces.ip(name, `route add 10.169.25.0/24 via ${link.controller}`);
    return link;
  }

  /** Folder of a program of the lab. */
  folder(name: string): string { return join(this.directory, name); }

  async engine(speaker: Partial<Speaker> = {}, namespace = 'controller'): Promise<BgpEngine> {
    const engine = new BgpEngine({
      directory: this.folder(`engine-${namespace}`),
      launcher: ['ip', 'netns', 'exec', this.namespaces.full(namespace)],
      log: pino({ level: process.env.BGP_LOG ?? 'silent' }, pino.destination(2)),
    });
    this.#engines.push(engine);
    await engine.start({ asn: ASN, routerId: address('10.169.25.19'), port: 179, addresses: [], ...speaker });
    return engine;
  }

  async close(): Promise<void> {
    for (const engine of this.#engines) await engine.stop('keep');
    this.namespaces.close();
    rmSync(this.directory, { recursive: true, force: true });
  }
}

export const peerOf = (link: Link, settings: Partial<PeerSettings> = {}): PeerSettings => ({
  address: address(link.router), port: 179, asn: ASN, families: ['ipv4-vpn'], holdTime: 9, password: '', localAddress: 0, client: false, multihop: 0, restartTime: 60, ...settings,
});

export const pathOf = (prefix: string, settings: Partial<VpnPath> = {}): VpnPath => ({
  family: 'ipv4-vpn', distinguisher: `${COMPUTE}:5`, prefix: keyOf(prefix), label: 20, nextHop: address(COMPUTE), targets: [TARGET], encapsulations: [TUNNEL.mplsInGre], localPreference: 100, ...settings,
});

/** Waits until `probe` gives something that is not undefined or false. */
export async function until<T>(what: string, probe: () => T | undefined | false | Promise<T | undefined | false>, limitMs = 25_000): Promise<T> {
  for (const deadline = performance.now() + limitMs; ;) {
    const found = await probe();
    if (found !== undefined && found !== false) return found;
    if (performance.now() > deadline) throw new Error(`not within ${limitMs / 1000} s: ${what}`);
    await sleep(20);
  }
}

/** FRR's side of a session with the engine. */
export const frrConfiguration = (link: Link, { asn = ASN, remote = ASN, more = [] as string[] } = {}): string => `router bgp ${asn}
 bgp router-id ${link.router}
 no bgp default ipv4-unicast
 no bgp ebgp-requires-policy
 bgp graceful-restart
 neighbor ${link.controller} remote-as ${remote}
 neighbor ${link.controller} timers 3 9
 neighbor ${link.controller} timers connect 1
 neighbor ${link.controller} advertisement-interval 0
${more.map((line) => ` neighbor ${link.controller} ${line}\n`).join('')} address-family ipv4 vpn
  neighbor ${link.controller} activate
  neighbor ${link.controller} route-map l3vpn in
 exit-address-family
router bgp ${asn} vrf red
 bgp router-id ${link.router}
 address-family ipv4 unicast
  redistribute connected
  label vpn export 2001
  rd vpn export ${link.router}:1
  rt vpn both 64512:10000
  nexthop vpn export ${link.router}
  export vpn
  import vpn
 exit-address-family
route-map l3vpn permit 10
 set l3vpn next-hop encapsulation gre
`;
