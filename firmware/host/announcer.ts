/**
 * Gratuitous ARP for floating IPs that became live (RTF_ANNOUNCE): the neighbours on a gateway's plain side learn at once where
 * the address is now (RFC 5227 section 3).
 */
import type { Refusal, Update } from '../../proto/sync.ts';
import {
  IF_FLAGS, IF_KIND, IF_VRF, IFF_UP, IFK_EXTERNAL, INTERFACE_SHIFT, INTERFACES, LC_WAKE, LCORE_CONTROL, LCORE_SHIFT, LCORES,
} from '../../wasm-core/layout.ts';
import { RECORD_ROUTE, RT_FLAGS, RT_NEXTHOP, RT_PREFIX, RT_SIZE, RT_VRF, RTF_ANNOUNCE } from '../../wasm-core/records.ts';
import type { CoreExports } from './core.ts';
import type { MemoryViews } from './memory.ts';

export class Announcer {
  readonly #views: MemoryViews;
  readonly #core: CoreExports;
  readonly #wake: (lcore: number) => void;
  readonly #interfaces: () => readonly number[];

  /** `interfaces`: ids of those that have a name; `wake`: ends an lcore's sleep. */
  constructor(views: MemoryViews, core: CoreExports, interfaces: () => readonly number[], wake: (lcore: number) => void) {
    this.#views = views;
    this.#core = core;
    this.#interfaces = interfaces;
    this.#wake = wake;
  }

  announce(update: Update, refusals: readonly Refusal[]): void {
    const refused = new Set(refusals.map(({ batch, record }) => `${batch}/${record}`));
    for (const [index, { kind, count, records }] of update.batches.entries()) {
      if (kind !== RECORD_ROUTE) continue;
      for (let i = 0; i < count; i++) {
        const at = i * RT_SIZE;
        if (((records[at + RT_FLAGS] ?? 0) & RTF_ANNOUNCE) === 0 || records.readUInt32LE(at + RT_NEXTHOP) === 0 || refused.has(`${index}/${i}`)) continue;
        this.#tell(records.readUInt32LE(at + RT_VRF), records.readUInt32LE(at + RT_PREFIX));
      }
    }
  }

  #tell(vrf: number, address: number): void {
    for (const id of this.#interfaces()) {
      const record = INTERFACES + (id << INTERFACE_SHIFT);
      const up = ((this.#views.u8[record + IF_FLAGS] ?? 0) & IFF_UP) !== 0;
      if (!up || this.#views.u8[record + IF_KIND] !== IFK_EXTERNAL || this.#views.u32[(record + IF_VRF) >>> 2] !== vrf) continue;
      this.#core.announce(id, address | 0);
      const wake = this.#views.u32[(LCORES + LCORE_CONTROL * 2 ** LCORE_SHIFT + LC_WAKE) >>> 2] ?? 0;
      for (let lcore = 0; wake >>> lcore !== 0; lcore++) if (((wake >>> lcore) & 1) !== 0) this.#wake(lcore);
    }
  }
}
