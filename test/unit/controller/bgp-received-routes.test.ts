// Routes of peers over the end of a controller: all that was written is there, and whether it was worked in too.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { ReceivedRoutes } from '../../../mgmt/controller/bgp/received-routes.ts';
import type { ReceivedPath } from '../../../mgmt/controller/bgp/types.ts';
import { keyOf } from '../../../mgmt/controller/model/address.ts';

const folder = mkdtempSync(join(tmpdir(), 'wrouter-received-'));
const file = join(folder, 'bgp', 'received.db');
test.after(() => rmSync(folder, { recursive: true, force: true }));
test.after.each(() => rmSync(join(folder, 'bgp'), { recursive: true, force: true }));

const path = (prefix: string, settings: Partial<ReceivedPath> = {}): ReceivedPath => ({
  family: 'ipv4-vpn', distinguisher: '1:1', prefix: keyOf(prefix), label: 2001, nextHop: 4294967295, targets: ['target:1:1'], encapsulations: [11], localPreference: 100, peer: 1, asPath: [65001], origin: 2, since: 1, ...settings,
});
const [A, B] = [path('198.51.100.0/24'), path('203.0.113.0/24', { peer: 2 })];

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
    routes.write([{ before: undefined, after: A }, { before: undefined, after: B }]);
    routes.write([{ before: A, after: { ...A, label: 7 } }]);
    routes.write([{ before: B, after: undefined }]);
    routes.markWorkedIn();
  }), { workedIn: false, found: [] });
  assert.equal(life('s', () => {}), { workedIn: true, found: [{ ...A, label: 7 }] });
});

test('an end between writing and working in shows; so does another history', () => {
  life('s', (routes) => {
    routes.markWorkedIn();
    routes.write([{ before: undefined, after: A }]);
  });
  assert.is(life('s', (routes) => routes.markWorkedIn()).workedIn, false);
  assert.is(life('s', () => {}).workedIn, true);
  assert.is(life('another', () => {}).workedIn, false);
});

test('a damaged file is begun anew: peers tell it again', () => {
  life('s', (routes) => {
    routes.write([{ before: undefined, after: A }]);
    routes.markWorkedIn();
  });
  writeFileSync(file, 'not a database at all, but long enough to be taken for one'.repeat(100));
  assert.equal(life('s', () => {}), { workedIn: false, found: [] });
});

test.run();
