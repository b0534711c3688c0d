// Certificates of the authority, judged by Node's own X.509 and TLS.
import { X509Certificate } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { createPki, issue, openAuthority } from '../../../mgmt/pki/authority.ts';

const folder = mkdtempSync(join(tmpdir(), 'wrouter-pki-'));
const read = (name: string): X509Certificate => new X509Certificate(readFileSync(join(folder, `${name}.crt`)));
test.before(() => createPki(folder, [{ name: 'controller', role: 'controller' }, { name: 'compute-1', role: 'appliance' }]));
test.after(() => rmSync(folder, { recursive: true }));

test('a certificate names one identity in one role, and its root issued it', () => {
  const [root, leaf] = [read('ca'), read('compute-1')];
  assert.ok(leaf.checkIssued(root) && leaf.verify(root.publicKey));
  assert.is(leaf.subject, 'CN=compute-1\nOU=appliance');
  assert.is(leaf.subjectAltName, 'DNS:compute-1, URI:wrouter:appliance:compute-1');
  assert.is(root.ca, true);
  assert.is(leaf.ca, false);
  assert.ok(Date.parse(leaf.validFrom) < Date.now() - 50 * 60_000, 'valid for clocks that run late');
});

test('keys are readable by their owner only', () => {
  for (const name of ['ca', 'compute-1']) assert.is(statSync(join(folder, `${name}.key`)).mode & 0o777, 0o600);
});

test('a folder keeps its root and its certificates; issuing again renews one', async () => {
  const [root, leaf] = [read('ca').fingerprint256, read('compute-1').fingerprint256];
  await createPki(folder, [{ name: 'compute-1', role: 'appliance' }, { name: 'gateway-1', role: 'appliance' }]);
  assert.is(read('ca').fingerprint256, root);
  assert.is(read('compute-1').fingerprint256, leaf);
  assert.ok(read('gateway-1').verify(read('ca').publicKey));
  await issue(await openAuthority(folder), { name: 'compute-1', role: 'appliance' });
  assert.is.not(read('compute-1').fingerprint256, leaf);
});

test('names that would leave the folder, and roles that are none, are refused', async () => {
  for (const name of ['../x', 'ca', '', 'a/b', '-x']) {
    let error: unknown;
    await createPki(folder, [{ name, role: 'operator' }]).catch((each: unknown) => { error = each; });
    assert.match(String(error), /certificate name/, name);
  }
  let error: unknown;
  await createPki(folder, [{ name: 'x', role: 'king' as never }]).catch((each: unknown) => { error = each; });
  assert.match(String(error), /one of controller, appliance, operator, store/);
});

test.run();
