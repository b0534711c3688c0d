// The config API over etcd. (Over the embedded store: config-sqlite.test.ts.)
// needs: etcd
// limit: 120 s
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createPki } from '../../../mgmt/pki/authority.ts';
import { configConformance } from './config-conformance.ts';
import { TestEtcd } from './etcd.ts';

const folder = mkdtempSync(join(tmpdir(), 'wrouter-config-'));
const etcd = await TestEtcd.start();
process.on('exit', () => {
  etcd.abandon();
  rmSync(folder, { recursive: true, force: true });
});
configConformance('etcd', async () => {
  await createPki(folder, [{ name: 'controller', role: 'controller' }, { name: 'operator', role: 'operator' }]);
  return { pki: folder, open: () => etcd.open() };
});
