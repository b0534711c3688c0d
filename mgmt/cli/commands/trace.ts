/** trace: one packet's way, without sending it: through one appliance's forwarding graph, or from end to end. */
import { readFileSync } from 'node:fs';
import { Option, type Command } from 'commander';
import type { TraceReply } from '../../../proto/dataplane.ts';
import { frameOf } from '../capture.ts';
import { ethernetFrame, hexBytes, ipv4Packet, mac, tunnelled, type Packet } from '../frame.ts';
import { show, UsageError, type Row } from '../output.ts';
import { openViews, rowsOf, type GlobalOptions, type Views } from '../target.ts';
import { walkCommand, type PacketShape, type WalkOptions } from './walk.ts';

interface OneOptions extends TraceOptions { interface: string }
interface TraceOptions {
  from?: string; to?: string; live?: true;
  interface?: string;
  hex?: string; fromPcap?: string; packet: number;
  src?: string; dst?: string; tcp?: string | true; udp?: string | true; icmp?: true;
  ttl: number; length?: number; df?: true; vlan: number; smac: string; dmac?: string;
  gre?: string; label?: number;
}

const whole = (least: number, most: number) => (text: string): number => {
  const value = Number(text);
  if (!Number.isInteger(value) || value < least || value > most) throw new UsageError(`"${text}" is not a whole number between ${least} and ${most}`);
  return value;
};

/** "80" or "41000:80" (source:destination). */
export function portsOf(text: string | true): { sourcePort?: number; destinationPort?: number } {
  if (text === true) return {};
  const parts = text.split(':').map(whole(0, 65535));
  if (parts.length === 1) return { destinationPort: parts[0]! };
  if (parts.length === 2) return { sourcePort: parts[0]!, destinationPort: parts[1]! };
  throw new UsageError(`"${text}" is neither PORT nor SOURCE:DESTINATION`);
}

function packetOf(options: TraceOptions): Packet {
  const { src, dst } = options;
  if (src === undefined || dst === undefined) throw new UsageError('a packet needs --src and --dst (or give it by --hex or --from-pcap)');
  return { ...shapeOf(options), source: src, destination: dst };
}

/** All but its addresses. */
function shapeOf(options: TraceOptions): PacketShape {
  const { tcp, udp, icmp } = options;
  if ([tcp, udp, icmp].filter((each) => each !== undefined).length > 1) throw new UsageError('only one of --tcp, --udp and --icmp');
  return {
    ttl: options.ttl, dontFragment: options.df ?? false, ...(options.length === undefined ? {} : { length: options.length }),
    protocol: tcp !== undefined ? 'tcp' : udp !== undefined ? 'udp' : 'icmp', ...portsOf(tcp ?? udp ?? true),
  };
}

/** The frame that the options mean; the interface's own MAC is its destination unless they say another one. */
async function frameFor(options: OneOptions, views: Views): Promise<Buffer> {
  if ([options.hex, options.fromPcap, options.src ?? options.dst].filter((each) => each !== undefined).length > 1) throw new UsageError('one of --hex, --from-pcap, and --src with --dst');
  if (options.hex !== undefined) return hexBytes(options.hex === '-' ? readFileSync(0, 'utf8') : options.hex);
  if (options.fromPcap !== undefined) return frameOf(readFileSync(options.fromPcap), options.packet);
  let packet = ipv4Packet(packetOf(options));
  if (options.gre !== undefined || options.label !== undefined) {
    const [source, destination, ...more] = (options.gre ?? '').split(',');
    if (!source || !destination || more.length || options.label === undefined) throw new UsageError('a tunnelled packet needs --gre OUTER-SOURCE,OUTER-DESTINATION and --label');
    packet = tunnelled(packet, { source, destination, label: options.label });
  }
  return ethernetFrame(mac(options.dmac ?? await ownMac(views, options.interface)), mac(options.smac), options.vlan, packet);
}

async function ownMac(views: Views, wanted: string): Promise<string> {
  const rows = await rowsOf(views, { table: 'interface' });
  const called = (row: Row): boolean => [row['id'], row['name'], row['port']].some((each) => String(each) === wanted);
  const found = rows.find(called)?.['mac'];
  if (found === undefined) throw new UsageError(`no interface "${wanted}"; there are ${rows.map(({ id, name }) => `${id} ${name ?? ''}`.trim()).join(', ') || 'none'}`);
  return String(found);
}

/** The tree, then what would leave, as hex to compare with a capture. */
function text({ text: tree, frame }: TraceReply): string {
  if (frame.length === 0) return tree.trimEnd();
  return `${tree.trimEnd()}\n\n${hexDump(frame)}`;
}

export function hexDump(bytes: Buffer): string {
  const lines: string[] = [];
  for (let at = 0; at < bytes.length; at += 16) lines.push(`${at.toString(16).padStart(4, '0')}  ${bytes.subarray(at, at + 16).toString('hex').replace(/(..)(?=.)/g, '$1 ')}`);
  return lines.join('\n');
}

const isOfOne = (options: TraceOptions): options is OneOptions => options.interface !== undefined;

function walkOptions(options: TraceOptions): WalkOptions {
  const { from, to, src, live } = options;
  if (from === undefined || to === undefined) throw new UsageError(from === undefined ? 'where does it come from? --from pod/NAMESPACE/NAME, for one' : 'where does it go? --to ADDRESS, for one');
  const [other] = (['interface', 'hex', 'fromPcap', 'dst', 'gre', 'label', 'dmac'] as const).filter((name) => options[name] !== undefined);
  if (other !== undefined) throw new UsageError(`--${other.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)} is for a packet through one appliance, not for --from and --to`);
  return { from, to, ...(src === undefined ? {} : { src }), ...(live ? { live } : {}) };
}

export function traceCommand(program: Command, global: () => GlobalOptions): void {
  program.command('trace').description('the way of one packet, without sending it: from end to end by the controller\'s states, or through one appliance: lookups, matched entries, rewrites')
    .optionsGroup('From end to end, and its answer back (asks the controller, no appliance):')
    .option('--from <end>', 'pod/NAMESPACE/NAME, an interface\'s name, an address of a network, or internet')
    .option('--to <end>', 'an address, pod/NAMESPACE/NAME, service/NAMESPACE/NAME, or the name of an interface or a floating IP')
    .option('--live', 'asks the appliances on the way as well, and tells what differs')
    .optionsGroup('Through one appliance (--on):')
    .option('-i, --interface <name>', 'interface that it comes in by: name or number')
    .optionsGroup('The packet, whole:')
    .option('--hex <bytes>', 'the frame from its Ethernet header on, as hex or a hex dump; - reads it from stdin')
    .option('--from-pcap <file>', 'a frame of a pcap or pcapng file')
    .addOption(new Option('--packet <n>', 'which frame of the file').argParser(whole(1, Number.MAX_SAFE_INTEGER)).default(1))
    .optionsGroup('The packet, built (ICMP echo request unless --tcp or --udp):')
    .option('--src <address>', 'source address')
    .option('--dst <address>', 'destination address')
    .option('--tcp [ports]', 'TCP SYN to PORT, or SOURCE:DESTINATION')
    .option('--udp [ports]', 'UDP to PORT, or SOURCE:DESTINATION')
    .option('--icmp', 'ICMP echo request')
    .addOption(new Option('--ttl <n>', 'time to live').argParser(whole(0, 255)).default(64))
    .addOption(new Option('--length <n>', 'total length of the IPv4 packet').argParser(whole(20, 65535)))
    .option('--df', "set Don't Fragment")
    .addOption(new Option('--vlan <id>', '802.1Q tag').argParser(whole(0, 4095)).default(0))
    .option('--smac <mac>', 'source MAC', '02:00:5e:00:53:01')
    .option('--dmac <mac>', "destination MAC; the interface's own when left out")
    .option('--gre <outer-source,outer-destination>', 'comes by a tunnel: MPLS over GRE')
    .addOption(new Option('--label <n>', 'MPLS label of the tunnelled packet').argParser(whole(0, 1048575)))
    .addHelpText('after', `
Examples:
  wrouter trace --from pod/ns-user-1/web --to 8.8.8.8 --tcp 443
  wrouter trace --from internet --to service/ns-user-1/web --tcp 80 --live
  wrouter trace --on compute -i pod-1 --src 10.32.0.3 --dst 198.51.100.9 --tcp 443
  wrouter trace --on gateway -i external --src 198.51.100.9 --dst 101.101.101.3 --icmp
  wrouter trace --on compute -i fabric --gre 10.169.25.204,10.169.25.20 --label 17 --src 198.51.100.9 --dst 101.101.101.3
  wrouter trace --on gateway -i external --from-pcap seen.pcapng --packet 3 -o json`)
    .action(async (options: TraceOptions) => {
      if (options.from !== undefined || options.to !== undefined || options.live) return walkCommand(walkOptions(options), shapeOf(options), global());
      if (!isOfOne(options)) throw new UsageError('which way? --from and --to for one from end to end, or -i for one through an appliance');
      const views = openViews(global());
      try {
        const frame = await frameFor(options, views);
        await show<TraceReply>({ read: () => views.trace({ interface: options.interface, frame }), json: (reply) => reply, text }, global());
      } finally {
        views.close();
      }
    });
}
