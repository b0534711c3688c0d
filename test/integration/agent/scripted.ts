/**
 * Both neighbours of an agent, played from a recording: what they say is the script's, what the agent sends is taken down in the
 * order of each side. Statuses are left out: they follow the clock.
 */
import * as grpc from '@grpc/grpc-js';
import { Dataplane, type DataplaneMethods, type State } from '../../../proto/dataplane.ts';
import { addService, createServer, definitionOf, listen, rpcError, unixAddress, type Draft, type Handlers } from '../../../proto/load.ts';
import { Sync, type ApplianceMessage, type ControllerMessage } from '../../../proto/sync.ts';
import { serverCredentials } from '../../../mgmt/pki/credentials.ts';

export type Side = 'controller' | 'dataplane';
/** What the agent did towards a side: a message, or the end of its stream. */
export type Sent = { message: unknown } | { end: 'half-closed' | 'cancelled' };

type Call = grpc.ServerDuplexStream<unknown, Buffer>;

/** Messages of a recording have bytes as hex; `records` is the only field of bytes in the stream. */
export const toJson = (message: unknown): unknown => JSON.parse(JSON.stringify(message, (key, value: unknown) => {
  if (key === 'message') return undefined; // which member of the oneof: its name says so already
  if (key === 'software') return undefined; // the package's version: no part of the protocol
  const data = (value as { type?: unknown; data?: unknown } | null);
  return data?.type === 'Buffer' ? Buffer.from(data.data as number[]).toString('hex') : value;
}));
export const fromJson = (message: unknown): unknown => JSON.parse(JSON.stringify(message), (key, value: unknown) => (key === 'records' ? Buffer.from(String(value), 'hex') : value));

export class Scripted {
  readonly sent: Record<Side, Sent[]> = { controller: [], dataplane: [] };
  /** What GetState answers. */
  state: Draft<State> = {};
  port = 0;
  readonly #calls: Partial<Record<Side, Call>> = {};
  readonly #servers: grpc.Server[] = [];

  async start(socket: string, pki: string): Promise<void> {
    const controller = createServer();
    const sync = definitionOf(Sync);
    addService(controller, Sync, { stream: (call) => this.#meet('controller', call as unknown as Call) }, { ...sync, stream: { ...sync['stream']!, responseSerialize: (bytes: unknown) => bytes as Buffer } });
    this.port = await listen(controller, '127.0.0.1:0', serverCredentials(pki, 'controller'));

    const dataplane = createServer();
    const definition = definitionOf(Dataplane);
    addService(dataplane, Dataplane, this.#views(), { ...definition, apply: { ...definition['apply']!, responseSerialize: (bytes: unknown) => bytes as Buffer } });
    await listen(dataplane, unixAddress(socket), grpc.ServerCredentials.createInsecure());
    this.#servers.push(controller, dataplane);
  }

  stop(): void { for (const server of this.#servers) server.forceShutdown(); }

  /** One of them speaks: a message, or bytes as they are. */
  say(side: Side, { message, hex }: { message?: unknown; hex?: string }): void {
    const codec = side === 'controller' ? definitionOf(Sync)['stream']! : definitionOf(Dataplane)['apply']!;
    this.#call(side).write(hex === undefined ? codec.responseSerialize(fromJson(message) as ControllerMessage) : Buffer.from(hex, 'hex'));
  }

  /** One of them ends its stream: as it should, or with an error. */
  end(side: Side, how: 'end' | 'cut'): void {
    if (how === 'end') this.#call(side).end();
    else this.#call(side).emit('error', { code: grpc.status.UNAVAILABLE, details: 'cut' });
  }

  #call(side: Side): Call {
    const call = this.#calls[side];
    if (!call) throw new Error(`the agent has no stream to the ${side} yet`);
    return call;
  }

  #meet(side: Side, call: Call): void {
    this.#calls[side] = call;
    const { sent } = this;
    call.on('data', (message: ApplianceMessage) => { if (!message.status) sent[side].push({ message: toJson(message) }); });
    // The agent leaves a controller by cancelling; towards the dataplane it says that no more comes, and waits for the rest.
    let over = false;
    const ended = (end: 'half-closed' | 'cancelled') => (): void => {
      if (!over) sent[side].push({ end });
      over = true;
    };
    if (side === 'dataplane') call.on('end', ended('half-closed'));
    call.on('cancelled', ended('cancelled'));
    call.on('error', () => { over = true; }); // this script's own cut
  }

  #views(): Handlers<DataplaneMethods> {
    const unused = (): never => { throw rpcError(grpc.status.UNIMPLEMENTED, 'not in the script'); };
    return {
      apply: (call) => this.#meet('dataplane', call as unknown as Call),
      getState: () => this.state, ports: () => ({}), lcores: () => ({}), *table() {},
      attachPort: unused, detachPort: unused, counters: unused, dropLog: unused, trace: unused, injectFault: unused, generator: unused, pods: unused,
    };
  }
}
