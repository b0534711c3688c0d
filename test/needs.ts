/** What a test file can ask of the machine (`// needs: …`), and how to find it. */
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { isBuilt } from './lab/kubernetes/build.ts';

export interface Missing {
  readonly reason: string;
  /** True when the file asks for what nobody knows: then it fails instead of being left out. */
  readonly broken: boolean;
}

interface Need {
  readonly present: () => boolean;
  readonly reason: string;
}

const succeeds = (command: string, ...args: string[]): boolean => spawnSync(command, args, { stdio: 'ignore' }).status === 0;
const inPath = (command: string): boolean => succeeds('sh', '-c', `PATH=$PATH:/usr/sbin:/sbin command -v ${command}`);
const isRoot = (): boolean => process.getuid?.() === 0;

const NEEDS: Readonly<Record<string, Need>> = {
  linux: { present: () => process.platform === 'linux', reason: `needs Linux, this is ${process.platform}` },
  root: { present: isRoot, reason: 'needs root' },
  netns: {
    present: () => isRoot() && ['ip', 'ethtool', 'ping'].every(inPath) && succeeds('sh', '-c', 'ip netns add wr-probe-$$ && ip netns del wr-probe-$$'),
    reason: 'needs root, ip, ethtool, ping and network namespaces',
  },
  openvswitch: {
    present: () => inPath('ovs-vswitchd') && inPath('ovsdb-server'),
    reason: 'needs Open vSwitch (openvswitch-switch)',
  },
  etcd: { present: () => inPath('etcd'), reason: 'needs etcd (etcd-server)' },
  gobgp: { present: () => inPath('gobgpd'), reason: 'needs GoBGP (gobgpd)' },
  frr: { present: () => existsSync('/usr/lib/frr/bgpd'), reason: 'needs FRRouting (frr)' },
  bird: { present: () => inPath('bird'), reason: 'needs BIRD 2 (bird2)' },
  scapy: { present: () => succeeds('/usr/bin/python3', '-c', 'import scapy.all'), reason: 'needs scapy (python3-scapy)' },
  tshark: { present: () => inPath('tshark'), reason: 'needs tshark' },
  'cni-plugins': { present: () => ['bridge', 'portmap'].every((name) => existsSync(`/usr/lib/cni/${name}`)) && inPath('iptables'), reason: 'needs the reference CNI plugins (containernetworking-plugins, iptables)' },
  gcc: { present: () => inPath('gcc'), reason: 'needs gcc' },
  // Building them takes minutes of every core: not as part of a test.
  kubernetes: { present: () => isBuilt() && inPath('etcd') && inPath('kubectl'), reason: 'needs kubectl and a built API server (`npm run lab:kubernetes -- --once` brings both)' },
  openssl: { present: () => inPath('openssl'), reason: 'needs openssl' },
};

/**
 * Checks what test files ask for. As root on Debian `npm test` has installed the programs before (firmware/bootstrap.mjs).
 *
 * @returns why not, for each need that is not met
 */
export function missingNeeds(names: ReadonlySet<string>): Map<string, Missing> {
  const missing = new Map<string, Missing>();
  for (const name of names) {
    const need = NEEDS[name];
    if (need === undefined) missing.set(name, { reason: `needs "${name}", which test/needs.ts does not know (${Object.keys(NEEDS).join(', ')})`, broken: true });
    else if (!need.present()) missing.set(name, { reason: need.reason, broken: false });
  }
  return missing;
}
