// The verbs of the controller as people see them: golden outputs of get, describe, diff, delete, audit, backup, tokens, completion.
// limit: 120
import { execFile } from 'node:child_process';
import { statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { chapter } from '../../examples/chapter.ts';
import { Scene } from './controller/scene.ts';

const WROUTER = fileURLToPath(new URL('../../mgmt/cli/wrouter.ts', import.meta.url));
const USER = 'default-domain:k8s-ns-user-1';
const NETWORK = `${USER}:k8s-vn-ns-default-pod-network`;
const POOL = `${NETWORK}:pool-ns-default`;

interface Result { code: number; out: string; error: string }
interface Context { scene: Scene; run(...args: string[]): Promise<Result>; piped(input: string, ...args: string[]): Promise<Result> }
const test = suite<Context>('wrouter and objects', {} as Context);

/** What differs from run to run, by what stands for it. */
const steady = (text: string): string => text.replace(/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/g, 'UUID').replace(/\d{4}-\d\d-\d\dT[\d:.]+Z/g, 'TIME').replace(/label \d+/g, 'label L');

test.before(async (context) => {
  const scene = context.scene = await Scene.open();
  await scene.put(...chapter());
  const contextFile = join(scene.folder, 'context.json');
  writeFileSync(contextFile, JSON.stringify({ pki: 'pki', controller: scene.address }));
  const start = (input: string | undefined, args: readonly string[], env = process.env): Promise<Result> => new Promise((resolve) => {
    const child = execFile(process.execPath, [WROUTER, '--context', contextFile, ...args], { env, cwd: scene.folder }, (error, out, errors) => resolve({ code: typeof error?.code === 'number' ? error.code : 0, out: steady(out), error: errors }));
    if (input !== undefined) child.stdin!.end(input);
  });
  context.run = (...args) => start(undefined, args);
  context.piped = (input, ...args) => start(input, args);
});
test.after(({ scene }) => scene.close());

const PLANNED = `kind: floating-ip
name: ${POOL}:planned
spec: {address: 101.101.101.9, virtual_machine_interfaces: [${USER}:pod-1]}
---
kind: virtual-network
name: ${NETWORK}
spec: {subnets: [{prefix: 101.101.101.0/24}], route_targets: [target:64512:101], mtu: 1400}
`;

test('diff shows objects line by line, and what becomes of them on each appliance; exit code 1', async ({ piped, scene }) => {
  const { version } = scene.engine;
  const { code, out, error } = await piped(PLANNED, 'diff', '-f', '-');
  assert.is(error, '');
  assert.is(code, 1);
  assert.is(out, `+ floating-ip ${POOL}:planned
    + address: 101.101.101.9
    + virtual_machine_interfaces:
    +   - ${USER}:pod-1
~ virtual-network ${NETWORK}
      subnets:
        - prefix: 101.101.101.0/24
      route_targets:
        - target:64512:101
    + mtu: 1400

appliance compute-1
  + floating-ip 101.101.101.9 on ${USER}:pod-1: to 10.32.0.3 in ${NETWORK}:k8s-vn-ns-default-pod-network
  + route 101.101.101.9/32 in ${NETWORK}:k8s-vn-ns-default-pod-network: interface ${USER}:pod-1

appliance gateway-1
  + route 101.101.101.9/32 in default-global-system-config:gateway-1:internet: tunnel 10.169.25.20 label L
`);
  assert.is(scene.engine.version, version, 'nothing is changed');
});

test('what is there already is no difference; exit code 0', async ({ run, piped }) => {
  const { out } = await run('get', 'virtual-network', 'k8s-default-pod-network');
  assert.is(out, `kind: virtual-network
name: default-domain:k8s-default:k8s-default-pod-network
uuid: UUID
version: 2
spec:
  subnets:
    - prefix: 10.32.0.0/12
  projects:
    - ${USER}
`);
  const same = await piped(out.replace('uuid: UUID\n', ''), 'diff', '-f', '-');
  assert.equal([same.code, same.out], [0, 'nothing would change\n']);
});

test('apply, describe, audit and delete tell one story', async ({ run, piped }) => {
  assert.is((await piped(PLANNED, 'apply', '-f', '-')).out, `floating-ip ${POOL}:planned\nvirtual-network ${NETWORK}\nversion 3\n`);
  assert.is((await run('describe', 'floating-ip-pool', 'pool-ns-default')).out, `kind: floating-ip-pool
name: ${POOL}
uuid: UUID
version: 2
spec: {}

used by:
  floating-ip ${POOL}:planned
  floating-ip ${POOL}:pod-1
  floating-ip ${POOL}:pod-2

last changes:
  version 2, TIME, operator (cloud-admin)
`);
  const refused = await run('delete', 'virtual-network', NETWORK);
  assert.is(refused.code, 1);
  assert.match(refused.error, /virtual-network .* is used by floating-ip-pool/);
  assert.is((await run('delete', 'floating-ip', `${POOL}:planned`)).out, 'version 4\n');
  assert.is((await run('audit', '--since', '2', '--diff')).out, `version 3  TIME  operator (cloud-admin)
  + floating-ip ${POOL}:planned
      + address: 101.101.101.9
      + virtual_machine_interfaces:
      +   - ${USER}:pod-1
  ~ virtual-network ${NETWORK}
        subnets:
          - prefix: 101.101.101.0/24
        route_targets:
          - target:64512:101
      + mtu: 1400
version 4  TIME  operator (cloud-admin)
  - floating-ip ${POOL}:planned
      - address: 101.101.101.9
      - virtual_machine_interfaces:
      -   - ${USER}:pod-1
`);
});

test('lists as a table, JSON and YAML', async ({ run }) => {
  assert.is((await run('get', 'floating-ip-pool')).out.replace(/ +/g, ' '), `KIND NAME VERSION UUID\nfloating-ip-pool ${POOL} 2 UUID\n`);
  assert.equal(JSON.parse((await run('list', 'instance-ip', '--project', USER, '-o', 'json')).out).map(({ name }: { name: string }) => name), ['pod-1-ip', 'pod-2-ip']);
  assert.match((await run('get', 'floating-ip-pool', '-o', 'yaml')).out, new RegExp(`^- kind: floating-ip-pool\n {2}name: ${POOL}\n`));
});

test('a backup is its owner\'s, brings back what was deleted, and is refused when it is damaged', async ({ run, scene }) => {
  assert.match((await run('backup', 'b.wrb')).out, /^\d+ objects of version \d+\n$/);
  const file = join(scene.folder, 'b.wrb');
  assert.is(statSync(file).mode & 0o777, 0o600);
  await run('delete', 'floating-ip', `${POOL}:pod-2`);
  assert.match((await run('restore', 'b.wrb')).out, /objects, version \d+\n$/);
  assert.ok(scene.engine.objects.get('floating-ip', `${POOL}:pod-2`));
  writeFileSync(file, 'damaged', { flag: 'r+' });
  const wrong = await run('restore', 'b.wrb');
  assert.equal([wrong.code, wrong.error], [2, 'wrouter: b.wrb is no backup of wrouter\'s\n']);
});

test('a token is printed once, and is what it says', async ({ run, scene }) => {
  const { out } = await run('token', 'create', 'ci', '--role', 'project-admin', '--project', USER);
  assert.match(out, /^wrouter\.Y2k\.[A-Za-z0-9_-]{43}\n$/);
  const { spec } = scene.engine.objects.get('access-token', 'ci')!;
  assert.equal([spec.role, spec.projects], ['project-admin', [USER]]);
  assert.match((await run('get', 'access-token', 'ci')).out, /sha256: \(hidden\)/);
  assert.match((await run('token', 'create', 'x', '--role', 'boss')).error, /none of cloud-admin, project-admin, read-only/);
});

test('completion knows verbs, kinds, names, options and their choices', async ({ run, scene }) => {
  const complete = async (...words: string[]): Promise<string[]> => (await run('complete', '--', ...words)).out.split('\n').filter(Boolean);
  assert.equal(await complete('de'), ['describe', 'delete']);
  assert.equal(await complete('get', 'floating'), ['floating-ip-pool', 'floating-ip']);
  assert.equal(await complete('get', 'floating-ip', `${POOL}:pod`), [`${POOL}:pod-1`, `${POOL}:pod-2`]);
  assert.equal(await complete('routes', 'g'), ['gateway-1']);
  assert.equal(await complete('list', '-o', ''), ['table', 'json', 'yaml']);
  assert.equal(await complete('audit', '--f'), ['--follow']);
  assert.match((await run('completion', 'zsh')).out, /^#compdef wrouter\n/);
  // As bash asks: colons divide its words, so it wants only what comes after the last one that is typed.
  writeFileSync(join(scene.folder, 'completion.bash'), (await run('completion', 'bash')).out);
  const typed = async (line: string): Promise<string[]> => new Promise((resolve, reject) => {
    const script = `wrouter() { "$NODE" "$WROUTER" --context context.json "$@"; }; source completion.bash; COMP_LINE=$LINE COMP_POINT=\${#LINE}; _wrouter; printf '%s\\n' "\${COMPREPLY[@]}"`;
    execFile('bash', ['-c', script], { cwd: scene.folder, env: { ...process.env, NODE: process.execPath, WROUTER, LINE: line } }, (error, out) => (error ? reject(error) : resolve(out.split('\n').filter(Boolean))));
  });
  assert.equal(await typed('wrouter des'), ['describe']);
  assert.equal(await typed(`wrouter get floating-ip ${POOL}:pod-`), ['pod-1', 'pod-2']);
});

test('every verb teaches by example', async ({ run }) => {
  for (const verb of ['get', 'list', 'describe', 'apply', 'diff', 'delete', 'events', 'audit', 'appliances', 'routes', 'resync', 'backup', 'restore', 'completion']) {
    assert.match((await run(verb, '--help')).out, /Examples?:\n/, verb);
  }
});

test.run();
