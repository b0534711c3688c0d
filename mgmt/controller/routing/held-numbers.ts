/** Which key holds which number: by text, and tunnels, which are most of all keys, by their number under each underlay. */
import { NumberMap } from '../model/number-map.ts';
import { parseTunnelKey, tunnelKey } from './tunnel-key.ts';

export class HeldNumbers {
  readonly #byText = new Map<string, number>();
  readonly #tunnels = new Map<string, NumberMap>();

  get size(): number {
    let { size } = this.#byText;
    for (const tunnels of this.#tunnels.values()) size += tunnels.size;
    return size;
  }

  get(key: string): number | undefined {
    const parsed = parseTunnelKey(key);
    return parsed ? this.tunnel(key.slice(parsed.underlayAt), parsed.tunnel) : this.#byText.get(key);
  }

  /** The same for a tunnel whose key nobody has written. */
  tunnel(underlay: string, tunnel: number): number | undefined { return this.#tunnels.get(underlay)?.get(tunnel); }

  set(key: string, number: number): void {
    const parsed = parseTunnelKey(key);
    if (!parsed) {
      this.#byText.set(key, number);
      return;
    }
    // Mostly there is one underlay: no string is made to find that out.
    for (const [underlay, tunnels] of this.#tunnels) {
      if (key.length === parsed.underlayAt + underlay.length && key.endsWith(underlay)) return tunnels.set(parsed.tunnel, number);
    }
    const tunnels = new NumberMap();
    tunnels.set(parsed.tunnel, number);
    this.#tunnels.set(key.slice(parsed.underlayAt), tunnels);
  }

  delete(key: string): void {
    const parsed = parseTunnelKey(key);
    if (!parsed) {
      this.#byText.delete(key);
      return;
    }
    const underlay = key.slice(parsed.underlayAt);
    const tunnels = this.#tunnels.get(underlay);
    if (tunnels?.delete(parsed.tunnel) && tunnels.size === 0) this.#tunnels.delete(underlay);
  }

  *keys(): Generator<string> {
    yield* this.#byText.keys();
    for (const [underlay, tunnels] of this.#tunnels) for (const tunnel of tunnels.keys()) yield tunnelKey(tunnel, underlay);
  }
}
