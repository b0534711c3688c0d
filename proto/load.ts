/**
 * The one place where services of this folder meet gRPC: typed clients, typed handlers, and the channel settings that both
 * ends of every connection share. Messages are plain objects with camelCase fields: uint64 is a number (nothing of ours passes
 * 2^53), bytes are Buffers, enums are their names, an unset message is null. Types come from proto/generate.ts.
 */
import { fileURLToPath } from 'node:url';
import * as grpc from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';

// ---- types -----------------------------------------------------------------------------------------------------------------
export interface Unary<Request, Reply> { readonly shape: 'unary'; readonly request: Request; readonly reply: Reply }
export interface ServerStream<Request, Reply> { readonly shape: 'serverStream'; readonly request: Request; readonly reply: Reply }
export interface ClientStream<Request, Reply> { readonly shape: 'clientStream'; readonly request: Request; readonly reply: Reply }
export interface Bidi<Request, Reply> { readonly shape: 'bidi'; readonly request: Request; readonly reply: Reply }

/** A service by its file here and its full name; `M` are its methods (never present at run time). */
export interface Service<M> { readonly file: string; readonly name: string; readonly methods?: M }

/** What may be sent as a `T`: fields that are left out get proto3's defaults. */
export type Draft<T> = T extends Uint8Array ? Uint8Array
  : T extends readonly (infer Item)[] ? readonly Draft<Item>[]
  : T extends object ? { readonly [Key in keyof T]?: Draft<T[Key]> | undefined }
  : T;

/** A stream of requests with one reply: it comes after `requests.end()`, or rejects as soon as the server has had enough. */
export interface Upload<Request, Reply> { readonly requests: grpc.ClientWritableStream<Request>; readonly reply: Promise<Reply> }

/** A client: unary calls are promises (rejected with a grpc.ServiceError), streams are gRPC's own. */
export type Client<M> = {
  readonly [Name in keyof M]:
    M[Name] extends Unary<infer Request, infer Reply> ? (request?: Draft<Request>, options?: grpc.CallOptions) => Promise<Reply>
    : M[Name] extends ServerStream<infer Request, infer Reply> ? (request?: Draft<Request>, options?: grpc.CallOptions) => grpc.ClientReadableStream<Reply>
    : M[Name] extends ClientStream<infer Request, infer Reply> ? (options?: grpc.CallOptions) => Upload<Draft<Request>, Reply>
    : M[Name] extends Bidi<infer Request, infer Reply> ? (options?: grpc.CallOptions) => grpc.ClientDuplexStream<Draft<Request>, Reply>
    : never;
} & { close(): void };

/** Handlers: unary ones return the reply, server streams are iterated as fast as the client reads, others are gRPC's own. */
export type Handlers<M> = {
  readonly [Name in keyof M]:
    M[Name] extends Unary<infer Request, infer Reply> ? (request: Request, call: grpc.ServerUnaryCall<Request, Draft<Reply>>) => Draft<Reply> | Promise<Draft<Reply>>
    : M[Name] extends ServerStream<infer Request, infer Reply> ? (request: Request, call: grpc.ServerWritableStream<Request, Draft<Reply>>) => Iterable<Draft<Reply>> | AsyncIterable<Draft<Reply>>
    : M[Name] extends ClientStream<infer Request, infer Reply> ? grpc.handleClientStreamingCall<Request, Draft<Reply>>
    : M[Name] extends Bidi<infer Request, infer Reply> ? (call: grpc.ServerDuplexStream<Request, Draft<Reply>>) => void
    : never;
};

// ---- channels --------------------------------------------------------------------------------------------------------------
/** The greatest message; senders keep well below it (an Update: 1 MiB). */
export const MAX_MESSAGE_BYTES = 16 * 1024 * 1024;

/**
 * Of both ends. A server that died without a word is noticed within time + timeout; an idle connection is not pinged by its client
 * (permit_without_calls is 0). The window lets one stream fill a path of 10 ms at 800 Mbit/s.
 */
export const CHANNEL_OPTIONS: Readonly<grpc.ChannelOptions> = {
  'grpc.max_receive_message_length': MAX_MESSAGE_BYTES,
  'grpc.max_send_message_length': MAX_MESSAGE_BYTES,
  'grpc.keepalive_time_ms': 3000,
  'grpc.keepalive_timeout_ms': 2000,
  'grpc-node.flow_control_window': 1024 * 1024,
  // Certificates are checked by name and role (mgmt/pki), not by host; an IP address must not be a TLS server name (RFC 6066).
  'grpc.ssl_target_name_override': 'wrouter',
};

/**
 * A server pings idle connections as well. Its clients are single threads, which compute for seconds now and then and answer no ping
 * meanwhile: hung up on, they would send their next call into a connection that is closing, and have it refused.
 */
const SERVER_OPTIONS: Readonly<grpc.ChannelOptions> = { ...CHANNEL_OPTIONS, 'grpc.keepalive_timeout_ms': 20_000 };

/** The address of a unix socket as gRPC wants it. */
export const unixAddress = (path: string): string => `unix:${path}`;

// ---- definitions -----------------------------------------------------------------------------------------------------------
const loaded = new Map<string, ReturnType<typeof loadSync>>();
function load(file: string): ReturnType<typeof loadSync> {
  let definition = loaded.get(file);
  if (!definition) {
    const includeDirs = [fileURLToPath(new URL('.', import.meta.url))];
    loaded.set(file, definition = loadSync(file, { keepCase: false, longs: Number, enums: String, defaults: true, oneofs: true, includeDirs }));
  }
  return definition;
}

/** Encodes and decodes a message that travels outside of its service: in a trailer, in a file. */
export interface Codec<T> { encode(message: Draft<T>): Buffer; decode(bytes: Buffer): T }

export function codecOf<T>(file: string, name: string): Codec<T> {
  const message = load(file)[name];
  if (!message || message.format !== 'Protocol Buffer 3 DescriptorProto') throw new Error(`proto/${file} has no message ${name}`);
  return { encode: (value) => message.serialize(value as object), decode: (bytes) => message.deserialize(bytes) as T };
}

/** All that the files of these services define, for server reflection. */
export const schemaOf = (...services: readonly Service<unknown>[]): ReturnType<typeof loadSync> => Object.assign({}, ...services.map(({ file }) => load(file)));

const definitions = new Map<string, grpc.ServiceDefinition>();

/** The methods of a service with their paths and codecs; keys are method names in camelCase. */
export function definitionOf<M>(service: Service<M>): grpc.ServiceDefinition {
  const known = definitions.get(service.name);
  if (known) return known;
  const definition = load(service.file)[service.name];
  if (!definition || 'format' in definition) throw new Error(`proto/${service.file} has no service ${service.name}`);
  const camel = Object.fromEntries(Object.entries(definition).map(([name, method]) => [name.charAt(0).toLowerCase() + name.slice(1), method])) as grpc.ServiceDefinition;
  definitions.set(service.name, camel);
  return camel;
}

/** "/package.Service/Method", for a caller that passes bytes on without opening them. */
export function pathOf<M>(service: Service<M>, method: keyof M & string): string {
  const found = definitionOf(service)[method];
  if (!found) throw new Error(`${service.name} has no method ${method}`);
  return found.path;
}

// ---- client ----------------------------------------------------------------------------------------------------------------
/** A typed client of `service` at `address` ("host:port" or unixAddress(path)); nothing is dialled before the first call. */
export function createClient<M>(service: Service<M>, address: string, credentials: grpc.ChannelCredentials, options: grpc.ChannelOptions = {}): Client<M> {
  const channel = new grpc.Client(address, credentials, { ...CHANNEL_OPTIONS, ...options });
  const client: Record<string, unknown> = { close: () => channel.close() };
  for (const [name, method] of Object.entries(definitionOf(service))) {
    const encode = method.requestSerialize as (value: unknown) => Buffer;
    const decode = method.responseDeserialize as (bytes: Buffer) => unknown;
    if (method.requestStream && !method.responseStream) {
      client[name] = (call: grpc.CallOptions = {}) => {
        const { promise: reply, resolve, reject } = Promise.withResolvers<unknown>();
        const requests = channel.makeClientStreamRequest(method.path, encode, decode, new grpc.Metadata(), call, (error, message) => (error ? reject(error) : resolve(message)));
        return { requests, reply };
      };
    } else if (method.requestStream) {
      client[name] = (call: grpc.CallOptions = {}) => channel.makeBidiStreamRequest(method.path, encode, decode, new grpc.Metadata(), call);
    } else if (method.responseStream) {
      client[name] = (request: unknown = {}, call: grpc.CallOptions = {}) => channel.makeServerStreamRequest(method.path, encode, decode, request, new grpc.Metadata(), call);
    } else {
      client[name] = (request: unknown = {}, call: grpc.CallOptions = {}) => new Promise((resolve, reject) => {
        channel.makeUnaryRequest(method.path, encode, decode, request, new grpc.Metadata(), call, (error, reply) => (error ? reject(error) : resolve(reply)));
      });
    }
  }
  return client as Client<M>;
}

// ---- server ----------------------------------------------------------------------------------------------------------------
/** A server with the shared channel settings. */
export const createServer = (options: grpc.ServerOptions = {}): grpc.Server => new grpc.Server({ ...SERVER_OPTIONS, ...options });

/** Starts it on `address`; the number of the bound port (1 for a unix socket). */
export function listen(server: grpc.Server, address: string, credentials: grpc.ServerCredentials): Promise<number> {
  return new Promise((resolve, reject) => server.bindAsync(address, credentials, (error, port) => (error ? reject(error) : resolve(port))));
}

/** What a handler throws to answer with a status of its own. */
export function rpcError(code: grpc.status, details: string): Error & { code: grpc.status; details: string } {
  return Object.assign(new Error(details), { code, details });
}

/** Runs what handlers of unary calls and server streams do, when they may do it: once for a call, once for each reply of a stream. */
export type Turn = <T>(work: () => T | PromiseLike<T>) => Promise<T>;
const atOnce: Turn = async (work) => work();

/**
 * Gives `service` to a server. What a handler throws becomes its status: rpcError's, else INTERNAL with the message.
 * `definition`: where a method's messages are decoded in another way.
 */
export function addService<M>(server: grpc.Server, service: Service<M>, handlers: Handlers<M>, definition: grpc.ServiceDefinition = definitionOf(service), turn: Turn = atOnce): void {
  const implementation: grpc.UntypedServiceImplementation = {};
  for (const [name, method] of Object.entries(definition)) {
    const handler = (handlers as Record<string, unknown>)[name];
    if (typeof handler !== 'function') throw new Error(`${service.name}: no handler for ${name}`);
    if (method.requestStream) implementation[name] = handler as grpc.handleBidiStreamingCall<unknown, unknown>;
    else if (method.responseStream) implementation[name] = streamed(handler as StreamHandler, turn);
    else implementation[name] = answered(handler as UnaryHandler, turn);
  }
  server.addService(definition, implementation);
}

type UnaryHandler = (request: unknown, call: grpc.ServerUnaryCall<unknown, unknown>) => unknown;
type StreamHandler = (request: unknown, call: grpc.ServerWritableStream<unknown, unknown>) => Iterable<unknown> | AsyncIterable<unknown>;

function statusOf(error: unknown): Partial<grpc.StatusObject> {
  const { code, details, message, metadata } = error as { code?: unknown; details?: unknown; message?: unknown; metadata?: unknown };
  if (typeof code === 'number') return { code, details: String(details ?? message), ...(metadata instanceof grpc.Metadata ? { metadata } : {}) };
  return { code: grpc.status.INTERNAL, details: String(message ?? error) };
}

function answered(handler: UnaryHandler, turn: Turn): grpc.handleUnaryCall<unknown, unknown> {
  return (call, callback) => {
    turn(() => handler(call.request, call)).then((reply) => callback(null, reply), (error: unknown) => callback(statusOf(error)));
  };
}

function streamed(handler: StreamHandler, turn: Turn): grpc.handleServerStreamingCall<unknown, unknown> {
  return async (call) => {
    try {
      const replies = await turn(() => handler(call.request, call));
      for await (const reply of inTurns(replies, turn)) {
        if (call.cancelled) return;
        if (!call.write(reply)) await writable(call);
      }
      call.end();
    } catch (error) {
      call.emit('error', statusOf(error));
    }
  };
}

async function* inTurns(replies: Iterable<unknown> | AsyncIterable<unknown>, turn: Turn): AsyncGenerator<unknown> {
  const iterator = Symbol.asyncIterator in replies ? replies[Symbol.asyncIterator]() : replies[Symbol.iterator]();
  try {
    for (;;) {
      const step = await turn<IteratorResult<unknown>>(() => iterator.next());
      if (step.done) return;
      yield step.value;
    }
  } finally {
    await iterator.return?.();
  }
}

/** Resolves when the stream takes more, or will never again. */
function writable(call: grpc.ServerWritableStream<unknown, unknown>): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      for (const event of ['drain', 'cancelled', 'close']) call.off(event, done);
      resolve();
    };
    for (const event of ['drain', 'cancelled', 'close']) call.once(event, done);
  });
}
