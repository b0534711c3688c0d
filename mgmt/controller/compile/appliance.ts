/**
 * The state of one appliance: its tables, ready to be packed. Next hops are counted by those who use them and go when nobody
 * does; whatever changes is noted in `touched`.
 */
import { NHK_DISCARD, NHK_ECMP, NHK_INTERFACE, NHK_RECEIVE, NHK_RESOLVE, NHK_VRF, NHF_FIP } from '../../../wasm-core/layout.ts';
import { MultiMap } from '../model/multi-map.ts';
import type { Numbering } from '../routing/numbering.ts';
import { remoteOf, tunnelKey, tunnelNumber } from '../routing/tunnel-key.ts';
import { floatingKey, KeySet } from './keys.ts';
import { Nexthops, type NexthopRecord } from './nexthops.ts';
import { UnderlayKeys } from './tunnel.ts';
import type { FloatingElement, InterfaceElement, LabelElement, Nexthop, Underlay, VrfSettings } from './types.ts';
import { VrfInstance } from './vrf.ts';

const GROUP = 'group ';
export const FABRIC_VRF_ID = 0;

type Tunnel = Extract<Nexthop, { kind: 'tunnel' }>;
interface GroupRecord extends NexthopRecord { slots: readonly number[] }

/** What refers to others is by number here. */
export interface InterfaceRecord { readonly id: number; readonly element: InterfaceElement; readonly vrf: number; readonly parent: number }
export interface VrfRecord extends VrfSettings { readonly id: number }
export interface FloatingRecord { readonly element: FloatingElement; readonly vrf: number; readonly interface: number }

export class Appliance {
  readonly name: string;
  #underlay: Underlay;
  #underlayKeys: UnderlayKeys;
  /** Of the transaction that changed it last. */
  version = 0;
  readonly vrfs = new Map<number, VrfRecord>();
  readonly instances = new Map<string, VrfInstance>();
  readonly interfaces = new Map<number, InterfaceRecord>();
  readonly nexthops: Nexthops;
  readonly labels = new Map<number, { readonly key: string; readonly nexthop: number }>();
  readonly floating = new Map<string, FloatingRecord>();
  /** Those that have a name, by public address: the same floating IP may sit on several interfaces. */
  readonly floatingByAddress = new MultiMap<number, FloatingRecord>();
  touched = new KeySet();
  readonly #numbering: Numbering;
  /** Next hops that are no tunnels. */
  readonly #byKey = new Map<string, NexthopRecord>();
  /** Id of the interface that tunnels leave by: as long as there is an appliance, there is that. */
  #fabric = 0;
  /** Next hops that lost their last user; another may still come within the same transaction. */
  readonly #idle = new Set<number>();

  constructor(name: string, underlay: Underlay, numbering: Numbering) {
    this.name = name;
    this.#underlay = underlay;
    this.#underlayKeys = new UnderlayKeys(underlay);
    this.nexthops = new Nexthops(underlay);
    this.#numbering = numbering;
    // Nobody holds an earlier version of it.
    this.touched.flood();
  }

  get underlay(): Underlay { return this.#underlay; }
  /** Tunnels that look different over it become other next hops, once their routes are decided anew. */
  set underlay(underlay: Underlay) {
    this.#underlay = underlay;
    this.#underlayKeys = new UnderlayKeys(underlay);
    this.nexthops.changeUnderlay(underlay);
  }

  /** What changed since the last call. */
  takeTouched(): KeySet {
    const { touched } = this;
    this.touched = new KeySet();
    return touched;
  }

  // ---- VRFs ------------------------------------------------------------------------------------------------------------------

  /** Enters or changes a VRF; its instance is made on first use. */
  putVrf(settings: VrfSettings, isFabric: boolean): VrfInstance {
    const id = isFabric ? FABRIC_VRF_ID : this.#numbering.take(this.name, 'vrf', settings.name);
    const before = this.vrfs.get(id);
    if (!before || before.flags !== settings.flags || before.kind !== settings.kind || before.mss !== settings.mss || before.name !== settings.name) this.touched.add('vrfs', id);
    this.vrfs.set(id, { ...settings, id });
    let instance = this.instances.get(settings.name);
    if (!instance) this.instances.set(settings.name, instance = new VrfInstance(this, settings.name, id));
    return instance;
  }

  removeVrf(instance: VrfInstance): void {
    this.vrfs.delete(instance.id);
    this.instances.delete(instance.name);
    this.touched.add('vrfs', instance.id);
    this.#numbering.release(this.name, 'vrf', instance.name);
  }

  #vrfId(name: string): number {
    const instance = this.instances.get(name);
    if (!instance) throw new Error(`${this.name} has no VRF ${name}`);
    return instance.id;
  }

  // ---- interfaces, labels, floating IPs --------------------------------------------------------------------------------------

  interfaceId(key: string): number { return this.#numbering.take(this.name, 'interface', key); }

  putInterface(element: InterfaceElement): void {
    const id = this.interfaceId(element.key);
    this.interfaces.set(id, { id, element, vrf: this.#vrfId(element.vrf), parent: element.parent ? this.interfaceId(element.parent) : 0 });
    this.touched.add('interfaces', id);
  }

  removeInterface(key: string): void {
    const id = this.interfaceId(key);
    this.interfaces.delete(id);
    this.touched.add('interfaces', id);
    this.#numbering.release(this.name, 'interface', key);
  }

  putLabel({ key, label, nexthop }: LabelElement): void {
    const before = this.labels.get(label);
    const id = this.acquire(nexthop);
    this.labels.set(label, { key, nexthop: id });
    if (before) this.release(before.nexthop);
    if (before?.nexthop !== id) this.touched.add('labels', label);
  }

  removeLabel({ key, label }: LabelElement): void {
    const before = this.labels.get(label);
    if (!before) return;
    this.labels.delete(label);
    this.release(before.nexthop);
    this.touched.add('labels', label);
    this.#numbering.release(this.name, 'label', key);
  }

  floatingKey(element: FloatingElement): string { return floatingKey(element.public, this.#vrfId(element.vrf), this.interfaceId(element.interface)); }

  putFloating(element: FloatingElement): void {
    const record = { element, vrf: this.#vrfId(element.vrf), interface: this.interfaceId(element.interface) };
    const key = floatingKey(element.public, record.vrf, record.interface);
    this.#forgetFloating(key);
    this.floating.set(key, record);
    this.touched.addFloating(key);
    if (element.name) this.floatingByAddress.add(element.public, record);
  }

  removeFloating(key: string): void {
    if (this.#forgetFloating(key)) this.touched.addFloating(key);
  }

  #forgetFloating(key: string): boolean {
    const record = this.floating.get(key);
    if (record) this.floatingByAddress.delete(record.element.public, record);
    return this.floating.delete(key);
  }

  // ---- next hops -------------------------------------------------------------------------------------------------------------

  /** The id of a next hop, which has one user more. */
  acquire(nexthop: Nexthop): number {
    if (nexthop.kind === 'tunnel') return this.acquireTunnel(nexthop.remote, nexthop.label, nexthop.external);
    const key = this.nexthopKey(nexthop);
    const known = this.#byKey.get(key);
    if (known) return this.#use(known.id);
    return this.#use(this.#enter({ ...this.#content(nexthop), key, id: this.#numbering.take(this.name, 'nexthop', key), slots: [] }).id);
  }

  /** The same for a tunnel. */
  acquireTunnel(remote: number, label: number, external: boolean): number {
    const tunnel = tunnelNumber(remote, label, external);
    const id = this.#numbering.takeTunnel(this.name, this.#underlayKeys.towards(remote), tunnel);
    if (!this.nexthops.hasTunnel(id, tunnel)) {
      this.nexthops.putTunnel(id, tunnel, this.#fabric ||= this.interfaceId('fabric'));
      this.touched.add('nexthops', id);
    }
    return this.#use(id);
  }

  /** What a next hop is by content: equal keys are one next hop, on this appliance. */
  nexthopKey(nexthop: Nexthop): string {
    switch (nexthop.kind) {
      case 'discard': case 'receive': return nexthop.kind;
      case 'resolve': return `resolve ${nexthop.interface}`;
      case 'router': return `router ${nexthop.interface} ${nexthop.address}`;
      case 'workload': return `workload ${nexthop.interface} ${nexthop.mac}`;
      case 'vrf': return `vrf ${nexthop.vrf}`;
      case 'tunnel': return this.#tunnelKey(tunnelNumber(nexthop.remote, nexthop.label, nexthop.external));
    }
  }

  /**
   * The id of an ECMP group, which has one user more. A group is known by `key`; its slots follow the members, and it keeps its id
   * when it grows.
   */
  acquireGroup(key: string, members: readonly Nexthop[]): number {
    const byKey = new Map(members.map((member) => [this.nexthopKey(member), member]));
    const slots = this.#numbering.slots(this.name, key, [...byKey.keys()].sort());
    const groupKey = GROUP + key;
    const group: GroupRecord = this.#byKey.get(groupKey)
      ?? this.#enter({ ...NO_CONTENT, kind: NHK_ECMP, key: groupKey, id: this.#numbering.take(this.name, 'nexthop', groupKey), slots: [] });
    const before = group.slots;
    const after = slots.map((slot) => (slot === '' ? 0 : this.acquire(byKey.get(slot)!)));
    if (before.length !== after.length) this.touched.add('nexthops', group.id);
    if (before.length !== after.length || before.some((id, at) => id !== after[at])) this.touched.add('groups', group.id);
    group.slots = after;
    for (const id of before) if (id !== 0) this.release(id);
    return this.#use(group.id);
  }

  release(id: number): void {
    if (this.nexthops.release(id)) this.#idle.add(id);
  }

  /** Removes next hops without users; called once a transaction is worked in. */
  sweep(): void {
    // A group that goes lets its members go, which the loop then meets too.
    for (const id of this.#idle) {
      this.#idle.delete(id);
      if (this.nexthops.isUsed(id)) continue;
      const record = this.nexthops.get(id)!;
      for (const member of record.slots) if (member !== 0) this.release(member);
      this.nexthops.delete(id);
      this.#byKey.delete(record.key);
      this.touched.add('nexthops', id);
      if (record.kind === NHK_ECMP) this.touched.add('groups', id);
      this.#numbering.release(this.name, 'nexthop', record.key);
      if (record.kind === NHK_ECMP) this.#numbering.dropSlots(this.name, record.key.slice(GROUP.length));
    }
  }

  /** Keys of next hops that are not there and hold a number nevertheless. */
  get unusedNexthops(): string[] {
    if (this.#numbering.count(this.name, 'nexthop') === this.nexthops.size) return [];
    const used = new Set([...this.nexthops.values()].map(({ key }) => key));
    return [...this.#numbering.keys(this.name, 'nexthop')].filter((key) => !used.has(key));
  }

  releaseUnused(): void {
    for (const key of this.unusedNexthops) {
      this.#numbering.release(this.name, 'nexthop', key);
      if (key.startsWith(GROUP)) this.#numbering.dropSlots(this.name, key.slice(GROUP.length));
    }
  }

  #use(id: number): number {
    this.nexthops.use(id);
    if (this.#idle.size > 0) this.#idle.delete(id);
    return id;
  }

  #enter(record: NexthopRecord): NexthopRecord {
    this.#byKey.set(record.key, record);
    this.nexthops.put(record);
    this.touched.add('nexthops', record.id);
    return record;
  }

  #tunnelKey(tunnel: number): string { return tunnelKey(tunnel, this.#underlayKeys.towards(remoteOf(tunnel))); }

  #content(nexthop: Exclude<Nexthop, Tunnel>): typeof NO_CONTENT {
    switch (nexthop.kind) {
      case 'discard': return { ...NO_CONTENT, kind: NHK_DISCARD };
      case 'receive': return { ...NO_CONTENT, kind: NHK_RECEIVE };
      case 'resolve': return { ...NO_CONTENT, kind: NHK_RESOLVE, interface: this.interfaceId(nexthop.interface) };
      case 'router': return { ...NO_CONTENT, kind: NHK_INTERFACE, interface: this.interfaceId(nexthop.interface), remote: nexthop.address };
      // Whether it has floating IPs changes, and a next hop does not: the core's interface flags say whether to look.
      case 'workload': return { ...NO_CONTENT, kind: NHK_INTERFACE, flags: NHF_FIP, interface: this.interfaceId(nexthop.interface), mac: nexthop.mac };
      case 'vrf': return { ...NO_CONTENT, kind: NHK_VRF, value: this.#vrfId(nexthop.vrf) };
    }
  }
}

const NO_CONTENT = { kind: 0, flags: 0, interface: 0, remote: 0, local: 0, value: 0, mac: 0, mtu: 0, gateway: 0 };
