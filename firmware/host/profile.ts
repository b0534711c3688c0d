/** Hardware profiles: read, checked against hw-profiles/profile.schema.json, and against what no schema can say. */
import { readFileSync } from 'node:fs';
import { Ajv2020, type ErrorObject } from 'ajv/dist/2020.js';

export type DriverName = 'af_xdp' | 'af_packet' | 'tap' | 'socket' | 'memory' | 'generator';

export interface PortSettings {
  readonly driver: DriverName;
  readonly queues: number;
  readonly ring: { readonly receive: number; readonly transmit: number };
  /** Greatest IPv4 packet, bytes. */
  readonly mtu: number;
}

export interface ProfilePort extends PortSettings {
  readonly name: string;
  readonly device: string;
}

/** See the schema for ranges and meaning. */
export interface Profile {
  readonly name: string;
  readonly kind: 'gateway' | 'compute';
  readonly description: string;
  readonly lcores: number;
  readonly cores?: readonly number[];
  readonly poll: 'adaptive' | 'busy';
  readonly ports: readonly ProfilePort[];
  readonly workloadPorts: PortSettings;
  readonly tables: {
    readonly frames: number;
    readonly floatingIpBuckets: number;
    readonly nexthops: number;
    readonly vrfs: number;
    readonly interfaces: number;
  };
  readonly icmpErrors: { readonly perSecond: number; readonly burst: number };
  readonly offloads: readonly ('rss' | 'zero-copy')[];
  readonly image: { readonly target: string; readonly architecture: string };
}

/** A profile that was refused: one line per fault, each with the place (JSON pointer), the rule, and what would be right. */
export class ProfileError extends Error {
  readonly faults: readonly string[];

  constructor(file: string, faults: readonly string[]) {
    super(`hardware profile ${file} is refused:\n${faults.map((fault) => `  ${fault}`).join('\n')}`);
    this.name = 'ProfileError';
    this.faults = faults;
  }
}

const SCHEMA_FILE = new URL('../../hw-profiles/profile.schema.json', import.meta.url);

/** Reads a profile. @throws ProfileError */
export function loadProfile(file: string): Profile {
  let value: unknown;
  try {
    value = JSON.parse(readFileSync(file, 'utf8'));
  } catch (error) {
    throw new ProfileError(file, [`(whole file): ${(error as Error).message}`]);
  }
  return checkProfile(value, file);
}

/** Checks a parsed profile. @throws ProfileError with every fault */
export function checkProfile(value: unknown, file: string): Profile {
  const ajv = new Ajv2020({ allErrors: true, verbose: true, strictTypes: false });
  const validate = ajv.compile<Profile>(JSON.parse(readFileSync(SCHEMA_FILE, 'utf8')) as object);
  if (!validate(value)) throw new ProfileError(file, [...new Set((validate.errors ?? []).map(explain))]);
  const faults = inconsistencies(value);
  if (faults.length > 0) throw new ProfileError(file, faults);
  return value;
}

/** One fault in words: where, what is there, which rule, what would be right. */
function explain(error: ErrorObject): string {
  const place = error.instancePath === '' ? '/' : error.instancePath;
  const found = JSON.stringify(error.data) ?? 'nothing';
  const parameters = error.params as Record<string, unknown>;
  switch (error.keyword) {
    case 'required':
      return `${place}: required: "${String(parameters['missingProperty'])}" is missing; add it`;
    case 'additionalProperties': {
      const known = Object.keys((error.parentSchema as { properties?: object } | undefined)?.properties ?? {});
      return `${place}: additionalProperties: "${String(parameters['additionalProperty'])}" is unknown; known are ${known.join(', ')}`;
    }
    case 'enum':
      return `${place}: enum: ${found} is not one of ${(parameters['allowedValues'] as unknown[]).join(', ')}`;
    case 'minimum':
    case 'maximum':
      return `${place}: ${error.keyword}: ${found} must be ${String(parameters['comparison'])} ${String(parameters['limit'])}`;
    case 'multipleOf':
      return `${place}: multipleOf: ${found} must be a multiple of ${String(parameters['multipleOf'])}`;
    default:
      return `${place}: ${error.keyword}: ${found} ${error.message ?? 'is wrong'}`;
  }
}

/** Rules between values. */
function inconsistencies(profile: Profile): string[] {
  const faults: string[] = [];
  const names = new Map<string, number>();
  for (const [i, port] of profile.ports.entries()) {
    const first = names.get(port.name);
    if (first !== undefined) faults.push(`/ports/${i}/name: unique: "${port.name}" is the name of /ports/${first} already; choose another`);
    names.set(port.name, i);
    if (port.driver !== 'af_xdp' && port.queues !== 1) faults.push(`/ports/${i}/queues: ${port.driver} has one queue; 1 would be right, not ${port.queues}`);
  }
  for (const [i, port] of profile.ports.entries()) {
    if (port.driver === 'memory' && !names.has(port.device)) {
      faults.push(`/ports/${i}/device: memory: joined with "${port.device}", which is no port here; name one of ${[...names.keys()].join(', ')}`);
    }
  }
  if (profile.cores !== undefined && profile.cores.length !== profile.lcores) {
    faults.push(`/cores: one processor per lcore: ${profile.cores.length} are listed for ${profile.lcores} lcores`);
  }
  const needed = framesNeeded(profile);
  if (needed > profile.tables.frames) {
    faults.push(`/tables/frames: the ports' rings hold up to ${needed} frames, but there are ${profile.tables.frames}; ${Math.ceil(needed / 2048) * 2048} or more would be right`);
  }
  return faults;
}

/** Frames that the profile's own ports can keep in fill and transmit rings, and what lcores keep at hand. */
function framesNeeded(profile: Profile): number {
  const rings = profile.ports.reduce((sum, port) => sum + port.queues * (2 * port.ring.receive + port.ring.transmit), 0);
  return rings + profile.lcores * 1024;
}
