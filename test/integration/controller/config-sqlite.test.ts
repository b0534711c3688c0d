// The config API over the embedded store. (Over etcd: config-etcd.test.ts.)
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SqliteStore } from '../../../mgmt/controller/store/sqlite.ts';
import { createPki } from '../../../mgmt/pki/authority.ts';
import { configConformance } from './config-conformance.ts';

const folder = mkdtempSync(join(tmpdir(), 'wrouter-config-'));
process.on('exit', () => rmSync(folder, { recursive: true, force: true }));
configConformance('SQLite', async () => {
  await createPki(folder, [{ name: 'controller', role: 'controller' }, { name: 'operator', role: 'operator' }]);
  return { pki: folder, open: async () => new SqliteStore(join(folder, 'store.db')) };
});
