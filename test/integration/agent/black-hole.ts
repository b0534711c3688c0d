/** A TCP relay that can stop relaying without closing anything: a peer whose machine lost its power. */
import { createConnection, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { once } from 'node:events';

export class BlackHole {
  readonly address: string;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  readonly #target: readonly [host: string, port: string];
  #swallowing = false;

  private constructor(server: Server, target: string) {
    this.#server = server.on('connection', (near) => this.#relay(near));
    this.#target = target.split(':') as [string, string];
    this.address = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  }

  static async start(target: string): Promise<BlackHole> {
    const server = createServer();
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return new BlackHole(server, target);
  }

  /** From now on nothing passes, neither new connections' bytes nor old ones'. */
  swallow(): void {
    this.#swallowing = true;
    for (const socket of this.#sockets) {
      socket.unpipe();
      socket.pause();
    }
  }

  /** Relays again what is dialled from now on; old connections are gone. */
  heal(): void {
    this.#swallowing = false;
    for (const socket of this.#sockets) socket.destroy();
  }

  end(): void {
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
  }

  #relay(near: Socket): void {
    const pair = this.#swallowing ? [near.pause()] : [near, createConnection(Number(this.#target[1]), this.#target[0])];
    for (const socket of pair) {
      this.#sockets.add(socket);
      socket.on('error', () => {}).on('close', () => {
        this.#sockets.delete(socket);
        for (const each of pair) each.destroy();
      });
    }
    const [, far] = pair;
    if (far) near.pipe(far).pipe(near);
  }
}
