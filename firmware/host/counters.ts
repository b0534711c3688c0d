/**
 * Counters: every lcore adds to a block of its own, the reader sums. A reading is not one moment for all counters; between two
 * vectors it is off by what is in flight.
 */
import type { CountersReply, InterfaceCounters, NamedCounter } from '../../proto/dataplane.ts';
import {
  C_DROP, C_INTERFACE, C_NEXTHOP, C_NODE, C_ORIGINATED, C_RECEIVED, C_TRANSMITTED, C_VRF, CI_DROPS, CI_RX_BYTES, CI_RX_PACKETS, CI_TX_BYTES, CI_TX_PACKETS, COUNTERS,
  COUNTERS_SHIFT, IF_KIND, IFK_NONE, INTERFACE_SHIFT, INTERFACES, LC_HELD_COUNT, LCORE_CONTROL, LCORE_SHIFT, LCORES,
} from '../../wasm-core/layout.ts';
import { DROP_REASONS, GRAPH_NODES } from './catalogue.ts';
import type { MemoryViews } from './memory.ts';
import type { Names } from './names.ts';
import type { Profile } from './profile.ts';

export class Counters {
  readonly #views: MemoryViews;
  readonly #names: Names;
  readonly #profile: Profile;
  readonly #lcores: readonly number[];

  constructor(views: MemoryViews, names: Names, profile: Profile) {
    this.#views = views;
    this.#names = names;
    this.#profile = profile;
    this.#lcores = [...Array.from({ length: profile.lcores }, (_, i) => i), LCORE_CONTROL];
  }

  read(): CountersReply {
    const { nexthops, vrfs } = this.#profile.tables;
    const drops = this.#named(C_DROP, 8, 256, (id) => DROP_REASONS.get(id)?.name ?? `reason-${id}`, (id) => DROP_REASONS.get(id)?.text ?? '');
    return {
      interfaces: this.#interfaces(),
      vrfs: this.#named(C_VRF, 16, vrfs, (id) => this.#names.name('VRF', id)),
      nexthops: this.#named(C_NEXTHOP, 16, nexthops, (id) => this.#names.name('NEXTHOP', id)),
      nodes: this.#named(C_NODE, 16, 64, (id) => GRAPH_NODES.get(id)?.name ?? `node-${id}`, (id) => GRAPH_NODES.get(id)?.text ?? ''),
      drops,
      received: this.#sum(C_RECEIVED),
      originated: this.#sum(C_ORIGINATED),
      transmitted: this.#sum(C_TRANSMITTED),
      dropped: drops.reduce((sum, { packets }) => sum + packets, 0),
      held: this.#lcores.reduce((sum, lcore) => sum + (this.#views.u32[(LCORES + lcore * 2 ** LCORE_SHIFT + LC_HELD_COUNT) >>> 2] ?? 0), 0),
      timeUs: Math.round(performance.now() * 1000),
    };
  }

  /** Packets and bytes of one interface by name of the table row. */
  #interfaces(): InterfaceCounters[] {
    const found: InterfaceCounters[] = [];
    for (let id = 1; id < this.#profile.tables.interfaces; id++) {
      if (this.#views.u8[INTERFACES + (id << INTERFACE_SHIFT) + IF_KIND] === IFK_NONE) continue;
      const at = C_INTERFACE + id * 64;
      found.push({
        id, name: this.#names.name('INTERFACE', id),
        rxPackets: this.#sum(at + CI_RX_PACKETS), rxBytes: this.#sum(at + CI_RX_BYTES), txPackets: this.#sum(at + CI_TX_PACKETS), txBytes: this.#sum(at + CI_TX_BYTES),
        drops: this.#sum(at + CI_DROPS),
      });
    }
    return found;
  }

  /** Those of an array that are not zero. An entry of 8 bytes has no second counter. */
  #named(offset: number, entryBytes: 8 | 16, count: number, name: (id: number) => string, text: (id: number) => string = () => ''): NamedCounter[] {
    const packets = new Map<number, number>();
    for (const lcore of this.#lcores) {
      const block = (COUNTERS + lcore * 2 ** COUNTERS_SHIFT + offset) >>> 2;
      const words = entryBytes >>> 2;
      for (let id = 0; id < count; id++) {
        const low = this.#views.u32[block + id * words] ?? 0;
        const high = this.#views.u32[block + id * words + 1] ?? 0;
        if (low !== 0 || high !== 0) packets.set(id, (packets.get(id) ?? 0) + high * 0x100000000 + low);
      }
    }
    return [...packets].sort(([a], [b]) => a - b).map(([id, sum]) => ({
      id, name: name(id), packets: sum, bytes: entryBytes === 16 ? this.#sum(offset + id * 16 + 8) : 0, text: text(id),
    }));
  }

  #sum(offset: number): number {
    let sum = 0;
    for (const lcore of this.#lcores) {
      const word = (COUNTERS + lcore * 2 ** COUNTERS_SHIFT + offset) >>> 2;
      sum += (this.#views.u32[word + 1] ?? 0) * 0x100000000 + (this.#views.u32[word] ?? 0);
    }
    return sum;
  }
}
