/**
 * A dataplane for tests of the agent: the contract of proto/dataplane.proto over a table that is a Map. What survives its
 * "process" (the table, names, history and version) lives in a Disk, so a test can kill it and start another one over it.
 */
import * as grpc from '@grpc/grpc-js';
import { Dataplane, type ApplyReply, type ApplyRequest, type DataplaneMethods, type Port } from '../../../proto/dataplane.ts';
import { addService, createServer, listen, rpcError, unixAddress, type Draft, type Handlers } from '../../../proto/load.ts';
import type { Name, Refusal, Update } from '../../../proto/sync.ts';
import { keyOf, SIZES } from '../../../mgmt/agent/refusals.ts';

export interface Entry { hex: string; generation: number }

export class Disk {
  stateId = '';
  version = 0;
  generation = 0;
  resyncing = false;
  table = new Map<string, Entry>();
  names = new Map<string, Name & { generation: number }>();
  /** Everything that was applied, in order: "update 5", "begin 1", "end 1", "state abc". */
  readonly applied: string[] = [];
}

/** Settings that a test turns while it runs. */
export class Faults {
  /** Requests are read but not applied before the promise resolves. */
  stalled: Promise<void> = Promise.resolve();
  /** Reason of refusal for a record's key, or undefined. */
  refuse: (key: string) => string | undefined = () => undefined;
}

type ApplyCall = grpc.ServerDuplexStream<ApplyRequest, Draft<ApplyReply>>;

export class SimulatedDataplane {
  readonly disk: Disk;
  readonly faults: Faults;
  readonly ports = new Map<string, Port>();
  /** Requests received (not yet applied ones included) of the present stream. */
  received = 0;
  readonly #server = createServer();
  #stream: ApplyCall | undefined;

  private constructor(disk: Disk, faults: Faults) {
    this.disk = disk;
    this.faults = faults;
    this.ports.set('fabric0', { name: 'fabric0', driver: 'af_xdp', device: 'eth0', queues: 1 });
  }

  static async start(path: string, disk: Disk, faults: Faults): Promise<SimulatedDataplane> {
    const dataplane = new SimulatedDataplane(disk, faults);
    addService(dataplane.#server, Dataplane, dataplane.#handlers());
    await listen(dataplane.#server, unixAddress(path), grpc.ServerCredentials.createInsecure());
    return dataplane;
  }

  /** As if the process was killed. */
  kill(): void { this.#stream = undefined; this.#server.forceShutdown(); }

  #handlers(): Handlers<DataplaneMethods> {
    const { disk } = this;
    const unused = (): never => { throw rpcError(grpc.status.UNIMPLEMENTED, 'not simulated'); };
    const stateOf = (port: Port) => ({ port, up: true, mac: '02:00:00:00:00:01', mtu: 1500, mode: 'copy', profile: port.name === 'fabric0' });
    return {
      apply: (call) => { void this.#apply(call); },
      getState: () => ({ stateId: disk.stateId, version: disk.resyncing ? 0 : disk.version, layoutVersion: 1, profile: 'virtual', kind: 'compute', pid: process.pid, startedMs: 1 }),
      attachPort: (port) => { this.ports.set(port.name, port); return stateOf(port); },
      detachPort: ({ name }) => {
        const port = this.ports.get(name);
        if (!port) throw rpcError(grpc.status.NOT_FOUND, `no port "${name}"`);
        this.ports.delete(name);
        return stateOf(port);
      },
      ports: () => ({ ports: [...this.ports.values()].map(stateOf) }),
      lcores: () => ({ lcores: [{ id: 0, state: 'running', packets: 12 }] }),
      counters: () => ({ received: 3, transmitted: 3, interfaces: [{ id: 1, name: 'pod-1', rxPackets: 3, rxBytes: 180 }], drops: [{ id: 27, name: 'no_route', packets: 1, text: 'no route in the VRF' }], timeUs: 1_000_000 }),
      dropLog: () => ({ entries: [{ reason: 'no_route', text: 'no route in the VRF', node: 'nexthop', interface: 1, summary: '10.32.0.3 > 8.8.8.8 TCP 41000 > 443' }] }),
      *table({ table }) {
        if (table !== 'interface') throw rpcError(grpc.status.INVALID_ARGUMENT, `no table "${table}"`);
        yield { rows: [...disk.names.values()].filter(({ of }) => of === 'INTERFACE').map(({ id, name, port }) => ({ fields: { id: String(id), name, port } })) };
      },
      *pods() { yield { names: [...disk.names.values()].filter(({ pod }) => pod) }; },
      trace: ({ frame }) => ({ text: `${frame.length} bytes`, verdict: 'drop', drop: 'no_route' }),
      injectFault: unused, generator: unused,
    };
  }

  /** One stream at a time. Requests are applied one after another; a cut stream drops what is not begun. */
  async #apply(call: ApplyCall): Promise<void> {
    this.#stream?.end();
    this.#stream = call;
    this.received = 0;
    let cut = false;
    call.on('cancelled', () => { cut = true; });
    call.on('error', () => { cut = true; });
    try {
      for await (const request of call as AsyncIterable<ApplyRequest>) {
        this.received++;
        await this.faults.stalled;
        if (cut || this.#stream !== call) return;
        const ack = this.#one(request);
        if (ack) call.write({ ack });
      }
    } catch {
      return; // cut
    }
    call.end();
  }

  #one({ stateId, beginResync, update, endResync }: ApplyRequest): Draft<ApplyReply>['ack'] {
    const { disk } = this;
    if (stateId !== undefined) {
      disk.stateId = stateId;
      disk.version = 0;
      disk.applied.push(`state ${stateId}`);
      return undefined;
    }
    if (beginResync) {
      disk.generation++;
      disk.resyncing = true;
      disk.applied.push(`begin ${beginResync.epoch}`);
      return undefined;
    }
    if (endResync) {
      disk.applied.push(`end ${endResync.version}`);
      if (!disk.resyncing) return { nonce: endResync.nonce, version: disk.version, error: 'no resync was begun' };
      for (const table of [disk.table, disk.names] as Map<unknown, { generation: number }>[]) {
        for (const [key, { generation }] of table) if (generation !== disk.generation) table.delete(key);
      }
      disk.resyncing = false;
      disk.version = endResync.version;
      return { nonce: endResync.nonce, version: disk.version };
    }
    if (!update) throw new Error('an empty ApplyRequest');
    disk.applied.push(`update ${update.version}`);
    const refusals = this.#records(update);
    for (const name of update.names) {
      if (name.name === '') disk.names.delete(`${name.of} ${name.id}`);
      else disk.names.set(`${name.of} ${name.id}`, { ...name, generation: disk.generation });
    }
    if (!disk.resyncing) disk.version = update.version;
    return { nonce: update.nonce, version: disk.resyncing ? 0 : disk.version, refusals };
  }

  #records(update: Update): Refusal[] {
    const refusals: Refusal[] = [];
    for (const [batch, { kind, count, records }] of update.batches.entries()) {
      const size = SIZES[kind] ?? records.length / count;
      for (let record = 0; record < count; record++) {
        const bytes = records.subarray(record * size, (record + 1) * size);
        const key = keyOf(kind, bytes);
        const reason = this.faults.refuse(key);
        if (reason) refusals.push({ batch, record, code: 3, reason });
        else this.disk.table.set(key, { hex: bytes.toString('hex'), generation: this.disk.generation });
      }
    }
    return refusals;
  }
}
