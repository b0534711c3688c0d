// Routes of peers over the end of a controller: all that was written is there, and whether it was worked in too.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import fc from 'fast-check';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { ReceivedRoutes } from '../../../mgmt/controller/bgp/received-routes.ts';
import type { ReceivedChange } from '../../../mgmt/controller/bgp/adj-rib-in.ts';
import { receivedKey, type ReceivedPath } from '../../../mgmt/controller/bgp/types.ts';
import { keyOf } from '../../../mgmt/controller/model/address.ts';

const folder = mkdtempSync(join(tmpdir(), 'wrouter-received-'));
const file = join(folder, 'bgp', 'received.db');
test.after(() => rmSync(folder, { recursive: true, force: true }));
test.after.each(() => rmSync(join(folder, 'bgp'), { recursive: true, force: true }));

const path = (prefix: string, settings: Partial<ReceivedPath> = {}): ReceivedPath => ({
  family: 'ipv4-vpn', distinguisher: '1:1', prefix: keyOf(prefix), label: 2001, nextHop: 4294967295, targets: ['target:1:1'], encapsulations: [11], localPreference: 100, peer: 1, asPath: [65001], origin: 2, since: 1, ...settings,
});
const [A, B] = [path('198.51.100.0/24'), path('203.0.113.0/24', { peer: 2 })];

/** All that is there, as the service keeps it. */
let present = new Map<string, ReceivedPath>();
test.before.each(() => { present = new Map(); });
function write(routes: ReceivedRoutes, changes: readonly ReceivedChange[]): void {
  for (const { before, after } of changes) {
    if (before) present.delete(receivedKey(before));
    if (after) present.set(receivedKey(after), after);
  }
  routes.write(changes, present);
}

/** Writes and ends without a word, as a kill does: what is open is simply opened again. */
function life(stateId: string, work: (routes: ReceivedRoutes) => void): { workedIn: boolean; found: ReceivedPath[] } {
  const routes = new ReceivedRoutes(file, stateId);
  const found = routes.all();
  work(routes);
  routes.close();
  return { workedIn: routes.workedIn, found };
}

test('what came is there again, what changed as it was last, what went is not', () => {
  assert.equal(life('s', (routes) => {
    write(routes, [{ before: undefined, after: A }, { before: undefined, after: B }]);
    write(routes, [{ before: A, after: { ...A, label: 7 } }]);
    write(routes, [{ before: B, after: undefined }]);
    routes.markWorkedIn();
  }), { workedIn: false, found: [] });
  assert.equal(life('s', () => {}), { workedIn: true, found: [{ ...A, label: 7 }] });
});

test('an end between writing and working in shows; so does another history', () => {
  life('s', (routes) => {
    routes.markWorkedIn();
    write(routes, [{ before: undefined, after: A }]);
  });
  assert.is(life('s', (routes) => routes.markWorkedIn()).workedIn, false);
  assert.is(life('s', () => {}).workedIn, true);
  assert.is(life('another', () => {}).workedIn, false);
});

test('whatever came and went, what is there is there again, and the log stays in bounds', () => {
  const routes = Array.from({ length: 3000 }, (_, at) => path('10.0.0.0/8', { distinguisher: `1:${at}` }));
  const step = fc.record({ from: fc.nat(2999), count: fc.integer({ min: 1, max: 3000 }), label: fc.integer({ min: 15, max: 20 }), reopen: fc.boolean() });
  fc.assert(fc.property(fc.array(step, { minLength: 1, maxLength: 25 }), (steps) => {
    rmSync(join(folder, 'bgp'), { recursive: true, force: true });
    present = new Map();
    let opened = new ReceivedRoutes(file, 's');
    for (const { from, count, label, reopen } of steps) {
      // Label 15: they go.
      const changes = routes.slice(from, from + count).flatMap((route): ReceivedChange[] => {
        const before = present.get(receivedKey(route));
        const after = label === 15 ? undefined : { ...route, label };
        return before || after ? [{ before, after }] : [];
      });
      write(opened, changes);
      if (!reopen) continue;
      opened.close();
      opened = new ReceivedRoutes(file, 's');
    }
    const byKey = (one: ReceivedPath, other: ReceivedPath): number => (receivedKey(one) < receivedKey(other) ? -1 : 1);
    assert.equal(opened.all().sort(byKey), [...present.values()].sort(byKey));
    opened.close();
    const database = new DatabaseSync(file);
    const { entries } = database.prepare('SELECT total(entries) AS entries FROM batch').get() as { entries: number };
    database.close();
    assert.ok(entries <= 2 * present.size + 10_000, `${entries} entries for ${present.size} routes`);
  }), { numRuns: 30 });
});

test('a damaged file is begun anew: peers tell it again', () => {
  life('s', (routes) => {
    write(routes, [{ before: undefined, after: A }]);
    routes.markWorkedIn();
  });
  writeFileSync(file, 'not a database at all, but long enough to be taken for one'.repeat(100));
  assert.equal(life('s', () => {}), { workedIn: false, found: [] });
});

test.run();
