/** What a test file can ask of the machine (`// needs: …`), how to find it, and which Debian packages bring it. */
import { spawnSync } from 'node:child_process';

export interface Missing {
  readonly reason: string;
  /** True when it should have been here: then its tests fail instead of being left out. */
  readonly broken: boolean;
}

interface Need {
  readonly present: () => boolean;
  readonly reason: string;
  readonly packages: readonly string[];
}

const succeeds = (command: string, ...args: string[]): boolean => spawnSync(command, args, { stdio: 'ignore' }).status === 0;
const inPath = (command: string): boolean => succeeds('sh', '-c', `PATH=$PATH:/usr/sbin:/sbin command -v ${command}`);
const isRoot = (): boolean => process.getuid?.() === 0;

const NEEDS: Readonly<Record<string, Need>> = {
  linux: { present: () => process.platform === 'linux', reason: `needs Linux, this is ${process.platform}`, packages: [] },
  root: { present: isRoot, reason: 'needs root', packages: [] },
  netns: {
    present: () => isRoot() && ['ip', 'ethtool', 'ping'].every(inPath) && succeeds('sh', '-c', 'ip netns add wr-probe-$$ && ip netns del wr-probe-$$'),
    reason: 'needs root, ip, ethtool, ping and network namespaces',
    packages: ['iproute2', 'ethtool', 'iputils-ping'],
  },
  openvswitch: {
    present: () => inPath('ovs-vswitchd') && inPath('ovsdb-server'),
    reason: 'needs Open vSwitch (openvswitch-switch)',
    packages: ['openvswitch-switch'],
  },
  scapy: { present: () => succeeds('/usr/bin/python3', '-c', 'import scapy.all'), reason: 'needs scapy (python3-scapy)', packages: ['python3-scapy'] },
  tshark: { present: () => inPath('tshark'), reason: 'needs tshark', packages: ['tshark'] },
  gcc: { present: () => inPath('gcc'), reason: 'needs gcc', packages: ['gcc', 'libc6-dev'] },
  openssl: { present: () => inPath('openssl'), reason: 'needs openssl', packages: ['openssl'] },
};

/**
 * Checks the needs, after installing what Debian packages can bring where that is possible.
 *
 * @returns why not, for each need that is not met
 */
export function availableNeeds(names: ReadonlySet<string>): Map<string, Missing> {
  const lacking = [...names].filter((name) => NEEDS[name] !== undefined && !NEEDS[name].present());
  const packages = lacking.flatMap((name) => NEEDS[name]?.packages ?? []);
  const canInstall = isRoot() && inPath('apt-get');
  if (packages.length > 0 && canInstall) installPackages(packages);

  const missing = new Map<string, Missing>();
  for (const name of names) {
    const need = NEEDS[name];
    if (need === undefined) {
      missing.set(name, { reason: `needs "${name}", which test/needs.ts does not know (${Object.keys(NEEDS).join(', ')})`, broken: true });
    } else if (!need.present()) {
      missing.set(name, { reason: need.reason, broken: canInstall && need.packages.length > 0 });
    }
  }
  return missing;
}

function installPackages(packages: readonly string[]): void {
  process.stdout.write(`installing ${packages.join(' ')}\n`);
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  spawnSync('apt-get', ['-q', 'update'], { stdio: 'ignore', env });
  const install = spawnSync('apt-get', ['-q', '-y', '--no-install-recommends', 'install', ...packages], { encoding: 'utf8', env });
  if (install.status !== 0) process.stdout.write(`apt-get could not install them: ${install.stderr.trim().split('\n').at(-1) ?? ''}\n`);
}
