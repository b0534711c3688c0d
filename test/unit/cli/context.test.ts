import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { readContext } from '../../../mgmt/cli/context.ts';
import { UsageError } from '../../../mgmt/cli/output.ts';
import { applianceOf } from '../../../mgmt/cli/target.ts';

const test = suite<{ folder: string; file: string }>('context', {} as { folder: string; file: string });
test.before.each((context) => { context.folder = mkdtempSync(join(tmpdir(), 'wrouter-context-')); context.file = join(context.folder, 'context.json'); });
test.after.each(({ folder }) => rmSync(folder, { recursive: true }));

test('paths are relative to the file; the certificate is the operator\'s unless said', ({ file, folder }) => {
  writeFileSync(file, '{"pki": "pki", "controller": "127.0.0.1:9400", "appliances": {"gateway": "127.0.0.1:9411"}}');
  assert.equal(readContext(file), { pki: join(folder, 'pki'), as: 'operator', controller: '127.0.0.1:9400', appliances: { gateway: '127.0.0.1:9411' } });
});

test('what is wrong in it is named', ({ file, folder }) => {
  const refused = (text: string): string => {
    writeFileSync(file, text);
    try { readContext(file); } catch (error) { assert.instance(error, UsageError); return (error as Error).message.replace(file, 'FILE'); }
    return 'accepted';
  };
  assert.match(refused('{'), /^FILE is not JSON/);
  assert.match(refused('[]'), /FILE: must be an object/);
  assert.match(refused('{"pki": "x", "aplliances": {}}'), /unknown "aplliances"; known are pki, as, controller, appliances/);
  assert.match(refused('{"appliances": {}}'), /"pki" must be the path/);
  assert.match(refused('{"pki": "x", "appliances": {"a": 5}}'), /"appliances" must map names to HOST:PORT/);
  assert.throws(() => readContext(join(folder, 'missing')), /there is no context file/);
});

test('an appliance by name, by address, or the only one', () => {
  const one = { pki: 'x', as: 'operator', appliances: { gateway: '127.0.0.1:1' } };
  const two = { ...one, appliances: { ...one.appliances, compute: '127.0.0.1:2' } };
  assert.equal(applianceOf(undefined, one), { address: '127.0.0.1:1', name: 'gateway' });
  assert.equal(applianceOf('compute', two), { address: '127.0.0.1:2', name: 'compute' });
  assert.equal(applianceOf('192.0.2.1:9411', two), { address: '192.0.2.1:9411' });
  assert.equal(applianceOf('[2001:db8::1]:9411', two), { address: '[2001:db8::1]:9411' });
  assert.throws(() => applianceOf(undefined, two), /which appliance\? --on NODE \(known are gateway, compute\)/);
  assert.throws(() => applianceOf('gatewai', two), /no appliance "gatewai": known are gateway, compute, or give HOST:PORT/);
});

test.run();
