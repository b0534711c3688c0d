/**
 * What has to be written so that the controller's objects become the desired ones: groups of operations, one for each unit, so that what a
 * unit makes comes whole or not at all.
 */
import type { Operation, Object as ConfigObject } from '../../../proto/config.ts';
import type { Draft } from '../../../proto/load.ts';
import { DOMAIN, idOf, splitId, toWire, type Kind, type Stored } from '../../controller/model/kinds.ts';
import { referencesOf } from '../../controller/model/references.ts';
import type { Desired } from '../translate/desired.ts';
import { byRank, type Translator } from '../translate/translator.ts';
import { merged } from './merge.ts';
import type { Mirror } from './mirror.ts';

export interface Write { readonly id: string; readonly put: Desired | undefined; readonly version: number }
export interface Group { readonly unit: string; readonly writes: Write[] }
export interface Plan {
  /** In the order in which they are to be written. */
  readonly groups: readonly Group[];
  /** Units that cannot be written yet, with what is missing. */
  readonly waiting: ReadonlyMap<string, string>;
  /** Units whose object's name belongs to somebody else. */
  readonly foreign: ReadonlyMap<string, string>;
}

/** Referred to before referring. */
const ORDER: readonly Kind[] = ['domain', 'project', 'network-ipam', 'network-policy', 'virtual-network', 'floating-ip-pool', 'virtual-router', 'bgp-router', 'virtual-machine', 'virtual-machine-interface', 'instance-ip', 'floating-ip'];
const PLACE = new Map(ORDER.map((kind, at) => [kind, at]));
export const placeOf = (id: string): number => PLACE.get(splitId(id)[0]) ?? ORDER.length;

const UNIT_KINDS: Readonly<Record<string, string>> = {
  Pod: 'pod', Namespace: 'namespace', NetworkAttachmentDefinition: 'nad', VirtualNetwork: 'virtualnetwork', Service: 'service', FloatingIPPool: 'floatingippool', FloatingIP: 'floatingip', BGPRouter: 'bgprouter',
};

/** The unit that made an object, as its annotations tell. */
export function makerOf({ annotations = {} }: Stored): string {
  const { kind = '', namespace = '', name = '' } = annotations;
  return `${UNIT_KINDS[kind] ?? 'cluster'} ${kind === 'Namespace' || namespace === '' ? name : `${namespace}/${name}`}`;
}

export const isOurs = (object: Stored | undefined, cluster: string): boolean => object?.annotations?.['cluster'] === cluster && object.annotations['owner'] === 'k8s';

/** @param ids objects that may be otherwise than they should. */
export function plan(ids: Iterable<string>, translator: Translator, mirror: Mirror, cluster: string): Plan {
  const groups = new Map<string, Group>();
  const [waiting, foreign] = [new Map<string, string>(), new Map<string, string>()];
  const add = (unit: string, write: Write): void => {
    const group = groups.get(unit);
    if (group) group.writes.push(write);
    else groups.set(unit, { unit, writes: [write] });
  };
  const look = (id: string, wanted: ReturnType<Translator['desired']>): void => {
    const current = mirror.get(id);
    if (!wanted) {
      if (current && isOurs(current, cluster)) add(makerOf(current), { id, put: undefined, version: 0 });
      return;
    }
    const holder = current?.annotations?.['cluster'];
    if (current && holder !== undefined && holder !== cluster) {
      foreign.set(wanted.unit, `${id} belongs to cluster ${holder}; choose another cluster_name, or another name`);
      return;
    }
    const object = merged(wanted.object, current, (network, ipam) => ipam !== '' && ipamsOf(network, translator, mirror).includes(ipam));
    // What operators change meanwhile in a network must not get lost.
    if (object) add(wanted.unit, { id, put: object, version: object.kind === 'virtual-network' ? current?.version ?? 0 : 0 });
  };
  const all = [...ids];
  const isFloating = (id: string): boolean => id.startsWith('floating-ip ');
  for (const id of all) if (!isFloating(id)) look(id, translator.desired(id));
  const coming = settle(groups, mirror, waiting);
  // A floating IP goes to those interfaces that there are, or are about to be: one that is missing holds up none of the others.
  const isThere = (id: string): boolean => coming.has(id) || mirror.get(id) !== undefined && (translator.desired(id) !== undefined || !isOurs(mirror.get(id), cluster));
  for (const id of all.filter(isFloating)) {
    const wanted = translator.desired(id);
    look(id, wanted && { ...wanted, object: withInterfaces(wanted.object, isThere) });
  }
  release(groups, mirror, add);
  settle(groups, mirror, waiting);
  return { groups: [...groups.values()].sort(byUse), waiting, foreign };
}

const ipamsOf = (network: string, translator: Translator, mirror: Mirror): readonly string[] => {
  const wanted = translator.desired(idOf('virtual-network', network))?.object;
  return wanted?.kind === 'virtual-network' ? wanted.spec.networkIpams : mirror.objects.get('virtual-network', network)?.spec.networkIpams ?? [];
};

function withInterfaces(object: Desired, isThere: (id: string) => boolean): Desired {
  if (object.kind !== 'floating-ip') return object;
  const interfaces = object.spec.virtualMachineInterfaces.filter((name) => isThere(idOf('virtual-machine-interface', name)));
  return interfaces.length === object.spec.virtualMachineInterfaces.length ? object : { ...object, spec: { ...object.spec, virtualMachineInterfaces: interfaces } };
}

/** Floating IPs that somebody gave to an interface by hand stay without it: a pod's end must not hang on them. */
function release(groups: ReadonlyMap<string, Group>, mirror: Mirror, add: (unit: string, write: Write) => void): void {
  const going = new Map<string, string>();
  const written = new Set<string>();
  for (const { unit, writes } of groups.values()) {
    for (const { id, put } of writes) {
      written.add(id);
      if (!put && id.startsWith('virtual-machine-interface ')) going.set(splitId(id)[1], unit);
    }
  }
  for (const [name, unit] of going) {
    for (const floating of mirror.objects.usersOfKind('floating-ip', 'virtual-machine-interface', name)) {
      const id = idOf('floating-ip', floating.name);
      if (written.has(id)) continue;
      written.add(id);
      const left = floating.spec.virtualMachineInterfaces.filter((each) => !going.has(each));
      const put: Desired = { kind: 'floating-ip', name: floating.name, uuid: '', annotations: floating.annotations ?? {}, spec: { ...floating.spec, fixedAddress: left.length > 0 ? floating.spec.fixedAddress : '', virtualMachineInterfaces: left } };
      add(unit, { id, put, version: floating.version });
    }
  }
}

/** Sets groups aside that refer to what is neither there nor about to come, until none is left of these. @returns ids of what is about to come. */
function settle(groups: Map<string, Group>, mirror: Mirror, waiting: Map<string, string>): ReadonlySet<string> {
  const coming = new Set<string>();
  for (const { writes } of groups.values()) for (const { id, put } of writes) if (put) coming.add(id);
  for (let again = true; again;) {
    again = false;
    for (const [unit, { writes }] of groups) {
      const missing = writes.flatMap(({ put }) => (put ? referencesOf({ ...put, version: 0 } as Stored) : []))
        .find(({ kind, name }) => kind !== 'route-target' && !(kind === 'domain' && name === DOMAIN) && kind !== 'global-system-config' && !coming.has(idOf(kind, name)) && !mirror.get(idOf(kind, name)));
      if (!missing) continue;
      waiting.set(unit, idOf(missing.kind, missing.name));
      groups.delete(unit);
      for (const { id } of writes) coming.delete(id);
      again = true;
    }
  }
  return coming;
}

/** What is put before what only goes; what is referred to before what refers, and in the other direction where it goes. */
function byUse(one: Group, other: Group): number {
  const [puts, otherPuts] = [one.writes.some(({ put }) => put), other.writes.some(({ put }) => put)];
  if (puts !== otherPuts) return puts ? -1 : 1;
  return puts ? byRank(one.unit, other.unit) : byRank(other.unit, one.unit);
}

/** The operations of some groups as one transaction: puts in the order of references, then deletes against it. */
export function operationsOf(groups: readonly Group[], mirror: Mirror): { readonly writes: readonly { readonly group: Group; readonly write: Write }[]; readonly operations: readonly Draft<Operation>[] } {
  const all = groups.flatMap((group) => group.writes.map((write) => ({ group, write })));
  const place = ({ write }: (typeof all)[number]): number => (write.put ? placeOf(write.id) : 2 * ORDER.length - placeOf(write.id));
  const writes = all.sort((one, other) => place(one) - place(other));
  return { writes, operations: writes.map(({ write }) => operationOf(write, mirror)) };
}

function operationOf({ id, put, version }: Write, mirror: Mirror): Draft<Operation> {
  const [kind, name] = splitId(id);
  if (!put) return { delete: { kind, name, version: 0, uuid: '' } };
  // A UUID is only said for what is new: what exists keeps its own.
  const uuid = mirror.get(id) ? '' : put.uuid;
  const object: ConfigObject = toWire({ ...put, uuid, version } as Stored);
  return { put: object };
}
