/**
 * Numbers that must stay the same across restarts: VRF, interface, next-hop ids and labels of each appliance, route targets.
 * Whoever wants one names a key; the same key gets the same number as long as it is held. Changes are kept in a journal that the
 * store writes in the transaction that they belong to.
 *
 * A freed number is not given out again until its appliance has acknowledged a version that no longer has it (so that what lies
 * in an appliance's tables, live or on disk, never means something else), and until `rest` others have been freed since, while
 * there are numbers that were never used.
 */
import { MAX_INTERFACES, MAX_LABELS, MAX_NEXTHOPS, MAX_VRFS, MIN_LABEL } from '../../../wasm-core/layout.ts';
import { HeldNumbers } from './held-numbers.ts';
import { FIRST_AUTO_TARGET, LAST_AUTO_TARGET } from './route-target.ts';
import { tunnelKey } from './tunnel-key.ts';

/** Numbers from `first` to `last`; while some were never used, a freed one waits for `rest` others. */
export interface Range { readonly first: number; readonly last: number; readonly rest: number }
export type Ranges = { readonly [K in Space]: Range };

/** VRF 0 is the fabric's. Next hops stay dense, since DIR-24-8 tables name only the first 32,768. */
export const RANGES: Ranges = {
  'route-target': { first: FIRST_AUTO_TARGET, last: LAST_AUTO_TARGET, rest: 1024 },
  'vrf': { first: 1, last: MAX_VRFS - 1, rest: 256 },
  'interface': { first: 1, last: MAX_INTERFACES - 1, rest: 256 },
  'nexthop': { first: 1, last: MAX_NEXTHOPS - 1, rest: 1024 },
  'label': { first: MIN_LABEL, last: MAX_LABELS - 1, rest: 4096 },
};
export type Space = 'route-target' | 'vrf' | 'interface' | 'nexthop' | 'label';
const SPACE_NAMES: { readonly [K in Space]: string } = { 'route-target': 'route target', 'vrf': 'VRF', 'interface': 'interface', 'nexthop': 'next-hop', 'label': 'label' };

/** A row of the store. `freed` is the version that gave it up (then it has no key), 0 while it is held. */
export interface NumberRow { readonly scope: string; readonly number: number; readonly key: string; readonly freed: number }
/** Slots of an ECMP group in order; '' is a place-holder. Empty: the group is gone. */
export interface SlotsRow { readonly scope: string; readonly key: string; readonly slots: readonly string[] }
export interface NumberJournal { readonly numbers: readonly NumberRow[]; readonly slots: readonly SlotsRow[] }

/** No number is left that may be given out. */
export class Exhausted extends Error {
  readonly appliance: string;
  readonly space: Space;

  /** @param unacknowledged how many numbers are free but for the appliance's word; @param version that it has acknowledged */
  constructor(appliance: string, space: Space, held: number, unacknowledged: number, version: number | undefined) {
    const kind = SPACE_NAMES[space];
    super(unacknowledged === 0
      ? `all ${held} ${kind} numbers are in use; delete what uses them`
      : `${held} ${kind} numbers are in use, and the other ${unacknowledged} may still be in the tables of ${appliance}, which has acknowledged ${version === undefined ? 'no version' : `version ${version}`} since this controller started: `
        + 'they are free once it is in session and in sync');
    this.appliance = appliance;
    this.space = space;
  }
}

/** The way back of a journal. */
class Undo {
  readonly numbers: (() => void)[] = [];
  readonly slots: (() => void)[] = [];
  readonly released: NumberRow[] = [];
}

class Numbers {
  readonly range: Range;
  readonly held = new HeldNumbers();
  /** In the order of their freeing. */
  freed: { number: number; version: number }[] = [];
  next: number;

  constructor(range: Range) {
    this.range = range;
    this.next = range.first;
  }
}

/** Numbers of the whole system ('' as the appliance) and of each appliance. */
export class Numbering {
  readonly #ranges: Ranges;
  readonly #spaces = new Map<string, Numbers>();
  /** The same once more: numbers are asked for by the million. */
  readonly #byAppliance = new Map<string, Partial<Record<Space, Numbers>>>();
  readonly #slots = new Map<string, Map<string, readonly string[]>>();
  /** Version up to which an appliance has let go of what was freed. */
  readonly #released = new Map<string, number>();
  #numbers = new Map<string, NumberRow>();
  #slotRows = new Map<string, SlotsRow>();
  /** What another controller gave out in the transaction that is being followed. */
  readonly #expected = new Map<string, number>();
  /** How to take back what is in the journal, and what was in the one taken last. */
  #undo = new Undo();
  #undoTaken = new Undo();
  /** Of the transaction under way. */
  version = 0;

  constructor(ranges: Ranges = RANGES) { this.#ranges = ranges; }

  /**
   * The number of `key`, which is now held.
   *
   * @throws {Exhausted} when the only numbers left, if any, are some that the appliance may still hold.
   */
  take(appliance: string, space: Space, key: string): number {
    const numbers = this.#of(appliance, space);
    const known = numbers.held.get(key);
    if (known !== undefined) return known;
    const scope = scopeOf(appliance, space);
    const { next, freed } = numbers;
    const [oldest] = freed;
    const number = this.#follow(numbers, `${scope}\n${key}`) ?? this.#fresh(appliance, space, numbers);
    numbers.held.set(key, number);
    this.#undo.numbers.push(() => {
      numbers.held.delete(key);
      numbers.next = next;
      numbers.freed = freed;
      if (oldest && freed[0] !== oldest) freed.unshift(oldest);
    });
    this.#write({ scope, number, key, freed: 0 });
    return number;
  }

  /** The same for the next hop that is a tunnel over an underlay (see tunnelKey): they are asked for by the million. */
  takeTunnel(appliance: string, underlay: string, tunnel: number): number {
    return this.#of(appliance, 'nexthop').held.tunnel(underlay, tunnel) ?? this.take(appliance, 'nexthop', tunnelKey(tunnel, underlay));
  }

  /** How many are held. */
  count(appliance: string, space: Space): number { return this.#of(appliance, space).held.size; }

  /** The number of `key`, if it is held. */
  find(appliance: string, space: Space, key: string): number | undefined {
    return this.#of(appliance, space).held.get(key);
  }

  /** What holds a number. */
  keys(appliance: string, space: Space): Iterable<string> { return this.#spaces.get(scopeOf(appliance, space))?.held.keys() ?? []; }

  release(appliance: string, space: Space, key: string): void {
    const scope = scopeOf(appliance, space);
    const numbers = this.#space(scope);
    const number = numbers.held.get(key);
    if (number === undefined) return;
    numbers.held.delete(key);
    numbers.freed.push({ number, version: this.version });
    this.#undo.released.push({ scope, key, number, freed: 0 });
    this.#undo.numbers.push(() => {
      numbers.freed.pop();
      numbers.held.set(key, number);
    });
    this.#write({ scope, number, key: '', freed: this.version });
  }

  /**
   * Slots of an ECMP group: members that were there keep theirs, a removed one leaves a place-holder that the next new one takes.
   * A group that is new gets its members in the order given.
   */
  slots(appliance: string, key: string, members: readonly string[]): readonly string[] {
    const before = this.#slots.get(appliance)?.get(key) ?? [];
    const after = before.map((member) => (members.includes(member) ? member : ''));
    for (const member of members) {
      if (after.includes(member)) continue;
      const hole = after.indexOf('');
      if (hole >= 0) after[hole] = member;
      else after.push(member);
    }
    if (after.length !== before.length || after.some((member, at) => member !== before[at])) {
      this.#setSlots(appliance, key, after);
      this.#slotRows.set(`${appliance}\n${key}`, { scope: appliance, key, slots: after });
    }
    return after;
  }

  dropSlots(appliance: string, key: string): void {
    if (this.#setSlots(appliance, key, undefined)) this.#slotRows.set(`${appliance}\n${key}`, { scope: appliance, key, slots: [] });
  }

  /** A removed appliance's numbers are freed, not forgotten: one that comes back under its name still holds the old ones. */
  releaseAll(appliance: string): void {
    for (const space of Object.keys(RANGES) as Space[]) {
      for (const key of [...this.#spaces.get(scopeOf(appliance, space))?.held.keys() ?? []]) this.release(appliance, space, key);
    }
    for (const key of [...this.#slots.get(appliance)?.keys() ?? []]) this.dropSlots(appliance, key);
  }

  /** The appliance no longer holds what was freed up to `version`. */
  acknowledge(appliance: string, version: number): void { this.#released.set(appliance, version); }

  inheritAcknowledged(other: Numbering): void {
    for (const [appliance, version] of other.#released) this.#released.set(appliance, version);
  }

  /** Until the next takeJournal these keys get these numbers and no others: another controller has given them out. */
  expect(rows: readonly NumberRow[]): void {
    for (const { scope, key, number, freed } of rows) if (freed === 0) this.#expected.set(`${scope}\n${key}`, number);
  }

  /** Whether numbers were given out or freed since the last takeJournal. */
  get hasJournal(): boolean { return this.#numbers.size > 0 || this.#slotRows.size > 0; }

  /** What changed since the last call. */
  takeJournal(): NumberJournal {
    const journal = { numbers: [...this.#numbers.values()], slots: [...this.#slotRows.values()] };
    this.#numbers = new Map();
    this.#slotRows = new Map();
    this.#expected.clear();
    [this.#undoTaken, this.#undo] = [this.#undo, new Undo()];
    return journal;
  }

  /**
   * Takes back what the journal last taken says: it has not become durable. `compile` compiles the way back; whatever it takes
   * again gets the number that it had, and what else it takes and releases on the way leaves nothing.
   *
   * @returns whether the numbers that it ended with are those from before; if not, compile from scratch.
   */
  rollBack(compile: () => void): boolean {
    const before = this.#undoTaken;
    for (const undo of before.slots.reverse()) undo();
    // A key that was released several times had the first of these numbers.
    const had = new Map(before.released.reverse().map((row) => [`${row.scope}\n${row.key}`, row]));
    this.expect([...had.values()]);
    compile();
    const { numbers, slots } = this.takeJournal();
    for (const undo of [...before.numbers, ...this.#undoTaken.numbers].reverse()) undo();
    this.#undoTaken = new Undo();
    const isHeld = ({ scope, key, number }: NumberRow): boolean => this.#spaces.get(scope)?.held.get(key) === number;
    const taken = numbers.filter(({ freed }) => freed === 0);
    const back = new Set(taken.map(({ scope, key }) => `${scope}\n${key}`));
    return slots.length === 0 && taken.every(isHeld) && [...had].every(([scopeAndKey, row]) => !isHeld(row) || back.has(scopeAndKey));
  }

  /** As the store has it. */
  restore(numbers: Iterable<NumberRow>, slots: Iterable<SlotsRow>): void {
    let [space, its]: [Numbers | undefined, string] = [undefined, ''];
    for (const { scope, number, key, freed } of numbers) {
      // They mostly come scope by scope.
      if (!space || scope !== its) [space, its] = [this.#space(scope), scope];
      if (freed === 0) space.held.set(key, number);
      else space.freed.push({ number, version: freed });
      space.next = Math.max(space.next, number + 1);
    }
    for (const { freed } of this.#spaces.values()) freed.sort((one, other) => one.version - other.version || one.number - other.number);
    for (const { scope, key, slots: members } of slots) {
      let groups = this.#slots.get(scope);
      if (!groups) this.#slots.set(scope, groups = new Map());
      groups.set(key, members);
    }
  }

  /**
   * Takes over what another controller gave out and freed for what routers told it, without compiling it here.
   *
   * @returns whether something of it was freed that `isUsed` here: compile from scratch then, which takes it anew.
   */
  adopt({ numbers, slots }: NumberJournal, isUsed: (scope: string, number: number) => boolean): boolean {
    let lost = false;
    for (const { scope, number, key, freed } of numbers) {
      const space = this.#space(scope);
      if (freed === 0) {
        space.held.set(key, number);
        space.freed = space.freed.filter((each) => each.number !== number);
        space.next = Math.max(space.next, number + 1);
        continue;
      }
      for (const held of [...space.held.keys()]) if (space.held.get(held) === number) space.held.delete(held);
      space.freed.push({ number, version: freed });
      lost ||= isUsed(scope, number);
    }
    for (const { scope, key, slots: members } of slots) this.#setSlots(scope, key, members.length > 0 ? members : undefined);
    this.#undo = new Undo();
    return lost;
  }

  /** An independent copy, without a journal. */
  clone(): Numbering {
    const copy = new Numbering(this.#ranges);
    copy.version = this.version;
    for (const [scope, numbers] of this.#spaces) {
      const space = copy.#space(scope);
      for (const key of numbers.held.keys()) space.held.set(key, numbers.held.get(key)!);
      space.freed = [...numbers.freed];
      space.next = numbers.next;
    }
    for (const [scope, groups] of this.#slots) copy.#slots.set(scope, new Map(groups));
    for (const [appliance, version] of this.#released) copy.#released.set(appliance, version);
    return copy;
  }

  #fresh(appliance: string, space: Space, numbers: Numbers): number {
    const { range, freed } = numbers;
    const [oldest] = freed;
    const acknowledged = this.#released.get(appliance);
    const isFree = oldest !== undefined && oldest.version <= (acknowledged ?? (appliance === '' ? Infinity : -1));
    const isRange = numbers.next <= range.last;
    // Resting is a courtesy, which ends with the range; that the appliance has let go is not.
    if (isFree && (freed.length > range.rest || !isRange)) {
      freed.shift();
      return oldest.number;
    }
    if (!isRange) throw new Exhausted(appliance, space, numbers.held.size, freed.length, acknowledged);
    return numbers.next++;
  }

  /** What the group was before. */
  #setSlots(appliance: string, key: string, slots: readonly string[] | undefined): readonly string[] | undefined {
    let groups = this.#slots.get(appliance);
    if (!groups) this.#slots.set(appliance, groups = new Map());
    const before = groups.get(key);
    const set = (to: readonly string[] | undefined): void => {
      if (to) groups.set(key, to);
      else groups.delete(key);
    };
    set(slots);
    this.#undo.slots.push(() => set(before));
    return before;
  }

  #follow(numbers: Numbers, scopeAndKey: string): number | undefined {
    const number = this.#expected.get(scopeAndKey);
    if (number === undefined) return undefined;
    numbers.freed = numbers.freed.filter((each) => each.number !== number);
    numbers.next = Math.max(numbers.next, number + 1);
    return number;
  }

  #of(appliance: string, space: Space): Numbers {
    let spaces = this.#byAppliance.get(appliance);
    if (!spaces) this.#byAppliance.set(appliance, spaces = {});
    return spaces[space] ??= this.#space(scopeOf(appliance, space));
  }

  #space(scope: string): Numbers {
    let numbers = this.#spaces.get(scope);
    if (!numbers) this.#spaces.set(scope, numbers = new Numbers(this.#ranges[splitScope(scope)[1]]));
    return numbers;
  }

  #write(row: NumberRow): void { this.#numbers.set(`${row.scope} ${row.number}`, row); }
}

const scopeOf = (appliance: string, space: Space): string => `${appliance}/${space}`;
function splitScope(scope: string): [string, Space] {
  const slash = scope.lastIndexOf('/');
  return [scope.slice(0, slash), scope.slice(slash + 1) as Space];
}
