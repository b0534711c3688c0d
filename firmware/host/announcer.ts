/**
 * Gratuitous ARP for floating IPs that became live (RTF_ANNOUNCE): the neighbours on a gateway's plain side learn at once where
 * the address is now (RFC 5227 section 3). Many at once go in rounds, since the ring to the lcore that sends them is short.
 */
import {
  ANNOUNCED, HANDOFF_ENTRIES, IF_FLAGS, IF_KIND, IF_VRF, IFF_UP, IFK_EXTERNAL, INTERFACE_SHIFT, INTERFACES, LC_WAKE, LCORE_CONTROL, LCORE_SHIFT, LCORES,
} from '../../wasm-core/layout.ts';
import type { CoreExports } from './core.ts';
import type { MemoryViews } from './memory.ts';

/** Addresses of one round, half of what the ring holds, and the pause until the next. */
const ROUND = HANDOFF_ENTRIES / 2;
const PAUSE_MS = 5;

export class Announcer {
  readonly #views: MemoryViews;
  readonly #core: CoreExports;
  readonly #wake: (lcore: number) => void;
  readonly #interfaces: () => readonly number[];
  readonly #pending: { readonly address: number; readonly vrf: number }[] = [];
  #next: NodeJS.Timeout | undefined;

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
    if (this.#next === undefined) this.#round();
  }

  #round(): void {
    this.#next = undefined;
    const round = this.#pending.slice(0, ROUND);
    const untold = round.findIndex(({ address, vrf }) => !this.#tell(vrf, address)); // no room now
    this.#pending.splice(0, untold === -1 ? round.length : untold);
    if (this.#pending.length > 0) this.#next = setTimeout(() => this.#round(), PAUSE_MS).unref();
  }

  /** False when there was no frame, or no room in the ring. */
  #tell(vrf: number, address: number): boolean {
    for (const id of this.#interfaces()) {
      const record = INTERFACES + (id << INTERFACE_SHIFT);
      const up = ((this.#views.u8[record + IF_FLAGS] ?? 0) & IFF_UP) !== 0;
      if (!up || this.#views.u8[record + IF_KIND] !== IFK_EXTERNAL || this.#views.u32[(record + IF_VRF) >>> 2] !== vrf) continue;
      if (this.#core.announce(id, address | 0) === 0) return false;
      const wake = this.#views.u32[(LCORES + LCORE_CONTROL * 2 ** LCORE_SHIFT + LC_WAKE) >>> 2] ?? 0;
      for (let lcore = 0; wake >>> lcore !== 0; lcore++) if (((wake >>> lcore) & 1) !== 0) this.#wake(lcore);
    }
    return true;
  }
}
