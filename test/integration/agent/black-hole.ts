/** A TCP relay that can stop relaying without closing anything: a peer whose machine lost its power. */
import { createConnection, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { once } from 'node:events';

export class BlackHole {
  readonly address: string;
  readonly #server: Server;
  readonly #sockets: Set<Socket>;

  private constructor(server: Server, sockets: Set<Socket>) {
    this.#server = server;
    this.#sockets = sockets;
    this.address = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  }

  static async start(target: string): Promise<BlackHole> {
    const sockets = new Set<Socket>();
    const [host, port] = target.split(':') as [string, string];
    const server = createServer((near) => {
      const far = createConnection(Number(port), host);
      for (const socket of [near, far]) {
        sockets.add(socket);
        socket.on('error', () => {}).on('close', () => { near.destroy(); far.destroy(); });
      }
      near.pipe(far);
      far.pipe(near);
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return new BlackHole(server, sockets);
  }

  /** From now on nothing passes, neither new connections' bytes nor old ones'. */
  swallow(): void {
    for (const socket of this.#sockets) {
      socket.unpipe();
      socket.pause();
    }
    this.#server.removeAllListeners('connection');
  }

  end(): void {
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
  }
}
