/** Child of store-kill.test.ts: commits as fast as it can and says on its output what is acknowledged. It is killed at work. */
import { Engine } from '../../../mgmt/controller/engine.ts';
import { SqliteStore } from '../../../mgmt/controller/store/sqlite.ts';
import { deletion, put } from '../../unit/controller/objects.ts';

const engine = await Engine.open(new SqliteStore(process.argv[2]!));
const project = 'default-domain:p';
// Versions are the clock: object n holds three networks, whose MSS says in which version they were written, together.
for (;;) {
  const next = engine.version + 1;
  const mssClamp = 100 + (next % 8000);
  const names = [0, 1, 2].map((part) => `${project}:n${next % 7}-${part}`);
  const operations = [put({ name: project, project: {} }), ...next % 5 === 0 && engine.objects.get('virtual-network', names[0]!)
    ? names.map((name) => deletion('virtual-network', name))
    : names.map((name) => put({ name, virtualNetwork: { mssClamp } }))];
  const { version } = await engine.commit(operations);
  process.stdout.write(`${version}\n`);
  // Let the pipe breathe: an acknowledgement that nobody saw proves nothing.
  await new Promise((resolve) => setImmediate(resolve));
}
