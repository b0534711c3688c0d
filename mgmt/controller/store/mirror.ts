/**
 * A store's state in memory, as a function of its commits: for stores whose own reads would be too slow to be called in between.
 * Objects and numbers whole; history and changes of appliances as far back as their bounds reach.
 */
import type { Kind } from '../model/kinds.ts';
import type { NumberRow, SlotsRow } from '../routing/numbering.ts';
import { APPLIANCE_BYTES, APPLIANCE_CHANGES, HISTORY_BYTES, HISTORY_VERSIONS } from './bounds.ts';
import type { ApplianceVersion, AuditRow, HistoryRow, StoreCommit, StoredRow } from './store.ts';

interface Change { readonly version: number; readonly keys: string }

export class Mirror {
  version = 0;
  format = 0;
  /** Newest version that the history no longer tells. */
  historyFloor = 0;
  readonly objects = new Map<string, StoredRow>();
  readonly numbers = new Map<string, NumberRow>();
  readonly slots = new Map<string, SlotsRow>();
  readonly appliances = new Map<string, ApplianceVersion>();
  readonly #changes = new Map<string, { readonly list: Change[]; bytes: number }>();
  #history: HistoryRow[] = [];
  /** As far back as the history. */
  #audit: AuditRow[] = [];
  #historyBytes = 0;

  /** The next version. */
  apply(commit: StoreCommit): void {
    const { version, puts, deletes, numbers, slots, appliances, format } = commit;
    for (const row of deletes) this.objects.delete(objectKey(row));
    for (const row of puts) this.objects.set(objectKey(row), row);
    for (const row of numbers) this.numbers.set(numberKey(row), row);
    for (const row of slots) {
      if (row.slots.length > 0) this.slots.set(slotsKey(row), row);
      else this.slots.delete(slotsKey(row));
    }
    for (const { appliance, keys } of appliances) {
      const floor = keys === null ? version : this.appliances.get(appliance)?.floor ?? version - 1;
      this.appliances.set(appliance, { appliance, version, floor });
    }
    if (format !== undefined) this.format = format;
    this.version = version;
    this.record(commit);
  }

  /** The log's part of a commit, whose state is here already. */
  record({ version, puts, deletes, appliances, audit }: StoreCommit): void {
    if (audit) this.#audit.push({ version, bytes: audit });
    for (const row of puts) this.#step({ ...row, version, deleted: false });
    for (const row of deletes) this.#step({ ...row, version, deleted: true });
    this.#trimHistory(version);
    if (this.#audit.length > 0 && this.#audit[0]!.version <= this.historyFloor) this.#audit = this.#audit.filter((row) => row.version > this.historyFloor);
    for (const { appliance, keys } of appliances) {
      if (keys === null) this.#changes.delete(appliance);
      else this.#change(appliance, { version, keys });
    }
  }

  changesSince(appliance: string, version: number): string[] | undefined {
    const known = this.appliances.get(appliance);
    if (!known || version < known.floor || version > this.version) return undefined;
    return (this.#changes.get(appliance)?.list ?? []).filter((change) => change.version > version).map(({ keys }) => keys);
  }

  /** Whole transactions: at most `limit` steps, unless the first one alone has more. */
  history(version: number, limit: number): HistoryRow[] | undefined {
    if (version < this.historyFloor || version > this.version) return undefined;
    const start = this.#firstAfter(version);
    const after = this.#history;
    let end = Math.min(after.length, start + limit);
    if (end < after.length || end - start === limit) {
      const cut = after[end - 1]?.version;
      let whole = end;
      if (after[end]?.version === cut) while (whole > start && after[whole - 1]!.version === cut) whole--;
      if (whole === start) while (end < after.length && after[end]!.version === cut) end++;
      else end = whole;
    }
    return after.slice(start, end);
  }

  audit(version: number, limit: number): AuditRow[] | undefined {
    if (version < this.historyFloor || version > this.version) return undefined;
    return this.#audit.filter((row) => row.version > version).slice(0, limit);
  }

  versionsOf(kind: Kind, name: string): HistoryRow[] {
    return this.#history.filter((row) => row.kind === kind && row.name === name).reverse();
  }

  #step(row: HistoryRow): void {
    this.#history.push(row);
    this.#historyBytes += row.bytes.length;
  }

  #trimHistory(version: number): void {
    let floor = Math.max(this.historyFloor, version - HISTORY_VERSIONS);
    let [at, bytes] = [0, this.#historyBytes];
    // A version goes whole; the newest stays, however large.
    for (let row = this.#history[at]; row && row.version < version && (row.version <= floor || bytes > HISTORY_BYTES); row = this.#history[++at]) {
      bytes -= row.bytes.length;
      floor = Math.max(floor, row.version);
    }
    this.historyFloor = floor;
    while (this.#history[at] && this.#history[at]!.version <= floor) bytes -= this.#history[at++]!.bytes.length;
    // By hundredths: the rest moves in memory each time.
    if (at < 100 && bytes <= HISTORY_BYTES && this.#historyBytes <= HISTORY_BYTES) return;
    this.#history = this.#history.slice(at);
    this.#historyBytes = bytes;
  }

  #change(appliance: string, change: Change): void {
    const changes = this.#changes.get(appliance) ?? { list: [], bytes: 0 };
    this.#changes.set(appliance, changes);
    changes.list.push(change);
    changes.bytes += change.keys.length;
    // By tenths: the rest moves in memory each time.
    if (changes.list.length <= APPLIANCE_CHANGES * 1.1 && changes.bytes <= APPLIANCE_BYTES * 1.1) return;
    let [count, bytes] = [0, changes.bytes];
    while (count < changes.list.length - 1 && (changes.list.length - count > APPLIANCE_CHANGES || bytes > APPLIANCE_BYTES)) bytes -= changes.list[count++]!.keys.length;
    if (count === 0) return;
    const gone = changes.list.splice(0, count).at(-1)!.version;
    changes.bytes = bytes;
    const known = this.appliances.get(appliance);
    if (known) this.appliances.set(appliance, { ...known, floor: Math.max(known.floor, gone) });
  }

  /** Index of the first step after `version`: steps are in order. */
  #firstAfter(version: number): number {
    let [low, high] = [0, this.#history.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#history[middle]!.version <= version) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

export const objectKey = ({ kind, name }: { kind: string; name: string }): string => `${kind} ${name}`;
export const numberKey = ({ scope, number }: { scope: string; number: number }): string => `${scope} ${number}`;
export const slotsKey = ({ scope, key }: { scope: string; key: string }): string => `${scope}\n${key}`;
