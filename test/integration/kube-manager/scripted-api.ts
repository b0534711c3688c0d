/**
 * A Kubernetes API server that does as it is told: lists in pages, watches with bookmarks, patches; forgets its history on demand (410),
 * cuts its watches, goes away and comes back. It checks nothing, so that objects can be as wrong as a test wants.
 */
import { mkdirSync, readFileSync } from 'node:fs';
import https, { type Server } from 'node:https';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { writeClusterKeys } from '../../lab/kubernetes/certificates.ts';

export interface KubeObject { metadata: { name: string; namespace?: string; uid?: string; annotations?: Record<string, string>; labels?: Record<string, string>; resourceVersion?: string; generation?: number }; [field: string]: unknown }
interface Change { type: 'ADDED' | 'MODIFIED' | 'DELETED' | 'BOOKMARK'; version: number; object: KubeObject }
interface Watcher { collection: string; response: ServerResponse }

/** Path of a collection in all namespaces: "/api/v1/pods". */
const collectionOf = (path: string): { collection: string; namespace: string; name: string; status: boolean } => {
  const [, self] = /^\/api\/v1\/namespaces\/([^/]+)(?:\/status)?$/.exec(path) ?? [];
  if (self !== undefined) return { collection: '/api/v1/namespaces', namespace: '', name: decodeURIComponent(self), status: path.endsWith('/status') };
  const [, root, namespace = '', plural, name = '', sub = ''] = /^(\/api\/v1|\/apis\/[^/]+\/[^/]+)(?:\/namespaces\/([^/]+)(?=\/))?\/([^/]+)(?:\/([^/]+))?(?:\/([^/]+))?$/.exec(path) ?? [];
  return { collection: `${root}/${plural}`, namespace: decodeURIComponent(namespace), name: decodeURIComponent(name), status: sub === 'status' };
};

export class ScriptedApi {
  readonly #collections = new Map<string, Map<string, KubeObject>>();
  readonly #log: (Change & { collection: string })[] = [];
  readonly #watchers = new Set<Watcher>();
  readonly #folder: string;
  #oldest = 0;
  #version = 100;
  #server!: Server;
  #port = 0;
  /** Requests by method and collection. */
  readonly requests: string[] = [];
  /** Of discovery.k8s.io; empty: the server has only Endpoints. */
  discovery: string[] = ['v1', 'v1beta1'];
  /** Collections that it does not have. */
  readonly absent = new Set<string>();
  pageSize = 500;

  private constructor(folder: string) {
    this.#folder = folder;
  }

  static async start(folder: string): Promise<ScriptedApi> {
    mkdirSync(folder, { recursive: true });
    await writeClusterKeys(folder);
    const api = new ScriptedApi(folder);
    await api.up();
    return api;
  }

  get port(): number { return this.#port; }
  get certificate(): string { return join(this.#folder, 'ca.crt'); }

  async up(): Promise<void> {
    this.#server = https.createServer({ cert: readFileSync(join(this.#folder, 'server.crt')), key: readFileSync(join(this.#folder, 'server.key')) }, (request, response) => {
      this.#answer(request, response).catch((error: unknown) => response.writeHead(500).end(String(error)));
    });
    await new Promise<void>((resolve) => { this.#server.listen(this.#port, '127.0.0.1', resolve); });
    this.#port = (this.#server.address() as AddressInfo).port;
  }

  async down(): Promise<void> {
    this.#server.closeAllConnections();
    this.#watchers.clear();
    await new Promise<void>((resolve) => { this.#server.close(() => resolve()); });
  }

  get(collection: string, key: string): KubeObject | undefined { return this.#collections.get(collection)?.get(key); }
  all(collection: string): KubeObject[] { return [...this.#collections.get(collection)?.values() ?? []]; }

  put(collection: string, given: KubeObject): void {
    const key = keyOf(given);
    const before = this.get(collection, key);
    const version = ++this.#version;
    const object: KubeObject = { ...given, metadata: { ...given.metadata, uid: given.metadata.uid ?? before?.metadata.uid ?? uidOf(key, version), resourceVersion: String(version) } };
    this.#of(collection).set(key, object);
    this.#tell(collection, { type: before ? 'MODIFIED' : 'ADDED', version, object });
  }

  delete(collection: string, key: string): void {
    const object = this.get(collection, key);
    if (!object) return;
    this.#of(collection).delete(key);
    const version = ++this.#version;
    this.#tell(collection, { type: 'DELETED', version, object: { ...object, metadata: { ...object.metadata, resourceVersion: String(version) } } });
  }

  /** Changes without a word to those who watch, whose versions are too old from now on. */
  silently(change: () => void): void {
    const watchers = [...this.#watchers];
    this.#watchers.clear();
    change();
    this.#oldest = this.#version;
    for (const { response } of watchers) response.destroy();
  }

  cutWatches(): void {
    for (const { response } of this.#watchers) response.destroy();
  }

  bookmark(): void {
    for (const { response } of this.#watchers) response.write(`${JSON.stringify({ type: 'BOOKMARK', object: { metadata: { resourceVersion: String(this.#version) } } })}\n`);
  }

  #of(collection: string): Map<string, KubeObject> {
    let found = this.#collections.get(collection);
    if (!found) this.#collections.set(collection, found = new Map());
    return found;
  }

  #tell(collection: string, change: Change): void {
    this.#log.push({ ...change, collection });
    for (const watcher of this.#watchers) if (watcher.collection === collection) watcher.response.write(lineOf(change));
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { pathname, searchParams } = new URL(request.url!, 'https://api');
    const say = (code: number, body: object): void => { response.writeHead(code, { 'content-type': 'application/json' }).end(JSON.stringify(body)); };
    if (pathname === '/apis') return say(200, { groups: this.discovery.length ? [{ name: 'discovery.k8s.io', versions: this.discovery.map((version) => ({ version })) }] : [] });
    const { collection, namespace, name, status } = collectionOf(pathname);
    const key = namespace ? `${namespace}/${name}` : name;
    this.requests.push(`${request.method} ${collection}${status ? '/status' : ''}`);
    if (this.absent.has(collection)) return say(404, { reason: 'NotFound', message: 'the server could not find the requested resource' });
    if (searchParams.get('watch') === '1') return this.#watch(collection, Number(searchParams.get('resourceVersion')), response);
    if (request.method === 'GET' && name === '') return this.#list(collection, searchParams, say);
    const body = request.method === 'GET' ? undefined : JSON.parse(await textOf(request)) as KubeObject;
    if (request.method === 'POST') {
      const object = { ...body!, metadata: { ...body!.metadata, ...(namespace ? { namespace } : {}) } };
      if (this.get(collection, keyOf(object))) return say(409, { reason: 'AlreadyExists', message: `${keyOf(object)} exists` });
      this.put(collection, object);
      return say(201, this.get(collection, keyOf(object))!);
    }
    const object = this.get(collection, key);
    if (!object) return say(404, { reason: 'NotFound', message: `${collection} ${key}` });
    if (request.method === 'PUT' && body!.metadata.resourceVersion !== undefined && body!.metadata.resourceVersion !== object.metadata.resourceVersion) return say(409, { reason: 'Conflict', message: 'the object has been modified' });
    if (request.method === 'PATCH') this.put(collection, patched(object, body!) as KubeObject);
    if (request.method === 'PUT') this.put(collection, body!);
    say(200, this.get(collection, key)!);
  }

  #list(collection: string, query: URLSearchParams, say: (code: number, body: object) => void): void {
    const [version = this.#version, from = 0] = query.get('continue')?.split(' ').map(Number) ?? [];
    const all = this.all(collection).sort((one, other) => (keyOf(one) < keyOf(other) ? -1 : 1));
    const to = from + Math.min(this.pageSize, Number(query.get('limit') ?? Infinity));
    say(200, { metadata: { resourceVersion: String(version), ...(to < all.length ? { continue: `${version} ${to}` } : {}) }, items: all.slice(from, to) });
  }

  #watch(collection: string, version: number, response: ServerResponse): void {
    response.writeHead(200, { 'content-type': 'application/json' });
    response.flushHeaders();
    if (version < this.#oldest) {
      response.end(`${JSON.stringify({ type: 'ERROR', object: { kind: 'Status', code: 410, reason: 'Expired', message: 'too old resource version' } })}\n`);
      return;
    }
    for (const change of this.#log) if (change.collection === collection && change.version > version) response.write(lineOf(change));
    const watcher = { collection, response };
    this.#watchers.add(watcher);
    response.on('close', () => this.#watchers.delete(watcher));
  }
}

const keyOf = ({ metadata: { namespace, name } }: KubeObject): string => (namespace ? `${namespace}/${name}` : name);
const lineOf = ({ type, object }: Change): string => `${JSON.stringify({ type, object })}\n`;
const uidOf = (key: string, version: number): string => {
  const digits = [...key].reduce((hash, letter) => (hash * 31 + letter.charCodeAt(0)) % 2 ** 32, 7).toString(16).padStart(8, '0');
  return `${digits}-0000-4000-8000-${version.toString(16).padStart(12, '0')}`;
};

/** JSON merge patch (RFC 7396); lists of conditions are merged by type, as the real server does. */
function patched(target: unknown, patch: unknown): unknown {
  if (typeof patch !== 'object' || patch === null || Array.isArray(patch)) return patch;
  const result: Record<string, unknown> = { ...(typeof target === 'object' && target !== null && !Array.isArray(target) ? target : {}) };
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) delete result[key];
    else if (key === 'conditions' && Array.isArray(value)) {
      const types = new Set(value.map((each: { type?: unknown }) => each.type));
      result[key] = [...(Array.isArray(result[key]) ? result[key] : []).filter((each: { type?: unknown }) => !types.has(each.type)), ...value];
    } else result[key] = patched(result[key], value);
  }
  return result;
}

async function textOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}
