/**
 * The unix socket that the plugin calls: one request a connection, its length in 4 bytes (little-endian) before it; request.ts has its form.
 * The answer is the exit code in a line, then what goes to standard output. A plugin that hangs up before has been given up by its
 * runtime. Whoever may not open the socket may not call; who calls must be root or the agent's own user.
 */
import { chmodSync, mkdirSync, rmSync } from 'node:fs';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { dirname } from 'node:path';
import { loadLibc } from '../../../firmware/linux/libc.ts';
import { peerCredentials } from '../../../firmware/linux/peer-credentials.ts';
import { CniError, CODE, errorAnswer } from './errors.ts';
import type { Plugin } from './plugin.ts';
import { parseRequest, splitRequest, type Request } from './request.ts';

/** A configuration with the results of many plugins takes some KiB. */
const MAX_REQUEST_BYTES = 4 << 20;
const LENGTH_BYTES = 4;

/** Serves until the returned function is called. @throws when the socket's path is taken by a living process */
export async function serveCni(plugin: Pick<Plugin, 'run'>, path: string, log: (text: string) => void): Promise<() => void> {
  mkdirSync(dirname(path), { recursive: true });
  await removeStale(path);
  const open = new Set<Socket>();
  const server = createServer((socket) => {
    open.add(socket);
    socket.once('close', () => open.delete(socket));
    answer(plugin, socket, log);
  });
  await listenPrivately(server, path);
  return () => {
    server.close();
    for (const socket of open) socket.destroy();
    rmSync(path, { force: true });
  };
}

function answer(plugin: Pick<Plugin, 'run'>, socket: Socket, log: (text: string) => void): void {
  const gone = new AbortController();
  let request = Buffer.alloc(0);
  let isTaken = false;
  socket.on('error', () => {}); // 'close' follows
  socket.once('close', () => gone.abort(new Error('the runtime gave up')));
  socket.on('data', (chunk: Buffer) => {
    if (isTaken) return;
    request = Buffer.concat([request, chunk]);
    if (request.length < LENGTH_BYTES) return;
    const length = request.readUInt32LE(0);
    if (length > MAX_REQUEST_BYTES) socket.destroy();
    if (length > MAX_REQUEST_BYTES || request.length < LENGTH_BYTES + length) return;
    isTaken = true;
    void handle(plugin, request.subarray(LENGTH_BYTES, LENGTH_BYTES + length), strangerAt(socket), gone.signal, log).then(({ code, output }) => {
      if (!socket.destroyed) socket.end(`${code}\n${output}`);
    });
  });
}

async function handle(plugin: Pick<Plugin, 'run'>, bytes: Buffer, stranger: string | undefined, gone: AbortSignal, log: (text: string) => void): Promise<{ code: number; output: string }> {
  let what = 'a request';
  let version = '';
  try {
    if (stranger !== undefined) throw new CniError(CODE.io, 'not allowed', stranger);
    const { environment, input } = splitRequest(bytes);
    what = ['CNI_COMMAND', 'CNI_CONTAINERID', 'CNI_IFNAME'].flatMap((name) => environment.get(name) ?? []).join(' ') || what;
    version = /"cniVersion"\s*:\s*"(\d+\.\d+\.\d+)"/.exec(input)?.[1] ?? ''; // an error is told in the version that it was asked in, right or wrong
    const request: Request = parseRequest(environment, input);
    const result = await plugin.run(request, gone);
    return { code: 0, output: result === undefined ? '' : `${JSON.stringify(result, undefined, 2)}\n` };
  } catch (error) {
    const details = error instanceof CniError ? [error.message, error.details].filter((text) => text !== '').join(': ') : String((error as Error).stack ?? error);
    log(`${what} failed: ${details}`);
    return { code: 1, output: `${JSON.stringify(errorAnswer(error, version), undefined, 2)}\n` };
  }
}

/** Why whoever is at the other end is not served; undefined for root and the agent's own user. */
function strangerAt(socket: Socket): string | undefined {
  const libc = loadLibc();
  // Node has no word for a socket's descriptor; without one, the mode of the socket's file alone says who may call.
  const fd = (socket as unknown as { readonly _handle?: { readonly fd?: number } | null })._handle?.fd;
  if (libc === undefined || fd === undefined || fd < 0) return undefined;
  const { uid } = peerCredentials(libc, fd);
  return uid === 0 || uid === process.getuid?.() ? undefined : `user ${uid} may not make interfaces: root may, and the user that the agent runs as`;
}

async function listenPrivately(server: Server, path: string): Promise<void> {
  const umask = process.umask(0o177); // never open to others, not even for a moment
  try {
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(path, resolve);
    });
  } finally {
    process.umask(umask);
  }
  chmodSync(path, 0o600);
}

/** A socket file that a killed process left behind is removed; one that answers is not ours to take. */
async function removeStale(path: string): Promise<void> {
  const answers = await new Promise<boolean>((resolve) => {
    const probe = connect(path);
    probe.once('connect', () => {
      probe.destroy();
      resolve(true);
    });
    probe.once('error', () => resolve(false));
  });
  if (answers) throw new Error(`another process serves ${path}: stop it, or give --cni another path`);
  rmSync(path, { force: true });
}
