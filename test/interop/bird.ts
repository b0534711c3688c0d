/** BIRD 2 as a BGP peer inside a namespace of the lab. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Namespaces } from '../lab/netns.ts';
import { Child } from '../lab/process.ts';

export class Bird {
  readonly #namespaces: Namespaces;
  readonly #namespace: string;
  readonly #directory: string;
  #child: Child | undefined;

  constructor(namespaces: Namespaces, namespace: string, directory: string) {
    this.#namespaces = namespaces;
    this.#namespace = namespace;
    this.#directory = directory;
    mkdirSync(directory, { recursive: true });
  }

  async start(configuration: string): Promise<void> {
    const file = join(this.#directory, 'bird.conf');
    writeFileSync(file, configuration);
    const [command, args] = this.#namespaces.command(this.#namespace, 'bird', ['-f', '-c', file, '-s', this.#socket, '-P', join(this.#directory, 'bird.pid')]);
    this.#child = new Child({ name: `bird-${this.#namespace}`, command, args, directory: this.#directory });
    await this.#child.ready(async () => void this.show('show status'));
  }

  show(command: string): string {
    return this.#namespaces.run(this.#namespace, 'birdc', ['-s', this.#socket, ...command.split(' ')]);
  }

  tail(): string { return this.#child?.tail() ?? ''; }

  /** As a crash would. */
  async kill(): Promise<void> { await this.#child?.kill(); }

  async stop(): Promise<void> { await this.#child?.stop(); }

  get #socket(): string { return join(this.#directory, 'bird.ctl'); }
}
