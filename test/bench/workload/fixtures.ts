/** Every fixture's frames through both sides: what makes a figure against the twin mean the same core, not only the same happy path. */
import { prepareFixture } from '../../fixtures/fixture.ts';
import { fixtures } from '../../fixtures/index.ts';
import { releaseMemory } from '../../fixtures/release-memory.ts';
import * as L from '../../../wasm-core/layout.ts';
import { Mismatch } from '../side.ts';
import type { Side } from '../side.ts';
import type { TwinSide } from '../twin/child.ts';
import { WasmSide } from '../wasm-side.ts';

/** Rounds of all lcores in a step: enough for a hand-off there and back, and for what a resolved neighbour sets free. */
const ROUNDS_PER_STEP = 6;

/**
 * Sends all fixtures' frames through the core in WebAssembly and through its twin, each step from the same memory.
 * @returns how many steps both forwarded alike
 * @throws Mismatch when frames out, descriptors or counters differ
 */
export async function verifyFixtures(harness: WebAssembly.Module, twin: TwinSide): Promise<number> {
  let steps = 0;
  for (const fixture of fixtures) {
    releaseMemory();
    const wasm = new WasmSide(harness, fixture.options ?? {});
    prepareFixture(fixture, wasm.core);
    for (const step of fixture.steps) {
      wasm.core.advanceClock(step.wait ?? 0);
      for (const frame of step.in ?? []) wasm.core.send(frame.interface, frame.bytes);
      await twin.load(wasm.image());
      const [ours, theirs] = [await outcome(wasm, wasm.core.lcores), await outcome(twin, wasm.core.lcores)];
      if (ours !== theirs) throw new Mismatch(`fixture "${fixture.name}", step ${fixture.steps.indexOf(step) + 1}: frames and counters hash to ${ours}, C twin ${theirs}`);
      steps++;
    }
  }
  return steps;
}

async function outcome(side: Side, lcores: number): Promise<string> {
  for (let round = 0; round < ROUNDS_PER_STEP; round++) {
    for (let lcore = 0; lcore < lcores; lcore++) await side.call('run', lcore);
  }
  const counters = await side.call('hashRange', L.COUNTERS, lcores * 2 ** L.COUNTERS_SHIFT);
  const frames = await side.call('drainHash', 1);
  return `${frames.result.toString(16)} ${counters.result.toString(16)}`;
}
