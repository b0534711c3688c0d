/** The lab's controller, in a process of its own; its store (unless it shares one), and the certificates of everyone, lie in the run's directory. */
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createPki } from '../../mgmt/pki/authority.ts';
import { clientCredentials } from '../../mgmt/pki/credentials.ts';
import { Config, type ConfigMethods } from '../../proto/config.ts';
import { createClient, type Client } from '../../proto/load.ts';
import { Routing, type RoutingMethods } from '../../proto/routing.ts';
import { Child } from './process.ts';

const MAIN = fileURLToPath(new URL('../../mgmt/controller/controller.ts', import.meta.url));

/** One of several controllers: its name, and the etcd that it shares with the others, with its certificates for that. */
export interface Shared { name: string; store: string; storePki: string }

export class Controller {
  readonly address: string;
  readonly name: string;
  readonly #store: string[];
  readonly #directory: string;
  readonly #pki: string;
  #client: Client<ConfigMethods> | undefined;
  #routing: Client<RoutingMethods> | undefined;
  #process: Child | undefined;

  readonly #more: readonly string[];

  /** @param address host:port where appliances and operators reach it @param more arguments of its command line */
  constructor(directory: string, address: string, shared?: Shared, more: readonly string[] = []) {
    this.#more = more;
    this.#directory = directory;
    this.#pki = join(directory, 'pki');
    this.address = address;
    this.name = shared?.name ?? 'controller';
    this.#store = shared ? ['--store', shared.store, '--store-pki', shared.storePki] : ['--store', join(directory, 'controller.db')];
  }

  /** As an operator sees it. */
  get config(): Client<ConfigMethods> {
    return this.#client ??= createClient(Config, this.address, clientCredentials(this.#pki, 'operator', 'controller'));
  }

  /** What it knows by BGP. */
  get routing(): Client<RoutingMethods> {
    return this.#routing ??= createClient(Routing, this.address, clientCredentials(this.#pki, 'operator', 'controller'));
  }

  get pid(): number | undefined {
    return this.#process?.pid;
  }

  /** One authority for the run; a certificate for the controller, for its operator, and for each appliance. */
  async issueCertificates(appliances: string[]): Promise<void> {
    await createPki(this.#pki, [
      { name: this.name, role: 'controller' },
      { name: 'operator', role: 'operator' },
      ...appliances.map((name) => ({ name, role: 'appliance' as const })),
    ]);
  }

  /** @param patienceMs a fleet's objects take some time to read */
  async start(patienceMs?: number): Promise<void> {
    const args = [MAIN, '--name', this.name, '--pki', this.#pki, ...this.#store, '--listen', this.address, ...this.#more];
    this.#process = new Child({ name: this.name, command: process.execPath, args, directory: this.#directory });
    await this.#process.ready(async () => {
      await this.config.appliances({}, { deadline: Date.now() + 5_000 });
    }, patienceMs);
  }

  /** What it logged, all its lives. */
  get log(): string { return join(this.#directory, `${this.name}.log`); }

  /** The last of what it logged, for a failing test's message. */
  tail(): string { return this.#process?.tail() ?? ''; }

  async kill(): Promise<void> {
    await this.#process?.kill();
  }

  async stop(): Promise<void> {
    this.#client?.close();
    this.#routing?.close();
    await this.#process?.stop();
  }
}
