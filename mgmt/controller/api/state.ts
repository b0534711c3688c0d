/**
 * An appliance's whole state, for whoever wants to forward by it without being it: what a sync session sends to an appliance that has
 * nothing, to the point where it has everything. The session keeps up with what changes meanwhile, so the end is one version's state.
 */
import * as grpc from '@grpc/grpc-js';
import { rpcError, type Draft } from '../../../proto/load.ts';
import type { ControllerMessage, Update } from '../../../proto/sync.ts';
import type { Outcome } from '../compile/compiler.ts';
import type { Engine } from '../engine.ts';
import { Session, type SessionSizes } from '../sync/session.ts';

/** Calls at once: each may keep MAX_IN_FLIGHT updates and the keys of what changed. */
const MAX_READERS = 4;

/** What of a call matters here. */
interface Call { readonly cancelled: boolean; on(event: 'cancelled', listener: () => void): unknown }

export class StateReader {
  readonly #engine: Engine;
  readonly #sizes: SessionSizes | undefined;
  #readers = 0;

  /** @param sizes as a simulation sets them */
  constructor(engine: Engine, sizes?: SessionSizes) {
    this.#engine = engine;
    this.#sizes = sizes;
  }

  /**
   * Updates in the order in which they can be written; the last one bears the version. As fast as they are taken.
   *
   * @param name of an appliance that there is; @param call whose end is the end of it
   * @throws RESOURCE_EXHAUSTED, ABORTED, NOT_FOUND as proto/config.proto says
   */
  async* updates(name: string, call: Call): AsyncGenerator<Draft<Update>> {
    if (this.#readers >= MAX_READERS) throw rpcError(grpc.status.RESOURCE_EXHAUSTED, `${MAX_READERS} callers read states now, more may not at once: try again`);
    this.#readers++;
    try {
      yield* this.#read(name, call);
    } finally {
      this.#readers--;
    }
  }

  async* #read(name: string, call: Call): AsyncGenerator<Draft<Update>> {
    const engine = this.#engine;
    const ready: Draft<ControllerMessage>[] = [];
    let [begun, complete, isGone] = [0, false, false];
    let wake = (): void => {};
    const session = new Session({
      state: () => engine.compiler.appliances.get(name),
      settled: () => engine.settled,
      live: () => { complete = true; },
      write: (message) => { ready.push(message); wake(); return true; },
      retryLater: () => {},
    }, { kind: 'resync', force: false, sweepFirst: false }, this.#sizes);
    const committed = ({ outcomes }: { readonly outcomes: readonly Outcome[] }): void => {
      for (const { appliance, touched, gone } of outcomes) {
        if (appliance.name !== name) continue;
        if (gone) isGone = true;
        else session.changed(touched);
      }
      wake();
    };
    const settled = (): void => session.pump();
    engine.on('committed', committed);
    engine.on('settled', settled);
    call.on('cancelled', () => wake());
    try {
      while (!complete && !call.cancelled) {
        const message = ready.shift();
        if (message?.beginResync && ++begun > 1) throw rpcError(grpc.status.ABORTED, `too much of ${name} changed while its state was told: ask again`);
        const { nonce, version = 0 } = message?.update ?? message?.endResync ?? {};
        if (message?.update || version !== 0) yield message?.update ?? { nonce, version };
        if (nonce !== undefined) session.acknowledged({ nonce, version, refusals: [], error: '' });
        if (isGone) throw rpcError(grpc.status.NOT_FOUND, `the virtual-router of ${name} was deleted while its state was told`);
        if (!message && !complete && !call.cancelled) await new Promise<void>((resolve) => { wake = resolve; });
      }
    } finally {
      engine.off('committed', committed);
      engine.off('settled', settled);
      session.close();
    }
  }
}
