/**
 * Child of fleet.ts: simulated appliances that only acknowledge, over real gRPC and mutual TLS, one connection each. Messages are opened
 * as far as an acknowledgement needs. Its parent tells it over IPC which of them stall, and asks what they received.
 *
 *   node streams.ts CONTROLLER PKI NAME…
 */
import * as grpc from '@grpc/grpc-js';
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { fieldsOf, oneofOf } from '../../../mgmt/agent/wire.ts';
import { clientCredentials } from '../../../mgmt/pki/credentials.ts';
import { CHANNEL_OPTIONS, definitionOf, pathOf, type Draft } from '../../../proto/load.ts';
import { Sync, type ApplianceMessage, type ControllerMessage } from '../../../proto/sync.ts';
import { LAYOUT_VERSION } from '../../../wasm-core/layout.ts';

/** What the parent says. */
export type Command = { readonly stall: readonly string[] } | { readonly resume: true } | { readonly count: true };
/** Answer to count: of all its appliances together. */
export interface Counts { readonly messages: number; readonly bytes: number }

/** Fields of ControllerMessage; of Update and EndResync, their nonce and version. */
const [WELCOME, BEGIN_RESYNC, UPDATE, END_RESYNC] = [1, 2, 3, 4];
const NONCE = 1;
const VERSION: Readonly<Record<number, number>> = { [UPDATE]: 2, [END_RESYNC]: 3 };
/** How many dial at the same time: a machine of theirs would not have all of the fleet's handshakes to do. */
const DIALLING = 16;
const AGAIN_MS = 100;

const { requestSerialize, responseDeserialize } = definitionOf(Sync)['stream']!;
const encode = requestSerialize as (message: Draft<ApplianceMessage>) => Buffer;
const untouched = (bytes: Buffer): Buffer => bytes;
const [controller = '', pki = '', ...names] = process.argv.slice(2);
const counts = { messages: 0, bytes: 0 };

class Stream {
  readonly name: string;
  readonly #client: grpc.Client;
  #stream: grpc.ClientDuplexStream<Draft<ApplianceMessage>, Buffer> | undefined;
  #stateId = '';
  #version = 0;

  constructor(name: string) {
    this.name = name;
    this.#client = new grpc.Client(controller, clientCredentials(pki, name, 'controller'), { ...CHANNEL_OPTIONS, 'grpc.initial_reconnect_backoff_ms': AGAIN_MS, 'grpc.max_reconnect_backoff_ms': 1000 });
  }

  /** Resolves when it is welcome; dials again whenever the stream ends. */
  async dial(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<boolean>();
    const stream = this.#stream = this.#client.makeBidiStreamRequest(pathOf(Sync, 'stream'), encode, untouched, new grpc.Metadata());
    stream.on('data', (bytes: Buffer) => {
      counts.messages++;
      counts.bytes += bytes.length;
      this.#take(stream, bytes);
      resolve(true);
    });
    let over = false;
    const ended = (): void => {
      if (over) return;
      over = true;
      resolve(false);
      if (this.#stream === stream) setTimeout(() => void this.dial(), AGAIN_MS);
    };
    stream.on('error', ended).on('end', ended);
    stream.write({ hello: { name: this.name, kind: this.name.split('-')[0]!, profile: 'virtual', software: 'simulated', layoutVersion: LAYOUT_VERSION, stateId: this.#stateId, version: this.#version } });
    await promise;
  }

  stall(): void { this.#stream?.pause(); }
  resume(): void { this.#stream?.resume(); }

  #take(stream: grpc.ClientDuplexStream<Draft<ApplianceMessage>, Buffer>, bytes: Buffer): void {
    const field = oneofOf(bytes, [WELCOME, BEGIN_RESYNC, UPDATE, END_RESYNC]);
    if (!field) return;
    if (field.number === WELCOME) this.#stateId = (responseDeserialize(bytes) as ControllerMessage).welcome!.stateId;
    if (field.number === BEGIN_RESYNC) this.#version = 0;
    const versionField = VERSION[field.number];
    if (versionField === undefined) return;
    let [nonce, version] = [0, 0];
    for (const { number, type, value } of fieldsOf(bytes.subarray(field.body, field.end))) {
      if (type !== 0) break; // numbers come before what is long
      if (number === NONCE) nonce = value;
      else if (number === versionField) version = value;
    }
    if (version > 0) this.#version = version;
    stream.write({ ack: { nonce, version: this.#version } });
  }
}

const streams = names.map((name) => new Stream(name));
process.on('message', (command: Command) => {
  if ('stall' in command) for (const stream of streams) if (command.stall.includes(stream.name)) stream.stall();
  if ('resume' in command) for (const stream of streams) stream.resume();
  if ('count' in command) process.send!(counts satisfies Counts);
});
process.on('disconnect', () => process.exit(0));

// As many as a fleet has do not knock at a door of this machine before it is there: that would cost the controller its processor.
while (!(await isListening())) await sleep(AGAIN_MS);
const waiting = [...streams];
await Promise.all(Array.from({ length: DIALLING }, async () => {
  for (let stream = waiting.shift(); stream; stream = waiting.shift()) {
    await stream.dial();
    await sleep(0);
  }
}));

function isListening(): Promise<boolean> {
  const [host, port] = controller.split(':');
  return new Promise((resolve) => {
    const socket = connect(Number(port), host, () => { socket.destroy(); resolve(true); });
    socket.on('error', () => resolve(false));
  });
}
