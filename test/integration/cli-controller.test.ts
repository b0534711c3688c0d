// limit: 300 s
/** The command line against a real controller: objects in and out, refusals, and what became of them. */
import { execFile } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { chapter } from '../../examples/chapter.ts';
import { toDocument } from '../../mgmt/cli/objects.ts';
import type { Object as ConfigObject } from '../../proto/config.ts';
import { Scene } from './controller/scene.ts';

const WROUTER = fileURLToPath(new URL('../../mgmt/cli/wrouter.ts', import.meta.url));
const PODS = 'default-domain:k8s-default:k8s-default-pod-network';

interface Context { scene: Scene; run(...args: string[]): Promise<{ code: number; out: string; error: string }>; file(name: string, text: string): string }
const test = suite<Context>('wrouter and the controller', {} as Context);

test.before(async (context) => {
  const scene = context.scene = await Scene.open();
  const contextFile = join(scene.folder, 'context.json');
  writeFileSync(contextFile, JSON.stringify({ pki: 'pki', controller: scene.address }));
  context.run = (...args) => new Promise((resolve) => execFile(process.execPath, [WROUTER, '--context', contextFile, ...args], (error, out, errors) => resolve({ code: typeof error?.code === 'number' ? error.code : 0, out, error: errors })));
  context.file = (name, text) => { const path = join(scene.folder, name); writeFileSync(path, text); return path; };
});
test.after(({ scene }) => scene.close());

test('the chapter, applied from a file, is listed, shown, and can be applied again without a change', async ({ run, file, scene }) => {
  const documents = chapter().map((object) => toDocument({ uuid: '', version: 0, annotations: {}, spec: Object.keys(object).find((key) => key !== 'name'), ...object } as ConfigObject));
  const applied = await run('apply', '-f', file('chapter.json', JSON.stringify(documents)));
  assert.is(applied.code, 0, applied.error);
  const listed = JSON.parse((await run('list', '--json')).out) as { kind: string; name: string; version: number }[];
  assert.equal(listed.map(({ name }) => name).sort(), [...chapter().map(({ name }) => name!), 'default-domain', 'default-global-system-config', 'target:64512:101'].sort());
  const shown = await run('get', 'virtual-network', 'k8s-default-pod-network');
  assert.match(shown.out, new RegExp(`^kind: virtual-network\nname: ${PODS}\n`));
  assert.match(shown.out, /- prefix: 10\.32\.0\.0\/12/);
  const { version } = await scene.config.list({});
  const again = await run('apply', '-f', file('pods.yaml', shown.out));
  assert.match(again.out, new RegExp(`^virtual-network ${PODS}\nversion ${version}\n`), again.error);
});

test('the route of a floating IP as the gateway has it: protocol next hop, label, tunnel', async ({ run }) => {
  const { out, error } = await run('routes', 'gateway-1', 'internet', '101.101.101.3');
  assert.match(out, /internet +101\.101\.101\.3\/32 .*10\.169\.25\.20 +\d+ +MPLSoGRE +compute-1/, error);
  assert.is(out.trim().split('\n').length, 2, out);
});

test('what the controller refuses is told line by line: the field, what is wrong, the rule', async ({ run, file }) => {
  const wrong = await run('apply', '-f', file('wrong.yaml', 'kind: virtual-network\nname: default-domain:k8s-default:wrong\nspec: {subnets: [{prefix: 10.9.0.0/16, gateway: 10.10.0.1}]}\n'));
  assert.is(wrong.code, 1);
  assert.match(wrong.error, /^wrouter: refused:\n {2}operations\[0\]\.virtual_network\.subnets\[0\]\.gateway: .*\(GATEWAY_OUTSIDE_SUBNET\)/);
  const used = await run('delete', 'virtual-network', PODS);
  assert.match(used.error, /refused:\n {2}virtual-network .*is used by instance-ip pod-1-ip.*\(IN_USE\)/);
  assert.is((await run('list', 'virtual-network', '--prefix', 'default-domain:k8s-default:wrong')).out.trim(), 'no objects of kind virtual-network');
});

test('a dry run changes nothing; appliances that never came are absent', async ({ run, file }) => {
  const dry = await run('apply', '--dry-run', '-f', file('project.yaml', 'kind: project\nname: default-domain:dry\n'));
  assert.match(dry.out, /would be accepted/, dry.error);
  assert.match((await run('get', 'project', 'default-domain:dry')).error, /no project "default-domain:dry"/);
  assert.match((await run('appliances')).out, /compute-1 +compute +absent/);
});

test.run();
