/** The scenario: each thing that must work is done, judged and shown. Everything that was printed as failed is in the result. */
import type { CountersReply } from '../../proto/dataplane.ts';
import type { Appliance } from './appliance.ts';
import type { Lab, Pod } from './lab.ts';
import { ADDRESSES } from './network.ts';
import { checksum, ipv4Header, parseAddress, parseMac, pseudoSum } from './packets.ts';
import { bitRate, bold, count, cyan, dim, green, milliseconds, red, table } from './terminal.ts';
import type { LabHost } from './hosts.ts';

const PINGS = 10;
const TRANSFER_BYTES = 100 << 20;
const PORT = 8080;

export interface Verdict {
  passed: number;
  /** What did not hold, one line each. */
  failed: string[];
}

/** Runs and prints it. `say` gets finished lines. */
export async function tour(lab: Lab, say: (line: string) => void): Promise<Verdict> {
  const verdict: Verdict = { passed: 0, failed: [] };
  const judge = (holds: boolean, line: string): void => {
    if (holds) verdict.passed++;
    else verdict.failed.push(line.trim());
    say(`  ${holds ? green('✔') : red('✘')} ${line}`);
  };
  const section = (title: string): void => {
    say('');
    say(bold(title));
  };

  section('The floating IPs, as the gateway sees them');
  for (const pod of lab.pods) await showRoute(lab, pod, judge);

  section('Ping');
  for (const [from, to, name] of paths(lab)) {
    const { sent, received, roundTripMs } = await from.ping(to, PINGS, 100);
    const median = roundTripMs.toSorted((a, b) => a - b)[roundTripMs.length >> 1];
    judge(received === sent, `${name}   ${received} of ${sent} answered${median === undefined ? '' : `, ${milliseconds(median)}`}`);
  }

  section(`TCP, ${TRANSFER_BYTES >> 20} MiB, SHA-256 of both ends compared`);
  const [pod] = lab.pods as [Pod, ...Pod[]];
  await transfer(lab.internet, pod.host, pod.floatingIp, ADDRESSES.internet, `internet → ${cyan(pod.floatingIp)} (${pod.name})`, judge);
  await transfer(pod.host, lab.internet, ADDRESSES.internet, pod.floatingIp, `${pod.name} → internet`, judge);

  section(`A packet's path: TCP SYN, ${ADDRESSES.internet} → ${pod.floatingIp}`);
  await showPath(lab, pod, say, judge);

  section('Counters');
  await showCounters([lab.gateway, lab.compute], say, judge);
  return verdict;
}

function paths(lab: Lab): [LabHost, string, string][] {
  return [
    ...lab.pods.map((pod): [LabHost, string, string] => [lab.internet, pod.floatingIp, `internet → ${cyan(pod.floatingIp)} (${pod.name})`]),
    ...lab.pods.map((pod): [LabHost, string, string] => [pod.host, ADDRESSES.internet, `${pod.name} → ${ADDRESSES.internet}`]),
  ];
}

type Judge = (holds: boolean, line: string) => void;

/** Of the FIP's /32 in the gateway's tables, down to the tunnel that it leaves by. */
async function showRoute({ gateway }: Lab, { floatingIp, name }: Pod, judge: Judge): Promise<void> {
  const found = await gateway.hostRoute(floatingIp);
  if (found === undefined) return judge(false, `${floatingIp}/32 (${name}) is in no VRF of the gateway`);
  const { vrf, nexthop } = found;
  judge(nexthop['remote'] === ADDRESSES.computeTunnel && Number(nexthop['label']) >= 16,
    `${cyan(`${floatingIp}/32`)} (${name}) in VRF ${vrf['name']} → MPLS over GRE ${nexthop['local']} → ${nexthop['remote']}, label ${nexthop['label']}`);
}

async function transfer(from: LabHost, at: LabHost, to: string, source: string, name: string, judge: Judge): Promise<void> {
  const stop = await at.serve(PORT);
  try {
    const { intact, peer, seconds, bytes } = await from.send(to, PORT, TRANSFER_BYTES);
    judge(intact, `${name}   ${bitRate((8 * bytes) / seconds)}, ${intact ? 'equal' : 'NOT equal'}`);
    judge(peer === source, `${name}   came from ${peer === source ? cyan(peer) : `${peer}, not from ${source}`}`);
  } catch (error) {
    judge(false, `${name}   ${(error as Error).message.split('\n')[0]}`);
  } finally {
    await stop();
  }
}

/** Traces a SYN through the gateway, and what the gateway would send through the compute appliance. */
async function showPath({ gateway, compute }: Lab, pod: Pod, say: (line: string) => void, judge: Judge): Promise<void> {
  const external = (await gateway.dataplane.ports()).ports.find(({ port }) => port?.name === 'external');
  const syn = synFrame(external?.mac ?? '', ADDRESSES.internet, pod.floatingIp);
  const first = await gateway.dataplane.trace({ interface: String(external?.interface), frame: syn });
  const fabric = (await compute.dataplane.ports()).ports.find(({ port }) => port?.name === 'fabric');
  const second = await compute.dataplane.trace({ interface: String(fabric?.interface), frame: first.frame });
  for (const [name, { text }] of [['gateway', first], ['compute', second]] as const) {
    say(`  ${bold(name)}`);
    for (const line of text.trimEnd().split('\n')) say(`    ${line}`);
  }
  judge(first.verdict === 'transmit' && second.verdict === 'transmit', `leaves the gateway by ${first.interface || '–'}, the compute appliance by ${second.interface || '–'}`);
}

async function showCounters(appliances: Appliance[], say: (line: string) => void, judge: Judge): Promise<void> {
  const all = await Promise.all(appliances.map(async (appliance) => ({ name: appliance.name, counters: await appliance.quietCounters() })));
  const totals = ({ received, originated, transmitted, dropped, held }: CountersReply): string[] =>
    [received, originated, transmitted, dropped, held].map(count);
  for (const line of table(['appliance', '>received', '>originated', '>transmitted', '>dropped', '>held'], all.map(({ name, counters }) => [name, ...totals(counters)]))) say(`  ${line}`);
  const drops = all.flatMap(({ name, counters }) => counters.drops.filter(({ packets }) => packets > 0).map((drop) => [name, drop.name, count(drop.packets), dim(drop.text)]));
  if (drops.length > 0) {
    say('');
    for (const line of table(['dropped by', 'reason', '>packets', ''], drops)) say(`  ${line}`);
  }
  for (const { name, counters } of all) {
    const unnamed = counters.dropped - counters.drops.reduce((sum, { packets }) => sum + packets, 0);
    judge(unnamed === 0, `${name}: ${count(unnamed)} packets dropped without a name`);
    const missing = counters.received + counters.originated - counters.transmitted - counters.dropped - counters.held;
    judge(missing === 0, `${name}: received + originated = transmitted + dropped + held`);
  }
}

/** A TCP SYN as it arrives at an appliance. */
export function synFrame(destinationMac: string, source: string, destination: string): Buffer {
  const [from, to] = [parseAddress(source), parseAddress(destination)];
  const tcp = Buffer.alloc(20);
  tcp.writeUInt16BE(41000, 0);
  tcp.writeUInt16BE(443, 2);
  tcp[12] = 0x50;
  tcp[13] = 2;
  tcp.writeUInt16BE(65535, 14);
  tcp.writeUInt16BE(checksum(tcp, pseudoSum(from, to, 6, tcp.length)), 16);
  const header = ipv4Header({ source: from, destination: to, protocol: 6, length: 40, identification: 1 });
  return Buffer.concat([parseMac(destinationMac), parseMac('02:00:cb:00:71:0a'), Buffer.from([8, 0]), header, tcp]);
}
