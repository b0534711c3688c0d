/**
 * The TCP port where the engine reports by BMP (RFC 7854): GoBGP knows no other way but TCP for it. It is where the engine is, which
 * may be a network namespace or VRF that we are not in; a small program that the launcher starts there hands it over.
 *
 * Who calls must be on this machine, and say the name that the engine was given through its private socket: nobody else knows it.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { fileURLToPath } from 'node:url';
import { BmpReader, type BmpMessage } from './bmp.ts';

const LISTENER = fileURLToPath(new URL('./listen.ts', import.meta.url));
/** For whoever calls to say its name. */
const NAME_MS = 5000;

export interface Report {
  /** Messages that came in one go, in their order. */
  readonly heard: (messages: readonly BmpMessage[]) => void;
  /** It came to an end that we did not ask for. */
  readonly broken: (why: string) => void;
}

export class MonitoringPort {
  /** For the engine. */
  readonly address: { readonly host: string; readonly port: number };
  readonly #server: Server;
  readonly #expected = new Map<string, (socket: Socket) => Report>();

  private constructor(server: Server) {
    this.#server = server;
    const { address: host, port } = server.address() as AddressInfo;
    this.address = { host, port };
    server.on('connection', (socket) => this.#meet(socket));
  }

  /**
   * @param launcher what the engine's command is started with.
   * @param host an address of the engine's own, e.g. that of its sessions: a VRF need not have a loopback address.
   * @throws when nothing can listen there.
   */
  static async open(launcher: readonly string[], host: string): Promise<MonitoringPort> {
    if (launcher.length > 0) return new MonitoringPort(await listenElsewhere(launcher, host));
    const server = createServer().listen(0, host);
    await once(server, 'listening');
    return new MonitoringPort(server);
  }

  /** Resolves with how to end it, as soon as an engine of this name has called. @throws when none does in time. */
  expect(name: string, report: Report, milliseconds: number): Promise<() => void> {
    return new Promise((resolve, reject) => {
      const late = setTimeout(() => {
        this.#expected.delete(name);
        reject(new Error(`the engine does not report within ${milliseconds / 1000} s (BMP to ${this.address.host})`));
      }, milliseconds);
      this.#expected.set(name, (socket) => {
        clearTimeout(late);
        let wanted = true;
        resolve(() => {
          wanted = false;
          socket.destroy();
        });
        return { heard: (messages) => { if (wanted) report.heard(messages); }, broken: (why) => { if (wanted) report.broken(why); } };
      });
    });
  }

  close(): void { this.#server.close(); }

  #meet(socket: Socket): void {
    if (socket.remoteAddress !== this.address.host) return void socket.destroy();
    const reader = new BmpReader();
    let report: Report | undefined;
    let why = 'it ended';
    const nameless = setTimeout(() => socket.destroy(), NAME_MS);
    socket.on('data', (bytes) => {
      try {
        const messages = reader.read(bytes);
        if (!report && messages[0]) report = this.#introduced(messages[0], socket);
        report?.heard(messages);
      } catch (error) {
        socket.destroy(error as Error);
      }
      if (report) clearTimeout(nameless);
    });
    socket.on('error', (error) => { why = error.message; });
    socket.on('close', () => {
      clearTimeout(nameless);
      report?.broken(why);
    });
  }

  /** @throws when it is not whom we expect. */
  #introduced(message: BmpMessage, socket: Socket): Report {
    const name = message.kind === 'initiation' ? message.systemName : '';
    const welcome = this.#expected.get(name);
    this.#expected.delete(name);
    if (!welcome) throw new Error('BMP: a stranger');
    return welcome(socket);
  }
}

function listenElsewhere(launcher: readonly string[], host: string): Promise<Server> {
  const [command = '', ...args] = [...launcher, process.execPath, LISTENER, host];
  const child = spawn(command, args, { stdio: ['ignore', 'ignore', 'pipe', 'ipc'] });
  let said = '';
  child.stderr!.on('data', (bytes: Buffer) => { said += bytes.toString(); });
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('message', (_, server) => resolve(server as Server));
    child.once('close', (code) => reject(new Error(`no port for the engine's reports (${command}): exit code ${code}${said === '' ? '' : `, ${said.trim().split('\n').at(-1)}`}`)));
  });
}
