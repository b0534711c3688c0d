/** docs/forwarding.md section 10: who is known, who is asked for, what waits. Times are milliseconds. */
import { NB_MAX_HELD, NB_MAX_TRIES, NB_REACHABLE_MS, NB_RETRY_MS, HELD_CAPACITY } from '../../wasm-core/layout.ts';
import { dropped, type Packet } from './packet.ts';
import type { NextHop } from './tables.ts';

/** A packet after translation and fragmentation that waits for its neighbour. */
export interface Waiting {
  readonly packet: Packet;
  readonly hop: NextHop;
  /** Grows from packet to packet. */
  readonly order: number;
}

export interface Neighbour {
  readonly interface: number;
  readonly address: number;
  /** Undefined while it is unresolved. */
  mac: Uint8Array | undefined;
  /** A workload's, from the controller: never aged, asked or learnt. */
  static: boolean;
  seen: number;
  asked: number;
  /** Requests since the last confirmation. */
  tries: number;
  waiting: Waiting[];
}

/** What a packet's use of a neighbour leads to. */
export type Use =
  | { readonly use: 'send'; readonly mac: Uint8Array; readonly probe: boolean }
  | { readonly use: 'hold'; readonly ask: boolean };

export class Neighbours {
  readonly #records = new Map<string, Neighbour>();
  #holds = 0;

  get all(): Iterable<Neighbour> {
    return this.#records.values();
  }

  get held(): number {
    return [...this.#records.values()].reduce((sum, record) => sum + record.waiting.length, 0);
  }

  find(iface: number, address: number): Neighbour | undefined {
    return this.#records.get(`${iface} ${address}`);
  }

  claim(iface: number, address: number): Neighbour {
    const known = this.find(iface, address);
    if (known !== undefined) return known;
    const made: Neighbour = { interface: iface, address, mac: undefined, static: false, seen: 0, asked: 0, tries: 0, waiting: [] };
    this.#records.set(`${iface} ${address}`, made);
    return made;
  }

  /** A packet wants to go to the neighbour: send it, with a probe perhaps, or let it wait. */
  use(neighbour: Neighbour, now: number): Use {
    if (neighbour.mac !== undefined && !neighbour.static && now - neighbour.seen >= NB_REACHABLE_MS && now - neighbour.asked >= NB_RETRY_MS) {
      if (neighbour.tries >= NB_MAX_TRIES) {
        neighbour.mac = undefined;
        neighbour.tries = 0;
      } else {
        neighbour.tries += 1;
        neighbour.asked = now;
        return { use: 'send', mac: neighbour.mac, probe: true };
      }
    }
    if (neighbour.mac !== undefined) return { use: 'send', mac: neighbour.mac, probe: false };
    if (neighbour.waiting.length >= NB_MAX_HELD || this.held >= HELD_CAPACITY) dropped('neighbour_queue_full');
    const ask = neighbour.waiting.length === 0;
    if (ask) {
      neighbour.tries = 1;
      neighbour.asked = now;
    }
    return { use: 'hold', ask };
  }

  /** Takes in a sender's pair. Returns what waited. */
  learn(neighbour: Neighbour, mac: Uint8Array, now: number): Waiting[] {
    if (neighbour.static) return [];
    neighbour.mac = mac;
    neighbour.seen = now;
    neighbour.tries = 0;
    return neighbour.waiting.splice(0);
  }

  hold(neighbour: Neighbour, packet: Packet, hop: NextHop): void {
    this.#holds += 1;
    neighbour.waiting.push({ packet, hop, order: this.#holds });
  }

  /** What is due: neighbours to ask again, and packets that waited in vain, the one that waited longest first. */
  age(now: number): { ask: Neighbour[]; lost: Waiting[] } {
    const ask: Neighbour[] = [];
    const lost: Waiting[] = [];
    for (const neighbour of this.all) {
      if (neighbour.waiting.length === 0 || now - neighbour.asked < NB_RETRY_MS) continue;
      if (neighbour.tries < NB_MAX_TRIES) {
        neighbour.tries += 1;
        neighbour.asked = now;
        ask.push(neighbour);
      } else {
        lost.push(...neighbour.waiting.splice(0));
        neighbour.tries = 0;
      }
    }
    return { ask, lost: lost.sort((a, b) => a.order - b.order) };
  }
}
