/**
 * A TCP transfer that proves itself: the client sends pseudo-random bytes and half-closes; the server answers with one line of JSON,
 * their SHA-256 and the address that it saw the client at. The same code runs over the kernel's sockets and over the lab's own host.
 *
 *   node transfer.ts serve PORT                    until it is stopped
 *   node transfer.ts send ADDRESS PORT BYTES       prints a TransferResult as JSON
 */
import { createCipheriv, createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createConnection, createServer, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { fileURLToPath } from 'node:url';

export interface Receipt {
  sha256: string;
  bytes: number;
  /** Address of the client as the server saw it. */
  peer: string;
}

export interface TransferResult extends Receipt {
  /** The server received exactly what was sent. */
  intact: boolean;
  seconds: number;
}

const BLOCK = Buffer.alloc(64 * 1024);

/** Sends `bytes` bytes over an open connection and compares hashes. */
export async function sendTransfer(connection: Duplex, bytes: number): Promise<TransferResult> {
  const started = performance.now();
  const random = createCipheriv('aes-128-ctr', randomBytes(16), randomBytes(16));
  const hash = createHash('sha256');
  const answer = readAll(connection);
  answer.catch(() => {});
  for (let left = bytes; left > 0; left -= BLOCK.length) {
    const block = random.update(left < BLOCK.length ? BLOCK.subarray(0, left) : BLOCK);
    hash.update(block);
    if (!connection.write(block)) await Promise.race([once(connection, 'drain'), answer]);
  }
  connection.end();
  const receipt = JSON.parse(await answer) as Receipt;
  const intact = receipt.sha256 === hash.digest('hex') && receipt.bytes === bytes;
  return { ...receipt, intact, seconds: (performance.now() - started) / 1000 };
}

/** Receives until the client half-closes, answers with the receipt, closes. */
export async function receiveTransfer(connection: Duplex & { remoteAddress?: string | undefined }): Promise<Receipt> {
  const peer = connection.remoteAddress ?? '';
  const hash = createHash('sha256');
  let bytes = 0;
  for await (const chunk of connection) {
    hash.update(chunk as Buffer);
    bytes += (chunk as Buffer).length;
  }
  const receipt = { sha256: hash.digest('hex'), bytes, peer };
  connection.end(`${JSON.stringify(receipt)}\n`);
  return receipt;
}

async function readAll(stream: Duplex): Promise<string> {
  let text = '';
  for await (const chunk of stream) text += String(chunk);
  return text;
}

async function main([verb, ...args]: string[]): Promise<void> {
  if (verb === 'serve' && args.length === 1) {
    const server = createServer({ allowHalfOpen: true }, (connection: Socket) => {
      receiveTransfer(connection).catch(() => connection.destroy());
    });
    server.listen(Number(args[0]), '0.0.0.0');
    await once(server, 'listening');
    console.log('listening');
  } else if (verb === 'send' && args.length === 3) {
    const connection = createConnection({ host: args[0]!, port: Number(args[1]), allowHalfOpen: true });
    await once(connection, 'connect');
    console.log(JSON.stringify(await sendTransfer(connection, Number(args[2]))));
  } else throw new Error('usage: transfer.ts serve PORT | send ADDRESS PORT BYTES');
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await main(process.argv.slice(2));
