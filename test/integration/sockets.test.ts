// limit: 240 s
//
// The scenario of `npm start` over ports that need no privilege. Root runs it as nobody, to prove that, where nobody may read the checkout.
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { test } from 'uvu';
import * as assert from 'uvu/assert';

const START = fileURLToPath(new URL('../lab/start.ts', import.meta.url));
const NOBODY = { uid: 65534, gid: 65534 };

test('ping, TCP, trace and counters over socket ports', () => {
  const asNobody = process.getuid?.() === 0 && spawnSync(process.execPath, ['--version'], NOBODY).status === 0;
  const args = [START, '--once', '--sockets'];
  const { status, stdout, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8', cwd: '/', ...(asNobody ? NOBODY : {}) });
  assert.is(status, 0, `${stdout}${stderr}`);
});

test.run();
