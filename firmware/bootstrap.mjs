/**
 * Runs a script of this tree on a fresh machine with nothing but Node ≥ 20:
 *
 *   node firmware/bootstrap.mjs [--development] [--kubernetes] [--build-only] [SCRIPT ARGUMENTS…]
 *
 * Installs npm packages when they are missing or the lock file changed; as root on Debian the programs that the tree calls
 * (PROGRAMS; with --development and --kubernetes those for that); builds the core and the CNI plugin when their sources
 * changed; then runs SCRIPT on the pinned Node and ends as it ends. Says nothing, and takes well below half a second, when there is nothing to do. Plain JavaScript without
 * imports from packages, because it runs before they are there.
 */
import { spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { accessSync, constants, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
/** First version that runs TypeScript by stripping types, without a flag, as this tree needs it. */
const MINIMUM_NODE = [22, 18];

/** Programs by the Debian package that brings them, and what they are for if not for all; `file`: something that is no program in PATH. */
const PROGRAMS = [
  { program: 'ip', package: 'iproute2' },
  { program: 'ethtool', package: 'ethtool' },
  { program: 'gcc', package: 'gcc', for: ['development', 'kubernetes'] },
  { file: '/usr/include/stdio.h', package: 'libc6-dev', for: ['development', 'kubernetes'] },
  { program: 'ovs-vswitchd', package: 'openvswitch-switch', for: ['development'] },
  { program: 'tshark', package: 'tshark', for: ['development'] },
  { program: 'tcpdump', package: 'tcpdump', for: ['development'] },
  { file: '/usr/lib/python3/dist-packages/scapy', package: 'python3-scapy', for: ['development'] },
  { program: 'nft', package: 'nftables', for: ['development'] },
  { program: 'iperf3', package: 'iperf3', for: ['development'] },
  { program: 'openssl', package: 'openssl', for: ['development'] },
  { program: 'gobgpd', package: 'gobgpd', for: ['development'] },
  { file: '/usr/lib/frr/bgpd', package: 'frr', for: ['development'] },
  { program: 'etcd', package: 'etcd-server', for: ['development', 'kubernetes'] },
  { program: 'bird', package: 'bird2', for: ['development'] },
  { file: '/usr/lib/cni/bridge', package: 'containernetworking-plugins', for: ['development', 'kubernetes'] },
  { program: 'ping', package: 'iputils-ping' },
  { file: '/usr/lib/cni/portmap', package: 'containernetworking-plugins', development: true },
  { program: 'iptables', package: 'iptables', development: true },
  // Not where kubectl comes from elsewhere: such packages and Debian's exclude each other.
  { program: 'kubectl', package: 'kubernetes-client', for: ['kubernetes'] },
  // The API server is built from source (test/lab/kubernetes/build-api-server.sh).
  { program: 'dpkg-source', package: 'dpkg-dev', for: ['kubernetes'] },
  { program: 'go', package: 'golang-go', for: ['kubernetes'] },
  { file: '/usr/share/gocode/src/github.com/modern-go/reflect2', package: 'golang-github-modern-go-reflect2-dev', for: ['kubernetes'] },
];
/** Debian keeps some of them where a plain user's PATH does not look. */
const PATH = [...(process.env.PATH ?? '').split(delimiter), '/usr/sbin', '/sbin'];

/** What the core is made of: a change of any of them makes it anew. */
const CORE_SOURCES = ['wasm-core', 'asconfig.json', 'node_modules/assemblyscript/package.json'];
const CORE_STAMP = join(ROOT, 'build/core.stamp');
/** What the CNI plugin is made of. */
const PLUGIN_SOURCES = ['mgmt/cni', 'mgmt/agent/cni/versions.ts'];
const PLUGIN_STAMP = join(ROOT, 'build/cni.stamp');
const INSTALL_STAMP = join(ROOT, 'node_modules/.wrouter-installed');

function main() {
  const args = process.argv.slice(2);
  const flags = new Set();
  while (args[0]?.startsWith('--')) flags.add(args.shift());
  for (const flag of flags) {
    if (!['--development', '--kubernetes', '--build-only'].includes(flag)) fail(`bootstrap: ${flag} is unknown; --development, --kubernetes and --build-only are`);
  }
  const [script, ...rest] = args;
  if (script === undefined && !flags.has('--build-only')) fail('usage: node firmware/bootstrap.mjs [--development] [--kubernetes] [--build-only] SCRIPT ARGUMENTS…');
  installPackages();
  installPrograms(['development', 'kubernetes'].filter((purpose) => flags.has(`--${purpose}`)));
  const node = pinnedNode();
  buildCore(node);
  buildPlugin(node);
  if (!flags.has('--build-only')) run(node, script, rest);
}

/** npm ci, when the lock file is not the one that was installed from. */
function installPackages() {
  const wanted = hashOf(['package-lock.json']);
  if (readText(INSTALL_STAMP) === wanted) return;
  if (!existsSync(INSTALL_STAMP) && isInstalled()) return writeFileSync(INSTALL_STAMP, wanted);
  say('installing npm packages');
  const result = spawnSync('npm', ['ci', '--no-audit', '--no-fund', '--loglevel=error'], { cwd: ROOT, stdio: ['ignore', 2, 2], shell: process.platform === 'win32' });
  if (result.status !== 0) fail('bootstrap: `npm ci` failed: is the npm registry reachable? Its own words are above');
  writeFileSync(INSTALL_STAMP, wanted);
}

/** True when npm itself has installed exactly what the lock file names: its own record of that is newer than the lock. */
function isInstalled() {
  const record = readText(join(ROOT, 'node_modules/.package-lock.json'));
  if (record === '') return false;
  const installed = JSON.parse(record).packages;
  const wanted = JSON.parse(readFileSync(join(ROOT, 'package-lock.json'), 'utf8')).packages;
  return Object.entries(wanted).every(([path, entry]) => path === '' || entry.optional || installed[path]?.version === entry.version);
}

/** As root where there is apt; elsewhere what is missing is left to who needs it, and to say so. */
function installPrograms(purposes) {
  if (process.getuid?.() !== 0 || !hasProgram('apt-get')) return;
  const missing = PROGRAMS.filter((entry) => (entry.for?.some((purpose) => purposes.includes(purpose)) ?? true) && !isPresent(entry)).map((entry) => entry.package);
  if (missing.length === 0) return;
  say(`installing ${missing.join(' ')}`);
  const restorePolicy = forbidServices();
  try {
    const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
    const install = () => spawnSync('apt-get', ['-q', '-y', '--no-install-recommends', '-o', 'DPkg::Lock::Timeout=120', 'install', ...missing], { env, encoding: 'utf8' });
    let result = install();
    if (result.status !== 0) {
      spawnSync('apt-get', ['-q', 'update'], { env, stdio: 'ignore' }); // the lists of packages may be old, or not there yet
      result = install();
    }
    if (result.status !== 0) say(`apt-get could not install them, what needs them will say so: ${result.stderr.trim().split('\n').at(-1) ?? ''}`);
  } finally {
    restorePolicy();
  }
}

/** Debian starts services when it installs them, unless this file forbids it (invoke-rc.d(8)). Returns what takes it back. */
function forbidServices() {
  const policy = '/usr/sbin/policy-rc.d';
  if (existsSync(policy)) return () => {};
  writeFileSync(policy, '#!/bin/sh\nexit 101\n', { mode: 0o755 });
  return () => rmSync(policy, { force: true });
}

/** The Node that the tree is tested with; else the running one, if it is new enough. */
function pinnedNode() {
  const pinned = join(ROOT, `node_modules/node-linux-${process.arch}/bin/node`);
  if (process.platform === 'linux' && isExecutable(pinned)) return pinned;
  const [major, minor] = process.versions.node.split('.').map(Number);
  if (major > MINIMUM_NODE[0] || (major === MINIMUM_NODE[0] && minor >= MINIMUM_NODE[1])) return process.execPath;
  return fail(`bootstrap: there is no pinned Node for ${process.platform} ${process.arch}, and this one (${process.versions.node}) is older than ${MINIMUM_NODE.join('.')}: run it with a newer Node`);
}

/** Generated constants, then build/core.wasm. The stamp is the hash of all sources: times mean nothing after a checkout. */
function buildCore(node) {
  const wanted = hashOf(CORE_SOURCES.flatMap(filesOf));
  if (existsSync(join(ROOT, 'build/core.wasm')) && readText(CORE_STAMP) === wanted) return;
  say('building the core');
  mkdirSync(join(ROOT, 'build'), { recursive: true });
  runStep(node, ['wasm-core/generate.mjs']);
  // Into a directory of its own first: a build that fails, or one that runs at the same time, leaves the core whole.
  const scratch = mkdtempSync(join(ROOT, 'build/core-'));
  try {
    const output = join(scratch, 'core.wasm');
    runStep(node, ['node_modules/assemblyscript/bin/asc.js', '--config', 'asconfig.json', '--target', 'release', '--outFile', output]);
    renameSync(output, join(ROOT, 'build/core.wasm'));
    writeFileSync(CORE_STAMP, hashOf(CORE_SOURCES.flatMap(filesOf))); // generate.mjs may have written some of them
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

/** The CNI plugin, on machines that pods can be on. */
function buildPlugin(node) {
  if (process.platform !== 'linux') return;
  const wanted = hashOf(PLUGIN_SOURCES.flatMap(filesOf));
  if (existsSync(join(ROOT, 'build/cni/wrouter')) && readText(PLUGIN_STAMP) === wanted) return;
  say('building the CNI plugin');
  runStep(node, ['mgmt/cni/build.ts']);
  writeFileSync(PLUGIN_STAMP, wanted);
}

function runStep(node, args) {
  const result = spawnSync(node, args, { cwd: ROOT, encoding: 'utf8' });
  if (result.status !== 0) throw new Error(`bootstrap: \`node ${args.join(' ')}\` failed:\n${result.stdout}${result.stderr}`);
}

/** Signals go to the script; its end is ours. */
function run(node, script, args) {
  const child = spawn(node, [script, ...args], { stdio: 'inherit', env: environment() });
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGUSR2']) process.on(signal, () => child.kill(signal));
  child.on('error', (error) => fail(`bootstrap: ${error.message}`));
  child.on('exit', (code, signal) => {
    if (signal === null) process.exit(code ?? 1);
    process.removeAllListeners(signal);
    process.kill(process.pid, signal);
  });
}

/** Processes find the system's programs, and what Node has compiled once (a third of a process's start). */
function environment() {
  return { NODE_COMPILE_CACHE: join(ROOT, 'build/compile-cache'), ...process.env, PATH: PATH.join(delimiter) };
}

function filesOf(path) {
  const absolute = join(ROOT, path);
  if (!existsSync(absolute)) return [];
  if (!path.includes('.')) return readdirSync(absolute, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath ?? entry.path, entry.name).slice(ROOT.length)).sort();
  return [path];
}

function hashOf(paths) {
  const hash = createHash('sha256');
  for (const path of paths) hash.update(`${path}\0`).update(readFileSync(join(ROOT, path)));
  return hash.digest('hex');
}

const readText = (path) => (existsSync(path) ? readFileSync(path, 'utf8') : '');
const hasProgram = (name) => PATH.some((directory) => isExecutable(join(directory, name)));
const isPresent = (entry) => (entry.file === undefined ? hasProgram(entry.program) : existsSync(entry.file));

function isExecutable(path) {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

function say(text) {
  process.stderr.write(`${text}\n`);
}

function fail(text) {
  say(text);
  process.exit(1);
}

try {
  main();
} catch (error) {
  fail(error.message);
}
