// limit: 240 s
//
// The scenario of `npm start` over ports that need no privilege; as root it is run as nobody, to prove it.
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { test } from 'uvu';
import * as assert from 'uvu/assert';

const START = fileURLToPath(new URL('../lab/start.ts', import.meta.url));
const NOBODY = { uid: 65534, gid: 65534 };

test('ping, TCP, trace and counters over socket ports', () => {
  const options = process.getuid?.() === 0 ? NOBODY : {};
  const { status, stdout, stderr } = spawnSync(process.execPath, [START, '--once'], { encoding: 'utf8', cwd: '/', ...options });
  assert.is(status, 0, `${stdout}${stderr}`);
  assert.match(stdout, /socket ports/);
});

test.run();
