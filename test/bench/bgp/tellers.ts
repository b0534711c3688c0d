/**
 * Routers that tell 100,000 VPN routes, each of another maker, with all of them ready before the session: GoBGP writes an UPDATE for
 * each route; BIRD packs a hundred into one (those of a next hop and label, of a thousand); FRR fills its UPDATEs (a provider edge
 * with one label for its VRF).
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { VpnPath } from '../../../mgmt/controller/bgp/types.ts';
import { formatAddress, prefixKey } from '../../../mgmt/controller/model/address.ts';
import { address, ASN, frrConfiguration, pathOf, peerOf, until, type BgpLab, type Link } from '../../interop/bgp-lab.ts';
import { Bird } from '../../interop/bird.ts';
import { Frr } from '../../interop/frr.ts';

export const ROUTES = 100_000;
export const TARGET = 'target:64512:101';
/** Where their next hops are. */
export const NEXT_HOPS = '10.169.128.0/17';
const HOPS = 1000;
const LABEL = 5000;
const PREPARING_MS = 120_000;
const COUNT_MS = 1000;

const prefixOf = (at: number): number => address('100.64.0.0') + at;
const hopOf = (at: number): number => address('10.169.128.1') + (at % HOPS);
const labelOf = (at: number): number => LABEL + (at % HOPS);

/** @returns how to end it. */
type Teller = (lab: BgpLab, link: Link) => Promise<() => Promise<void>>;

export const TELLERS: Readonly<Record<'GoBGP' | 'BIRD' | 'FRR', Teller>> = {
  GoBGP: async (lab, link) => {
    const peer = await lab.engine({ routerId: address(link.router) }, 'peer');
    const told = Array.from({ length: ROUTES }, (_, at): VpnPath => pathOf('0.0.0.0/0', { prefix: prefixKey(prefixOf(at), 32), nextHop: hopOf(at), label: labelOf(at), targets: [TARGET], distinguisher: '192.0.2.1:1' }));
    await peer.announce({ announce: told, withdraw: [] });
    // A router that has been up for long does not wait for others' End-of-RIB before it tells its own.
    await peer.setPeers([{ ...peerOf(link), address: address(link.controller), restartTime: 0 }]);
    return async () => {}; // the lab ends it
  },

  BIRD: async (lab, link) => {
    const bird = new Bird(lab.namespaces, 'peer', lab.folder('bird'));
    await bird.start(`router id ${link.router};
vpn4 table vt;
protocol device {}
protocol direct { ipv4; }
protocol static told { vpn4 { table vt; };
${Array.from({ length: ROUTES }, (_, at) => `route 192.0.2.1:1 ${formatAddress(prefixOf(at))}/32 via ${formatAddress(hopOf(at))}%eth0 onlink mpls ${labelOf(at)};`).join('\n')} }
protocol bgp wr { local ${link.router} as ${ASN}; neighbor ${link.controller} as ${ASN}; hold time 30; connect delay time 1; error wait time 1, 2; graceful restart on;
 vpn4 mpls { table vt; import none; export filter { if source != RTS_STATIC then reject; bgp_ext_community.add((rt,${TARGET.split(':').slice(1).join(',')})); accept; }; }; }
`);
    return () => bird.stop();
  },

  FRR: async (lab, link) => {
    const directory = lab.folder('frr');
    const configuration = frrConfiguration(link).replace('redistribute connected', 'redistribute kernel').replace(/rt vpn both .*/, `rt vpn both ${TARGET.slice('target:'.length)}`);
    const frr = new Frr({ namespaces: lab.namespaces, namespace: 'peer', directory, configuration, red: ['192.0.2.1/24'] });
    await frr.start();
    try {
      const batch = join(directory, 'routes');
      writeFileSync(batch, Array.from({ length: ROUTES }, (_, at) => `route add ${formatAddress(prefixOf(at))} via 192.0.2.2\n`).join(''));
      frr.red(`-batch ${batch}`);
      await until(`${ROUTES} routes exported by FRR`, async () => {
        await sleep(COUNT_MS); // it counts them one by one, and does nothing else meanwhile
        return (await frr.exported()) >= ROUTES;
      }, PREPARING_MS);
    } catch (error) {
      await frr.stop();
      throw error;
    }
    return () => frr.stop();
  },
};
