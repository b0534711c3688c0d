import { basename } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { modules } from '../../../proto/generate.ts';

for (const module of modules()) {
  test(`${basename(module.path)} says what its .proto says (else: node proto/generate.ts)`, () => assert.ok(module.current));
}

test.run();
