/** What people call the numbers in the tables, and which port an interface is bound to: Names of the sync stream. */
import type { Draft } from '../../proto/load.ts';
import type { Name, NameOf, Pod } from '../../proto/sync.ts';
import type { TraceNames } from './trace-names.ts';

interface Entry { readonly name: string; readonly port: string; readonly pod: Pod | undefined; readonly generation: number }

export class Names {
  readonly #byKind = new Map<NameOf, Map<number, Entry>>();
  #generation = 0;

  /** Takes names in; true when a binding of an interface to a port may have changed. */
  take(names: readonly Name[]): boolean {
    let bindings = false;
    for (const { of, id, name, port, pod } of names) {
      const table = this.#table(of);
      if (name === '') table.delete(id);
      else table.set(id, { name, port, pod, generation: this.#generation });
      bindings ||= of === 'INTERFACE';
    }
    return bindings;
  }

  /** A resync begins: names that it does not bring again go by `sweep`. */
  mark(): void {
    this.#generation++;
  }

  sweep(): void {
    for (const table of this.#byKind.values()) {
      for (const [id, { generation }] of table) if (generation !== this.#generation) table.delete(id);
    }
  }

  /** Fully qualified name; empty when it has none. */
  name(of: NameOf, id: number): string {
    return this.#byKind.get(of)?.get(id)?.name ?? '';
  }

  port(id: number): string {
    return this.#byKind.get('INTERFACE')?.get(id)?.port ?? '';
  }

  /** The id of a name, or of a number written out; undefined when there is none. */
  find(of: NameOf, text: string): number | undefined {
    for (const [id, entry] of this.#table(of)) if (entry.name === text || (text !== '' && entry.port === text)) return id;
    return /^\d+$/.test(text) ? Number(text) : undefined;
  }

  bindings(): { id: number; port: string }[] {
    return [...this.#table('INTERFACE')].map(([id, { port }]) => ({ id, port }));
  }

  /** For sentences about the tables. */
  maps(): TraceNames {
    const names = (of: NameOf): Map<number, string> => new Map([...this.#table(of)].map(([id, { name }]) => [id, name]));
    const dotted = (address: number): string => [24, 16, 8, 0].map((shift) => (address >>> shift) & 255).join('.');
    const floatingIps = new Map([...names('FLOATING_IP')].map(([id, name]) => [dotted(id), name]));
    return { interfaces: names('INTERFACE'), vrfs: names('VRF'), nexthops: names('NEXTHOP'), floatingIps };
  }

  /** All, as they would arrive. */
  all(): Draft<Name>[] {
    return [...this.#byKind].flatMap(([of, table]) => [...table].map(([id, { name, port, pod }]) => ({ of, id, name, port, pod })));
  }

  /** Those of pods' interfaces, as they would arrive. */
  pods(): Draft<Name>[] {
    return [...this.#table('INTERFACE')].filter(([, { pod }]) => pod !== undefined).map(([id, { name, port, pod }]) => ({ of: 'INTERFACE', id, name, port, pod }));
  }

  #table(of: NameOf): Map<number, Entry> {
    let table = this.#byKind.get(of);
    if (table === undefined) this.#byKind.set(of, table = new Map());
    return table;
  }
}
