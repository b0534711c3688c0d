/**
 * Records as they travel (wasm-core/records.ts), in an order in which nothing is missing on the way: what others refer to comes
 * before them, and goes after them.
 */
import type { Pod } from '../../../proto/sync.ts';
import * as R from '../../../wasm-core/records.ts';
import { NHK_ECMP } from '../../../wasm-core/layout.ts';
import { keyAddress, keyLength, prefixKey } from '../model/address.ts';
import { NumberMap } from '../model/number-map.ts';
import type { Appliance, FloatingRecord, InterfaceRecord } from './appliance.ts';
import { splitFloatingKey, type KeySet } from './keys.ts';
import type { NexthopRecord } from './nexthops.ts';
import { flagsOf, nexthopOf, type VrfInstance } from './vrf.ts';

export interface Batch { kind: number; count: number; records: Buffer }
export interface Name { of: 'VRF' | 'INTERFACE' | 'FLOATING_IP'; id: number; name: string; port: string; pod?: Pod }
/** Bytes of a name beside its strings, and of what it says of a pod, about. */
const NAME_BYTES = 16;
const POD_BYTES = 160;
/** The body of one Update. */
export interface Packed { batches: Batch[]; names: Name[]; records: number }

/** Bytes of records in one update; agents take messages of up to 16 MiB, but flow control works with small ones. */
export const MAX_UPDATE_BYTES = 512 * 1024;

/** Bytes of a record by kind. */
export const SIZES: Readonly<Record<number, number>> = {
  [R.RECORD_ROUTE]: R.RT_SIZE, [R.RECORD_NEXTHOP]: R.NX_SIZE, [R.RECORD_ECMP]: R.EC_SIZE, [R.RECORD_LABEL]: R.LB_SIZE,
  [R.RECORD_FLOATING_IP]: R.FL_SIZE, [R.RECORD_INTERFACE]: R.IX_SIZE, [R.RECORD_VRF]: R.VR_SIZE,
};

/** Packs updates of bounded size. Consecutive records of one kind share a batch. */
export class Packer {
  #packed: Packed = { batches: [], names: [], records: 0 };
  #kind = 0;
  #chunk = Buffer.allocUnsafe(0);
  #length = 0;
  #bytes = 0;
  #nameBytes = 0;
  readonly #limit: number;

  constructor(limit: number = MAX_UPDATE_BYTES) { this.#limit = limit; }

  /** Room for one record; its bytes are zero. */
  record(kind: number): { buffer: Buffer; at: number } {
    const size = SIZES[kind]!;
    if (kind !== this.#kind) this.#closeBatch();
    this.#kind = kind;
    if (this.#length + size > this.#chunk.length) this.#grow(size);
    const at = this.#length;
    this.#length += size;
    this.#bytes += size;
    this.#packed.records++;
    this.#chunk.fill(0, at, at + size);
    return { buffer: this.#chunk, at };
  }

  name(name: Name): void {
    this.#packed.names.push(name);
    this.#nameBytes += name.name.length + name.port.length + NAME_BYTES + (name.pod ? POD_BYTES : 0);
  }

  get full(): boolean { return this.#bytes + this.#nameBytes >= this.#limit; }
  get empty(): boolean { return this.#packed.records === 0 && this.#packed.names.length === 0; }

  take(): Packed {
    this.#closeBatch();
    const packed = this.#packed;
    this.#packed = { batches: [], names: [], records: 0 };
    this.#bytes = 0;
    this.#nameBytes = 0;
    return packed;
  }

  #closeBatch(): void {
    if (this.#length > 0) this.#packed.batches.push({ kind: this.#kind, count: this.#length / SIZES[this.#kind]!, records: this.#chunk.subarray(0, this.#length) });
    this.#kind = 0;
    this.#length = 0;
    this.#chunk = Buffer.allocUnsafe(0);
  }

  /** Small updates stay small; big ones are cut at a whole chunk. */
  #grow(size: number): void {
    const wanted = Math.min(Math.max(size * 4, this.#chunk.length * 2), MAX_UPDATE_BYTES);
    const larger = Buffer.allocUnsafe(Math.max(wanted, this.#length + size));
    this.#chunk.copy(larger, 0, 0, this.#length);
    this.#chunk = larger;
  }
}

/** What a walk over the whole state sends one after the other: records refer to those of earlier stages, or of their own. */
export const STAGE = { nothing: 0, vrfs: 1, interfaces: 2, subInterfaces: 3, nexthops: 4, groups: 5, slots: 6, labels: 7, floating: 8, routes: 9 } as const;
export type Stage = (typeof STAGE)[keyof typeof STAGE];

/** Forgets keys of what a walk has yet to come to: it sends that as it is then. */
export function leaveToWalk(state: Appliance, keys: KeySet, reached: Stage): void {
  if (reached < STAGE.vrfs) keys.vrfs.clear();
  for (const id of keys.interfaces) if (reached < (state.interfaces.get(id)?.parent ? STAGE.subInterfaces : STAGE.interfaces)) keys.interfaces.delete(id);
  for (const id of keys.nexthops) if (reached < (state.nexthops.get(id)?.kind === NHK_ECMP ? STAGE.groups : STAGE.nexthops)) keys.nexthops.delete(id);
  if (reached < STAGE.slots) keys.groups.clear();
  if (reached < STAGE.labels) keys.labels.clear();
  if (reached < STAGE.floating) keys.floating.clear();
  if (reached < STAGE.routes) keys.clearRoutes();
}

/** Packs what `keys` name and is there; the keys that were packed are then gone from the set. Yields whenever an update is full. */
export function* packPresent(state: Appliance, keys: KeySet, packer: Packer): Generator<void> {
  const each = eachOf(packer, true);
  const isGroup = (id: number): boolean => state.nexthops.get(id)?.kind === NHK_ECMP;
  yield* each(keys.vrfs, (id) => state.vrfs.has(id), (id) => writeVrf(packer, state, id));
  // A VLAN's parent comes before it, and goes after it.
  const isSub = (id: number): boolean => state.interfaces.get(id)!.parent !== 0;
  yield* each(keys.interfaces, (id) => state.interfaces.has(id) && !isSub(id), (id) => writeInterface(packer, state.interfaces.get(id)!));
  yield* each(keys.interfaces, (id) => state.interfaces.has(id), (id) => writeInterface(packer, state.interfaces.get(id)!));
  yield* each(keys.nexthops, (id) => state.nexthops.has(id) && !isGroup(id), (id) => writeNexthop(packer, state.nexthops.get(id)!));
  yield* each(keys.nexthops, (id) => state.nexthops.has(id), (id) => writeNexthop(packer, state.nexthops.get(id)!));
  yield* each(keys.groups, (id) => state.nexthops.has(id), (id) => writeSlots(packer, state.nexthops.get(id)!));
  yield* each(keys.labels, (label) => state.labels.has(label), (label) => writeLabel(packer, label, state.labels.get(label)!.nexthop));
  yield* each(keys.floating, (key) => state.floating.has(key), (key) => writeFloating(packer, state, state.floating.get(key)!));
  yield* packRouteKeys(state, keys, packer, true);
}

/**
 * Packs what `keys` name as it is now: present records are written, absent ones deleted. Yields whenever an update is full; the
 * keys that were packed are then gone from the set.
 */
export function* packKeys(state: Appliance, keys: KeySet, packer: Packer): Generator<void> {
  yield* packPresent(state, keys, packer);
  const each = eachOf(packer, false);
  yield* packRouteKeys(state, keys, packer, false);
  yield* each(keys.floating, (key) => state.floating.has(key), (key) => deleteFloating(packer, state, key));
  yield* each(keys.labels, (label) => state.labels.has(label), (label) => writeLabel(packer, label, 0));
  // Groups refer to other next hops, so they go first.
  yield* each(keys.groups, (id) => state.nexthops.has(id), (id) => {
    keys.nexthops.delete(id);
    deleteById(packer, R.RECORD_NEXTHOP, id);
  });
  yield* each(keys.nexthops, (id) => state.nexthops.has(id), (id) => deleteById(packer, R.RECORD_NEXTHOP, id));
  yield* each(keys.interfaces, (id) => state.interfaces.has(id), (id) => deleteInterface(packer, id));
  yield* each(keys.vrfs, (id) => state.vrfs.has(id), (id) => deleteVrf(packer, id));
}

/** Of a set, the keys of what is there, or of what is not. */
function eachOf(packer: Packer, present: boolean) {
  return function* <K>(set: Set<K>, has: (key: K) => boolean, write: (key: K) => void): Generator<void> {
    for (const key of set) {
      if (has(key) !== present) continue;
      set.delete(key);
      write(key);
      if (packer.full) yield;
    }
  };
}

/** More specific routes first when they come, last when they go, so that nothing falls through to a shorter one on the way. */
function* packRouteKeys(state: Appliance, keys: KeySet, packer: Packer, present: boolean): Generator<void> {
  const byId = new Map([...state.instances.values()].map((instance) => [instance.id, instance]));
  for (const [vrf, prefixes] of keys.routes) {
    const instance = byId.get(vrf);
    const sorted = [...prefixes].sort((one, other) => (present ? keyLength(other) - keyLength(one) : keyLength(one) - keyLength(other)) || one - other);
    for (const prefix of sorted) {
      const value = instance?.route(prefix) ?? 0;
      if ((value !== 0) !== present) continue;
      keys.deleteRoute(vrf, prefix);
      writeRoute(packer, vrf, prefix, value);
      if (packer.full) yield;
    }
  }
}

/**
 * Packs the whole state; yields, whenever an update is full, the stage that it is in. What changes while it runs must be packed by its
 * keys before it goes on, but for what it has yet to come to.
 */
export function* packAll(state: Appliance, packer: Packer): Generator<Stage> {
  const each = function* <T>(stage: Stage, values: Iterable<T>, write: (value: T) => void): Generator<Stage> {
    for (const value of values) {
      write(value);
      if (packer.full) yield stage;
    }
  };
  yield* each(STAGE.vrfs, state.vrfs.keys(), (id) => writeVrf(packer, state, id));
  yield* each(STAGE.interfaces, filter(state.interfaces.values(), (record) => record.parent === 0), (record) => writeInterface(packer, record));
  yield* each(STAGE.subInterfaces, filter(state.interfaces.values(), (record) => record.parent !== 0), (record) => writeInterface(packer, record));
  yield* each(STAGE.nexthops, filter(state.nexthops.values(), (record) => record.kind !== NHK_ECMP), (record) => writeNexthop(packer, record));
  yield* each(STAGE.groups, filter(state.nexthops.values(), (record) => record.kind === NHK_ECMP), (record) => writeNexthop(packer, record));
  yield* each(STAGE.slots, filter(state.nexthops.values(), (record) => record.kind === NHK_ECMP), (record) => writeSlots(packer, record));
  yield* each(STAGE.labels, state.labels, ([label, { nexthop }]) => writeLabel(packer, label, nexthop));
  yield* each(STAGE.floating, state.floating.values(), (record) => writeFloating(packer, state, record));
  for (const instance of state.instances.values()) yield* packRoutes(instance, packer);
}

/** Prefixes, the more specific ones first. */
function inOrderOfComing(prefixes: readonly number[]): Float64Array {
  const byLength = Float64Array.from(prefixes, (prefix) => (MAX_LENGTH - keyLength(prefix)) * 2 ** 32 + keyAddress(prefix)).sort();
  return byLength.map((each) => prefixKey(each % 2 ** 32, MAX_LENGTH - Math.floor(each / 2 ** 32)));
}
const MAX_LENGTH = 32;

/**
 * A route may move between the map and the tables beside it and lead where it led, which is no change, so no key tells it: the walk must meet
 * it wherever it goes. The map is walked until nothing in it is new. Whatever is not in it then is in the tables of that moment; these are
 * walked as they are then (tables are replaced, never changed), by what their prefixes lead to when the walk comes to them.
 */
function* packRoutes(instance: VrfInstance, packer: Packer): Generator<Stage> {
  const written = new NumberMap();
  const coming = (): Float64Array => inOrderOfComing(instance.routes.keys().filter((prefix) => !written.has(prefix)));
  for (let prefixes = coming(); prefixes.length > 0; prefixes = coming()) {
    for (const prefix of prefixes) {
      const value = instance.routes.get(prefix);
      if (value === undefined) continue;
      written.set(prefix, value);
      writeRoute(packer, instance.id, prefix, value);
      if (packer.full) yield STAGE.routes;
    }
  }
  for (const [name, { bulk }] of [...instance.bulks]) {
    let now = instance.bulks.get(name);
    for (let at = 0; at < bulk.prefixes.length; at++) {
      const prefix = bulk.prefixes[at]!;
      const own = instance.routes.get(prefix);
      if (own !== undefined && written.has(prefix)) continue;
      const value = own ?? (now?.bulk === bulk ? now.nexthops[bulk.index[at]!]! : instance.bulkRoute(prefix));
      if (value === 0) continue;
      writeRoute(packer, instance.id, prefix, value);
      if (!packer.full) continue;
      yield STAGE.routes;
      now = instance.bulks.get(name);
    }
  }
}

function* filter<T>(values: Iterable<T>, wanted: (value: T) => boolean): Iterable<T> {
  for (const value of values) if (wanted(value)) yield value;
}

// ---- records ---------------------------------------------------------------------------------------------------------------

function writeRoute(packer: Packer, vrf: number, prefix: number, value: number): void {
  const { buffer, at } = packer.record(R.RECORD_ROUTE);
  buffer.writeUInt32LE(vrf, at + R.RT_VRF);
  buffer.writeUInt32BE(keyAddress(prefix), at + R.RT_PREFIX);
  buffer.writeUInt32LE(nexthopOf(value), at + R.RT_NEXTHOP);
  buffer[at + R.RT_LENGTH] = keyLength(prefix);
  buffer[at + R.RT_FLAGS] = flagsOf(value);
}

function writeNexthop(packer: Packer, record: NexthopRecord): void {
  const { buffer, at } = packer.record(R.RECORD_NEXTHOP);
  buffer.writeUInt32LE(record.id, at + R.NX_ID);
  buffer[at + R.NX_KIND] = record.kind;
  buffer[at + R.NX_FLAGS] = record.flags;
  buffer.writeUInt16LE(record.interface, at + R.NX_INTERFACE);
  buffer.writeUInt32BE(record.remote, at + R.NX_REMOTE);
  buffer.writeUInt32BE(record.local, at + R.NX_LOCAL);
  buffer.writeUInt32LE(record.kind === NHK_ECMP ? record.slots.length : record.value, at + R.NX_VALUE);
  buffer.writeUIntBE(record.mac, at + R.NX_MAC, 6);
  buffer.writeUInt16LE(record.mtu, at + R.NX_MTU);
  buffer.writeUInt32BE(record.gateway, at + R.NX_GATEWAY);
}

function writeSlots(packer: Packer, record: NexthopRecord): void {
  record.slots.forEach((member, slot) => {
    const { buffer, at } = packer.record(R.RECORD_ECMP);
    buffer.writeUInt32LE(record.id, at + R.EC_NEXTHOP);
    buffer.writeUInt32LE(slot, at + R.EC_SLOT);
    buffer.writeUInt32LE(member, at + R.EC_MEMBER);
  });
}

function writeLabel(packer: Packer, label: number, nexthop: number): void {
  const { buffer, at } = packer.record(R.RECORD_LABEL);
  buffer.writeUInt32LE(label, at + R.LB_LABEL);
  buffer.writeUInt32LE(nexthop, at + R.LB_NEXTHOP);
}

function writeFloating(packer: Packer, state: Appliance, { element, vrf, interface: id }: FloatingRecord): void {
  const { buffer, at } = packer.record(R.RECORD_FLOATING_IP);
  buffer.writeUInt32BE(element.public, at + R.FL_PUBLIC);
  buffer.writeUInt32BE(element.private, at + R.FL_PRIVATE);
  buffer.writeUInt32LE(vrf, at + R.FL_VRF);
  buffer.writeUInt16LE(id, at + R.FL_INTERFACE);
  buffer[at + R.FL_DIRECTION] = element.direction;
  buffer.writeUInt16LE(element.order, at + R.FL_ORDER);
  nameFloating(packer, state, element.public);
}

function deleteFloating(packer: Packer, state: Appliance, key: string): void {
  const { public: address, vrf, interface: id } = splitFloatingKey(key);
  const { buffer, at } = packer.record(R.RECORD_FLOATING_IP);
  buffer.writeUInt32BE(address, at + R.FL_PUBLIC);
  buffer.writeUInt32LE(vrf, at + R.FL_VRF);
  buffer.writeUInt16LE(id, at + R.FL_INTERFACE);
  nameFloating(packer, state, address);
}

function nameFloating(packer: Packer, state: Appliance, address: number): void {
  const [name = ''] = Array.from(state.floatingByAddress.get(address), ({ element }) => element.name).sort();
  packer.name({ of: 'FLOATING_IP', id: address, name, port: '' });
}

function writeInterface(packer: Packer, { id, element, vrf, parent }: InterfaceRecord): void {
  const { buffer, at } = packer.record(R.RECORD_INTERFACE);
  buffer.writeUInt32LE(id, at + R.IX_ID);
  buffer[at + R.IX_KIND] = element.kind;
  buffer[at + R.IX_FLAGS] = element.flags;
  buffer.writeUInt16LE(element.vlan, at + R.IX_VLAN);
  buffer.writeUInt32LE(vrf, at + R.IX_VRF);
  buffer.writeUIntBE(element.mac, at + R.IX_MAC, 6);
  buffer.writeUInt16LE(element.mtu, at + R.IX_MTU);
  buffer.writeUInt32BE(element.address, at + R.IX_ADDRESS);
  buffer.writeUInt32BE(element.mask, at + R.IX_MASK);
  buffer.writeUInt32BE(element.workload, at + R.IX_WORKLOAD);
  buffer.writeUInt16LE(parent, at + R.IX_PARENT);
  packer.name({ of: 'INTERFACE', id, name: element.name, port: element.port, ...(element.pod && { pod: element.pod }) });
}

function deleteInterface(packer: Packer, id: number): void {
  deleteById(packer, R.RECORD_INTERFACE, id);
  packer.name({ of: 'INTERFACE', id, name: '', port: '' });
}

function writeVrf(packer: Packer, state: Appliance, id: number): void {
  const record = state.vrfs.get(id)!;
  const { buffer, at } = packer.record(R.RECORD_VRF);
  buffer.writeUInt32LE(id, at + R.VR_ID);
  buffer[at + R.VR_KIND] = record.kind;
  buffer[at + R.VR_FLAGS] = record.flags;
  buffer.writeUInt16LE(record.mss, at + R.VR_MSS);
  packer.name({ of: 'VRF', id, name: record.name, port: '' });
}

function deleteVrf(packer: Packer, id: number): void {
  const { buffer, at } = packer.record(R.RECORD_VRF);
  buffer.writeUInt32LE(id, at + R.VR_ID);
  buffer[at + R.VR_KIND] = R.VR_DELETE;
  packer.name({ of: 'VRF', id, name: '', port: '' });
}

/** Kinds whose first word is the id and whose zero kind deletes. */
function deleteById(packer: Packer, kind: number, id: number): void {
  const { buffer, at } = packer.record(kind);
  buffer.writeUInt32LE(id, at);
}
