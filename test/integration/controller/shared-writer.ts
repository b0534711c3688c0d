/**
 * Child of two-controllers.test.ts: a controller that commits as fast as it can through etcd, and says what is acknowledged:
 * "VERSION COUNT". Every attempt bears its own count, in three objects at once. It is killed at work.
 *
 *   node shared-writer.ts etcd://HOST:PORT PKI NAME FIRST_COUNT
 */
import { Engine } from '../../../mgmt/controller/engine.ts';
import { openStore } from '../../../mgmt/controller/store/open.ts';
import { put } from '../../unit/controller/objects.ts';

const [where, pki, name, first] = process.argv.slice(2) as [string, string, string, string];
const engine = await Engine.open(await openStore(where, pki, 'controller'));
const project = `default-domain:${name}`;
for (let count = Number(first); ; count++) {
  try {
    const { version } = await engine.commit([
      put({ name: project, project: {} }),
      ...[0, 1, 2].map((part) => put({ name: `${project}:n${count % 7}-${part}`, virtualNetwork: { routeTargets: [`target:64512:${count}`] } })),
    ]);
    process.stdout.write(`${version} ${count}\n`);
  } catch (error) {
    process.stdout.write(`refused ${count} ${String(error).replaceAll('\n', ' ')}\n`);
  }
  // Let the pipe breathe: an acknowledgement that nobody saw proves nothing.
  await new Promise((resolve) => setImmediate(resolve));
}
