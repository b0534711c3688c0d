/** A seed's worth of work: a world and what happens in it; run, compared, and made small when it fails. */
import type { PackedRecord } from '../fixtures/records.ts';
import { releaseMemory } from '../fixtures/release-memory.ts';
import { makeFrame, type GeneratedFrame } from '../generate/frames.ts';
import { Random } from '../generate/random.ts';
import { makeWorld, type World } from '../generate/world.ts';
import { hex } from '../reference/wire.ts';
import { Duel, isArp, type Difference } from './duel.ts';
import { shrink } from './shrink.ts';
import { traceText } from './trace.ts';

export type Step = { readonly frame: GeneratedFrame } | { readonly waitMs: number };

export interface Scenario {
  readonly seed: number;
  readonly world: World;
  readonly lcores: number;
  readonly steps: readonly Step[];
}

export interface Result {
  readonly frames: number;
  readonly records: number;
  /** Records that the core refused, by RESULT_*. */
  readonly refused: readonly number[];
  /** '' when core and reference agree. */
  readonly failure: string;
}

const VECTORS = [2, 3, 16, 64, 128, 200];
/** Frames that a vector may make, so that the core runs out of neither records nor ring. */
const VECTOR_SENDS = 200;
const SHOWN = 20;
/** Every so many frames are traced first: a trace says what would be sent, and changes nothing. */
const TRACE_EVERY = 4;

/** A frame that leaves the neighbours as they are, and how many frames come of it. */
interface Settled {
  readonly frame: GeneratedFrame;
  readonly sends: number;
}

export function makeScenario(seed: number, frames: number): Scenario {
  const random = new Random(seed);
  const world = makeWorld(random);
  const steps: Step[] = [];
  for (let n = 0; n < frames; n += 1) {
    if (random.chance(1)) steps.push({ waitMs: random.pick([100, 1000, 1000, 1100, 31_000]) });
    steps.push({ frame: makeFrame(random, world) });
  }
  return { seed, world, lcores: 1 + (seed % 2), steps };
}

export function runScenario(scenario: Scenario): Result {
  const { seed, world, lcores, steps } = scenario;
  releaseMemory();
  const duel = new Duel(world, lcores);
  const settled: Settled[] = [];
  for (const [index, step] of steps.entries()) {
    const held = duel.reference.neighbours.held;
    const traced = 'frame' in step && index % TRACE_EVERY === 0 ? duel.trace(step.frame) : undefined;
    const difference = play(duel, step);
    if (difference !== undefined) return result(scenario, duel, explain({ ...scenario, steps: steps.slice(0, index + 1) }, play));
    if (duel.isUndefined) return { ...result(scenario, duel, ''), frames: index };
    const isNeutral = duel.reference.neighbours.held === held && held === 0;
    if (!('frame' in step) || !isNeutral || isArp(step.frame.bytes)) continue;
    settled.push({ frame: step.frame, sends: duel.sent });
    if (traced !== undefined && traced.join() !== duel.sentAsTraced().join())
      return result(scenario, duel, `seed ${seed}: trace and forwarding differ\n  traced: ${traced.join(' ')}\n  sent: ${duel.sentAsTraced().join(' ')}\n${traceText(duel.core, step.frame)}`);
  }
  const vectorFailure = playVectors(duel, new Random(seed), settled);
  if (vectorFailure !== '') return result(scenario, duel, vectorFailure);
  const counters = duel.counterDifferences();
  if (counters.length > 0) return result(scenario, duel, `${counters.join('\n')}\n${explain(scenario, playAndCount)}`);
  return result(scenario, duel, '');
}

function result({ world, steps }: Scenario, duel: Duel, failure: string): Result {
  return { frames: steps.length, records: world.records.length, refused: duel.refused, failure };
}

function play(duel: Duel, step: Step): Difference | undefined {
  return 'frame' in step ? duel.play(step.frame) : duel.wait(step.waitMs);
}

/** The same, and the counters must agree after the step. */
function playAndCount(duel: Duel, step: Step): Difference | undefined {
  const difference = play(duel, step);
  const counters = duel.counterDifferences();
  return difference ?? (counters.length > 0 ? { core: counters, reference: ['(see above)'] } : undefined);
}

/** The frames that leave neighbours as they are, once more, in vectors: packets of one vector must not touch each other. */
function playVectors(duel: Duel, random: Random, frames: readonly Settled[]): string {
  for (let at = 0; at < frames.length; ) {
    const vector: GeneratedFrame[] = [];
    const size = random.pick(VECTORS);
    for (let sends = 0; vector.length < size && at < frames.length; at += 1) {
      const next = frames[at];
      if (next === undefined || (vector.length > 0 && sends + next.sends > VECTOR_SENDS)) break;
      sends += next.sends;
      vector.push(next.frame);
    }
    const difference = duel.playVector(vector);
    if (difference !== undefined) return `a vector of ${vector.length} frames that agree one by one\n${differenceText(difference)}`;
  }
  return '';
}

/** Shrinks the last step's failure to the fewest steps and records, and tells it. */
function explain({ seed, world, lcores, steps }: Scenario, playStep: typeof play): string {
  const differs = (records: readonly PackedRecord[], some: readonly Step[]): boolean => {
    releaseMemory();
    const duel = new Duel({ ...world, records }, lcores);
    return some.some((step) => playStep(duel, step) !== undefined);
  };
  const last = steps.slice(-1);
  const fewSteps = differs(world.records, last) ? last : shrink(steps, (some) => differs(world.records, some));
  const records = shrink(world.records, (some) => {
    try {
      return differs(some, fewSteps);
    } catch {
      return false; // a record that the others refer to is gone
    }
  });

  const duel = new Duel({ ...world, records }, lcores);
  const lines = [`seed ${seed}: core and reference differ`, ...records.map((record) => `  record of kind ${record.kind}: ${hex(record.bytes)}`)];
  for (const step of fewSteps) {
    if ('frame' in step) lines.push(`  frame into ${step.frame.port}: ${hex(step.frame.bytes)}`);
    else lines.push(`  ${step.waitMs} ms pass`);
    const trace = 'frame' in step ? traceText(duel.core, step.frame) : '';
    const difference = playStep(duel, step);
    if (difference === undefined) continue;
    lines.push(differenceText(difference), trace);
    break;
  }
  return lines.join('\n');
}

function differenceText({ core, reference }: Difference): string {
  const shown = (lines: readonly string[]): string[] => [...lines.slice(0, SHOWN).map((line) => `    ${line}`), ...(lines.length > SHOWN ? ['    …'] : [])];
  return ['  only the core:', ...shown(core), '  only the reference:', ...shown(reference)].join('\n');
}
