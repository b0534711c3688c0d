/**
 * BGP against real peers in namespaces (root). First the running controller, from the config API to FRR and from a peer to an appliance
 * (bgp/), and what is lost when GoBGP is killed; then its BGP part alone: what we announce until FRR's bgpd shows it, what comes in until it
 * is a path for VRFs (mgmt/controller/bgp/paths.ts).
 */
import { readFileSync } from 'node:fs';
import { Imports } from '../../../mgmt/controller/bgp/paths.ts';
import type { VpnPath } from '../../../mgmt/controller/bgp/types.ts';
import { formatAddress, prefixKey } from '../../../mgmt/controller/model/address.ts';
import { address, BgpLab, COMPUTE, frrConfiguration, pathOf, peerOf, until } from '../../interop/bgp-lab.ts';
import { Frr } from '../../interop/frr.ts';
import * as running from '../bgp/running.ts';
import { quantile, timed } from '../bgp/timing.ts';
import { killedRows } from '../bgp/killed.ts';
import { ROUTES, TELLERS } from '../bgp/tellers.ts';
import type { Group, Row } from '../rows.ts';

const SINGLE = 300;
const FIRST = address('100.64.0.0');
const COMPUTES = 1000;

/** Parts of the group, each alone as root: they make network namespaces. */
export const bgp: Group = {
  'single': (report) => running.single(asRoot(report)),
  'cold': (report) => running.cold(asRoot(report)),
  'received': (report) => running.received(asRoot(report), 'GoBGP'),
  'received-bird': (report) => running.received(asRoot(report), 'BIRD'),
  'received-frr': (report) => running.received(asRoot(report), 'FRR'),
  'killed': (report) => killedRows(asRoot(report)),
  'engine-out': (report) => announced(asRoot(report)),
  'engine-in': (report) => received(asRoot(report), 'GoBGP'),
  'engine-in-bird': (report) => received(asRoot(report), 'BIRD'),
  'engine-in-frr': (report) => received(asRoot(report), 'FRR'),
};

function asRoot<Report>(report: Report): Report {
  if (process.getuid?.() !== 0) throw new Error('the group bgp makes network namespaces: run it as root');
  return report;
}

/** `count` floating IPs, as of a fleet: many computes, a label each. */
const floatingIps = (count: number): VpnPath[] => Array.from({ length: count }, (_, at) => {
  const nextHop = address(COMPUTE) + (at % COMPUTES);
  return pathOf('0.0.0.0/0', { prefix: prefixKey(FIRST + at, 32), distinguisher: `${formatAddress(nextHop)}:5`, nextHop, label: 16 + Math.floor(at / COMPUTES) });
});

async function announced(report: (row: Row) => void): Promise<void> {
  const lab = new BgpLab();
  const link = lab.router('frr');
  const frr = new Frr({ namespaces: lab.namespaces, namespace: 'frr', directory: lab.folder('frr'), configuration: frrConfiguration(link) });
  try {
    await frr.start();
    const engine = await lab.engine();
    await engine.setPeers([peerOf(link)]);
    await until('a session with FRR', async () => (await frr.peer(link.controller)).state === 'Established');
    const [up, down]: [number[], number[]] = [[], []];
    for (const path of floatingIps(SINGLE)) {
      const prefix = `${formatAddress(Math.floor(path.prefix / 64))}/32`;
      up.push(await timed(async () => {
        await engine.announce({ announce: [path], withdraw: [] });
        while ((await frr.vpn(prefix)).length === 0);
      }));
      down.push(await timed(async () => {
        await engine.announce({ announce: [], withdraw: [path] });
        while ((await frr.vpn(prefix)).length > 0);
      }));
    }
    for (const [what, times] of [['announced', up], ['withdrawn', down]] as const) {
      report({ name: `floating IP ${what} → FRR, median of ${SINGLE}`, value: quantile(times, 0.5), unit: 'ms' });
      report({ name: `floating IP ${what} → FRR, p99`, value: quantile(times, 0.99), unit: 'ms', bar: { kind: '≤', limit: 200 } });
    }
    for (const count of [10_000, 100_000]) {
      const paths = floatingIps(count);
      const limit = 120_000;
      const all = await timed(async () => {
        await engine.announce({ announce: paths, withdraw: [] });
        await until(`${count} at FRR`, async () => (await frr.peer(link.controller)).prefixes === count, limit);
      });
      report({ name: `${count} floating IPs announced → FRR`, value: all / 1000, unit: 's', ...(count === 100_000 ? { bar: { kind: '≤', limit: 25 } as const } : {}) });
      if (count === 100_000) report({ name: 'engine with them, RSS', value: rss(engine.pid!), unit: 'MiB' });
      const none = await timed(async () => {
        await engine.announce({ announce: [], withdraw: paths });
        await until('none at FRR', async () => (await frr.peer(link.controller)).prefixes === 0, limit);
      });
      report({ name: `${count} withdrawn → FRR`, value: none / 1000, unit: 's' });
    }
  } finally {
    await frr.stop();
    await lab.close();
  }
}

async function received(report: (row: Row) => void, maker: keyof typeof TELLERS): Promise<void> {
  const lab = new BgpLab();
  const link = lab.router('peer');
  let stop = async (): Promise<void> => {};
  try {
    stop = await TELLERS[maker](lab, link);
    const engine = await lab.engine();
    const imports = new Imports({ destinations: [{ address: address('10.169.0.0'), length: 16 }], own: new Set() });
    let [count, first] = [0, 0];
    const done = new Promise<void>((resolve) => engine.on('received', (changes) => {
      first ||= performance.now();
      count += imports.change(changes, Date.now()).come.length;
      if (count >= ROUTES) resolve();
    }));
    await engine.setPeers([peerOf(link)]);
    await done;
    report({ name: `${ROUTES} VPN routes from ${maker} → paths for VRFs, first to last`, value: (performance.now() - first) / 1000, unit: 's', bar: { kind: '≤', limit: 15 } });
  } finally {
    await stop();
    await lab.close();
  }
}

const rss = (pid: number): number => Number(/VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) / 1024;
