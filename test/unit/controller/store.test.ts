// The embedded store keeps what every store must. (etcd: test/integration/controller/store-etcd.test.ts.)
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SqliteStore } from '../../../mgmt/controller/store/sqlite.ts';
import { conformance } from './store-conformance.ts';

conformance('sqlite', () => {
  const folder = mkdtempSync(join(tmpdir(), 'wrouter-store-'));
  return { open: () => new SqliteStore(join(folder, 'store.db')), remove: () => rmSync(folder, { recursive: true }) };
});
