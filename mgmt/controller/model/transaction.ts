/**
 * A transaction on the objects: operations are applied in order, and judged by what they lead to. So their order within the
 * transaction matters only where one operation undoes another, and whatever is refused leaves nothing behind.
 */
import { createHash, randomUUID } from 'node:crypto';
import type * as wire from '../../../proto/config.ts';
import { parseAddress } from './address.ts';
import { freeAddress, ipamOf } from './allocate.ts';
import { DEFAULT_ASN } from '../routing/route-target.ts';
import { DOMAIN, fromWire, idOf, isKind, KINDS, parentKind, parentName, splitId, SYSTEM, type Kind, type Stored } from './kinds.ts';
import type { Objects } from './objects.ts';
import { Refusal, type RefusalKind, type Violation } from './refusal.ts';
import { mapReferences, referencesOf } from './references.ts';
import { claimsOf, claimText } from './relations.ts';
import { isTarget } from './rules/check.ts';
import { checkName, checkObject } from './rules/index.ts';
import { withKeptSecrets } from './secrets.ts';
import { poolPrefixes } from './rules/network.ts';
import { subnetsOf } from './subnets.ts';

/** One object before and after; both undefined never. */
export interface Change { readonly kind: Kind; readonly name: string; readonly before: Stored | undefined; readonly after: Stored | undefined }

/** What `stage` leaves: the objects already changed, and how to take that back. */
export interface Staged {
  readonly changes: readonly Change[];
  /** Objects that the operations put, in their order, as they are now. */
  readonly objects: readonly Stored[];
  undo(): void;
}

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;
/** Pool that a network with `external` set has by itself. */
const PUBLIC_POOL = 'public';

/** What of the changes that the operations ask for is not for their author, before anything else is said of them. */
export type Judge = (changes: readonly Change[], objects: Objects) => readonly Violation[];

/**
 * Applies `operations` to `objects` under `version`.
 *
 * @throws {Refusal} with every violation that was found; the objects are then as they were.
 */
export function stage(objects: Objects, operations: readonly wire.Operation[], version: number, newUuid: () => string = randomUUID, judge: Judge = () => []): Staged {
  const transaction = new Transaction(objects, version, newUuid);
  try {
    operations.forEach((operation, at) => transaction.apply(operation, at));
    const forbidden = judge(transaction.changes.filter(({ kind, name }) => transaction.asked.has(idOf(kind, name))), objects);
    if (forbidden.length > 0) throw new Refusal('forbidden', forbidden);
    transaction.finish();
    return transaction;
  } catch (error) {
    transaction.undo();
    throw error;
  }
}

class Transaction implements Staged {
  readonly #objects: Objects;
  readonly #version: number;
  readonly #newUuid: () => string;
  readonly #before = new Map<string, Stored | undefined>();
  /** Operation that an object was last put by: for field paths. */
  readonly #operation = new Map<string, number>();
  readonly #puts: string[] = [];
  /** Ids of what the operations name: whatever else changes does so by itself. */
  readonly asked = new Set<string>();
  readonly #violations: Violation[] = [];
  #refusal: RefusalKind = 'invalid';

  constructor(objects: Objects, version: number, newUuid: () => string) {
    this.#objects = objects;
    this.#version = version;
    this.#newUuid = newUuid;
  }

  get changes(): readonly Change[] {
    return [...this.#before].map(([id, before]) => {
      const [kind, name] = splitId(id);
      return { kind, name, before, after: this.#objects.get(kind, name) };
    }).filter(({ before, after }) => before !== after);
  }

  get objects(): readonly Stored[] {
    return this.#puts.flatMap((id) => this.#objects.get(...splitId(id)) ?? []);
  }

  undo(): void {
    for (const [id] of this.#before) this.#objects.remove(...splitId(id));
    for (const [, before] of this.#before) if (before) this.#objects.put(before);
  }

  apply(operation: wire.Operation, at: number): void {
    if (operation.delete) return this.#delete(operation.delete, at);
    const message = operation.put ?? operation.create ?? operation.update;
    const given = message && fromWire(message);
    const object = given && this.#named(given);
    if (!object) throw new Refusal('invalid', [{ field: `operations[${at}]`, rule: 'REQUIRED', object: message?.name ?? '', description: 'an operation is put, create or update with an object that has a spec, or delete' }]);
    const id = idOf(object.kind, object.name);
    const wrong: Violation[] = [];
    checkName((field, rule, description) => wrong.push({ field: `operations[${at}].${field}`, rule, object: id, description }), object.kind, object.name);
    if (wrong.length > 0) throw new Refusal('invalid', wrong);

    const current = this.#objects.get(object.kind, object.name);
    if (operation.create && current) this.#refuse('exists', at, 'name', 'EXISTS', id, 'exists already; update it, or choose another name');
    if (operation.update && !current) this.#refuse('not-found', at, 'name', 'NOT_FOUND', id, 'does not exist; create it');
    if (object.version !== 0 && object.version !== (current?.version ?? 0)) this.#conflict(at, id, object.version, current);
    const namesake = object.uuid ? this.#objects.byUuid(object.uuid) : undefined;
    if (namesake && idOf(namesake.kind, namesake.name) !== id) this.#refuse('exists', at, 'uuid', 'TAKEN', id, `uuid ${object.uuid} belongs to ${idOf(namesake.kind, namesake.name)}; leave it empty`);
    this.asked.add(id);
    const filled = this.#fill(object, current, at);
    if (current && sameContent(current, filled)) {
      this.#puts.push(id);
      this.#operation.set(id, at);
      return;
    }
    this.#put(filled, at);
    this.#puts.push(id);
    this.#makeParent(filled, at);
    if (filled.kind === 'virtual-network') this.#keepPublicPool(filled, at);
  }

  /** An object whose references, and whose own name when there is none, are names instead of UUIDs. */
  #named(object: Stored): Stored {
    const own = object.name === '' && object.uuid !== '' ? this.#objects.byUuid(object.uuid) : undefined;
    const resolved = mapReferences(object, (kind, name) => {
      const found = UUID.test(name) && !this.#objects.get(kind, name) ? this.#objects.byUuid(name) : undefined;
      return found?.kind === kind ? found.name : name;
    });
    return own?.kind === object.kind ? { ...resolved, name: own.name } as Stored : resolved;
  }

  /** Everything is applied: now judge. */
  finish(): void {
    this.#settleIpams();
    this.#settleTargets();
    for (const { kind, name, before, after } of this.changes) {
      const id = idOf(kind, name);
      const at = this.#operation.get(id) ?? 0;
      if (after) this.#judge(after, id, at);
      else if (before) this.#judgeDeleted(kind, name, id, at);
    }
    if (this.#violations.length > 0) throw new Refusal(this.#refusal, this.#violations);
  }

  #judge(object: Stored, id: string, at: number): void {
    const report = (field: string, rule: string, description: string): void => {
      this.#violations.push({ field: this.#path(at, object.kind, field), rule, object: id, description });
    };
    for (const { field, kind, name } of referencesOf(object)) {
      if (!this.#objects.get(kind, name)) report(field, 'REFERENCE', `there is no ${kind} ${name}; create it first, or in the same transaction`);
    }
    for (const claim of claimsOf(object)) {
      const others = [...this.#objects.claimants(claim)].filter((other) => other !== id);
      if (others.length > 0) report(claim.field, 'TAKEN', `${claimText(claim)} belongs to ${others.join(', ')}`);
    }
    checkObject(report, object, this.#objects);
  }

  #judgeDeleted(kind: Kind, name: string, id: string, at: number): void {
    const network = kind === 'floating-ip-pool' && name.endsWith(`:${PUBLIC_POOL}`) ? this.#objects.get('virtual-network', parentName(name)) : undefined;
    if (network?.spec.external) {
      this.#refusal = 'in-use';
      this.#violations.push({ field: `operations[${at}].delete`, rule: 'PUBLIC_POOL', object: id, description: `belongs to ${network.name} as long as that is external; set external to false, or delete the network` });
    }
    const users = [...this.#objects.users(kind, name)].sort();
    if (users.length === 0) return;
    this.#refusal = 'in-use';
    const shown = users.slice(0, 20).join(', ');
    this.#violations.push({ field: `operations[${at}].delete`, rule: 'IN_USE', object: id, description: `is used by ${shown}${users.length > 20 ? ` and ${users.length - 20} more` : ''}; delete or change these first, or in the same transaction` });
  }

  #delete(request: wire.DeleteRequest, at: number): void {
    if (!isKind(request.kind)) throw new Refusal('invalid', [{ field: `operations[${at}].delete.kind`, rule: 'KIND', object: request.name, description: `${JSON.stringify(request.kind)} is none of ${Object.keys(KINDS).join(', ')}` }]);
    const current = request.uuid && !request.name ? this.#objects.byUuid(request.uuid) : this.#objects.get(request.kind, request.name);
    const id = idOf(request.kind, request.name || current?.name || request.uuid);
    if (current?.kind !== request.kind) return this.#refuse('not-found', at, request.name ? 'delete.name' : 'delete.uuid', 'NOT_FOUND', id, 'does not exist');
    if (request.uuid && request.uuid !== current.uuid) return this.#refuse('not-found', at, 'delete.uuid', 'NOT_FOUND', id, `has uuid ${current.uuid}, not ${request.uuid}`);
    if (request.version !== 0 && request.version !== current.version) this.#conflict(at, id, request.version, current);
    this.asked.add(id);
    this.#remove(current.kind, current.name, at);
    if (current.kind === 'virtual-network' && current.spec.external) this.#dropPublicPool(current.name, at);
  }

  #put(object: Stored, at: number): void {
    const id = idOf(object.kind, object.name);
    if (!this.#before.has(id)) this.#before.set(id, this.#objects.get(object.kind, object.name));
    this.#operation.set(id, at);
    this.#objects.put(object);
  }

  #remove(kind: Kind, name: string, at: number): void {
    const id = idOf(kind, name);
    if (!this.#before.has(id)) this.#before.set(id, this.#objects.get(kind, name));
    this.#operation.set(id, at);
    this.#objects.remove(kind, name);
  }

  // ---- what the controller fills in ----------------------------------------------------------------------------------------

  #fill(object: Stored, current: Stored | undefined, at: number): Stored {
    // They are their author's: whoever says none leaves them.
    const { name, annotations = current?.annotations } = object;
    const base = { name, uuid: current?.uuid ?? (object.uuid || this.#newUuid()), version: this.#version, ...(annotations && { annotations }) };
    switch (object.kind) {
      case 'virtual-machine-interface': {
        const kept = current?.kind === object.kind ? current.spec : undefined;
        const order = object.spec.order || (object.spec.virtualMachine === '' ? 0 : kept?.virtualMachine === object.spec.virtualMachine ? kept.order : this.#nextOrder(object.spec.virtualMachine));
        return { ...base, kind: object.kind, spec: { ...object.spec, order, mac: object.spec.mac || kept?.mac || macOf(base.uuid) } };
      }
      case 'floating-ip': {
        const kept = current?.kind === object.kind ? current.spec.address : '';
        return this.#withIpam({ ...base, kind: object.kind, spec: { ...object.spec, address: object.spec.address || kept || this.#allocateFloating(object.name, at) } });
      }
      case 'instance-ip': {
        const kept = current?.kind === object.kind && current.spec.virtualNetwork === object.spec.virtualNetwork ? current.spec.address : '';
        return this.#withIpam({ ...base, kind: object.kind, spec: { ...object.spec, address: object.spec.address || kept || this.#allocateInstance(object.spec.virtualNetwork, object.name, at) } });
      }
      case 'global-system-config':
        return { ...base, kind: object.kind, spec: { autonomousSystem: object.spec.autonomousSystem || DEFAULT_ASN } };
      case 'bgp-router': case 'access-token':
        return { ...withKeptSecrets(object, current), ...base } as Stored;
      default:
        return { ...object, ...base } as Stored;
    }
  }

  #allocateFloating(name: string, at: number): string {
    const pool = this.#objects.get('floating-ip-pool', parentName(name));
    const network = this.#objects.get('virtual-network', parentName(parentName(name)));
    if (!pool || !network) return this.#refuse('invalid', at, 'name', 'REFERENCE', idOf('floating-ip', name), `there is no floating-ip-pool ${parentName(name)}; put it before the floating IP that takes an address from it`);
    return freeAddress(this.#objects, network, poolPrefixes(pool, network, this.#objects))
      ?? this.#refuse('invalid', at, 'floating_ip.address', 'POOL_EXHAUSTED', idOf('floating-ip', name), `pool ${pool.name} has no free address; free one, or add a subnet`);
  }

  #allocateInstance(networkName: string, name: string, at: number): string {
    const network = this.#objects.get('virtual-network', networkName);
    if (!network) return this.#refuse('invalid', at, 'instance_ip.virtual_network', 'REFERENCE', idOf('instance-ip', name), `there is no virtual-network ${networkName}; put it before what takes an address from it`);
    return freeAddress(this.#objects, network, subnetsOf(network, this.#objects).map(({ prefix }) => prefix))
      ?? this.#refuse('invalid', at, 'instance_ip.address', 'POOL_EXHAUSTED', idOf('instance-ip', name), `${network.name} has no free address; free one, or add a subnet`);
  }

  /** Place of the next interface of a virtual machine. */
  #nextOrder(machine: string): number {
    const orders = [...this.#objects.users('virtual-machine', machine)].map((id) => {
      const [kind, name] = splitId(id);
      return kind === 'virtual-machine-interface' ? this.#objects.get(kind, name)!.spec.order : 0;
    });
    return Math.max(0, ...orders) + 1;
  }

  // ---- what makes itself, and goes by itself -------------------------------------------------------------------------------

  /** The default domain and the system are there as soon as something belongs to them. */
  #makeParent(object: Stored, at: number): void {
    const parent = parentKind(object.kind, object.name);
    const base = { uuid: this.#newUuid(), version: this.#version };
    if (parent === 'domain' && parentName(object.name) === DOMAIN && !this.#objects.get('domain', DOMAIN)) this.#put({ ...base, kind: 'domain', name: DOMAIN, spec: {} }, at);
    if (parent === 'global-system-config' && !this.#objects.get('global-system-config', SYSTEM)) this.#put({ ...base, kind: 'global-system-config', name: SYSTEM, spec: { autonomousSystem: DEFAULT_ASN } }, at);
  }

  /** A route target is an object from the first object that names it to the last. */
  #settleTargets(): void {
    const named = new Map<string, number>();
    for (const { kind, name, before, after } of this.changes) {
      for (const object of [before, after]) {
        if (!object) continue;
        for (const reference of referencesOf(object)) if (reference.kind === 'route-target') named.set(reference.name, this.#operation.get(idOf(kind, name)) ?? 0);
      }
    }
    for (const [name, at] of named) {
      const [known, used] = [this.#objects.get('route-target', name), this.#objects.isUsed('route-target', name)];
      if (used && !known && isTarget(name)) this.#put({ kind: 'route-target', name, uuid: this.#newUuid(), version: this.#version, spec: {} }, at);
      if (!used && known) this.#remove('route-target', name, at);
    }
  }

  /** IPAM and network may have come after the address. */
  #settleIpams(): void {
    for (const { after } of this.changes) {
      if (after?.kind !== 'instance-ip' && after?.kind !== 'floating-ip') continue;
      const settled = this.#withIpam(after);
      if (settled !== after) this.#put(settled, this.#operation.get(idOf(after.kind, after.name)) ?? 0);
    }
  }

  #withIpam(object: Stored<'instance-ip'> | Stored<'floating-ip'>): Stored {
    const network = object.kind === 'instance-ip' ? object.spec.virtualNetwork : parentName(parentName(object.name));
    const networkIpam = ipamOf(this.#objects, this.#objects.get('virtual-network', network), parseAddress(object.spec.address));
    return networkIpam === object.spec.networkIpam ? object : { ...object, spec: { ...object.spec, networkIpam } } as Stored;
  }

  #keepPublicPool(network: Stored<'virtual-network'>, at: number): void {
    const name = `${network.name}:${PUBLIC_POOL}`;
    const pool = this.#objects.get('floating-ip-pool', name);
    if (network.spec.external && !pool) {
      this.#put({ kind: 'floating-ip-pool', name, uuid: this.#newUuid(), version: this.#version, spec: { subnets: [], projects: [] } }, at);
    }
    const before = this.#before.get(idOf('virtual-network', network.name));
    if (!network.spec.external && before?.kind === 'virtual-network' && before.spec.external) this.#dropPublicPool(network.name, at);
  }

  #dropPublicPool(network: string, at: number): void {
    const name = `${network}:${PUBLIC_POOL}`;
    if (this.#objects.get('floating-ip-pool', name) && !this.#objects.isUsed('floating-ip-pool', name)) this.#remove('floating-ip-pool', name, at);
  }

  // ---- refusals ------------------------------------------------------------------------------------------------------------

  #path(at: number, kind: Kind, field: string): string {
    return field === 'name' || field === 'annotations' ? `operations[${at}].${field}` : `operations[${at}].${KINDS[kind].path}${field ? `.${field}` : ''}`;
  }

  #refuse(kind: RefusalKind, at: number, field: string, rule: string, object: string, description: string): never {
    throw new Refusal(kind, [{ field: `operations[${at}].${field}`, rule, object, description }]);
  }

  #conflict(at: number, id: string, expected: number, current: Stored | undefined): never {
    return this.#refuse('conflict', at, 'version', 'VERSION', id, current
      ? `is at version ${current.version}, not ${expected}: somebody changed it; read it again and repeat the change`
      : `does not exist any more (expected version ${expected})`);
  }
}

/** A locally administered address out of the UUID, as Contrail does: stable for the interface's life. */
function macOf(uuid: string): string {
  const hash = createHash('sha256').update(uuid).digest();
  return ['02', ...[...hash.subarray(0, 5)].map((byte) => byte.toString(16).padStart(2, '0'))].join(':');
}

function sameContent(one: Stored, other: Stored): boolean {
  return JSON.stringify(one.spec, bytes) === JSON.stringify(other.spec, bytes) && JSON.stringify(one.annotations) === JSON.stringify(other.annotations);
}

/** Buffers compare by digest: a table of a million routes is not turned into text. */
function bytes(this: Record<string, unknown>, key: string, value: unknown): unknown {
  const raw = this[key];
  return Buffer.isBuffer(raw) ? createHash('sha256').update(raw).digest('base64') : value;
}
