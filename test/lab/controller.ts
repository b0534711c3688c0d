/** The lab's controller, in a process of its own; its store, and the certificates of everyone, lie in the run's directory. */
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createPki } from '../../mgmt/pki/authority.ts';
import { clientCredentials } from '../../mgmt/pki/credentials.ts';
import { Config, type ConfigMethods } from '../../proto/config.ts';
import { createClient, type Client } from '../../proto/load.ts';
import { Child } from './process.ts';

const MAIN = fileURLToPath(new URL('../../mgmt/controller/controller.ts', import.meta.url));

export class Controller {
  readonly address: string;
  readonly #directory: string;
  readonly #pki: string;
  #client: Client<ConfigMethods> | undefined;
  #process: Child | undefined;

  /** @param address host:port where appliances and operators reach it */
  constructor(directory: string, address: string) {
    this.#directory = directory;
    this.#pki = join(directory, 'pki');
    this.address = address;
  }

  /** As an operator sees it. */
  get config(): Client<ConfigMethods> {
    return this.#client ??= createClient(Config, this.address, clientCredentials(this.#pki, 'operator', 'controller'));
  }

  get pid(): number | undefined {
    return this.#process?.pid;
  }

  /** One authority for the run; a certificate for the controller, for its operator, and for each appliance. */
  async issueCertificates(appliances: string[]): Promise<void> {
    await createPki(this.#pki, [
      { name: 'controller', role: 'controller' },
      { name: 'operator', role: 'operator' },
      ...appliances.map((name) => ({ name, role: 'appliance' as const })),
    ]);
  }

  async start(): Promise<void> {
    const args = [MAIN, '--pki', this.#pki, '--store', join(this.#directory, 'controller.db'), '--listen', this.address];
    this.#process = new Child({ name: 'controller', command: process.execPath, args, directory: this.#directory });
    await this.#process.ready(async () => {
      await this.config.appliances({}, { deadline: Date.now() + 1_000 });
    });
  }

  async kill(): Promise<void> {
    await this.#process?.kill();
  }

  async stop(): Promise<void> {
    this.#client?.close();
    await this.#process?.stop();
  }
}
