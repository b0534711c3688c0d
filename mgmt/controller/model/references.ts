/**
 * Where objects name other objects: the one table of it. Out of it come the references that are checked and indexed, and the way
 * that a UUID in the place of a name becomes that name.
 */
import { parentKind, parentName, type Kind, type Stored } from './kinds.ts';

/** `field` is a path within the spec as it is written in proto/config.proto; "name" stands for the parent in the object's own name. */
export interface ObjectReference { readonly field: string; readonly kind: Kind; readonly name: string }

const TARGETS = { routeTargets: 'route-target', importRouteTargets: 'route-target', exportRouteTargets: 'route-target' } as const;

/** Fields of each kind's spec: a kind for a name (or a list of names), a table for a message (or a list of messages). */
interface Fields { readonly [field: string]: Kind | Fields }
/** The same with each field as it is written in proto/config.proto. */
type Rows = readonly { readonly field: string; readonly path: string; readonly what: Kind | Rows }[];
const REFERENCES: { readonly [K in Kind]?: Fields } = {
  'virtual-network': { ...TARGETS, networkIpams: 'network-ipam', projects: 'project', networkPolicies: 'network-policy', staticRoutes: { virtualMachineInterface: 'virtual-machine-interface' } },
  'floating-ip-pool': { projects: 'project' },
  'floating-ip': { virtualMachineInterfaces: 'virtual-machine-interface', networkIpam: 'network-ipam' },
  'virtual-machine': { project: 'project' },
  'virtual-machine-interface': { virtualNetwork: 'virtual-network', virtualRouter: 'virtual-router', virtualMachine: 'virtual-machine' },
  'instance-ip': { virtualNetwork: 'virtual-network', virtualMachineInterfaces: 'virtual-machine-interface', networkIpam: 'network-ipam' },
  'virtual-router': { routingInstances: { ...TARGETS, virtualNetworks: 'virtual-network' } },
  'route-table': {
    virtualNetwork: 'virtual-network', virtualRouter: 'virtual-router',
    nextHops: { virtualMachineInterface: 'virtual-machine-interface', gateways: { virtualRouter: 'virtual-router' } },
  },
  'network-policy': { rules: { source: 'virtual-network', destination: 'virtual-network' } },
  'access-token': { projects: 'project' },
  'bgp-router': { peers: 'bgp-router' },
};
/** What stands in the place of a network's name and is none. */
export const LOCAL = 'local';

const snake = (text: string): string => text.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);

const rowsOf = (fields: Fields): Rows => Object.entries(fields).map(([field, what]) => ({ field, path: snake(field), what: typeof what === 'string' ? what : rowsOf(what) }));
const ROWS = new Map(Object.entries(REFERENCES).map(([kind, fields]) => [kind as Kind, rowsOf(fields)]));

/** Every object that must exist for this one to make sense. The same one may come twice. */
export function referencesOf(object: Stored): ObjectReference[] {
  const references: ObjectReference[] = [];
  const parent = parentKind(object.kind, object.name);
  if (parent) references.push({ field: 'name', kind: parent, name: parentName(object.name) });
  const rows = ROWS.get(object.kind);
  if (rows) collect(object.spec, rows, '', references);
  return references;
}

function collect(spec: object, rows: Rows, prefix: string, into: ObjectReference[]): void {
  for (const { field, path, what } of rows) {
    const value = (spec as Record<string, unknown>)[field];
    const one = (each: unknown, at: string): void => {
      if (typeof what !== 'string') collect(each as object, what, `${at}.`, into);
      else if (each !== '' && !(each === LOCAL && what === 'virtual-network')) into.push({ field: at, kind: what, name: each as string });
    };
    const at = prefix + path;
    if (Array.isArray(value)) value.forEach((each, index) => one(each, `${at}[${index}]`));
    else if (value !== null && value !== undefined) one(value, at);
  }
}

/** The same without where in the object: indexes ask for it by the million. */
export function eachReference(object: Stored, visit: (kind: Kind, name: string) => void): void {
  const parent = parentKind(object.kind, object.name);
  if (parent) visit(parent, parentName(object.name));
  const rows = ROWS.get(object.kind);
  if (rows) visitIn(object.spec, rows, visit);
}

function visitIn(spec: object, rows: Rows, visit: (kind: Kind, name: string) => void): void {
  for (const { field, what } of rows) {
    const value = (spec as Record<string, unknown>)[field];
    if (Array.isArray(value)) for (const each of value) visitOne(each, what, visit);
    else if (value !== null && value !== undefined) visitOne(value, what, visit);
  }
}

function visitOne(value: unknown, what: Kind | Rows, visit: (kind: Kind, name: string) => void): void {
  if (typeof what !== 'string') visitIn(value as object, what, visit);
  else if (value !== '' && !(value === LOCAL && what === 'virtual-network')) visit(what, value as string);
}

/** Has an object that nobody else has seen yet use the strings that `share` gives for its names and those of its references. */
export function shareNames(object: Stored, share: (name: string) => string): void {
  (object as { name: string }).name = share(object.name);
  const rows = ROWS.get(object.kind);
  if (rows) shareIn(object.spec, rows, share);
}

function shareIn(spec: object, rows: Rows, share: (name: string) => string): void {
  for (const { field, what } of rows) {
    const value = (spec as Record<string, unknown>)[field];
    const one = (each: unknown): unknown => {
      if (typeof what === 'string') return share(each as string);
      shareIn(each as object, what, share);
      return each;
    };
    if (Array.isArray(value)) value.forEach((each, at) => { value[at] = one(each); });
    else if (value !== null && value !== undefined) (spec as Record<string, unknown>)[field] = one(value);
  }
}

/** The object with every reference renamed; itself when none changes. */
export function mapReferences(object: Stored, rename: (kind: Kind, name: string) => string): Stored {
  const fields = REFERENCES[object.kind];
  const spec = fields ? renamed(object.spec, fields, rename) : object.spec;
  return spec === object.spec ? object : { ...object, spec } as Stored;
}

function renamed(spec: object, fields: Fields, rename: (kind: Kind, name: string) => string): object {
  let result = spec;
  for (const field in fields) {
    const what = fields[field]!;
    const value = (spec as Record<string, unknown>)[field];
    const one = (each: unknown): unknown => (typeof what !== 'string' ? renamed(each as object, what, rename) : each === '' ? each : rename(what, each as string));
    let after = value;
    if (Array.isArray(value)) {
      const list = value.map(one);
      if (list.some((each, at) => each !== value[at])) after = list;
    } else if (value !== null && value !== undefined) {
      after = one(value);
    }
    if (after !== value) result = { ...result, [field]: after };
  }
  return result;
}
