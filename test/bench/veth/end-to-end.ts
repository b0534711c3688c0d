/**
 * Rows of the forwarding group that need Linux and root: end to end over veth pairs, from a sender on one processor through one
 * contestant on another to a sink. Rounds of A B C in one run; who goes first changes. Then rounds of A B against the C twin: the same
 * appliance on the same rings, whose lcore is C.
 */
import { execFileSync } from 'node:child_process';
import { availableParallelism } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { Namespaces } from '../../lab/netns.ts';
import type { Row } from '../rows.ts';
import { median } from '../side.ts';
import type { Contestant, Usage } from './contestant.ts';
import { KernelForwarding } from './kernel.ts';
import { OpenVSwitchTunnel } from './open-vswitch.ts';
import { arrived, buildEnds, SOURCE, traffic } from './path.ts';
import { buildSender, send } from './sender.ts';
import { Wrouter } from './wrouter.ts';

const ROUNDS = { others: 5, twin: 30 };
/** On a busy machine there are fewer rounds: no new one begins after so much time with one length. */
const ENOUGH_MS = 25_000;
const SECONDS = { others: 1, twin: 0.3 };
/** Until neighbours are known, code is optimised and caches hold what they will hold. */
const WARM_UP_SECONDS = 1.5;
/** Time that the last packets take to the sink. */
const SETTLE_MS = 50;
const LENGTHS = [64, 1500];
const LIMITS = { kernel: 1.0, openVSwitch: 1.5, calls: 0.05, twin: 1.05 };
const COMMANDS = ['ip', 'ethtool', 'nft', 'taskset', 'gcc', 'ovs-vswitchd'];

/** One round of one contestant: packets a second at the sink, and what each of them cost. */
interface Measured {
  readonly offered: number;
  readonly rate: number;
  /**
   * Packets for a second of processor time. What came to the sink in a second of the clock shows what the sender and the machine's other
   * work left over as much as what the contestant can do, so bars are held against this.
   */
  readonly capacity: number;
  readonly cpu: number;
  readonly receive: number;
  /** All but the receiving thread's. */
  readonly process: number;
  readonly lcore: number;
  readonly user: number;
  readonly calls: number;
  readonly runs: number;
}

/** Reports the rows; on a machine that cannot measure them, says on stderr which are left out and why. */
export async function endToEnd(report: (row: Row) => void): Promise<void> {
  const reason = obstacle();
  if (reason !== undefined) {
    console.error(`forwarding over veth against kernel and Open vSwitch is left out: ${reason}`);
    return;
  }
  const program = buildSender();
  const namespaces = new Namespaces();
  const contestants: Contestant[] = [];
  try {
    buildEnds(namespaces);
    const wrouter = await Wrouter.start(namespaces);
    contestants.push(wrouter);
    const kernel = KernelForwarding.start(namespaces);
    contestants.push(kernel);
    const openVSwitch = await OpenVSwitchTunnel.start(namespaces);
    contestants.push(openVSwitch);
    const twin = await Wrouter.startTwin(namespaces);
    contestants.push(twin);
    for (const length of LENGTHS) {
      const frames = traffic(length);
      const once: Once = (contestant, seconds) => measure(program, namespaces, contestant, frames, seconds);
      const results = await rounds([wrouter, kernel, openVSwitch], ROUNDS.others, SECONDS.others, once);
      rowsOf(length, results.get(wrouter)!, results.get(kernel)!, results.get(openVSwitch)!).forEach(report);
      const twins = await rounds([wrouter, twin], ROUNDS.twin, SECONDS.twin, once);
      twinRows(length, twins.get(wrouter)!, twins.get(twin)!).forEach(report);
      if (length === 64) report(eitherRow(compare(results.get(wrouter)!, 'kernel', results.get(kernel)!, 'capacity').ratio, compare(twins.get(wrouter)!, 'C twin', twins.get(twin)!, 'process').ratio));
    }
  } finally {
    await Promise.allSettled(contestants.map((contestant) => contestant.stop()));
    namespaces.close();
  }
}

function obstacle(): string | undefined {
  if (process.platform !== 'linux') return 'it needs Linux';
  if (process.getuid?.() !== 0) return 'it makes network namespaces, which needs root';
  if (availableParallelism() < 2) return 'it needs two processors, one to send and one to forward';
  const missing = COMMANDS.filter((command) => {
    try {
      execFileSync('sh', ['-c', `command -v ${command}`], { stdio: 'ignore' });
      return false;
    } catch {
      return true;
    }
  });
  return missing.length > 0 ? `missing commands: ${missing.join(', ')}` : undefined;
}

type Once = (contestant: Contestant, seconds: number) => Promise<Measured>;

async function rounds(contestants: readonly Contestant[], count: number, seconds: number, once: Once): Promise<Map<Contestant, Measured[]>> {
  const results = new Map(contestants.map((contestant): [Contestant, Measured[]] => [contestant, []]));
  for (const contestant of contestants) await once(contestant, WARM_UP_SECONDS);
  const end = performance.now() + ENOUGH_MS;
  for (let round = 0; round < count && (round === 0 || performance.now() < end); round++) {
    for (const contestant of round % 2 === 0 ? contestants : contestants.toReversed()) results.get(contestant)?.push(await once(contestant, seconds));
  }
  return results;
}

/** @throws Error when what arrives is not what the contestant should have made of the frames */
async function measure(program: string, namespaces: Namespaces, contestant: Contestant, frames: Buffer, seconds: number): Promise<Measured> {
  const length = frames.readUInt32LE(0);
  const [sinkBefore, before] = [arrived(namespaces, contestant.place), await contestant.usage()];
  const sent = send(program, namespaces, SOURCE, contestant.place, frames, seconds);
  await sleep(SETTLE_MS);
  const [sinkAfter, after] = [arrived(namespaces, contestant.place), await contestant.usage()];
  const packets = sinkAfter.packets - sinkBefore.packets;
  const bytes = (sinkAfter.bytes - sinkBefore.bytes) / packets;
  // A few ARP packets are among them.
  if (!(Math.abs(bytes - length - contestant.overhead) < 0.5)) {
    throw new Error(`${contestant.name}: ${packets} of ${sent.packets} packets of ${length} bytes arrived, ${bytes.toFixed(1)} bytes each; ${length + contestant.overhead} are right`);
  }
  const each = (field: keyof Usage): number => ((after[field] ?? 0) - (before[field] ?? 0)) / packets;
  return {
    offered: sent.packets / sent.seconds,
    rate: packets / sent.seconds,
    capacity: 1e9 / each('cpu'), cpu: each('cpu'), receive: each('receive'), process: each('cpu') - each('receive'), lcore: each('lcore'), user: each('user'), calls: each('calls'), runs: each('runs'),
  };
}

const middle = (of: readonly Measured[], field: keyof Measured): number => median(of.map((measured) => measured[field]));

/** Medians of both, and of the ratios of each round. */
function compare(ours: readonly Measured[], name: string, others: readonly Measured[], field: keyof Measured): Required<Pick<Row, 'value' | 'against' | 'ratio'>> {
  return {
    value: middle(ours, field), against: { name, value: middle(others, field) }, ratio: median(ours.map((measured, round) => measured[field] / others[round]![field])),
  };
}

const barAt64 = (length: number, kind: '≤' | '≥', limit: number): Pick<Row, 'bar'> => (length === 64 ? { bar: { kind, limit } } : {});

/** As fast as the kernel or, where the kernel's transmitting side dominates both, as cheap as the C twin: how far the better of the two is. */
function eitherRow(kernel: number, twin: number): Row {
  const value = Math.max(kernel / LIMITS.kernel, LIMITS.twin / twin);
  return { name: `veth, 64 B: kernel ≥ ${LIMITS.kernel}, or C twin ≤ ${LIMITS.twin}: the better of both`, value, unit: 'of its limit', bar: { kind: '≥', limit: 1 } };
}

function rowsOf(length: number, ours: readonly Measured[], kernels: readonly Measured[], vswitches: readonly Measured[]): Row[] {
  const against = (name: string, others: readonly Measured[], field: keyof Measured): Pick<Row, 'value' | 'against' | 'ratio'> => compare(ours, name, others, field);
  const bar = (kind: '≤' | '≥', limit: number): Pick<Row, 'bar'> => barAt64(length, kind, limit);
  const what = `veth, ${length} B`;
  return [
    { name: `${what}: offered`, unit: 'pps', ...against('kernel', kernels, 'offered') },
    { name: `${what}: forwarded`, unit: 'pps', ...against('kernel', kernels, 'rate') },
    { name: `${what}: forwarded`, unit: 'pps', ...against('Open vSwitch', vswitches, 'rate') },
    { name: `${what}: in a whole second of a processor`, unit: 'packets', ...against('kernel', kernels, 'capacity') },
    { name: `${what}: in a whole second of a processor`, unit: 'packets', ...against('Open vSwitch', vswitches, 'capacity'), ...bar('≥', LIMITS.openVSwitch) },
    { name: `${what}: CPU, receiving included`, unit: 'ns/packet', ...against('kernel', kernels, 'cpu') },
    { name: `${what}: CPU, receiving included`, unit: 'ns/packet', ...against('Open vSwitch', vswitches, 'cpu') },
    { name: `${what}: of it the kernel's receiving thread`, unit: 'ns/packet', value: middle(ours, 'receive') },
    { name: `${what}: of it user space, waiting runs too`, unit: 'ns/packet', value: middle(ours, 'user'), against: { name: 'Open vSwitch', value: middle(vswitches, 'user') } },
    { name: `${what}: of it the kernel's transmitting side`, unit: 'ns/packet', value: median(ours.map(({ cpu, receive, user }) => cpu - receive - user)) },
    { name: `${what}: runs of the core`, unit: '/packet', value: middle(ours, 'runs') },
    { name: `${what}: system calls`, unit: '/packet', value: middle(ours, 'calls'), ...bar('≤', LIMITS.calls) },
  ];
}

/** The kernel's side is the same for both; the bar is held against what the process costs: the lcore, its system calls and all its other threads. */
function twinRows(length: number, ours: readonly Measured[], twins: readonly Measured[]): Row[] {
  const against = (field: keyof Measured): Pick<Row, 'value' | 'against' | 'ratio'> => compare(ours, 'C twin', twins, field);
  const what = `veth, ${length} B`;
  return [
    { name: `${what}: CPU of the process`, unit: 'ns/packet', ...against('process') },
    { name: `${what}: of it the lcore, system calls included`, unit: 'ns/packet', ...against('lcore') },
    { name: `${what}: of it user space`, unit: 'ns/packet', ...against('user') },
    { name: `${what}: CPU, receiving included`, unit: 'ns/packet', ...against('cpu') },
  ];
}
