/**
 * Recorded sync streams: one JSON object a line, in the order of events, told from between the two ends.
 *
 *   {"do": …}          what happens to one of the ends: connect, disconnect, commit, restart, store, resync
 *   {"appliance": …}   a message of the appliance     {"controller": …}  a message of the controller
 *   {"refused": …}     the stream ends with this status
 *
 * What differs from run to run is written by a stand-in: the controller's state_id is STATE, the appliance's name NAME. Records are
 * one hex string each under the name of their kind, so that a change of one record is one line of a diff.
 */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { Operation } from '../../../proto/config.ts';
import type { Draft } from '../../../proto/load.ts';
import type { ApplianceMessage, Batch, ControllerMessage } from '../../../proto/sync.ts';
import * as R from '../../../wasm-core/records.ts';

export type Happening =
  | { readonly what: 'connect' | 'disconnect' | 'restart' }
  /** The controller goes on over another, empty store. */
  | { readonly what: 'store' }
  | { readonly what: 'resync'; readonly force: boolean }
  | { readonly what: 'commit'; readonly operations: readonly Draft<Operation>[] };

export type Line =
  | { readonly do: Happening }
  | { readonly appliance: unknown }
  | { readonly controller: unknown }
  | { readonly refused: { readonly code: number; readonly details: string } };

const FOLDER = fileURLToPath(new URL('./recordings/controller/', import.meta.url));
const KINDS: Readonly<Record<string, { kind: number; size: number }>> = {
  route: { kind: R.RECORD_ROUTE, size: R.RT_SIZE }, nexthop: { kind: R.RECORD_NEXTHOP, size: R.NX_SIZE }, ecmp: { kind: R.RECORD_ECMP, size: R.EC_SIZE },
  label: { kind: R.RECORD_LABEL, size: R.LB_SIZE }, 'floating-ip': { kind: R.RECORD_FLOATING_IP, size: R.FL_SIZE },
  interface: { kind: R.RECORD_INTERFACE, size: R.IX_SIZE }, vrf: { kind: R.RECORD_VRF, size: R.VR_SIZE },
};

export const recordings = (): string[] => readdirSync(FOLDER).filter((file) => file.endsWith('.jsonl')).sort().map((file) => file.slice(0, -'.jsonl'.length));
export const load = (name: string): Line[] => readFileSync(`${FOLDER}${name}.jsonl`, 'utf8').trim().split('\n').map((line) => JSON.parse(line) as Line);
export const save = (name: string, lines: readonly Line[]): void => writeFileSync(`${FOLDER}${name}.jsonl`, `${lines.map((line) => JSON.stringify(line)).join('\n')}\n`);

/** Stand-ins and what they stand for in this run. */
export interface StandIns { readonly STATE: string; readonly NAME: string }

const replaceAll = (text: string, pairs: readonly (readonly [string, string])[]): string => pairs.reduce((done, [from, to]) => (from ? done.replaceAll(from, to) : done), text);

/** A message as it is recorded: only what is set. */
export function toLine(message: ControllerMessage | ApplianceMessage, { STATE, NAME }: StandIns): unknown {
  const plain = JSON.parse(JSON.stringify(message, function (this: Record<string, unknown>, key, value: unknown) {
    if (key === 'message' || value === null) return undefined;
    if (key === 'batches') return (this['batches'] as Batch[]).map(toHex);
    return value;
  })) as Record<string, Record<string, unknown>>;
  if (plain['hello']) Object.assign(plain['hello'], { software: '', profile: '' });
  return JSON.parse(replaceAll(JSON.stringify(plain), [[STATE, 'STATE'], [JSON.stringify(NAME), '"NAME"']]));
}

/** The message that a line means. */
export function fromLine<T>(line: unknown, { STATE, NAME }: StandIns): T {
  return JSON.parse(replaceAll(JSON.stringify(line), [['"STATE"', JSON.stringify(STATE)], ['"NAME"', JSON.stringify(NAME)]]), (key, value: unknown) =>
    (key === 'batches' ? (value as Record<string, string[]>[]).map(fromHex) : value)) as T;
}

function toHex({ kind, count, records }: Batch): Record<string, string[]> {
  const [name, { size }] = Object.entries(KINDS).find(([, each]) => each.kind === kind)!;
  return { [name]: Array.from({ length: count }, (_, at) => Buffer.from(records).toString('hex', at * size, (at + 1) * size)) };
}

function fromHex(batch: Record<string, string[]>): Batch {
  const [[name, records]] = Object.entries(batch) as [[string, string[]]];
  return { kind: KINDS[name]!.kind, count: records.length, records: Buffer.from(records.join(''), 'hex') };
}
