/**
 * An appliance without packets: it speaks the sync stream and keeps the records in maps, checking what the core checks, so that a
 * record that comes too early or goes too soon is refused here as it would be there.
 */
import type * as grpc from '@grpc/grpc-js';
import * as R from '../../../wasm-core/records.ts';
import { LAYOUT_VERSION, NHK_ECMP, NHK_INTERFACE, NHK_RESOLVE, NHK_TUNNEL_GRE, NHK_VRF } from '../../../wasm-core/layout.ts';
import { clientCredentials } from '../../../mgmt/pki/credentials.ts';
import { createClient, type Client, type Draft } from '../../../proto/load.ts';
import { Sync, type ApplianceMessage, type Batch, type ControllerMessage, type Hello, type Refusal, type SyncMethods, type Update } from '../../../proto/sync.ts';

const SIZES: Readonly<Record<number, number>> = { 1: R.RT_SIZE, 2: R.NX_SIZE, 3: R.EC_SIZE, 4: R.LB_SIZE, 5: R.FL_SIZE, 6: R.IX_SIZE, 7: R.VR_SIZE };

/** Records by identity, in hex, per table. */
export class Tables {
  readonly vrfs = new Map<number, string>();
  readonly interfaces = new Map<number, string>();
  readonly nexthops = new Map<number, string>();
  readonly slots = new Map<number, number[]>();
  readonly labels = new Map<number, number>();
  readonly floating = new Map<string, string>();
  readonly routes = new Map<string, string>();
  #stale: Set<string> | undefined;

  get all(): readonly (readonly [string, Map<never, unknown>])[] {
    return [['r', this.routes], ['l', this.labels], ['f', this.floating], ['n', this.nexthops], ['i', this.interfaces], ['v', this.vrfs]] as unknown as [string, Map<never, unknown>][];
  }

  /** Marks everything (BeginResync). */
  mark(): void { this.#stale = new Set(this.all.flatMap(([table, map]) => [...map.keys()].map((key) => `${table} ${String(key)}`))); }

  get staleShare(): number {
    const total = this.all.reduce((sum, [, map]) => sum + map.size, 0);
    return total < 100 ? 0 : (this.#stale?.size ?? 0) / total;
  }

  sweep(): void {
    for (const [table, map] of this.all) for (const key of [...map.keys()]) if (this.#stale?.has(`${table} ${String(key)}`)) map.delete(key);
    for (const id of [...this.slots.keys()]) if (!this.nexthops.has(id)) this.slots.delete(id);
    this.#stale = undefined;
  }

  /** RESULT_* of one record. */
  apply(kind: number, record: Buffer): number {
    const u32 = (at: number): number => record.readUInt32LE(at);
    const fresh = (table: string, key: number | string): void => { this.#stale?.delete(`${table} ${key}`); };
    switch (kind) {
      case R.RECORD_VRF: {
        const id = u32(R.VR_ID);
        if (record[R.VR_KIND] === R.VR_DELETE) {
          if (!this.vrfs.has(id)) return R.RESULT_NOT_FOUND;
          if ([...this.interfaces.values()].some((hex) => Buffer.from(hex, 'hex').readUInt32LE(R.IX_VRF) === id)) return R.RESULT_IN_USE;
          for (const key of [...this.routes.keys()]) if (key.startsWith(`${id} `)) this.routes.delete(key);
          this.vrfs.delete(id);
          return R.RESULT_OK;
        }
        fresh('v', id);
        this.vrfs.set(id, record.toString('hex'));
        return R.RESULT_OK;
      }
      case R.RECORD_INTERFACE: {
        const id = u32(R.IX_ID);
        if (record[R.IX_KIND] === 0) {
          if ([...this.nexthops.values()].some((hex) => interfaceOf(hex) === id)) return R.RESULT_IN_USE;
          return this.interfaces.delete(id) ? R.RESULT_OK : R.RESULT_NOT_FOUND;
        }
        if (!this.vrfs.has(u32(R.IX_VRF))) return R.RESULT_NO_VRF;
        const parent = record.readUInt16LE(R.IX_PARENT);
        if (parent !== 0 && !this.interfaces.has(parent)) return R.RESULT_NO_INTERFACE;
        fresh('i', id);
        this.interfaces.set(id, record.toString('hex'));
        return R.RESULT_OK;
      }
      case R.RECORD_NEXTHOP: {
        const id = u32(R.NX_ID);
        const hex = record.toString('hex');
        const former = this.nexthops.get(id);
        if (record[R.NX_KIND] === 0) {
          if (former === undefined) return R.RESULT_NOT_FOUND;
          if (this.#uses(id)) return R.RESULT_IN_USE;
          this.slots.delete(id);
          this.nexthops.delete(id);
          return R.RESULT_OK;
        }
        if ([NHK_INTERFACE, NHK_RESOLVE, NHK_TUNNEL_GRE].includes(record[R.NX_KIND]!) && !this.interfaces.has(record.readUInt16LE(R.NX_INTERFACE))) return R.RESULT_NO_INTERFACE;
        if (record[R.NX_KIND] === NHK_VRF && !this.vrfs.has(u32(R.NX_VALUE))) return R.RESULT_NO_VRF;
        const bothGroups = former !== undefined && Buffer.from(former, 'hex')[R.NX_KIND] === NHK_ECMP && record[R.NX_KIND] === NHK_ECMP;
        if (former !== undefined && former !== hex && !bothGroups && this.#uses(id)) return R.RESULT_IMMUTABLE;
        fresh('n', id);
        this.nexthops.set(id, hex);
        if (record[R.NX_KIND] === NHK_ECMP) {
          const before = this.slots.get(id) ?? [];
          this.slots.set(id, Array.from({ length: u32(R.NX_VALUE) }, (_, at) => before[at] ?? 0));
        }
        return R.RESULT_OK;
      }
      case R.RECORD_ECMP: {
        const slots = this.slots.get(u32(R.EC_NEXTHOP));
        const member = u32(R.EC_MEMBER);
        if (!slots || (member !== 0 && !this.nexthops.has(member))) return R.RESULT_NO_NEXTHOP;
        if (u32(R.EC_SLOT) >= slots.length) return R.RESULT_OUT_OF_RANGE;
        slots[u32(R.EC_SLOT)] = member;
        return R.RESULT_OK;
      }
      case R.RECORD_LABEL: {
        const [label, nexthop] = [u32(R.LB_LABEL), u32(R.LB_NEXTHOP)];
        if (nexthop === 0) return this.labels.delete(label) ? R.RESULT_OK : R.RESULT_NOT_FOUND;
        if (!this.nexthops.has(nexthop)) return R.RESULT_NO_NEXTHOP;
        fresh('l', label);
        this.labels.set(label, nexthop);
        return R.RESULT_OK;
      }
      case R.RECORD_FLOATING_IP: {
        const id = record.readUInt16LE(R.FL_INTERFACE);
        const key = `${record.subarray(0, 4).toString('hex')} ${u32(R.FL_VRF)} ${id}`;
        if (record[R.FL_DIRECTION] === 0) return this.floating.delete(key) ? R.RESULT_OK : R.RESULT_NOT_FOUND;
        if (!this.interfaces.has(id)) return R.RESULT_NO_INTERFACE;
        if (!this.vrfs.has(u32(R.FL_VRF))) return R.RESULT_NO_VRF;
        fresh('f', key);
        this.floating.set(key, record.toString('hex'));
        return R.RESULT_OK;
      }
      case R.RECORD_ROUTE: {
        const key = `${u32(R.RT_VRF)} ${record.subarray(R.RT_PREFIX, R.RT_PREFIX + 4).toString('hex')}/${record[R.RT_LENGTH]}`;
        const nexthop = u32(R.RT_NEXTHOP);
        if (nexthop === 0) return this.routes.delete(key) ? R.RESULT_OK : R.RESULT_NOT_FOUND;
        if (!this.vrfs.has(u32(R.RT_VRF))) return R.RESULT_NO_VRF;
        if (!this.nexthops.has(nexthop)) return R.RESULT_NO_NEXTHOP;
        fresh('r', key);
        this.routes.set(key, `${nexthop} ${record[R.RT_FLAGS]}`);
        return R.RESULT_OK;
      }
      default: return R.RESULT_MALFORMED;
    }
  }

  applyBatch(batch: Batch): number[] {
    const size = SIZES[batch.kind]!;
    return Array.from({ length: batch.count }, (_, at) => this.apply(batch.kind, Buffer.from(batch.records.subarray(at * size, (at + 1) * size))));
  }

  /** Comparable text of everything. */
  text(): string {
    const lines = this.all.flatMap(([table, map]) => [...map].map(([key, value]) => `${table} ${String(key)} = ${String(value)}`));
    for (const [id, slots] of this.slots) lines.push(`e ${id} = ${slots.join()}`);
    return lines.sort().join('\n');
  }

  #uses(id: number): boolean {
    return [...this.labels.values()].includes(id) || [...this.routes.values()].some((value) => Number(value.split(' ')[0]) === id) || [...this.slots.values()].some((slots) => slots.includes(id));
  }
}

function interfaceOf(hex: string): number {
  const record = Buffer.from(hex, 'hex');
  return [NHK_INTERFACE, NHK_RESOLVE, NHK_TUNNEL_GRE].includes(record[R.NX_KIND]!) ? record.readUInt16LE(R.NX_INTERFACE) : 0;
}

export interface Options {
  readonly kind?: string;
  readonly certificate?: string;
  readonly hello?: Partial<Hello>;
  /** Guard: EndResync without force that would sweep more than this share is refused. */
  readonly guard?: number;
  /** Does not even read what comes. */
  readonly stalled?: boolean;
}

export class SimulatedAppliance {
  readonly name: string;
  tables = new Tables();
  stateId = '';
  version = 0;
  readonly refusals: Refusal[] = [];
  readonly received: ControllerMessage[] = [];
  resyncs = 0;
  updates = 0;
  /** Ending of the stream, once it ended. */
  error: grpc.ServiceError | undefined;
  ended = false;
  #client: Client<SyncMethods> | undefined;
  #stream: grpc.ClientDuplexStream<Draft<ApplianceMessage>, ControllerMessage> | undefined;
  #options: Options = {};
  #resync = 0;
  onMessage: ((message: ControllerMessage) => void) | undefined;

  constructor(name: string) { this.name = name; }

  connect(address: string, pki: string, options: Options = {}): void {
    this.#options = options;
    this.error = undefined;
    this.ended = false;
    this.#client = createClient(Sync, address, clientCredentials(pki, options.certificate ?? this.name, 'controller'));
    const stream = this.#stream = this.#client.stream();
    stream.on('error', (error: grpc.ServiceError) => {
      this.error = error;
      this.ended = true;
    });
    stream.on('end', () => { this.ended = true; });
    if (options.stalled) stream.pause();
    else stream.on('data', (message: ControllerMessage) => this.#take(message));
    stream.write({ hello: {
      name: this.name, kind: options.kind ?? this.name.split('-')[0]!, profile: 'virtual', software: 'test', layoutVersion: LAYOUT_VERSION,
      stateId: this.stateId, version: this.version, ...options.hello,
    } });
  }

  /** Begins to read what a stalled one did not. */
  resume(): void { this.#stream!.on('data', (message: ControllerMessage) => this.#take(message)).resume(); }

  write(message: Draft<ApplianceMessage>): void { this.#stream!.write(message); }

  disconnect(): void {
    this.#stream?.cancel();
    this.#client?.close();
  }

  #take(message: ControllerMessage): void {
    this.received.push(message);
    if (message.welcome) this.stateId = message.welcome.stateId;
    if (message.beginResync) {
      this.resyncs++;
      this.#resync = message.beginResync.epoch;
      this.version = 0;
      this.tables.mark();
    }
    if (message.update) this.#update(message.update);
    if (message.endResync) {
      const { nonce, epoch, version, force } = message.endResync;
      const guard = this.#options.guard;
      let error = '';
      if (epoch !== this.#resync) error = `epoch ${epoch}, not ${this.#resync}`;
      else if (!force && guard !== undefined && this.tables.staleShare > guard) error = `the sweep would remove ${Math.round(this.tables.staleShare * 100)} % of the tables`;
      else {
        this.tables.sweep();
        this.#resync = 0;
        this.version = version;
      }
      this.write({ ack: { nonce, version: this.version, error } });
    }
    this.onMessage?.(message);
  }

  #update({ nonce, version, batches }: Update): void {
    this.updates++;
    const refusals: Refusal[] = [];
    batches.forEach((batch, index) => this.tables.applyBatch(batch).forEach((code, record) => {
      if (code !== R.RESULT_OK) refusals.push({ batch: index, record, code, reason: `result ${code}` });
    }));
    this.refusals.push(...refusals.filter(({ code }) => code !== R.RESULT_NOT_FOUND));
    if (version > 0) this.version = version;
    this.write({ ack: { nonce, version: this.version, refusals } });
  }
}
