/** The far end of a socket port: frames as datagrams, by a plain UDP socket. */
import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';

const BUFFER_BYTES = 4 << 20;

export class Wire {
  readonly #socket: Socket;
  readonly #port: number;
  readonly frames: Buffer[] = [];
  /** When each frame arrived, by performance.now(). */
  readonly times: number[] = [];
  /** What the port is to be told as its device. */
  readonly device: string;

  private constructor(socket: Socket, port: number) {
    this.#socket = socket;
    this.#port = port;
    this.device = `127.0.0.1:${port},127.0.0.1:${socket.address().port}`;
    socket.on('message', (frame) => {
      this.frames.push(frame);
      this.times.push(performance.now());
    });
    socket.on('error', () => {}); // the dataplane is not there (yet, or any more)
  }

  /** Takes two free ports of the loopback. */
  static async open(): Promise<Wire> {
    const bound = async (): Promise<Socket> => {
      const socket = createSocket({ type: 'udp4', recvBufferSize: BUFFER_BYTES, sendBufferSize: BUFFER_BYTES });
      socket.bind(0, '127.0.0.1');
      await once(socket, 'listening');
      return socket;
    };
    const [own, reserved] = [await bound(), await bound()];
    const port = reserved.address().port;
    await new Promise<void>((resolve) => reserved.close(() => resolve()));
    return new Wire(own, port);
  }

  send(frame: Uint8Array): void {
    this.#socket.send(frame, this.#port, '127.0.0.1', () => {});
  }

  /** Waits until `count` frames are there; as many as there are when that takes too long. */
  async arrived(count: number, limitMs = 10_000): Promise<number> {
    for (const started = performance.now(); this.frames.length < count && performance.now() - started < limitMs;) await sleep(5);
    return this.frames.length;
  }

  clear(): void {
    this.frames.length = 0;
    this.times.length = 0;
  }

  close(): void {
    this.#socket.close();
  }
}
