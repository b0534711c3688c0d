/**
 * Gratuitous ARP for floating IPs that became live (RTF_ANNOUNCE): the neighbours on a gateway's plain side learn at once where
 * the address is now (RFC 5227 section 3).
 */
import {
  ANNOUNCED, IF_FLAGS, IF_KIND, IF_VRF, IFF_UP, IFK_EXTERNAL, INTERFACE_SHIFT, INTERFACES, LC_WAKE, LCORE_CONTROL, LCORE_SHIFT, LCORES,
} from '../../wasm-core/layout.ts';
import type { CoreExports } from './core.ts';
import type { MemoryViews } from './memory.ts';

export class Announcer {
  readonly #views: MemoryViews;
  readonly #core: CoreExports;
  readonly #wake: (lcore: number) => void;
  readonly #interfaces: () => readonly number[];
  readonly #pending: { readonly address: number; readonly vrf: number }[] = [];

  /** `interfaces`: ids of those that have a name; `wake`: ends an lcore's sleep. */
  constructor(views: MemoryViews, core: CoreExports, interfaces: () => readonly number[], wake: (lcore: number) => void) {
    this.#views = views;
    this.#core = core;
    this.#interfaces = interfaces;
    this.#wake = wake;
  }

  /** Takes over what the core listed of the batch that it just applied. */
  collect(): void {
    const count = this.#views.u32[ANNOUNCED >>> 2] ?? 0;
    for (let i = 0; i < count; i++) {
      const entry = (ANNOUNCED >>> 2) + 1 + 2 * i;
      this.#pending.push({ address: this.#views.u32[entry] ?? 0, vrf: this.#views.u32[entry + 1] ?? 0 });
    }
  }

  /** What was collected is live now: says so. */
  announce(): void {
    for (const { address, vrf } of this.#pending.splice(0)) this.#tell(vrf, address);
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
