/** How the agent reaches its two neighbours: gRPC, or what a simulation puts in its place. */
import * as grpc from '@grpc/grpc-js';
import { Dataplane, type DataplaneMethods } from '../../proto/dataplane.ts';
import { CHANNEL_OPTIONS, createClient, pathOf, unixAddress, type Client } from '../../proto/load.ts';
import { Sync } from '../../proto/sync.ts';

/** A stream whose messages nobody opens: what the agent needs of a gRPC call. */
export interface RawStream {
  on(event: 'data', listener: (bytes: Buffer) => void): unknown;
  on(event: 'error', listener: (error: Error) => void): unknown;
  on(event: 'drain' | 'end', listener: () => void): unknown;
  /** False: no more until `drain`. */
  write(bytes: Buffer): boolean;
  readonly writableNeedDrain: boolean;
  pause(): unknown;
  resume(): unknown;
  isPaused(): boolean;
  /** No more is written; what was is still answered. */
  end(): unknown;
  cancel(): void;
}

export interface DataplaneConnection {
  /** For people. */
  readonly address: string;
  readonly calls: Client<DataplaneMethods>;
  apply(): RawStream;
  close(): void;
}

/** A stream to a controller, and the connection that is its own. */
export interface ControllerConnection {
  readonly stream: RawStream;
  close(): void;
}

export interface Transport {
  dataplane(): DataplaneConnection;
  /** @throws when there is nothing to dial with, such as a certificate. */
  controller(address: string): ControllerConnection;
}

export interface GrpcTransportOptions {
  /** Credentials towards controllers; read again for every connection, so that renewed certificates are taken up. */
  credentials: () => grpc.ChannelCredentials;
  /** Path of the dataplane's socket. */
  dataplane: string;
}

const untouched = (bytes: Buffer): Buffer => bytes;
const dial = (client: grpc.Client, path: string): RawStream => client.makeBidiStreamRequest(path, untouched, untouched, new grpc.Metadata());

export function grpcTransport({ credentials, dataplane }: GrpcTransportOptions): Transport {
  return {
    dataplane() {
      const address = unixAddress(dataplane);
      // A dataplane that writes a large batch does not answer pings meanwhile; that it died, its socket tells at once.
      const patient: grpc.ChannelOptions = { 'grpc.keepalive_time_ms': 15_000, 'grpc.keepalive_timeout_ms': 15_000, 'grpc.initial_reconnect_backoff_ms': 100, 'grpc.max_reconnect_backoff_ms': 1000 };
      const calls = createClient(Dataplane, address, grpc.credentials.createInsecure(), patient);
      const channel = new grpc.Client(address, grpc.credentials.createInsecure(), { ...CHANNEL_OPTIONS, ...patient });
      return {
        address: dataplane, calls,
        apply: () => dial(channel, pathOf(Dataplane, 'apply')),
        close() {
          calls.close();
          channel.close();
        },
      };
    },
    controller(address) {
      const channel = new grpc.Client(address, credentials(), { ...CHANNEL_OPTIONS, 'grpc.use_local_subchannel_pool': 1 });
      return { stream: dial(channel, pathOf(Sync, 'stream')), close: () => channel.close() };
    },
  };
}
