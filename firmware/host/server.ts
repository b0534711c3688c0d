/** The Dataplane service on a unix socket: the agent's side of the data plane. proto/dataplane.proto; beside it the ForwardingCore service. */
import { chmodSync, mkdirSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { dirname } from 'node:path';
import * as grpc from '@grpc/grpc-js';
import { addService, createServer, definitionOf, listen, rpcError, unixAddress, type Draft, type Handlers } from '../../proto/load.ts';
import { ForwardingCore } from '../../proto/core.ts';
import { Dataplane, type ApplyReply, type ApplyRequest, type DataplaneMethods, type PortState as PortStateMessage } from '../../proto/dataplane.ts';
import { FRAME_CAPACITY, MAX_INTERFACES } from '../../wasm-core/layout.ts';
import { PortProblem } from '../ports/port.ts';
import type { Appliance } from './appliance.ts';
import { coreHandlers } from './core-service.ts';
import { readDropLog } from './drop-log.ts';
import type { PortState } from './port-manager.ts';
import { tableRows } from './tables.ts';
import { traceFrame } from './trace-frame.ts';

/** The bytes that a message came in: what is live goes to disk as it came. */
const RAW = Symbol('bytes of the message');
type WithRaw = ApplyRequest & { [RAW]: Buffer };
type ApplyCall = grpc.ServerDuplexStream<ApplyRequest, Draft<ApplyReply>>;

/** Serves until the returned function is called. @throws when the socket's path is taken by a living process */
export async function serve(appliance: Appliance, socketPath: string): Promise<() => void> {
  mkdirSync(dirname(socketPath), { recursive: true });
  await removeStaleSocket(socketPath);
  const server = createServer();
  addService(server, Dataplane, handlersOf(appliance), definitionWithRaw());
  addService(server, ForwardingCore, coreHandlers(appliance.upgrade));
  const umask = process.umask(0o177); // never open to others, not even for a moment
  try {
    await listen(server, unixAddress(socketPath), grpc.ServerCredentials.createInsecure());
  } finally {
    process.umask(umask);
  }
  chmodSync(socketPath, 0o600);
  return () => {
    server.forceShutdown();
    rmSync(socketPath, { force: true });
  };
}

function definitionWithRaw(): grpc.ServiceDefinition {
  const definition = definitionOf(Dataplane);
  const apply = definition['apply']!;
  const decode = apply.requestDeserialize as (bytes: Buffer) => ApplyRequest;
  return { ...definition, apply: { ...apply, requestDeserialize: (bytes: Buffer): WithRaw => Object.assign(decode(bytes), { [RAW]: bytes }) } };
}

function handlersOf(appliance: Appliance): Handlers<DataplaneMethods> {
  const { control, ports, lcores, names, counters, profile, views, core } = appliance;
  let current: ApplyCall | undefined;
  return {
    apply: (call) => {
      current?.emit('error', rpcError(grpc.status.ABORTED, 'another Apply stream took over'));
      current = call;
      serveApply(appliance, call, () => current === call && !call.cancelled);
    },
    getState: async () => {
      await control.settled();
      return appliance.state();
    },
    attachPort: async (port) => {
      try {
        return portMessage(await ports.attach(port));
      } catch (error) {
        throw refusal(error);
      }
    },
    detachPort: async ({ name }) => {
      try {
        const state = await ports.detach(name);
        if (state === undefined) throw rpcError(grpc.status.NOT_FOUND, `there is no port "${name}"`);
        return portMessage(state);
      } catch (error) {
        throw refusal(error);
      }
    },
    ports: () => ({ ports: ports.states().map(portMessage) }),
    generator: ({ port }) => {
      const counts = ports.generatorCounts(port);
      if (counts === undefined) throw rpcError(grpc.status.NOT_FOUND, `there is no generator port "${port}"`);
      return { ...counts, seen: [...counts.seen] };
    },
    lcores: () => ({ lcores: lcores.status() }),
    counters: () => counters.read(),
    dropLog: ({ last }) => ({ entries: readDropLog(views, names, profile.lcores, last) }),
    table: async function* ({ table, vrf, prefix }) {
      if (prefix.length !== 0 && prefix.length !== 4) throw rpcError(grpc.status.INVALID_ARGUMENT, `prefix: an IPv4 address has 4 bytes, not ${prefix.length}`);
      try {
        for (const rows of tableRows({ views, core, names }, table, vrf, prefix.length === 4 ? prefix : undefined)) {
          yield { rows: rows.map((fields) => ({ fields })) };
        }
      } catch (error) {
        if (error instanceof RangeError) throw rpcError(grpc.status.INVALID_ARGUMENT, error.message);
        throw error;
      }
    },
    pods: function* () {
      const all = names.pods();
      for (let first = 0; first < all.length; first += NAMES_PER_MESSAGE) yield { names: all.slice(first, first + NAMES_PER_MESSAGE) };
    },
    trace: ({ interface: name, frame }) => {
      const id = names.find('INTERFACE', name);
      if (id === undefined || id >= MAX_INTERFACES) throw rpcError(grpc.status.NOT_FOUND, `there is no interface "${name}": give its name, its port's name or its number`);
      if (frame.length > FRAME_CAPACITY) throw rpcError(grpc.status.INVALID_ARGUMENT, `the frame has ${frame.length} bytes; at most ${FRAME_CAPACITY} can be traced`);
      return traceFrame(views, core, names, id, frame);
    },
    injectFault: ({ lcore, fault }) => {
      if (!appliance.allowFaults) throw rpcError(grpc.status.PERMISSION_DENIED, 'this dataplane was started without --allow-faults');
      const code = ({ trap: 1, hang: 2 } as Readonly<Record<string, number>>)[fault];
      if (code === undefined) throw rpcError(grpc.status.INVALID_ARGUMENT, `there is no fault "${fault}"; trap and hang are`);
      if (lcore >= lcores.count) throw rpcError(grpc.status.INVALID_ARGUMENT, `there is no lcore ${lcore}; 0 to ${lcores.count - 1} are`);
      lcores.injectFault(lcore, code);
      return {};
    },
  };
}

/** Messages one after another; each Ack when its message is live. A half-closed stream is finished, a cancelled one is dropped. */
function serveApply(appliance: Appliance, call: ApplyCall, isWanted: () => boolean): void {
  const { control, log } = appliance;
  let last: Promise<unknown> = Promise.resolve();
  let waiting = 0;
  call.on('data', (request: WithRaw) => {
    if (++waiting >= MAX_WAITING) call.pause(); // flow control: what is not applied yet stays with the agent
    last = control.apply(request, request[RAW], isWanted).then((ack) => {
      if (--waiting < MAX_WAITING) call.resume();
      if (ack !== undefined && isWanted()) call.write({ ack });
    }, (error: unknown) => {
      log.error({ err: error }, 'a message could not be applied');
      call.emit('error', rpcError(grpc.status.INTERNAL, `a message could not be applied: ${String(error)}`));
    });
  });
  call.on('end', () => void last.then(() => call.end()));
  call.on('error', (error) => log.info({ err: error }, 'the Apply stream broke'));
}

/** In a reply, well below the greatest message. */
const NAMES_PER_MESSAGE = 1024;
/** Messages that may wait for their turn in memory. */
const MAX_WAITING = 8;

function portMessage(state: PortState): Draft<PortStateMessage> {
  const { request, up, mac, mtu, mode, problem, queues, interfaceId, ofProfile, missed, txErrors } = state;
  const { name, driver, device } = request;
  return { port: { name, driver, device, queues: request.queues }, up, mac, mtu, mode, problem, queues: [...queues], interface: interfaceId, profile: ofProfile, missed, txErrors };
}

function refusal(error: unknown): unknown {
  return error instanceof PortProblem ? rpcError(grpc.status.FAILED_PRECONDITION, error.message) : error;
}

/** A socket file that a killed process left behind is removed; one that answers is not ours to take. */
async function removeStaleSocket(path: string): Promise<void> {
  const answers = await new Promise<boolean>((resolve) => {
    const probe = connect(path);
    probe.once('connect', () => {
      probe.destroy();
      resolve(true);
    });
    probe.once('error', () => resolve(false));
  });
  if (answers) throw new Error(`another process serves ${path}: stop it, or give --socket another path`);
  rmSync(path, { force: true });
}
