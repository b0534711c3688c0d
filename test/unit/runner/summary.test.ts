import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { declarations, summarise } from '../../summary.ts';

const closing = (total: number, passed: number, skipped: number): string =>
  `\n  Total:     ${total}\n  Passed:    ${passed}\n  Skipped:   ${skipped}\n  Duration:  1.00ms\n\n`;

test('counts the tests of a file that ends well', () => {
  assert.equal(summarise(closing(7, 7, 0), 0), { passed: 7, failed: 0, reason: '' });
});

test('counts failures, and colours do not hide them', () => {
  const coloured = '\n  Total:     3\u001b[31m\n  Passed:    2\u001b[39m\n  Skipped:   0\n';
  assert.equal(summarise(coloured, 1), { passed: 2, failed: 1, reason: '' });
});

test('a crash before the end is a failure', () => {
  assert.equal(summarise('Error: no such file', 1), { passed: 0, failed: 1, reason: 'exit code 1 before its tests ended' });
  assert.equal(summarise('', 'died by SIGSEGV').failed, 1);
});

test('a crash after the end is a failure', () => {
  assert.is(summarise(closing(2, 2, 0), 3).failed, 1);
  assert.is(summarise(closing(2, 2, 0), 'ran out of its 120 s').failed, 1);
});

test('no test, or a skipped one, is a failure', () => {
  assert.is(summarise(closing(0, 0, 0), 0).failed, 1);
  assert.is(summarise(closing(2, 2, 1), 0).failed, 1);
});

test('the closing lines are the last ones: a test may print such lines itself', () => {
  assert.equal(summarise(closing(1, 0, 0) + closing(4, 4, 0), 0), { passed: 4, failed: 0, reason: '' });
});

test('reads needs and limit from the head only', () => {
  assert.equal(declarations('// needs: root, netns\n// limit: 400 s\nimport x\n'), { needs: ['root', 'netns'], limitSeconds: 400 });
  assert.equal(declarations('import x\n// needs: root\n'), { needs: [], limitSeconds: 120 });
  assert.equal(declarations('/**\n * Text.\n */\n// needs: tshark\n'), { needs: ['tshark'], limitSeconds: 120 });
});

test.run();
