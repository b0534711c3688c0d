/** Next hops of one appliance by id, with how many use each. Tunnels, of which a fleet has a million, are a number each. */
import { TunnelRecord } from './tunnel.ts';
import type { Underlay } from './types.ts';

export interface NexthopRecord {
  readonly id: number;
  readonly key: string;
  readonly kind: number;
  readonly flags: number;
  readonly interface: number;
  readonly remote: number;
  readonly local: number;
  readonly value: number;
  readonly mac: number;
  readonly mtu: number;
  readonly gateway: number;
  /** Of a group: next-hop ids, 0 = place-holder; their number is its value. */
  readonly slots: readonly number[];
}

/** No tunnel, and no small integer: the engine then keeps the array as plain doubles. */
const NONE = -0.5;

export class Nexthops {
  #underlay: Underlay;
  /** Those that are no tunnels over the underlay as it is now. */
  readonly #others = new Map<number, NexthopRecord>();
  /** By id, which are dense. */
  readonly #tunnels: number[] = [];
  readonly #references: number[] = [];
  #tunnelCount = 0;
  #fabric = 0;

  constructor(underlay: Underlay) { this.#underlay = underlay; }

  get size(): number { return this.#others.size + this.#tunnelCount; }
  has(id: number): boolean { return this.#isTunnel(id) || this.#others.has(id); }
  hasTunnel(id: number, tunnel: number): boolean { return this.#tunnels[id] === tunnel; }

  get(id: number): NexthopRecord | undefined { return this.#isTunnel(id) ? this.#record(id) : this.#others.get(id); }

  *values(): Generator<NexthopRecord> {
    for (let id = 0; id < this.#tunnels.length; id++) {
      if (this.#isTunnel(id)) yield this.#record(id);
    }
    yield* this.#others.values();
  }

  put(record: NexthopRecord): void {
    this.#makeRoom(record.id);
    this.#others.set(record.id, record);
  }

  /** @param fabric id of the interface that every tunnel leaves by */
  putTunnel(id: number, tunnel: number, fabric: number): void {
    this.#makeRoom(id);
    this.#tunnels[id] = tunnel;
    this.#tunnelCount++;
    this.#fabric = fabric;
  }

  delete(id: number): void {
    if (!this.#isTunnel(id)) {
      this.#others.delete(id);
      return;
    }
    this.#tunnels[id] = NONE;
    this.#tunnelCount--;
  }

  /** One user more. */
  use(id: number): void { this.#references[id]!++; }
  /** One user less; true: nobody is left. */
  release(id: number): boolean { return --this.#references[id]! === 0; }
  isUsed(id: number): boolean { return this.#references[id]! > 0; }

  /** Tunnels that look different over another underlay stay what they are, until nobody uses them. */
  changeUnderlay(underlay: Underlay): void {
    for (let id = 0; id < this.#tunnels.length; id++) {
      if (!this.#isTunnel(id)) continue;
      const [before, after] = [this.#record(id), new TunnelRecord(id, this.#tunnels[id]!, underlay, this.#fabric)];
      if (before.key === after.key) continue;
      this.delete(id);
      this.#others.set(id, before);
    }
    this.#underlay = underlay;
  }

  #isTunnel(id: number): boolean { return id < this.#tunnels.length && this.#tunnels[id] !== NONE; }
  #record(id: number): TunnelRecord { return new TunnelRecord(id, this.#tunnels[id]!, this.#underlay, this.#fabric); }

  #makeRoom(id: number): void {
    while (this.#tunnels.length <= id) {
      this.#tunnels.push(NONE);
      this.#references.push(0);
    }
  }
}
