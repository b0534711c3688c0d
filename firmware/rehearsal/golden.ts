/**
 * The golden frames: tables, frames in and what must come of them, as this tree's tests have judged it. A core that does anything else
 * with one of them does not go live. golden.json is written by test/fixtures/write-golden.ts.
 */
import { readFileSync } from 'node:fs';
import { Stage, type StageFrame } from './stage.ts';
import type { CoreExports } from '../host/core.ts';

/** Interface and bytes in base64. */
export type GoldenFrame = readonly [interfaceId: number, bytes: string];

export interface GoldenStep {
  /** "ip4-input: wrong checksum": the fixture that it comes from. */
  readonly name: string;
  readonly waitMs: number;
  readonly in: readonly GoldenFrame[];
  readonly out: readonly GoldenFrame[];
  /** What was dropped in it: reason's code and packets. */
  readonly drops: readonly (readonly [code: number, packets: number])[];
}

export interface Golden {
  /** Record kind, count, records in base64; applied in this order. */
  readonly records: readonly (readonly [kind: number, count: number, records: string])[];
  readonly ports: readonly number[];
  /** One after another on the same stage: what one step leaves behind, the next finds. */
  readonly steps: readonly GoldenStep[];
}

export const GOLDEN_FILE = new URL('golden.json', import.meta.url);

/** Part of the tree, as trusted as its code. */
export function loadGolden(): Golden {
  return JSON.parse(readFileSync(GOLDEN_FILE, 'utf8')) as Golden;
}

/** A stage with the golden tables. */
export function setStage(golden: Golden, instantiate: (memory: WebAssembly.Memory) => CoreExports): Stage {
  const stage = new Stage(instantiate);
  for (const [kind, count, records] of golden.records) stage.apply(kind, count, Buffer.from(records, 'base64'));
  for (const id of golden.ports) stage.attach(id);
  return stage;
}

/** What the core makes of a step's frames. */
export function perform(stage: Stage, { name, waitMs, in: frames }: Pick<GoldenStep, 'name' | 'waitMs' | 'in'>): GoldenStep {
  stage.pass(waitMs);
  const before = stage.drops();
  const out = stage.forward(frames.map(unpack));
  const drops = stage.drops().map((packets, code) => [code, packets - (before[code] ?? 0)] as const).filter(([, packets]) => packets !== 0);
  return { name, waitMs, in: frames, out: out.map(pack), drops };
}

/** @throws Error that names the first step whose outcome is another, or that traps */
export function rehearse(golden: Golden, stage: Stage): void {
  for (const step of golden.steps) {
    try {
      const done = perform(stage, step);
      for (const what of ['out', 'drops'] as const) {
        const [wanted, found] = [JSON.stringify(step[what]), JSON.stringify(done[what])];
        if (wanted !== found) throw new Error(`${what === 'out' ? 'frames out' : 'drops'} ${found} instead of ${wanted}`);
      }
    } catch (error) {
      throw new Error(`golden frame "${step.name}": ${(error as Error).message}`, { cause: error });
    }
  }
}

export const pack = ({ interface: id, bytes }: StageFrame): GoldenFrame => [id, Buffer.from(bytes).toString('base64')];
const unpack = ([id, bytes]: GoldenFrame): StageFrame => ({ interface: id, bytes: Buffer.from(bytes, 'base64') });
