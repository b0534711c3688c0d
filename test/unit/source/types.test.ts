// The whole tree is type-correct: Node strips types without reading them, so only this sees a wrong one.
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { test } from 'uvu';
import * as assert from 'uvu/assert';

const ROOT = fileURLToPath(new URL('../../../', import.meta.url));

test('tsc has nothing to say', () => {
  const { status, stdout } = spawnSync(process.execPath, ['node_modules/typescript/bin/tsc', '--noEmit'], { cwd: ROOT, encoding: 'utf8' });
  assert.is(stdout, '');
  assert.is(status, 0);
});

test.run();
