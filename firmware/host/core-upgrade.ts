/**
 * Replaces the core under traffic: the new one is judged and rehearsed beside the running one, then lcore by lcore takes it over between
 * two of its runs, over the same memory. Packets, tables and rings stay where they are. A core that traps or hangs while it is watched
 * is taken back by itself.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { rehearsal } from '../rehearsal/rehearse.ts';
import { judgeCore, keepCore, type CoreBuild, type InstalledCore } from './core-build.ts';
import { CoreRefused, type TrustedKeys } from './core-signature.ts';
import { instantiate, type CoreExports } from './core.ts';
import type { Lcores } from './lcores.ts';
import type { Logger } from './log.ts';

/** How long the first lcore runs the new core before the others follow. */
const FIRST_LCORE_MS = 100;
/** Between two looks at whether an lcore trapped or was replaced. */
const LOOK_MS = 10;

export interface CoreUpgradeOptions {
  readonly installed: InstalledCore;
  /** Undefined: no key is trusted, and no upgrade is taken. */
  readonly keys: TrustedKeys | undefined;
  readonly stateDirectory: string;
  readonly memory: WebAssembly.Memory;
  /** The control instance as everybody holds it; its functions are replaced. */
  readonly core: CoreExports;
  readonly lcores: Lcores;
  readonly log: Logger;
}

export interface Outcome {
  readonly previous: CoreBuild;
  /** Golden frames that were compared. */
  readonly rehearsed: number;
  /** By lcore: microseconds between the last run of the old core and the first of the new one. */
  readonly pauseUs: readonly number[];
  /** Empty: the new core stays. Otherwise the old one runs again, and this is why. */
  readonly rolledBack: string;
}

export class CoreUpgrade {
  readonly #options: CoreUpgradeOptions;
  #running: CoreBuild;
  #sinceMs = Date.now();
  #busy = false;

  constructor(options: CoreUpgradeOptions) {
    this.#options = options;
    this.#running = options.installed.running;
  }

  get running(): CoreBuild { return this.#running; }

  get base(): CoreBuild { return this.#options.installed.base; }

  get sinceMs(): number { return this.#sinceMs; }

  /**
   * Resolved when the new core has been watched for `watchMs` and is kept for the next start, or the old one runs again.
   * @throws CoreRefused when it never went live
   */
  async upgrade(bytes: Buffer, watchMs: number): Promise<Outcome> {
    const { keys, lcores, log, stateDirectory } = this.#options;
    if (keys === undefined) throw new CoreRefused('no signer of cores is trusted here: start the dataplane with --core-keys');
    if (this.#busy) throw new CoreRefused('another upgrade of the core is under way');
    this.#busy = true;
    try {
      const next = await judgeCore(bytes, keys);
      const rehearsed = await rehearsal(next.module);
      const previous = this.#running;
      const trouble = new Trouble(lcores);
      const pauseUs: number[] = [];
      try {
        for (let lcore = 0; lcore < lcores.count; lcore++) {
          pauseUs.push(await trouble.unless(lcores.replaceCore(lcore, next.module)));
          if (lcore === 0) await trouble.unless(sleep(FIRST_LCORE_MS));
        }
        this.#control(next);
        await trouble.unless(sleep(watchMs));
      } catch (error) {
        for (let lcore = 0; lcore < lcores.count; lcore++) await lcores.replaceCore(lcore, previous.module);
        this.#control(previous);
        const rolledBack = (error as Error).message;
        log.error({ core: next.sha256, back: previous.sha256, rolledBack }, 'the new core was taken back');
        return { previous, rehearsed, pauseUs, rolledBack };
      } finally {
        trouble.forget();
      }
      keepCore(bytes, this.base, stateDirectory);
      log.info({ core: next.sha256, previous: previous.sha256, signer: next.signer, pauseUs }, 'the core was replaced');
      return { previous, rehearsed, pauseUs, rolledBack: '' };
    } finally {
      this.#busy = false;
    }
  }

  #control(build: CoreBuild): void {
    const { core, memory } = this.#options;
    if (build === this.#running) return;
    Object.assign(core, instantiate(build.module, memory));
    this.#running = build;
    this.#sinceMs = Date.now();
  }
}

/** Rejects what is waited for as soon as an lcore traps or is replaced. */
class Trouble {
  readonly #look: NodeJS.Timeout;
  readonly #seen: Promise<never>;

  constructor(lcores: Lcores) {
    const before = Array.from({ length: lcores.count }, (_, lcore) => lcores.restarts(lcore));
    const { promise, reject } = Promise.withResolvers<never>();
    this.#seen = promise;
    promise.catch(() => {}); // nobody may be waiting
    this.#look = setInterval(() => {
      const lcore = before.findIndex((restarts, i) => lcores.restarts(i) !== restarts);
      if (lcore !== -1) reject(new Error(`lcore ${lcore} trapped or hung`));
    }, LOOK_MS);
  }

  unless<T>(work: Promise<T>): Promise<T> {
    return Promise.race([work, this.#seen]);
  }

  forget(): void {
    clearInterval(this.#look);
  }
}
