/**
 * The API server, by TLS that is verified and kept alive. The official client knows how to log in (kubeconfig, service account, exec
 * plugins); requests are our own: it opens a connection for each, and its informer asks for no bookmarks and stops at errors.
 */
import { readFileSync } from 'node:fs';
import https, { type RequestOptions } from 'node:https';
import type { IncomingMessage } from 'node:http';
import { KubeConfig } from '@kubernetes/client-node';
import type { Settings } from '../config/settings.ts';

export type Raw = Readonly<Record<string, unknown>>;
export type PatchType = 'application/merge-patch+json' | 'application/strategic-merge-patch+json' | 'application/json-patch+json';

/** What the API server says instead of what was asked. */
export class ApiError extends Error {
  readonly code: number;
  readonly reason: string;
  constructor(code: number, reason: string, message: string) {
    super(`${code} ${reason}: ${message}`);
    this.code = code;
    this.reason = reason;
  }
}

const TIMEOUT_MS = 30_000;
const MAX_SOCKETS = 32;

export class KubeClient {
  readonly #config: KubeConfig;
  readonly #server: URL;
  readonly #agent: https.Agent;

  /** @throws {Error} when nothing says where the API server is, or a file is missing. */
  constructor(settings: Settings['kubernetes']) {
    this.#config = configOf(settings);
    const cluster = this.#config.getCurrentCluster();
    if (!cluster?.server) throw new Error('which API server? --kubeconfig FILE, or --kubernetes-api-server HOST with --kubernetes-ca and --token-file');
    this.#server = new URL(cluster.server);
    if (this.#server.protocol !== 'https:') throw new Error(`${cluster.server}: the API server is spoken to by https only`);
    if (cluster.skipTLSVerify) throw new Error(`${cluster.server}: insecure-skip-tls-verify is not taken; give the certificate authority`);
    this.#agent = new https.Agent({ keepAlive: true, maxSockets: MAX_SOCKETS, maxFreeSockets: MAX_SOCKETS });
  }

  get server(): string { return this.#server.origin; }

  get(path: string): Promise<Raw> { return this.#json('GET', path); }
  post(path: string, body: object): Promise<Raw> { return this.#json('POST', path, body); }
  put(path: string, body: object): Promise<Raw> { return this.#json('PUT', path, body); }
  patch(path: string, body: object, type: PatchType): Promise<Raw> { return this.#json('PATCH', path, body, type); }

  /** Lines of a watch as they come; ends when the server ends it. */
  async *lines(path: string, signal: AbortSignal, idleMs: number): AsyncGenerator<string> {
    // A watch must not take a place among the requests: it gets a connection of its own.
    const response = await this.#request('GET', path, undefined, undefined, { agent: false, signal });
    response.setEncoding('utf8');
    response.socket.setKeepAlive(true, 10_000);
    response.socket.setTimeout(idleMs, () => response.destroy(new Error(`silent for ${idleMs / 1000} s`)));
    let rest = '';
    for await (const chunk of response as AsyncIterable<string>) {
      const lines = (rest + chunk).split('\n');
      rest = lines.pop()!;
      yield* lines;
    }
  }

  close(): void { this.#agent.destroy(); }

  async #json(method: string, path: string, body?: object, type = 'application/json'): Promise<Raw> {
    const response = await this.#request(method, path, body, type, { agent: this.#agent, timeout: TIMEOUT_MS });
    return JSON.parse(await textOf(response)) as Raw;
  }

  async #request(method: string, path: string, body: object | undefined, type: string | undefined, more: RequestOptions): Promise<IncomingMessage> {
    const { hostname, port, pathname } = this.#server;
    const options: RequestOptions = { ...more, method, host: hostname, port: port || 443, path: `${pathname.replace(/\/$/, '')}${path}`, headers: { accept: 'application/json', 'user-agent': 'wrouter-kube-manager' } };
    await this.#config.applyToHTTPSOptions(options as Parameters<KubeConfig['applyToHTTPSOptions']>[0]);
    options.agent = more.agent ?? options.agent;
    const payload = body && Buffer.from(JSON.stringify(body));
    if (payload) options.headers = { ...options.headers, 'content-type': type!, 'content-length': payload.length };
    const response = await new Promise<IncomingMessage>((resolve, reject) => {
      const request = https.request(options, resolve);
      request.on('error', reject).on('timeout', () => request.destroy(new Error(`${method} ${path}: no answer in ${TIMEOUT_MS / 1000} s`)));
      request.end(payload);
    });
    if (response.statusCode! < 300) return response;
    const said = await textOf(response);
    let status: { reason?: unknown; message?: unknown } = {};
    try {
      status = JSON.parse(said) as typeof status;
    } catch { /* a proxy's words */ }
    throw new ApiError(response.statusCode!, String(status.reason ?? ''), `${method} ${path}: ${String(status.message ?? said.slice(0, 200))}`);
  }
}

async function textOf(response: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of response as AsyncIterable<Buffer>) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}

function configOf({ kubeconfig, server, token, tokenFile, ca }: Settings['kubernetes']): KubeConfig {
  const config = new KubeConfig();
  if (kubeconfig !== '') config.loadFromFile(kubeconfig);
  else if (server !== '') {
    const user = { name: 'kube-manager', ...(tokenFile ? { authProvider: { name: 'tokenFile', config: { tokenFile } } } : { token }) };
    const cluster = { name: 'kubernetes', server, skipTLSVerify: false, ...(ca ? { caData: readFileSync(ca).toString('base64') } : {}) };
    config.loadFromOptions({ clusters: [cluster], users: [user], contexts: [{ name: 'context', cluster: 'kubernetes', user: 'kube-manager' }], currentContext: 'context' });
  } else {
    config.loadFromCluster();
  }
  return config;
}
