/** What every store reads alike that holds all of its content in memory. */
import { EventEmitter } from 'node:events';
import type { Kind } from '../model/kinds.ts';
import type { NumberRow, SlotsRow } from '../routing/numbering.ts';
import { Mirror } from './mirror.ts';
import type { ApplianceVersion, AuditRow, HistoryRow, StoredRow } from './store.ts';

export abstract class MirroredStore extends EventEmitter<{ waiting: []; contact: []; lost: [Error] }> {
  protected mirror = new Mirror();

  get version(): number { return this.mirror.version; }
  get format(): number { return this.mirror.format; }
  objects(): Iterable<StoredRow> { return this.mirror.objects.values(); }
  numbers(): Iterable<NumberRow> { return this.mirror.numbers.values(); }
  slots(): Iterable<SlotsRow> { return this.mirror.slots.values(); }
  appliances(): Iterable<ApplianceVersion> { return this.mirror.appliances.values(); }
  changesSince(appliance: string, version: number): string[] | undefined { return this.mirror.changesSince(appliance, version); }
  history(version: number, limit: number): HistoryRow[] | undefined { return this.mirror.history(version, limit); }
  audit(version: number, limit: number): AuditRow[] | undefined { return this.mirror.audit(version, limit); }
  get auditFloor(): number { return this.mirror.historyFloor; }
  versionsOf(kind: Kind, name: string): HistoryRow[] { return this.mirror.versionsOf(kind, name); }
}
