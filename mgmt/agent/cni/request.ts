/**
 * What a runtime asks for, out of the plugin's environment and its standard input (CNI 1.1, section 2), checked here and typed from
 * here on. The plugin passes both on as they are: `NAME=value` with a zero byte behind each, one more zero byte, the input.
 */
import { CniError, CODE } from './errors.ts';
import { isAtLeast, isVersion, NEWEST, VERSIONS, type Version } from './versions.ts';

export type Command = 'ADD' | 'DEL' | 'CHECK' | 'STATUS' | 'GC' | 'VERSION';

/** Of a network, from its configuration. */
export interface Configuration {
  readonly version: Version;
  /** Of the network. */
  readonly name: string;
  /** Interface that bears the default route, 'none' = none; undefined: the pod's first one. */
  readonly defaultRoute: string | undefined;
  /** How long ADD waits for what it needs. */
  readonly timeoutMs: number;
  /** For the result, as it was given. */
  readonly dns: object;
  /** Of the plugins before, or of ADD; as it was given. */
  readonly previous: Previous | undefined;
}

export interface PreviousInterface { readonly name: string; readonly mac: string; readonly sandbox: string }
/** A result: of it we read the interfaces and routes, and pass all of it on. */
export interface Previous {
  readonly whole: Readonly<Record<string, unknown>>;
  readonly interfaces: readonly PreviousInterface[];
  readonly routes: readonly string[];
}

/** An attachment of a container to the network. */
export interface AttachmentKey { readonly containerId: string; readonly ifname: string }

export interface PodName {
  readonly namespace: string;
  readonly name: string;
  /** Empty: the runtime does not say. */
  readonly uid: string;
}

export type Request =
  | { readonly command: 'VERSION'; readonly asked: string }
  | { readonly command: 'STATUS'; readonly configuration: Configuration }
  | { readonly command: 'GC'; readonly configuration: Configuration; readonly valid: readonly AttachmentKey[] }
  | { readonly command: 'DEL'; readonly configuration: Configuration; readonly key: AttachmentKey }
  | { readonly command: 'ADD' | 'CHECK'; readonly configuration: Configuration; readonly key: AttachmentKey; readonly netns: string; readonly pod: PodName };

const IDENTIFIER = /^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,199}$/;
const IFNAME_BYTES = 15;
const DEFAULT_TIMEOUT_S = 30;
const MAX_TIMEOUT_S = 600;

/** The environment and the input. @throws CniError */
export function splitRequest(bytes: Buffer): { environment: ReadonlyMap<string, string>; input: string } {
  const end = bytes[0] === 0 ? 0 : bytes.indexOf('\0\0');
  if (end === -1) throw new CniError(CODE.io, 'the plugin sent half a request');
  const environment = new Map<string, string>();
  for (const variable of end === 0 ? [] : bytes.toString('utf8', 0, end).split('\0')) {
    const equals = variable.indexOf('=');
    if (equals > 0) environment.set(variable.slice(0, equals), variable.slice(equals + 1));
  }
  return { environment, input: bytes.toString('utf8', end === 0 ? 1 : end + 2) };
}

/** @throws CniError that says what is wrong and what would be right */
export function parseRequest(environment: ReadonlyMap<string, string>, input: string): Request {
  const command = commandOf(environment);
  const json = parseJson(input, command);
  if (command === 'VERSION') return { command, asked: textOf(json, 'cniVersion') || NEWEST };
  const configuration = configurationOf(json, command);
  switch (command) {
    case 'STATUS': return { command, configuration };
    case 'GC': return { command, configuration, valid: validAttachments(json) };
    case 'DEL': return { command, configuration, key: keyOf(environment) };
    default: {
      const key = keyOf(environment);
      const netns = required(environment, 'CNI_NETNS');
      if (!netns.startsWith('/')) throw invalid('CNI_NETNS', netns, 'the absolute path of a network namespace, such as /run/netns/pod');
      return { command, configuration, key, netns, pod: podOf(environment) };
    }
  }
}

function commandOf(environment: ReadonlyMap<string, string>): Command {
  const command = required(environment, 'CNI_COMMAND');
  if (!['ADD', 'DEL', 'CHECK', 'STATUS', 'GC', 'VERSION'].includes(command)) throw invalid('CNI_COMMAND', command, 'ADD, DEL, CHECK, STATUS, GC or VERSION');
  return command as Command;
}

function keyOf(environment: ReadonlyMap<string, string>): AttachmentKey {
  const containerId = required(environment, 'CNI_CONTAINERID');
  if (!IDENTIFIER.test(containerId)) throw invalid('CNI_CONTAINERID', containerId, 'letters, digits, ".", "_" and "-", beginning with a letter or digit, at most 200');
  const ifname = required(environment, 'CNI_IFNAME');
  if (!isDeviceName(ifname)) throw invalid('CNI_IFNAME', ifname, `the name of a device: at most ${IFNAME_BYTES} bytes without "/", ":" and blanks`);
  return { containerId, ifname };
}

/** What Linux takes (dev_valid_name). */
function isDeviceName(name: string): boolean {
  return name !== '' && name !== '.' && name !== '..' && Buffer.byteLength(name) <= IFNAME_BYTES && !/[/:\s]/.test(name);
}

/** Kubernetes' arguments, as every runtime passes them on: K8S_POD_NAMESPACE=…;K8S_POD_NAME=…;K8S_POD_UID=… */
function podOf(environment: ReadonlyMap<string, string>): PodName {
  const text = environment.get('CNI_ARGS') ?? '';
  const args = new Map(text.split(';').map((pair) => [pair.slice(0, pair.indexOf('=')), pair.slice(pair.indexOf('=') + 1)]));
  const [namespace, name, uid] = [args.get('K8S_POD_NAMESPACE') ?? '', args.get('K8S_POD_NAME') ?? '', args.get('K8S_POD_UID') ?? ''];
  if (namespace === '' || name === '') throw invalid('CNI_ARGS', text, 'K8S_POD_NAMESPACE=…;K8S_POD_NAME=…;K8S_POD_UID=…: whose interfaces are wanted');
  return { namespace, name, uid };
}

function configurationOf(json: Readonly<Record<string, unknown>>, command: Command): Configuration {
  const version = textOf(json, 'cniVersion') || '0.1.0';
  if (!isVersion(version)) throw new CniError(CODE.incompatibleVersion, `incompatible CNI version ${version}`, `supported are ${VERSIONS.join(', ')}`);
  const since: Version = command === 'CHECK' ? '0.4.0' : command === 'GC' || command === 'STATUS' ? '1.1.0' : '0.3.0';
  if (!isAtLeast(version, since)) throw new CniError(CODE.incompatibleVersion, `CNI ${version} has no ${command}`, `set cniVersion to ${since} or later`);
  const name = textOf(json, 'name');
  if (!IDENTIFIER.test(name)) throw new CniError(CODE.invalidConfiguration, 'invalid network configuration', `name: ${JSON.stringify(name)} is not a network's name: letters, digits, ".", "_" and "-", beginning with a letter or digit`);
  const ipam = objectOf(json, 'ipam');
  if (ipam !== undefined && textOf(ipam, 'type') !== '') throw new CniError(CODE.unsupportedField, `unsupported field ipam.type = ${JSON.stringify(ipam['type'])}`, 'addresses come from the controller: leave ipam out');
  const defaultRoute = textOf(json, 'defaultRoute');
  if (defaultRoute !== '' && !isDeviceName(defaultRoute)) throw new CniError(CODE.invalidConfiguration, 'invalid network configuration', `defaultRoute: ${JSON.stringify(defaultRoute)} is neither the name of an interface in the pod nor "none"`);
  const previous = previousOf(json);
  if (command === 'CHECK' && previous === undefined) throw new CniError(CODE.invalidConfiguration, 'invalid network configuration', 'prevResult: CHECK needs the result of ADD');
  return { version, name, defaultRoute: defaultRoute === '' ? undefined : defaultRoute, timeoutMs: timeoutOf(json) * 1000, dns: objectOf(json, 'dns') ?? {}, previous };
}

function timeoutOf(json: Readonly<Record<string, unknown>>): number {
  const seconds = json['timeout'] ?? DEFAULT_TIMEOUT_S;
  if (typeof seconds !== 'number' || !(seconds >= 1 && seconds <= MAX_TIMEOUT_S)) throw new CniError(CODE.invalidConfiguration, 'invalid network configuration', `timeout: ${JSON.stringify(seconds)} is not a number of seconds from 1 to ${MAX_TIMEOUT_S}`);
  return seconds;
}

function previousOf(json: Readonly<Record<string, unknown>>): Previous | undefined {
  const whole = objectOf(json, 'prevResult');
  if (whole === undefined) return undefined;
  const interfaces = listOf(whole, 'interfaces').map((each) => ({ name: textOf(each, 'name'), mac: textOf(each, 'mac'), sandbox: textOf(each, 'sandbox') }));
  return { whole, interfaces, routes: listOf(whole, 'routes').map((each) => textOf(each, 'dst')) };
}

/** Earlier programs said it under another key. */
function validAttachments(json: Readonly<Record<string, unknown>>): AttachmentKey[] {
  const field = 'cni.dev/valid-attachments' in json ? 'cni.dev/valid-attachments' : 'cni.dev/attachments';
  if (!(field in json)) throw new CniError(CODE.invalidConfiguration, 'invalid network configuration', 'cni.dev/valid-attachments: GC needs the attachments that are to stay, an empty list where none is');
  return listOf(json, field).map((each) => ({ containerId: textOf(each, 'containerID'), ifname: textOf(each, 'ifname') }));
}

// ---- JSON ------------------------------------------------------------------------------------------------------------------
function parseJson(input: string, command: Command): Readonly<Record<string, unknown>> {
  if (command === 'VERSION' && input.trim() === '') return {};
  let value: unknown;
  try {
    value = JSON.parse(input);
  } catch (error) {
    throw new CniError(CODE.decode, 'the network configuration is no JSON', (error as Error).message);
  }
  if (!isObject(value)) throw new CniError(CODE.decode, 'the network configuration is no JSON object');
  return value;
}

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> => typeof value === 'object' && value !== null && !Array.isArray(value);

function textOf(json: Readonly<Record<string, unknown>>, field: string): string {
  const value = json[field] ?? '';
  if (typeof value !== 'string') throw wrongType(field, value, 'a string');
  return value;
}

function objectOf(json: Readonly<Record<string, unknown>>, field: string): Readonly<Record<string, unknown>> | undefined {
  const value = json[field];
  if (value === undefined || value === null) return undefined;
  if (!isObject(value)) throw wrongType(field, value, 'an object');
  return value;
}

function listOf(json: Readonly<Record<string, unknown>>, field: string): Readonly<Record<string, unknown>>[] {
  const value = json[field] ?? [];
  if (!Array.isArray(value) || !value.every(isObject)) throw wrongType(field, value, 'a list of objects');
  return value;
}

const wrongType = (field: string, value: unknown, right: string): CniError => new CniError(CODE.decode, 'the network configuration cannot be decoded', `${field}: ${JSON.stringify(value)} is not ${right}`);

// ---- environment -----------------------------------------------------------------------------------------------------------
function required(environment: ReadonlyMap<string, string>, name: string): string {
  const value = environment.get(name) ?? '';
  if (value === '') throw new CniError(CODE.invalidEnvironment, `${name} is missing`, 'the container runtime sets it');
  return value;
}

const invalid = (name: string, value: string, right: string): CniError => new CniError(CODE.invalidEnvironment, `${name} is invalid`, `${name}=${JSON.stringify(value)} is not ${right}`);
