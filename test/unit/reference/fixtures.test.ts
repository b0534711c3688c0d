/** The core's fixtures, written by hand, hold for the reference forwarder as well: so the judge is judged too. */
import { readdirSync } from 'node:fs';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { Fixture } from '../../fixtures/fixture.ts';
import { world } from '../../fixtures/world.ts';
import { Forwarder, type Outcome } from '../../reference/forwarder.ts';
import { hex } from '../../reference/wire.ts';

const FOLDER = new URL('../../fixtures/', import.meta.url);
/** Where the core's clock stands when a fixture begins. */
const START_MS = 1_000_000;

/** Fixtures of one exported list per file. */
async function allFixtures(): Promise<Fixture[]> {
  const found: Fixture[] = [];
  for (const name of readdirSync(FOLDER).sort()) {
    const exported: Record<string, unknown> = await import(new URL(name, FOLDER).href);
    for (const [key, value] of Object.entries(exported)) if (key.endsWith('Fixtures')) found.push(...(value as Fixture[]));
  }
  return found;
}

/** What only the core has: rings that fill up, ports without a queue, tables without room, the rate limit. */
function isOfTheCoreAlone(fixture: Fixture): boolean {
  return fixture.options !== undefined || fixture.prepare !== undefined || fixture.without !== undefined;
}

const sent = (outcomes: readonly Outcome[]): string[] =>
  outcomes.flatMap((outcome) => (outcome.verdict === 'transmitted' ? [`${outcome.port} ${hex(outcome.frame)}`] : [])).sort();

const fixtures = (await allFixtures()).filter((fixture) => !isOfTheCoreAlone(fixture));
assert.ok(fixtures.length > 50, `only ${fixtures.length} fixtures were found`);

for (const fixture of fixtures) {
  test(fixture.name, () => {
    const forwarder = new Forwarder(0n);
    for (const { kind, bytes } of [...world(), ...(fixture.records ?? [])]) forwarder.apply(kind, bytes);
    forwarder.now = START_MS;
    const drops: Record<string, number> = {};
    for (const step of fixture.steps) {
      const outcomes = step.wait === undefined ? [] : forwarder.tick(forwarder.now + step.wait);
      for (const frame of step.in ?? []) outcomes.push(...forwarder.receive(frame.interface, frame.bytes));
      assert.equal(sent(outcomes), step.out.map((frame) => `${frame.interface} ${hex(frame.bytes)}`).sort());
      for (const outcome of outcomes) if (outcome.verdict === 'dropped') drops[outcome.reason] = (drops[outcome.reason] ?? 0) + 1;
    }
    assert.equal(drops, fixture.drops ?? {});
    assert.is(forwarder.neighbours.held, fixture.held ?? 0);
    if (fixture.originated !== undefined) assert.is(forwarder.counters.get('originated') ?? 0, fixture.originated);
  });
}

test.run();
