/** The dataplane as a whole: memory, core, lcores, ports, control; put together, started and ended in order. */
import type { Draft } from '../../proto/load.ts';
import type { State } from '../../proto/dataplane.ts';
import { LAYOUT_VERSION } from '../../wasm-core/layout.ts';
import { Announcer } from './announcer.ts';
import { Control } from './control.ts';
import type { InstalledCore } from './core-build.ts';
import type { TrustedKeys } from './core-signature.ts';
import { CoreUpgrade } from './core-upgrade.ts';
import { instantiate, type CoreExports } from './core.ts';
import { Counters } from './counters.ts';
import { Epochs } from './epochs.ts';
import { LCORE_PROGRAM, Lcores } from './lcores.ts';
import type { Logger } from './log.ts';
import { createMemory, useHugePages, writeLimits, type MemoryViews } from './memory.ts';
import { Names } from './names.ts';
import { PortManager } from './port-manager.ts';
import type { Profile } from './profile.ts';
import { RECORD_KINDS } from './results.ts';
import { StateLog } from './state-log.ts';

const UPKEEP_MS = 1000;

export interface ApplianceOptions {
  readonly profile: Profile;
  readonly stateDirectory: string;
  readonly installed: InstalledCore;
  /** Who may sign a core that replaces it. */
  readonly keys: TrustedKeys | undefined;
  readonly allowFaults: boolean;
  readonly lcoreProgram?: URL;
  readonly log: Logger;
}

export class Appliance {
  readonly views: MemoryViews;
  readonly core: CoreExports;
  readonly names = new Names();
  readonly lcores: Lcores;
  readonly ports: PortManager;
  readonly control: Control;
  readonly counters: Counters;
  readonly upgrade: CoreUpgrade;
  readonly profile: Profile;
  readonly allowFaults: boolean;
  readonly log: Logger;
  readonly #stateLog: StateLog;
  /** What the state log held, until it is replayed. */
  #entries: readonly Buffer[];
  readonly #startedMs = Date.now();
  #restored = false;
  #upkeep: NodeJS.Timeout | undefined;

  /** Reserves the memory and reads the state log. @throws Error that says what to do */
  constructor({ profile, stateDirectory, installed, keys, allowFaults, lcoreProgram = LCORE_PROGRAM, log }: ApplianceOptions) {
    this.profile = profile;
    this.allowFaults = allowFaults;
    this.log = log;
    const { module } = installed.running;
    this.views = createMemory();
    useHugePages(this.views);
    this.core = { ...instantiate(module, this.views.memory) }; // an upgrade replaces its functions
    writeLimits(this.views, profile);
    if (this.core.init() !== 0) throw new Error('the core does not know this memory map: build core and host from one tree (`npm run build`)');
    this.core.poolInit(profile.tables.frames);

    const { log: stateLog, loaded } = StateLog.open(stateDirectory);
    if (loaded.problem !== '') log.warn({ entries: loaded.entries.length }, `state log: ${loaded.problem}`);
    this.#stateLog = stateLog;
    this.#entries = loaded.entries;

    const epochs = new Epochs(this.core);
    const common = { views: this.views, core: this.core, epochs, log };
    this.lcores = new Lcores({ ...common, module, count: profile.lcores, cores: profile.cores ?? [], busyPoll: profile.poll === 'busy', program: lcoreProgram });
    this.ports = new PortManager({ ...common, lcores: this.lcores, profile, allowGenerators: allowFaults });
    this.control = new Control({ ...common, names: this.names, stateLog });
    this.control.onBindings = () => this.ports.bind(this.names.bindings());
    this.counters = new Counters(this.views, this.names, profile);
    this.upgrade = new CoreUpgrade({ installed, keys, stateDirectory, memory: this.views.memory, core: this.core, lcores: this.lcores, log });
  }

  /** Headless start: the last good state is live before the ports come up, whoever else may answer later. */
  async start(): Promise<void> {
    if (this.#entries.length > 0) {
      const started = performance.now();
      const refused = await this.control.replay(this.#entries);
      this.#restored = true;
      const { stateId, version } = this.control;
      const { length: entries } = this.#entries;
      this.#entries = []; // not kept for the process's life
      this.log.info({ stateId, version, entries, refused, ms: Math.round(performance.now() - started) }, 'last good state restored');
    }
    this.control.announcer = new Announcer(this.views, this.core, () => this.names.bindings().map(({ id }) => id), (lcore) => this.lcores.wake(lcore));
    this.lcores.start();
    await this.ports.start();
    this.#upkeep = setInterval(() => void this.control.upkeep(), UPKEEP_MS);
  }

  async stop(): Promise<void> {
    clearInterval(this.#upkeep);
    await this.control.settled();
    await this.lcores.stop();
    await this.ports.stop();
    this.#stateLog.close();
  }

  state(): Draft<State> {
    const { stateId, version } = this.control;
    const totals = Object.fromEntries(Object.entries(RECORD_KINDS).map(([kind, { name }]) => [name, this.core.total(Number(kind)) >>> 0]));
    return {
      stateId, version, layoutVersion: LAYOUT_VERSION, profile: this.profile.name, kind: this.profile.kind, restored: this.#restored,
      coreSha256: this.upgrade.running.sha256, startedMs: this.#startedMs, totals, pid: process.pid,
    };
  }
}
