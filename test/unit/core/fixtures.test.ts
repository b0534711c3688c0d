// Runs every fixture through the real core, in memory. limit: 180 s
import { readFileSync } from 'node:fs';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { SentFrame } from '../../fixtures/core.ts';
import { runFixture, type Fixture } from '../../fixtures/fixture.ts';
import { fixtures } from '../../fixtures/index.ts';
import { frameSummary } from '../../../firmware/host/packet-summary.ts';

type Drop = { code: number; name: string; class: string; text: string };
const drops = JSON.parse(readFileSync(new URL('../../../wasm-core/drops.json', import.meta.url), 'utf8')) as Drop[];

/** Reasons that no packet in memory can die of in a fixture, and what else tests them. */
const WITHOUT_FIXTURE: Readonly<Record<string, string>> = {};

function readable(frames: readonly SentFrame[]): string[] {
  return frames.map((f) => `interface ${f.interface}: ${frameSummary(f.bytes)}\n${Buffer.from(f.bytes).toString('hex').replace(/(.{64})/g, '$1\n')}`);
}

function verdictFits(fixture: Fixture, lastOut: number): void {
  const classes = Object.keys(fixture.drops ?? {}).map((name) => drops.find((d) => d.name === name)?.class);
  if (fixture.verdict === 'drop') assert.ok(classes.some((c) => c !== 'consumed'), 'verdict drop: a reason other than "consumed" is expected');
  if (fixture.verdict === 'consume') assert.ok(classes.includes('consumed'), 'verdict consume: a reason of class "consumed" is expected');
  if (fixture.verdict === 'hold') assert.ok((fixture.held ?? 0) > 0, 'verdict hold: held packets are expected');
  if (fixture.verdict === 'transmit') assert.ok(lastOut > 0, 'verdict transmit: a frame is expected in the last step');
}

for (const fixture of fixtures) {
  test(fixture.name, () => {
    verdictFits(fixture, fixture.steps.at(-1)!.out.length);
    const { core, out, totals } = runFixture(fixture);
    fixture.steps.forEach((step, i) => assert.equal(readable(out[i]!), readable(step.out), `frames out of step ${i + 1}`));
    assert.equal(totals.drops, fixture.drops ?? {}, 'drops by name');
    assert.is(totals.originated, fixture.originated ?? 0, 'packets that the core made');
    assert.is(totals.held, fixture.held ?? 0, 'packets that wait for a neighbour');
    for (const [what, offset, value] of fixture.counters ?? []) assert.is(core.counter(offset), value, `counter: ${what}`);
    fixture.check?.(core);
  });
}

test('names are unique, and begin with a node or the file that makes the change', () => {
  const names = fixtures.map((f) => f.name);
  assert.is(new Set(names).size, names.length);
  for (const name of names) assert.match(name, /^[a-z0-9-]+: \S/);
});

test('every drop reason has a fixture, or a reason why not', () => {
  const provoked = new Set(fixtures.flatMap((f) => Object.keys(f.drops ?? {})));
  assert.equal(drops.map((d) => d.name).filter((name) => !provoked.has(name)), Object.keys(WITHOUT_FIXTURE));
});

test.run();
