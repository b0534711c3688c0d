/** Operators: each asks for one change after the other, at whichever controller answers, and remembers what was acknowledged. */
import type { Committed } from '../../mgmt/controller/engine.ts';
import { encodeObject } from '../../mgmt/controller/model/codec.ts';
import { idOf } from '../../mgmt/controller/model/kinds.ts';
import { Refusal } from '../../mgmt/controller/model/refusal.ts';
import type { Operation } from '../../proto/config.ts';
import type { SimulatedController } from './controller.ts';
import type { Network } from './network.ts';
import { Violation, type Truth } from './truth.ts';
import { BEGINNING, transaction } from './workload.ts';
import { Process, type World } from './world.ts';

/** How long a client waits for an answer. */
const PATIENCE_MS = 8000;

export class Client {
  readonly name: string;
  readonly #world: World;
  readonly #network: Network;
  readonly #controllers: readonly SimulatedController[];
  readonly #truth: Truth;
  readonly #onLive: (version: number, absent: readonly string[]) => void;
  readonly #process: Process;
  /** Versions of objects, as it was told. */
  readonly #seen = new Map<string, number>();
  #at: number;
  acknowledged = 0;
  refused = 0;
  unknown = 0;
  /** Asks for nothing new. */
  stopped = false;
  idle = true;

  /** @param onLive told that a version is said to be live, everywhere but at some. */
  constructor(world: World, network: Network, name: string, controllers: readonly SimulatedController[], truth: Truth, onLive: (version: number, absent: readonly string[]) => void) {
    this.#onLive = onLive;
    this.#world = world;
    this.#network = network;
    this.name = name;
    this.#controllers = controllers;
    this.#truth = truth;
    this.#process = new Process(world, name);
    this.#at = world.random.below(controllers.length);
  }

  /** Makes the first objects, however long it takes. */
  async begin(): Promise<void> {
    while (!await this.#ask(BEGINNING)) await this.#world.pause(100);
  }

  /** One change after the other. @param busy mean ms between two. */
  async work(busy: number): Promise<void> {
    const { random } = this.#world;
    while (!this.stopped) {
      await this.#world.pause(random.chance(20) ? 0 : random.below(2 * busy));
      if (this.stopped) break;
      this.idle = false;
      const operations = transaction(random, (id) => this.#seen.get(id) ?? 0);
      // After no answer, sometimes the same once more: it may have been carried out.
      if (await this.#ask(operations) === undefined && random.chance(50)) await this.#ask(operations);
      this.idle = true;
    }
  }

  /** True: acknowledged; false: refused; undefined: nobody knows. */
  async #ask(operations: readonly Operation[]): Promise<boolean | undefined> {
    const { now } = this.#world;
    const controller = this.#controllers[this.#at]!;
    try {
      const { process } = controller;
      const committed = await this.#network.call(this.#process, process, controller.name, () => {
        if (!process || controller.process !== process) throw new Error(`${controller.name} is away`);
        return controller.commit(operations);
      }, now + PATIENCE_MS);
      this.acknowledged++;
      this.#remember(operations, committed);
      this.#world.trace(`${this.name}: ${controller.name} acknowledged version ${committed.version}`);
      if (this.#world.random.chance(30)) await this.#awaitLive(controller, committed.version);
      return true;
    } catch (error) {
      if (error instanceof Violation) this.#world.fail(error);
      const text = error instanceof Error ? error.message : String(error);
      this.#world.trace(`${this.name}: ${controller.name} did not: ${text.slice(0, 100)}`);
      if (error instanceof Refusal) {
        this.refused++;
        return false;
      }
      this.unknown++;
      this.#at = (this.#at + 1) % this.#controllers.length;
      return undefined;
    }
  }

  async #awaitLive(controller: SimulatedController, version: number): Promise<void> {
    const { process } = controller;
    const absent = await this.#network.call(this.#process, process, controller.name, () => controller.awaitLive(version), this.#world.now + PATIENCE_MS).catch(() => undefined);
    if (!absent) return;
    this.#world.trace(`${this.name}: ${controller.name} says that version ${version} is live${absent.length > 0 ? `, but at ${absent.join(', ')}` : ''}`);
    this.#onLive(version, absent);
  }

  /** What was acknowledged is durable, and is what was asked for. @throws Violation */
  #remember(operations: readonly Operation[], { version, objects }: Committed): void {
    const truth = this.#truth;
    if (version > truth.version) throw new Violation(`version ${version} was acknowledged, and ${truth.version} is the newest that is durable`);
    const last = new Map<string, Operation>();
    for (const object of objects) {
      const id = idOf(object.kind, object.name);
      const durable = truth.objectAt(version, id);
      if (!durable || Buffer.compare(durable.bytes, encodeObject(object)) !== 0) throw new Violation(`version ${version} was acknowledged with ${id}, and is durable ${durable ? 'with another' : 'without it'}`);
      this.#seen.set(id, object.version);
    }
    for (const operation of operations) {
      const message = operation.delete ?? operation.put ?? operation.create ?? operation.update;
      if (message) last.set(message.name, operation);
    }
    for (const { delete: deleted, update } of last.values()) {
      if (deleted && truth.objectAt(version, `${deleted.kind} ${deleted.name}`)) throw new Violation(`version ${version} was acknowledged with ${deleted.kind} ${deleted.name} deleted, and it is there`);
      // Optimistic concurrency: what changed was as its author had seen it.
      const now = update && update.version !== 0 ? objects.find(({ name }) => name === update.name) : undefined;
      if (!now || now.version !== version || now.version === update!.version) continue;
      const before = truth.objectAt(version - 1, idOf(now.kind, now.name));
      if (before?.version !== update!.version) throw new Violation(`version ${version} was acknowledged as a change of version ${update!.version} of ${now.name}, and changed ${before ? `version ${before.version}` : 'nothing'}`);
    }
  }
}
