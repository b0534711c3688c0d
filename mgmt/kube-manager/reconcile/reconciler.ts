/**
 * Makes the controller's objects those of the translation: writes what differs, in transactions of many units, one at a time. What the
 * controller refuses is set aside with its reason and tried again later; the rest of its transaction goes on without it.
 */
import { status, type ServiceError } from '@grpc/grpc-js';
import type { Logger } from 'pino';
import type { ConfigMethods } from '../../../proto/config.ts';
import type { Client } from '../../../proto/load.ts';
import { idOf, splitId } from '../../controller/model/kinds.ts';
import type { Problem } from '../translate/desired.ts';
import { desiredId } from '../translate/desired.ts';
import type { Translator } from '../translate/translator.ts';
import type { Mirror } from './mirror.ts';
import { isOurs, operationsOf, plan, type Group } from './plan.ts';
import { violationsOf, type Violation } from './refusals.ts';

/** Operations of a transaction: some tens of milliseconds of the controller. */
const MAX_OPERATIONS = 600;
const DEADLINE_MS = 60_000;
/** Between attempts of what was refused. */
const [FIRST_RETRY_MS, LAST_RETRY_MS] = [500, 60_000];
const CONTACT_RETRY_MS = 500;

export interface ReconcilerOptions {
  readonly config: Client<ConfigMethods>;
  readonly translator: Translator;
  readonly mirror: Mirror;
  readonly cluster: string;
  readonly log: Logger;
  /** Whether this replica may write. */
  readonly mayWrite: () => boolean;
  /** Units that came out otherwise, or of which the controller says something else. */
  readonly onUnits: (units: Iterable<string>) => void;
  /** A transaction is in: its version, and the units in it. */
  readonly onCommitted: (version: number, units: readonly string[]) => void;
}

/** A unit that was refused: the objects that it wanted to write, and when it will be tried again. */
interface SetAside { readonly problem: Problem; readonly ids: readonly string[]; readonly timer: NodeJS.Timeout }

export class Reconciler {
  readonly #options: ReconcilerOptions;
  readonly #ids = new Set<string>();
  /** What the controller refused, by unit. */
  readonly #refused = new Map<string, SetAside>();
  /** How often in a row, by unit. */
  readonly #attempts = new Map<string, number>();
  /** Units that wait for an object, and who waits for it. */
  readonly #waiting = new Map<string, string>();
  readonly #waitedFor = new Map<string, Set<string>>();
  readonly #foreign = new Map<string, string>();
  #scheduled = false;
  #running: Promise<void> | undefined;
  #ended = false;
  /** Deleting begins when everything has been read once: until then nobody knows what should not be. */
  #mayDelete = false;
  readonly counts = { transactions: 0, operations: 0, refusals: 0, conflicts: 0 };

  constructor(options: ReconcilerOptions) {
    this.#options = options;
  }

  /** Everything is read: from now on what is ours and should not be goes, and all is compared once. */
  sweep(): void {
    this.#mayDelete = true;
    const { translator, mirror, cluster } = this.#options;
    translator.run();
    for (const id of translator.ids()) this.#ids.add(id);
    for (const kind of ['project', 'network-ipam', 'virtual-network', 'network-policy', 'floating-ip-pool', 'floating-ip', 'virtual-machine', 'virtual-machine-interface', 'instance-ip', 'bgp-router'] as const) {
      for (const object of mirror.objects.all(kind)) if (isOurs(object, cluster)) this.#ids.add(idOf(object.kind, object.name));
    }
    this.schedule();
  }

  /** An object of the controller is another than it was. */
  objectChanged(id: string): void {
    for (const unit of this.#waitedFor.get(id) ?? []) this.#retry(unit);
    if (this.#mayDelete && (this.#options.translator.desired(id) || isOurs(this.#options.mirror.get(id), this.#options.cluster))) this.#ids.add(id);
    // Floating IPs have the interfaces that there are.
    if (id.startsWith('virtual-machine-interface ')) for (const floating of this.#options.translator.floatingIpsOf(splitId(id)[1])) this.#ids.add(floating);
    this.schedule();
  }

  /** There is work; it begins when what is under way in this turn of the loop is done. */
  schedule(): void {
    if (this.#scheduled || this.#ended || !this.#mayDelete) return;
    this.#scheduled = true;
    setImmediate(() => {
      this.#scheduled = false;
      if (this.#running) return;
      this.#running = this.#work().catch((error: unknown) => {
        this.#options.log.error({ err: error }, 'reconciling failed; trying again');
        setTimeout(() => this.schedule(), CONTACT_RETRY_MS);
      }).finally(() => {
        this.#running = undefined;
        if (this.#pending) this.schedule();
      });
    });
  }

  /** Whether all is as it should be, but for what is refused. */
  get inSync(): boolean { return this.#mayDelete && !this.#running && !this.#pending && this.#waiting.size === 0; }
  /** Objects that are to be looked at. */
  get depth(): number { return this.#ids.size + this.#options.translator.pending; }
  get refusedUnits(): number { return this.#refused.size; }
  get waitingUnits(): number { return this.#waiting.size; }
  get #pending(): boolean { return (this.#ids.size > 0 || this.#options.translator.pending > 0) && this.#options.mayWrite(); }

  /** What keeps a unit from being in the controller. */
  problemsOf(unit: string): readonly Problem[] {
    const [refused, missing, foreign] = [this.#refused.get(unit), this.#waiting.get(unit), this.#foreign.get(unit)];
    return [
      ...(refused ? [refused.problem] : []),
      ...(missing === undefined ? [] : [{ field: '', rule: 'Waiting', message: `waits for ${missing}, which is not there yet` }]),
      ...(foreign === undefined ? [] : [{ field: 'metadata.name', rule: 'NameTaken', message: foreign }]),
    ];
  }

  async close(): Promise<void> {
    this.#ended = true;
    for (const { timer } of this.#refused.values()) clearTimeout(timer);
    await this.#running;
  }

  // ---- work ----------------------------------------------------------------------------------------------------------------

  async #work(): Promise<void> {
    while (!this.#ended && this.#options.mayWrite()) {
      const { translator, mirror, cluster } = this.#options;
      const { units, ids } = translator.run();
      for (const id of ids) this.#ids.add(id);
      // What its author changed is another attempt.
      for (const unit of units) this.#forget(unit);
      if (units.size > 0) this.#options.onUnits(units);
      if (this.#ids.size === 0) return;
      const batch = new Set(this.#ids);
      this.#ids.clear();
      const { groups, waiting, foreign } = plan(batch, translator, mirror, cluster);
      for (const [unit, missing] of waiting) this.#wait(unit, missing);
      for (const [unit, text] of foreign) this.#foreign.set(unit, text);
      if (waiting.size + foreign.size > 0) this.#options.onUnits([...waiting.keys(), ...foreign.keys()]);
      for (const chunk of chunks(groups.filter(({ unit }) => !this.#refused.has(unit)))) {
        if (!this.#options.mayWrite()) return this.#again(chunk);
        await this.#commit(chunk);
      }
    }
  }

  async #commit(groups: readonly Group[]): Promise<void> {
    let left = groups;
    while (left.length > 0 && !this.#ended) {
      const { writes, operations } = operationsOf(left, this.#options.mirror);
      try {
        const reply = await this.#options.config.commit({ operations }, { deadline: Date.now() + DEADLINE_MS });
        this.counts.transactions++;
        this.counts.operations += operations.length;
        this.#options.mirror.apply(reply.version, reply.objects, writes.flatMap(({ write }) => (write.put ? [] : [write.id])));
        this.#options.onCommitted(reply.version, left.map(({ unit }) => unit));
        return;
      } catch (error) {
        const { code, message, metadata } = error as ServiceError;
        const violations = violationsOf(metadata);
        if (code === status.ABORTED) {
          // Somebody was faster: the watch tells what it is now.
          this.counts.conflicts++;
          this.#again(left);
          await pause(CONTACT_RETRY_MS / 5);
          return;
        }
        if (violations.length === 0 && code !== status.INVALID_ARGUMENT && code !== status.PERMISSION_DENIED) {
          this.#options.log.warn({ error: message }, 'the controller does not take a transaction; trying again');
          this.#again(left);
          await pause(CONTACT_RETRY_MS);
          return;
        }
        left = this.#withoutRefused(left, writes, violations, message);
      }
    }
  }

  /** The groups without those that were refused, which are set aside. Where it is not told which, halves find it. */
  #withoutRefused(groups: readonly Group[], writes: readonly { readonly group: Group; readonly write: { readonly id: string; readonly put: unknown } }[], violations: readonly Violation[], message: string): readonly Group[] {
    const bad = new Map<Group, Violation>();
    for (const violation of violations) {
      const found = violation.operation === undefined ? writes.find(({ write }) => write.id === violation.object) : writes[violation.operation];
      if (!found) continue;
      // What should go and is gone is as it should be.
      if (violation.rule === 'NOT_FOUND' && !found.write.put) this.#options.mirror.remove(found.write.id, 0);
      else if (!bad.has(found.group)) bad.set(found.group, violation);
    }
    const gone = violations.length > 0 && bad.size === 0 && violations.every(({ rule }) => rule === 'NOT_FOUND');
    if (gone) {
      this.#again(groups);
      return [];
    }
    if (bad.size === 0) {
      if (groups.length === 1) this.#refuse(groups[0]!, { operation: undefined, object: '', field: '', rule: 'REFUSED', description: message });
      else {
        const half = Math.ceil(groups.length / 2);
        this.#again(groups.slice(half));
        return groups.slice(0, half);
      }
      return [];
    }
    for (const [group, violation] of bad) this.#refuse(group, violation);
    return groups.filter((group) => !bad.has(group));
  }

  #refuse({ unit, writes }: Group, { field, rule, description }: Violation): void {
    this.counts.refusals++;
    const attempts = (this.#attempts.get(unit) ?? 0) + 1;
    this.#attempts.set(unit, attempts);
    const timer = setTimeout(() => this.#retry(unit), Math.min(FIRST_RETRY_MS * 2 ** (attempts - 1), LAST_RETRY_MS));
    timer.unref();
    this.#refused.set(unit, { problem: { field, rule: camel(rule), message: description }, ids: writes.map(({ id }) => id), timer });
    this.#options.log.info({ unit, rule, description }, 'refused by the controller');
    this.#options.onUnits([unit]);
  }

  #wait(unit: string, missing: string): void {
    this.#waiting.set(unit, missing);
    let units = this.#waitedFor.get(missing);
    if (!units) this.#waitedFor.set(missing, units = new Set());
    units.add(unit);
  }

  /** Looks at a unit anew. */
  #retry(unit: string): void {
    this.#lookAgain(unit);
    this.#release(unit);
    this.#options.onUnits([unit]);
    this.schedule();
  }

  #lookAgain(unit: string): void {
    for (const object of this.#options.translator.objectsOf(unit)) this.#ids.add(desiredId(object));
    for (const id of this.#refused.get(unit)?.ids ?? []) this.#ids.add(id);
  }

  #release(unit: string): void {
    const refused = this.#refused.get(unit);
    if (refused) clearTimeout(refused.timer);
    this.#refused.delete(unit);
    const missing = this.#waiting.get(unit);
    if (missing !== undefined) {
      this.#waiting.delete(unit);
      const units = this.#waitedFor.get(missing);
      units?.delete(unit);
      if (units?.size === 0) this.#waitedFor.delete(missing);
    }
    this.#foreign.delete(unit);
  }

  #forget(unit: string): void {
    this.#attempts.delete(unit);
    if (!this.#refused.has(unit) && !this.#waiting.has(unit) && !this.#foreign.has(unit)) return;
    this.#lookAgain(unit);
    this.#release(unit);
  }

  #again(groups: readonly Group[]): void {
    for (const { writes } of groups) for (const { id } of writes) this.#ids.add(id);
  }
}

function* chunks(groups: readonly Group[]): Generator<readonly Group[]> {
  let [chunk, operations]: [Group[], number] = [[], 0];
  for (const group of groups) {
    if (operations > 0 && operations + group.writes.length > MAX_OPERATIONS) {
      yield chunk;
      [chunk, operations] = [[], 0];
    }
    chunk.push(group);
    operations += group.writes.length;
  }
  if (chunk.length > 0) yield chunk;
}

/** ADDRESS_OUTSIDE_POOL → AddressOutsidePool, the way that reasons of Events are written. */
const camel = (rule: string): string => rule.toLowerCase().replace(/(?:^|_)([a-z0-9])/g, (_whole, letter: string) => letter.toUpperCase());
const pause = (ms: number): Promise<void> => new Promise((resolve) => { setTimeout(resolve, ms); });
