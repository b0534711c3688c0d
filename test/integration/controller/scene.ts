/** A controller on a loopback port with certificates of its own, in a temporary folder that goes when the scene ends. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pino from 'pino';
import { Engine } from '../../../mgmt/controller/engine.ts';
import { serve, type Listening } from '../../../mgmt/controller/server.ts';
import { SqliteStore } from '../../../mgmt/controller/store/sqlite.ts';
import { createPki } from '../../../mgmt/pki/authority.ts';
import { clientCredentials } from '../../../mgmt/pki/credentials.ts';
import { Config, type ConfigMethods, type Object as ConfigObject } from '../../../proto/config.ts';
import { createClient, type Client, type Draft } from '../../../proto/load.ts';

export class Scene {
  readonly folder = mkdtempSync(join(tmpdir(), 'wrouter-controller-'));
  readonly pki = join(this.folder, 'pki');
  readonly #log = pino({ level: process.env['LOG_LEVEL'] ?? 'silent' });
  engine!: Engine;
  listening!: Listening;
  config!: Client<ConfigMethods>;
  #store!: SqliteStore;

  static async open(): Promise<Scene> {
    const scene = new Scene();
    await createPki(scene.pki, [
      { name: 'controller', role: 'controller' }, { name: 'operator', role: 'operator' },
      { name: 'compute-1', role: 'appliance' }, { name: 'gateway-1', role: 'appliance' },
    ]);
    await scene.start('127.0.0.1:0');
    return scene;
  }

  get address(): string { return `127.0.0.1:${this.listening.port}`; }

  async start(address: string, store = 'store.db'): Promise<void> {
    this.#store = new SqliteStore(join(this.folder, store));
    this.engine = await Engine.open(this.#store);
    this.listening = await serve(this.engine, address, this.pki, 'controller', this.#log, undefined, '127.0.0.1:0');
    this.config = createClient(Config, this.address, clientCredentials(this.pki, 'operator', 'controller'));
  }

  /** Ends the controller; the store stays. */
  async stop(): Promise<void> {
    this.config.close();
    await this.listening.close();
    this.#store.close();
  }

  /** Restarts it on the same port, optionally with another store. */
  async restart(store?: string): Promise<void> {
    const { address } = this;
    await this.stop();
    await this.start(address, store);
  }

  put(...objects: Draft<ConfigObject>[]): Promise<unknown> {
    return this.config.commit({ operations: objects.map((put) => ({ put })) });
  }

  async close(): Promise<void> {
    await this.stop();
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** Waits until `check` holds; the error says what did not. */
export async function until(check: () => boolean, what: string, timeoutMs = 10_000): Promise<void> {
  for (const end = Date.now() + timeoutMs; !check();) {
    if (Date.now() > end) throw new Error(`did not come true in ${timeoutMs} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}
