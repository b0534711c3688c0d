/**
 * Virtual time. Everything that happens is an event in one queue, ordered by time and then by when it was planned; between two
 * events all promises settle. So a run is a function of its seed: nothing waits for the machine's clock, its network or its disk.
 */
import { createHash } from 'node:crypto';
import type { Clock } from '../../mgmt/clock.ts';
import { Random } from '../generate/random.ts';

/** Where virtual time begins, in ms since 1970: any will do, but not 0, which would look like "never". */
const BEGINNING = Date.UTC(2026, 0, 1);

interface Event { readonly at: number; readonly order: number; readonly action: () => void; readonly owner: Process | undefined; over: boolean }

export class World {
  readonly random: Random;
  #now = BEGINNING;
  #order = 0;
  /** A binary heap. */
  readonly #events: Event[] = [];
  readonly #hash = createHash('sha256');
  #lines = 0;
  #failure: Error | undefined;
  /** Told every line of the trace. */
  readonly #tell: ((line: string) => void) | undefined;

  constructor(seed: number, tell?: (line: string) => void) {
    this.random = new Random(seed);
    this.#tell = tell;
  }

  get now(): number { return this.#now; }
  /** Since the beginning. */
  get elapsed(): number { return this.#now - BEGINNING; }
  get lines(): number { return this.#lines; }

  /** One line of what happened; all lines together are the run. */
  trace(text: string): void {
    const line = `${(this.elapsed / 1000).toFixed(3).padStart(8)}  ${text}`;
    this.#lines++;
    this.#hash.update(line).update('\n');
    this.#tell?.(line);
  }

  /** Ends the run: the first failure is what it ends with. */
  fail(error: Error): void {
    this.#failure ??= error;
  }

  /** Of the trace so far. */
  digest(): string { return this.#hash.copy().digest('hex'); }

  /** A random UUID of this run. */
  readonly newUuid = (): string => {
    const hex = Buffer.from(this.random.bytes(16)).toString('hex');
    return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-4${hex.slice(13, 16)}-8${hex.slice(17, 20)}-${hex.slice(20)}`;
  };

  /** Plans `action`; what it returns takes that back. Of a process that has died meanwhile, it does not happen. */
  after(ms: number, action: () => void, owner?: Process): () => void {
    const event = { at: this.#now + Math.max(0, Math.round(ms)), order: this.#order++, action, owner, over: false };
    this.#push(event);
    return () => { event.over = true; };
  }

  /** Resolves with the process's life only. */
  pause(ms: number, owner?: Process): Promise<void> { return new Promise((resolve) => { this.after(ms, resolve, owner); }); }

  /** Lets everything happen until `done` says so, or `ms` have passed; whether it was done. */
  async run(ms: number, done: () => boolean = () => false): Promise<boolean> {
    const end = this.#now + ms;
    await settled();
    for (;;) {
      if (this.#failure) throw this.#failure;
      if (done()) return true;
      const next = this.#events[0];
      if (!next || next.at > end) {
        this.#now = end;
        return done();
      }
      this.#pop();
      if (next.over || next.owner?.dead) continue;
      this.#now = next.at;
      next.action();
      await settled();
    }
  }

  #push(event: Event): void {
    const heap = this.#events;
    let at = heap.push(event) - 1;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (before(heap[parent]!, event)) break;
      heap[at] = heap[parent]!;
      at = parent;
    }
    heap[at] = event;
  }

  #pop(): void {
    const heap = this.#events;
    const event = heap.pop()!;
    if (heap.length === 0) return;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && before(heap[child + 1]!, heap[child]!)) child++;
      if (before(event, heap[child]!)) break;
      heap[at] = heap[child]!;
      at = child;
    }
    heap[at] = event;
  }
}

const before = (one: Event, other: Event): boolean => one.at < other.at || (one.at === other.at && one.order < other.order);

/** One turn of the machine's event loop: every promise that can settle without an event of ours has settled. */
const settled = (): Promise<void> => new Promise((resolve) => { setImmediate(resolve); });

/** What may be killed at any moment: then nothing that it planned happens, and nothing that is meant for it arrives. */
export class Process implements Clock {
  readonly name: string;
  readonly #world: World;
  #dead = false;
  #whenDead: (() => void)[] = [];

  constructor(world: World, name: string) {
    this.#world = world;
    this.name = name;
  }

  get dead(): boolean { return this.#dead; }
  now(): number { return this.#world.now; }
  after(ms: number, action: () => void): () => void { return this.#world.after(ms, action, this); }

  onDeath(action: () => void): void { this.#whenDead.push(action); }

  kill(): void {
    if (this.#dead) return;
    this.#dead = true;
    for (const action of this.#whenDead.splice(0)) action();
  }
}
