/**
 * A packet's way through the house and its answer's way back, on the states that the controller holds: from appliance to appliance, each
 * a replica of its core. Nothing is sent, and no appliance is asked.
 */
import { DROP_REASONS } from '../../firmware/host/catalogue.ts';
import { ipv4Summary } from '../../firmware/host/packet-summary.ts';
import type { Mention, Trace } from '../../firmware/host/trace.ts';
import { IFK_EXTERNAL, IFK_FABRIC } from '../../wasm-core/layout.ts';
import type { From, To } from './ends.ts';
import { hintsFor } from './hints.ts';
import { destinationOf, isTunnelled, packetOf, replyTo, tunnelled } from './packet.ts';
import { Replica, type Passed } from './replica.ts';
import type { Source } from './source.ts';
import { interfaceNamed, mentionKey, named, ownerOfTunnel, type Named, type ObjectId } from './words.ts';

/** Appliances that one packet may pass: more are a loop. */
const MOST_HOPS = 16;

export interface WalkStep { readonly depth: number; readonly node: string; readonly text: string; readonly objects: readonly ObjectId[] }

/** One appliance on the way. */
export interface Hop {
  readonly appliance: string;
  /** Of the state that it was walked on. */
  readonly version: number;
  /** Name of the interface that the frame came in by (a VLAN's parent). */
  readonly interface: string;
  readonly frame: Uint8Array;
  readonly steps: readonly WalkStep[];
  /** As the appliance itself would tell it. */
  readonly trace: Trace;
}

/** `arrives`: at a workload; `leaves`: to whom is not ours; `answered`: by an appliance itself, the steps go on with the answer. */
export interface Outcome { readonly kind: 'arrives' | 'leaves' | 'answered' | 'dropped'; readonly text: string; readonly reason: string; readonly hints: readonly string[] }
export interface Leg { readonly packet: string; readonly hops: readonly Hop[]; readonly outcome: Outcome }

export interface Walk {
  readonly from: From;
  readonly to: To;
  readonly there: Leg;
  /** Undefined: nobody answers. */
  readonly back: Leg | undefined;
}

interface Position { readonly appliance: string; readonly interface: string; readonly packet: Uint8Array }
/** The end of a leg, with what the next one needs. */
interface Ended extends Leg { readonly at: Passed | undefined; readonly replica: Replica | undefined }

export class Walker {
  readonly #source: Source;
  readonly #module: WebAssembly.Module;
  readonly #replicas = new Map<string, Promise<Replica>>();
  /** Objects that a step of this walk has spoken of. */
  readonly #seen = new Set<ObjectId>();
  #macs: ReadonlyMap<string, string> | undefined;

  /** @param module the core, as appliances run it */
  constructor(source: Source, module: WebAssembly.Module) {
    this.#source = source;
    this.#module = module;
  }

  /** @param packet an IPv4 packet from `from.address` to `to.address` */
  async walk(from: From, to: To, packet: Uint8Array): Promise<Walk> {
    this.#seen.clear();
    const there = await this.#leg({ appliance: from.appliance, interface: from.interface, packet });
    const answer = there.outcome.kind === 'arrives' || there.outcome.kind === 'leaves' ? await this.#answer(there) : undefined;
    const back = answer && await this.#leg(answer);
    return { from, to, there: legOf(there), back: back && legOf(back) };
  }

  // ---- from appliance to appliance -------------------------------------------------------------------------------------------

  async #leg(start: Position): Promise<Ended> {
    const hops: Hop[] = [];
    const end = (outcome: Outcome, at?: Passed, replica?: Replica): Ended => ({ packet: ipv4Summary(start.packet), hops, outcome, at, replica });
    for (let position = start; ;) {
      const replica = await this.#replica(position.appliance);
      const into = replica.interfaceCalled(position.interface);
      if (!into) return end(told('dropped', `${position.appliance} has no interface ${position.interface}: it is not placed there, or has no address`));
      const passed = replica.pass(into, position.packet);
      hops.push(await this.#hop(replica, passed));
      const next = await this.#next(replica, passed, hops.length);
      if (!('appliance' in next)) return end(next, passed, replica);
      position = next;
    }
  }

  /** Where a packet goes on, or how it ends. */
  async #next(replica: Replica, passed: Passed, hops: number): Promise<Position | Outcome> {
    const { trace, out } = passed;
    const packet = packetOf(trace.frame);
    if (!out || !packet) return this.#dead(replica, passed);
    if (out.interface.kind === IFK_FABRIC && isTunnelled(packet)) {
      const remote = destinationOf(packet);
      const owner = await ownerOfTunnel(this.#source, remote);
      if (!owner?.appliance) return told('leaves', `leaves to ${owner ? `${owner.word} (${remote})` : `router ${remote}`}, which is not ours: ${ipv4Summary(packet)}`);
      if (hops === MOST_HOPS) return told('dropped', `has passed ${MOST_HOPS} appliances and goes round`);
      return { appliance: owner.appliance, interface: 'fabric', packet };
    }
    const { word } = await interfaceNamed(this.#source, out.interface.name);
    if (trace.steps.some(({ node, depth }) => node === 'local' && depth === 1)) return told('answered', `${replica.appliance} answers itself: ${ipv4Summary(packet)}, out of ${word}`);
    if (out.interface.kind === IFK_EXTERNAL || out.interface.kind === IFK_FABRIC) return told('leaves', `leaves by ${word} of ${replica.appliance}${out.neighbour === '' ? '' : ` to ${out.neighbour}, which is not ours`}: ${ipv4Summary(packet)}`);
    return told('arrives', `arrives at ${word}: ${ipv4Summary(packet)}`);
  }

  async #dead(replica: Replica, passed: Passed): Promise<Outcome> {
    const { trace, events } = passed;
    if (trace.verdict === 'hold') return told('dropped', `waits at ${replica.appliance}: nobody answers for its next hop by ARP`);
    const event = events.findLast(({ packet, drop }) => packet === 0 && drop !== 0) ?? events.at(-1);
    const text = [...DROP_REASONS.values()].find(({ name }) => name === trace.drop)?.text ?? '';
    const hints = event ? await hintsFor({ source: this.#source, replica, passed, event }, trace.drop) : [];
    return { kind: 'dropped', text: `dropped at ${replica.appliance}: ${trace.drop}: ${text}`, reason: trace.drop, hints };
  }

  // ---- the answer --------------------------------------------------------------------------------------------------------------

  /** The far end's answer, where it comes in; undefined: it gives none, or nobody knows where it would come in. */
  async #answer({ at, replica }: Ended): Promise<Position | undefined> {
    const arrived = at && packetOf(at.trace.frame);
    if (!at?.out || !replica || !arrived) return undefined;
    if (!isTunnelled(arrived)) {
      const reply = replyTo(arrived);
      return reply && { appliance: replica.appliance, interface: at.out.interface.name, packet: reply };
    }
    // A router that is not ours: it answers by the route that it has from us.
    const reply = replyTo(arrived.subarray(28));
    const vrf = replica.names.name('VRF', at.events.findLast(({ packet }) => packet === 0)?.vrf ?? 0);
    const [path] = reply ? (await this.#source.paths(vrf, destinationOf(reply))).filter(({ label, protocolNextHop }) => label !== 0 && protocolNextHop !== '') : [];
    const owner = path && await ownerOfTunnel(this.#source, path.protocolNextHop);
    if (!reply || !path || !owner?.appliance) return undefined;
    return { appliance: owner.appliance, interface: 'fabric', packet: tunnelled(reply, destinationOf(arrived), path.protocolNextHop, path.label) };
  }

  // ---- words -------------------------------------------------------------------------------------------------------------------

  /** The trace in the words of whoever looks at it, each object with the step of the walk that speaks of it first. */
  async #hop(replica: Replica, passed: Passed): Promise<Hop> {
    const { trace } = passed;
    const words = new Map<string, Named>();
    for (const mention of trace.steps.flatMap(({ mentions }) => mentions)) {
      const key = mentionKey(mention);
      if (!words.has(key)) words.set(key, await named(this.#source, replica, mention));
    }
    const told = passed.tell(namesOf(trace.steps.flatMap(({ mentions }) => mentions), words));
    const steps = told.steps.slice(1).map(({ depth, node, text }, at) => {
      const objects = trace.steps[at + 1]!.mentions.flatMap((mention) => words.get(mentionKey(mention))?.objects ?? []).filter((id) => !this.#seen.has(id));
      for (const id of objects) this.#seen.add(id);
      return { depth, node, text, objects: [...new Set(objects)] };
    });
    return { appliance: replica.appliance, version: replica.version, interface: passed.port.name, frame: passed.frame, steps, trace };
  }

  // ---- states ------------------------------------------------------------------------------------------------------------------

  #replica(appliance: string): Promise<Replica> {
    let replica = this.#replicas.get(appliance);
    if (!replica) this.#replicas.set(appliance, replica = this.#load(appliance));
    return replica;
  }

  async #load(appliance: string): Promise<Replica> {
    const macs = this.#macs ??= new Map((await this.#source.list('virtual-router')).flatMap(({ virtualRouter }) => {
      const { address, mac } = virtualRouter?.fabric ?? {};
      return address && mac ? [[address.split('/')[0]!, mac] as const] : [];
    }));
    const replica = new Replica(appliance, this.#module, (address) => macs.get(address) ?? inventedMac(address));
    for await (const update of this.#source.state(appliance)) replica.take(update);
    return replica;
  }
}

/** Of whoever is not ours: locally administered, made of the address. */
const inventedMac = (address: string): string => ['02', '00', ...address.split('.').map((part) => Number(part).toString(16).padStart(2, '0'))].join(':');

const told = (kind: Outcome['kind'], text: string): Outcome => ({ kind, text, reason: '', hints: [] });
const legOf = ({ packet, hops, outcome }: Ended): Leg => ({ packet, hops, outcome });

function namesOf(mentions: readonly Mention[], words: ReadonlyMap<string, Named>): { interfaces: Map<number, string>; vrfs: Map<number, string>; nexthops: Map<number, string>; floatingIps: Map<string, string> } {
  const names = { interfaces: new Map<number, string>(), vrfs: new Map<number, string>(), nexthops: new Map<number, string>(), floatingIps: new Map<string, string>() };
  for (const mention of mentions) {
    const word = words.get(mentionKey(mention))?.word;
    if (!word) continue;
    if (mention.of === 'interface') names.interfaces.set(mention.id, word);
    else if (mention.of === 'vrf') names.vrfs.set(mention.id, word);
    else if (mention.of === 'nexthop') names.nexthops.set(mention.id, word);
    else if (mention.of === 'floatingIp') names.floatingIps.set(mention.address, word);
  }
  return names;
}
