/**
 * Objects of the configuration API as documents, YAML or JSON, one after another:
 *
 *   kind: virtual-network
 *   name: default-domain:k8s-ns-user-1:k8s-vn-ns-default-pod-network
 *   spec:
 *     subnets: [{prefix: 101.101.101.0/24}]
 *     route_targets: [target:64512:101]
 *
 * Annotations may stand beside the name. Keys of a spec are the fields of proto/config.proto, in snake_case (camelCase is taken too).
 */
import { fileURLToPath } from 'node:url';
import protobuf from 'protobufjs';
import { parseAllDocuments, stringify } from 'yaml';
import { Config, type CommitRequest, type Object as ConfigObject } from '../../proto/config.ts';
import { definitionOf, type Draft } from '../../proto/load.ts';
import { UsageError } from './output.ts';

type Plain = Record<string, unknown>;

const isPlain = (value: unknown): value is Plain => typeof value === 'object' && value !== null && !Array.isArray(value) && !Buffer.isBuffer(value);
const camel = (text: string): string => text.replace(/[-_]([a-z0-9])/g, (_whole, letter: string) => letter.toUpperCase());
const snake = (text: string): string => text.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
/** "floatingIpPool" → "floating-ip-pool". */
export const kindOf = (field: string): string => snake(field).replaceAll('_', '-');

/** Every key of a document in camelCase, at every depth. */
function camelKeys(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(camelKeys);
  return isPlain(value) ? Object.fromEntries(Object.entries(value).map(([key, each]) => [camel(key), camelKeys(each)])) : value;
}

/** The objects of a file's text; a mistake is told with the document's number and the key's path. */
export function parseObjects(text: string, file: string): Draft<ConfigObject>[] {
  const documents = parseAllDocuments(text);
  const objects = ('empty' in documents ? [] : documents).flatMap((document, at) => {
    const where = `${file}, document ${at + 1}`;
    if (document.errors[0]) throw new UsageError(`${where}: ${document.errors[0].message}`);
    const value: unknown = document.toJS();
    if (value === null) return []; // between two lines of ---
    return (Array.isArray(value) ? value : [value]).map((each) => objectOf(each, where));
  });
  if (objects.length === 0) throw new UsageError(`${file} has no objects`);
  return objects;
}

function objectOf(value: unknown, where: string): Draft<ConfigObject> {
  if (!isPlain(value)) throw new UsageError(`${where}: an object has kind, name and spec`);
  const { kind, name, spec = {}, annotations = {}, uuid: _uuid, version = 0, ...others } = value;
  const [unknown] = Object.keys(others);
  if (unknown !== undefined) throw new UsageError(`${where}: unknown "${unknown}"; an object has kind, name, spec and perhaps annotations and version`);
  if (typeof kind !== 'string') throw new UsageError(`${where}: "kind" is missing, such as virtual-network`);
  if (typeof name !== 'string') throw new UsageError(`${where}: "name" is missing: the fully qualified name of the ${kind}`);
  if (spec !== null && !isPlain(spec)) throw new UsageError(`${where}: "spec" must be a map`);
  if (!isPlain(annotations) || !Object.values(annotations).every((each) => typeof each === 'string')) throw new UsageError(`${where}: "annotations" must be a map of texts`);
  const field = camel(kind);
  const packed = field === 'routeTable' ? packRoutes(camelKeys(spec ?? {}) as Plain, where) : camelKeys(spec ?? {});
  const draft = { name, version, annotations, [field]: packed } as Draft<ConfigObject>;
  understood(draft, field, where);
  return draft;
}

/** Protobuf drops what it does not know without a word; here that is a mistake with a name. */
function understood(draft: Draft<ConfigObject>, field: string, where: string): void {
  const { requestSerialize, requestDeserialize } = definitionOf(Config)['commit']!;
  let read: Plain;
  try {
    const request = requestDeserialize(requestSerialize({ operations: [{ put: draft }] })) as CommitRequest;
    read = request.operations[0]!.put as unknown as Plain;
  } catch (error) {
    throw new UsageError(`${where}: ${(error as Error).message}`);
  }
  if (!isPlain(read[field])) throw new UsageError(`${where}: unknown kind "${kindOf(field)}"`);
  compare((draft as Plain)[field], read[field], 'spec', where);
}

function compare(asked: unknown, read: unknown, path: string, where: string): void {
  if (Array.isArray(asked)) {
    if (!Array.isArray(read)) throw new UsageError(`${where}: ${path} is not a list`);
    asked.forEach((each, at) => compare(each, read[at], `${path}[${at}]`, where));
  } else if (isPlain(asked)) {
    if (!isPlain(read)) throw new UsageError(`${where}: ${path} is not a map`);
    for (const [key, each] of Object.entries(asked)) {
      if (!(key in read)) throw new UsageError(`${where}: unknown ${path}.${snake(key)}; known are ${Object.keys(read).map(snake).join(', ')}`);
      compare(each, read[key], `${path}.${snake(key)}`, where);
    }
  } else if (!Buffer.isBuffer(asked) && asked !== read && asked !== null) {
    throw new UsageError(`${where}: ${path} cannot be ${JSON.stringify(asked)}${typeof read === 'string' && read === read.toUpperCase() && read !== '' ? `; ${read} would be one` : `: a ${Array.isArray(read) ? 'list' : typeof read} belongs there`}`);
  }
}

/** A route table's prefixes are packed on the wire, five bytes each and ascending; in a document they are a list of texts. */
function packRoutes(spec: Plain, where: string): Plain {
  const { prefixes, nextHopIndex = [], ...rest } = spec;
  if (!Array.isArray(prefixes) || !Array.isArray(nextHopIndex)) throw new UsageError(`${where}: spec.prefixes (and spec.next_hop_index) must be lists`);
  const routes = prefixes.map((text, at) => {
    const [, a, b, c, d, length] = /^(\d+)\.(\d+)\.(\d+)\.(\d+)\/(\d+)$/.exec(String(text)) ?? [];
    const bytes = [a, b, c, d, length].map(Number);
    if (bytes.some((byte) => !(byte <= 255)) || bytes[4]! > 32) throw new UsageError(`${where}: spec.prefixes[${at}] "${text}" is not a prefix such as 10.0.0.0/8`);
    return { bytes: Buffer.from(bytes), index: Number(nextHopIndex[at] ?? 0) };
  }).sort((one, other) => Buffer.compare(one.bytes, other.bytes));
  return { ...rest, prefixes: Buffer.concat(routes.map(({ bytes }) => bytes)), nextHopIndex: nextHopIndex.length ? Buffer.from(routes.map(({ index }) => index)) : Buffer.alloc(0) };
}

/** An object as a document; fields that have their default are left out. */
export function toDocument(object: ConfigObject): Plain {
  const field = object.spec;
  const type = field && objectType.fields[field]?.resolvedType;
  const spec = field ? (object[field] as unknown as Plain) : {};
  const { prefixes, nextHopIndex, ...rest } = spec;
  const shown = type instanceof protobuf.Type ? withoutDefaults(Buffer.isBuffer(prefixes) ? rest : spec, type) : {};
  if (Buffer.isBuffer(prefixes)) {
    shown['prefixes'] = Array.from({ length: prefixes.length / 5 }, (_, at) => `${prefixes.subarray(5 * at, 5 * at + 4).join('.')}/${prefixes[5 * at + 4]}`);
    if (Buffer.isBuffer(nextHopIndex) && nextHopIndex.length > 0) shown['next_hop_index'] = [...nextHopIndex];
  }
  const { name, uuid, version, annotations } = object;
  return { kind: kindOf(field ?? 'unknown'), name, uuid, version, ...(Object.keys(annotations).length > 0 ? { annotations } : {}), spec: shown };
}

const root = new protobuf.Root().loadSync(fileURLToPath(new URL('../../proto/config.proto', import.meta.url)));
root.resolveAll();
const objectType = root.lookupType('wrouter.config.v1.Object');
/** Every kind, as people write it. */
export const KINDS: readonly string[] = objectType.oneofs['spec']!.oneof.map(kindOf);

function withoutDefaults(message: Plain, type: protobuf.Type): Plain {
  const kept: [string, unknown][] = [];
  for (const field of type.fieldsArray) {
    const value = message[field.name];
    const { resolvedType } = field;
    const inner = (each: unknown): unknown => (resolvedType instanceof protobuf.Type && isPlain(each) ? withoutDefaults(each, resolvedType) : each);
    if (Array.isArray(value)) {
      if (value.length > 0) kept.push([snake(field.name), value.map(inner)]);
    } else if (value !== null && value !== undefined && value !== (resolvedType instanceof protobuf.Enum ? resolvedType.valuesById[0] : field.typeDefault)) {
      kept.push([snake(field.name), inner(value)]);
    }
  }
  return Object.fromEntries(kept);
}

export const toYaml = (objects: readonly ConfigObject[]): string => objects.map((object) => stringify(toDocument(object))).join('---\n').trimEnd();
