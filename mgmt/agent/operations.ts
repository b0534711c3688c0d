/**
 * What an appliance tells its operators, proto/appliance.proto and gRPC's health service, and the one thing that they change in it,
 * its forwarding core, proto/core.proto; over mutual TLS. All of it but the agent's own state is passed through to the data plane.
 */
import type * as grpc from '@grpc/grpc-js';
import { HealthImplementation } from 'grpc-health-check';
import { Appliance, type ApplianceMethods } from '../../proto/appliance.ts';
import { ForwardingCore, type ForwardingCoreMethods } from '../../proto/core.ts';
import type { TableReply } from '../../proto/dataplane.ts';
import { addService, createServer, type Client, type Handlers } from '../../proto/load.ts';
import type { Caller } from '../pki/credentials.ts';
import type { ApplianceAgent } from './appliance.ts';

/** A view that the dataplane did not give within this time is answered as UNAVAILABLE or DEADLINE_EXCEEDED. */
const VIEW_MS = 10_000;
/** A new core is rehearsed and watched meanwhile. */
const UPGRADE_MS = 20_000;

/** Names of the health service: the agent itself, the data plane behind it, and its session with a controller. */
export const HEALTH = { agent: '', dataplane: 'dataplane', session: 'session' } as const;

export interface Operations { server: grpc.Server; health: HealthImplementation }

/** Each throws (rpcError) unless the caller may see this appliance, or change what it runs. */
export interface Authorize { see(call: Caller): void; change(call: Caller): void }

export function operations(agent: ApplianceAgent, core: Client<ForwardingCoreMethods>, { see: authorize, change }: Authorize): Operations {
  const { dataplane } = agent;
  const within = (): grpc.CallOptions => ({ deadline: Date.now() + VIEW_MS });

  const handlers: Handlers<ApplianceMethods> = {
    getState: async (_request, call) => {
      authorize(call);
      const state = await dataplane.getState({}, within()).catch(() => undefined);
      return { name: agent.name, dataplane: state, session: agent.view(), problem: agent.problem };
    },
    refusals: (_request, call) => { authorize(call); return { records: agent.refusals.list() }; },
    ports: (_request, call) => { authorize(call); return { ports: agent.ports.list() }; },
    lcores: (request, call) => { authorize(call); return dataplane.lcores(request, within()); },
    counters: (request, call) => { authorize(call); return dataplane.counters(request, within()); },
    dropLog: (request, call) => { authorize(call); return dataplane.dropLog(request, within()); },
    trace: (request, call) => { authorize(call); return dataplane.trace(request, within()); },
    table: async function* (request, call) {
      authorize(call);
      const stream = dataplane.table(request);
      const cancel = (): void => stream.cancel();
      call.on('cancelled', cancel);
      stream.on('error', () => {}); // the iteration below throws it too
      try {
        for await (const reply of stream as AsyncIterable<TableReply>) yield reply;
      } finally {
        cancel(); // the reader may have left early
      }
    },
  };

  const server = createServer();
  addService(server, Appliance, handlers);
  addService(server, ForwardingCore, {
    getCore: (request, call) => { authorize(call); return core.getCore(request, within()); },
    upgradeCore: (request, call) => { change(call); return core.upgradeCore(request, { deadline: Date.now() + UPGRADE_MS + request.watchMs }); },
  });
  const health = new HealthImplementation({ [HEALTH.agent]: 'SERVING', [HEALTH.dataplane]: 'NOT_SERVING', [HEALTH.session]: 'NOT_SERVING' });
  health.addToServer(server);
  return { server, health };
}
