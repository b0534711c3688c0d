/** The plugin's commands (CNI 1.1, section 2), over the pods that the controller told, the wires and the ports. */
import type { PortState } from '../../../proto/dataplane.ts';
import { SYSTEM_CLOCK, type Clock } from '../../clock.ts';
import { isLive } from '../ports.ts';
import type { Attachment, Attachments, PodInterface } from './attachments.ts';
import { CniError, CODE } from './errors.ts';
import type { LiveInterface, Pods } from './pods.ts';
import type { AttachmentKey, Configuration, PodName, Request } from './request.ts';
import { resultOf } from './result.ts';
import { versionAnswer } from './versions.ts';
import type { Wiring } from './wiring.ts';

const NO_DEFAULT_ROUTE = 'none';

/** What the plugin needs of the agent's ports (mgmt/agent/ports.ts). */
export interface PortsOfPods {
  readonly known: boolean;
  /** Takes the port out of the data plane, and keeps it out. */
  hold(name: string): Promise<void>;
  /** Attaches it; resolved when it is live with its interface in every lcore. @throws why it cannot be, or what `signal` was aborted with */
  bring(name: string, signal: AbortSignal): Promise<void>;
  /** No longer keeps it out. */
  free(name: string): void;
  list(): PortState[];
}

export interface PluginOptions {
  readonly pods: Pods;
  readonly wiring: Wiring;
  readonly ports: PortsOfPods;
  readonly attachments: Attachments;
  /** Why there is no session with a controller, '' in session. */
  readonly problem: () => string;
  readonly log: (text: string) => void;
  readonly clock?: Clock;
}

export class Plugin {
  readonly #options: PluginOptions;
  readonly #clock: Clock;
  /** What is under way for each container: one thing after another. */
  readonly #turns = new Map<string, Promise<unknown>>();

  constructor(options: PluginOptions) {
    this.#options = options;
    this.#clock = options.clock ?? SYSTEM_CLOCK;
  }

  /**
   * @param gone aborted when the caller is not there any more
   * @returns what goes to the runtime; undefined: nothing, it is done
   * @throws CniError
   */
  async run(request: Request, gone: AbortSignal): Promise<object | undefined> {
    switch (request.command) {
      case 'VERSION': return versionAnswer(request.asked);
      case 'STATUS': return this.#status();
      case 'GC': return this.#collect(request.configuration, request.valid);
      case 'DEL': return this.#inTurn(request.key, () => this.#delete(request.key));
      case 'CHECK': return this.#inTurn(request.key, () => this.#check(request.key, request.configuration));
      case 'ADD': return this.#inTurn(request.key, () => this.#add(request.key, request.netns, request.pod, request.configuration, gone));
    }
  }

  // ---- ADD -------------------------------------------------------------------------------------------------------------------
  async #add(key: AttachmentKey, netns: string, pod: PodName, configuration: Configuration, gone: AbortSignal): Promise<object> {
    const { attachments, pods, ports, wiring, log } = this.#options;
    const known = attachments.get(key);
    if (known?.complete && known.netns === netns && (await this.#faultOf(known, undefined)) === undefined) return resultOf(known, configuration);
    if (known) await this.#remove(known);

    const began = this.#clock.now();
    const deadline = new AbortController();
    const takeBack = this.#clock.after(configuration.timeoutMs, () => deadline.abort(new Error(`not within ${configuration.timeoutMs / 1000} s`)));
    const signal = AbortSignal.any([gone, deadline.signal]);
    try {
      const live = await pods.whenLive(pod, signal).catch((error: Error) => { throw this.#notLive(pod, error); });
      const interfaces = chosen(live, key.ifname, configuration.defaultRoute);
      const { namespace, name, uid } = live[0]!.pod;
      await this.#takeOver(key, new Set(interfaces.map(({ port }) => port)));
      const attachment: Attachment = { ...key, network: configuration.name, netns, pod: { namespace, name, uid }, interfaces, complete: false };
      attachments.put(attachment);
      try {
        for (const wanted of interfaces) {
          await ports.hold(wanted.port);
          signal.throwIfAborted();
          await wiring.make(netns, wanted, `${key.containerId} ${wanted.name}`);
        }
        await Promise.all(interfaces.map(({ port }) => ports.bring(port, signal)));
        signal.throwIfAborted();
      } catch (error) {
        await this.#remove(attachment);
        throw error instanceof CniError ? error : new CniError(CODE.tryAgain, `pod ${namespace}/${name} has no interface yet`, (error as Error).message);
      }
      attachments.put({ ...attachment, complete: true });
      log(`pod ${namespace}/${name} (container ${key.containerId}) has ${interfaces.map((each) => `${each.name} ${each.addresses.map(({ address }) => address).join(', ')}`).join('; ')} after ${this.#clock.now() - began} ms`);
      return resultOf(attachment, configuration);
    } finally {
      takeBack();
    }
  }

  #notLive(pod: PodName, error: Error): CniError {
    const { pods, problem } = this.#options;
    const session = problem();
    return new CniError(CODE.tryAgain, `pod ${pod.namespace}/${pod.name} has no interface yet`, `${error.message}: ${pods.describe(pod)}${session === '' ? '' : `; ${session}`}`);
  }

  /** A pod's new sandbox takes the ports of its former one, which may not have been deleted yet. */
  async #takeOver(key: AttachmentKey, ports: ReadonlySet<string>): Promise<void> {
    for (const other of this.#options.attachments.all()) {
      if (other.containerId === key.containerId && other.ifname === key.ifname) continue;
      if (!other.interfaces.some(({ port }) => ports.has(port))) continue;
      if (other.containerId === key.containerId) await this.#remove(other);
      else await this.#inTurn(other, () => this.#delete(other));
    }
  }

  // ---- DEL, GC ---------------------------------------------------------------------------------------------------------------
  async #delete(key: AttachmentKey): Promise<undefined> {
    const known = this.#options.attachments.get(key);
    if (known) await this.#remove(known);
    return undefined;
  }

  /** In this order: no packet is on its way to the wire any more, the wire goes, nobody knows of it. */
  async #remove(attachment: Attachment): Promise<void> {
    const { attachments, ports, wiring } = this.#options;
    for (const { name, port } of attachment.interfaces) {
      await ports.hold(port);
      try {
        await wiring.remove(port, attachment.netns, name);
      } finally {
        ports.free(port);
      }
    }
    attachments.delete(attachment);
  }

  /** What is not valid goes; so do wires that no attachment knows of. */
  async #collect({ name: network }: Configuration, valid: readonly AttachmentKey[]): Promise<undefined> {
    const { attachments, wiring, ports } = this.#options;
    const stays = new Set(valid.map(textOf));
    const faults: string[] = [];
    const attempt = async (what: string, work: () => Promise<unknown>): Promise<void> => {
      await work().catch((error: Error) => faults.push(`${what}: ${error.message}`));
    };
    for (const attachment of attachments.all()) {
      if (attachment.network !== network || stays.has(textOf(attachment))) continue;
      await attempt(textOf(attachment), () => this.#inTurn(attachment, () => this.#delete(attachment)));
    }
    const known = new Set(attachments.all().flatMap(({ interfaces }) => interfaces.map(({ port }) => port)));
    for (const port of await wiring.list()) {
      if (known.has(port)) continue;
      await attempt(port, async () => {
        await ports.hold(port);
        await wiring.remove(port, '', '').finally(() => ports.free(port));
      });
    }
    if (faults.length > 0) throw new CniError(CODE.internal, `${faults.length} attachments could not be removed`, faults.join('; '));
    return undefined;
  }

  // ---- CHECK, STATUS ---------------------------------------------------------------------------------------------------------
  async #check(key: AttachmentKey, { previous }: Configuration): Promise<undefined> {
    const known = this.#options.attachments.get(key);
    if (!known?.complete) throw new CniError(CODE.unknownContainer, 'the container has no such interface', `${textOf(key)} was not added here, or was deleted`);
    const fault = await this.#faultOf(known, previous);
    if (fault !== undefined) throw new CniError(CODE.changed, 'the container\'s network is not as it was made', fault);
    return undefined;
  }

  /** What of an attachment is not as it was made; plugins that came after may have changed MACs and routes. */
  async #faultOf(attachment: Attachment, previous: Configuration['previous']): Promise<string | undefined> {
    const { wiring, ports } = this.#options;
    const states = new Map(ports.list().map((state) => [state.port?.name ?? '', state]));
    for (const { name, port, mac, addresses, defaultRoute } of attachment.interfaces) {
      const found = await wiring.look(attachment.netns, name).catch(() => undefined);
      if (found === undefined) return `there is no device ${name} in ${attachment.netns}`;
      if (!found.up) return `${name} is down`;
      const wantedMac = previous?.interfaces.find((each) => each.name === name && each.sandbox === attachment.netns)?.mac || mac;
      if (found.mac.toLowerCase() !== wantedMac.toLowerCase()) return `${name} has the MAC ${found.mac}, not ${wantedMac}`;
      const missing = addresses.find(({ address }) => !found.addresses.includes(address));
      if (missing) return `${name} has not the address ${missing.address}`;
      const wantsRoute = defaultRoute && (addresses[0]?.gateway ?? '') !== '' && (previous === undefined || previous.routes.includes('0.0.0.0/0'));
      if (wantsRoute && !found.routes.includes('0.0.0.0/0')) return `${name} has no default route`;
      const state = states.get(port);
      if (!isLive(state)) return `port ${port} of ${name} is not live: ${state?.problem || 'the data plane does not have it'}`;
    }
    return undefined;
  }

  #status(): undefined {
    const { ports, problem } = this.#options;
    if (!ports.known) throw new CniError(CODE.limited, 'the data plane is away', problem());
    if (problem() !== '') throw new CniError(CODE.unavailable, 'no session with a controller', problem());
    return undefined;
  }

  #inTurn<T>({ containerId }: AttachmentKey, work: () => Promise<T>): Promise<T> {
    const result = (this.#turns.get(containerId) ?? Promise.resolve()).then(work);
    const over: Promise<unknown> = result.catch(() => {}).then(() => {
      if (this.#turns.get(containerId) === over) this.#turns.delete(containerId);
    });
    this.#turns.set(containerId, over);
    return result;
  }
}

const textOf = ({ containerId, ifname }: AttachmentKey): string => `${containerId}@${ifname}`;

/**
 * Which interfaces an ADD for `ifname` makes. A runtime that knows of one interface per pod gets all of them, the first one under the
 * name that it asks for; one that asks for another one by its name (a meta plugin, one by one) gets just that.
 */
function chosen(live: readonly LiveInterface[], ifname: string, configured: string | undefined): PodInterface[] {
  const one = live.find(({ pod }) => pod.index > 1 && pod.interface === ifname);
  const those = (one ? [one] : live).map(({ port, pod }) => ({ port, pod, name: pod.index === 1 ? ifname : pod.interface }));
  const asked = live.some(({ pod }) => pod.defaultRoute);
  return those.map(({ port, pod, name }) => {
    const bears = asked ? pod.defaultRoute : configured === undefined ? pod.index === 1 : configured !== NO_DEFAULT_ROUTE && configured === name;
    const { mac, mtu, addresses } = pod;
    return { name, port, mac, mtu, addresses, defaultRoute: bears };
  });
}
