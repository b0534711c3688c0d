/**
 * A client of the Kubernetes API with what the lab needs: a few kept connections, so that thousands of objects take seconds, and a
 * watch that goes on by itself.
 */
import { readFileSync } from 'node:fs';
import type { IncomingMessage } from 'node:http';
import { Agent, request as send } from 'node:https';
import { createInterface } from 'node:readline';
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import type { KubernetesObject, List } from './objects.ts';

const CONNECTIONS = 32;
const REQUEST_MS = 60_000;
const PAGE = 500;
/** Before a watch that failed is tried again. */
const AGAIN_MS = 200;

export interface Access { url: string; certificateAuthority: string; token: string }

export class KubernetesError extends Error {
  readonly status: number;
  constructor(method: string, path: string, status: number, message: string) {
    super(`${method} ${path}: ${status} ${message}`);
    this.status = status;
  }
}

export class KubernetesClient {
  readonly #url: string;
  readonly #headers: Record<string, string>;
  readonly #certificateAuthority: string;
  #agent: Agent | undefined;

  constructor({ url, certificateAuthority, token }: Access) {
    this.#url = url;
    this.#certificateAuthority = certificateAuthority;
    this.#headers = { authorization: `Bearer ${token}`, accept: 'application/json' };
  }

  /** The answer's body. */
  async text(path: string): Promise<string> { return text(await this.#call('GET', path)); }

  async get<T>(path: string): Promise<T> { return this.#json('GET', path); }
  async post<T>(path: string, body: unknown): Promise<T> { return this.#json('POST', path, body); }
  /** A merge patch (RFC 7386). */
  async patch<T>(path: string, body: unknown): Promise<T> { return this.#json('PATCH', path, body, 'application/merge-patch+json'); }
  async delete(path: string, options: { gracePeriodSeconds?: number; preconditions?: { uid: string } } = {}): Promise<void> { await this.#json('DELETE', path, options); }

  /** All objects below a path, with the version that a watch goes on from. */
  async list<T extends KubernetesObject>(path: string): Promise<{ items: T[]; version: string }> {
    const items: T[] = [];
    for (let page = ''; ; ) {
      const { metadata, items: some } = await this.get<List<T>>(`${path}${path.includes('?') ? '&' : '?'}limit=${PAGE}${page}`);
      items.push(...some);
      if (!metadata.continue) return { items, version: metadata.resourceVersion };
      page = `&continue=${encodeURIComponent(metadata.continue)}`;
    }
  }

  /**
   * Tells every object below a path as it is and as it changes, in order, until `stop` is aborted. Lists anew where the server has
   * forgotten, or was away, and tells then too what went meanwhile.
   *
   * @param tell gets the object; `gone` as it was last seen
   */
  async follow<T extends KubernetesObject>(path: string, stop: AbortSignal, tell: (object: T, gone: boolean) => void): Promise<void> {
    let known = new Map<string, T>();
    let version = '';
    while (!stop.aborted) {
      try {
        if (version === '') {
          const listed = await this.list<T>(path);
          const now = new Map(listed.items.map((item) => [item.metadata.uid!, item]));
          for (const [uid, object] of known) if (!now.has(uid)) tell(object, true);
          for (const [uid, object] of now) if (known.get(uid)?.metadata.resourceVersion !== object.metadata.resourceVersion) tell(object, false);
          [known, version] = [now, listed.version];
        }
        version = await this.#watch<T>(path, version, stop, known, tell);
      } catch (error) {
        if (stop.aborted) return;
        if (error instanceof KubernetesError && error.status === 410) version = '';
        else await sleep(AGAIN_MS, undefined, { signal: stop }).catch(() => {});
      }
    }
  }

  /** One watch to its end; the version of the last that it told. */
  async #watch<T extends KubernetesObject>(path: string, from: string, stop: AbortSignal, known: Map<string, T>, tell: (object: T, gone: boolean) => void): Promise<string> {
    const response = await this.#call('GET', `${path}${path.includes('?') ? '&' : '?'}watch=1&allowWatchBookmarks=true&resourceVersion=${from}`, undefined, undefined, stop);
    let version = from;
    try {
      for await (const line of createInterface({ input: response })) {
        const { type, object } = JSON.parse(line) as { type: string; object: T & { code?: number; message?: string } };
        if (type === 'ERROR') throw new KubernetesError('WATCH', path, object.code ?? 500, object.message ?? '');
        version = object.metadata.resourceVersion!;
        if (type === 'BOOKMARK') continue;
        const uid = object.metadata.uid!;
        if (type === 'DELETED') known.delete(uid);
        else known.set(uid, object);
        tell(object, type === 'DELETED');
      }
    } catch (error) {
      if (error instanceof KubernetesError) throw error;
      // The connection was cut: what was told was told.
    }
    return version;
  }

  close(): void { this.#agent?.destroy(); }

  async #json<T>(method: string, path: string, body?: unknown, type = 'application/json'): Promise<T> {
    return JSON.parse(await text(await this.#call(method, path, body, type))) as T;
  }

  async #call(method: string, path: string, body?: unknown, type = 'application/json', signal?: AbortSignal): Promise<IncomingMessage> {
    // The authority's certificate may be written after this client was made.
    this.#agent ??= new Agent({ keepAlive: true, maxSockets: CONNECTIONS, ca: readFileSync(this.#certificateAuthority) });
    const payload = body === undefined ? undefined : JSON.stringify(body);
    const response = await new Promise<IncomingMessage>((resolve, reject) => {
      const request = send(`${this.#url}${path}`, {
        method, headers: { ...this.#headers, ...(payload === undefined ? {} : { 'content-type': type, 'content-length': Buffer.byteLength(payload) }) },
        // A watch keeps its connection: it must not be one of those that requests share.
        ...(signal ? { agent: false, ca: this.#agent!.options.ca, signal } : { agent: this.#agent, timeout: REQUEST_MS }),
      }, resolve);
      request.on('timeout', () => request.destroy(new Error(`${method} ${path}: no answer in ${REQUEST_MS / 1000} s`)));
      request.on('error', reject);
      request.end(payload);
    });
    if ((response.statusCode ?? 500) < 300) return response;
    const answer = await text(response);
    let message = answer;
    try {
      message = (JSON.parse(answer) as { message?: string }).message ?? answer;
    } catch {
      // Plain text.
    }
    throw new KubernetesError(method, path, response.statusCode ?? 500, message);
  }
}
