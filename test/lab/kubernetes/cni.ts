/**
 * Calls CNI plugins as a container runtime does (CNI specification 1.1, sections 2 to 4): the plugins of a list one after the other,
 * each with the result of the one before, found by their type in CNI_PATH, parameters in the environment, configuration on standard input.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { accessSync, constants, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';

/** What is attached: one container to one list of plugins. */
export interface Attachment {
  containerId: string;
  /** Path of its network namespace. */
  namespace: string;
  interfaceName: string;
  /** CNI_ARGS */
  args: Record<string, string>;
  /** Offered to the plugins that declare the capability: { portMappings: […] }. */
  capabilities?: Record<string, unknown>;
}

/** CNI's result (section 5). */
export interface Result {
  cniVersion: string;
  interfaces?: { name: string; mac?: string; sandbox?: string }[];
  ips?: { address: string; gateway?: string; interface?: number }[];
  routes?: { dst: string; gw?: string }[];
}

interface Plugin { type: string; capabilities?: Record<string, boolean> }
interface List { cniVersion: string; name: string; plugins: Plugin[] }
type Command = 'ADD' | 'DEL' | 'CHECK' | 'STATUS' | 'GC';

export class CniError extends Error {
  readonly code: number;
  constructor(type: string, command: Command, code: number, message: string) {
    super(`${type} ${command}: ${message} (code ${code})`);
    this.code = code;
  }
}

export interface NetworkOptions {
  /** Path of a conflist. */
  configuration: string;
  /** Directories of plugins. */
  path: readonly string[];
  /** Of the runtime, which plugins inherit. */
  environment?: Record<string, string>;
  /** Command line that runs a program in the node's network namespace. */
  command: (program: string, args: string[]) => [string, string[]];
}

/** A network as a runtime has it: a list of plugins, and what it has attached. */
export class CniNetwork {
  readonly #list: List;
  readonly #path: readonly string[];
  readonly #command: NetworkOptions['command'];
  readonly #environment: Record<string, string>;
  readonly #results = new Map<string, Result>();

  constructor({ configuration, path, command, environment = {} }: NetworkOptions) {
    this.#list = JSON.parse(readFileSync(configuration, 'utf8')) as List;
    this.#path = path;
    this.#command = command;
    this.#environment = environment;
  }

  /** Attaches; what the last plugin answered. */
  async add(attachment: Attachment): Promise<Result> {
    let result: Result | undefined;
    for (const plugin of this.#list.plugins) result = JSON.parse(await this.#run(plugin, 'ADD', attachment, result)) as Result;
    if (result === undefined) throw new Error(`the list ${this.#list.name} has no plugins`);
    this.#results.set(attachment.containerId, result);
    return result;
  }

  async check(attachment: Attachment): Promise<void> {
    for (const plugin of this.#list.plugins) await this.#run(plugin, 'CHECK', attachment, this.#results.get(attachment.containerId));
  }

  /** Detaches, last plugin first. */
  async delete(attachment: Attachment): Promise<void> {
    for (const plugin of this.#list.plugins.toReversed()) await this.#run(plugin, 'DEL', attachment, this.#results.get(attachment.containerId));
    this.#results.delete(attachment.containerId);
  }

  /** @throws when a plugin says that it cannot attach anything now; those before CNI 1.1 are not asked, since they do not know the question */
  async status(): Promise<void> {
    const [major = 0, minor = 0] = this.#list.cniVersion.split('.').map(Number);
    if (major < 1 || (major === 1 && minor < 1)) return;
    for (const plugin of this.#list.plugins) await this.#run(plugin, 'STATUS');
  }

  async #run(plugin: Plugin, command: Command, attachment?: Attachment, previous?: Result): Promise<string> {
    const { name, cniVersion } = this.#list;
    const offered = Object.entries(attachment?.capabilities ?? {}).filter(([capability]) => plugin.capabilities?.[capability]);
    const configuration = {
      ...plugin, capabilities: undefined, name, cniVersion,
      ...(previous ? { prevResult: previous } : {}), ...(offered.length > 0 ? { runtimeConfig: Object.fromEntries(offered) } : {}),
    };
    const [program, args] = this.#command(this.#find(plugin.type), []);
    const child = spawn(program, args, { stdio: ['pipe', 'pipe', 'pipe'], env: {
      PATH: process.env['PATH'], ...this.#environment, CNI_COMMAND: command, CNI_PATH: this.#path.join(':'),
      ...(attachment ? {
        CNI_CONTAINERID: attachment.containerId, CNI_NETNS: attachment.namespace, CNI_IFNAME: attachment.interfaceName,
        CNI_ARGS: Object.entries(attachment.args).map(([key, value]) => `${key}=${value}`).join(';'),
      } : {}),
    } });
    child.stdin.on('error', () => {}); // it may end without having read
    child.stdin.end(JSON.stringify(configuration));
    const [output, errors, [code]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'close') as Promise<[number | null]>]);
    if (code === 0) return output;
    const { code: number, message } = parseError(output, errors);
    throw new CniError(plugin.type, command, number, message);
  }

  #find(type: string): string {
    for (const directory of this.#path) {
      try {
        accessSync(join(directory, type), constants.X_OK);
        return join(directory, type);
      } catch {
        // Perhaps in the next one.
      }
    }
    throw new Error(`there is no CNI plugin "${type}" in ${this.#path.join(', ')}`);
  }
}

function parseError(output: string, errors: string): { code: number; message: string } {
  try {
    const { code, msg, details } = JSON.parse(output) as { code: number; msg: string; details?: string };
    return { code, message: details ? `${msg}: ${details}` : msg };
  } catch {
    return { code: 999, message: errors.trim() || output.trim() || 'ended without a word' };
  }
}
