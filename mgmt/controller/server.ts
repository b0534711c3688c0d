/** The controller's gRPC server: config API, sync, health and reflection on one port by mutual TLS; on another one for callers with tokens. */
import { ReflectionService } from '@grpc/reflection';
import { HealthImplementation } from 'grpc-health-check';
import type * as grpc from '@grpc/grpc-js';
import type { Logger } from 'pino';
import { Config } from '../../proto/config.ts';
import { addService, createServer, definitionOf, listen, schemaOf, type Turn } from '../../proto/load.ts';
import { Routing } from '../../proto/routing.ts';
import { Sync } from '../../proto/sync.ts';
import { serverCredentials, tokenServerCredentials } from '../pki/credentials.ts';
import { configHandlers } from './api/config.ts';
import { routingHandlers } from './api/routing.ts';
import type { BgpService } from './bgp/service.ts';
import type { Engine } from './engine.ts';
import { isShared } from './store/store.ts';
import { SyncServer } from './sync/server.ts';

export interface Listening {
  readonly port: number;
  /** For callers with tokens; 0 = none. */
  readonly tokenPort: number;
  readonly sync: SyncServer;
  /** Ends sessions, lets calls finish, then closes; whoever does not finish is cut off. */
  close(): Promise<void>;
}

/** As the health service names them; '' is the whole. */
const SERVICES = ['', Config.name, Sync.name];
/** How long calls may take to finish at shutdown. */
const GRACE_MS = 2000;
/** Route tables of a million prefixes come in one message. */
const MAX_REQUEST_BYTES = 64 * 1024 * 1024;

/**
 * Serves `engine` on `address` ("host:port"; port 0: any).
 *
 * @param pki folder with ca.crt, NAME.crt and NAME.key; @param name of the controller, and of its certificate.
 * @param bgp undefined: this controller speaks none.
 * @param tokens address for callers with tokens instead of certificates; undefined: there is none.
 */
export async function serve(engine: Engine, address: string, pki: string, name: string, log: Logger, bgp?: BgpService, tokens?: string): Promise<Listening> {
  const sync = new SyncServer(engine, name, log);
  const server = createServer({ 'grpc.max_receive_message_length': MAX_REQUEST_BYTES, 'grpc.max_send_message_length': MAX_REQUEST_BYTES });
  addService(server, Sync, sync.handlers);
  // Nobody is told what may be taken back, or judged by it.
  const settled: Turn = (work) => engine.whenSettled(work);
  addService(server, Config, configHandlers(engine, sync), definitionOf(Config), settled);
  addService(server, Routing, routingHandlers(engine, bgp, name), definitionOf(Routing), settled);
  const health = new HealthImplementation(Object.fromEntries(SERVICES.map((service) => [service, 'SERVING'] as const)));
  health.addToServer(server as unknown as Parameters<typeof health.addToServer>[0]);
  const tell = (serving: boolean): void => { for (const service of SERVICES) health.setStatus(service, serving ? 'SERVING' : 'NOT_SERVING'); };
  const { store } = engine;
  if (isShared(store)) {
    store.on('contact', () => {
      tell(store.inContact);
      if (store.inContact) log.info('in contact with the store again');
      else log.warn('no contact with the store: appliances are sent to another controller, nothing is withdrawn');
    });
  }
  new ReflectionService(schemaOf(Config, Sync, Routing)).addToServer(server as unknown as Parameters<ReflectionService['addToServer']>[0]);
  const port = await listen(server, address, serverCredentials(pki, name));
  const tokenPort = tokens === undefined ? 0 : await listen(server, tokens, tokenServerCredentials(pki, name));
  return {
    port, tokenPort, sync,
    async close() {
      tell(false);
      sync.close();
      await shutdown(server);
    },
  };
}

async function shutdown(server: grpc.Server): Promise<void> {
  const timer = setTimeout(() => server.forceShutdown(), GRACE_MS);
  await new Promise<void>((resolve) => { server.tryShutdown(() => resolve()); });
  clearTimeout(timer);
}
