/** The interfaces of pods that are live in the data plane, as Names told them; and waiting for one's. */
import type { DataplaneMethods, PodsReply } from '../../../proto/dataplane.ts';
import type { Client } from '../../../proto/load.ts';
import type { Name, Pod } from '../../../proto/sync.ts';
import { SYSTEM_CLOCK, type Clock } from '../../clock.ts';
import type { PodName } from './request.ts';

const LEARN_MS = 10_000;

/** An interface of a pod, and the port that it is bound to. */
export interface LiveInterface { readonly port: string; readonly pod: Pod }

export class Pods {
  readonly #dataplane: Client<DataplaneMethods>;
  readonly #clock: Clock;
  /** By interface id; null while the data plane is away. */
  #live: Map<number, LiveInterface> | null = null;
  /** False while a resync is under way: routes may be missing yet. */
  #whole = false;
  /** Names that became live while the data plane was being asked: newer than its answer may be. */
  readonly #learning = new Set<Name[]>();
  readonly #waiting = new Set<() => void>();

  constructor(dataplane: Client<DataplaneMethods>, clock: Clock = SYSTEM_CLOCK) {
    this.#dataplane = dataplane;
    this.#clock = clock;
  }

  /** Learns what the data plane holds. @param whole it holds all of a version, so not a part of a resync */
  async learn(whole: boolean): Promise<void> {
    const live = new Map<number, LiveInterface>();
    const since: Name[] = [];
    this.#learning.add(since);
    try {
      for await (const { names } of this.#dataplane.pods({}, { deadline: this.#clock.now() + LEARN_MS }) as AsyncIterable<PodsReply>) {
        for (const name of names) take(live, name);
      }
    } finally {
      this.#learning.delete(since);
    }
    for (const name of since) take(live, name);
    this.#live = live;
    this.#whole = whole;
    this.#changed();
  }

  /** The data plane went away. */
  forget(): void {
    this.#live = null;
  }

  resyncBegun(): void {
    this.#whole = false;
  }

  /** Names that became live. */
  named(names: readonly Name[]): void {
    const ours = names.filter(({ of }) => of === 'INTERFACE');
    if (ours.length === 0) return;
    for (const since of this.#learning) since.push(...ours);
    if (!this.#live) return;
    for (const name of ours) take(this.#live, name);
    this.#changed();
  }

  /** All interfaces of a pod in their order, once all of them are live. @throws what `signal` was aborted with */
  async whenLive(pod: PodName, signal: AbortSignal): Promise<LiveInterface[]> {
    for (;;) {
      signal.throwIfAborted();
      const found = this.#find(pod);
      if (this.#whole && found.length > 0 && found.length >= found[0]!.pod.count) return found;
      await new Promise<void>((resolve) => {
        const done = (): void => {
          this.#waiting.delete(done);
          signal.removeEventListener('abort', done);
          resolve();
        };
        this.#waiting.add(done);
        signal.addEventListener('abort', done);
      });
    }
  }

  /** What there is of a pod and what is missing, for people. */
  describe(pod: PodName): string {
    if (!this.#live) return 'the data plane is away';
    if (!this.#whole) return 'the appliance is being resynced by its controller';
    const found = this.#find(pod);
    if (found.length === 0) return 'the controller has told no interface of it: does kube-manager know the pod, and is it bound to this appliance?';
    return `the controller has told ${found.length} of its ${found[0]!.pod.count} interfaces (${found.map((each) => each.pod.interface).join(', ')})`;
  }

  /** Without a UID: of several pods that had the name, the one that came last. */
  #find({ namespace, name, uid }: PodName): LiveInterface[] {
    const named = [...this.#live?.values() ?? []].filter(({ pod }) => pod.namespace === namespace && pod.name === name);
    const wanted = uid || named.at(-1)?.pod.uid;
    return named.filter(({ pod }) => pod.uid === wanted).sort((one, other) => one.pod.index - other.pod.index);
  }

  #changed(): void {
    for (const wake of [...this.#waiting]) wake();
  }
}

/** An interface's Name: no name removes it, and one without a pod is nobody's here. */
function take(live: Map<number, LiveInterface>, { id, name, port, pod }: Name): void {
  live.delete(id); // what comes anew comes last
  if (name !== '' && port !== '' && pod) live.set(id, { port, pod });
}
