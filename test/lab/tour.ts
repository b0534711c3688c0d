/** The scenario: each thing that must work is done, judged and shown. Everything that was printed as failed is in the result. */
import type { Appliance } from './appliance.ts';
import type { LabHost } from './hosts.ts';
import type { Lab, Pod } from './lab.ts';
import { ADDRESSES, MACS } from './network.ts';
import { checksum, ipv4Header, parseAddress, parseMac, pseudoSum } from './packets.ts';
import { dropLines, interfaceLines, lcoreLines, read, totalLines, unnamedDrops, type Reading } from './readings.ts';
import { bitRate, bold, count, cyan, milliseconds, pad } from './terminal.ts';
import { Verdict, type Judge, type Show } from './verdict.ts';

const PINGS = 10;
const TRANSFER_BYTES = 100 << 20;
const PORT = 8080;
/** Width of what a check is about. */
const COLUMN = 34;

/** Runs and prints it. `say` gets finished lines. */
export async function tour(lab: Lab, say: (line: string) => void): Promise<Verdict> {
  const verdict = new Verdict(say);
  const { judge, show, section } = verdict;

  section('The floating IPs, as the gateway sees them');
  for (const pod of lab.pods) await showRoute(lab, pod, judge);

  section('Ping');
  for (const [from, to, name] of paths(lab)) {
    const { sent, received, roundTripMs } = await from.ping(to, PINGS, 100);
    const median = roundTripMs.toSorted((a, b) => a - b)[roundTripMs.length >> 1];
    judge(received === sent, `${pad(name, COLUMN)} ${received} of ${sent} answered${median === undefined ? '' : `, ${milliseconds(median)}`}`);
  }

  section(`TCP, ${TRANSFER_BYTES >> 20} MiB, SHA-256 of both ends compared`);
  const [pod] = lab.pods as [Pod, ...Pod[]];
  const appliances = [lab.gateway, lab.compute];
  const before = await Promise.all(appliances.map(read));
  await transfer(lab.internet, pod.host, pod.floatingIp, ADDRESSES.internet, `internet → ${cyan(pod.floatingIp)} (${pod.name})`, judge);
  await transfer(pod.host, lab.internet, ADDRESSES.internet, pod.floatingIp, `${pod.name} → ${ADDRESSES.internet}`, judge);
  const after = await Promise.all(appliances.map(read));

  section('Rates, while the transfers ran');
  show([...interfaceLines(before, after), '', ...lcoreLines(before, after)]);

  section(`A packet's path: TCP SYN, ${ADDRESSES.internet} → ${pod.floatingIp}`);
  await showPath(lab, pod, show, judge);

  section('Counters');
  await showCounters(appliances, show, judge);
  return verdict;
}

function paths(lab: Lab): [LabHost, string, string][] {
  return [
    ...lab.pods.map((pod): [LabHost, string, string] => [lab.internet, pod.floatingIp, `internet → ${cyan(pod.floatingIp)} (${pod.name})`]),
    ...lab.pods.map((pod): [LabHost, string, string] => [pod.host, ADDRESSES.internet, `${pod.name} → ${ADDRESSES.internet}`]),
  ];
}

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
    judge(intact && peer === source, `${pad(name, COLUMN)} ${intact ? 'equal' : 'NOT EQUAL'}, ${bitRate((8 * bytes) / seconds)}, came from ${peer === source ? cyan(peer) : `${peer} INSTEAD OF ${source}`}`);
  } catch (error) {
    judge(false, `${pad(name, COLUMN)} ${(error as Error).message.split('\n')[0]}`);
  } finally {
    await stop();
  }
}

/** Traces a SYN through the gateway, and what the gateway would send through the compute appliance. */
async function showPath({ gateway, compute }: Lab, pod: Pod, show: Show, judge: Judge): Promise<void> {
  const external = (await gateway.dataplane.ports()).ports.find(({ port }) => port?.name === 'external');
  const syn = synFrame(MACS.gatewayExternal, ADDRESSES.internet, pod.floatingIp);
  const first = await gateway.dataplane.trace({ interface: String(external?.interface), frame: syn });
  const fabric = (await compute.dataplane.ports()).ports.find(({ port }) => port?.name === 'fabric');
  const second = await compute.dataplane.trace({ interface: String(fabric?.interface), frame: first.frame });
  for (const [name, { text }] of [['gateway', first], ['compute', second]] as const) {
    show([bold(name), ...text.trimEnd().split('\n').map((line) => `  ${line}`)]);
  }
  judge(first.verdict === 'transmit' && second.verdict === 'transmit', `leaves the gateway by ${first.interface || '–'}, the compute appliance by ${second.interface || '–'}`);
}

async function showCounters(appliances: Appliance[], show: Show, judge: Judge): Promise<void> {
  const all = await Promise.all(appliances.map(async (appliance): Promise<Reading> => {
    const counters = await appliance.quietCounters();
    return { ...(await read(appliance)), counters };
  }));
  show([...totalLines(all), '', ...dropLines(all), '']);
  for (const { appliance, counters } of all) {
    const unnamed = unnamedDrops(counters);
    judge(unnamed === 0, `${appliance}: ${count(unnamed)} packets dropped without a name`);
    const missing = counters.received + counters.originated - counters.transmitted - counters.dropped - counters.held;
    judge(missing === 0, `${appliance}: received + originated = transmitted + dropped + held`);
  }
}

/** A TCP SYN as it arrives at an appliance. */
function synFrame(destinationMac: string, source: string, destination: string): Buffer {
  const [from, to] = [parseAddress(source), parseAddress(destination)];
  const tcp = Buffer.alloc(20);
  tcp.writeUInt16BE(41000, 0);
  tcp.writeUInt16BE(443, 2);
  tcp[12] = 0x50;
  tcp[13] = 2;
  tcp.writeUInt16BE(65535, 14);
  tcp.writeUInt16BE(checksum(tcp, pseudoSum(from, to, 6, tcp.length)), 16);
  const header = ipv4Header({ source: from, destination: to, protocol: 6, length: 40, identification: 1 });
  return Buffer.concat([parseMac(destinationMac), parseMac(MACS.internet), Buffer.from([8, 0]), header, tcp]);
}
